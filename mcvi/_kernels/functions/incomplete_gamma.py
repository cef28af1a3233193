r"""The regularised incomplete gamma functions, their logarithms and their inverses.

.. math:: P(a, x) = \frac1{\Gamma(a)} \int_0^x t^{a - 1} e^{-t} dt, \qquad Q(a, x) = 1 - P(a, x)

One tail is computed, as a power of e times a factor, so that its logarithm does not underflow; the other is its
complement. For shapes of at least 1 it is the tail that begins on the far side of the mean: its density at x in
saddle-point form (Loader 2000) times a tail integral. For smaller shapes and x below 1 it is the smaller tail, from the
power series (DLMF 8.7.1), of which the leading term is taken from 1 without cancellation (Gil, Segura, Temme 2012).
"""

import math
from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.elementary import exp, expm1, log, log1p
from mcvi._kernels.functions.lgamma import lgamma, lgamma1p
from mcvi._kernels.functions.ndtr import ndtri_exp
from mcvi._kernels.functions.stirling import bd0, stirling_error
from mcvi._kernels.functions.tail_integral import gamma_tail_integral

__all__ = [
    "both_tails",
    "density_over_tail",
    "gamma_density_over_lower",
    "gamma_density_over_upper",
    "gamma_quantile",
    "gamma_tails",
    "gammainc",
    "gammaincc",
    "gammainccinv",
    "gammaincinv",
    "log_gamma_density",
    "log_gammainc",
    "log_gammaincc",
    "log_of_tail",
    "logs_of_both_tails",
    "tail",
]

_SQRT_2PI = 2.5066282746310002
_LOG_SMALLEST = -745.2
_CLOSE = 1e-9
_EPS = 2.220446049250313e-16


@scalar
def tail(tails: Any, lower: bool) -> Any:
    """Return the lower or the upper tail from what `gamma_tails` returned."""
    log_scale, factor, _, is_lower = tails
    direct = exp(log_scale) * factor
    return direct if lower == is_lower else 1.0 - direct


@scalar
def log_of_tail(tails: Any, lower: bool) -> Any:
    """Return the logarithm of the lower or the upper tail from what `gamma_tails` returned."""
    log_scale, factor, _, is_lower = tails
    return log_scale + log(factor) if lower == is_lower else log1p(-exp(log_scale) * factor)


@scalar
def both_tails(tails: Any) -> Any:
    """Return the lower and the upper tail from what `gamma_tails` returned."""
    return tail(tails, True), tail(tails, False)


@scalar
def logs_of_both_tails(tails: Any) -> Any:
    """Return the logarithms of the lower and the upper tail from what `gamma_tails` returned."""
    return log_of_tail(tails, True), log_of_tail(tails, False)


@scalar
def density_over_tail(tails: Any, lower: bool) -> Any:
    """Return the density over the lower or the upper tail from what `gamma_tails` returned; 0 where both are."""
    log_scale, factor, density, is_lower = tails
    if log_scale == -np.inf:
        return 0.0
    if lower == is_lower:
        return density / factor
    scale = exp(log_scale)
    return scale * density / (1.0 - scale * factor)


@scalar(inline=False)
def _log_density(a: float, x: float, log_x: float) -> Any:
    """Return ``log(x**a exp(-x) / Gamma(a))`` as a power of e and a factor: the density of the logarithm of x."""
    if a < 1.0:
        return a * log_x - x, a * exp(-lgamma1p(a))
    deviance = bd0(a, x) if x > 1e-300 else a * (log(a) - 1.0 - log_x) + x
    return -deviance, np.sqrt(a) / _SQRT_2PI * exp(-stirling_error(a))


@scalar(inline=False)
def gamma_tails(a: float, x: float, log_x: float) -> Any:
    """Return ``(log_scale, factor, density, is_lower)``; x may underflow, log_x may not.

    One tail is ``exp(log_scale) factor``, and the density of the logarithm of x ``exp(log_scale) density``.
    """
    if not (a >= 0.0 and x >= 0.0):
        return np.nan, np.nan, np.nan, True
    if a == 0.0 or x == np.inf:
        return -np.inf, (1.0 if a < np.inf else np.nan), 0.0, False
    if a == np.inf or log_x == -np.inf:
        return -np.inf, 1.0, 0.0, True
    if x < 1e-10 and x > 1e-305 and a <= 20.0:
        # Two terms of the power series, the first as a power of x: its logarithm would cost digits.
        leading = x**a / math.gamma(a + 1.0)
        if leading > 1e-306 and leading <= 0.5:
            return 0.0, leading * (1.0 - a / (a + 1.0) * x), a * leading * (1.0 - x), True
    if a >= 1.0 or x >= 1.0:
        log_scale, density = _log_density(a, x, log_x)
        return log_scale, density * gamma_tail_integral(a, x, a > x), density, a > x
    series, term = 0.0, 1.0
    for k in range(1, 25):
        term *= -x / k
        series += term / (a + k)
        if abs(term) < 1e-18:
            break
    series *= a
    exponent = a * log_x - lgamma1p(a)
    leading = exp(exponent)
    if leading * (1.0 + series) <= 0.5:
        return exponent, 1.0 + series, a * exp(-x), True
    return 0.0, -expm1(exponent) - leading * series, leading * a * exp(-x), False


