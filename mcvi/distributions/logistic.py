"""The logistic distribution."""

from dataclasses import dataclass
from math import pi
from typing import Any

from autograd import numpy as anp

from mcvi._autograd import value_of, where
from mcvi._kernels.functions import elementary
from mcvi._typing import Parameter
from mcvi.distributions._base.kl import register_kl, require_equal
from mcvi.distributions._base.location_scale import LocationScale
from mcvi.distributions._base.operators.location_scale import Standard, location_scale
from mcvi.distributions._base.samplers import from_uniform

__all__ = ["STANDARD_LOGISTIC", "Logistic"]


def _log_density(t: float) -> Any:
    distance = abs(t)
    return -distance - 2.0 * elementary.log1p_unit(elementary.exp(-distance))


def _slope(t: float) -> Any:
    return -elementary.tanh(0.5 * t)


def _cdf(t: float) -> Any:
    return elementary.sigmoid(t), elementary.sigmoid(-t)


def _log_cdf(t: float) -> Any:
    return -elementary.softplus(-t), -elementary.softplus(t)


def _quantile(p: float, q: float) -> Any:
    return elementary.log(p / q)


def _draw(u: float) -> Any:
    return elementary.log_positive(u / (1.0 - u))


STANDARD_LOGISTIC = Standard(
    log_density=_log_density,
    slope=_slope,
    draw=from_uniform(_draw),
    cdf=_cdf,
    log_cdf=_log_cdf,
    quantile=_quantile,
)


@dataclass(frozen=True, eq=False, repr=False)
class Logistic(LocationScale):
    r"""The logistic distribution, :math:`p(x) = e^{-t} / (s (1 + e^{-t})^2)` with :math:`t = (x-\mu)/s`.

    Score: :math:`\tanh(t/2)/s` in `loc`, :math:`(t \tanh(t/2) - 1)/s` in `scale`. Fisher information:
    :math:`\operatorname{diag}(1/3, (3+\pi^2)/9)/s^2`.

    Parameters
    ----------
    loc : array_like
        The mean, median and mode :math:`\mu`; finite.
    scale : array_like
        The scale :math:`s`; positive and finite. Broadcasts with `loc`.

    Examples
    --------
    >>> from mcvi.distributions import Logistic
    >>> Logistic(loc=0.0, scale=1.0).cdf([-1.0, 0.0, 1.0])
    array([0.26894142, 0.5       , 0.73105858])
    """

    loc: Parameter
    scale: Parameter

    _page = location_scale(STANDARD_LOGISTIC)
    _standard_variance = pi**2 / 3.0
    _standard_entropy = 2.0
    _standard_fisher = [[1.0 / 3.0, 0.0], [0.0, (3.0 + pi**2) / 9.0]]


@register_kl(Logistic, Logistic)
def kl_logistic_logistic(p: Logistic, q: Logistic) -> Any:
    r"""Return :math:`2 (y \coth y - 1)`, y half the distance of the means in scales; the scales must be equal."""
    require_equal(p, q, "scale")
    y = 0.5 * anp.abs((p.loc - q.loc) / p.scale)
    near = value_of(y) < 1.0
    square = where(near, y, 1.0) ** 2
    fraction = 19.0
    for odd in range(17, 1, -2):  # Lambert's continued fraction of y coth y - 1: y^2 / (3 + y^2 / (5 + ...))
        fraction = odd + square / fraction
    far = where(near, 1.0, y)
    decay = anp.exp(-2.0 * far)
    return 2.0 * where(near, square / fraction, far - 1.0 + 2.0 * far * decay / (1.0 - decay))
