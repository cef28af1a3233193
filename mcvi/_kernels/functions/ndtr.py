"""The normal distribution function, its logarithm and its quantile, without branches, so that loops vectorise."""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import bits_of_float, float_of_bits
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.elementary import exp, expm1, log, log_of_sum

_HIGH_BITS = np.int64(-0x8000000)  # leaves 26 bits of a mantissa, whose square is exact
_INVERSE_SQRT_2PI = 0.3989422804014327
_HALF_LOG_2PI = 0.9189385332046728


@scalar
def scaled_tail(t: float) -> Any:
    """Return ``exp(t^2/2) Phi(-t)`` for t >= 0, relatively accurate: 1/2 at 0, falling like 1/t.

    ``(t + 5)`` times it is a polynomial in ``(t - 5)/(t + 5)``, on the whole half line (after Schonfelder, 1978).
    """
    r = 1.0 / (t + 5.0)
    # (t - 5)/(t + 5), through t/(t + 5), whose rounding error vanishes at 0, where the polynomial is steepest.
    v = t * r
    v = v if v <= 1.0 else 1.0  # inf * 0; nan comes back with r
    w = 2.0 * v - 1.0
    p = 1.293585043172264e-10
    p = p * w + -1.3257025388451077e-10
    p = p * w + -1.5616328191231981e-09
    p = p * w + 1.2682007125726964e-09
    p = p * w + 1.1312676436572751e-08
    p = p * w + -6.932887246302887e-09
    p = p * w + -7.048962494230879e-08
    p = p * w + 3.856007040219001e-08
    p = p * w + 4.364151268952791e-07
    p = p * w + -3.3353249867432987e-07
    p = p * w + -2.770734796050303e-06
    p = p * w + 3.979355531855443e-06
    p = p * w + 1.6681634711293694e-05
    p = p * w + -4.976232562740196e-05
    p = p * w + -5.937580520734689e-05
    p = p * w + 0.0005448989678067301
    p = p * w + -0.0007978693896214666
    p = p * w + -0.0029933767588929696
    p = p * w + 0.02079506679927978
    p = p * w + -0.0691186387070788
    p = p * w + 0.16502036617040705
    p = p * w + -0.3135331566712811
    p = p * w + 0.4953056159699761
    p = p * w + -0.665382502890057
    p = p * w + 0.769193049750063
    return p * r


@scalar
def exp_minus_half_square(t: float) -> Any:
    """Return ``exp(-t^2/2)`` with the rounding error of the square put back."""
    t = abs(t * 1.0)
    t = 40.0 if t > 40.0 else t
    high = float_of_bits(bits_of_float(t) & _HIGH_BITS)
    low = 0.5 * (t - high) * (t + high)  # below 4e-5: three terms of exp(-low)
    return exp(-0.5 * high * high) * (1.0 - low * (1.0 - low * (0.5 - low * 0.16666666666666666)))


@scalar
def ndtr(x: float) -> Any:
    """Return ``Phi(x)``, relatively accurate in the left tail."""
    t = abs(x * 1.0)
    tail = scaled_tail(t) * exp_minus_half_square(t)
    return 1.0 - tail if x > 0.0 else tail


@scalar
def log_ndtr(x: float) -> Any:
    """Return ``log Phi(x)``, relatively accurate on both sides: -x^2/2 far to the left, -Phi(-x) far to the right."""
    x = x * 1.0
    t = abs(x)
    tail = scaled_tail(t)
    # log(tail) or log(1 - tail * bell), by one logarithm
    right = x > 0.0
    logarithm = log_of_sum(1.0 if right else 0.0, -tail * exp_minus_half_square(t) if right else tail)
    return logarithm if right else logarithm - 0.5 * x * x


@scalar
def log_ndtr_derivative(x: float) -> Any:
    """Return ``phi(x) / Phi(x)``, the derivative of `log_ndtr`: -x far to the left."""
    x = x * 1.0
    t = abs(x)
    tail = scaled_tail(t)
    bell = exp_minus_half_square(t)
    return _INVERSE_SQRT_2PI * bell / (1.0 - tail * bell) if x > 0.0 else _INVERSE_SQRT_2PI / tail


