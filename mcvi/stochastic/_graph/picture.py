"""A picture of the graph: which node feeds which, and which losses, with the estimator of each."""

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from mcvi._autograd import value_of
from mcvi.stochastic._graph.dependencies import checked_losses, downstream, indices_of
from mcvi.stochastic._graph.nodes import node_of
from mcvi.stochastic._graph.trace import graph_nodes, nearest_draws
from mcvi.stochastic._graph.value_types import MeanValue

__all__ = ["GraphPicture", "picture"]

# The size of a box in a drawing, and the space between two.
_WIDTH, _HEIGHT, _GAP = 230, 44, 36


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
        return _svg(self.nodes, self.losses)


def picture(losses: Any) -> GraphPicture:
    """Return a picture of the graph upstream of the losses.

    Examples
    --------
    >>> from mcvi.distributions import Bernoulli, Normal
    >>> from mcvi.stochastic import SampleValue, StochasticTensor, leave_one_out, picture
    >>> b = StochasticTensor(Bernoulli(logits=0.3), SampleValue(10), leave_one_out, name="b", rng=0)
    >>> z = StochasticTensor(Normal(b, 1.0), name="z", rng=1)
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
        for node in map(node_of, nearest_draws(graph_nodes(loss))):
            nearest_losses.setdefault(id(node), []).append(index)
    nodes = [
        (
            node.name,
            _description(node),
            tuple(place[id(node_of(parent))] for parent in nearest_draws(node._node.parents)),
            tuple(nearest_losses.get(id(node), [])),
        )
        for node in fed
    ]
    upstream = [sum(index in indices_of(bits) for bits in fed.values()) for index in range(len(checked))]
    return GraphPicture(tuple(nodes), tuple((f"loss {index}", count) for index, count in enumerate(upstream)))


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


def _svg(nodes: tuple[Any, ...], losses: tuple[tuple[str, int], ...]) -> str:
    """Return a drawing: a row for each generation of nodes, the losses below."""
    generation: list[int] = []
    for _, _, parents, _ in nodes:
        generation.append(1 + max((generation[parent] for parent in parents), default=-1))
    rows: dict[int, int] = {}
    at: list[tuple[float, float]] = []
    last = max(generation, default=-1) + 1
    for row in [*generation, *[last] * len(losses)]:
        column = rows.get(row, 0)
        rows[row] = column + 1
        at.append((_GAP / 2 + column * (_WIDTH + _GAP), _GAP / 2 + row * (_HEIGHT + _GAP)))
    count = len(nodes)
    parts = []
    for place, (_, _, parents, feeds) in enumerate(nodes):
        ends = [(parent, place) for parent in parents] + [(place, count + loss) for loss in feeds]
        parts += [_arrow(at[start], at[end]) for start, end in ends]
    for place, (name, description, _, _) in enumerate(nodes):
        parts.append(_box(at[place], name, description, rounded=True))
    for index, (label, upstream) in enumerate(losses):
        parts.append(_box(at[count + index], label, f"{upstream} upstream", rounded=False))
    width = _GAP + max(rows.values(), default=1) * (_WIDTH + _GAP) - _GAP
    height = _GAP + (last + 1) * (_HEIGHT + _GAP) - _GAP
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" '
        'font-size="11"><defs><marker id="tip" markerWidth="8" markerHeight="8" refX="7" refY="4" orient="auto">'
        '<path d="M0,0 L8,4 L0,8 z" fill="#555"/></marker></defs>' + "".join(parts) + "</svg>"
    )


def _arrow(start: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = start, end
    half = _WIDTH / 2
    return (
        f'<line x1="{x1 + half}" y1="{y1 + _HEIGHT}" x2="{x2 + half}" y2="{y2}" stroke="#555" marker-end="url(#tip)"/>'
    )


def _box(corner: tuple[float, float], title: str, text: str, *, rounded: bool) -> str:
    x, y = corner
    fill, radius = ("#eef4ff", _HEIGHT / 2) if rounded else ("#fff6e5", 3)
    middle = x + _WIDTH / 2
    return (
        f'<rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}" rx="{radius}" fill="{fill}" stroke="#555"/>'
        f'<text x="{middle}" y="{y + 18}" text-anchor="middle" font-weight="bold">{escape(title)}</text>'
        f'<text x="{middle}" y="{y + 34}" text-anchor="middle">{escape(text)}</text>'
    )
