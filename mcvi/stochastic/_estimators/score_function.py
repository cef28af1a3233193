"""The score-function estimators: the advantage that multiplies the score of a node."""

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
    "leave_one_out",
    "score_function",
]

Advantage = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class ScoreEstimator:
    """``log_prob(value) * stop_gradient(advantage(node, loss))``: the term of one node in a surrogate loss.

    `advantage_fn` takes the node and the sum of the losses downstream of it, as plain numbers, and returns what
    multiplies the score. `observe`, if there is one, is given the loss once every node of a surrogate loss has its
    advantage.
    """

    label: str
    advantage_fn: Advantage
    observe: Callable[[Any, Any], None] | None = None
    #: True if the advantage is the loss up to a constant, so that higher derivatives are known, and draws are not
    #: compared with each other.
    plain: bool = False
    #: ``second_order(loss)``: what multiplies the scores whose squares make the second-order part of the variance.
    second_order: Callable[[Any], Any] | None = None
    #: True if the advantage is a function of the losses alone that is not linear in those of the other draws: its part
    #: in a standard error is found by leaving draws out.
    of_losses: bool = False

    def __call__(self, stochastic_tensor: Any, value: Any, loss: Any, baseline: Any = None) -> Any:
        """Return the term for a `loss` (and a `baseline` to subtract, if the estimator brings none)."""
        held = np.asarray(value_of(loss))
        advantage = self.advantage(stochastic_tensor, held)
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

    def advantage(self, node: Any, loss: Any) -> Any:
        """Return the advantage for a loss of plain numbers, shaped like it."""
        advantage = _fitting(self.advantage_fn(node, loss), loss, node, "advantage")
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


def leave_one_out_advantage(stochastic_tensor: Any, loss: Any) -> Any:
    r"""Return :math:`f_i - \frac1{n-1}\sum_{j\ne i} f_j` along the first axis."""
    held = np.asarray(value_of(loss), np.float64)
    if held.ndim == 0 or held.shape[0] < 2:
        raise ValueError(
            f"{stochastic_tensor.name}: leave_one_out needs at least 2 draws on the first axis of the loss; "
            f"got shape {held.shape}."
        )
    n = held.shape[0]
    return (held - held.mean(axis=0)) * (n / (n - 1))


def _deviation(loss: Any) -> Any:
    r"""Return the standard deviation of the loss, for every draw.

    The leave-one-out gradient is the mean of :math:`(f_i - f_j)(s_i - s_j)/2` over pairs. Where the mean over j is the
    same for every i, as for one bit with even odds, the variance of a gradient from n draws is of second order,
    :math:`(\mathrm{Var} f\, \mathrm{Var} s + \mathrm{Cov}(f, s)^2) / n(n-1)`, at most
    :math:`2\,\mathrm{Var} f\,\mathrm{Var} s / n(n-1)`. Hoeffding (1948).
    """
    return np.broadcast_to(np.std(np.asarray(loss, np.float64), axis=0, ddof=1), np.shape(loss))


#: The score function with the mean of the other draws for a baseline (RLOO, VarGrad). Unbiased where the loss of a draw
#: depends on that draw alone, along the first axis. Salimans & Knowles (2014); Kool, van Hoof, Welling (2019).
leave_one_out = ScoreEstimator("score function, leave-one-out", leave_one_out_advantage, second_order=_deviation)


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
    """Return the score function with ``advantage_fn(node, loss)`` in the place of the loss.

    A function of the losses alone may say so by an attribute, ``advantage_fn.of_losses = True``. The standard errors of
    `value_and_grad` then count that the advantages change with the losses of other draws.
    """
    _checks.function(advantage_fn, "advantage_fn")
    label = name or f"score function, advantage {getattr(advantage_fn, '__name__', repr(advantage_fn))}"
    return ScoreEstimator(label, advantage_fn, of_losses=bool(getattr(advantage_fn, "of_losses", False)))
