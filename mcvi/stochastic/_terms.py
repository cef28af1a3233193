"""The score terms of a surrogate loss: which nodes have one, and what each weighs."""

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from mcvi._trace import value_of
from mcvi.stochastic._axes import extra_axes, summed_to
from mcvi.stochastic._dependencies import downstream, indices_of
from mcvi.stochastic._graph import derivative_levels, parameter_boxes, without_graph
from mcvi.stochastic._losses import checked_losses
from mcvi.stochastic._nodes import BaseStochasticTensor
from mcvi.stochastic._score_function import ScoreEstimator

__all__ = ["Collected", "MissingGradientWarning", "Term", "collected"]


class MissingGradientWarning(UserWarning):
    """A loss depends on a node whose gradient the surrogate loss leaves out, or on no node."""


@dataclass(frozen=True)
class Term:
    """A node's log probability and its weight, shaped like a loss; None where a caller's estimator made the term."""

    node: Any
    log_prob: Any
    weight: Any
    observe: Callable[[], None] | None = None


@dataclass(frozen=True)
class Collected:
    """The losses, what autograd differentiates, and the nodes that need a term, with the losses downstream as bits."""

    losses: list[Any]
    nodes: list[tuple[Any, int]]
    sums: dict[int, Any]

    @property
    def total(self) -> Any:
        """The sum of the losses."""
        return reduce(add, self.losses)

    def terms(self) -> list[Term]:
        """Return the terms of the nodes whose parameters autograd traces: the others have no derivative to give."""
        shape = np.shape(value_of(self.losses[0]))
        traced = [(node, bits) for node, bits in self.nodes if _has_traced_parameters(node)]
        return [_term(node, self.sums[bits], shape) for node, bits in traced]


def collected(
    sample_losses: Any, stochastic_tensors: Iterable[BaseStochasticTensor] | None = None, *, stacklevel: int = 3
) -> Collected:
    """Check the losses and find the nodes that need a term."""
    losses = checked_losses(sample_losses)
    fed = downstream(losses)
    found: list[str] = []
    if not fed:
        found.append("the losses depend on no stochastic node: the surrogate loss is their sum.")
    asked = _asked_for(fed, stochastic_tensors, found)
    nodes = [(node, bits) for node, bits in asked.items() if _needs_term(node, found)]
    for message in found:
        warnings.warn(message, MissingGradientWarning, stacklevel=stacklevel)
    losses = [without_graph(loss) for loss in losses]
    return Collected(losses, nodes, _downstream_sums([np.asarray(value_of(loss)) for loss in losses], nodes))


def _asked_for(
    fed: dict[BaseStochasticTensor, int], asked: Iterable[BaseStochasticTensor] | None, found: list[str]
) -> dict[BaseStochasticTensor, int]:
    wanted = {id(node) for node in asked} if asked is not None else set()
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


def _term(node: Any, loss: Any, shape: tuple[int, ...]) -> Term:
    estimator = node.loss_fn
    if not isinstance(estimator, ScoreEstimator):  # a caller's own: the term itself
        return Term(node, summed_to(without_graph(node.loss(loss)), shape, node.name), None)
    log_prob = without_graph(node.distribution.log_prob(value_of(node)))
    extra_axes(np.shape(value_of(log_prob)), shape, node.name)
    weight = np.asarray(value_of(estimator.advantage(node, loss)))
    if estimator.observe is None:
        return Term(node, log_prob, weight)
    observe = estimator.observe
    return Term(node, log_prob, weight, lambda: observe(node, loss))
