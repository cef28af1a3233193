"""The binomial distribution."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar

import numpy as np
import scipy
from autograd import numpy as anp

from mcvi._autograd import value_of, where
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws.counts import BINOMIAL, binomial_attempt, binomial_constants, binomial_sums
from mcvi._kernels.functions import elementary, special
from mcvi._kernels.functions.log_pmf import is_count, log_binomial
from mcvi.distributions._base.alternatives import either
from mcvi.distributions._base.counts import Counts, CountSampler
from mcvi.distributions._base.kl import register_kl, require_equal
from mcvi.distributions._base.page import Maths
from mcvi.distributions._base.success_probability import (
    Odds,
    binary_kl,
    logits_otherwise,
    of_logits,
    of_probs,
    probs_otherwise,
)

__all__ = ["Binomial"]


@scalar
def _prepare_logits(parameters: Any) -> Any:
    n, logits = parameters
    log_p, log_q, q, minus_p = of_logits(logits)
    return n, -minus_p, q, log_p, log_q, 1.0


@scalar
def _prepare_probs(parameters: Any) -> Any:
    n, p = parameters
    log_p, log_q, _, _ = of_probs(p)
    return n, p, 1.0 - p, log_p, log_q, 1.0 / (p * (1.0 - p))


@scalar
def _log_density(x: float, constants: Any) -> Any:
    n, p, q, log_p, log_q, _ = constants
    inside = log_binomial(x, n, p, q, log_p, log_q)
    inside = inside if is_count(x) & (x <= n) else -np.inf
    return inside if x == x else x


@scalar
def _score(x: float, constants: Any) -> Any:
    n, p, q, _, log_q, factor = constants
    possible = is_count(x) & (x <= n)
    # The smaller of p and q is the one that is not one minus a rounded number.
    excess = x - n * p if p <= 0.5 else n * q - (n - x)
    slope = excess * factor
    # 0 times infinity, for probs of 0 and of 1: the limit from inside.
    slope = -n if (x == 0.0) & (factor == np.inf) & (p == 0.0) else slope
    slope = n if (x == n) & (factor == np.inf) & (q == 0.0) else slope
    in_count = special.digamma_rise(n - x + 1.0, x) + log_q
    in_count = in_count if possible else 0.0
    slope = slope if possible else 0.0
    return 0.0, in_count if x == x else x, slope if x == x else x


@scalar
def _constants_of_logits(parameters: Any) -> Any:
    n, logits = parameters
    return binomial_constants(n, elementary.sigmoid(logits), elementary.sigmoid(-logits))


@scalar
def _constants_of_probs(parameters: Any) -> Any:
    n, p = parameters
    return binomial_constants(n, p, 1.0 - p)


def _page(prepare: Any, sampler_constants: Any) -> Maths:
    return Maths(
        parameters=2,
        constants=6,
        prepare=prepare,
        log_density=_log_density,
        score=_score,
        sampler=CountSampler(sampler_constants, 2, BINOMIAL, binomial_attempt, binomial_sums),
    )


@dataclass(frozen=True, eq=False, repr=False)
class Binomial(Counts, Odds):
    r"""The number of successes in n trials, :math:`P(k) = \binom{n}{k} p^k (1-p)^{n-k}`, :math:`p = 1/(1+e^{-\ell})`.

    Score: :math:`k - n p` in `logits`, :math:`k/p - (n-k)/(1-p)` in `probs`,
    :math:`\psi(n+1) - \psi(n-k+1) + \log(1-p)` in `total_count` as if it were real. The entropy has no closed form.

    Parameters
    ----------
    total_count : array_like
        How many trials n; a whole number, 0 or more.
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

    total_count: Any
    _: KW_ONLY
    logits: Any = logits_otherwise
    probs: Any = probs_otherwise

    discrete = True
    _rules: ClassVar = {"total_count": "whole", "logits": "finite", "probs": "probability"}
    _maths = either(
        logits=_page(_prepare_logits, _constants_of_logits),
        probs=_page(_prepare_probs, _constants_of_probs),
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

    def _lower(self, k: Any) -> Any:
        rest = np.maximum(self.total_count - k, 0.0)
        return np.where(rest > 0, scipy.special.betainc(np.where(rest > 0, rest, 1.0), k + 1.0, self._failure), 1.0)

    def _upper(self, k: Any) -> Any:
        rest = np.maximum(self.total_count - k, 0.0)
        return np.where(rest > 0, scipy.special.betainc(k + 1.0, np.where(rest > 0, rest, 1.0), self.probs), 0.0)

    def _descent(self, k: Any) -> Any:
        return (self.total_count - k) * (self.probs if self._by_logits else 1.0 / self._failure)


@register_kl(Binomial, Binomial)
def kl_binomial_binomial(p: Binomial, q: Binomial) -> Any:
    require_equal(p, q, "total_count")
    some = value_of(p.total_count) > 0
    return where(some, p.total_count * where(some, binary_kl(p, q), 0.0), 0.0)
