"""The multinomial distribution."""

from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of, where
from mcvi._kernels.compiler.elementwise import elementwise
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws.counts import multinomials
from mcvi._kernels.functions.log_pmf import is_count, log_poisson
from mcvi._kernels.sums.rows import group_sums
from mcvi._typing import FloatArray, Parameter
from mcvi.distributions._base.category_probabilities import CategoryProbabilities, logits_otherwise, probs_otherwise
from mcvi.distributions._base.constraints import Constraint, counts_of, whole
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import widen
from mcvi.distributions._functions.kl_terms import deviance, relative_entropy
from mcvi.distributions.binomial import Binomial
from mcvi.random import Key

__all__ = ["Multinomial"]

# The entropy is a sum over so many pairs of a category and a count at most.
_MOST_PAIRS = 2**20


@scalar
def _term(x: float, constants: Any) -> Any:
    """Return the log probability of a Poisson count of the given mean and its relative rounding error."""
    mean, error, log_mean = constants
    inside = log_poisson(x, mean, log_mean) + (x - mean) * error
    inside = inside if is_count(x) else -np.inf
    return inside if x == x else x


_terms = elementwise(_term, 3)


@dataclass(frozen=True, eq=False, repr=False)
class Multinomial(CategoryProbabilities, compiled=True):
    r"""The counts of K categories in n trials, :math:`P(x) = n! \prod_i p_i^{x_i} / x_i!` for :math:`\sum_i x_i = n`.

    With :math:`p_i = e^{\ell_i} / \sum_j e^{\ell_j}` the score is :math:`x_i - n p_i` in `logits`, and
    :math:`x_i / p_i - n` in `probs` (as renormalised); `total_count` is a whole number and has none. The Fisher
    information is :math:`n (\operatorname{diag}(p) - p p^\top)` in `logits`, and
    :math:`n (\operatorname{diag}(1/p) - 1)` in `probs`.

    The counts are independent Poisson counts of means :math:`n p_i`, given that they sum to n. The log probability is
    computed so, in saddle-point form, and keeps its digits for :math:`n = 10^{10}`. The entropy is a sum over the
    binomial distributions of the counts, where these have no more than a million values.

    Parameters
    ----------
    total_count : array_like ``(...)``
        The number n of trials; a whole number, 0 or more.
    logits : array_like ``(..., K)``, keyword-only
        Log probabilities :math:`\ell` up to a constant; numbers or -inf (a category that cannot occur), not all -inf.
    probs : array_like ``(..., K)``, keyword-only
        Probabilities :math:`p`, which sum to one within 1e-6 and are then renormalised. Exactly one of the two is
        given; the other is computed when read.

    References
    ----------
    C. Loader, "Fast and accurate computation of binomial probabilities", 2000.

    Examples
    --------
    >>> from mcvi.distributions import Multinomial
    >>> q = Multinomial(5, probs=[0.2, 0.3, 0.5])
    >>> q.mean()
    array([1. , 1.5, 2.5])
    >>> q.log_prob([[1, 1, 3], [2, 2, 2]])
    array([-1.89711998,        -inf])
    """

    total_count: Parameter
    _: KW_ONLY
    logits: Parameter = logits_otherwise
    probs: Parameter = probs_otherwise

    discrete = True
    constraints = {"total_count": whole, **CategoryProbabilities.constraints}

    @property
    def support(self) -> Constraint:
        """Vectors of counts that sum to `total_count`."""
        return counts_of("total_count").at(self.parameters)

    @property
    def _trials(self) -> Any:
        """The number of trials, with an axis of length 1 for the categories."""
        return anp.reshape(self.total_count, (*np.shape(value_of(self.total_count)), 1))

    def _fill(self, key: Key, first: int, out: FloatArray) -> None:
        plain = self.untraced
        p = np.broadcast_to(plain._probabilities, (*self.batch_shape, self._size)).reshape(-1, self._size)
        # From the last category on, so that what is left for it keeps its digits.
        left = np.cumsum(p[:, ::-1], axis=1)[:, ::-1]
        after = np.concatenate([left[:, 1:], np.zeros((len(p), 1))], axis=1)
        some = np.where(left > 0.0, left, 1.0)
        n = self._held("total_count").reshape(-1)
        multinomials(*key.words, first * n.size, n, p / some, np.where(left > 0.0, after / some, 1.0), out)

    @cached_property
    def _extended(self) -> tuple[Any, Any]:
        """The probabilities and their complements in extended precision, where the machine has it.

        The rounding error of a probability counts n times.
        """
        given = np.asarray(self.parameters[self._given], np.longdouble)
        with np.errstate(under="ignore"):
            weights = np.exp(given - given.max(axis=-1, keepdims=True)) if self._given == "logits" else given
            total = weights.sum(axis=-1, keepdims=True)
            large = weights > 0.5 * total
            others = np.where(large, 0.0, weights).sum(axis=-1, keepdims=True)
            return weights / total, np.where(large, others, total - weights) / total

    @cached_property
    def _means(self) -> tuple[FloatArray, FloatArray]:
        """The means ``n p`` as rounded numbers, and what these lack."""
        exact = self._trials * self._extended[0]
        means = exact.astype(np.float64)
        return means, (exact - means).astype(np.float64)

    @cached_property
    def _constants(self) -> tuple[FloatArray, FloatArray]:
        """The constants of the terms, and the log probability of each member that Poisson counts sum to n."""
        means, lacks = self._means
        with np.errstate(all="ignore"):
            log_means = np.log(self._trials) + self._log_probabilities
            errors = np.where(means > 0.0, lacks / means, 0.0)
        columns = np.stack(np.broadcast_arrays(means, errors, log_means)).reshape(3, -1)
        return widen(columns), _log_poisson_at_its_mean(self._held("total_count"))

    def _density(self, value: FloatArray) -> FloatArray:
        (columns, log_sum), n = self._constants, self._trials
        terms, totals, out = np.empty(value.shape), np.empty(value.shape[:-1]), np.empty(value.shape[:-1])
        _terms(value.reshape(-1), columns, terms.reshape(-1))
        group_sums(value.reshape(-1), totals.reshape(-1))
        group_sums(terms.reshape(-1), out.reshape(-1))
        possible = totals == n[..., 0]
        out = np.where(possible | np.isnan(out), out - log_sum, -np.inf)
        # All trials in one category: the sum would keep no digit of a probability near 1.
        alone = (value == n) & (n > 0.0) & possible[..., None]
        if alone.any():
            certain = np.sum(n * np.where(alone, self._log_probabilities, 0.0), axis=-1)
            out = np.where(alone.any(axis=-1), certain, out)
        return out

    def _scores(self, value: FloatArray) -> dict[str, Any]:
        (p, q), n = self._extended, self._trials
        excess = np.where(p > 0.5, n * q - (n - value), value - n * p).astype(np.float64)
        if self._given == "probs":
            excess = np.where(value == 0.0, -n, excess / self._probabilities)
        possible = self.support.contains(value)[..., None]
        unknown = np.where(np.isnan(value).any(axis=-1, keepdims=True), np.nan, 0.0)
        score = np.where(possible, excess, unknown)
        return {"value": np.zeros(score.shape), self._given: score}

    def _fisher(self) -> Any:
        plain = self.untraced
        return plain._trials[..., None] * plain._one_trial_fisher()

    def _mean(self) -> Any:
        return self._trials * self._probabilities

    def _mode(self) -> Any:
        plain = self.untraced
        means, lacks = plain._means
        p = np.broadcast_to(plain._probabilities, (*self.batch_shape, self._size))
        # A mode is at least floor(n p); each trial that is left goes where its probability grows most.
        counts = np.floor(means) - ((means == np.floor(means)) & (lacks < 0.0))
        counts = np.array(np.broadcast_to(np.maximum(counts, 0.0), p.shape))
        for _ in range(self._size):
            some = counts.sum(axis=-1, keepdims=True) < plain._trials
            best = np.argmax(p / (counts + 1.0), axis=-1)[..., None]
            counts += some & (np.arange(self._size) == best)
        return counts

    def _variance(self) -> Any:
        return self._trials * (self._probabilities * self._complements)

    def _covariance(self) -> Any:
        return self._trials[..., None] * self._one_trial_covariance()

    def _entropy(self) -> Any:
        n = np.asarray(value_of(self.total_count))
        counts = np.arange(np.max(n, initial=0.0) + 1.0)
        if counts.size * self.elements > _MOST_PAIRS:
            raise self._lacks(f"closed-form entropy for a total_count of {n.max():.6g}")
        counts = counts.reshape(-1, *(1,) * (len(self.batch_shape) + 1))
        p, q = self._probabilities, self._complements
        rarer = value_of(p) <= 0.5
        # A probability near 1 would be drawn near 0 with the digits that it lacks: count the failures instead.
        some = np.where(rarer, counts, n[..., None] - counts)
        weights = anp.exp(Binomial(n[..., None], probs=where(rarer, p, q)).log_prob(some))
        means = where(value_of(weights) > 0.0, n[..., None] * p, 1.0)  # 0 times an infinite deviance would be nan
        # What all counts together lack, log P(n), is subtracted where it cancels: in the most probable category.
        top = np.argmax(value_of(p), axis=-1)[..., None] == np.arange(self._size)
        peaks = _log_poisson_at_its_mean(counts) - top * _log_poisson_at_its_mean(n)[..., None]
        terms = weights * (deviance(counts + 0.0 * value_of(means), means) - peaks)
        return anp.sum(anp.sum(terms, axis=0), axis=-1)


def _log_poisson_at_its_mean(n: FloatArray) -> FloatArray:
    """Return the log probability of a Poisson count that is its mean."""
    flat, out = np.ascontiguousarray(n, np.float64).reshape(-1), np.empty(n.size)
    with np.errstate(divide="ignore"):
        _terms(flat, widen(np.stack([flat, np.zeros(n.size), np.log(flat)])), out)
    return out.reshape(n.shape)


@register_kl(Multinomial, Multinomial)
def kl_multinomial_multinomial(p: Multinomial, q: Multinomial) -> Any:
    """Return that of one trial, times the number of trials; inf where these numbers differ."""
    one = anp.sum(relative_entropy(p._log_probabilities, q._log_probabilities), axis=-1)
    n = value_of(p.total_count)
    some = n > 0
    total = where(some, n * where(some, one, 0.0), 0.0)
    return where(n == value_of(q.total_count), total, np.inf)
