"""The logarithm of the gamma function, its derivatives and its differences, for positive arguments.

Below 3.5 the recurrence takes the argument to [1.5, 2.5], exactly: ``e`` is its distance from 2. Above, Stirling's
series, as the polynomial in 1/x^2 that it becomes on the interval. No branches, so that loops vectorise.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.elementary import log, log1p
from mcvi._kernels.functions.stirling import stirling_error, stirling_error_large

_HALF_LOG_2PI = 0.9189385332046728
_54_LOG_2 = 37.42994775023705


@scalar
def _distance_from_two(x: float) -> Any:
    """Return the distance from 2 after the shift of x into [1.5, 2.5]."""
    e = x - 3.0 if x >= 2.5 else x - 2.0
    e = x - 1.0 if x < 1.5 else e
    return x if x < 0.5 else e


@scalar
def _slope_from_two(e: float) -> Any:
    """Return ``lgamma(2 + e) / e`` for -1/2 <= e <= 1/2."""
    p = 2.7475390051909663e-07
    p = p * e + -5.811277768921246e-07
    p = p * e + 9.242852225162277e-07
    p = p * e + -1.9743106888421067e-06
    p = p * e + 4.3828545383846665e-06
    p = p * e + -9.45628851510172e-06
    p = p * e + 2.050601970174762e-05
    p = p * e + -4.4923727564247656e-05
    p = p * e + 9.945761692157133e-05
    p = p * e + -0.00022315497746292723
    p = p * e + 0.0005096695196526673
    p = p * e + -0.0011927539009983087
    p = p * e + 0.002890510330865901
    p = p * e + -0.007385551028935545
    p = p * e + 0.02058080842778338
    p = p * e + -0.06735230105319563
    p = p * e + 0.3224670334241132
    return p * e + 0.42278433509846713


@scalar
def lgamma1p(x: float) -> Any:
    """Return ``log Gamma(1 + x)`` for 0 <= x < 1, relatively accurate near 0."""
    return x * _slope_from_two(x) - log1p(x) if x < 0.5 else (x - 1.0) * _slope_from_two(x - 1.0)


@scalar
def lgamma(x: float) -> Any:
    """Return ``log Gamma(x)``, relatively accurate at its zeros 1 and 2; inf at 0, nan below."""
    x = x * 1.0
    e = _distance_from_two(x)
    p = _slope_from_two(e)
    shift = x - 1.0 if x >= 2.5 else 1.0
    shift = x if x < 1.5 else shift
    shift = x * (x + 1.0) if x < 0.5 else shift
    large = x >= 3.5
    logarithm = log(x if large else shift)
    near = e * p + (logarithm if x >= 2.5 else -logarithm)
    far = (x - 0.5) * (logarithm - 1.0) + ((_HALF_LOG_2PI - 0.5) + stirling_error_large(x))
    result = far if large else near
    return np.nan if x < 0.0 else result


@scalar
def _log_less_digamma_large(x: float) -> Any:
    """Return ``log(x) - digamma(x)`` for x >= 3.5."""
    r = 1.0 / x
    z = r * r
    p = -1.708597492481157
    p = p * z + 0.9968508145052959
    p = p * z + -0.30795822382743704
    p = p * z + 0.07697901665095574
    p = p * z + -0.02089187652287913
    p = p * z + 0.007571704572467314
    p = p * z + -0.0041666183331921704
    p = p * z + 0.00396825366971919
    p = p * z + -0.008333333332607166
    p = p * z + 0.08333333333333304
    return 0.5 * r + z * p


@scalar
def digamma(x: float) -> Any:
    """Return the derivative of `lgamma` for x >= 0; nan below."""
    x = x * 1.0
    e = _distance_from_two(x)
    p = -2.5861773625857027e-06
    p = p * e + 5.17334585434095e-06
    p = p * e + -7.278587670411483e-06
    p = p * e + 1.4564976260589657e-05
    p = p * e + -3.068902288655258e-05
    p = p * e + 6.144972571559871e-05
    p = p * e + -0.0001226967064798969
    p = p * e + 0.00024605326824719294
    p = p * e + -0.0004941902550788927
    p = p * e + 0.0009945784300194591
    p = p * e + -0.002008392730204003
    p = p * e + 0.00407735600617157
    p = p * e + -0.008349277384931816
    p = p * e + 0.017343061990467628
    p = p * e + -0.03692775514332708
    p = p * e + 0.08232323371105249
    p = p * e + -0.20205690315959446
    p = p * e + 0.6449340668482267
    p = p * e + 0.42278433509846713
    top = 1.0 if x < 1.5 else 0.0
    top = 2.0 * x + 1.0 if x < 0.5 else top
    top = -1.0 if x >= 2.5 else top
    bottom = x - 1.0 if x >= 2.5 else x
    bottom = x * (x + 1.0) if x < 0.5 else bottom
    near = p - top / bottom
    far = log(x) - _log_less_digamma_large(x)
    result = far if x >= 3.5 else near
    return np.nan if x < 0.0 else result


@scalar
def digamma_rise_less_log(x: float, k: float) -> Any:
    """Return ``digamma(x + k) - digamma(x) - log1p(k / x)`` for x >= 3.5 and k >= 0."""
    return _log_less_digamma_large(x) - _log_less_digamma_large(x + k)


@scalar
def digamma_rise(x: float, k: float) -> Any:
    """Return ``digamma(x + k) - digamma(x)`` for x > 0 and k >= 0: ``k / x`` for large x."""
    x, k = x * 1.0, k * 1.0
    far = log1p(k / x) + digamma_rise_less_log(x, k)
    near = digamma(x + k) - digamma(x)
    return far if x >= 3.5 else near


@scalar
def trigamma(x: float) -> Any:
    """Return the second derivative of `lgamma` for x >= 0; nan below."""
    x = x * 1.0
    e = _distance_from_two(x)
    p = 7.237436470093094e-06
    p = p * e + -1.380823148697592e-05
    p = p * e + 1.6784613908580967e-05
    p = p * e + -3.178036755186309e-05
    p = p * e + 6.533001208815559e-05
    p = p * e + -0.0001230302745042054
    p = p * e + 0.00022914811160903913
    p = p * e + -0.0004280710059701088
    p = p * e + 0.000796236338862252
    p = p * e + -0.0014725804426842942
    p = p * e + 0.0027069512712802027
    p = p * e + -0.004941884479824965
    p = p * e + 0.008951176188001264
    p = p * e + -0.016067142680757002
    p = p * e + 0.02854149338465684
    p = p * e + -0.05009566428971037
    p = p * e + 0.08671530992225676
    p = p * e + -0.14771102057350088
    p = p * e + 0.24696970113341454
    p = p * e + -0.4041138063191885
    p = p * e + 0.6449340668482264
    r = 1.0 / (x - 1.0 if (x >= 2.5 and x < 3.5) else x)
    z = r * r
    shifted = -z if x >= 2.5 else z
    shifted = 0.0 if (x >= 1.5 and x < 2.5) else shifted
    next_term = 1.0 / (x + 1.0)
    near = p + (shifted + (next_term * next_term if x < 0.5 else 0.0))
    p = -987.0451572799988
    p = p * z + 602.8072110137365
    p = p * z + -179.06451116761406
    p = p * z + 36.50695759715529
    p = p * z + -6.34204908443005
    p = p * z + 1.1445157616838402
    p = p * z + -0.2526604291348027
    p = p * z + 0.07575150552927487
    p = p * z + -0.03333328426961326
    p = p * z + 0.023809523601201046
    p = p * z + -0.03333333333298214
    p = p * z + 0.16666666666666657
    far = r + z * (0.5 + r * p)
    result = far if x >= 3.5 else near
    return np.nan if x < 0.0 else result


@scalar
def lgamma_half_difference(x: float) -> Any:
    """Return ``lgamma(x + 1/2) - lgamma(x)`` for x > 0, without their cancellation: log(x)/2 for large x."""
    x = x * 1.0
    small = x < 3.0
    u = (x + 3.0 if small else x) - 0.25  # about x - 1/4 the series has even powers only
    tiny = x < 1e-280  # scaled, so that a subnormal ratio does not lose its digits
    ratio = (x * 18014398509481984.0 if tiny else x) * (x + 1.0) * (x + 2.0) / ((x + 0.5) * (x + 1.5) * (x + 2.5))
    r = 1.0 / u
    z = r * r
    p = 0.809058790998332
    p = p * z + -0.7284026751993257
    p = p * z + 0.3158815344101062
    p = p * z + -0.09360288329360897
    p = p * z + 0.023910609011301088
    p = p * z + -0.006610945283657632
    p = p * z + 0.0024064344950192507
    p = p * z + -0.0013207988173552893
    p = p * z + 0.0012410478510067866
    p = p * z + -0.0024414062489456346
    p = p * z + 0.015624999999999426
    result = 0.5 * log(u) + z * p
    steps = log(ratio) - (_54_LOG_2 if tiny else 0.0)
    return result + steps if small else result


@scalar
def log_beta(a: float, b: float) -> Any:
    """Return ``lgamma(a) + lgamma(b) - lgamma(a + b)`` for a, b > 0 without their cancellation.

    With Stirling's form of all three what remains, for a <= b, is a sum of terms of the size of the answer (after
    Didonato and Morris, ACM TOMS 708, 1992).
    """
    a, b = (b * 1.0, a * 1.0) if a > b else (a * 1.0, b * 1.0)
    total = a + b
    errors = stirling_error(a) + (stirling_error(b) - stirling_error(total))
    return errors + (a * log(a / total) - (b - 0.5) * log1p(a / b)) + (_HALF_LOG_2PI - 0.5 * log(a))
