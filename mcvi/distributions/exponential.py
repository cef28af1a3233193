"""The exponential distribution."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary
from mcvi._typing import ArrayLike
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import FromUniform, Maths
from mcvi.distributions._base.univariate import Univariate
from mcvi.distributions._functions.kl_terms import excess

__all__ = ["Exponential"]


@scalar
def _prepare(parameters: Any) -> Any:
    (rate,) = parameters
    return rate, elementary.log(rate)


@scalar
def _log_density(x: float, constants: Any) -> Any:
    rate, log_rate = constants
    result = log_rate - rate * x
    return -np.inf if x < 0.0 else result


@scalar
def _score(x: float, constants: Any) -> Any:
    rate, _ = constants
    outside = x < 0.0
    in_value = -rate if x == x else x
    return 0.0 if outside else in_value, 0.0 if outside else 1.0 / rate - x


@scalar
def _transport(u: float, parameters: Any) -> Any:
    (rate,) = parameters
    return -elementary.log_positive(u) / rate


@dataclass(frozen=True, eq=False, repr=False)
class Exponential(Univariate):
    r"""The exponential distribution, :math:`p(x) = \lambda e^{-\lambda x}` for :math:`x \ge 0`.

    The density is largest at the edge of the support: `mode` is nan, as for a Gamma with concentration 1.

    Score: :math:`1/\lambda - x` in `rate`. Fisher information: :math:`1/\lambda^2`.

    Parameters
    ----------
    rate : array_like
        The rate :math:`\lambda`, one over the mean; positive and finite.

    Examples
    --------
    >>> from mcvi.distributions import Exponential
    >>> Exponential(rate=2.0).log_survival_function([0.5, 400.0])
    array([  -1., -800.])
    """

    rate: ArrayLike

    pathwise = True
    _standard = (1.0,)
    _rules = {"rate": "positive"}
    _maths = Maths(
        parameters=1,
        constants=2,
        prepare=_prepare,
        log_density=_log_density,
        score=_score,
        sampler=FromUniform(_transport, 1),
    )

    def transport(self, noise: Any) -> Any:
        """Return ``noise / rate`` for standard exponential noise."""
        return noise / self.rate

    def _mean(self) -> Any:
        return 1.0 / self.rate  # type: ignore[operator]

    def _mode(self) -> Any:
        return np.nan * self.rate  # type: ignore[operator]

    def _variance(self) -> Any:
        return self.rate**-2.0  # type: ignore[operator]

    def _entropy(self) -> Any:
        return 1.0 - anp.log(self.rate)

    def _fisher(self) -> Any:
        return np.broadcast_to(self.untraced.rate, self.batch_shape)[..., None, None] ** -2.0

    def _cdf(self, value: Any) -> Any:
        return -math.expm1(-self._scaled(value))

    def _survival_function(self, value: Any) -> Any:
        return anp.exp(-self._scaled(value))

    def _log_survival_function(self, value: Any) -> Any:
        return -self._scaled(value)

    def _quantile(self, probability: Any) -> Any:
        possible = (probability >= 0.0) & (probability <= 1.0)
        return anp.where(possible, -math.log1p(-probability) / self.rate, np.nan)

    def _scaled(self, value: Any) -> Any:
        return self.rate * anp.maximum(value, 0.0)


@register_kl(Exponential, Exponential)
def kl_exponential_exponential(p: Exponential, q: Exponential) -> Any:
    return excess(q.rate, p.rate)
