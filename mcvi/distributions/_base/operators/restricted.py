"""The page of a variable that is known to lie between two ends: truncation."""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.compiler.tuples import combined, joined, replaced_if
from mcvi._kernels.functions import elementary
from mcvi.distributions._base.constraints import above, interval, real
from mcvi.distributions._base.page import Functions, Page, by_quantile, logarithms_of, require_page
from mcvi.distributions._base.scalars import guarded_log_density, guarded_score, guarded_tails

__all__ = ["restricted"]

_NODES, _WEIGHTS = (tuple(map(float, values)) for values in np.polynomial.legendre.leggauss(16))
# Log probabilities from here on down are no normal numbers: quantiles are found in logarithms.
_SMALL = -660.0


def restricted(base: Page) -> Page:
    """Return the page of a variable given that it lies between `low` and `high`, two more parameters.

    The probability of the interval is a difference of tails on the side where both are small. Where the two are so
    close that the difference would lose digits, the density is integrated by Gauss and Legendre's rule instead: it must
    be smooth inside the support. `base` needs tails, a quantile and a velocity, and a support that does not depend on
    its parameters.
    """
    require_page("restricted", base)
    support: Any = base.support
    if support.discrete or isinstance(support.low, str) or isinstance(support.high, str):
        raise TypeError(
            "restricted: the base must be continuous, on a support that does not depend on its parameters; its support "
            f"is {support.words}."
        )
    own = base.functions
    if own.tails is None or own.quantile is None or own.velocity is None:
        raise TypeError("restricted: the base must have a cdf, a quantile and a velocity.")
    count, first = len(base.parameters), len(base.constants)
    prepare_base, density_base, score_base = own.prepare, own.log_density, own.score
    tails_base, logs_base, quantile_base, velocity_base = own.tails, own.log_tails, own.quantile, own.velocity
    names = (*base.constants, "low", "high", "log_mass", "at_low", "at_high", "side", "near", "gap", "narrow")
    last = len(names)

    @scalar
    def ends(inner: Any, low: float, high: float) -> Any:
        """Return the side of the smaller tail, its logarithm at the near end, the gap to the far one, the log mass."""
        below, above_low = tails_base(low, inner)
        below_high, beyond = tails_base(high, inner)
        log_below, log_above_low = logs_base(low, inner)
        log_below_high, log_beyond = logs_base(high, inner)
        side = -1.0 if below_high < 0.5 else (1.0 if above_low < 0.5 else 0.0)
        near = log_below_high if side < 0.0 else log_above_low
        far = log_below if side < 0.0 else log_beyond
        gap = far - near
        rest = below + beyond
        one_sided = near + elementary.log(-elementary.expm1(gap))
        log_mass = elementary.log1p(-rest) if side == 0.0 else one_sided
        narrow = rest > 0.6 if side == 0.0 else gap > -0.5
        return side, near, gap, log_mass, narrow

    @scalar
    def integral(low: float, high: float, inner: Any, log_unit: float) -> Any:
        """Return the integral of the density of the base, in units of ``exp(log_unit)``, over a short interval."""
        half, middle, total = 0.5 * (high - low), low + 0.5 * (high - low), 0.0
        for i in range(16):
            total += _WEIGHTS[i] * elementary.exp(density_base(middle + half * _NODES[i], inner) - log_unit)
        return half * total

    @scalar
    def prepare(parameters: Any) -> Any:
        inner = prepare_base(parameters[:count])
        low, high = parameters[count], parameters[count + 1]
        side, near, gap, log_mass, narrow = ends(inner, low, high)
        half, middle = 0.5 * (high - low), low + 0.5 * (high - low)
        peak = density_base(middle, inner)
        total = 0.0
        mean = replaced_if(True, velocity_base(middle, inner), 0.0)
        for i in range(16):
            x = middle + half * _NODES[i]
            weight = _WEIGHTS[i] * elementary.exp(density_base(x, inner) - peak)
            total += weight
            mean = combined(mean, 1.0, score_base(x, inner)[1:], weight)
        log_mass = peak + elementary.log(half * total) if narrow else log_mass
        at_low = elementary.exp(density_base(low, inner) - log_mass)
        at_high = elementary.exp(density_base(high, inner) - log_mass)
        by_ends = combined(velocity_base(low, inner), at_low, velocity_base(high, inner), -at_high)
        share = 1.0 / total if narrow else 0.0
        slopes = combined(replaced_if(not narrow, mean, 0.0), share, replaced_if(narrow, by_ends, 0.0), 1.0)
        return joined(inner, joined((low, high, log_mass, at_low, at_high, side, near, gap, 1.0 * narrow), slopes))

    @scalar
    def log_density(x: float, constants: Any) -> Any:
        return density_base(x, constants[:first]) - constants[first + 2]

    @scalar
    def score(x: float, constants: Any) -> Any:
        slopes = score_base(x, constants[:first])
        in_base = combined(slopes[1:], 1.0, constants[last:], -1.0)
        return joined(joined(slopes[:1], in_base), (constants[first + 3], -constants[first + 4]))

    @scalar
    def both(x: float, constants: Any) -> Any:
        inner = constants[:first]
        low, high, log_mass, _, _, side, near, gap, narrow = constants[first:last]
        if narrow > 0.0:
            return integral(low, x, inner, log_mass), integral(x, high, inner, log_mass)
        lower, upper = tails_base(x, inner)
        below, _ = tails_base(low, inner)
        _, beyond = tails_base(high, inner)
        log_lower, log_upper = logs_base(x, inner)
        # Relative to the tail at the near end: that may be too small to be a number.
        share = (log_lower if side < 0.0 else log_upper) - near
        mass = elementary.exp(near - log_mass)
        from_near = -elementary.expm1(share) * mass
        from_far = (elementary.exp(share) - elementary.exp(gap)) * mass
        two_sided = elementary.exp(-log_mass)
        if side == 0.0:
            return (lower - below) * two_sided, (upper - beyond) * two_sided
        return (from_far, from_near) if side < 0.0 else (from_near, from_far)

    @scalar
    def in_logs(target: float, start: float, side: float, inner: Any) -> Any:
        """Solve ``log tail(x) = target`` by Newton's rule, from an end where the tail is larger."""
        x = start
        for _ in range(30):
            log_lower, log_upper = logs_base(x, inner)
            log_tail = log_lower if side < 0.0 else log_upper
            step = (log_tail - target) * elementary.exp(log_tail - density_base(x, inner))
            x = x + step if side > 0.0 else x - step
        return x

    @scalar
    def quantile(p: float, q: float, parameters: Any) -> Any:
        inner = prepare_base(parameters[:count])
        low, high = parameters[count], parameters[count + 1]
        side, near, gap, _, narrow = ends(inner, low, high)
        below, beyond = tails_base(low, inner)[0], tails_base(high, inner)[1]
        # The tail beyond x on the side that is small at both ends.
        away = p if side > 0.0 else q
        target = near + elementary.log1p(away * elementary.expm1(gap))
        if side != 0.0 and target < _SMALL:
            x = in_logs(target, low if side > 0.0 else high, side, inner)
        else:
            tail = elementary.exp(target)
            lower = below + p * ((1.0 - below) - beyond)
            upper = beyond + q * ((1.0 - below) - beyond)
            lower = lower if side == 0.0 else (tail if side < 0.0 else 1.0 - tail)
            upper = upper if side == 0.0 else (1.0 - tail if side < 0.0 else tail)
            x = quantile_base(lower, upper, parameters[:count])
        x = low if x < low else x
        x = high if x > high else x
        if narrow:  # the step of Newton's rule that the digits lost in the difference of tails ask for
            log_mass = density_base(low, inner) + elementary.log(integral(low, high, inner, density_base(low, inner)))
            share = integral(low, x, inner, log_mass) - p
            x -= share * elementary.exp(log_mass - density_base(x, inner))
            x = low if x < low else x
            x = high if x > high else x
        return x

    @scalar
    def velocity(x: float, constants: Any) -> Any:
        # F(x) = (F(x) - F(low)) / mass stays the same.
        inner = constants[:first]
        low, high = constants[first], constants[first + 1]
        below, above_x = both(x, constants)
        here = density_base(x, inner)
        at_low = elementary.exp(density_base(low, inner) - here) * above_x
        at_high = elementary.exp(density_base(high, inner) - here) * below
        ends_moved = combined(velocity_base(low, inner), at_low, velocity_base(high, inner), at_high)
        return joined(combined(velocity_base(x, inner), 1.0, ends_moved, -1.0), (at_low, at_high))

    support = interval("low", "high")
    functions = Functions(
        prepare,
        guarded_log_density(support, names, log_density),
        guarded_score(support, names, score),
        guarded_tails(support, names, both, 1.0, 0.0),
        guarded_tails(support, names, logarithms_of(both), 0.0, -np.inf),
        quantile,
        velocity,
    )
    return Page(
        parameters={**base.parameters, "low": real, "high": above("low")},
        constants=(*names, *(f"slope_{name}" for name in base.parameters)),
        support=support,
        sampler=by_quantile(lambda: quantile, count + 2),
        make=lambda: functions,
    )
