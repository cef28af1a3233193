"""Stochastic nodes: arrays that remember how they were drawn."""

import weakref
from typing import Any

import numpy as np
from autograd.extend import Box

from mcvi._autograd import value_of
from mcvi.stochastic._graph.trace import DependencyNode, GraphBox, GraphLevel

__all__ = ["BaseStochasticTensor", "Source", "node_of"]


class BaseStochasticTensor(GraphBox):
    """An array in the graph of random draws.

    It is one of autograd's traced arrays: arithmetic, indexing, ufuncs and `autograd.numpy` work on it, and what they
    return remembers it, also through comparisons, rounding, `argmax` and `stop_gradient`. A subclass calls `_enter`
    once, and gives `loss`.

    `name` stands in error messages and pictures.
    """

    name: str
    distribution: Any

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        Box.types.add(cls)
        Box.type_mappings[cls] = Box.type_mappings[GraphBox]

    def _enter(self, value: Any, parents: tuple[DependencyNode, ...], level: GraphLevel) -> None:
        """Put the drawn `value` (what autograd differentiates, or a plain array) into the graph."""
        source = Source(self, value, level)
        super().__init__(value, level, DependencyNode.of_draw(parents, source))

    def value(self) -> Any:
        """Return the drawn array, in the graph: the same as the node itself, as a plain traced array."""
        return GraphBox(self._value, self._trace, self._node)

    def loss(self, sample_loss: Any) -> Any:
        """Return the term that this node adds to a surrogate loss, or None."""
        raise NotImplementedError(f"{type(self).__name__} must give loss(sample_loss).")

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        """Return the mean of the distribution (of the array: ``autograd.numpy.mean(node)``)."""
        if args or kwargs:
            raise TypeError(
                f"{self.name}: mean() is the mean of the distribution; for that of the draws use autograd.numpy.mean."
            )
        return self.distribution.mean()

    def entropy(self) -> Any:
        """Return the entropy of the distribution."""
        return self.distribution.entropy()

    _kind = "a stochastic node"

    @property
    def _owner(self) -> str:  # type: ignore[override]
        return self.name

    def __copy__(self) -> "BaseStochasticTensor":
        return self  # a node is one place in the graph

    def __deepcopy__(self, memo: Any) -> "BaseStochasticTensor":
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise TypeError(f"{self.name}: a node cannot leave its graph: pickle without_graph(node), the array.")

    def __repr__(self) -> str:
        held = np.array2string(np.asarray(value_of(self)), threshold=6, edgeitems=2, precision=4, separator=", ")
        return f"{type(self).__name__}({self.name}, {type(self.distribution).__name__}, value={held})"

    __str__ = __repr__


class Source:
    """The part of a stochastic node that the graph keeps: its attributes, and the node itself while somebody holds it.

    No reference cycle, so that a step's draws are freed with the step and do not wait for the garbage collector.
    """

    __slots__ = ("__weakref__", "attributes", "kind", "level", "node", "value")

    def __init__(self, tensor: BaseStochasticTensor, value: Any, level: GraphLevel) -> None:
        self.kind = type(tensor)
        self.attributes = tensor.__dict__
        self.node: Any = weakref.ref(tensor)
        self.value, self.level = value, level


def node_of(graph_node: DependencyNode) -> BaseStochasticTensor:
    """Return the stochastic node at a draw; made again from what the graph keeps if nobody held on to it."""
    source: Source = graph_node.source
    tensor = source.node()
    if tensor is None:
        tensor = source.kind.__new__(source.kind)
        tensor.__dict__ = source.attributes
        Box.__init__(tensor, source.value, source.level, graph_node)
        source.node = weakref.ref(tensor)
    return tensor  # type: ignore[no-any-return]
