r"""The regularised incomplete beta function, its complement, their logarithms and their inverses.

.. math:: I_x(a, b) = \frac1{B(a, b)} \int_0^x t^{a - 1} (1 - t)^{b - 1} dt

As for the incomplete gamma functions one tail is computed, as a power of e times a factor, and the other is its
complement. Where both parameters are at least 1 it is the tail that begins on the far side of the mean: the density of
the log odds in saddle-point form (Loader 2000) times a tail integral. Else it is the smaller tail, from the power
series at the end where the density may be infinite (DLMF 8.17.7), or the integral on the other side.

The functions take x and 1 - x, and their logarithms: whichever is small is known better than as 1 less the other.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.bregman import digamma_less_log, less_log1p, stirling_excess
from mcvi._kernels.functions.elementary import exp, expm1, log, log1p
from mcvi._kernels.functions.incomplete_gamma import density_over_tail, log_of_tail, tail
from mcvi._kernels.functions.lgamma import digamma, lgamma1p, trigamma
from mcvi._kernels.functions.ndtr import ndtri_exp
from mcvi._kernels.functions.stirling import product, relative_deviance, stirling_error
from mcvi._kernels.functions.tail_integral import beta_tail_integral

__all__ = [
    "beta_density_over_lower",
    "beta_density_over_upper",
    "beta_quantile_odds",
    "beta_tails",
    "betainc",
    "betaincc",
    "betainccinv",
    "betaincinv",
    "log_beta_density",
    "log_betainc",
    "log_betaincc",
]

_SQRT_2PI = 2.5066282746310002
_CLOSE = 1e-9
_EPS = 2.220446049250313e-16


@scalar
def _sum(p: float, q: float) -> Any:
    """Return ``p + q`` and its rounding error."""
    total = p + q
    part = total - p
    return total, (p - (total - part)) + (q - part)


@scalar
def _excess_over_mean(a: float, b: float, x: float) -> Any:
    """Return ``a - (a + b) x`` as if computed with twice the digits."""
    p, p_error = product(a, x)
    q, q_error = product(b, x)
    first, first_error = _sum(a, -p)
    second, second_error = _sum(first, -q)
    return second + (first_error + second_error - p_error - q_error)


@scalar(inline=False)
def _lgamma_step(a: float, c: float) -> Any:
    """Return ``lgamma(c + a) - lgamma(c)`` for 0 < a < 1 and c >= 1, relatively accurate for small a."""
    u = a / c
    steps = c * (u * u - (1.0 + u) * less_log1p(u))
    return a * (log(c) + digamma_less_log(c)) + steps + stirling_excess(c + a, c)


@scalar(inline=False)
def _log_density(a: float, b: float, x: float, y: float, log_x: float, log_y: float, delta: float) -> Any:
    """Return ``log(x**a y**b / B(a, b))`` as a power of e and a factor: the density of the log odds."""
    n = a + b
    if a < 1.0:
        return a * log_x + b * log_y + _lgamma_step(a, 1.0 + b) - lgamma1p(a), a * (b / n)
    if b < 1.0:
        return a * log_x + b * log_y + _lgamma_step(b, 1.0 + a) - lgamma1p(b), b * (a / n)
    ratio_x, ratio_y = n / a, n / b
    log_ratio_x = log(x * ratio_x) if x > 1e-280 else log_x + log(ratio_x)
    log_ratio_y = log(y * ratio_y) if y > 1e-280 else log_y + log(ratio_y)
    deviance = a * relative_deviance(-delta / a, log_ratio_x) + b * relative_deviance(delta / b, log_ratio_y)
    errors = stirling_error(n) - stirling_error(a) - stirling_error(b)
    return -deviance, np.sqrt(a * (b / n)) / _SQRT_2PI * exp(errors)


@scalar(inline=False)
def _difference(a: float, b: float, x: float, y: float) -> Any:
    """Return ``a y - b x``: the smaller one of x and y is taken for exact."""
    return _excess_over_mean(a, b, x) if x <= y else -_excess_over_mean(b, a, y)


@scalar(inline=False)
def beta_tails(a: float, b: float, x: float, y: float, log_x: float, log_y: float) -> Any:
    """Return ``(log_scale, factor, density, is_lower)`` for x and ``y = 1 - x``, of which one may underflow.

    One tail is ``exp(log_scale) factor``, and the density of the log odds ``exp(log_scale) density``.
    """
    if not (a >= 0.0 and b >= 0.0 and a + b > 0.0 and a < np.inf and b < np.inf and x >= 0.0 and y >= 0.0):
        return np.nan, np.nan, np.nan, True
    if a == 0.0 or b == 0.0:  # all the mass is at 0, or at 1
        return -np.inf, 1.0, 0.0, b == 0.0 and log_y != -np.inf
    if log_x == -np.inf or log_y == -np.inf:
        return -np.inf, 1.0, 0.0, log_x == -np.inf
    lower = True
    both = a >= 1.0 and b >= 1.0
    delta = _difference(a, b, x, y)
    # From here on: the lower tail where an integral is taken, the end at which x is 0 where the series is.
    if (delta < 0.0) if both else (b < 1.0 and (a >= 1.0 or x > 0.5)):
        a, b, x, y, log_x, log_y, delta, lower = b, a, y, x, log_y, log_x, -delta, False
    n = a + b
    if both:
        log_scale, density = _log_density(a, b, x, y, log_x, log_y, delta)
        return log_scale, density * beta_tail_integral(a, b, x, y, delta), density, lower
    if b >= 1.0 and (n * x >= 1.0 or x > 0.5):
        log_scale, density = _log_density(a, b, x, y, log_x, log_y, delta)
        return log_scale, density * beta_tail_integral(b, a, y, x, -delta), density, not lower
    series, term = 0.0, 1.0
    for k in range(1, 200):
        term *= x * (k - b) / k
        series += term / (a + k)
        if abs(term) < 1e-18:
            break
    series *= a
    exponent = a * log_x + _lgamma_step(a, 1.0 + b) - lgamma1p(a)
    share, leading = b / n, exp(exponent)
    density = share * a * exp(b * log_y)
    if share * leading * (1.0 + series) <= 0.5:
        return exponent, share * (1.0 + series), density, lower
    return 0.0, a / n - share * (expm1(exponent) + leading * series), leading * density, not lower


@scalar(inline=False)
def log_beta_density(a: float, b: float, x: float) -> Any:
    """Return the derivative of `betainc` in x, as a logarithm; -inf outside, and at an end where it would be inf."""
    y = 1.0 - x
    if not (x > 0.0 and y > 0.0):
        at_end = b if (a == 1.0 and x == 0.0) else (a if (b == 1.0 and y == 0.0) else 0.0)
        return log(at_end) if x == x else np.nan
    log_x, log_y = log(x), log1p(-x)
    log_scale, factor = _log_density(
        a * 1.0, b * 1.0, x * 1.0, y, log_x, log_y, _difference(a * 1.0, b * 1.0, x * 1.0, y)
    )
    return log_scale + (log(factor) - log_x - log_y)


@scalar
def _tails(a: float, b: float, x: float) -> Any:
    a, b, x = a * 1.0, b * 1.0, x * 1.0
    return beta_tails(a, b, x, 1.0 - x, log(x), log1p(-x))


@scalar
def _per_x(x: float) -> Any:
    """Return the derivative of the log odds of x; 1 at its ends."""
    return 1.0 / (x * (1.0 - x)) if (x > 0.0 and x < 1.0) else 1.0


@scalar
def beta_density_over_lower(a: float, b: float, x: float) -> Any:
    """Return the derivative of `log_betainc` in x."""
    return density_over_tail(_tails(a, b, x), True) * _per_x(x)


@scalar
def beta_density_over_upper(a: float, b: float, x: float) -> Any:
    """Return minus the derivative of `log_betaincc` in x."""
    return density_over_tail(_tails(a, b, x), False) * _per_x(x)


@scalar
def betainc(a: float, b: float, x: float) -> Any:
    """Return the lower tail, I_x(a, b)."""
    return tail(_tails(a, b, x), True)


@scalar
def betaincc(a: float, b: float, x: float) -> Any:
    """Return the upper tail, 1 - I_x(a, b)."""
    return tail(_tails(a, b, x), False)


@scalar
def log_betainc(a: float, b: float, x: float) -> Any:
    """Return the logarithm of the lower tail."""
    return log_of_tail(_tails(a, b, x), True)


@scalar
def log_betaincc(a: float, b: float, x: float) -> Any:
    """Return the logarithm of the upper tail."""
    return log_of_tail(_tails(a, b, x), False)


@scalar(inline=False)
def _log_a_beta(a: float, b: float) -> Any:
    """Return ``log(a B(a, b))`` well enough for a first guess."""
    if a < 1.0:
        return lgamma1p(a) - _lgamma_step(a, 1.0 + b) + log(a + b) - log(b)
    total = a + b
    errors = stirling_error(a) + (stirling_error(b) - stirling_error(total))
    return errors + (a * log(a / total) - (b - 0.5) * log1p(a / b)) + 0.9189385332046728 + 0.5 * log(a)


@scalar(inline=False)
def beta_quantile_odds(a: float, b: float, log_lower: float, log_upper: float) -> Any:
    """Return the odds x / (1 - x), and their logarithm, of the x with given logarithms of its tails.

    Newton's method for the logarithm of the smaller tail as a function of the log odds: that is concave, so that it
    converges from everywhere.
    """
    if not (a > 0.0 and b > 0.0 and a < np.inf and b < np.inf and log_lower <= 0.0 and log_upper <= 0.0):
        return np.nan, np.nan
    upper = log_upper < log_lower
    target = log_upper if upper else log_lower
    if upper:
        a, b = b, a
    if target == -np.inf:
        return (np.inf, np.inf) if upper else (0.0, -np.inf)
    # The tail lies below its asymptote on the left, and the quantile to the right of the asymptote's.
    asymptote = (target + _log_a_beta(a, b)) / a
    normal = digamma(a) - digamma(b) + ndtri_exp(target) * np.sqrt(trigamma(a) + trigamma(b))
    z = normal if normal > asymptote else asymptote
    odds = exp(z)
    last = np.inf
    for _ in range(80):
        x, y = odds / (1.0 + odds), 1.0 / (1.0 + odds)
        if not odds < np.inf:
            x = 1.0
        log_x, log_y = (z - log1p(odds), -log1p(odds)) if odds < 1.0 else (-log1p(1.0 / odds), -z - log1p(1.0 / odds))
        tails = beta_tails(a, b, x, y, log_x, log_y)
        short = target - log_of_tail(tails, True)
        step = short / density_over_tail(tails, True)
        step = asymptote - z if z + step < asymptote else step
        if not abs(step) < np.inf or (abs(step) >= last and last < 1e-10):
            break
        last = abs(step)
        if odds > 1e-290 and odds < 1e290:
            odds *= exp(step) if last > 1e-3 else 1.0 + step * (1.0 + 0.5 * step)
            z = log(odds)
        else:
            z += step
            odds = exp(z)
        if abs(short) < _CLOSE or last <= _EPS:  # the error left is of the order of the square of this one
            break
    return (1.0 / odds, -z) if upper else (odds, z)


@scalar
def betaincinv(a: float, b: float, p: float) -> Any:
    """Return x with ``I_x(a, b) = p``; nan outside [0, 1]."""
    p = p * 1.0
    odds, _ = beta_quantile_odds(a * 1.0, b * 1.0, log(p), log1p(-p))
    return (odds / (1.0 + odds) if not odds == np.inf else 1.0) if (p >= 0.0 and p <= 1.0) else np.nan


@scalar
def betainccinv(a: float, b: float, q: float) -> Any:
    """Return x with ``1 - I_x(a, b) = q``; nan outside [0, 1]."""
    q = q * 1.0
    odds, _ = beta_quantile_odds(a * 1.0, b * 1.0, log1p(-q), log(q))
    return (odds / (1.0 + odds) if not odds == np.inf else 1.0) if (q >= 0.0 and q <= 1.0) else np.nan
