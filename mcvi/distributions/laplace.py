"""The Laplace distribution."""

from dataclasses import dataclass
from math import log
from typing import Any

from autograd import numpy as anp

from mcvi._autograd import value_of, where
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary
from mcvi._typing import Parameter
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.location_scale import LocationScale
from mcvi.distributions._base.operators.location_scale import Standard, location_scale
from mcvi.distributions._base.samplers import from_uniform
from mcvi.distributions._functions.kl_terms import excess

__all__ = ["STANDARD_LAPLACE", "Laplace"]


def _log_density(t: float) -> float:
    return -abs(t)


def _slope(t: float) -> float:
    slope = -1.0 if t > 0.0 else 1.0
    slope = 0.0 if t == 0.0 else slope
    return slope if t == t else t


def _cdf(t: float) -> Any:
    tail = 0.5 * elementary.exp(-abs(t))
    return (tail, 1.0 - tail) if t < 0.0 else (1.0 - tail, tail)


def _log_cdf(t: float) -> Any:
    tail = -abs(t) - log(2.0)
    rest = elementary.log1p(-0.5 * elementary.exp(-abs(t)))
    return (tail, rest) if t < 0.0 else (rest, tail)


def _quantile_with(log: Any) -> Any:
    """Return the quantile function that takes logarithms by `log`."""

    @scalar
    def quantile(p: float, q: float) -> Any:
        # Each half of the unit interval is folded onto a tail, so both have all their digits.
        low = p < 0.5
        distance = -log(2.0 * (p if low else q))
        return -distance if low else distance

    return quantile


_quantile = _quantile_with(elementary.log)
_quantile_of_draw = _quantile_with(elementary.log_positive)  # a uniform draw is a normal number


def _draw(u: float) -> Any:
    return _quantile_of_draw(u, 1.0 - u)


STANDARD_LAPLACE = Standard(
    log_density=_log_density,
    slope=_slope,
    log_peak=-log(2.0),
    draw=from_uniform(_draw),
    cdf=_cdf,
    log_cdf=_log_cdf,
    quantile=_quantile,
)


@dataclass(frozen=True, eq=False, repr=False)
class Laplace(LocationScale):
    r"""The Laplace (double exponential) distribution, :math:`p(x) = \exp(-|x-\mu|/b) / 2b`.

    Score: :math:`\operatorname{sign}(x-\mu)/b` in `loc` (0 at the kink), :math:`(|x-\mu|/b - 1)/b` in `scale`. Fisher
    information: :math:`\operatorname{diag}(1/b^2, 1/b^2)`.

    Parameters
    ----------
    loc : array_like
        The mean, median and mode :math:`\mu`; finite.
    scale : array_like
        The mean distance from it, :math:`b`; positive and finite. Broadcasts with `loc`.

    Examples
    --------
    >>> from mcvi.distributions import Laplace
    >>> Laplace(loc=0.0, scale=2.0).log_cdf([-2000.0, 0.0])
    array([-1.00069315e+03, -6.93147181e-01])
    """

    loc: Parameter
    scale: Parameter

    _page = location_scale(STANDARD_LAPLACE)
    _standard_variance = 2.0
    _standard_entropy = 1.0 + log(2.0)
    _standard_fisher = [[1.0, 0.0], [0.0, 1.0]]


@register_kl(Laplace, Laplace)
def kl_laplace_laplace(p: Laplace, q: Laplace) -> Any:
    """Return ``r - 1 - log r + r (t - 1 + exp(-t))``, r the ratio of scales, t the distance of means in scales of p."""
    ratio, distance = p.scale / q.scale, anp.abs(p.loc - q.loc)
    near = value_of(distance) < value_of(p.scale)
    t = where(near, distance, 0.0) / p.scale
    # Far away r t is the distance in scales of q, although t itself may overflow.
    apart = where(
        near,
        ratio * (t + anp.expm1(-t)),
        distance / q.scale - ratio * (1.0 - anp.exp(-distance / p.scale)),
    )
    return excess(p.scale, q.scale) + apart
