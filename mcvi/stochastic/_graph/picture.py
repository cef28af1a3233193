"""A picture of the graph: which node feeds which, and which losses, with the estimator of each."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mcvi._autograd import value_of
from mcvi.stochastic._graph.dependencies import downstream, indices_of
from mcvi.stochastic._graph.losses import checked_losses
from mcvi.stochastic._graph.nodes import node_of
from mcvi.stochastic._graph.svg import svg
from mcvi.stochastic._graph.trace import DependencyNode, graph_nodes
from mcvi.stochastic._graph.value_types import MeanValue

__all__ = ["GraphPicture", "picture"]


@dataclass(frozen=True)
class GraphPicture:
    """The stochastic nodes upstream of some losses, parents first. Notebooks show it as a drawing; printed, it is text.

    Parameters
    ----------
    nodes : tuple of (label, description, parents, losses)
        Parents and losses are places in `nodes` and indices of losses: the nearest draws upstream, and the losses that
        the node feeds without another draw between.
    losses : tuple of (label, number of nodes upstream)
    """

    nodes: tuple[tuple[str, str, tuple[int, ...], tuple[int, ...]], ...]
    losses: tuple[tuple[str, int], ...]

    def __repr__(self) -> str:
        names = [label for label, *_ in self.nodes]
        wide = max((len(name) for name in names), default=0)
        rows = []
        for name, description, parents, losses in self.nodes:
            into = [f"from {names[parent]}" for parent in parents] + [f"to {self.losses[loss][0]}" for loss in losses]
            rows.append(f"{name:<{wide}}  {description}" + (f"  ({', '.join(into)})" if into else ""))
        rows += [f"{label}: {count} node{'' if count == 1 else 's'} upstream" for label, count in self.losses]
        return "\n".join(rows)

    def dot(self) -> str:
        """Return the graph in the language of Graphviz."""
        lines = ["digraph {", "  rankdir=TB;"]
        for place, (name, description, parents, losses) in enumerate(self.nodes):
            label = f"{name}\n{description}".replace('"', "'").replace("\n", "\\n")
            lines.append(f'  n{place} [shape=ellipse, label="{label}"];')
            lines += [f"  n{parent} -> n{place};" for parent in parents]
            lines += [f"  n{place} -> l{loss};" for loss in losses]
        lines += [f'  l{index} [shape=box, label="{label}"];' for index, (label, _) in enumerate(self.losses)]
        return "\n".join([*lines, "}"])

    def _repr_svg_(self) -> str:
        return svg(self.nodes, self.losses)


def picture(losses: Any) -> GraphPicture:
    """Return a picture of the graph upstream of the losses.

    Examples
    --------
    >>> from mcvi.distributions import Bernoulli, Normal
    >>> from mcvi.stochastic import SampleValue, StochasticTensor, leave_one_out, picture
    >>> b = StochasticTensor(Bernoulli(logits=0.3), SampleValue(10), leave_one_out, name="b")
    >>> z = StochasticTensor(Normal(b, 1.0), name="z")
    >>> picture([(z - 1) ** 2, b])
    b  Bernoulli (10,): score function, leave-one-out  (to loss 1)
    z  Normal (10,): pathwise  (from b, to loss 0)
    loss 0: 2 nodes upstream
    loss 1: 1 node upstream
    """
    checked = checked_losses(losses, same_shape=False)
    fed = downstream(checked)
    place = {id(node): index for index, node in enumerate(fed)}
    nearest_losses: dict[int, list[int]] = {}
    for index, loss in enumerate(checked):
        for node in _nearest(list(graph_nodes(loss))):
            nearest_losses.setdefault(id(node), []).append(index)
    nodes = [
        (
            node.name,
            _description(node),
            tuple(place[id(parent)] for parent in _nearest(list(node._node.parents))),
            tuple(nearest_losses.get(id(node), [])),
        )
        for node in fed
    ]
    upstream = [sum(index in indices_of(bits) for bits in fed.values()) for index in range(len(checked))]
    return GraphPicture(tuple(nodes), tuple((f"loss {index}", count) for index, count in enumerate(upstream)))


def _nearest(stack: list[DependencyNode]) -> list[Any]:
    found, seen = [], set()
    while stack:
        node = stack.pop(0)
        if node in seen:
            continue
        seen.add(node)
        if node.source is not None:
            found.append(node_of(node))
        else:
            stack.extend(node.parents)
    return found


def _description(node: Any) -> str:
    if not hasattr(node, "pathwise"):
        estimator = "its own estimator"
    elif getattr(node, "wants_score", False):
        estimator = "no estimator" if node.loss_fn is None else repr(node.loss_fn)
    elif getattr(node, "loss_fn", None) is None and not node.pathwise:
        estimator = "observed"
    elif isinstance(node.value_type, MeanValue):
        estimator = "mean"
    else:
        estimator = "sticking the landing" if node.stops_parameters else "pathwise"
    return f"{type(node.distribution).__name__} {np.shape(value_of(node))}: {estimator}"
