"""Loops that compute the log weights of draws of one number each, drawn in the loop or given.

Each has the arguments that `mcvi._kernels.log_weights.arguments` describes.
"""

from functools import cache
from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import column
from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.draws.noise import call_noise


@scalar
def log_ratio(above: float, below: float) -> float:
    # A draw that p excludes has weight zero, also where q excludes it; a nan is kept.
    return above - (0.0 if above == -np.inf and below == -np.inf else below)


@scalar
def _log_one(z: float, constants: Any) -> float:
    return 0.0


#: A log density of zero in place of that of q: leaves `log_p` alone.
ONE = (_log_one, 0)


@kernel
def log_weights_known(given: Any, first: int, out: Any) -> None:
    """Copy ``given.log_p``."""
    log_p = given.log_p[first : first + out.size]
    for i in range(out.size):
        out[i] = log_p[i]


@kernel
def log_weights_of(given: Any, first: int, out: Any) -> None:
    """Set `out` to ``given.log_p - given.log_q``."""
    # Slices: an index `first + i`, which might be negative for all the compiler knows, keeps the loop scalar.
    log_p, log_q = given.log_p[first : first + out.size], given.log_q[first : first + out.size]
    for i in range(out.size):
        out[i] = log_ratio(log_p[i], log_q[i])


@cache
def log_weights_under(q: tuple[Any, int]) -> Any:
    """Return a loop over given draws `z` whose `log_p` is known; `q` is a scalar log density and its constants."""
    log_q, constants_q = q

    @kernel
    def weigh(given: Any, first: int, out: Any) -> None:
        log_p, z = given.log_p[first : first + out.size], given.z[first : first + out.size]
        of_q = column(given.table_q, 0, constants_q)
        for i in range(out.size):
            out[i] = log_ratio(log_p[i], log_q(z[i], of_q))

    return weigh


@cache
def log_weights_at(q: tuple[Any, int], p: tuple[Any, int]) -> Any:
    """Return a loop over given draws `z`; `q` and `p` are scalar log densities and how many constants they take."""
    log_q, constants_q = q
    log_p, constants_p = p

    @kernel
    def weigh(given: Any, first: int, out: Any) -> None:
        z = given.z[first : first + out.size]
        of_q = column(given.table_q, 0, constants_q)
        of_p = column(given.table_p, 0, constants_p)
        for i in range(out.size):
            out[i] = log_ratio(log_p(z[i], of_p), log_q(z[i], of_q))

    return weigh


@cache
def log_weights(transport: Any, parameters_q: int, q: tuple[Any, int], p: tuple[Any, int]) -> Any:
    """Return a loop that draws and weighs: noise becomes log weights in place, and no draw is ever stored.

    Parameters
    ----------
    transport, parameters_q
        The scalar function that turns noise into a draw of q, and how many parameters it takes.
    q, p
        Each a scalar log density, and how many constants it takes.
    """
    log_q, constants_q = q
    log_p, constants_p = p

    @kernel
    def weigh(drawn: Any, first: int, out: Any) -> None:
        of_draw = column(drawn.parameters, 0, parameters_q)
        of_q = column(drawn.table_q, 0, constants_q)
        of_p = column(drawn.table_p, 0, constants_p)
        tile = drawn.tile
        call_noise(drawn.noise, (drawn.key0, drawn.key1, np.uint64(0), first // tile, tile, out))
        for i in range(out.size):
            z = transport(out[i], of_draw)
            out[i] = log_ratio(log_p(z, of_p), log_q(z, of_q))

    return weigh
