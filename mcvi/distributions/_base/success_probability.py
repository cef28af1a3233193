"""A success probability, given as `probs` or as its log odds, `logits`."""

from typing import Any, NamedTuple

import scipy
from autograd import numpy as anp

from mcvi import math
from mcvi._autograd import differentiable, value_of, where
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.functions import elementary
from mcvi._kernels.functions.exp_pair import sigmoid_pair
from mcvi._typing import Parameter
from mcvi.distributions._base.alternatives import otherwise
from mcvi.distributions._base.univariate import Univariate
from mcvi.distributions._functions.kl_terms import log_complement, relative_entropy, safe_log

__all__ = [
    "Odds",
    "Trial",
    "binary_kl",
    "logits_otherwise",
    "of_logits",
    "of_probs",
    "probs_otherwise",
    "success_and_low",
    "trials_kl",
]


class Trial(NamedTuple):
    """The log probabilities of success and failure, and their derivatives in the parameter that was given."""

    log_success: float
    log_failure: float
    in_success: float
    in_failure: float


@scalar
def of_logits(logits: float) -> Trial:
    """Return the constants of a trial from the log odds of a success."""
    # One exp and one log1p serve all four; neither is ever of a large number.
    small = elementary.exp(-abs(logits))
    tail = elementary.log1p_unit(small)
    inside, outside = 1.0 / (1.0 + small), small / (1.0 + small)
    if logits < 0.0:
        return Trial(logits - tail, -tail, inside, -outside)
    return Trial(-tail, -logits - tail, outside, -inside)


@scalar
def of_probs(probs: float) -> Trial:
    """Return the constants of a trial from the probability of a success."""
    return Trial(elementary.log(probs), elementary.log1p(-probs), 1.0 / probs, -1.0 / (1.0 - probs))


@scalar
def success_and_low(logits: float) -> Any:
    """Return the probabilities of success and of failure, and the low-order part of the first.

    The smaller one of the two probabilities is the leading part of a pair. Less the low-order part belongs to that of a
    failure, since they sum to 1.
    """
    small, low = sigmoid_pair(-abs(logits))
    return (small, 1.0 - small, low) if logits < 0.0 else (1.0 - small, small, -low)


def _logits(distribution: Any) -> Any:
    return math.log(distribution.probs) - math.log1p(-distribution.probs)


def _probs(distribution: Any) -> Any:
    return math.sigmoid(distribution.logits)


#: Defaults of the two fields.
logits_otherwise = otherwise(_logits)
probs_otherwise = otherwise(_probs)


class Odds(Univariate):
    """A family with a probability of success, given as `logits` or as `probs`.

    Each of these is accurate in the parameter that was given: a failure is not one minus a rounded success.
    """

    logits: Parameter
    probs: Parameter

    @property
    def _by_logits(self) -> bool:
        return "logits" in self.parameters

    @property
    def _failure(self) -> Any:
        return math.sigmoid(-self.logits) if self._by_logits else 1.0 - self.probs

    @property
    def _log_success(self) -> Any:
        return -math.softplus(-self.logits) if self._by_logits else safe_log(self.probs)

    @property
    def _log_failure(self) -> Any:
        return -math.softplus(self.logits) if self._by_logits else log_complement(self.probs)

    @property
    def _success_odds(self) -> Any:
        """P / (1 - p); inf where p is 1."""
        return math.exp(self.logits) if self._by_logits else self.probs / self._failure

    @property
    def _failure_odds(self) -> Any:
        """(1 - p) / p; inf where p is 0."""
        return math.exp(-self.logits) if self._by_logits else self._failure / self.probs

    def _binary_entropy(self) -> Any:
        """Return ``-p log p - (1 - p) log(1 - p)``; 0 at both ends."""
        if self._by_logits:
            size = abs(self.logits)
            # Not softplus(l) - l sigmoid(l), which cancels for large l.
            return math.softplus(-size) + size * math.sigmoid(-size)
        return _entropy_of_probs(self.probs)


@differentiable(lambda ans, probs: math.log1p(-probs) - math.log(probs))
def _entropy_of_probs(probs: Any) -> Any:
    return 0.0 - scipy.special.xlogy(probs, probs) - scipy.special.xlog1py(1.0 - probs, -probs)


def binary_kl(p: Odds, q: Odds) -> Any:
    """Return the Kullback-Leibler divergence of one trial: of its success and of its failure."""
    success = relative_entropy(p._log_success, q._log_success)
    return success + relative_entropy(p._log_failure, q._log_failure)


def trials_kl(log_p: Any, log_q: Any, other_log_p: Any, other_log_q: Any) -> Any:
    """Return the divergence of the trials up to the first outcome of a kind: that of one trial, over the chance of it.

    The arguments are the logs of its chance, in p and in q, and those of the chance of the other outcome.
    """
    p = anp.exp(log_p)
    rare = value_of(p) == 0  # one in more than 1e308: the other outcome is certain in both
    other = relative_entropy(other_log_p, other_log_q) / where(rare, 1.0, p)
    return relative_entropy(0.0, log_q - log_p) + where(rare, 0.0, other)
