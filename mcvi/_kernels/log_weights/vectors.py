"""Loops that compute the log weights of batches and of vectors, whose densities are products over their elements.

They take the place of those of `numbers` where a weight belongs to `size` elements that stand side by side. A table has
a column of constants for each element of one draw or of several (`mcvi.distributions._base.page.widen`).
"""

from functools import cache
from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import column
from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.draws.noise import call_draw
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
    """Return a kernel that computes the log weights of draws `z`, which begin at the first column of the tables."""
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
    """Return a loop over given draws."""
    weigh_run = _weigh(q, p)

    @kernel
    def weigh(given: Any, first: int, out: Any) -> None:
        size = given.size
        weigh_run(given.z[first * size : (first + out.size) * size], size, given.table_q, given.table_p, out)

    return weigh


@cache
def log_weights(q: tuple[Any, int], p: tuple[Any, int]) -> Any:
    """Return a loop that draws by a kernel of `mcvi._kernels.draws.noise.transported`, whose address is given."""
    weigh_run = _weigh(q, p)

    @kernel
    def weigh(drawn: Any, first: int, out: Any) -> None:
        size, tile = drawn.size, drawn.tile
        z = np.empty(out.size * size)
        key0, key1, first_tile = drawn.key0, drawn.key1, first * size // tile
        call_draw(drawn.draw, (drawn.noise, key0, key1, np.uint64(0), first_tile, tile, drawn.parameters, z))
        weigh_run(z, size, drawn.table_q, drawn.table_p, out)

    return weigh
