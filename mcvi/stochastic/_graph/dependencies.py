"""The losses of a graph, and the stochastic nodes upstream of each."""

from typing import Any

import numpy as np
from autograd.tracer import isbox

from mcvi._autograd import has_ended, value_of
from mcvi.stochastic._graph.nodes import BaseStochasticTensor, node_of
from mcvi.stochastic._graph.trace import DependencyNode, derivative_levels, graph_nodes, upstream

__all__ = ["checked_losses", "dependencies", "downstream", "indices_of"]


def downstream(losses: list[Any]) -> dict[BaseStochasticTensor, int]:
    """Return, for each node upstream of a loss, which losses it feeds: bit i of an integer for loss i.

    One walk over the graph, each edge once. In the order in which nodes were created, parents first.
    """
    fed: dict[DependencyNode, int] = {}
    for index, loss in enumerate(losses):
        for node in graph_nodes(loss):
            fed[node] = fed.get(node, 0) | 1 << index
    order = upstream(fed)
    for node in reversed(order):
        bits = fed[node]
        for parent in node.parents:
            fed[parent] = fed.get(parent, 0) | bits
    return {node_of(node): fed[node] for node in order if node.source is not None}


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
    >>> a = StochasticTensor(Normal(0.0, 1.0), SampleValue(3), name="a", rng=0)
    >>> b = StochasticTensor(Normal(a, 1.0), name="b", rng=1)
    >>> {node.name: losses for node, losses in dependencies([a**2, b > 0]).items()}
    {'a': [0, 1], 'b': [1]}
    """
    return {node: indices_of(bits) for node, bits in downstream(checked_losses(losses, same_shape=False)).items()}


def checked_losses(sample_losses: Any, *, same_shape: bool = True) -> list[Any]:
    """Return the losses as a list of arrays, traced or not, all of one shape."""
    if not isinstance(sample_losses, (list, tuple)):
        got = "ArrayBox" if isbox(sample_losses) else type(sample_losses).__name__
        raise TypeError(f"sample_losses must be a list or tuple of arrays; got {got}.")
    if not sample_losses:
        raise ValueError("sample_losses must hold at least one loss; got an empty list.")
    losses = [_checked(loss, index) for index, loss in enumerate(sample_losses)]
    shapes = [np.shape(value_of(loss)) for loss in losses]
    if same_shape and len(set(shapes)) > 1:
        odd = next(index for index, shape in enumerate(shapes) if shape != shapes[0])
        raise ValueError(
            f"sample_losses must have one shape, to be added element by element; got {shapes[0]} at index 0 and "
            f"{shapes[odd]} at index {odd}. Sum the axes that only some of them have."
        )
    return losses


def _checked(loss: Any, index: int) -> Any:
    held = value_of(loss)
    if not isbox(loss) and not isinstance(loss, (np.ndarray, np.generic, float, int)):
        raise TypeError(f"sample_losses must be arrays; got {type(loss).__name__} at index {index}.")
    array = np.asarray(held)
    if array.dtype == object:
        raise TypeError(
            f"sample_losses: the loss at index {index} is an array of objects: a plain np.where, np.stack or "
            "np.concatenate of traced values makes one and loses the gradient. Use the same function of autograd.numpy."
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(f"sample_losses must be real numbers; got dtype {array.dtype} at index {index}.")
    if array.ndim == 0:
        raise ValueError(
            f"sample_losses must have dimensionality 1 or greater (the draws in front); got a scalar at index {index}. "
            "Use np.reshape(loss, (1,)) of autograd.numpy if it depends on all draws together."
        )
    if any(map(has_ended, derivative_levels(loss))):
        raise ValueError(
            f"sample_losses: the loss at index {index} was computed inside a derivative that has ended: "
            "create its nodes and call surrogate_loss inside the same function that is differentiated."
        )
    return loss
