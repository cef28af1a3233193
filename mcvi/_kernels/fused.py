"""Log weights in one loop, with or without their draws, for a pair of families that the compiler sees whole."""

from functools import cache
from typing import Any

import numpy as np

from mcvi._kernels.bits import column
from mcvi._kernels.jit import kernel, scalar

# Tiles that are drawn at once: they still fit the caches next to the core.
_TILES = 4


@scalar
def _log_ratio(above: float, below: float) -> float:
    # A draw that p excludes has weight zero, also where q excludes it; a nan is kept.
    return above - (0.0 if above == -np.inf and below == -np.inf else below)


@cache
def log_weights_at(q: tuple[Any, int], p: tuple[Any, int]) -> Any:
    """Return a kernel that sets `out` to ``log p(z) - log q(z)`` of given draws.

    Each of `q` and `p` is a scalar log density, and how many constants it takes.
    """
    log_q, constants_q = q
    log_p, constants_p = p

    @kernel
    def evaluate(z: Any, table_q: Any, table_p: Any, out: Any) -> None:
        of_q = column(table_q, 0, constants_q)
        of_p = column(table_p, 0, constants_p)
        for i in range(z.size):
            out[i] = _log_ratio(log_p(z[i], of_p), log_q(z[i], of_q))

    return evaluate


@cache
def log_weights(noise: Any, transport: Any, parameters_q: int, q: tuple[Any, int], p: tuple[Any, int]) -> Any:
    """Return a kernel that sets `out` to ``log p(z) - log q(z)`` of the draws from tile `first_tile` on.

    A few tiles stay in the nearest caches from their noise to their weights, and no draw is ever stored.

    Parameters
    ----------
    noise
        The kernel that fills a tile with uniforms or normals.
    transport, parameters_q
        The scalar function that turns noise into a draw of q, and how many parameters it takes.
    q, p
        Each a scalar log density, and how many constants it takes.
    """
    log_q, constants_q = q
    log_p, constants_p = p

    @kernel
    def evaluate(
        key0: Any, key1: Any, first_tile: int, tile: int, parameters: Any, table_q: Any, table_p: Any, out: Any
    ) -> None:
        run = _TILES * tile
        u = np.empty(run)
        of_draw = column(parameters, 0, parameters_q)
        of_q = column(table_q, 0, constants_q)
        of_p = column(table_p, 0, constants_p)
        for start in range(0, out.size, run):
            count = min(run, out.size - start)
            noise(key0, key1, np.uint64(0), first_tile + start // tile, tile, u[:count])
            for i in range(count):
                z = transport(u[i], of_draw)
                out[start + i] = _log_ratio(log_p(z, of_p), log_q(z, of_q))

    return evaluate
