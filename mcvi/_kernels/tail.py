"""Keep the largest numbers of each column of a stream of blocks."""

from typing import Any

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


@kernel(sums=True)
def above(t: Any, floor: float, out: Any, size: int) -> int:
    """Append the numbers of a flat array above `floor` to ``out[:size]``, and return the new size; nan is passed over.

    `out` has room for all of them. Where few are, nearly all the time goes into the vectorised count of each stride.
    """
    for start in range(0, t.size, _STRIDE):
        stride = t[start : start + _STRIDE]
        hits = 0
        for i in range(stride.size):
            hits += stride[i] > floor
        if hits > 0:
            for i in range(stride.size):
                if stride[i] > floor:
                    out[size] = stride[i]
                    size += 1
    return size


@kernel
def push(t: Any, keep: int, values: Any, sizes: Any, floors: Any) -> None:
    """Add the rows of `t` above ``floors`` to ``values[column, :sizes[column]]``; nan is passed over.

    When a column is full it is cut to its `keep` largest and its floor is raised.
    """
    for i in range(t.shape[0]):
        for j in range(t.shape[1]):
            if t[i, j] > floors[j]:
                values[j, sizes[j]] = t[i, j]
                sizes[j] += 1
                if sizes[j] == values.shape[1]:
                    select_largest(values[j], sizes[j], keep)
                    sizes[j] = keep
                    floors[j] = values[j, :keep].min()
