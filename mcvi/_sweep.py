"""Log weights of one column, weighed, summed and searched for their tail in one compiled call for a run of blocks."""

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from mcvi._draws import Draws, LogWeight, watched, with_note
from mcvi._kernels.sweep import sweep
from mcvi._tail import ColumnTail
from mcvi._typing import FloatArray
from mcvi.accumulate import NOTHING_FOUND, Moments, NonFinite

__all__ = ["MeanOfWeights", "Sums", "Sweep"]

# How many numbers are weighed and summed at a time: they fit the cache next to the core with their noise.
_CHUNK = 2**12
# A compiled loop holds a chunk at a time: its blocks, of which tasks are made, need not fit a cache.
_COMPILED_BLOCK = 2**15
_UNUSED = np.empty((4, 0))


class Sums(Protocol):
    """Which sums of log weights an estimator is read from."""

    @property
    def scale(self) -> FloatArray:
        """The powers of the weights that are summed."""
        ...

    @property
    def near(self) -> bool:
        """Whether the mean of the log weights is wanted, and sums about it for each power."""
        ...

    def __call__(self, log_w: FloatArray) -> tuple[Any, ...]:
        """Return the accumulators of a block ``(rows, columns)``."""
        ...

    def read(self, n: int, far: FloatArray, mean: FloatArray, centred: FloatArray) -> tuple[Any, ...]:
        """Return the accumulators of the states that the compiled loop left, a column a power."""
        ...


class MeanOfWeights:
    """The mean of the log weights."""

    scale = np.empty(0)
    near = True

    def __call__(self, log_w: FloatArray) -> tuple[Moments]:
        """Return the accumulators of a block ``(rows, columns)``."""
        return (Moments.of(log_w),)

    def read(self, n: int, far: FloatArray, mean: FloatArray, centred: FloatArray) -> tuple[Moments]:
        """Return the accumulators of the states that the compiled loop left."""
        return (Moments(n, mean),)


class _State:
    """Sums and tails that grow draw by draw."""

    def __init__(self, sums: Sums, tail: ColumnTail) -> None:
        self.sums, self.tail, self.n = sums, tail, 0
        powers = sums.scale.size
        self.far = np.empty((4, powers))
        self.mean, self.centred = (np.empty((3, 1)), np.empty((3, powers))) if sums.near else (_UNUSED, _UNUSED)

    def add(self, weigh: Any, data: tuple[Any, ...], first: int, count: int, rows: int = _CHUNK) -> None:
        """Add `count` draws, from number `first` of `data` on, `rows` of them at a time."""
        tail = self.tail
        run = sweep(weigh, self.sums.near)
        run(
            data, first, count, rows, self.sums.scale, self.n, self.far, self.mean, self.centred,
            tail.signs, tail.keep, tail.values, tail.sizes, tail.floors,
        )  # fmt: skip
        self.n += count

    @property
    def is_below_infinity(self) -> bool:
        """Whether no log weight was nan or +inf."""
        return (self.far[3, 0] if self.far.size else self.mean[2, 0]) < np.inf  # type: ignore[no-any-return]


@dataclass(eq=False)
class Sweep:
    """Weigh and sum runs of blocks of draws without a batch.

    Where the compiler sees both families, a run is one call; a user's Python function is called a block at a time.
    """

    draws: Draws
    weight: LogWeight
    sums: Sums
    #: The tails that are kept: of the log weights times each of these.
    signs: tuple[int, ...]
    #: The loop that makes the weights and its data, or None where Python's functions are needed.
    compiled: tuple[Any, tuple[Any, ...]] | None

    @classmethod
    def of(cls, draws: Draws, weight: LogWeight, sums: Sums, signs: tuple[int, ...]) -> Self:
        """Find out what the compiler sees."""
        compiled = weight.compiled(draws)
        if compiled is not None and draws.n * draws.elements > _COMPILED_BLOCK:
            draws = replace(draws, block_draws=_COMPILED_BLOCK, block_numbers=_COMPILED_BLOCK)
        return cls(draws, weight, sums, signs, compiled)

    def __reduce__(self) -> tuple[Any, ...]:
        # A loop is found again by its families: on its own it would be compiled anew.
        return type(self).of, (self.draws, self.weight, self.sums, self.signs)

    def __call__(self, first: int, last: int, floors: FloatArray | None) -> tuple[tuple[Any, ...], NonFinite, Any]:
        """Return the sums of blocks `first` to ``last - 1``, what was nan or +inf, and the tail."""
        start = self.draws.first(first)
        count = min(self.draws.first(last), self.draws.n) - start
        state = _State(self.sums, ColumnTail(self.draws.n, self.signs, count, floors))
        found = NOTHING_FOUND
        if self.compiled is not None:
            state.add(*self.compiled, start, count, self.draws.rows_of(_CHUNK))
            if not state.is_below_infinity:
                found = sum((self._look(block) for block in range(first, last)), found)
        else:
            for block in range(first, last):
                z, log_p, weigh, data = self._weighed(block)
                state.add(weigh, data, 0, len(z))
                if not state.is_below_infinity:
                    found += self._look(block, z, log_p)
        tail = state.tail.tail() if self.signs else None
        return self.sums.read(count, state.far, state.mean, state.centred), found, tail

    def _weighed(self, block: int) -> tuple[Any, ...]:
        """Return the draws of a block, their `log_p`, the loop that weighs them, and its data."""
        try:
            z = self.draws.block(block)
            log_p = self.weight.log_p(z)
            return z, log_p, *self.weight.of_values(z, log_p)
        except Exception as error:
            with_note(self.draws, block, error)
            raise

    def _look(self, block: int, *known: Any) -> NonFinite:
        """Look for nan and +inf in a block."""
        z, log_p, *_ = known or self._weighed(block)
        return watched(self.weight.of_known(z, log_p).reshape(-1, 1), self.draws, block, z)
