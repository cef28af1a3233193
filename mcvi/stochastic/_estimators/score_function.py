"""The score-function estimator and its relatives: what is multiplied with the score at a node."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcvi import _checks
from mcvi._autograd import value_of
from mcvi.stochastic._axes import spread, summed_to

__all__ = [
    "ScoreEstimator",
    "get_score_function_with_advantage",
    "get_score_function_with_baseline",
    "get_score_function_with_constant_baseline",
    "score_function",
]

Advantage = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class ScoreEstimator:
    """``log_prob(value) * stop_gradient(advantage(node, loss))``: the term of one node in a surrogate loss.

    `advantage` takes the node and the sum of the losses downstream of it, as plain numbers, and returns the factor of
    the score. `observe`, if there is one, is told the loss after every node of a surrogate loss has had its advantage.
    """

    label: str
    advantage: Advantage
    observe: Callable[[Any, Any], None] | None = None
    #: Whether the advantage is the loss up to a constant, so that higher derivatives are known.
    plain: bool = False

    def __call__(self, stochastic_tensor: Any, value: Any, loss: Any, baseline: Any = None) -> Any:
        """Return the term for a `loss` (and a `baseline` to subtract, if the estimator brings none)."""
        held = np.asarray(value_of(loss))
        advantage = self.weight(stochastic_tensor, held)
        if baseline is not None:
            advantage = np.broadcast_to(advantage - value_of(baseline), held.shape)
        term = self.term(stochastic_tensor, value, advantage)
        if self.observe is not None:
            self.observe(stochastic_tensor, held)
        return term

    def term(self, node: Any, value: Any, advantage: Any) -> Any:
        """Return the log probability times an advantage shaped like a loss."""
        shape = np.shape(advantage)
        return summed_to(node.distribution.log_prob(value), shape, node.name) * spread(advantage, shape)

    def weight(self, node: Any, loss: Any) -> Any:
        """Return the advantage for a loss of plain numbers, shaped like it."""
        advantage = _fitting(self.advantage(node, loss), loss, node, "advantage")
        return np.broadcast_to(advantage, np.shape(loss))

    def __repr__(self) -> str:
        return self.label


def _fitting(value: Any, loss: Any, node: Any, what: str) -> Any:
    """Return a baseline or an advantage as real numbers that broadcast to the loss."""
    owner = getattr(node, "name", "loss_fn")
    held = _checks.real_array(value_of(value), f"{owner}: what its {what} returned")
    _checks.broadcasts_to(np.shape(held), np.shape(loss), f"{owner}: its {what}", "the shape of the loss,")
    return held


def _raw(node: Any, loss: Any) -> Any:
    return loss


score_function = ScoreEstimator("score function", _raw, plain=True)


def get_score_function_with_constant_baseline(baseline: Any, name: str | None = None) -> ScoreEstimator:
    """Return the score function with the loss minus a constant.

    Parameters
    ----------
    baseline : float or array that broadcasts against the loss
        May be computed from parameters, never from the node's own draws; its derivative is not taken.
    """
    held = _checks.real_array(value_of(baseline), "baseline")

    def advantage(node: Any, loss: Any) -> Any:
        return loss - _fitting(held, loss, node, "baseline")

    return ScoreEstimator(name or "score function, constant baseline", advantage, plain=True)


def get_score_function_with_baseline(
    baseline_fn: Callable[[Any, Any], Any] | None = None, name: str | None = None
) -> ScoreEstimator:
    """Return the score function with the loss minus ``baseline_fn(node, loss)``; by default `get_mean_baseline()`.

    The estimator is unbiased only if the baseline of a draw does not depend on that draw. A baseline with the methods
    ``read(node, loss)`` and ``update(node, loss)`` is updated after every node of a surrogate loss has read.
    """
    from mcvi.stochastic._estimators.baselines import get_mean_baseline

    baseline = get_mean_baseline() if baseline_fn is None else _checks.function(baseline_fn, "baseline_fn")
    read = getattr(baseline, "read", baseline)
    return ScoreEstimator(
        name or f"score function, baseline {getattr(baseline, '__name__', repr(baseline))}",
        lambda node, loss: loss - _fitting(read(node, loss), loss, node, "baseline"),
        getattr(baseline, "update", None),
    )


def get_score_function_with_advantage(advantage_fn: Advantage, name: str | None = None) -> ScoreEstimator:
    """Return the score function with ``advantage_fn(node, loss)`` in the place of the loss."""
    _checks.function(advantage_fn, "advantage_fn")
    label = name or f"score function, advantage {getattr(advantage_fn, '__name__', repr(advantage_fn))}"
    return ScoreEstimator(label, advantage_fn)
