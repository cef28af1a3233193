"""Log weights in one loop, with or without their draws, for a pair of families that the compiler sees whole.

Each kernel here sets `out` to the log weights from number `first` on, counted over the members of the batch of each
draw; `data` holds where they come from.
"""

from functools import cache
from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import column
from mcvi._kernels.compiler.jit import kernel, scalar


@scalar
def log_ratio(above: float, below: float) -> float:
    # A draw that p excludes has weight zero, also where q excludes it; a nan is kept.
    return above - (0.0 if above == -np.inf and below == -np.inf else below)


@scalar
def _log_one(z: float, constants: Any) -> float:
    return 0.0


#: In the place of a density of q: leaves `log_p` alone.
ONE = (_log_one, 0)


@kernel
def log_weights_known(data: Any, first: int, out: Any) -> None:
    """Take log weights that are known."""
    log_w = data[0][first : first + out.size]
    for i in range(out.size):
        out[i] = log_w[i]


@kernel
def log_weights_of(data: Any, first: int, out: Any) -> None:
    """Weigh draws whose log densities ``(log_p, log_q)`` are known."""
    # Slices: an index `first + i`, which might be negative for all the compiler knows, keeps the loop scalar.
    log_p, log_q = data[0][first : first + out.size], data[1][first : first + out.size]
    for i in range(out.size):
        out[i] = log_ratio(log_p[i], log_q[i])


@cache
def log_weights_under(q: tuple[Any, int]) -> Any:
    """Return a kernel that weighs draws whose `log_p` is known: `data` is ``(log_p, z, table_q)``."""
    log_q, constants_q = q

    @kernel
    def weigh(data: Any, first: int, out: Any) -> None:
        log_p, z, table_q = data
        log_p, z = log_p[first : first + out.size], z[first : first + out.size]
        of_q = column(table_q, 0, constants_q)
        for i in range(out.size):
            out[i] = log_ratio(log_p[i], log_q(z[i], of_q))

    return weigh


@cache
def log_weights_at(q: tuple[Any, int], p: tuple[Any, int]) -> Any:
    """Return a kernel that weighs given draws: `data` is ``(z, table_q, table_p)``.

    Each of `q` and `p` is a scalar log density, and how many constants it takes.
    """
    log_q, constants_q = q
    log_p, constants_p = p

    @kernel
    def weigh(data: Any, first: int, out: Any) -> None:
        z, table_q, table_p = data
        z = z[first : first + out.size]
        of_q = column(table_q, 0, constants_q)
        of_p = column(table_p, 0, constants_p)
        for i in range(out.size):
            out[i] = log_ratio(log_p(z[i], of_p), log_q(z[i], of_q))

    return weigh


@cache
def log_weights(
    noise: Any, transport: Any, parameters_q: int, q: tuple[Any, int], p: tuple[Any, int], tile: int
) -> Any:
    """Return a kernel that draws and weighs: `data` is ``((key0, key1), parameters, table_q, table_p)``.

    The noise becomes the weights in its place, and no draw is ever stored.

    Parameters
    ----------
    noise
        The kernel that fills tiles with uniforms or normals.
    transport, parameters_q
        The scalar function that turns noise into a draw of q, and how many parameters it takes.
    q, p
        Each a scalar log density, and how many constants it takes.
    tile
        How many draws make a tile.
    """
    log_q, constants_q = q
    log_p, constants_p = p

    @kernel
    def weigh(data: Any, first: int, out: Any) -> None:
        key, parameters, table_q, table_p = data
        of_draw = column(parameters, 0, parameters_q)
        of_q = column(table_q, 0, constants_q)
        of_p = column(table_p, 0, constants_p)
        noise(key[0], key[1], np.uint64(0), first // tile, tile, out)
        for i in range(out.size):
            z = transport(out[i], of_draw)
            out[i] = log_ratio(log_p(z, of_p), log_q(z, of_q))

    return weigh
