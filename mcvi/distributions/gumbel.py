"""The Gumbel distribution."""

from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np

from mcvi import math
from mcvi._kernels.functions import elementary
from mcvi._typing import Parameter
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.location_scale import LocationScale
from mcvi.distributions._base.operators.location_scale import Standard, location_scale
from mcvi.distributions._base.samplers import from_uniform
from mcvi.distributions._functions.kl_terms import deviance, relative_entropy, stirling_excess

__all__ = ["Gumbel"]

_GAMMA = np.euler_gamma


def _log_density(t: float) -> Any:
    # Below this number the second term is no number; and infinity less infinity would be nan.
    return -np.inf if t < -709.7827128933841 else -t - elementary.exp(-t)


def _slope(t: float) -> Any:
    return elementary.expm1(-t)


def _cdf(t: float) -> Any:
    log_p = -elementary.exp(-t)
    return elementary.exp(log_p), -elementary.expm1(log_p)


def _log_cdf(t: float) -> Any:
    log_p = -elementary.exp(-t)
    small = elementary.log(-elementary.expm1(log_p))
    return log_p, small if log_p > -0.7 else elementary.log1p(-elementary.exp(log_p))


def _quantile(p: float, q: float) -> Any:
    return -elementary.log(-(elementary.log(p) if p < 0.5 else elementary.log1p(-q)))


def _draw(u: float) -> Any:
    return -elementary.log_positive(-elementary.log_positive(u))


@dataclass(frozen=True, eq=False, repr=False)
class Gumbel(LocationScale):
    r"""The Gumbel distribution, :math:`p(x) = e^{-t - e^{-t}} / s` with :math:`t = (x-\mu)/s`.

    The limit law of the largest of many draws. Score: :math:`(1 - e^{-t})/s` in `loc`, :math:`(t (1 - e^{-t}) - 1)/s`
    in `scale`. Fisher information, with Euler's :math:`\gamma`:
    :math:`\begin{pmatrix}1 & \gamma-1\\ \gamma-1 & \pi^2/6 + (1-\gamma)^2\end{pmatrix} / s^2`.

    Parameters
    ----------
    loc : array_like
        The mode :math:`\mu`; finite. The mean is :math:`\mu + \gamma s`.
    scale : array_like
        The scale :math:`s`; positive and finite. Broadcasts with `loc`.

    Examples
    --------
    >>> from mcvi.distributions import Gumbel
    >>> Gumbel(loc=[0.0, 1.0], scale=2.0).log_cdf([0.0, 2001.0])
    array([-1., -0.])
    """

    loc: Parameter
    scale: Parameter

    _page = location_scale(
        Standard(
            log_density=_log_density,
            slope=_slope,
            draw=from_uniform(_draw),
            cdf=_cdf,
            log_cdf=_log_cdf,
            quantile=_quantile,
        )
    )
    _standard_mean = _GAMMA
    _standard_variance = pi**2 / 6.0
    _standard_entropy = 1.0 + _GAMMA
    _standard_fisher = [[1.0, _GAMMA - 1.0], [_GAMMA - 1.0, pi**2 / 6.0 + (1.0 - _GAMMA) ** 2]]


@register_kl(Gumbel, Gumbel)
def kl_gumbel_gumbel(p: Gumbel, q: Gumbel) -> Any:
    r"""Return :math:`e^{-u} - 1 + u + \log\Gamma(r) + \gamma (r - 1)` with :math:`u = d - \log\Gamma(1 + r)`.

    Here r is the ratio of the scales, and d the distance of the modes in scales of q. Where p is q each part is 0.
    """
    ratio = p.scale / q.scale
    u = (p.loc - q.loc) / q.scale - math.lgamma(1.0 + ratio)
    return relative_entropy(0.0, -u) + deviance(ratio, 1.0) + stirling_excess(ratio, 1.0)
