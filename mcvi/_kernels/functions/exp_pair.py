"""The exponential and the logistic function with twice the digits of a double, for constants that are computed once."""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import bits_of_float, float_of_bits
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.elementary import _power_of_two, exp
from mcvi._kernels.functions.stirling import product

_LOG2_E = 1.4426950408889634
# log(2) in three parts, of which the first two have 32 bits: their products with an exponent are exact.
_LN2_HIGH = 0.6931471803691238
_LN2_MIDDLE = 1.9082149288430703e-10
_LN2_LOW = 4.275175589747649e-20
_TOP_26_BITS = np.int64(-0x8000000)


@scalar
def _top(x: float) -> Any:
    """Return the leading half of the bits, so that a product of two such halves is exact."""
    return float_of_bits(bits_of_float(x * 1.0) & _TOP_26_BITS)


@scalar
def exp_pair(y: float) -> Any:
    """Return ``exp(y)`` and its low-order part, together about 30 digits.

    Near the ends of the range the part is 0. Taylor's series about the nearest multiple of log(2), by Horner's rule in
    pairs of numbers. Each product is exact or of the low order, so it does not matter which of them the compiler fuses.
    """
    plain = exp(y)
    inside = (y > -665.0) & (y < 690.0)
    y = y if inside else 0.0 * y
    k = np.floor(y * _LOG2_E + 0.5)
    high = y - k * _LN2_HIGH
    step = k * _LN2_MIDDLE
    r = high - step
    rest = (high - r) - step
    r_low = rest - k * _LN2_LOW
    p, p_low = 1.0, 0.0
    for n in range(24, 0, -1):
        # (r + r_low) (p + p_low)
        s, s_low = product(r, p)
        s_low = s_low + (r * p_low + r_low * p)
        # divided by n, and 1 added
        q = s / n
        q1 = _top(q)
        q_low = (((s - q1 * n) - (q - q1) * n) + s_low) / n
        p = 1.0 + q
        p_low = (q - (p - 1.0)) + q_low
    power = _power_of_two(np.int64(k))
    return (p * power if inside else plain), (p_low * power if inside else 0.0)


@scalar
def sigmoid_pair(y: float) -> Any:
    """Return ``sigmoid(y)`` for y <= 0, and its low-order part."""
    small, small_low = exp_pair(y)
    whole = 1.0 + small
    whole_low = (small - (whole - 1.0)) + small_low
    s = small / whole
    part, part_low = product(s, whole)
    return s, ((small - part) - part_low + (small_low - s * whole_low)) / whole
