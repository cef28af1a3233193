"""Array loops made from a family's scalar functions.

Each scalar function takes a number (or none) and a tuple of constants. The constants of a batch stand in the columns of
a table `(count, length)`: element `i` of a flat array belongs to column ``i % length``.

What keeps the loops vectorised: a run over the table works on slices, because an index with an offset is taken for one
that may be negative; and a loop in place names its array once, because two names that overlap are run one by one.
"""

from functools import cache
from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import column, set_column
from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.draws.threefry import MOST_ATTEMPTS, threefry, unit_interval

# Elements that try again together.
_RUN = 256


def table(function: Any, arguments: int) -> Any:
    """Return a kernel that fills the columns of `out` with ``function(parameters)``, a tuple."""

    @kernel
    def fill(parameters: Any, out: Any) -> None:
        for j in range(parameters.shape[1]):
            set_column(out, j, function(column(parameters, j, arguments)))

    return fill


def elementwise(function: Any, constants: int) -> Any:
    """Return a kernel that sets ``out[i] = function(x[i], constants of i)``; `out` must not be `x`."""

    @scalar
    def run(x: Any, table: Any, out: Any) -> None:
        for i in range(x.size):
            out[i] = function(x[i], column(table, i, constants))

    @kernel
    def apply(x: Any, table: Any, out: Any) -> None:
        length = table.shape[1]
        if length == 1:
            only = column(table, 0, constants)
            for i in range(x.size):
                out[i] = function(x[i], only)
        else:
            for start in range(0, x.size, length):
                stop = min(start + length, x.size)
                run(x[start:stop], table, out[start:stop])

    return apply


@cache
def drawn(noise: Any, transport: Any, constants: int) -> Any:
    """Return ``draw(key0, key1, slot, first_tile, tile, table, out)``: ``transport(noise, constants of i)``."""

    @scalar
    def run(x: Any, table: Any) -> None:
        for i in range(x.size):
            x[i] = transport(x[i], column(table, i, constants))

    @kernel
    def draw(key0: Any, key1: Any, slot: Any, first_tile: int, tile: int, table: Any, out: Any) -> None:
        noise(key0, key1, slot, first_tile, tile, out)
        length = table.shape[1]
        if length == 1:
            only = column(table, 0, constants)
            for i in range(out.size):
                out[i] = transport(out[i], only)
        else:
            for start in range(0, out.size, length):
                run(out[start : min(start + length, out.size)], table)

    return draw


def in_place_pair(function: Any, constants: int) -> Any:
    """Return a kernel that sets ``x[i] = function(x[i], y[i], constants of i)``; `y` does not overlap `x`."""

    @scalar
    def run(x: Any, y: Any, table: Any) -> None:
        for i in range(x.size):
            x[i] = function(x[i], y[i], column(table, i, constants))

    @kernel
    def apply(x: Any, y: Any, table: Any) -> None:
        length = table.shape[1]
        if length == 1:
            only = column(table, 0, constants)
            for i in range(x.size):
                x[i] = function(x[i], y[i], only)
        else:
            for start in range(0, x.size, length):
                stop = min(start + length, x.size)
                run(x[start:stop], y[start:stop], table)

    return apply


def elementwise_tuple(function: Any, constants: int) -> Any:
    """Return a kernel that sets column `i` of `out` to ``function(x[i], constants of i)``, a tuple."""

    @kernel
    def apply(x: Any, table: Any, out: Any) -> None:
        length = table.shape[1]
        if length == 1:
            only = column(table, 0, constants)
            for i in range(x.size):
                set_column(out, i, function(x[i], only))
        else:
            # No slices here: with so many rows to tell apart they do more harm than good.
            for start in range(0, x.size, length):
                for j in range(min(length, x.size - start)):
                    set_column(out, start + j, function(x[start + j], column(table, j, constants)))

    return apply


def element_repairs(attempt: Any, constants: int) -> Any:
    """Return a kernel that replaces nan by ``attempt(u, v, constants of i)``, with fresh uniforms until it is none.

    `first` is the address of ``out[0]``; attempt number `k` of an element takes the two words of ``slot + k``. What is
    nan is gathered into runs, whose attempts vectorise. What `MOST_ATTEMPTS` reject stays nan.
    """

    @scalar
    def run(u: Any, v: Any, columns: Any, draws: Any) -> None:
        for i in range(draws.size):
            draws[i] = attempt(u[i], v[i], column(columns, i, constants))

    @scalar
    def words(key0: Any, key1: Any, slot: Any, first: int, index: Any, u: Any, v: Any) -> None:
        for i in range(u.size):
            a, b = threefry(key0, key1, np.uint64(first + index[i]), slot)
            u[i], v[i] = unit_interval(a), unit_interval(b)

    @kernel
    def repair(key0: Any, key1: Any, slot: Any, first: int, table: Any, out: Any) -> None:
        length = table.shape[1]
        index, columns = np.empty(_RUN, np.int64), np.empty((constants, _RUN))
        u, v, draws = np.empty(_RUN), np.empty(_RUN), np.empty(_RUN)
        i = 0
        while i < out.size:
            pending = 0
            while i < out.size and pending < _RUN:
                if out[i] != out[i]:
                    index[pending] = i
                    pending += 1
                i += 1
            for k in range(MOST_ATTEMPTS):
                if pending == 0:
                    break
                words(key0, key1, slot + np.uint64(k), first, index[:pending], u[:pending], v[:pending])
                for j in range(pending):
                    set_column(columns, j, column(table, index[j] % length, constants))
                run(u[:pending], v[:pending], columns, draws[:pending])
                rejected = 0
                for j in range(pending):
                    if draws[j] == draws[j]:
                        out[index[j]] = draws[j]
                    else:
                        index[rejected] = index[j]
                        rejected += 1
                pending = rejected

    return repair
