"""Log weights of draws of many numbers in one loop: of the members of a batch, each a product of densities of numbers.

The kernels stand in for those of `numbers`, where a weight belongs to `size` numbers that stand side by
side. A table has the constants of a number in its columns, those of one draw or of several
(`mcvi.distributions._base.page.widen`).
"""

from functools import cache
from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import column
from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.log_weights.numbers import log_ratio
from mcvi._kernels.sums.rows import group_sums


@scalar
def _has_nan(x: Any) -> bool:
    found = 0
    for i in range(x.size):
        found += x[i] != x[i]
    return found > 0


@cache
def _weigh(q: tuple[Any, int], p: tuple[Any, int]) -> Any:
    """Return a kernel that weighs draws whose numbers stand in `z`, which begins at the first column of the tables."""
    log_q, constants_q = q
    log_p, constants_p = p

    @scalar
    def differences(z: Any, table_q: Any, table_p: Any, out: Any) -> None:
        for i in range(z.size):
            out[i] = log_p(z[i], column(table_p, i, constants_p)) - log_q(z[i], column(table_q, i, constants_q))

    @scalar
    def ratio_of_sums(z: Any, first: int, table_q: Any, table_p: Any) -> float:
        above, below = 0.0, 0.0
        for i in range(z.size):
            above += log_p(z[i], column(table_p, first + i, constants_p))
            below += log_q(z[i], column(table_q, first + i, constants_q))
        return log_ratio(above, below)

    @kernel
    def weigh(z: Any, size: int, table_q: Any, table_p: Any, out: Any) -> None:
        length = table_p.shape[1]
        terms = np.empty(min(length, z.size))
        for start in range(0, z.size, length):
            run = z[start : start + length]
            weights = out[start // size : (start + run.size) // size]
            if size == 1:
                differences(run, table_q, table_p, weights)
            else:
                differences(run, table_q, table_p, terms)
                group_sums(terms[: run.size], weights)
            # Only a nan may differ from the ratio of the two sums: p may exclude a draw that q excludes as well.
            if not _has_nan(weights):
                continue
            for i in range(weights.size):
                if weights[i] != weights[i]:
                    weights[i] = ratio_of_sums(run[i * size : (i + 1) * size], i * size, table_q, table_p)

    return weigh


@cache
def log_weights_at(q: tuple[Any, int], p: tuple[Any, int]) -> Any:
    """Return a kernel that weighs given draws: `data` is ``(z, size, table_q, table_p)``."""
    weigh_run = _weigh(q, p)

    @kernel
    def weigh(data: Any, first: int, out: Any) -> None:
        z, size, table_q, table_p = data
        weigh_run(z[first * size : (first + out.size) * size], size, table_q, table_p, out)

    return weigh


@cache
def log_weights(draw: Any, q: tuple[Any, int], p: tuple[Any, int]) -> Any:
    """Return a kernel that draws and weighs: `data` is ``((key0, key1), size, tile, parameters, table_q, table_p)``.

    `draw` is a kernel of `mcvi._kernels.compiler.elementwise.drawn`; `tile` is how many numbers make a tile.
    """
    weigh_run = _weigh(q, p)

    @kernel
    def weigh(data: Any, first: int, out: Any) -> None:
        key, size, tile, parameters, table_q, table_p = data
        z = np.empty(out.size * size)
        draw(key[0], key[1], np.uint64(0), first * size // tile, tile, parameters, z)
        weigh_run(z, size, table_q, table_p, out)

    return weigh
