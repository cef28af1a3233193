"""Draws and log weights in one loop, for a pair of families whose mathematics the compiler sees whole."""

from functools import cache
from typing import Any

import numpy as np

from mcvi._kernels.bits import column
from mcvi._kernels.jit import kernel


@cache
def log_weights(noise: Any, transport: Any, q: tuple[Any, int, int], p: tuple[Any, int]) -> Any:
    """Return a kernel that sets `out` to ``log p(z) - log q(z)`` of the draws from tile `first_tile` on.

    A tile stays in the first-level cache from its noise to its weights, and no draw is ever stored.

    Parameters
    ----------
    noise
        The kernel that fills a tile with uniforms or normals.
    transport
        The scalar function that turns noise into a draw of q.
    q
        The scalar log density of q, how many parameters `transport` takes, how many constants the density.
    p
        The scalar log density of p, and how many constants it takes.
    """
    log_q, parameters_q, constants_q = q
    log_p, constants_p = p

    @kernel
    def evaluate(
        key0: Any, key1: Any, first_tile: int, tile: int, parameters: Any, table_q: Any, table_p: Any, out: Any
    ) -> None:
        u = np.empty(tile)
        of_draw = column(parameters, 0, parameters_q)
        of_q = column(table_q, 0, constants_q)
        of_p = column(table_p, 0, constants_p)
        for start in range(0, out.size, tile):
            count = min(tile, out.size - start)
            noise(key0, key1, np.uint64(0), first_tile + start // tile, tile, u[:count])
            for i in range(count):
                z = transport(u[i], of_draw)
                above, below = log_p(z, of_p), log_q(z, of_q)
                # A draw that p excludes has weight zero, also where q excludes it; a nan is kept.
                out[start + i] = above - (0.0 if above == -np.inf and below == -np.inf else below)

    return evaluate
