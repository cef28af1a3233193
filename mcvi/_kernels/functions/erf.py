"""The error function, its complements and its inverses, without branches, so that loops vectorise.

They are the normal distribution function in other units: ``erfc(x) = 2 Phi(-sqrt(2) x)``.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import bits_of_float, float_of_bits
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.elementary import exp, log
from mcvi._kernels.functions.ndtr import central_quantile, scaled_tail, tail_quantile

__all__ = ["erf", "erfc", "erfcinv", "erfcx", "erfinv"]

_HIGH_BITS = np.int64(-0x8000000)  # leaves 26 bits of a mantissa, whose square is exact
_SQRT_2 = 1.4142135623730951
_SQRT_HALF = 0.7071067811865476
_LOG_2 = 0.6931471805599453


@scalar
def _exp_minus_square(t: float) -> Any:
    """Return ``exp(-t^2)`` for t >= 0 with the rounding error of the square put back."""
    t = 28.0 if t > 28.0 else t
    high = float_of_bits(bits_of_float(t) & _HIGH_BITS)
    low = (t - high) * (t + high)  # below 4e-5: three terms of exp(-low)
    return exp(-high * high) * (1.0 - low * (1.0 - low * (0.5 - low * 0.16666666666666666)))


@scalar
def _exp_square(t: float) -> Any:
    """Return ``exp(t^2)`` for t >= 0 with the rounding error of the square put back."""
    t = 27.0 if t > 27.0 else t
    high = float_of_bits(bits_of_float(t) & _HIGH_BITS)
    low = (t - high) * (t + high)
    return exp(high * high) * (1.0 + low * (1.0 + low * (0.5 + low * 0.16666666666666666)))


@scalar
def erfcx(x: float) -> Any:
    """Return ``exp(x^2) erfc(x)``: about 1 / (sqrt(pi) x) for large x, inf below -26.6."""
    x = x * 1.0
    t = abs(x)
    tail = 2.0 * scaled_tail(_SQRT_2 * t)
    return 2.0 * _exp_square(t) - tail if x < 0.0 else tail


@scalar
def erfc(x: float) -> Any:
    """Return ``1 - erf(x)``, relatively accurate for positive x."""
    x = x * 1.0
    t = abs(x)
    tail = 2.0 * scaled_tail(_SQRT_2 * t) * _exp_minus_square(t)
    return 2.0 - tail if x < 0.0 else tail


@scalar
def erf(x: float) -> Any:
    """Return ``2 / sqrt(pi)`` times the integral of ``exp(-t^2)`` from 0 to x, relatively accurate."""
    x = x * 1.0
    t = abs(x)
    z = x * x
    p = -9.502840894774706e-10
    p = p * z + 1.4413879289095029e-08
    p = p * z + -1.63332293434337e-07
    p = p * z + 1.646038320985815e-06
    p = p * z + -1.4925589383821143e-05
    p = p * z + 0.00012055331545294116
    p = p * z + -0.0008548327001135946
    p = p * z + 0.005223977625222192
    p = p * z + -0.026866170645118446
    p = p * z + 0.11283791670955087
    p = p * z + -0.37612638903183754
    p = p * z + 1.1283791670955126
    outer = 1.0 - 2.0 * scaled_tail(_SQRT_2 * t) * _exp_minus_square(t)
    outer = -outer if x < 0.0 else outer
    return x * p if t < 0.75 else outer


@scalar
def _outer_quantile(log_half_tail: float) -> Any:
    t = np.sqrt(-2.0 * log_half_tail)
    return _SQRT_HALF * tail_quantile(t) if t < np.inf else t


@scalar
def erfinv(y: float) -> Any:
    """Return x with ``erf(x) = y``: infinite at -1 and 1, nan outside."""
    y = y * 1.0
    size = abs(y)
    outer = _outer_quantile(log(1.0 - size) - _LOG_2)
    outer = -outer if y < 0.0 else outer
    return _SQRT_HALF * central_quantile(0.5 * y) if size <= 0.6 else outer


@scalar
def erfcinv(y: float) -> Any:
    """Return x with ``erfc(x) = y``: infinite at 0 and 2, nan outside; relatively accurate for small y."""
    y = y * 1.0
    outer = _outer_quantile(log(2.0 - y if y > 1.0 else y) - _LOG_2)
    outer = -outer if y > 1.0 else outer
    return _SQRT_HALF * central_quantile(0.5 * (1.0 - y)) if abs(1.0 - y) <= 0.6 else outer
