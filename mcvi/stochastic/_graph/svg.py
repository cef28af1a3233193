"""A graph drawn as SVG text."""

from html import escape
from typing import Any

__all__ = ["svg"]

_WIDTH, _HEIGHT, _GAP = 230, 44, 36


def svg(nodes: tuple[Any, ...], losses: tuple[tuple[str, int], ...]) -> str:
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
