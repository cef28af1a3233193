"""The named tuples that cross from Python into the loops over log weights, and their types in compiled code.

A loop that computes log weights is ``weigh(source, first, out)``: it sets `out` to the log weights from number `first`
on, counted over the batch members of each draw.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
from numba import types

from mcvi._kernels.compiler.jit import address

_NUMBERS, _TABLE = np.empty(0), np.empty((0, 1))


class Given(NamedTuple):
    """Draws, or log densities, that are known. A field that a loop does not read stays empty."""

    z: Any = _NUMBERS
    log_p: Any = _NUMBERS
    log_q: Any = _NUMBERS
    #: How many numbers a log weight belongs to.
    size: int = 1
    #: The constants of the densities of q and p.
    table_q: Any = _TABLE
    table_p: Any = _TABLE


class Drawn(NamedTuple):
    """A key and parameters from which the loop itself draws."""

    #: Addresses of the kernel of the noise, and of the one that fills an array with draws where a loop calls it.
    noise: int
    draw: int
    key0: Any
    key1: Any
    #: How many numbers a log weight belongs to, and how many make a tile.
    size: int
    tile: int
    #: The parameters of q, and the constants of the densities of q and p.
    parameters: Any
    table_q: Any
    table_p: Any


class State(NamedTuple):
    """Sums and largest log weights of each batch member: what a sweep adds to."""

    #: The powers of the weights, ``(powers, members)``.
    scale: Any
    #: A state of `log_moments` for each power.
    log_moments: Any
    #: A state of `moments`, and one of `centred_moments` for each power; without members where nobody asks for them.
    moments: Any
    centred_moments: Any
    #: The arguments of `keep_largest`; where there is more than one sign, each has its own `values`, `sizes`, `floors`.
    signs: Any
    keep: int
    values: Any
    sizes: Any
    floors: Any


def _read(dimensions: int) -> Any:
    return types.Array(types.float64, dimensions, "C", readonly=True)


_ADDRESS, _WORD, _INTEGER = types.uintp, types.uint64, types.int64
_LINE, _PLANE, _STACK = types.float64[::1], types.float64[:, ::1], types.float64[:, :, ::1]

_SOURCES = {
    Given: types.NamedTuple((_read(1), _read(1), _read(1), _INTEGER, _read(2), _read(2)), Given),
    Drawn: types.NamedTuple(
        (_ADDRESS, _ADDRESS, _WORD, _WORD, _INTEGER, _INTEGER, _read(2), _read(2), _read(2)), Drawn
    ),
}
#: The signature of a loop that computes log weights, for each kind of source.
WEIGH = {kind: types.void(source, _INTEGER, _LINE) for kind, source in _SOURCES.items()}
#: The signature of a kernel that adds a chunk of log weights ``(rows, members)`` to a state after some rows; the third
#: is the address of what it may call.
ADD = types.void(
    _PLANE,
    _INTEGER,
    _ADDRESS,
    types.NamedTuple(
        (_PLANE, _STACK, _PLANE, _STACK, _LINE, _INTEGER, _STACK, types.int64[:, ::1], _PLANE),
        State,
    ),
)


@cache
def address_of(weigh: Any, kind: Any) -> int:
    """Return the address of a loop that computes log weights in this process."""
    return address(weigh, WEIGH[kind])
