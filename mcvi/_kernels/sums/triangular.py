"""Forward and back substitution with lower triangular matrices, for many right-hand sides.

Right-hand sides stand in a table `(rows, members, d)`. Member `b` belongs to matrix ``tril_index[b]`` of `tril`,
`(k, d, d)`, and to centre ``loc_index[b]`` of `loc`, `(m, d)`, so that shared parameters are stored once. Panels of
rows are transposed, so that every inner loop runs over rows and vectorises for any d.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.jit import kernel, scalar

_PANEL_ELEMENTS = 4096


@scalar
def _panel_rows(rows: int, d: int) -> int:
    return max(1, min(rows, max(16, _PANEL_ELEMENTS // max(d, 1))))


@scalar
def _solve_panel(z: Any, centre: Any, matrix: Any, first: int, count: int, b: int, panel: Any) -> None:
    """Set ``panel[:, r]`` to ``matrix^-1 (z[first + r, b] - centre)``."""
    d = matrix.shape[0]
    for i in range(d):
        row = panel[i]
        for r in range(count):
            row[r] = z[first + r, b, i] - centre[i]
        for j in range(i):
            factor = matrix[i, j]
            if factor != 0.0:  # a zero must not meet an infinite residual: 0 * inf is nan
                solved = panel[j]
                for r in range(count):
                    row[r] -= factor * solved[r]
        pivot = matrix[i, i]
        for r in range(count):
            row[r] /= pivot


@scalar
def _has_nan(x: Any) -> bool:
    for value in x:
        if value != value:
            return True
    return False


@kernel
def squared_norms(z: Any, loc: Any, loc_index: Any, tril: Any, tril_index: Any, out: Any) -> None:
    """Set ``out[r, b]`` to the squared length of ``tril^-1 (z[r, b] - loc)``."""
    rows, members, d = z.shape
    height = _panel_rows(rows, d)
    panel = np.empty((d, height))
    total = np.empty(height)
    for b in range(members):
        centre, matrix = loc[loc_index[b]], tril[tril_index[b]]
        for first in range(0, rows, height):
            count = min(height, rows - first)
            _solve_panel(z, centre, matrix, first, count, b, panel)
            total[:] = 0.0
            for i in range(d):
                solved = panel[i]
                for r in range(count):
                    total[r] += solved[r] * solved[r]
            for r in range(count):
                # inf - inf on the way is still infinitely far away; only a nan that came in is kept.
                if total[r] != total[r] and not _has_nan(z[first + r, b]):
                    total[r] = np.inf
                out[first + r, b] = total[r]


@kernel
def solve_both(z: Any, loc: Any, loc_index: Any, tril: Any, tril_index: Any, y: Any, w: Any) -> None:
    """Set ``y = tril^-1 (z - loc)`` and ``w = tril^-T y``, both shaped like `z`."""
    rows, members, d = z.shape
    height = _panel_rows(rows, d)
    panel = np.empty((d, height))
    for b in range(members):
        centre, matrix = loc[loc_index[b]], tril[tril_index[b]]
        for first in range(0, rows, height):
            count = min(height, rows - first)
            _solve_panel(z, centre, matrix, first, count, b, panel)
            for i in range(d):
                for r in range(count):
                    y[first + r, b, i] = panel[i, r]
            for i in range(d - 1, -1, -1):
                row = panel[i]
                pivot = matrix[i, i]
                for r in range(count):
                    row[r] /= pivot
                for j in range(i):
                    factor = matrix[i, j]
                    if factor != 0.0:
                        target = panel[j]
                        for r in range(count):
                            target[r] -= factor * row[r]
            for i in range(d):
                for r in range(count):
                    w[first + r, b, i] = panel[i, r]


@kernel
def multiply(noise: Any, loc: Any, loc_index: Any, tril: Any, tril_index: Any, out: Any) -> None:
    """Set ``out = loc + tril noise``; `out` may be `noise`."""
    rows, members, d = noise.shape
    height = _panel_rows(rows, d)
    panel = np.empty((d, height))
    total = np.empty(height)
    for b in range(members):
        centre, matrix = loc[loc_index[b]], tril[tril_index[b]]
        for first in range(0, rows, height):
            count = min(height, rows - first)
            for i in range(d):
                for r in range(count):
                    panel[i, r] = noise[first + r, b, i]
            for i in range(d):
                total[:] = centre[i]
                for j in range(i + 1):
                    factor = matrix[i, j]
                    column = panel[j]
                    for r in range(count):
                        total[r] += factor * column[r]
                for r in range(count):
                    out[first + r, b, i] = total[r]
