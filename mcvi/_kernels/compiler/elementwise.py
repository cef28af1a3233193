"""Array loops made from a family's scalar functions.

Each scalar function takes a number (or none) and a tuple of constants. The constants of a batch stand in the columns of
a table `(count, length)`: element `i` of a flat array belongs to column ``i % length``.

What keeps the loops vectorised: a run over the table works on slices, because an index with an offset is taken for one
that may be negative; and a loop in place names its array once, because two names that overlap are run one by one.
"""

from typing import Any

from mcvi._kernels.compiler.intrinsics import column, set_column
from mcvi._kernels.compiler.jit import kernel, scalar


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
