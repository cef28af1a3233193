"""The binomial distribution."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, NamedTuple

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of, where
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws.counts import BINOMIAL, binomial_attempt, binomial_constants, binomial_sums
from mcvi._kernels.functions import elementary, incomplete_beta, incomplete_gamma, special
from mcvi._kernels.functions.log_pmf import log_binomial
from mcvi._typing import Parameter
from mcvi.distributions._base.alternatives import either
from mcvi.distributions._base.constraints import Constraint, real, unit_interval, whole, whole_up_to
from mcvi.distributions._base.counts import Counts, CountSampler
from mcvi.distributions._base.kl import register_kl, require_equal
from mcvi.distributions._base.page import Page, page
from mcvi.distributions._base.success_probability import (
    Odds,
    binary_kl,
    logits_otherwise,
    of_logits,
    of_probs,
    probs_otherwise,
    success_and_low,
)

__all__ = ["Binomial"]


class _Constants(NamedTuple):
    total_count: float
    success: float
    failure: float
    log_success: float
    log_failure: float
    success_low: float
    factor: float


def _prepare_logits(total_count: float, logits: float) -> _Constants:
    log_p, log_q, _, _ = of_logits(logits)
    p, q, low = success_and_low(logits)
    return _Constants(total_count, p, q, log_p, log_q, low, 1.0)


def _prepare_probs(total_count: float, probs: float) -> _Constants:
    log_p, log_q, _, _ = of_probs(probs)
    return _Constants(total_count, probs, 1.0 - probs, log_p, log_q, 0.0, 1.0 / (probs * (1.0 - probs)))


def _log_density(x: float, c: _Constants) -> Any:
    return log_binomial(x, c.total_count, c.success, c.failure, c.log_success, c.log_failure)


def _score(x: float, c: _Constants) -> Any:
    n, p, q, certain = c.total_count, c.success, c.failure, c.factor == np.inf
    # The smaller of p and q is the one that is not one minus a rounded number; its product with n needs all its digits.
    by_success = p <= 0.5
    mean, mean_low = special.product(n, p if by_success else q)
    excess = (x - mean) - mean_low if by_success else (mean - (n - x)) + mean_low
    excess = excess - n * c.success_low
    slope = excess * c.factor
    # 0 times infinity, for probs of 0 and of 1: the limit from inside.
    slope = -n if (x == 0.0) & certain & (p == 0.0) else slope
    slope = n if (x == n) & certain & (q == 0.0) else slope
    # Near the mean the rise of digamma is the logarithm of 1 / q and little more.
    after = n - x + 1.0
    beyond = (excess - p) / after
    near = elementary.log1p(beyond) + special.digamma_rise_less_log(after, x)
    in_count = special.digamma_rise(after, x) + c.log_failure
    return near if (after >= 3.5) & (beyond > -0.5) else in_count, slope


@scalar
def _tails(x: float, c: _Constants) -> Any:
    k = np.floor(x)
    logs = c.log_failure, c.log_success
    return incomplete_beta.beta_tails(c.total_count - k, k + 1.0, c.failure, c.success, *logs)


def _cdf(x: float, c: _Constants) -> Any:
    return incomplete_gamma.both_tails(_tails(x, c))


def _log_cdf(x: float, c: _Constants) -> Any:
    return incomplete_gamma.logs_of_both_tails(_tails(x, c))


def _sampler_of_logits(total_count: float, logits: float) -> Any:
    return binomial_constants(total_count, elementary.sigmoid(logits), elementary.sigmoid(-logits))


def _sampler_of_probs(total_count: float, probs: float) -> Any:
    return binomial_constants(total_count, probs, 1.0 - probs)


def _page(parameter: str, constraint: Constraint, prepare: Any, of_sampler: Any) -> Page:
    return page(
        parameters={"total_count": whole, parameter: constraint},
        support=whole_up_to("total_count"),
        prepare=prepare,
        log_density=_log_density,
        score=_score,
        draw=CountSampler(of_sampler, BINOMIAL, binomial_attempt, binomial_sums),
        cdf=_cdf,
        log_cdf=_log_cdf,
    )


@dataclass(frozen=True, eq=False, repr=False)
class Binomial(Counts, Odds):
    r"""The number of successes in n trials, :math:`P(k) = \binom{n}{k} p^k (1-p)^{n-k}`, :math:`p = 1/(1+e^{-\ell})`.

    Score: :math:`k - n p` in `logits`, :math:`k/p - (n-k)/(1-p)` in `probs`,
    :math:`\psi(n+1) - \psi(n-k+1) + \log(1-p)` in `total_count` as if it were real. The entropy has no closed form.

    Parameters
    ----------
    total_count : array_like
        The number of trials n; a whole number, 0 or more.
    logits : array_like, keyword-only
        The log odds :math:`\ell` of a success; finite.
    probs : array_like, keyword-only
        The probability :math:`p` of a success; in [0, 1]. Exactly one of the two is given; the other is computed when
        read.

    References
    ----------
    C. Loader, "Fast and accurate computation of binomial probabilities", 2000. W. Hörmann, "The generation of binomial
    random variates", 1993, doi:10.1080/00949659308811496.

    Examples
    --------
    >>> from mcvi.distributions import Binomial
    >>> q = Binomial(3, probs=[0.5, 1.0])
    >>> q.log_prob([1, 3])
    array([-0.98082925,  0.        ])
    >>> q.mean()
    array([1.5, 3. ])
    """

    total_count: Parameter
    _: KW_ONLY
    logits: Parameter = logits_otherwise
    probs: Parameter = probs_otherwise

    discrete = True
    _page = either(
        logits=_page("logits", real, _prepare_logits, _sampler_of_logits),
        probs=_page("probs", unit_interval, _prepare_probs, _sampler_of_probs),
    )

    def _mean(self) -> Any:
        return self.total_count * self.probs

    def _mode(self) -> Any:
        mode = anp.floor((self.total_count + 1.0) * self.probs)
        return anp.where(value_of(mode) > value_of(self.total_count), self.total_count + 0.0 * mode, mode)

    def _variance(self) -> Any:
        return self.total_count * self.probs * self._failure

    @property
    def _top(self) -> Any:
        return np.where(self.probs > 0, self.total_count, 0.0)

    def _descent(self, k: Any) -> Any:
        rest = self.total_count - k
        if self._by_logits:
            return rest * self.probs
        return np.where(rest == 0.0, 0.0, rest / np.where(rest == 0.0, 1.0, self._failure))


@register_kl(Binomial, Binomial)
def kl_binomial_binomial(p: Binomial, q: Binomial) -> Any:
    require_equal(p, q, "total_count")
    some = value_of(p.total_count) > 0
    return where(some, p.total_count * where(some, binary_kl(p, q), 0.0), 0.0)
