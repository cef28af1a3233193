"""The Poisson distribution."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws.counts import POISSON, poisson_attempt, poisson_constants, poisson_sums
from mcvi._kernels.functions import elementary, incomplete_gamma
from mcvi._kernels.functions.exp_pair import exp_pair
from mcvi._kernels.functions.log_pmf import log_poisson
from mcvi._typing import Parameter
from mcvi.distributions._base.alternatives import either, otherwise
from mcvi.distributions._base.constraints import Constraint, non_negative, real, whole
from mcvi.distributions._base.counts import Counts, CountSampler
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import Page, page
from mcvi.distributions._functions.kl_terms import deviance, relative_entropy, safe_log

__all__ = ["Poisson"]


class _Constants(NamedTuple):
    rate: float
    log_rate: float
    rate_low: float
    factor: float
    at_zero: float


def _prepare_rate(rate: float) -> _Constants:
    return _Constants(rate, elementary.log(rate), 0.0, 1.0 / rate, -1.0)


def _prepare_log_rate(log_rate: float) -> _Constants:
    # A large count less the rate keeps its digits only if the rate has more than those of a double.
    rate, rate_low = exp_pair(log_rate)
    return _Constants(rate, log_rate, rate_low, 1.0, -rate)


def _log_density(x: float, c: _Constants) -> Any:
    return log_poisson(x, c.rate, c.log_rate)


def _score(x: float, c: _Constants) -> Any:
    return (c.at_zero if x == 0.0 else ((x - c.rate) - c.rate_low) * c.factor,)


@scalar
def _tails(x: float, c: _Constants) -> Any:
    # At most k events by time `rate`: the gamma variable of k + 1 comes later.
    return incomplete_gamma.gamma_tails(np.floor(x) + 1.0, c.rate, c.log_rate)


def _cdf(x: float, c: _Constants) -> Any:
    upper, lower = incomplete_gamma.both_tails(_tails(x, c))
    return lower, upper


def _log_cdf(x: float, c: _Constants) -> Any:
    upper, lower = incomplete_gamma.logs_of_both_tails(_tails(x, c))
    return lower, upper


def _sampler_of_rate(rate: float) -> Any:
    return poisson_constants(rate)


def _sampler_of_log_rate(log_rate: float) -> Any:
    return poisson_constants(elementary.exp(log_rate))


def _page(parameter: str, constraint: Constraint, prepare: Any, of_sampler: Any) -> Page:
    return page(
        parameters={parameter: constraint},
        support=whole,
        prepare=prepare,
        log_density=_log_density,
        score=_score,
        draw=CountSampler(of_sampler, POISSON, poisson_attempt, poisson_sums),
        cdf=_cdf,
        log_cdf=_log_cdf,
    )


_rate_otherwise = otherwise(lambda distribution: math.exp(distribution.log_rate))
_log_rate_otherwise = otherwise(lambda distribution: math.log(distribution.rate))


@dataclass(frozen=True, eq=False, repr=False)
class Poisson(Counts):
    r"""The Poisson distribution of counts, :math:`P(k) = \lambda^k e^{-\lambda} / k!`.

    Score: :math:`k/\lambda - 1` in `rate`, :math:`k - \lambda` in `log_rate`. Fisher information: :math:`1/\lambda` in
    `rate`, :math:`\lambda` in `log_rate`. The entropy has no closed form.

    Parameters
    ----------
    rate : array_like
        The mean :math:`\lambda`; non-negative and finite. Rate 0 is certain of 0.
    log_rate : array_like, keyword-only
        Its logarithm; finite. Exactly one of the two is given; the other is computed when read.

    References
    ----------
    C. Loader, "Fast and accurate computation of binomial probabilities", 2000. W. Hörmann, "The transformed rejection
    method for generating Poisson random variables", 1993, doi:10.1016/0167-6687(93)90997-4.

    Examples
    --------
    >>> from mcvi.distributions import Poisson
    >>> q = Poisson([0.0, 2.0])
    >>> q.log_prob(0)
    array([ 0., -2.])
    >>> print(Poisson(log_rate=0.0).log_prob(3).round(6))
    -2.791759
    """

    rate: Parameter = _rate_otherwise
    _: KW_ONLY
    log_rate: Parameter = _log_rate_otherwise

    discrete = True
    _page = either(
        rate=_page("rate", non_negative, _prepare_rate, _sampler_of_rate),
        log_rate=_page("log_rate", real, _prepare_log_rate, _sampler_of_log_rate),
    )

    def _mean(self) -> Any:
        return self.rate

    _variance = _mean

    def _mode(self) -> Any:
        return anp.floor(self.rate)

    def _fisher(self) -> Any:
        rate = np.asarray(self.untraced.rate, np.float64)
        return (rate if "log_rate" in self.parameters else 1.0 / rate)[..., None, None]

    @property
    def _top(self) -> Any:
        return np.where(self.rate > 0, np.inf, 0.0)

    def _descent(self, k: Any) -> Any:
        return self.rate if "log_rate" in self.parameters else 1.0


@register_kl(Poisson, Poisson)
def kl_poisson_poisson(p: Poisson, q: Poisson) -> Any:
    """Return ``rate_p log(rate_p / rate_q) - rate_p + rate_q``, ``0 log 0 = 0``."""
    if "log_rate" in p.parameters or "log_rate" in q.parameters:
        return relative_entropy(_log_rate(p), _log_rate(q))
    return deviance(p.rate, q.rate)


def _log_rate(distribution: Poisson) -> Any:
    return distribution.log_rate if "log_rate" in distribution.parameters else safe_log(distribution.rate)
