"""The score terms of a surrogate loss: the nodes that have one, and the advantage of each."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from mcvi._autograd import has_ended, is_traced, value_of
from mcvi.distributions import Distribution
from mcvi.stochastic._axes import extra_axes, spread, summed_to
from mcvi.stochastic._estimators.score_function import ScoreEstimator
from mcvi.stochastic._graph.dependencies import checked_losses, downstream, indices_of
from mcvi.stochastic._graph.nodes import BaseStochasticTensor
from mcvi.stochastic._graph.trace import derivative_levels, parameter_boxes, without_graph
from mcvi.stochastic._jumps import jumps

__all__ = ["Collected", "MissingGradientWarning", "Term", "collected", "estimator_of"]


class MissingGradientWarning(UserWarning):
    """A loss depends on a node whose gradient the surrogate loss leaves out, or on no node."""


@dataclass(frozen=True)
class Term:
    """The score of a node times its advantage.

    Parameters
    ----------
    inputs : dict
        What is differentiated: the traced parameters of the family by their names, where it sums weighted scores by
        itself (`family`); else ``{"log_prob": ...}``.
    shape : tuple
        The shape of the log probability.
    loss : array
        The sum of the losses downstream.
    advantage : array or None
        Shaped like a loss; None where a caller's estimator made the whole term, which is then the `log_prob`.
    """

    node: Any
    inputs: dict[str, Any]
    shape: tuple[int, ...]
    loss: Any
    advantage: Any
    family: Distribution | None = None

    @property
    def draws_in_front(self) -> bool:
        """True if the draws are an axis of the value alone, so that several have the same distribution."""
        q = self.node.distribution
        return np.ndim(value_of(self.node)) > len(q.batch_shape) + len(q.event_shape)

    def second_order(self) -> "Term | None":
        """Return the term that has the estimator's second-order advantage, where it has one."""
        advantage_fn = getattr(estimator_of(self.node), "second_order", None)
        return None if advantage_fn is None else replace(self, advantage=advantage_fn(self.loss))

    @property
    def of_losses(self) -> bool:
        """True if leaving out draws changes the advantages of the others."""
        return getattr(estimator_of(self.node), "of_losses", False)

    def without(self, rows: slice) -> "Term":
        """Return the term of the other draws."""
        if not self.of_losses:
            return self
        others = np.delete(np.arange(len(self.loss)), rows)
        advantage = np.zeros(np.shape(self.loss))
        advantage[others] = estimator_of(self.node).advantage(self.node, self.loss[others])
        return replace(self, advantage=advantage)

    def pull_back(self, g: Any) -> dict[str, Any]:
        """Return the derivative of ``sum(g * term)`` in each of the inputs; `g` is shaped like a loss."""
        if self.advantage is None:
            return {"log_prob": g}
        weights = np.asarray(self.advantage * g)
        if self.family is None:
            return {"log_prob": spread(np.broadcast_to(weights, np.shape(g)), self.shape)}
        value = value_of(self.node)
        if weights.size == 1:
            return self.family.weighted_score(value, weights.reshape((1,) * len(self.shape)))
        if self.draws_in_front and not (np.any(weights[0]) and np.any(weights[-1])):
            # the derivative of a group of draws: those before and after it weigh nothing
            rows = np.flatnonzero(weights.reshape(len(weights), -1).any(axis=1))
            within = slice(rows[0], rows[-1] + 1) if rows.size else slice(1)
            value, weights = value[within], weights[within]
        behind = (1,) * (len(self.shape) - weights.ndim)
        return self.family.weighted_score(value, weights.reshape(weights.shape + behind))


