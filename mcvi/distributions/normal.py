"""The normal distribution."""

from dataclasses import dataclass
from math import log, pi
from typing import Any

from mcvi._kernels.functions import special
from mcvi._typing import Parameter
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.location_scale import LocationScale
from mcvi.distributions._base.operators.location_scale import Standard, location_scale
from mcvi.distributions._base.samplers import from_normal
from mcvi.distributions._functions.kl_terms import excess

__all__ = ["STANDARD_NORMAL", "Normal"]

_HALF_LOG_2PI = 0.5 * log(2 * pi)


def _log_density(t: float) -> float:
    return -0.5 * t * t


def _slope(t: float) -> float:
    return -t


def _draw(noise: float) -> float:
    return noise


def _cdf(t: float) -> Any:
    return special.ndtr(t), special.ndtr(-t)


def _log_cdf(t: float) -> Any:
    return special.log_ndtr(t), special.log_ndtr(-t)


def _quantile(p: float, q: float) -> Any:
    tail = special.ndtri(p if p < q else q)
    return tail if p < q else -tail


STANDARD_NORMAL = Standard(
    log_density=_log_density,
    slope=_slope,
    log_peak=-_HALF_LOG_2PI,
    draw=from_normal(_draw),
    cdf=_cdf,
    log_cdf=_log_cdf,
    quantile=_quantile,
)


@dataclass(frozen=True, eq=False, repr=False)
class Normal(LocationScale):
    r"""The normal distribution, :math:`p(x) = \exp(-(x-\mu)^2 / 2\sigma^2) / (\sigma\sqrt{2\pi})`.

    Score: :math:`(x-\mu)/\sigma^2` in `loc`, :math:`((x-\mu)^2/\sigma^2 - 1)/\sigma` in `scale`. Fisher information:
    :math:`\operatorname{diag}(1/\sigma^2, 2/\sigma^2)`.

    Parameters
    ----------
    loc : array_like
        The mean :math:`\mu`; finite.
    scale : array_like
        The standard deviation :math:`\sigma`; positive and finite. Broadcasts with `loc`.

    Examples
    --------
    >>> from mcvi.distributions import Normal
    >>> q = Normal(loc=[0.0, 1.0], scale=2.0)
    >>> q.batch_shape
    (2,)
    >>> q.log_prob([0.0, 1.0])
    array([-1.61208571, -1.61208571])
    """

    loc: Parameter
    scale: Parameter

    _page = location_scale(STANDARD_NORMAL)
    _standard_variance = 1.0
    _standard_entropy = 0.5 + _HALF_LOG_2PI
    _standard_fisher = [[1.0, 0.0], [0.0, 2.0]]


@register_kl(Normal, Normal)
def kl_normal_normal(p: Normal, q: Normal) -> Any:
    """Return ``r - 1 - log r + (r - 1)**2 / 2 + t**2 / 2``: r the ratio of scales, t the distance in scales of q."""
    spread = (p.scale - q.scale) / q.scale
    distance = (p.loc - q.loc) / q.scale
    return excess(p.scale, q.scale) + 0.5 * spread**2 + 0.5 * distance**2
