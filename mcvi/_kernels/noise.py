"""Uniform and standard normal draws with addresses.

The elements of a call's draws, `(n, *batch, *event)` in C order, are cut into tiles of `tile` elements (an even number,
a whole number of draws). Counter ``t * tile / 2 + i`` gives the two words of elements `i` and ``tile / 2 + i`` of tile
`t`: an element depends on the key, its slot and its position, and on nothing else.
"""

import math
from typing import Any

import numpy as np

from mcvi._kernels.elementary import log_positive, sincos2pi
from mcvi._kernels.jit import kernel, scalar
from mcvi._kernels.threefry import threefry, unit_interval


@scalar
def uniform_tile(key0: Any, key1: Any, slot: Any, t: int, half: int, out: Any) -> None:
    first = t * half
    for i in range(half):
        a, b = threefry(key0, key1, np.uint64(first + i), slot)
        out[i] = unit_interval(a)
        out[half + i] = unit_interval(b)


@scalar
def normal_tile(key0: Any, key1: Any, slot: Any, t: int, half: int, u: Any, out: Any) -> None:
    # Two loops: bits and Box-Muller in one spill registers.
    uniform_tile(key0, key1, slot, t, half, u)
    for i in range(half):
        radius = math.sqrt(-2.0 * log_positive(u[i]))
        sine, cosine = sincos2pi(u[half + i])
        out[i] = radius * cosine
        out[half + i] = radius * sine


@scalar
def _copy(source: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = source[i]


@kernel
def uniforms(key0: Any, key1: Any, slot: Any, first_tile: int, tile: int, out: Any) -> None:
    """Fill `out`, which begins at tile `first_tile`, with uniforms on (0, 1)."""
    half = tile // 2
    whole = out.size // tile
    for t in range(whole):
        uniform_tile(key0, key1, slot, first_tile + t, half, out[t * tile : (t + 1) * tile])
    if whole * tile < out.size:
        last = np.empty(tile)
        uniform_tile(key0, key1, slot, first_tile + whole, half, last)
        _copy(last, out[whole * tile :])


@kernel
def normals(key0: Any, key1: Any, slot: Any, first_tile: int, tile: int, out: Any) -> None:
    """Fill `out`, which begins at tile `first_tile`, with standard normals (Box and Muller 1958)."""
    half = tile // 2
    whole = out.size // tile
    u = np.empty(tile)
    for t in range(whole):
        normal_tile(key0, key1, slot, first_tile + t, half, u, out[t * tile : (t + 1) * tile])
    if whole * tile < out.size:
        last = np.empty(tile)
        normal_tile(key0, key1, slot, first_tile + whole, half, u, last)
        _copy(last, out[whole * tile :])


@kernel
def round_to_float32(u: Any, out: Any) -> None:
    """Round uniforms of float64 to the middles of 2**23 cells: float32 numbers strictly inside (0, 1)."""
    for i in range(u.size):
        cell = math.floor(u[i] * 2.0**23)
        out[i] = np.float32((cell + 0.5) * 2.0**-23)