@scalar
def log_ndtr_second_derivative(x: float) -> Any:
    """Return the second derivative of `log_ndtr`: with its first, d, ``-d (x + d)``, where x + d does not cancel.

    To the left d is nearly -x, so there it is a polynomial of its own, in the variable of `scaled_tail`: near -1.
    """
    x = x * 1.0
    d = log_ndtr_derivative(x)
    t = abs(x)
    w = (t - 5.0) / ((1e300 if t > 1e300 else t) + 5.0)
    w = 1.0 if w > 1.0 else w
    p = 9.947904167324498e-08
    p = p * w + 4.1920367277159326e-07
    p = p * w + -1.5966394604065763e-06
    p = p * w + -2.682933681813686e-06
    p = p * w + 1.076108435591831e-05
    p = p * w + 3.3893777533538783e-06
    p = p * w + -4.03844316933147e-05
    p = p * w + 2.9264509097976347e-05
    p = p * w + 7.989496123129845e-05
    p = p * w + -0.0001765468529103165
    p = p * w + 1.727739417367973e-05
    p = p * w + 0.0004530856127646685
    p = p * w + -0.0006678322586434052
    p = p * w + -0.00028950951986408035
    p = p * w + 0.0021347624253519304
    p = p * w + -0.0021895368483247227
    p = p * w + -0.0022749522612117053
    p = p * w + 0.008491801115375145
    p = p * w + -0.006715467354904848
    p = p * w + -0.009899036989873291
    p = p * w + 0.030228717737689807
    p = p * w + -0.025215739275477805
    p = p * w + -0.02563075570424899
    p = p * w + 0.10222756135419031
    p = p * w + -0.14613420363077925
    p = p * w + 0.10825764506348948
    p = p * w + 0.9673035653828878
    return -d * ((x if x <= 40.0 else 40.0) + d) if x > 0.0 else -p  # no 0 * inf


@scalar
def central_quantile(q: float) -> Any:
    """Return the quantile of ``1/2 + q`` for abs(q) <= 0.3: odd, so 0 at 0."""
    z = q * q
    p = 1132640545.1048288
    p = p * z + -514939520.4942369
    p = p * z + 129715574.76289156
    p = p * z + -17646829.696078353
    p = p * z + 2131503.7231906354
    p = p * z + -57707.7874992155
    p = p * z + 27491.838750677212
    p = p * z + 5623.488670687002
    p = p * z + 1696.581418403191
    p = p * z + 496.14588562895835
    p = p * z + 149.8314663022837
    p = p * z + 47.035773216387625
    p = p * z + 15.667609036724604
    p = p * z + 5.772533538413789
    p = p * z + 2.624934990953947
    p = p * z + 2.5066282746310007
    return q * p


@scalar
def tail_quantile(t: float) -> Any:
    """Return x with ``log Phi(-x) = -t^2/2``, for 1.79 < t < 38.7.

    x is t less a small correction, whose errors hardly count: one rational function of t on each side of 6.5.
    """
    near = t < 6.5
    top = 0.00036869359430979025 if near else 3.9923040961213505e-10
    top = top * t + (0.040877913374500946 if near else 8.600052380781136e-07)
    top = top * t + (0.8386940583873598 if near else 0.00023391987426699498)
    top = top * t + (5.5303050118998085 if near else 0.017389408258152897)
    top = top * t + (20.81749767391325 if near else 0.43815755053001765)
    top = top * t + (47.94317842129247 if near else 3.8157233400719526)
    top = top * t + (31.392357183811896 if near else 9.629664307619793)
    top = top * t + (3.6299494935847525 if near else 3.2220963225807737)
    bottom = 5.0265362760683696e-05 if near else 3.625005995941669e-11
    bottom = bottom * t + (0.008190674524969688 if near else 1.1321431458678361e-07)
    bottom = bottom * t + (0.2318322403560891 if near else 3.879269767051174e-05)
    bottom = bottom * t + (2.0539049913168808 if near else 0.003559609022928049)
    bottom = bottom * t + (9.051354110016595 if near else 0.112889645600987)
    bottom = bottom * t + (26.55081983948441 if near else 1.3204981954922388)
    bottom = bottom * t + (34.24127405932386 if near else 5.328874561145925)
    bottom = bottom * t + (13.609222862374537 if near else 5.713102619552859)
    bottom = bottom * t + 1.0
    return t - top / bottom


@scalar
def ndtri(p: float) -> Any:
    """Return x with ``Phi(x) = p``: -inf at 0, inf at 1, nan outside [0, 1]."""
    p = p * 1.0
    q = p - 0.5
    rest = 1.0 - p  # exact where it is used
    tail = rest if p > 0.5 else p
    t = np.sqrt(-2.0 * log(tail))
    outer = tail_quantile(t)
    outer = np.inf if tail == 0.0 else outer
    return central_quantile(q) if abs(q) <= 0.3 else (outer if p > 0.5 else -outer)


@scalar
def ndtri_exp(log_p: float) -> Any:
    """Return x with ``log Phi(x) = log_p``, for a probability too small, or too near 1, for a double."""
    log_p = log_p * 1.0
    upper = log_p > -0.6931471805599453
    log_tail = log(-expm1(log_p)) if upper else log_p
    t = np.sqrt(-2.0 * log_tail)
    outer = tail_quantile(t)
    if t > 38.6 and t < np.inf:
        # Beyond the subnormal numbers: Newton's method for log Phi(-x) = -t^2/2.
        outer = t - (log(t) + _HALF_LOG_2PI) / t
        for _ in range(2):
            tail = scaled_tail(outer)
            outer -= (0.5 * (outer - t) * (outer + t) - log(tail)) * tail / _INVERSE_SQRT_2PI
    elif not t < np.inf:
        outer = t
    q = expm1(log_p) + 0.5
    return central_quantile(q) if abs(q) <= 0.3 else (outer if upper else -outer)
