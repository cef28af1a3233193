"""Counter-based uniform and standard normal draws.

The elements of a call's draws, `(n, *batch, *event)` in C order, are cut into tiles of `tile` elements (an even number,
a whole number of draws). Counter ``t * tile / 2 + i`` gives the two words of elements `i` and ``tile / 2 + i`` of tile
`t`: an element depends on the key, its slot and its position, and on nothing else.
"""

import math
from functools import cache
from typing import Any

import numpy as np
from numba import types

from mcvi._kernels.compiler.intrinsics import bits_of_float, call_by_address, column, float_of_bits
from mcvi._kernels.compiler.jit import address, kernel, scalar
from mcvi._kernels.draws.threefry import threefry, unit_interval
from mcvi._kernels.functions.elementary import _BIASED, _MANTISSA, _ONE, _SQRT_HALF, _TWO_52, _52

# The signature of a kernel that fills an array with noise: ``(key0, key1, slot, first_tile, tile, out)``.
_NOISE = types.void(types.uint64, types.uint64, types.uint64, types.int64, types.int64, types.float64[::1])

#: Calls a noise kernel by its address, so that the code of the noise is not compiled again with each caller.
call_noise = call_by_address(_NOISE)
# The signature of `transported`: ``(noise, key0, key1, slot, first_tile, tile, table, out)``.
_DRAW = types.void(types.uintp, *_NOISE.args[:-1], types.Array(types.float64, 2, "C", readonly=True), _NOISE.args[-1])

#: Calls a kernel of `transported` by its address.
call_draw = call_by_address(_DRAW)

# The bits of 1.0, and the lowest of all: a fraction that is odd is the middle of a cell twice as wide.
_ODD_ONE = np.uint64(0x3FF0000000000001)


@scalar
def uniform_tile(key0: Any, key1: Any, slot: Any, t: int, half: int, out: Any) -> None:
    first = t * half
    for i in range(half):
        a, b = threefry(key0, key1, np.uint64(first + i), slot)
        out[i] = unit_interval(a)
        out[half + i] = unit_interval(b)


@scalar
def _radius(word: Any) -> Any:
    """Return ``sqrt(-2 log u)`` of a uniform u within 2 ulp: no need for the care that `log_positive` takes."""
    bits = bits_of_float(unit_interval(word)) + (_ONE - _SQRT_HALF)
    e = float_of_bits((bits >> _52) | _TWO_52) - _BIASED
    m = float_of_bits((bits & _MANTISSA) + _SQRT_HALF)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    # -4 artanh(s) / s
    p = -0.3367532024855568
    p = p * z + -0.36243868837577164
    p = p * z + -0.44446869095783514
    p = p * z + -0.5714283204220508
    p = p * z + -0.800000001234833
    p = p * z + -1.3333333333310584
    p = p * z + -4.000000000000001
    return math.sqrt(s * p - e * 1.3862943611198906)


@scalar
def normal_pair(first: Any, second: Any) -> Any:
    """Return the two standard normals of two random words (Box and Muller 1958).

    The first word gives the radius. The top 51 bits of the second give an angle in (-pi/4, pi/4), the middle of one of
    as many equal cells; its lowest two bits turn it into the other quadrants. A choice by bits costs less than the
    reduction of an angle.
    """
    radius = _radius(first)
    w = float_of_bits((second >> np.uint64(12)) | _ODD_ONE) - 1.5  # in quarter turns
    z = w * w
    s = 5.633933781537854e-08
    s = s * z + -3.59864335298231e-06
    s = s * z + 0.0001604411507421909
    s = s * z + -0.004681754132340976
    s = s * z + 0.07969262624604301
    s = s * z + -0.6459640975062443
    s = s * z + 1.5707963267948966
    sine = radius * (w * s)
    c = 4.6552961874867623e-07
    c = c * z + -2.520013526428479e-05
    c = c * z + 0.000919259950041661
    c = c * z + -0.02086348073494657
    c = c * z + 0.25366950789986475
    c = c * z + -1.2337005501361513
    c = c * z + 1.0
    # The cosine is positive: the lowest bit of the word becomes its sign.
    cosine = float_of_bits(bits_of_float(radius * c) | np.int64(second << np.uint64(63)))
    swapped = (second & np.uint64(2)) != np.uint64(0)
    return (sine if swapped else cosine), (cosine if swapped else sine)


@scalar
def normal_tile(key0: Any, key1: Any, slot: Any, t: int, half: int, words: Any, out: Any) -> None:
    # Two loops: bits and Box-Muller in one spill registers.
    first = t * half
    for i in range(half):
        words[i], words[half + i] = threefry(key0, key1, np.uint64(first + i), slot)
    for i in range(half):
        out[i], out[half + i] = normal_pair(words[i], words[half + i])


@scalar
def _copy(source: Any, out: Any) -> None:
    for i in range(out.size):
        out[i] = source[i]


@kernel
def uniforms(key0: Any, key1: Any, slot: Any, first_tile: int, tile: int, out: Any) -> None:
    """Fill `out`, which begins at tile `first_tile`, with uniforms on (0, 1)."""
    rest = np.empty(tile)
    for t in range(-(-out.size // tile)):
        part = out[t * tile : (t + 1) * tile]
        # One call for both: its code is the greater part of what is compiled.
        uniform_tile(key0, key1, slot, first_tile + t, tile // 2, part if part.size == tile else rest)
        if part.size < tile:
            _copy(rest, part)


@kernel
def normals(key0: Any, key1: Any, slot: Any, first_tile: int, tile: int, out: Any) -> None:
    """Fill `out`, which begins at tile `first_tile`, with standard normals (Box and Muller 1958)."""
    rest, words = np.empty(tile), np.empty(tile, np.uint64)
    for t in range(-(-out.size // tile)):
        part = out[t * tile : (t + 1) * tile]
        normal_tile(key0, key1, slot, first_tile + t, tile // 2, words, part if part.size == tile else rest)
        if part.size < tile:
            _copy(rest, part)


@kernel
def round_to_float32(u: Any, out: Any) -> None:
    """Round uniforms of float64 to the middles of 2**23 cells: float32 numbers strictly inside (0, 1)."""
    for i in range(u.size):
        cell = math.floor(u[i] * 2.0**23)
        out[i] = np.float32((cell + 0.5) * 2.0**-23)


@cache
def address_of(noise: Any) -> int:
    """Return the address of `uniforms` or `normals` in this process."""
    return address(noise, _NOISE)


@cache
def address_of_draw(draw: Any) -> int:
    """Return the address of a kernel of `transported` in this process."""
    return address(draw, _DRAW)


@cache
def transported(transport: Any, parameters: int) -> Any:
    """Return ``draw(noise, key0, key1, slot, first_tile, tile, table, out)``: ``out[i] = transport(e[i], column)``.

    `noise` is the address of a noise kernel; the parameters of element `i` stand in column ``i % length`` of the table.
    """

    @scalar
    def run(x: Any, table: Any) -> None:
        for i in range(x.size):
            x[i] = transport(x[i], column(table, i, parameters))

    @kernel
    def draw(noise: int, key0: Any, key1: Any, slot: Any, first_tile: int, tile: int, table: Any, out: Any) -> None:
        call_noise(noise, (key0, key1, slot, first_tile, tile, out))
        length = table.shape[1]
        if length == 1:
            only = column(table, 0, parameters)
            for i in range(out.size):
                out[i] = transport(out[i], only)
        else:
            for start in range(0, out.size, length):
                run(out[start : min(start + length, out.size)], table)

    return draw
