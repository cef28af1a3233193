"""The normal distribution."""

from dataclasses import dataclass
from math import log, pi
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary
from mcvi._typing import ArrayLike
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.location_scale import SymmetricLocationScale
from mcvi.distributions._base.page import FromNormal, Maths
from mcvi.distributions._functions.kl_terms import excess

__all__ = ["Normal"]

_HALF_LOG_2PI = 0.5 * log(2 * pi)


@scalar
def _prepare(parameters: Any) -> Any:
    loc, scale = parameters
    return loc, 1.0 / scale, -elementary.log(scale) - _HALF_LOG_2PI


@scalar
def _log_density(x: float, constants: Any) -> Any:
    loc, precision, log_peak = constants
    t = (x - loc) * precision
    return log_peak - 0.5 * t * t


@scalar
def _score(x: float, constants: Any) -> Any:
    loc, precision, _ = constants
    t = (x - loc) * precision
    return -t * precision, t * precision, (t * t - 1.0) * precision


@scalar
def _transport(noise: float, parameters: Any) -> Any:
    loc, scale = parameters
    return loc + scale * noise


@dataclass(frozen=True, eq=False, repr=False)
class Normal(SymmetricLocationScale):
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

    loc: ArrayLike
    scale: ArrayLike

    _maths = Maths(
        parameters=2,
        constants=3,
        prepare=_prepare,
        log_density=_log_density,
        score=_score,
        sampler=FromNormal(_transport, 2),
    )

    def _variance(self) -> Any:
        return self.scale**2  # type: ignore[operator]

    def _entropy(self) -> Any:
        return anp.log(self.scale) + (0.5 + _HALF_LOG_2PI)

    def _fisher(self) -> Any:
        scale = np.broadcast_to(self.untraced.scale, self.batch_shape)[..., None, None]
        return np.diag([1.0, 2.0]) / scale**2

    def _standard_cdf(self, t: Any) -> Any:
        return math.ndtr(t)

    def _standard_log_cdf(self, t: Any) -> Any:
        return math.log_ndtr(t)

    def _standard_quantile(self, probability: Any) -> Any:
        return math.ndtri(probability)


@register_kl(Normal, Normal)
def kl_normal_normal(p: Normal, q: Normal) -> Any:
    """Return ``r - 1 - log r + (r - 1)**2 / 2 + t**2 / 2``: r the ratio of scales, t the distance in scales of q."""
    spread = (p.scale - q.scale) / q.scale  # type: ignore[operator]
    distance = (p.loc - q.loc) / q.scale  # type: ignore[operator]
    return excess(p.scale, q.scale) + 0.5 * spread**2 + 0.5 * distance**2
