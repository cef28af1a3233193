"""Keep the largest numbers of each column of a stream of blocks."""

from typing import Any

import numpy as np

from mcvi._kernels.bits import lowest_bit, mask_above
from mcvi._kernels.jit import kernel, scalar

_ONE = np.uint64(1)
# Room is made before each stride, not before each number.
_STRIDE = 512
# How many of the kept numbers a floor is guessed from.
_SAMPLE = 256


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


@scalar
def _append_above(t: Any, sign: float, floor: float, values: Any, size: int) -> int:
    """Append the numbers of ``sign * t`` above `floor` to ``values[:size]``, and return the new size.

    `values` may be `t` itself: a number is read before its place is written.
    """
    whole = t.size - t.size % 64
    for start in range(0, whole, 64):
        hits = mask_above(t, start, sign, floor)
        while hits:
            values[size] = sign * t[start + lowest_bit(hits)]
            size += 1
            hits &= hits - _ONE
    for i in range(whole, t.size):
        if sign * t[i] > floor:
            values[size] = sign * t[i]
            size += 1
    return size


@kernel
def _prune(values: Any, size: int, keep: int) -> tuple[int, float]:
    """Move the `keep` largest of ``values[:size]``, and some more, to its front; return how many, and their floor.

    A selection mispredicts its way through thousands of numbers. A floor that about one and a half times `keep` exceed
    is guessed from a sample instead, and taken if at least `keep` do.
    """
    step = max(size // _SAMPLE, 1)
    sample = values[:size:step].copy()
    rank = min(1 + int(1.4 * keep / step) + 8, sample.size)
    select_largest(sample, sample.size, rank)
    floor = sample[:rank].min()
    hits = 0
    for i in range(size):
        hits += values[i] > floor
    if hits < keep or 2 * hits > size + keep:
        select_largest(values, size, keep)
        return keep, values[:keep].min()
    return _append_above(values[:size], 1.0, floor, values, 0), floor


@kernel
def prune(values: Any, keep: int) -> int:
    """Cut each row to its `keep` largest and some more, filled up with -inf; return the length of the longest."""
    longest = keep
    sizes = np.empty(values.shape[0], np.int64)
    for j in range(values.shape[0]):
        sizes[j], _ = _prune(values[j], values.shape[1], keep)
        longest = max(longest, sizes[j])
    for j in range(values.shape[0]):
        values[j, sizes[j] : longest] = -np.inf
    return longest


@kernel
def keep_largest(t: Any, sign: float, keep: int, values: Any, size: int, floor: float) -> tuple[int, float]:
    """Append the numbers of ``sign * t``, a flat array, above `floor` to ``values[:size]``; nan is passed over.

    Where there is no more room, `values` is cut to its `keep` largest and some more, and `floor` raised. Return both,
    the size first.
    """
    for start in range(0, t.size, _STRIDE):
        stride = t[start : start + _STRIDE]
        if size + stride.size > values.size:
            size, raised = _prune(values, size, keep)
            floor = max(floor, raised)
        if floor == -np.inf:
            for i in range(stride.size):
                x = sign * stride[i]
                values[size + i] = x if x == x else -np.inf
            size += stride.size
        else:
            size = _append_above(stride, sign, floor, values, size)
    return size, floor


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
