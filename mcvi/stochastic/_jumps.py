"""Losses that depend on a pathwise node through jumps alone: no derivative passes from one to the other."""

from typing import Any

from autograd.core import VJPNode

from mcvi.stochastic._graph.dependencies import indices_of
from mcvi.stochastic._graph.trace import derivative_levels, layers, upstream

__all__ = ["jumps"]


def jumps(losses: list[Any], fed: dict[Any, int]) -> list[str]:
    """Return a sentence for each node whose draws carry a derivative that some loss downstream does not take.

    `fed` has the losses that each node feeds, as bits.
    """
    carrying = {node: bits for node, bits in fed.items() if _carries_derivative(node)}
    if not carrying:
        return []
    reached = _reached(losses)
    found = []
    for node, bits in carrying.items():
        for of_node in _tape_nodes(node):
            bits &= ~reached.get(of_node, 0)
        if bits:
            found.append(
                f"{node.name} is pathwise, and the loss at index {indices_of(bits)[0]} depends on it through jumps "
                "alone (a comparison, rounding, an index, stop_gradient): its part of the gradient is missing. "
                "Use pathwise=False."
            )
    return found


def _carries_derivative(node: Any) -> bool:
    return getattr(node, "pathwise", False) and not getattr(node, "wants_score", True) and bool(_tape_nodes(node))


def _tape_nodes(value: Any) -> list[VJPNode]:
    """Return the places of a value on the tapes of the derivatives that trace it."""
    return [box._node for box in layers(value) if type(box._node) is VJPNode] if derivative_levels(value) else []


def _reached(losses: list[Any]) -> dict[VJPNode, int]:
    """Return the losses whose derivative passes each place of a tape, as bits: one walk, each edge once."""
    reached: dict[VJPNode, int] = {}
    for index, loss in enumerate(losses):
        for node in _tape_nodes(loss):
            reached[node] = reached.get(node, 0) | 1 << index
    for node in reversed(upstream(list(reached))):
        for parent in node.parents:
            reached[parent] = reached.get(parent, 0) | reached[node]
    return reached
