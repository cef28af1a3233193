"""The graph in which stochastic nodes live: a trace of our own around autograd's, which keeps every dependency.

Autograd drops its trace at comparisons, rounding, `argmax` and integers, and has none outside `grad`: just where score
functions matter. Our boxes stand outside autograd's (their trace number is larger), so that each primitive meets them
first, is then run on what they hold, derivative boxes included, and notes the dependency whatever the primitive is.
"""

from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from math import inf
from typing import Any

import numpy as np
from autograd import numpy as anp
from autograd.extend import JVPNode, VJPNode, primitive, register_notrace
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import Node, isbox

from mcvi._autograd import box_values, trace_whole_numbers, value_of
from mcvi.distributions import Distribution

__all__ = [
    "DependencyNode",
    "GraphBox",
    "GraphLevel",
    "derivative_levels",
    "graph_nodes",
    "layers",
    "nearest_draws",
    "outermost_level",
    "parameter_boxes",
    "stop_gradient",
    "upstream",
    "value_sizes",
    "without_graph",
]


#: Where the sizes of the values of the graph are noted down, if somebody asks for them.
value_sizes: ContextVar[list[int] | None] = ContextVar("mcvi_value_sizes", default=None)


class DependencyNode(Node):  # type: ignore[misc]
    """One value in the graph: which values it was computed from, and, at a draw, the stochastic node that drew it.

    A value computed from one other, which is no draw itself, takes over that value's parents: chains stay short.
    """

    __slots__ = ("parents", "source")

    def __init__(self, value: Any, fun: Any, args: Any, kwargs: Any, parent_argnums: Any, parents: Any) -> None:
        self.source: Any = None
        sizes = value_sizes.get()
        if sizes is not None:
            sizes.append(np.size(value_of(value)))
        if len(parents) == 1 and parents[0].source is None:
            self.parents: tuple[DependencyNode, ...] = parents[0].parents
        else:
            self.parents = parents

    @classmethod
    def of_draw(cls, parents: Iterable["DependencyNode"], source: Any) -> "DependencyNode":
        """Return the node of a draw."""
        node = cls.__new__(cls)
        node.parents, node.source = tuple(parents), source
        return node


# What looks at shapes and types only depends on no value.
for _structural in (
    anp.ndim,
    anp.shape,
    anp.size,
    anp.iscomplexobj,
    anp.isscalar,
    anp.result_type,
    anp.zeros_like,
    anp.ones_like,
    anp.empty_like,
):
    register_notrace(DependencyNode, _structural)


class GraphBox(ArrayBox):  # type: ignore[misc]
    """An array in the graph of random draws, which refuses what would lose the graph without a word."""

    __slots__ = ()

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        # NumPy would make an array of objects of it, or take its truth for that of the numbers.
        raise TypeError(
            f"{self._owner}: plain NumPy cannot take {self._kind} here and would lose the gradient: use the same "
            "function of autograd.numpy (autograd.numpy.where for a choice)."
        )

    def __bool__(self) -> bool:
        raise TypeError(
            f"{self._owner}: a Python if, and, or, not on {self._kind} loses the gradient: use autograd.numpy.where."
        )

    _owner, _kind = "graph of random draws", "a value computed from stochastic nodes"


# Comparisons and counts of single numbers are values of the graph too.
box_values(DependencyNode, GraphBox)
trace_whole_numbers(DependencyNode, GraphBox)


@primitive
def _stopped(x: Any) -> Any:
    return x


# Autograd unwraps the argument of an untraced function, which is all that stopping a derivative takes. Our own Node
# class is not in the list: the dependency stays.
register_notrace(VJPNode, _stopped)
register_notrace(JVPNode, _stopped)


def stop_gradient(x: Any) -> Any:
    """Return the value of `x` with no derivative; the losses made of it still depend on the draws that `x` was made of.

    Parameters
    ----------
    x : array, traced or not

    Returns
    -------
    array
        Equal to `x`. `autograd` sees a constant; `dependencies` and `surrogate_loss` see through it.

    Examples
    --------
    >>> from autograd import grad
    >>> float(grad(lambda x: stop_gradient(x) * x)(3.0))
    3.0
    """
    return _stopped(x)


