"""The exponential distribution."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from autograd import numpy as anp

from mcvi._kernels.functions import elementary
from mcvi._typing import Parameter
from mcvi.distributions._base.constraints import non_negative, positive
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import page
from mcvi.distributions._base.samplers import from_uniform
from mcvi.distributions._base.univariate import Univariate
from mcvi.distributions._functions.kl_terms import excess

__all__ = ["Exponential"]


class _Constants(NamedTuple):
    rate: float
    log_rate: float


def _prepare(rate: float) -> _Constants:
    return _Constants(rate, elementary.log(rate))


def _log_density(x: float, c: _Constants) -> float:
    return c.log_rate - c.rate * x


def _score(x: float, c: _Constants) -> Any:
    return -c.rate, 1.0 / c.rate - x


def _draw(u: float, rate: float) -> Any:
    return -elementary.log_positive(u) / rate


def _quantile(p: float, q: float, rate: float) -> Any:
    return -(elementary.log1p(-p) if p < 0.5 else elementary.log(q)) / rate


def _cdf(x: float, c: _Constants) -> Any:
    return -elementary.expm1(-c.rate * x), elementary.exp(-c.rate * x)


def _log_cdf(x: float, c: _Constants) -> Any:
    t = c.rate * x
    near = elementary.log(-elementary.expm1(-t))
    return near if t < 0.7 else elementary.log1p(-elementary.exp(-t)), -t


def _velocity(x: float, c: _Constants) -> Any:
    return (-x / c.rate,)


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

    rate: Parameter

    pathwise = True
    _standard = (1.0,)
    _page = page(
        parameters={"rate": positive},
        support=non_negative,
        prepare=_prepare,
        log_density=_log_density,
        score=_score,
        draw=from_uniform(_draw),
        cdf=_cdf,
        log_cdf=_log_cdf,
        quantile=_quantile,
        velocity=_velocity,
    )

    def transport(self, noise: Any) -> Any:
        """Return ``noise / rate`` for standard exponential noise."""
        return noise / self.rate

    def _mean(self) -> Any:
        return 1.0 / self.rate

    def _mode(self) -> Any:
        return np.nan * self.rate

    def _variance(self) -> Any:
        return self.rate**-2.0

    def _entropy(self) -> Any:
        return 1.0 - anp.log(self.rate)

    def _fisher(self) -> Any:
        return np.broadcast_to(self.untraced.rate, self.batch_shape)[..., None, None] ** -2.0


@register_kl(Exponential, Exponential)
def kl_exponential_exponential(p: Exponential, q: Exponential) -> Any:
    return excess(q.rate, p.rate)
