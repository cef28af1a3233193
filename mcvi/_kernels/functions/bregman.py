"""Differences of convex functions from their tangents, without the cancellation that hides them.

A Kullback-Leibler divergence within an exponential family is ``F(c) - F(a) - (c - a) F'(a)``: zero, and flat, at
``c = a``. Evaluated as written it keeps no digit near there, and goes negative. Here every term is a sum of parts that
vanish with ``(c - a)**2``.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.elementary import exp, expm1, log, log1p
from mcvi._kernels.functions.stirling import relative_deviance

# From here on Stirling's series below has converged to 1e-17.
_LARGE = 10.0


@scalar
def less_log1p(u: float) -> Any:
    """Return ``u - log(1 + u)`` for u > -1, to a few ulp: u**2 / 2 near 0."""
    return relative_deviance(u, log1p(u))


@scalar
def excess(a: float, b: float) -> Any:
    """Return ``a / b - 1 - log(a / b)`` for positive a and b."""
    ratio = a / b
    # Of a ratio that overflows or loses bits near 0, the logarithm is that of its parts.
    log_ratio = log(ratio) if 1e-300 < ratio < 1e300 else log(a) - log(b)
    return relative_deviance((a - b) / b, log_ratio)


@scalar
def relative_entropy(log_p: float, log_q: float) -> Any:
    """Return ``p log(p / q) - p + q`` from the logarithms; ``0 log 0 = 0``, and inf where q alone is 0."""
    if log_p == -np.inf:
        return exp(log_q)
    if log_q == -np.inf:
        return np.inf
    ratio = log_p - log_q
    if abs(ratio) < 1.0:
        # exp(-ratio) - 1 + ratio is that of 1 + u = exp(-ratio), so small differences keep their digits
        return exp(log_p) * less_log1p(expm1(-ratio))
    return exp(log_p) * (ratio - 1.0) + exp(log_q)


@scalar
def stirling_excess(c: float, a: float) -> Any:
    r"""Return ``H(c) - H(a) - (c - a) H'(a)`` for ``H(x) = lgamma(x) - x log x + x``, c and a positive.

    ``H(x) = log(2 pi) / 2 - log(x) / 2 + 1 / (12 x) - ...``; small arguments are raised by
    ``H(x) = H(x + 1) + (x + 1) log(1 + 1 / x) - 1``.
    """
    total = 0.0
    difference = c - a  # before rounding blurs it: the sums below raise c and a, not what is between them
    while not (c >= _LARGE and a >= _LARGE):
        if not (c > 0.0 and a > 0.0):
            return np.nan
        u = -difference / ((a + 1.0) * c)
        if abs(u) < 0.4:
            total += difference / a * (difference / c) / (a + 1.0) - (c + 1.0) * less_log1p(u)
        else:
            total += (c + 1.0) * log1p(u) + difference / a
        c, a = c + 1.0, a + 1.0
    slope = difference / a
    total += 0.5 * relative_deviance(slope, log(c / a))
    # Of 1/x**k the difference is (c - a)**2 / a**2 times sum_m (k - m + 1) c**-m a**(m - k).
    x, y, power = 1.0 / c, 1.0 / a, 1.0
    plain = weighted = series = 0.0
    for k in range(1, 14):
        power *= x
        plain = y * plain + power
        weighted = y * weighted + plain
        if k == 1:
            series += weighted / 12.0
        elif k == 3:
            series -= weighted / 360.0
        elif k == 5:
            series += weighted / 1260.0
        elif k == 7:
            series -= weighted / 1680.0
        elif k == 9:
            series += weighted / 1188.0
        elif k == 11:
            series -= weighted * (691.0 / 360360.0)
        elif k == 13:
            series += weighted / 156.0
    return total + slope * slope * series


@scalar
def digamma_less_log(x: float) -> Any:
    """Return ``digamma(x) - log(x)`` for positive x, with all its digits where both are large."""
    total = 0.0
    while x < _LARGE:
        if not x > 0.0:
            return np.nan
        total -= less_log1p(1.0 / x)
        x += 1.0
    y = 1.0 / x
    z = y * y
    p = -1.0 / 12.0
    p = p * z + 691.0 / 32760.0
    p = p * z - 1.0 / 132.0
    p = p * z + 1.0 / 240.0
    p = p * z - 1.0 / 252.0
    p = p * z + 1.0 / 120.0
    p = p * z - 1.0 / 12.0
    return total + (p * z - 0.5 * y)


@scalar
def trigamma_less_reciprocal(x: float) -> Any:
    """Return ``trigamma(x) - 1 / x`` for positive x, with all its digits where both are close."""
    total = 0.0
    while x < _LARGE:
        if not x > 0.0:
            return np.nan
        total += 1.0 / x / x / (x + 1.0)
        x += 1.0
    y = 1.0 / x
    z = y * y
    p = 43867.0 / 798.0
    p = p * z - 3617.0 / 510.0
    p = p * z + 7.0 / 6.0
    p = p * z - 691.0 / 2730.0
    p = p * z + 5.0 / 66.0
    p = p * z - 1.0 / 30.0
    p = p * z + 1.0 / 42.0
    p = p * z - 1.0 / 30.0
    p = p * z + 1.0 / 6.0
    return total + z * (0.5 + p * y)


@scalar
def trigamma_difference(a: float, b: float) -> Any:
    """Return ``trigamma(a) - trigamma(a + b)`` for a > 0 and b >= 0, with all its digits where b is small."""
    total, c = 0.0, a + b
    while a < _LARGE:
        if not (a > 0.0 and b >= 0.0):
            return np.nan
        total += b / a / c * (1.0 / a + 1.0 / c)
        a, c = a + 1.0, c + 1.0
    # The series of trigamma, in which 1/a**k - 1/c**k is b / (a c) times sum_j a**(j + 1 - k) c**-j.
    x, y, power = 1.0 / a, 1.0 / c, 1.0
    plain = series = 0.0
    for k in range(1, 20):
        plain = x * plain + power
        power *= y
        if k == 1:
            series += plain
        elif k == 2:
            series += 0.5 * plain
        elif k == 3:
            series += plain / 6.0
        elif k == 5:
            series -= plain / 30.0
        elif k == 7:
            series += plain / 42.0
        elif k == 9:
            series -= plain / 30.0
        elif k == 11:
            series += plain * (5.0 / 66.0)
        elif k == 13:
            series -= plain * (691.0 / 2730.0)
        elif k == 15:
            series += plain * (7.0 / 6.0)
        elif k == 17:
            series -= plain * (3617.0 / 510.0)
        elif k == 19:
            series += plain * (43867.0 / 798.0)
    return total + b / a / c * series


# From here on the series of the differences over a half have converged to 1e-16.
_LARGE_FOR_HALVES = 16.0


@scalar
def digamma_half_excess(x: float) -> Any:
    """Return ``digamma(x + 1/2) - digamma(x) - 1 / (2 x)`` for positive x: about ``1 / (8 x**2)`` for large x."""
    total = 0.0
    while x < _LARGE_FOR_HALVES:
        if not x > 0.0:
            return np.nan
        total += 0.25 / x / ((x + 0.5) * (x + 1.0))
        x += 1.0
    y = 1.0 / x
    z = y * y
    p = 5461.0 / 32768.0
    p = p * z - 691.0 / 16384.0
    p = p * z + 31.0 / 2048.0
    p = p * z - 17.0 / 2048.0
    p = p * z + 1.0 / 128.0
    p = p * z - 1.0 / 64.0
    p = p * z + 1.0 / 8.0
    return total + z * p


@scalar
def trigamma_half_excess(x: float) -> Any:
    """Return ``trigamma(x) - trigamma(x + 1/2) - 1 / (2 x**2)`` for positive x: about ``1 / (4 x**3)``."""
    total = 0.0
    while x < _LARGE_FOR_HALVES:
        if not x > 0.0:
            return np.nan
        a, b, c = 1.0 / x, 1.0 / (x + 0.5), 1.0 / (x + 1.0)
        total += 0.25 * a * (b * c) * (a + b + c)
        x += 1.0
    return total + (0.25 / x / x / x - trigamma_half_remainder(x))


@scalar
def trigamma_half_remainder(x: float) -> Any:
    """Return ``1 / (4 x**3)`` less `trigamma_half_excess` for x from 16 on: about ``1 / (16 x**5)``."""
    y = 1.0 / x
    z = y * y
    p = -3202291.0 / 524288.0 * 18.0
    p = p * z + 929569.0 / 1048576.0 * 16.0
    p = p * z - 5461.0 / 32768.0 * 14.0
    p = p * z + 691.0 / 16384.0 * 12.0
    p = p * z - 31.0 / 2048.0 * 10.0
    p = p * z + 17.0 / 2048.0 * 8.0
    p = p * z - 1.0 / 128.0 * 6.0
    p = p * z + 1.0 / 64.0 * 4.0
    return z * z * y * p
