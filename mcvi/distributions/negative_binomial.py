"""The negative binomial distribution."""

from dataclasses import KW_ONLY, dataclass
from functools import cached_property, partial
from typing import Any, NamedTuple

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of, where
from mcvi._kernels.compiler.elementwise import table
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws.counts import POISSON, invert_poissons, poisson_attempt, poisson_constants
from mcvi._kernels.draws.gammas import SLOTS, fill_gammas
from mcvi._kernels.functions import elementary, incomplete_beta, incomplete_gamma, special
from mcvi._kernels.functions.log_pmf import log_negative_binomial
from mcvi._typing import FloatArray, Parameter
from mcvi.distributions._base.alternatives import either
from mcvi.distributions._base.constraints import Constraint, non_negative, real, unit_interval, whole
from mcvi.distributions._base.counts import Counts
from mcvi.distributions._base.kl import register_kl, require_equal
from mcvi.distributions._base.page import Page, page
from mcvi.distributions._base.samplers import ByAttempts, Sampler
from mcvi.distributions._base.success_probability import (
    Odds,
    logits_otherwise,
    of_logits,
    of_probs,
    probs_otherwise,
    success_and_low,
    trials_kl,
)
from mcvi.random import Key, standard_uniforms, tile_rows

__all__ = ["NegativeBinomial"]


class _Constants(NamedTuple):
    total_count: float
    stirling_error: float
    success: float
    failure: float
    log_success: float
    log_failure: float
    in_success: float
    in_failure: float
    success_low: float
    factor: float


def _prepare_logits(total_count: float, logits: float) -> _Constants:
    r = total_count
    log_p, log_q, in_success, in_failure = of_logits(logits)
    p, q, low = success_and_low(logits)
    return _Constants(r, special.stirling_error(r), p, q, log_p, log_q, in_success, in_failure, low, 1.0)


def _prepare_probs(total_count: float, probs: float) -> _Constants:
    r, p = total_count, probs
    log_p, log_q, in_success, in_failure = of_probs(p)
    factor = 1.0 / (p * (1.0 - p))
    return _Constants(r, special.stirling_error(r), p, 1.0 - p, log_p, log_q, in_success, in_failure, 0.0, factor)


def _log_density(x: float, c: _Constants) -> Any:
    return log_negative_binomial(x, c.total_count, c.stirling_error, c.success, c.failure, c.log_success, c.log_failure)


@scalar
def _excess(x: float, c: _Constants) -> Any:
    """Return ``x q - r p`` as if computed with twice the digits, for x > 0."""
    r, p, q = c.total_count, c.success, c.failure
    n = x + r
    n_low = (x - (n - (n - x))) + (r - (n - x))
    # The smaller of p and q is the one that is not one minus a rounded number.
    by_success = p <= 0.5
    share = p if by_success else q
    mean, mean_low = special.product(n, share)
    mean_low = mean_low + n_low * share
    excess = (x - mean) - mean_low if by_success else (mean - r) + mean_low
    return excess - n * c.success_low


def _score(x: float, c: _Constants) -> Any:
    r = c.total_count
    excess = _excess(x, c)
    # At the mean of a large count both sums are differences of large numbers, which only the excess knows.
    failures = r * c.in_failure if r > 0.0 else 0.0
    slope = excess * c.factor if (x > 0.0) & (c.factor < np.inf) else (x * c.in_success if x > 0.0 else 0.0) + failures
    in_count = (special.digamma_rise(r, x) if x > 0.0 else 0.0) + c.log_failure
    near = elementary.log1p(excess / r) + special.digamma_rise_less_log(r, x)
    return near if (x > 0.0) & (r >= 3.5) & (excess > -0.5 * r) else in_count, slope


@scalar
def _tails(x: float, c: _Constants) -> Any:
    if c.total_count == 0.0:  # no failure is waited for: no success before it
        return -np.inf, 1.0, 0.0, False
    logs = c.log_failure, c.log_success
    return incomplete_beta.beta_tails(c.total_count, np.floor(x) + 1.0, c.failure, c.success, *logs)


def _cdf(x: float, c: _Constants) -> Any:
    return incomplete_gamma.both_tails(_tails(x, c))


def _log_cdf(x: float, c: _Constants) -> Any:
    return incomplete_gamma.logs_of_both_tails(_tails(x, c))


@scalar
def _constants_of_rate(parameters: Any) -> Any:
    return poisson_constants(parameters[0])


_by_attempts = ByAttempts(poisson_attempt, POISSON)
# Draws that are mixed together: their constants stay in the cache.
_BLOCK = 8192


