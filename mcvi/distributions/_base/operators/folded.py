"""The page of the absolute value of a variable that is symmetric about 0."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary
from mcvi.distributions._base.constraints import non_negative
from mcvi.distributions._base.page import Functions, Page
from mcvi.distributions._base.samplers import FromNoise
from mcvi.distributions._base.scalars import compiled, guarded_log_density, guarded_score, guarded_tails

__all__ = ["folded"]

_LOG_2 = 0.6931471805599453


def folded(base: Page, central: Callable[..., Any] | None = None) -> Page:
    """Return the page of ``abs(Y)`` for a variable Y on the real line that is symmetric about 0.

    Parameters
    ----------
    base
        The page of Y, drawn from one noise.
    central
        ``central(x, constants)``: the probability that ``abs(Y) <= x``, `constants` being the tuple of those of `base`.
        By default a difference of tails, which loses its digits near 0.
    """
    if not isinstance(base.sampler, FromNoise):
        raise TypeError("folded: the base must be drawn from one noise.")
    names, sampler = base.constants, base.sampler

    def make() -> Functions:
        own = base.functions
        density_base = own.log_density

        @scalar
        def log_density(x: float, constants: Any) -> Any:
            return _LOG_2 + density_base(x, constants)

        tails = log_tails = quantile = None
        if own.tails is not None:
            tails_base, logs_base = own.tails, own.log_tails
            inside = None if central is None else compiled(central)

            if inside is None:

                @scalar
                def both(x: float, constants: Any) -> Any:
                    below, above = tails_base(x, constants)
                    return below - above, 2.0 * above

            else:

                @scalar
                def both(x: float, constants: Any) -> Any:
                    return inside(x, constants), 2.0 * tails_base(x, constants)[1]

            @scalar
            def logs(x: float, constants: Any) -> Any:
                lower, upper = both(x, constants)
                log_lower = elementary.log(lower) if lower < 0.5 else elementary.log1p(-upper)
                return log_lower, elementary.log1p(-lower) if lower < 0.5 else _LOG_2 + logs_base(x, constants)[1]

            tails = guarded_tails(non_negative, names, both, 1.0, 0.0)
            log_tails = guarded_tails(non_negative, names, logs, 0.0, -np.inf)
        if own.quantile is not None:
            quantile_base = own.quantile

            @scalar
            def quantile(p: float, q: float, parameters: Any) -> Any:
                return quantile_base(0.5 + 0.5 * p, 0.5 * q, parameters)

        return Functions(
            own.prepare,
            guarded_log_density(non_negative, names, log_density),
            guarded_score(non_negative, names, own.score),
            tails,
            log_tails,
            quantile,
            own.velocity,
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
