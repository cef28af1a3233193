"""One derivative of a function of several arrays, kept open: what the gradient of each draw is made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from autograd.core import VJPNode, add_outgrads
from autograd.tracer import isbox, new_box
from autograd.util import toposort

from mcvi._autograd import new_trace
from mcvi.stochastic._graph.trace import without_graph

__all__ = ["Tape"]


class Tape:
    """A trace of autograd's with one root for each array."""

    def __init__(self, level: int, arrays: list[Any]) -> None:
        self.level = level
        self.roots = [VJPNode.new_root() for _ in arrays]
        self.boxes = [new_box(array, level, root) for array, root in zip(arrays, self.roots, strict=True)]

    @classmethod
    @contextmanager
    def over(cls, arrays: list[Any]) -> Iterator["Tape"]:
        """Open a tape; closed when the block ends, by an exception too."""
        with new_trace() as level:
            yield cls(level, arrays)

    def _node(self, value: Any) -> Any:
        value = without_graph(value)
        return value._node if isbox(value) and value._trace == self.level else None

    def is_root(self, value: Any, index: int) -> bool:
        """Tell whether a value is the array itself."""
        return self._node(value) is self.roots[index]

    def reaches(self, values: list[Any]) -> set[int]:
        """Return which arrays the values were computed from."""
        found, stack = set(), [node for node in map(self._node, values) if node is not None]
        while stack:
            node = stack.pop()
            if node not in found:
                found.add(node)
                stack.extend(node.parents)
        return {index for index, root in enumerate(self.roots) if root in found}

    def pull_back(self, value: Any, g: Any) -> list[Any]:
        """Return the derivative of ``sum(value * g)`` in each array."""
        results: list[Any] = [np.zeros(np.shape(box._value)) for box in self.boxes]
        end = self._node(value)
        if end is None:
            return results
        place = {root: index for index, root in enumerate(self.roots)}
        arriving = {end: (g, False)}
        for node in toposort(end):
            g, _ = arriving.pop(node)
            if node in place:
                results[place[node]] = np.asarray(g, np.float64)
                continue
            for parent, part in zip(node.parents, node.vjp(g), strict=True):
                arriving[parent] = add_outgrads(arriving.get(parent), part)
        return results