class _GammaPoisson(Sampler):
    """A draw is a Poisson draw whose rate is a gamma draw of shape r and scale p / (1 - p)."""

    def __init__(self, by_logits: bool) -> None:
        self._by_logits = by_logits

    @cached_property
    def _constants_of_rates(self) -> Any:
        return table(_constants_of_rate, 1)

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        if not out.size:
            return
        rows = tile_rows(elements)
        count, given = parameters
        with np.errstate(all="ignore"):
            failure_odds = np.exp(-given) if self._by_logits else (1.0 - given) / given
            failure_odds = np.where(count > 0, failure_odds, 1.0)
            fill = partial(fill_gammas, key.words, int(SLOTS), first // rows, rows * elements, count)
            if failure_odds.min() >= np.finfo(float).tiny:
                fill(failure_odds, out)
            else:  # the odds of a success are no number: in logs, a small gamma draw brings them back among the numbers
                fill(np.ones_like(count), out, logs=True)
                log_odds = given if self._by_logits else -np.log(failure_odds)
                log_rates = out.reshape(-1, elements) + log_odds[:elements]
                out[:] = np.minimum(np.exp(log_rates), np.finfo(float).max).reshape(-1)
        step = rows * max(1, _BLOCK // (rows * elements))
        for row in range(0, out.size // elements, step):
            self._mix(key, first + row, elements, out[row * elements : (row + step) * elements])

    def _mix(self, key: Key, first: int, elements: int, out: FloatArray) -> None:
        """Replace rates by Poisson draws, each with constants of its own."""
        rates, constants = out.copy(), np.empty((POISSON, out.size))
        self._constants_of_rates(rates[None, :], constants)
        _by_attempts.fill(key, first, elements, constants, out)
        invert_poissons(standard_uniforms(key, first, out.size // elements, elements), rates, out)


def _page(parameter: str, constraint: Constraint, prepare: Any, by_logits: bool) -> Page:
    return page(
        parameters={"total_count": non_negative, parameter: constraint},
        support=whole,
        prepare=prepare,
        log_density=_log_density,
        score=_score,
        draw=_GammaPoisson(by_logits),
        cdf=_cdf,
        log_cdf=_log_cdf,
    )


@dataclass(frozen=True, eq=False, repr=False)
class NegativeBinomial(Counts, Odds):
    r"""The number of successes before r failures, :math:`P(k) = \frac{\Gamma(k+r)}{k!\,\Gamma(r)} p^k (1-p)^r`.

    Score: :math:`k(1-p) - r p` in `logits`, :math:`k/p - r/(1-p)` in `probs`,
    :math:`\psi(k+r) - \psi(r) + \log(1-p)` in `total_count`. The entropy has no closed form.

    Parameters
    ----------
    total_count : array_like
        The number r of failures; non-negative and finite, not only whole numbers. With 0 the count is certain to be 0.
    logits : array_like, keyword-only
        The log odds :math:`\ell` of a success, :math:`p = 1/(1+e^{-\ell})`; finite.
    probs : array_like, keyword-only
        The probability :math:`p` of a success; in [0, 1]. At 1 no count has a positive probability, and none can be
        drawn. Exactly one of the two is given; the other is computed when read.

    Examples
    --------
    >>> from mcvi.distributions import NegativeBinomial
    >>> q = NegativeBinomial(2.0, probs=0.5)
    >>> q.log_prob([0, 1])
    array([-1.38629436, -1.38629436])
    >>> q.mean(), q.variance()
    (np.float64(2.0), np.float64(4.0))
    """

    total_count: Parameter
    _: KW_ONLY
    logits: Parameter = logits_otherwise
    probs: Parameter = probs_otherwise

    discrete = True
    _page = either(
        logits=_page("logits", real, _prepare_logits, True),
        probs=_page("probs", unit_interval, _prepare_probs, False),
    )

    def _mean(self) -> Any:
        return _no_failures(self.total_count, self.total_count * self._success_odds)

    def _mode(self) -> Any:
        mode = anp.floor((self.total_count - 1.0) * self._success_odds)
        return anp.where(value_of(self.total_count) > 1, mode, 0.0)

    def _variance(self) -> Any:
        odds = self._success_odds
        return _no_failures(self.total_count, self.total_count * odds * (1.0 + odds))

    @property
    def _top(self) -> Any:
        return np.where((self.total_count > 0) & (self.probs > 0), np.inf, 0.0)

    def _descent(self, k: Any) -> Any:
        return (self.total_count + k) * (self.probs if self._by_logits else 1.0 / self._failure)


def _no_failures(total_count: Any, moment: Any) -> Any:
    return anp.where(value_of(total_count) > 0, moment, 0.0)  # 0 failures wanted: no trial, whatever the odds


@register_kl(NegativeBinomial, NegativeBinomial)
def kl_negative_binomial_negative_binomial(p: NegativeBinomial, q: NegativeBinomial) -> Any:
    """Return that of the trials up to one failure, times the number of failures."""
    require_equal(p, q, "total_count")
    some = value_of(p.total_count) > 0
    one = trials_kl(p._log_failure, q._log_failure, p._log_success, q._log_success)
    return where(some, p.total_count * where(some, one, 0.0), 0.0)