def layers(x: Any) -> Iterator[Any]:
    """Yield the boxes that hold a value, from the outermost."""
    while isbox(x):
        yield x
        x = x._value


def graph_nodes(x: Any) -> tuple[DependencyNode, ...]:
    """Return the nodes of our graph that a value stands on; it may be boxed at several levels."""
    return tuple(box._node for box in layers(x) if type(box._node) is DependencyNode)


def upstream(ends: Iterable[Any], *, past_draws: bool = True) -> list[Any]:
    """Return the nodes that others were computed from, those included, in topological order: parents first.

    With ``past_draws=False`` the walk ends at each draw that it meets. Without recursion: chains may be long.
    """
    order: list[Any] = []
    seen: set[Any] = set()
    stack = [(end, False) for end in reversed(list(ends))]
    while stack:
        node, expanded = stack.pop()
        if expanded:
            order.append(node)
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            if past_draws or node.source is None:
                stack.extend((parent, False) for parent in reversed(node.parents) if parent not in seen)
    return order


def nearest_draws(ends: Iterable[DependencyNode]) -> list[DependencyNode]:
    """Return the draws that are met first on the way up from some nodes."""
    return [node for node in upstream(ends, past_draws=False) if node.source is not None]


def derivative_levels(x: Any) -> frozenset[float]:
    """Return the numbers of autograd's own traces that hold `x`: one for a gradient, two for a second derivative."""
    return frozenset(box._trace for box in layers(x) if type(box._node) is not DependencyNode)


def without_graph(x: Any) -> Any:
    """Return a value without its place in the graph of draws: what autograd differentiates, or the plain array.

    Outside a derivative that is the array of numbers, to print or to plot. Inside one, a function that returns it has
    the pathwise derivative alone; `surrogate_loss` gives all of it.
    """
    while isbox(x) and type(x._node) is DependencyNode:
        x = x._value
    return x


def parameter_boxes(distribution: Any) -> Iterator[Any]:
    """Yield every traced value that a distribution holds, itself or in a distribution, list or dict that it holds."""
    if isinstance(distribution, Distribution):
        held: Iterable[Any] = distribution.parameters.values()
    elif hasattr(distribution, "__dict__"):
        held = vars(distribution).values()
    else:
        held = [getattr(distribution, name) for name in getattr(type(distribution), "__slots__", ())]
    for value in held:
        yield from _boxes_in(value)


def _boxes_in(value: Any) -> Iterator[Any]:
    if isbox(value):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _boxes_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _boxes_in(item)
    elif hasattr(value, "log_prob"):
        yield from parameter_boxes(value)


class GraphLevel(float):
    """A trace number half a step above an autograd trace (or infinite), which refuses to be mistaken for one.

    Autograd compares trace numbers in two places. Among the arguments of a primitive it asks ``a > b`` and, if not,
    ``a == b``. At the end of a derivative it asks only whether the result's number equals its own; a result in our
    graph would count as a constant there, with a derivative of zero. An ``==`` that no failed ``>`` came before is that
    second place.
    """

    _compared = False

    def __gt__(self, other: Any) -> bool:
        larger = float.__gt__(self, other)
        self._compared = not larger
        return larger

    def __lt__(self, other: Any) -> bool:  # `int > GraphLevel`, reflected
        smaller = float.__lt__(self, other)
        self._compared = not smaller
        return smaller

    def __eq__(self, other: object) -> bool:
        if not self._compared and not isinstance(other, GraphLevel):
            raise TypeError(
                "the function to differentiate returned a value of the graph of random draws, whose derivative would "
                "be taken for zero: return surrogate_loss([...]) of it, or without_graph(...) of it for the pathwise "
                "derivative alone."
            )
        self._compared = False
        return float.__eq__(self, other)

    __hash__ = float.__hash__


def outermost_level(boxes: Iterable[Any]) -> GraphLevel:
    """Return the trace number for a draw from parameters held in `boxes`: just outside every trace that holds them.

    A draw whose parameters nobody differentiates stands outside all: a derivative taken later then meets its box first,
    and leaves with a plain array.
    """
    level = -inf
    for box in boxes:
        for layer in layers(box):
            ours = type(layer._node) is DependencyNode
            level = max(level, float(layer._trace) + (0.0 if ours else 0.5))
    return GraphLevel(inf if level == -inf else level)
