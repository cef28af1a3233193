"""The largest log weights of a stream of blocks: what a k-hat is fitted to."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

from mcvi._kernels import tail as kernels
from mcvi._typing import FloatArray
from mcvi.diagnostics import LONGEST_KEPT_TAIL, khat_of_tail, tail_length

__all__ = ["Tail", "TailBuilder", "kept_length"]

# So few draws are all kept, and selected from when someone looks at the k-hat.
SELECTED_LATER = 4096
# A selection costs more than a little memory: it waits until so many times what is needed has come together.
_MOST_KEPT = 4
# How many numbers of the first block a floor is guessed from.
_SAMPLE = 512


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
            both = np.partition(both, both.shape[1] - keep, axis=1)[:, -keep:]
        return replace(self, values=both)

    @property
    def is_complete(self) -> bool:
        """Whether each column has as many numbers as a k-hat needs."""
        return bool(((self.values > -np.inf).sum(axis=1) >= kept_length(self.total)).all())

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


class TailBuilder:
    """Collects the tail of a run of blocks."""

    def __init__(self, total: int, columns: int, floors: FloatArray | None = None) -> None:
        self.total = total
        self._columns = columns
        self._given_floors = floors
        self._whole: FloatArray | None = None
        self._is_ready = False

    def _prepare(self) -> None:
        # Not at once: a few draws of one column never need it.
        self._is_ready = True
        self.keep = kept_length(self.total)
        # Blocks of several columns as they came, as long as they hold no more rows than are kept in any case: of many
        # columns a run of blocks is only a few rows.
        self._rows: list[FloatArray] = []
        given = self._given_floors
        self._floors = np.full(self._columns, -np.inf) if given is None else given.copy()
        self._sizes = np.zeros(self._columns, np.int64)
        self._values = np.empty((self._columns, 0))

    def push(self, block: FloatArray) -> None:
        """Add the numbers of a block."""
        if self._columns == 1 and len(block) == self.total <= SELECTED_LATER:
            self._whole = block.reshape(1, -1).copy()
            return
        if not self._is_ready:
            self._prepare()
        if self._columns == 1:
            self._push_column(block.reshape(-1))
        elif self._columns > 1:
            self._push_rows(block)

    def tail(self) -> Tail:
        """Return what was collected."""
        if self._whole is not None:
            return Tail(self.total, self._whole)
        if not self._is_ready:
            self._prepare()
        if self._columns == 1:
            return Tail(self.total, self._values[:, : self._sizes[0]].copy())
        if self._rows:
            rows = np.concatenate(self._rows)
            return Tail(self.total, np.ascontiguousarray(np.where(np.isnan(rows), -np.inf, rows).T))
        values = np.full((self._columns, self.keep), -np.inf)
        for column, (size, kept) in enumerate(zip(self._sizes, self._values, strict=True)):
            largest = kept[:size] if size <= self.keep else np.partition(kept[:size], size - self.keep)[-self.keep :]
            values[column, : len(largest)] = largest
        return Tail(self.total, values)

    def _push_rows(self, block: FloatArray) -> None:
        if not self._values.size:
            if sum(map(len, self._rows)) + len(block) <= self.keep:
                self._rows.append(block.copy())
                return
            self._values = np.empty((self._columns, 2 * self.keep + 1))
            for rows in self._rows:
                kernels.push(rows, self.keep, self._values, self._sizes, self._floors)
            self._rows = []
        kernels.push(block, self.keep, self._values, self._sizes, self._floors)

    def _push_column(self, flat: FloatArray) -> None:
        size = int(self._sizes[0])
        if size + flat.size > self._values.shape[1]:
            wider = np.empty((1, size + flat.size))
            wider[0, :size] = self._values[0, :size]
            self._values = wider
        floor = self._floors[0]
        guess = self._guess(flat) if size == 0 and floor == -np.inf else -np.inf
        grown = kernels.above(flat, max(floor, guess), self._values[0], size)
        if guess > floor and grown < self.keep:  # the guess was too high
            grown = kernels.above(flat, floor, self._values[0], size)
        elif guess > floor:
            self._floors[0] = guess
        self._sizes[0] = grown
        if grown > _MOST_KEPT * self.keep:
            largest = np.partition(self._values[0, :grown], grown - self.keep)[grown - self.keep :]
            self._values[0, : self.keep] = largest
            self._floors[0], self._sizes[0] = largest[0], self.keep

    def _guess(self, first_block: FloatArray) -> float:
        """Return a number that somewhat more than `keep` of the block probably exceed, from a sample of it."""
        step = max(first_block.size // _SAMPLE, 1)
        sample = first_block[::step]
        rank = int(1.4 * self.keep / step) + 8
        if rank >= sample.size:
            return -np.inf
        guess = np.partition(sample, sample.size - rank)[sample.size - rank]
        return -np.inf if np.isnan(guess) else float(guess)
