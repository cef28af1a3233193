"""The largest log weights of a stream of blocks: what a k-hat is fitted to."""

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, Self

import numpy as np

from mcvi._kernels.sums import tail as kernels
from mcvi._typing import FloatArray
from mcvi.diagnostics import LONGEST_KEPT_TAIL, khat_of_tail, tail_length

__all__ = ["RepeatedTail", "Tail", "TailBuilder", "kept_length"]

# A selection costs more than a little memory: it waits until so many numbers of a column have come together, and so
# many times what is needed. But of all columns no more than `_LITTLE` numbers, if that is twice what is needed.
_ENOUGH, _TIMES, _LITTLE = 4096, 4, 2**22
_COLUMNS = 128
_FACTORS = {signs: np.array(signs, np.float64) for signs in [(), (1,), (-1,), (1, -1), (-1, 1)]}
_NO_FLOORS = np.full((2, 1), -np.inf)


@lru_cache(maxsize=256)
def kept_length(n: int) -> int:
    """Return the number of log weights that are kept of `n`: the tail, at most 3000, and the one before it."""
    return min(min(tail_length(n), LONGEST_KEPT_TAIL) + 1, n)


def _most_kept(rows: int, total: int) -> int:
    """Return the number of numbers in each of several rows that wait for a selection."""
    keep = kept_length(total)
    return max(2 * keep, min(max(_TIMES * keep, _ENOUGH), _LITTLE // max(rows, 1)))


@lru_cache(maxsize=256)
def _room(total: int, columns: int, rows: int) -> int:
    return _most_kept(rows, total) + kernels.slack(columns)


@dataclass(eq=False)
class Tail:
    """The largest log weights of each column: as many as a k-hat for `total` draws needs, and one more.

    nan is passed over. Some more are kept, and all where there are few, until somebody looks at the k-hat. A part of
    the draws may have fewer; a column with fewer than the others is filled up with -inf.
    """

    total: int
    #: Arrays ``(columns, some)``, side by side once somebody looks.
    parts: tuple[FloatArray, ...]
    #: A number that is not above its column's floor cannot be among the largest.
    floors: FloatArray

    def __add__(self, other: Self) -> Self:
        both = replace(self, parts=self.parts + other.parts, floors=np.maximum(self.floors, other.floors))
        if sum(part.shape[1] for part in both.parts) > _most_kept(len(both.floors), self.total):
            both._select()
        return both

    def _select(self) -> None:
        """Cut each column to its largest numbers and some more."""
        keep = kept_length(self.total)
        # The most that `prune` leaves. A few columns at a time fit the cache, where all of them at once would not.
        selected = np.empty((len(self.floors), (sum(part.shape[1] for part in self.parts) + keep) // 2))
        longest = keep
        for start in range(0, len(selected), _COLUMNS):
            few = slice(start, start + _COLUMNS)
            values = np.concatenate([part[few] for part in self.parts], axis=1)
            length = kernels.prune(values, keep, self.floors[few])
            selected[few, :length], selected[few, length:] = values[:, :length], -np.inf
            longest = max(longest, length)
        self.parts = (selected[:, :longest],)

    @cached_property
    def values(self) -> FloatArray:
        """All that is kept, ``(columns, as many as needed or more)``."""
        return np.concatenate(self.parts, axis=1)

    @cached_property
    def khat(self) -> FloatArray:
        """The k-hat of each column's weights."""
        return self.khat_of_powers(slice(None), np.ones(len(self.floors)))

    def khat_of_powers(self, columns: Any, power: FloatArray) -> FloatArray:
        """Return the k-hats of some columns' weights raised to powers above 0, one a column."""
        keep = kept_length(self.total)
        if not power.size:
            return np.empty(0)
        # Exactly as many as belong: how many more were kept depends on how the work was cut.
        largest = np.partition(self.values[columns], -keep, axis=1)[:, -keep:] * power[:, None]
        return np.atleast_1d(khat_of_tail(np.sort(largest, axis=1).T, self.total))


@dataclass(frozen=True)
class RepeatedTail:
    """The k-hats of weights that several values of each member of the batch have in common."""

    tail: Tail
    times: int

    @property
    def khat(self) -> FloatArray:
        """The k-hat of each column, repeated."""
        return np.repeat(self.tail.khat, self.times)


class TailBuilder:
    """Collects the tails of columns of numbers: of the numbers times each of some signs, one sign after the other.

    Parameters
    ----------
    total
        The number of numbers that a column has in all.
    columns, signs
        The number of columns, and the signs by which their numbers are multiplied.
    count
        The number of numbers of each column that will come here.
    floors
        Known already: of each sign's columns, a number that at least as many exceed as are kept.
    """

    def __init__(
        self, total: int, columns: int, signs: tuple[int, ...], count: int, floors: FloatArray | None = None
    ) -> None:
        self.total, self.keep, self.factors = total, kept_length(total), _FACTORS[signs]
        room = min(count, _room(total, columns, len(signs) * columns))
        # As the kernel `keep_largest` takes them, for each sign.
        self.values = np.empty((len(signs), columns, room))
        self.sizes = np.zeros((len(signs), columns), np.int64)
        if floors is None:
            self.floors = np.full((len(signs), columns), -np.inf) if columns != 1 else _NO_FLOORS[: len(signs)].copy()
        else:
            self.floors = floors.reshape(len(signs), columns).copy()

    def push(self, block: FloatArray) -> None:
        """Add the rows of a block."""
        for sign, *state in zip(self.factors, self.values, self.sizes, self.floors, strict=True):
            kernels.keep_largest(block, sign, self.keep, *state)

    def tail(self) -> Tail:
        """Return what was collected."""
        sizes, room = self.sizes.reshape(-1), self.values.shape[2]
        values = self.values.reshape(len(sizes), room)
        if len(sizes) == 1:  # a small n has no microsecond to spare for a maximum
            longest = sizes.item()
        else:
            longest = sizes.max(initial=0)
            kernels.fill(values, sizes, longest)
        return Tail(self.total, (values if longest == room else values[:, :longest].copy(),), self.floors.reshape(-1))
