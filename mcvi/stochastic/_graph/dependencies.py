"""Which losses each stochastic node feeds."""

from typing import Any

from mcvi.stochastic._graph.losses import checked_losses
from mcvi.stochastic._graph.nodes import BaseStochasticTensor, node_of
from mcvi.stochastic._graph.trace import DependencyNode, graph_nodes

__all__ = ["dependencies", "downstream", "indices_of"]


def downstream(losses: list[Any]) -> dict[BaseStochasticTensor, int]:
    """Return, for each node upstream of a loss, which losses it feeds: bit i of an integer for loss i.

    One walk over the graph, each edge once. In the order in which nodes were created, parents first.
    """
    fed: dict[DependencyNode, int] = {}
    for index, loss in enumerate(losses):
        for node in graph_nodes(loss):
            fed[node] = fed.get(node, 0) | 1 << index
    order = _parents_first(list(fed))
    for node in reversed(order):
        bits = fed[node]
        for parent in node.parents:
            fed[parent] = fed.get(parent, 0) | bits
    return {node_of(node): fed[node] for node in order if node.source is not None}


def _parents_first(ends: list[DependencyNode]) -> list[DependencyNode]:
    """Return everything upstream in topological order, without recursion: chains may be long."""
    order: list[DependencyNode] = []
    seen: set[DependencyNode] = set()
    stack: list[tuple[DependencyNode, bool]] = [(end, False) for end in reversed(ends)]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((parent, False) for parent in reversed(node.parents) if parent not in seen)
    return order


def indices_of(bits: int) -> list[int]:
    """Return the places of the bits that are set."""
    return [index for index in range(bits.bit_length()) if bits >> index & 1]


def dependencies(losses: Any) -> dict[BaseStochasticTensor, list[int]]:
    """Return the stochastic nodes upstream of the losses, each with the indices of the losses that depend on it.

    All ancestors count, observed nodes too: also through `stop_gradient`, comparisons, rounding, `argmax`, indexing by
    a node, and through the parameters of other nodes. Parents come before children.

    Examples
    --------
    >>> from mcvi.distributions import Normal
    >>> from mcvi.stochastic import StochasticTensor, dependencies, SampleValue
    >>> a = StochasticTensor(Normal(0.0, 1.0), SampleValue(3), name="a")
    >>> b = StochasticTensor(Normal(a, 1.0), name="b")
    >>> {node.name: losses for node, losses in dependencies([a**2, b > 0]).items()}
    {'a': [0, 1], 'b': [1]}
    """
    return {node: indices_of(bits) for node, bits in downstream(checked_losses(losses, same_shape=False)).items()}