@dataclass(frozen=True)
class Collected:
    """The losses, what autograd differentiates, and the nodes that need a term, with the losses downstream as bits."""

    losses: list[Any]
    nodes: list[tuple[Any, int]]
    sums: dict[int, Any]
    #: Every node upstream, whether it needs a term or not.
    upstream: list[Any]
    #: What is missing from the gradient, in sentences to be warned of.
    missing: list[str]

    @property
    def compares_draws(self) -> bool:
        """True if the advantage of a draw may depend on the losses of other draws."""
        return not all(getattr(estimator_of(node), "plain", False) for node, _ in self.nodes)

    @property
    def learning(self) -> list[Any]:
        """The nodes whose baselines learn from the losses."""
        nodes = [node for node, _ in self.nodes if getattr(estimator_of(node), "observe", None) is not None]
        return [node for node in nodes if _has_traced_parameters(node)]

    @property
    def total(self) -> Any:
        """The sum of the losses."""
        return reduce(add, self.losses)

    def terms(self) -> list[Term]:
        """Return the terms of the nodes whose parameters autograd traces: the others have no derivative to give."""
        terms = (_term(node, self.sums[bits], self.shape) for node, bits in self.nodes if _has_traced_parameters(node))
        return [term for term in terms if term is not None]

    def arrays(self) -> list[Any]:
        """Return the terms as arrays of the form ``tf1``: each node's log probability times its advantage."""
        arrays = []
        for node, bits in self.nodes:
            estimator, loss = estimator_of(node), self.sums[bits]
            if isinstance(estimator, ScoreEstimator):
                arrays.append(without_graph(estimator.term(node, value_of(node), estimator.advantage(node, loss))))
            else:
                arrays.append(_own_term(node, loss, self.shape))
        self.observe()
        return [array for array in arrays if array is not None]

    def levels(self) -> frozenset[float]:
        """Return the numbers of the derivatives that are being taken of the losses and the nodes' parameters."""
        boxes = [box for node, _ in self.nodes for box in parameter_boxes(node.distribution)]
        return frozenset().union(*map(derivative_levels, [*self.losses, *boxes]))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of every loss."""
        return np.shape(value_of(self.losses[0]))

    def observe(self) -> None:
        """Update the baselines, once every node has its advantage: none may have seen the present losses."""
        downstream_of = dict(self.nodes)
        for node in self.learning:
            estimator_of(node).observe(node, self.sums[downstream_of[node]])


def collected(sample_losses: Any, stochastic_tensors: Iterable[BaseStochasticTensor] | None = None) -> Collected:
    """Check the losses and find the nodes that need a term."""
    losses = checked_losses(sample_losses)
    fed = downstream(losses)
    found: list[str] = []
    if not fed:
        found.append("the losses depend on no stochastic node: the surrogate loss is their sum.")
    asked = _asked_for(fed, stochastic_tensors, found)
    nodes = [(node, bits) for node, bits in asked.items() if _needs_term(node, found)]
    for node, _ in nodes:
        _check_alive(node)
    found += jumps(losses, fed)
    losses = [without_graph(loss) for loss in losses]
    sums = _downstream_sums([np.asarray(value_of(loss)) for loss in losses], nodes)
    return Collected(losses, nodes, sums, list(fed), found)


def _check_alive(node: Any) -> None:
    if any(has_ended(level) for box in parameter_boxes(node.distribution) for level in derivative_levels(box)):
        raise ValueError(
            f"{node.name} was made inside a derivative that has ended: make it inside the function to differentiate."
        )


def _asked_for(
    fed: dict[BaseStochasticTensor, int], asked: Iterable[BaseStochasticTensor] | None, found: list[str]
) -> dict[BaseStochasticTensor, int]:
    listed = [] if asked is None else list(asked)
    for index, node in enumerate(listed):
        if not isinstance(node, BaseStochasticTensor):
            got = type(node).__name__
            raise TypeError(f"stochastic_tensors must hold stochastic nodes; got {got} at index {index}.")
    wanted = set(map(id, listed))
    if not wanted:
        return fed
    for node in fed:
        if id(node) not in wanted and getattr(node, "wants_score", False):
            found.append(
                f"{node.name} is upstream of a loss but not in stochastic_tensors: its part of the gradient is missing."
            )
    return {node: bits for node, bits in fed.items() if id(node) in wanted}


def _needs_term(node: Any, found: list[str]) -> bool:
    """Tell whether a node needs a score term; one that needs it and has no estimator is reported."""
    if not getattr(node, "wants_score", True):
        return False
    if getattr(node, "loss_fn", True) is not None:
        return True
    if not node.value_type.stop_gradient:
        found.append(f"{node.name} has loss_fn=None and no pathwise derivative: its part of the gradient is missing.")
    return False


def _downstream_sums(losses: list[Any], nodes: list[tuple[Any, int]]) -> dict[int, Any]:
    """Return the sum of the losses for every set of losses that some node feeds.

    A set that holds the one before it only adds the difference: linear in the length of a chain.
    """
    sums: dict[int, Any] = {}
    last, total = 0, None
    for bits in sorted({bits for _, bits in nodes}, key=int.bit_count):
        if last & bits != last:
            last, total = 0, None
        new = [losses[index] for index in indices_of(bits & ~last)]
        total = reduce(add, new if total is None else [total, *new])
        sums[bits], last = total, bits
    return sums


def _has_traced_parameters(node: Any) -> bool:
    return any(map(derivative_levels, parameter_boxes(node.distribution)))


def estimator_of(node: Any) -> Any:
    """Return what makes a node's term; a caller's own kind of node need not have it, and gives `loss` itself."""
    return getattr(node, "loss_fn", None)


def _own_term(node: Any, loss: Any, shape: tuple[int, ...]) -> Any:
    term = node.loss(loss)
    return None if term is None else summed_to(without_graph(term), shape, node.name)


def _term(node: Any, loss: Any, shape: tuple[int, ...]) -> Term | None:
    estimator = estimator_of(node)
    if not isinstance(estimator, ScoreEstimator):  # a caller's own: the term itself
        term = _own_term(node, loss, shape)
        return None if term is None else Term(node, {"log_prob": term}, shape, loss, None)
    inputs, term_shape, family = _inputs(node)
    extra_axes(term_shape, shape, node.name)
    return Term(node, inputs, term_shape, loss, estimator.advantage(node, loss), family)


def _inputs(node: Any) -> tuple[dict[str, Any], tuple[int, ...], Distribution | None]:
    family = node.distribution
    if isinstance(family, Distribution) and family.differentiates_by("_weighted_score"):
        # The log probability itself is not needed, only its derivative.
        held = {name: without_graph(value) for name, value in family.parameters.items()}
        if not any(hasattr(value, "log_prob") for value in held.values()):
            shape = np.shape(value_of(node))
            traced = {name: value for name, value in held.items() if is_traced(value)}
            return traced, shape[: len(shape) - len(family.event_shape)], family
    log_prob = without_graph(family.log_prob(value_of(node)))
    return {"log_prob": log_prob}, np.shape(value_of(log_prob)), None
