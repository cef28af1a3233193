"""Array loops made from a family's scalar functions.

Each scalar function takes a number (or none) and a tuple of constants. The constants of a batch stand in the columns of
a table `(count, length)`: element `i` of a flat array belongs to column ``i % length``.
"""

from typing import Any

import numpy as np

from mcvi._kernels.bits import column, set_column
from mcvi._kernels.jit import kernel


def table(function: Any, arguments: int) -> Any:
    """Return a kernel that fills the columns of `out` with ``function(parameters)``, a tuple."""

    @kernel
    def fill(parameters: Any, out: Any) -> None:
        for j in range(parameters.shape[1]):
            set_column(out, j, function(column(parameters, j, arguments)))

    return fill


def elementwise(function: Any, constants: int) -> Any:
    """Return a kernel that sets ``out[i] = function(x[i], constants of i)``; `out` may be `x`."""

    @kernel
    def apply(x: Any, table: Any, out: Any) -> None:
        length = table.shape[1]
        if length == 1:
            only = column(table, 0, constants)
            for i in range(x.size):
                out[i] = function(x[i], only)
        else:
            for start in range(0, x.size, length):
                for j in range(min(length, x.size - start)):
                    out[start + j] = function(x[start + j], column(table, j, constants))

    return apply


def elementwise_pair(function: Any, constants: int) -> Any:
    """Return a kernel that sets ``out[i] = function(x[i], y[i], constants of i)``; `out` may be `x`."""

    @kernel
    def apply(x: Any, y: Any, table: Any, out: Any) -> None:
        length = table.shape[1]
        for start in range(0, x.size, length):
            for j in range(min(length, x.size - start)):
                out[start + j] = function(x[start + j], y[start + j], column(table, j, constants))

    return apply


def elementwise_tuple(function: Any, constants: int) -> Any:
    """Return a kernel that sets column `i` of `out` to ``function(x[i], constants of i)``, a tuple."""

    @kernel
    def apply(x: Any, table: Any, out: Any) -> None:
        length = table.shape[1]
        for start in range(0, x.size, length):
            for j in range(min(length, x.size - start)):
                set_column(out, start + j, function(x[start + j], column(table, j, constants)))

    return apply


def element_draws(function: Any, constants: int) -> Any:
    """Return a kernel that sets ``out[i] = function(key0, key1, address, slot, constants of i)``.

    `first` is the address of ``out[0]``: the flat position of the element among the draws of the call.
    """

    @kernel
    def draw(key0: Any, key1: Any, slot: Any, first: int, table: Any, out: Any) -> None:
        length = table.shape[1]
        for i in range(out.size):
            # `first` is a whole number of draws, so that the pattern of columns begins afresh at every block.
            out[i] = function(key0, key1, np.uint64(first + i), slot, column(table, i % length, constants))

    return draw