@scalar(inline=False)
def log_gamma_density(a: float, x: float) -> Any:
    """Return the derivative of `gammainc` in x, as a logarithm; -inf outside, and at 0 where it would be inf."""
    if not (x > 0.0 and x < np.inf):
        return (0.0 if (a == 1.0 and x == 0.0) else -np.inf) if x == x else np.nan
    log_x = log(x)
    log_scale, factor = _log_density(a * 1.0, x * 1.0, log_x)
    return log_scale + (log(factor) - log_x)


@scalar
def gamma_density_over_lower(a: float, x: float) -> Any:
    """Return the derivative of `log_gammainc` in x."""
    return density_over_tail(gamma_tails(a * 1.0, x * 1.0, log(x)), True) / (x if x > 0.0 else 1.0)


@scalar
def gamma_density_over_upper(a: float, x: float) -> Any:
    """Return minus the derivative of `log_gammaincc` in x."""
    return density_over_tail(gamma_tails(a * 1.0, x * 1.0, log(x)), False) / (x if x > 0.0 else 1.0)


@scalar
def gammainc(a: float, x: float) -> Any:
    """Return the lower tail, P(a, x)."""
    return tail(gamma_tails(a * 1.0, x * 1.0, log(x)), True)


@scalar
def gammaincc(a: float, x: float) -> Any:
    """Return the upper tail, Q(a, x)."""
    return tail(gamma_tails(a * 1.0, x * 1.0, log(x)), False)


@scalar
def log_gammainc(a: float, x: float) -> Any:
    """Return ``log P(a, x)``."""
    return log_of_tail(gamma_tails(a * 1.0, x * 1.0, log(x)), True)


@scalar
def log_gammaincc(a: float, x: float) -> Any:
    """Return ``log Q(a, x)``."""
    return log_of_tail(gamma_tails(a * 1.0, x * 1.0, log(x)), False)


@scalar(inline=False)
def _start(a: float, log_tail: float, lower: bool) -> Any:
    """Return a first guess of the logarithm of a quantile: Wilson and Hilferty's, or the end of the asymptote."""
    asymptote = (log_tail + (lgamma1p(a) if a < 1.0 else lgamma(a + 1.0))) / a
    if a < 1.0:
        return asymptote if lower else log(-log_tail)
    t = ndtri_exp(log_tail)
    root = 1.0 - 1.0 / (9.0 * a) + (t if lower else -t) / (3.0 * np.sqrt(a))
    normal = log(a) + 3.0 * log(root if root > 0.05 else 0.05)
    return asymptote if (lower and asymptote > normal) else normal


@scalar(inline=False)
def gamma_quantile(a: float, log_lower: float, log_upper: float) -> Any:
    """Return x with the given logarithms of its tails, from the smaller one.

    Newton's method for the logarithm of the tail as a function of ``log(x)``: that is concave, so that it converges
    from everywhere.
    """
    lower = log_lower <= log_upper
    target = log_lower if lower else log_upper
    if not (a > 0.0 and a < np.inf and log_lower <= 0.0 and log_upper <= 0.0):
        return np.nan
    if target == -np.inf:
        return 0.0 if lower else np.inf
    log_x = _start(a, target, lower)
    x = exp(log_x)
    last = np.inf
    for _ in range(80):
        tails = gamma_tails(a, x, log_x)
        slope = density_over_tail(tails, lower)
        short = target - log_of_tail(tails, lower)
        step = short / (slope if lower else -slope)
        step = 40.0 if step > 40.0 else step
        if not abs(step) < np.inf or (abs(step) >= last and last < 1e-10):
            break
        last = abs(step)
        if x > 1e-290:
            x *= exp(step) if abs(step) > 1e-3 else 1.0 + step * (1.0 + 0.5 * step)
            log_x = log(x)
        else:
            log_x += step
            x = exp(log_x)
        # The error left is of the order of the square of this one.
        if abs(short) < _CLOSE or last <= _EPS or log_x < 4.0 * _LOG_SMALLEST:
            break
    return x


@scalar
def gammaincinv(a: float, p: float) -> Any:
    """Return x with ``P(a, x) = p``; nan outside [0, 1]."""
    p = p * 1.0
    return gamma_quantile(a * 1.0, log(p), log1p(-p)) if (p >= 0.0 and p <= 1.0) else np.nan


@scalar
def gammainccinv(a: float, q: float) -> Any:
    """Return x with ``Q(a, x) = q``; nan outside [0, 1]."""
    q = q * 1.0
    return gamma_quantile(a * 1.0, log1p(-q), log(q)) if (q >= 0.0 and q <= 1.0) else np.nan
