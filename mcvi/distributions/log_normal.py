"""The log-normal distribution."""

from dataclasses import dataclass
from math import log, pi
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._typing import Parameter
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.operators.location_scale import log_location_scale
from mcvi.distributions._base.univariate import Univariate
from mcvi.distributions.normal import STANDARD_NORMAL, kl_normal_normal

__all__ = ["LogNormal"]


@dataclass(frozen=True, eq=False, repr=False)
class LogNormal(Univariate):
    r"""The log-normal distribution, :math:`p(x) = \exp(-t^2/2)/(x\sigma\sqrt{2\pi})`, :math:`t = (\log x-\mu)/\sigma`.

    The law of the exponential of a normal variable; :math:`x > 0`. Score: :math:`t/\sigma` in `loc`,
    :math:`(t^2 - 1)/\sigma` in `scale`. Fisher information: :math:`\operatorname{diag}(1/\sigma^2, 2/\sigma^2)`. Near
    the median, :math:`\log x - \mu` comes from :math:`x - e^\mu`, so the log density keeps its digits at any scale.

    Parameters
    ----------
    loc : array_like
        The mean :math:`\mu` of the logarithm; finite. The median is :math:`e^\mu`.
    scale : array_like
        The standard deviation :math:`\sigma` of the logarithm; positive and finite. Broadcasts with `loc`.

    Examples
    --------
    >>> from mcvi.distributions import LogNormal
    >>> q = LogNormal(loc=0.0, scale=[0.5, 1.0])
    >>> q.mean()
    array([1.13314845, 1.64872127])
    >>> q.cdf(1.0)
    array([0.5, 0.5])
    """

    loc: Parameter
    scale: Parameter

    pathwise = True
    _page = log_location_scale(STANDARD_NORMAL)

    def transport(self, noise: Any) -> Any:
        """Return ``exp(loc + scale * noise)`` for standard normal noise."""
        return math.exp(self.loc + self.scale * noise)

    def _mean(self) -> Any:
        return anp.exp(self.loc + 0.5 * self.scale**2)

    def _mode(self) -> Any:
        return anp.exp(self.loc - self.scale**2)

    def _variance(self) -> Any:
        return anp.expm1(self.scale**2) * anp.exp(2.0 * self.loc + self.scale**2)

    def _entropy(self) -> Any:
        return self.loc + anp.log(self.scale) + (0.5 + 0.5 * log(2.0 * pi))

    def _fisher(self) -> Any:
        scale = np.broadcast_to(self.untraced.scale, self.batch_shape)[..., None, None]
        return np.diag([1.0, 2.0]) / scale / scale


@register_kl(LogNormal, LogNormal)
def kl_log_normal_log_normal(p: LogNormal, q: LogNormal) -> Any:
    """Return that of the normal distributions of the logarithms."""
    return kl_normal_normal(p, q)  # type: ignore[arg-type]
