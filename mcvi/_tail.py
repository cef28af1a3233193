"""The largest log weights of a stream of blocks: what a k-hat is fitted to."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

from mcvi._kernels import tail as kernels
from mcvi._typing import FloatArray
from mcvi.diagnostics import LONGEST_KEPT_TAIL, khat_of_tail, tail_length

__all__ = ["ColumnTail", "Tail", "TailBuilder", "kept_length"]

# So few draws are all kept, and selected from when someone looks at the k-hat.
SELECTED_LATER = 4096
# A selection costs more than a little memory: it waits until so many times what is needed has come together.
_MOST_KEPT = 4
# What must be free before another stride of numbers is looked at.
_ROOM = 512
_NO_FLOORS = np.full(2, -np.inf)
_SIGNS = {signs: np.array(signs, np.float64) for signs in [(), (1,), (-1,), (1, -1), (-1, 1)]}


@lru_cache(maxsize=256)
def kept_length(n: int) -> int:
    """Return how many log weights of `n` are kept: the tail, at most 3000, and the one that it begins after."""
    return min(min(tail_length(n), LONGEST_KEPT_TAIL) + 1, n)


@dataclass(frozen=True)
class Tail:
    """The largest log weights of each column: as many as a k-hat for `total` draws needs, and one more.

    nan is passed over. `values` is ``(columns, as many or more)``: up to four times as many are kept, and all where
    there are few, until somebody looks at the k-hat. A part of the draws may have fewer; a column with fewer than the
    others is filled up with -inf.
    """

    total: int
    values: FloatArray

    def __add__(self, other: Self) -> Self:
        keep = kept_length(self.total)
        both = np.concatenate([self.values, other.values], axis=1)
        if both.shape[1] > _MOST_KEPT * keep:
            both = both[:, : kernels.prune(both, keep)].copy()
        return replace(self, values=both)

    @property
    def floors(self) -> FloatArray:
        """The smallest number kept of each column: one not above it cannot be among the largest."""
        if self.values.shape[1] < kept_length(self.total):
            return np.full(len(self.values), -np.inf)
        return np.ascontiguousarray(self.values.min(axis=1))

    @cached_property
    def khat(self) -> FloatArray:
        """The k-hat of each column's weights."""
        keep = kept_length(self.total)
        # Exactly as many as belong: how many more were kept depends on how the work was cut.
        return np.atleast_1d(khat_of_tail(np.sort(self.values, axis=1)[:, -keep:].T, self.total))

    def columns(self, index: Any) -> "Tail":
        """Return the tail of some columns."""
        return replace(self, values=self.values[index])

    def times(self, scale: FloatArray) -> "Tail":
        """Return the tail of the weights raised to the power `scale` > 0, one a column."""
        with np.errstate(invalid="ignore"):
            return replace(self, values=np.where(self.values == -np.inf, -np.inf, self.values * scale[:, None]))


class ColumnTail:
    """Collects the tails of one column of numbers: of the numbers times each of some signs.

    The arrays are those of the kernel `keep_largest`, a row a sign.
    """

    def __init__(self, total: int, signs: tuple[int, ...], count: int, floors: FloatArray | None = None) -> None:
        self.total, self.keep = total, kept_length(total)
        self.signs = _SIGNS[signs]
        room = count if total <= SELECTED_LATER else min(count, _MOST_KEPT * self.keep + _ROOM)
        self.values = np.empty((len(signs), room))
        self.sizes = np.zeros(len(signs), np.int64)
        self.floors = (_NO_FLOORS[: len(signs)] if floors is None else floors).copy()

    def push(self, block: FloatArray) -> None:
        """Add the numbers of a block."""
        flat = block.reshape(-1)
        for row, sign in enumerate(self.signs):
            self.sizes[row], self.floors[row] = kernels.keep_largest(
                flat, sign, self.keep, self.values[row], self.sizes[row], self.floors[row]
            )

    def tail(self) -> Tail:
        """Return what was collected."""
        sizes = self.sizes.tolist()
        size = max(sizes)
        if len(sizes) > 1:
            for row, used in enumerate(sizes):
                self.values[row, used:size] = -np.inf
        return Tail(self.total, self.values if size == self.values.shape[1] else self.values[:, :size].copy())


class TailBuilder:
    """Collects the tail of each of several columns of a run of blocks."""

    def __init__(self, total: int, columns: int, floors: FloatArray | None = None) -> None:
        self.total, self.keep = total, kept_length(total)
        self._columns = columns
        # Blocks as they came, as long as they hold no more rows than are kept in any case: of many columns a run of
        # blocks is only a few rows.
        self._rows: list[FloatArray] = []
        self._floors = np.full(columns, -np.inf) if floors is None else floors.copy()
        self._sizes = np.zeros(columns, np.int64)
        self._values = np.empty((columns, 0))

    def push(self, block: FloatArray) -> None:
        """Add the rows of a block."""
        if not self._values.size:
            if sum(map(len, self._rows)) + len(block) <= self.keep:
                self._rows.append(block.copy())
                return
            self._values = np.empty((self._columns, 2 * self.keep + 1))
            for rows in self._rows:
                kernels.push(rows, self.keep, self._values, self._sizes, self._floors)
            self._rows = []
        kernels.push(block, self.keep, self._values, self._sizes, self._floors)

    def tail(self) -> Tail:
        """Return what was collected."""
        if self._rows:
            rows = np.concatenate(self._rows)
            return Tail(self.total, np.ascontiguousarray(np.where(np.isnan(rows), -np.inf, rows).T))
        values = np.full((self._columns, self.keep), -np.inf)
        for column, (size, kept) in enumerate(zip(self._sizes, self._values, strict=True)):
            largest = kept[:size] if size <= self.keep else np.partition(kept[:size], size - self.keep)[-self.keep :]
            values[column, : len(largest)] = largest
        return Tail(self.total, values)
