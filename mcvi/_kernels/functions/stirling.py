"""The two pieces of a log density in saddle-point form: Stirling's error and the deviance.

Loader, "Fast and accurate computation of binomial probabilities" (2000): where `lgamma` differences cancel to nothing,
these are small and relatively accurate. Branch-free, so that loops vectorise.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import bits_of_float, float_of_bits
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.elementary import log

_600_LOG_2 = 415.88830833596717
_TWO_POWER_600 = 4.149515568880993e180
_TOP_26_BITS = np.int64(-0x8000000)
_TWO_POWER_MINUS_400 = 3.8725919148493183e-121


@scalar
def stirling_error_large(x: float) -> Any:
    """Return `stirling_error` for x >= 3: the polynomial in 1/x^2 that Stirling's series becomes on this interval."""
    r = 1.0 / x
    z = r * r
    p = 6.653396422514748
    p = p * z + -5.724231505133728
    p = p * z + 2.348297111372058
    p = p * z + -0.6346190865706115
    p = p * z + 0.13605466944124706
    p = p * z + -0.027601910018978465
    p = p * z + 0.006346110578292672
    p = p * z + -0.0019160464198791072
    p = p * z + 0.0008417282394032359
    p = p * z + -0.0005952378854503139
    p = p * z + 0.000793650792622404
    p = p * z + -0.0027777777777757695
    p = p * z + 0.08333333333333333
    return p * r


@scalar
def stirling_error(x: float) -> Any:
    """Return ``lgamma(x) - ((x - 1/2) log(x) - x + log(2 pi)/2)`` for x > 0; 1/(12 x) for large x."""
    x = x * 1.0
    small = x < 0.5
    y = x + 1.0 if small else x
    # x times the error, on [1/2, 3], in a variable that takes the interval's geometric centre to 0.
    w = (y - 1.25) / (y + 1.25)
    p = -0.0017471513754482226
    p = p * w + 0.0015548484767278906
    p = p * w + 5.122811518532938e-05
    p = p * w + 0.00026996717463409313
    p = p * w + -0.001065904097684358
    p = p * w + 0.0010525840684375686
    p = p * w + -0.000983243367030071
    p = p * w + 0.0011346096961762347
    p = p * w + -0.0013142062798373192
    p = p * w + 0.0014945356304278345
    p = p * w + -0.0017162263462148465
    p = p * w + 0.0019944060284089855
    p = p * w + -0.0023434454131960416
    p = p * w + 0.0027882573964449807
    p = p * w + -0.003364918268206521
    p = p * w + 0.004122720451770615
    p = p * w + -0.005130159887817489
    p = p * w + 0.006460497939110301
    p = p * w + -0.00802562439820751
    p = p * w + 0.009198398934890216
    p = p * w + -0.008700741960161983
    p = p * w + 0.005464027561907104
    p = p * w + 0.08178995860982098
    result = stirling_error_large(y) if y > 3.0 else p / y
    # The recurrence below 1/2, where its two terms do not cancel.
    step = 1.0 + (x + 0.5) * log(x / (1.0 + x) if x >= 0.0 else x)
    return result - step if small else result


@scalar
def bd0(x: float, m: float) -> Any:
    """Return the deviance ``x log(x/m) + m - x`` for x, m >= 0, relatively accurate however near x is to m."""
    x = x * 1.0
    m = m * 1.0
    v = (x - m) / (x + m)
    z = v * v
    # log(x/m) = 2 atanh(v): the leading terms combine to (x - m) v, whose factors are exact differences.
    p = 0.21140655691787558
    p = p * z + -0.14516841511215334
    p = p * z + 0.13603575056307046
    p = p * z + 0.012109775368692814
    p = p * z + 0.05446617337542985
    p = p * z + 0.05159955041557708
    p = p * z + 0.05893196347886567
    p = p * z + 0.06665878530964367
    p = p * z + 0.07692346362901396
    p = p * z + 0.09090907866908439
    p = p * z + 0.11111111134237862
    p = p * z + 0.14285714285486942
    p = p * z + 0.20000000000000878
    p = p * z + 0.3333333333333333
    near = (x - m) * v + 2.0 * x * v * z * p
    small = m < _TWO_POWER_MINUS_400
    ratio = x / (m * _TWO_POWER_600 if small else m)
    ratio = ratio if ratio > 1e-300 else 1e-300  # also where x is 0, or x and m are
    far = x * (log(ratio) - 1.0 + (_600_LOG_2 if small else 0.0)) + m
    return near if abs(v) <= 0.5 else far


@scalar
def relative_deviance(d: float, log_ratio: float) -> Any:
    """Return ``r - 1 - log(r)`` from both ``d = r - 1`` and ``log(r)``, relatively accurate near r = 1 if `d` is.

    For densities that know ``r - 1`` better than as a difference of rounded numbers. Near 1 from `d` alone.
    """
    v = d / (2.0 + d)
    z = v * v
    # log(r) = 2 atanh(v) and d - 2 v = d v; the series is that of `log` on [sqrt(1/2), sqrt(2)).
    p = 0.14617807153417325
    p = p * z + 0.15331611722055008
    p = p * z + 0.1818289243253687
    p = p * z + 0.22222211089379496
    p = p * z + 0.28571428626253836
    p = p * z + 0.3999999999989889
    p = p * z + 0.666666666666667
    return v * (d - z * p) if abs(d) < 0.29 else d - log_ratio


@scalar
def quotient(a: float, b: float) -> Any:
    """Return ``a / b`` as a number and what it lacks, for positive normal numbers: together about 30 digits."""
    q = a / b
    q1 = float_of_bits(bits_of_float(q * 1.0) & _TOP_26_BITS)
    b1 = float_of_bits(bits_of_float(b * 1.0) & _TOP_26_BITS)
    q2, b2 = q - q1, b - b1
    # Each product is exact, so it does not matter which of them the compiler fuses.
    lacks = ((((a - q1 * b1) - q1 * b2) - q2 * b1) - q2 * b2) / b
    return q, lacks if abs(lacks) < np.inf else 0.0


@scalar
def product(a: float, b: float) -> Any:
    """Return ``a * b`` as a number and what it lacks, for normal numbers: together exact."""
    high = a * b
    a1 = float_of_bits(bits_of_float(a * 1.0) & _TOP_26_BITS)
    b1 = float_of_bits(bits_of_float(b * 1.0) & _TOP_26_BITS)
    a2, b2 = a - a1, b - b1
    # Each product is exact, so it does not matter which of them the compiler fuses.
    return high, ((a1 * b1 - high) + a1 * b2 + a2 * b1) + a2 * b2
