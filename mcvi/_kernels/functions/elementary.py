"""exp, log and their relatives in plain arithmetic, so that the loops they stand in vectorise.

Numba has no vector math library; a call of libm keeps a loop scalar, at 3 to 10 ns an element. These have no branch, no
call and no integer/float conversion: special values are selects, exponents are bit casts, rounding is the addition of
1.5 * 2**52. Errors stay below 1 ulp for `exp` and `log`, 1.5 ulp for `log1p` and `expm1`, over the whole range,
subnormal numbers included. Polynomials are interpolants at Chebyshev nodes of the reduced interval, so nearly minimax.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import bits_of_float, float_of_bits
from mcvi._kernels.compiler.jit import scalar

_LOG2_E = 1.4426950408889634
_LN2_HI = 0.6931471803691238  # 32 bits: its product with an exponent is exact
_LN2_LO = 1.9082149292705877e-10
_ROUND = 6755399441055744.0  # 1.5 * 2**52: adding it leaves the nearest integer in the low bits

_SIGN_BIT = np.int64(-0x8000000000000000)
_MANTISSA = np.int64(0x000FFFFFFFFFFFFF)
_ONE = np.int64(0x3FF0000000000000)
_SQRT_HALF = np.int64(0x3FE6A09E00000000)  # just below sqrt(1/2): the reduced argument lies in [sqrt(1/2), sqrt(2))
_TWO_52 = np.int64(0x4330000000000000)
_BIASED = 4503599627370496.0 + 1023.0
_52 = np.int64(52)

_SMALLEST_NORMAL = 2.2250738585072014e-308
_TINY = 5.0e-17  # below half an ulp of 1: expm1(x) and log1p(x) are x, signed zeros and subnormals included


@scalar
def _power_of_two(k: Any) -> Any:
    """Return ``2.0**k`` for an integer -1023 < k < 1024."""
    return float_of_bits((k + np.int64(1023)) << _52)


@scalar
def reduced_exp_tail(r: float) -> Any:
    """Return ``exp(r) - 1 - r`` for abs(r) <= log(2)/2."""
    p = 2.0911236630261545e-09
    p = p * r + 2.510038549551032e-08
    p = p * r + 2.755728296954995e-07
    p = p * r + 2.7557268459997064e-06
    p = p * r + 2.4801587317144498e-05
    p = p * r + 0.00019841269863053618
    p = p * r + 0.0013888888888886552
    p = p * r + 0.008333333333330062
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666669
    p = p * r + 0.5
    return r * r * p


@scalar
def exp(x: float) -> Any:
    """Return ``e**x``; subnormal results are rounded once, not flushed."""
    y = x * 1.0
    # Written so that nan passes through; at the clamps the result is already 0 or inf.
    y = 710.0 if y > 710.0 else y
    y = -746.0 if y < -746.0 else y
    shifted = y * _LOG2_E + _ROUND
    k = bits_of_float(shifted) - bits_of_float(_ROUND)
    kf = shifted - _ROUND
    r = (y - kf * _LN2_HI) - kf * _LN2_LO
    p = 1.0 + (r + reduced_exp_tail(r))
    # Two factors: 2**k itself is not a normal number at both ends of the range.
    half = k >> np.int64(1)
    return (p * _power_of_two(half)) * _power_of_two(k - half)


@scalar
def exp2_nonpositive(y: float) -> Any:
    """Return ``2**y`` for y <= 0 within 1 ulp, and at most 1e-307 where that is smaller: half the work of `exp`."""
    y = -1021.0 if y < -1021.0 else y
    shifted = y + _ROUND
    r = y - (shifted - _ROUND)
    p = 4.4558179083360645e-10
    p = p * r + 7.074194297288521e-09
    p = p * r + 1.0178057087733941e-07
    p = p * r + 1.3215432535912375e-06
    p = p * r + 1.5252733841556773e-05
    p = p * r + 0.00015403530463724353
    p = p * r + 0.001333355814640647
    p = p * r + 0.009618129107587256
    p = p * r + 0.055504108664821625
    p = p * r + 0.24022650695910158
    p = p * r + 0.6931471805599453
    p = p * r + 1.0
    # The integer stands in the low bits of `shifted`, and is added to the exponent of `p`.
    return float_of_bits(bits_of_float(p) + (bits_of_float(shifted) << np.int64(52)))


@scalar
def expm1(x: float) -> Any:
    """Return ``e**x - 1`` without cancellation near 0."""
    x = x * 1.0
    y = 710.0 if x > 710.0 else x
    y = -50.0 if y < -50.0 else y
    shifted = y * _LOG2_E + _ROUND
    k = bits_of_float(shifted) - bits_of_float(_ROUND)
    kf = shifted - _ROUND
    reduced = y - kf * _LN2_HI
    r = reduced - kf * _LN2_LO
    lost = (reduced - r) - kf * _LN2_LO
    # 2**k (1 + r + tail) - 1, at half scale because 2**1024 is too large. Where r cancels against
    # 2**k - 1 the first sum is exact, so only the small tail brings rounding errors.
    scale = _power_of_two(k - np.int64(1))
    leading = scale * r + (scale - 0.5)
    result = 2.0 * (scale * (reduced_exp_tail(r) + lost) + leading)
    return x if abs(x) < _TINY else result


@scalar
def _log_reduced(f: float, e: float) -> Any:
    """Return ``e * log(2) + log(1 + f)`` for sqrt(1/2) <= 1 + f < sqrt(2): the odd series in f / (2 + f)."""
    s = f / (2.0 + f)
    z = s * s
    p = 0.14617807153417325
    p = p * z + 0.15331611722055008
    p = p * z + 0.1818289243253687
    p = p * z + 0.22222211089379496
    p = p * z + 0.28571428626253836
    p = p * z + 0.3999999999989889
    p = p * z + 0.666666666666667
    # log(1 + f) = f - s (f - z p), with f - s f = f - f^2/2 + s f^2/2 arranged so that f alone is rounded last.
    h = 0.5 * f * f
    return e * _LN2_HI - ((h - (s * (h + z * p) + e * _LN2_LO)) - f)


@scalar
def log_positive(x: float) -> Any:
    """Return ``log(x)`` for positive, normal, finite numbers only."""
    bits = bits_of_float(x * 1.0) + (_ONE - _SQRT_HALF)
    e = float_of_bits((bits >> _52) | _TWO_52) - _BIASED
    return _log_reduced(float_of_bits((bits & _MANTISSA) + _SQRT_HALF) - 1.0, e)


@scalar
def log(x: float) -> Any:
    """Return the natural logarithm; ``log(0) = -inf``, nan below."""
    x = x * 1.0
    subnormal = x < _SMALLEST_NORMAL
    bits = bits_of_float(x * 18014398509481984.0 if subnormal else x) + (_ONE - _SQRT_HALF)
    e = float_of_bits(((bits >> _52) & np.int64(0xFFF)) | _TWO_52) - (_BIASED + 54.0 if subnormal else _BIASED)
    result = _log_reduced(float_of_bits((bits & _MANTISSA) + _SQRT_HALF) - 1.0, e)
    result = result if x < np.inf else x  # inf, nan
    result = np.nan if x < 0.0 else result
    return -np.inf if x == 0.0 else result


@scalar
def log_of_sum(c: float, x: float) -> Any:
    """Return ``log(c + x)`` for c = 1, or c = 0 and x normal, where the sum is positive and finite.

    The rounding of the sum is never seen: it only chooses the exponent.
    """
    bits = bits_of_float(c + x) + (_ONE - _SQRT_HALF)
    exponent = (bits >> _52) & np.int64(0xFFF)
    e = float_of_bits(exponent | _TWO_52) - _BIASED
    # A quarter of 2**(2 - e), because 2**-1024 has no bit pattern of a normal number.
    scale = 0.25 * float_of_bits((np.int64(2048) - exponent) << _52)
    return _log_reduced(scale * x + (scale * c - 1.0), e)


@scalar
def log1p(x: float) -> Any:
    """Return ``log(1 + x)`` without cancellation near 0; ``log1p(-1) = -inf``, nan below."""
    x = x * 1.0
    result = log_of_sum(1.0, x)
    result = result if x < np.inf else x
    result = x if abs(x) < _TINY else result
    result = np.nan if x < -1.0 else result
    return -np.inf if x == -1.0 else result


@scalar
def sincos2pi(u: float) -> Any:
    """Return ``(sin(2 pi u), cos(2 pi u))`` for u in [0, 1)."""
    t = u * 4.0
    shifted = t + _ROUND
    quadrant = bits_of_float(shifted)
    w = t - (shifted - _ROUND)  # exact, in [-1/2, 1/2]: quarter turns beyond the nearest
    z = w * w
    s = 5.642225349269358e-08
    s = s * z + -3.598702950861599e-06
    s = s * z + 0.00016044116661407246
    s = s * z + -0.004681754134254206
    s = s * z + 0.07969262624614423
    s = s * z + -0.6459640975062462
    s = w * 1.5707963267948966 + w * z * s
    c = -6.3293963221826346e-09
    c = c * z + 4.7106784053485747e-07
    c = c * z + -2.520203902802517e-05
    c = c * z + 0.0009192602745468441
    c = c * z + -0.020863480763340773
    c = c * z + 0.2536695079010478
    c = c * z + -1.2337005501361697
    c = c * z + 1.0
    odd = (quadrant & np.int64(1)) == np.int64(1)
    sine = c if odd else s
    cosine = s if odd else c
    # The second bit of the quadrant (of the next quadrant, for the cosine) is the sign.
    sine_sign = (quadrant << np.int64(62)) & _SIGN_BIT
    cosine_sign = ((quadrant + np.int64(1)) << np.int64(62)) & _SIGN_BIT
    return float_of_bits(bits_of_float(sine) ^ sine_sign), float_of_bits(bits_of_float(cosine) ^ cosine_sign)


@scalar
def sigmoid(x: float) -> Any:
    """Return ``1 / (1 + exp(-x))``, down to subnormal results."""
    x = x * 1.0
    e = exp(-abs(x))
    return (e if x < 0.0 else 1.0) / (1.0 + e)


@scalar
def log1p_unit(x: float) -> Any:
    """Return ``log(1 + x)`` for 0 <= x <= 1: `log1p` without what other arguments need."""
    low = x < 0.41421356237309503
    return _log_reduced(x if low else 0.5 * x - 0.5, 0.0 if low else 1.0)


@scalar
def softplus(x: float) -> Any:
    """Return ``log(1 + exp(x))``."""
    x = x * 1.0
    return (0.0 if x < 0.0 else x) + log1p_unit(exp(-abs(x)))


@scalar
def tanh(x: float) -> Any:
    """Return the hyperbolic tangent, from ``expm1`` so that small arguments keep their digits."""
    x = x * 1.0
    t = expm1(-2.0 * abs(x))
    result = t / (2.0 + t)
    return float_of_bits(bits_of_float(-result) | (bits_of_float(x) & _SIGN_BIT))


@scalar
def xlogy(x: float, y: float) -> Any:
    """Return ``x log(y)``, with ``0 log 0 = 0``; nan stays nan."""
    result = x * log(y)
    return 0.0 * x if (x == 0.0 and y >= 0.0) else result
