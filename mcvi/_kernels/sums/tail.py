"""The order statistics at the top of a stream of blocks: the largest log weights of each batch member.

Each column of a block, a batch member, has a row of `values` with room for more than is kept, and a floor: at least as
many numbers as are kept reach it. Only what is above the floor is appended. A full row is cut to its largest and the
floor raised.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import types

from mcvi._kernels.compiler.intrinsics import call_by_address, lowest_bit, mask_above
from mcvi._kernels.compiler.jit import address, kernel, scalar
from mcvi._kernels.sums.moments import MANY, smallest_of

_ONE, _ALL = np.uint64(1), np.uint64(2**64 - 1)
# Room is made before each stride of a column, or each run of rows of many, not before each number.
_STRIDE, _ROWS = 256, 64
# How many of the kept numbers a floor is guessed from.
_SAMPLE = 64


def slack(columns: int) -> int:
    """Return how much more room than for what is kept a row of `keep_largest` needs."""
    return 2 * (_STRIDE if columns < MANY else _ROWS)


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
    # some standard deviations above `keep` of them, and below what is rejected
    rank = min(1 + int(min(1.4 * keep / step + 8, (size + 3 * keep) / (4 * step))), sample.size)
    select_largest(sample, sample.size, rank)
    floor = smallest_of(sample[:rank])
    hits = 0
    for i in range(size):
        hits += values[i] > floor
    if hits < keep or 2 * hits > size + keep:
        select_largest(values, size, keep)
        return keep, smallest_of(values[:keep])
    return _append_above(values[:size], 1.0, floor, values, 0), floor


@kernel
def _cut(values: Any, keep: int, j: int, sizes: Any, floors: Any) -> None:
    """Prune row `j` of `values`, and raise its floor."""
    sizes[j], raised = _prune(values[j], sizes[j], keep)
    floors[j] = max(floors[j], raised)


_CUT = types.void(types.float64[:, ::1], types.int64, types.int64, types.int64[::1], types.float64[::1])
_call_cut = call_by_address(_CUT)


@cache
def cut_address() -> int:
    """Return the address of what `keep_largest` calls where there is no more room: not compiled before."""
    return address(_cut, _CUT)


@kernel
def prune(values: Any, keep: int, floors: Any) -> int:
    """Cut each row to its `keep` largest and some more, filled up with -inf; return the length of the longest.

    `floors` are raised.
    """
    longest = keep
    sizes = np.empty(values.shape[0], np.int64)
    for j in range(values.shape[0]):
        sizes[j], raised = _prune(values[j], values.shape[1], keep)
        floors[j] = max(floors[j], raised)
        longest = max(longest, sizes[j])
    fill(values, sizes, longest)
    return longest


@kernel
def fill(values: Any, sizes: Any, length: int) -> None:
    """Set what lies beyond the size of each row, up to `length`, to -inf."""
    for j in range(values.shape[0]):
        values[j, sizes[j] : length] = -np.inf


@scalar
def _append_all(t: Any, sign: float, values: Any, size: int) -> int:
    for i in range(t.size):
        x = sign * t[i]
        values[size + i] = x if x == x else -np.inf
    return size + t.size


@kernel
def _append_row(t: Any, sign: float, floors: Any, values: Any, sizes: Any) -> None:
    """Append the numbers of ``sign * t`` that are above their floor, each to its own row of `values`."""
    first = 0
    while first < t.size:
        # The last 64 begin before the end of those before them, whose bits are cleared.
        start = min(first, max(t.size - 64, 0))
        if t.size >= 64:
            hits = mask_above(t, start, sign, floors) & (_ALL << np.uint64(first - start))
        else:
            hits = np.uint64(0)
            for j in range(t.size):
                hits |= np.uint64(sign * t[j] > floors[j]) << np.uint64(j)
        while hits:
            j = start + lowest_bit(hits)
            values[j, sizes[j]] = sign * t[j]
            sizes[j] += 1
            hits &= hits - _ONE
        first = start + 64


@kernel
def keep_largest_of_many(cut: int, t: Any, sign: float, keep: int, values: Any, sizes: Any, floors: Any) -> None:
    columns = t.shape[1]
    limits = np.empty(columns)
    for start in range(0, len(t), _ROWS):
        run = t[start : start + _ROWS]
        some = False
        for j in range(columns):
            if sizes[j] + len(run) > values.shape[1]:
                _call_cut(cut, (values, keep, j, sizes, floors))
            limits[j] = floors[j]
            if floors[j] == -np.inf:
                sizes[j] = _append_all(run[:, j], sign, values[j], sizes[j])
                limits[j] = np.inf
            else:
                some = True
        if some:
            for i in range(len(run)):
                _append_row(run[i], sign, limits, values, sizes)


@kernel
def keep_largest_of_few(cut: int, t: Any, sign: float, keep: int, values: Any, sizes: Any, floors: Any) -> None:
    columns = t.shape[1]
    for j in range(columns):
        flat, row = t.reshape(-1) if columns == 1 else t[:, j].copy(), values[j]
        for start in range(0, flat.size, _STRIDE):
            stride = flat[start : start + _STRIDE]
            if sizes[j] + stride.size > row.size:
                _call_cut(cut, (values, keep, j, sizes, floors))
            if floors[j] == -np.inf:
                sizes[j] = _append_all(stride, sign, row, sizes[j])
            else:
                sizes[j] = _append_above(stride, sign, floors[j], row, sizes[j])


def keep_largest(t: Any, sign: float, keep: int, values: Any, sizes: Any, floors: Any) -> None:
    """Append the numbers of each column of ``sign * t`` that are above its floor to ``values[column, :sizes[column]]``.

    nan is passed over. Where there is no more room, `values` is cut to its `keep` largest and some more, and the floor
    raised: a row has room for all numbers that will come, or for `keep` and `slack` at least.
    """
    cut = 0 if sizes.max(initial=0) + len(t) <= values.shape[1] else cut_address()
    (keep_largest_of_few if t.shape[1] < MANY else keep_largest_of_many)(cut, t, sign, keep, values, sizes, floors)
