"""Keep the largest numbers of each column of a stream of blocks."""

from typing import Any

import numpy as np

from mcvi._kernels.bits import maximum
from mcvi._kernels.jit import kernel

_STRIDE = 64


@kernel
def select_largest(values: Any, size: int, keep: int) -> None:
    """Move the `keep` largest of ``values[:size]`` to its front (quickselect, Hoare's partition)."""
    low, high = 0, size - 1
    while low < high:
        pivot = values[(low + high) // 2]
        i, j = low, high
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if keep - 1 <= j:
            high = j
        elif keep - 1 >= i:
            low = i
        else:
            return


@kernel
def _compact(values: Any, size: int, keep: int) -> float:
    """Select, and return the smallest of those kept: a number not above it can never be among the largest."""
    select_largest(values, size, keep)
    smallest = values[0]
    for i in range(1, keep):
        smallest = min(smallest, values[i])
    return smallest


@kernel
def push(t: Any, keep: int, values: Any, sizes: Any, floors: Any) -> None:
    """Add the rows of `t` above ``floors`` to ``values[column, :sizes[column]]``; nan is passed over.

    When a column is full it is cut to its `keep` largest and its floor is raised.
    """
    rows, columns = t.shape
    capacity = values.shape[1]
    if columns == 1:
        flat = t.reshape(-1)
        size, floor = sizes[0], floors[0]
        for start in range(0, rows, _STRIDE):
            stop = min(start + _STRIDE, rows)
            largest = -np.inf
            for i in range(start, stop):
                # written as a select, so that a nan hides nothing and the loop vectorises
                largest = flat[i] if flat[i] > largest else largest
            if largest > floor:
                for i in range(start, stop):
                    if flat[i] > floor:
                        values[0, size] = flat[i]
                        size += 1
                        if size == capacity:
                            floor = _compact(values[0], size, keep)
                            size = keep
        sizes[0], floors[0] = size, floor
        return
    for i in range(rows):
        for j in range(columns):
            if t[i, j] > floors[j]:
                values[j, sizes[j]] = t[i, j]
                sizes[j] += 1
                if sizes[j] == capacity:
                    floors[j] = _compact(values[j], capacity, keep)
                    sizes[j] = keep


@kernel(sums=True)
def column_maximum(t: Any, out: Any) -> None:
    """Set `out` to the largest of each column; nan where there is one."""
    for j in range(t.shape[1]):
        out[j] = -np.inf
    for i in range(t.shape[0]):
        for j in range(t.shape[1]):
            out[j] = maximum(out[j], t[i, j])
