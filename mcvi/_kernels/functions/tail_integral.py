"""The integrals that the tails of gamma and beta variables are made of, by Gauss's quadrature.

The density of the logarithm of a gamma variable, and that of the log odds of a beta variable, are log-concave for all
parameters. Divided by its value at the point where the tail begins, the density falls from 1 like ``exp(-E(s))``, s
the distance from that point; E(0) = 0, E' >= 0 and E'' >= 0. One rule of 40 points on [0, S] with E(S) about 38 is then
exact to rounding for gamma variables of shape 1 and more, one of 24 points from shape 100 on: every term
is positive, and none is formed by a difference that cancels.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions.bregman import less_log1p
from mcvi._kernels.functions.elementary import exp, expm1, log1p, reduced_exp_tail

__all__ = ["beta_tail_integral", "gamma_tail_integral"]

# Half of the nodes in [0, 1] and their weights, of the rules of 40 and of 24 points; the others are 1 less these.
_NODES = np.array(
    [
        0.0008811451447203998,
        0.004636880650271497,
        0.011370025008112869,
        0.021041590393104173,
        0.03359359586066173,
        0.04895059651556285,
        0.06702024839387025,
        0.08769388458334416,
        0.1108471742867403,
        0.13634087240503645,
        0.16402165769291022,
        0.19372305516600988,
        0.2252664374524359,
        0.25846209915691065,
        0.2931103978141975,
        0.32900295458712076,
        0.36592390749637316,
        0.40365120964931445,
        0.4419579646623724,
        0.48061379124697456,
    ]
)
_WEIGHTS = np.array(
    [
        0.0022606385492665955,
        0.005249142265576406,
        0.008210529190953945,
        0.01112292459708348,
        0.0139685034900117,
        0.016730097641273922,
        0.019391083987236008,
        0.021935454092836634,
        0.024347903817536116,
        0.02661392349196841,
        0.028719884549695776,
        0.03065312124646447,
        0.03240200672830052,
        0.03395602290761695,
        0.03530582369564339,
        0.03644329119790203,
        0.03736158452898413,
        0.03805518095031312,
        0.038519909082123986,
        0.0387529739892124,
    ]
)
_FEW_NODES = np.array(
    [
        0.00240639000148932,
        0.012635722014345251,
        0.030862723998633622,
        0.056792236497799485,
        0.08999900701304854,
        0.12993790421072282,
        0.17595317403151223,
        0.22728926430558022,
        0.2831032461869774,
        0.3424786601519183,
        0.40444056626319186,
        0.4679715535686972,
    ]
)
_FEW_WEIGHTS = np.array(
    [
        0.0061706148999936,
        0.014265694314466832,
        0.022138719408709904,
        0.02964929245771839,
        0.03667324070554015,
        0.04309508076597664,
        0.04880932605205694,
        0.05372213505798282,
        0.0577528340268628,
        0.060835236463901696,
        0.06291872817341415,
        0.06396909767337608,
    ]
)
# From this shape on the shorter rule is exact to rounding.
_LARGE = 100.0
# exp(-38) is 3e-17: what lies beyond does not count.
_DEEP, _TOO_DEEP = 37.0, 46.0


@scalar
def exp_less_line(s: float) -> Any:
    """Return ``exp(s) - 1 - s``, relatively accurate."""
    return reduced_exp_tail(s) if abs(s) < 0.34 else expm1(s) - s


@scalar
def _gamma_exponent(s: float, delta: float, x: float, sign: float) -> Any:
    return delta * s + x * exp_less_line(sign * s)


@scalar(inline=False)
def gamma_tail_integral(a: float, x: float, lower: bool) -> Any:
    """Return the tail beyond x of ``exp(a z - exp(z))``, z the logarithm, over that function at log(x).

    The lower tail for x <= a, the upper for x >= a; one of a and x must be at least 1.
    """
    delta, sign = abs(a - x), (-1.0 if lower else 1.0)
    s = 76.0 / (delta + np.sqrt(delta * delta + 76.0 * x))
    for _ in range(60):  # Newton's method, for a convex function: two or three steps
        depth = _gamma_exponent(s, delta, x, sign)
        if _DEEP <= depth <= _TOO_DEEP:
            break
        slope = delta + x * abs(expm1(sign * s))
        s -= (depth - 38.0) / slope if depth < np.inf else 0.5 * s
    total = 0.0
    nodes, weights = (_FEW_NODES, _FEW_WEIGHTS) if a >= _LARGE else (_NODES, _WEIGHTS)
    for i in range(nodes.size):
        step = s * nodes[i]
        total += weights[i] * (
            exp(-_gamma_exponent(step, delta, x, sign)) + exp(-_gamma_exponent(s - step, delta, x, sign))
        )
    return s * total


@scalar
def _beta_exponent(s: float, delta: float, n: float, x: float, y: float) -> Any:
    """Return ``delta s + n (log(y + x exp(-s)) + x s)``, whose second term is about ``n x y s**2 / 2`` for small s."""
    if x <= 0.5:
        return delta * s + n * (x * exp_less_line(-s) - less_log1p(x * expm1(-s)))
    v = y * expm1(s)
    if v > 1.5:
        return delta * s + n * (log1p(v) - y * s)
    return delta * s + n * (y * exp_less_line(s) - less_log1p(v))


@scalar
def _beta_integral(delta: float, n: float, x: float, y: float) -> Any:
    s = 76.0 / (delta + np.sqrt(delta * delta + 76.0 * n * x * y))
    for _ in range(60):
        depth = _beta_exponent(s, delta, n, x, y)
        if _DEEP <= depth <= _TOO_DEEP:
            break
        slope = delta - n * x * y * expm1(-s) / (y + x * exp(-s))
        s -= (depth - 38.0) / slope if depth < np.inf else 0.5 * s
    total = 0.0
    for i in range(_FEW_NODES.size):
        step = s * _FEW_NODES[i]
        total += _FEW_WEIGHTS[i] * (
            exp(-_beta_exponent(step, delta, n, x, y)) + exp(-_beta_exponent(s - step, delta, n, x, y))
        )
    return s * total


@scalar
def _beta_fraction(a: float, b: float, x: float, y: float, delta: float) -> Any:
    """Return the same by the continued fraction of Didonato and Morris (1992), the even part of DLMF 8.17.22.

    While one of a and b is below 100 it takes some 20 steps on the far side of the mean, however large the other is.
    """
    # Lentz's method: the ratios of successive numerators, and of successive denominators, inverted.
    upper, lower = np.inf, (a + 1.0) / a / (delta + 1.0)
    result = lower
    for m in range(1, 200):
        top, bottom = a + m - 1.0, a + 2.0 * m - 1.0
        ratio = m * (b - m) * x / bottom
        numerator = top / bottom * (top + b) * x * ratio
        term = m + ratio + (a + m) / (bottom + 2.0) * (delta + 1.0 + m * (1.0 + y))
        lower = 1.0 / (term + numerator * lower)
        upper = term + numerator / upper
        change = upper * lower
        result *= change
        if abs(change - 1.0) < 3e-16:
            break
    return result


@scalar(inline=False)
def beta_tail_integral(a: float, b: float, x: float, y: float, delta: float) -> Any:
    """Return the lower tail of ``x**a y**b`` in the log odds of x, over that function at x, with ``y = 1 - x``.

    ``delta = a y - b x`` must not be negative; a must be at least 1, and b or ``(a + b) y``.
    """
    large = a >= _LARGE and b >= _LARGE
    return _beta_integral(delta, a + b, x, y) if large else _beta_fraction(a, b, x, y, delta)
