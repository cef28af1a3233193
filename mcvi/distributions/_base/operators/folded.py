"""The page of the absolute value of a variable on the real line."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.compiler.tuples import combined, joined
from mcvi._kernels.functions import elementary
from mcvi.distributions._base.constraints import non_negative
from mcvi.distributions._base.page import Functions, Page, require_page
from mcvi.distributions._base.samplers import FromNoise
from mcvi.distributions._base.scalars import (
    compiled,
    guarded_log_density,
    guarded_score,
    guarded_tails,
    require_function,
)

__all__ = ["folded"]

# Halvings of an interval that holds a quantile: more than a double has digits, for quantiles near 0.
_HALVINGS = 200


def folded(base: Page, central: Callable[..., Any] | None = None) -> Page:
    """Return the page of ``abs(Y)`` for a variable Y on the real line, with density p and cdf F.

    The density is ``p(x) + p(-x)``, the cdf ``F(x) - F(-x)``. Draws move with the parameters as quantiles do. Unless Y
    is symmetric about 0, that is the mean of the velocities of the two values of Y that a draw may come from.

    Parameters
    ----------
    base
        The page of Y, drawn from one noise.
    central
        ``central(x, constants)``: the probability that ``abs(Y) <= x``, `constants` being the tuple of those of `base`.
        By default a difference of tails, which loses its digits near 0.

    Raises
    ------
    TypeError
        The base is no page of a variable on the whole real line that is drawn from one noise.
    """
    require_page("folded", base)
    ends: Any = base.support
    if ends.discrete or ends.low != -np.inf or ends.high != np.inf:
        raise TypeError(f"folded: the base must be a variable on the whole real line; its support is {ends.words}.")
    if not isinstance(base.sampler, FromNoise):
        raise TypeError("folded: the base must be drawn from one noise.")
    if central is not None:
        require_function("folded", "central", central)
    names, sampler = base.constants, base.sampler

    def make() -> Functions:
        own = base.functions
        density_base, score_base = own.log_density, own.score

        @scalar
        def log_density(x: float, constants: Any) -> Any:
            return _log_sum(density_base(x, constants), density_base(-x, constants))

        @scalar
        def share(x: float, constants: Any) -> Any:
            """Return the probability that Y is x, given that it is x or -x."""
            odds = density_base(-x, constants) - density_base(x, constants)
            return 1.0 / (1.0 + elementary.exp(odds)) if odds == odds else 0.5

        @scalar
        def score(x: float, constants: Any) -> Any:
            at, mirrored, weight = score_base(x, constants), score_base(-x, constants), share(x, constants)
            of_value = weight * at[0] - (1.0 - weight) * mirrored[0]
            return joined((of_value,), combined(at[1:], weight, mirrored[1:], 1.0 - weight))

        velocity = None
        if own.velocity is not None:
            velocity_base = own.velocity

            @scalar
            def velocity(x: float, constants: Any) -> Any:
                weight = share(x, constants)
                return combined(velocity_base(x, constants), weight, velocity_base(-x, constants), weight - 1.0)

        tails = log_tails = quantile = None
        if own.tails is not None:
            both, logs = _tails(own, None if central is None else compiled(central))
            tails = guarded_tails(non_negative, names, both, 1.0, 0.0)
            log_tails = guarded_tails(non_negative, names, logs, 0.0, -np.inf)
            if own.quantile is not None:
                quantile = _quantile(own, both)
        return Functions(
            own.prepare,
            guarded_log_density(non_negative, names, log_density),
            guarded_score(non_negative, names, score),
            tails,
            log_tails,
            quantile,
            velocity,
        )

    def positive_draw() -> Any:
        draw = sampler.transport

        @scalar
        def transport(e: float, parameters: Any) -> Any:
            return abs(draw(e, parameters))

        return transport

    return Page(
        parameters=base.parameters,
        constants=names,
        support=non_negative,
        sampler=FromNoise(sampler.noise, positive_draw, len(base.parameters)),
        make=make,
    )


@scalar
def _log_sum(a: float, b: float) -> float:
    """Return ``log(exp(a) + exp(b))``."""
    larger = a if a > b else b
    return larger if larger == -np.inf else larger + elementary.log1p(elementary.exp(-abs(a - b)))


def _tails(own: Functions, central: Any) -> tuple[Any, Any]:
    """Return the functions of the two tails of the absolute value and of their logarithms."""
    tails_base, logs_base = own.tails, own.log_tails
    if central is None:

        @scalar
        def inside(x: float, constants: Any) -> Any:
            (below, above), (below_mirrored, above_mirrored) = tails_base(x, constants), tails_base(-x, constants)
            return below - below_mirrored if below < 0.5 else above_mirrored - above

    else:

        @scalar
        def inside(x: float, constants: Any) -> Any:
            return central(x, constants)

    @scalar
    def both(x: float, constants: Any) -> Any:
        return inside(x, constants), tails_base(x, constants)[1] + tails_base(-x, constants)[0]

    @scalar
    def logs(x: float, constants: Any) -> Any:
        lower, upper = both(x, constants)
        (log_below, log_above) = logs_base(x, constants)
        (log_below_mirrored, log_above_mirrored) = logs_base(-x, constants)
        # A lower tail that is no number is a difference of two tails on one side, of which one may be far smaller.
        near = log_below if log_below < log_above_mirrored else log_above_mirrored
        far = log_below_mirrored if log_below < log_above_mirrored else log_above
        small = elementary.log(lower) if lower > 1e-300 else near + elementary.log(-elementary.expm1(far - near))
        log_lower = small if lower < 0.5 else elementary.log1p(-upper)
        log_upper = elementary.log1p(-lower) if lower < 0.5 else _log_sum(log_above, log_below_mirrored)
        return log_lower, log_upper

    return both, logs


def _quantile(own: Functions, both: Any) -> Any:
    """Return the quantile: that of the base if it is symmetric, else found by halving."""
    prepare_base, quantile_base = own.prepare, own.quantile

    @scalar
    def quantile(p: float, q: float, parameters: Any) -> Any:
        # Each tail of Y beyond the larger of its two quantiles of q / 2 has at most that probability.
        above = quantile_base(0.5 + 0.5 * p, 0.5 * q, parameters)
        below = -quantile_base(0.5 * q, 0.5 + 0.5 * p, parameters)
        low, high = 0.0, above if above > below else below
        if above == below:
            return high
        constants = prepare_base(parameters)
        for _ in range(_HALVINGS):
            middle = low + 0.5 * (high - low)
            lower, upper = both(middle, constants)
            short = lower < p if p < 0.5 else upper > q
            low, high = (middle, high) if short else (low, middle)
        return high

    return quantile
