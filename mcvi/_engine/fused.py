"""Log weights, weighed, summed and searched for their tail in one compiled call for a run of blocks."""

from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np

from mcvi._engine.draws import Draws, LogWeight, watched, with_note
from mcvi._engine.loops import Loop, known, of_block, of_run
from mcvi._engine.run import Total, keep_memory
from mcvi._engine.tail import TailBuilder
from mcvi._kernels.log_weights.arguments import Drawn, Given, State
from mcvi._kernels.log_weights.sweep import sweep
from mcvi._kernels.sums.moments import all_below_infinity
from mcvi._typing import FloatArray
from mcvi.accumulate import NOTHING_FOUND, Moments, NonFinite

__all__ = ["MeanOfWeights", "Sums", "Sweep"]

# How many numbers are weighed and summed at a time: they fit the cache next to the core with their noise. And of a
# batch so many rows, if they are not too long, because each chunk is merged member by member.
_CHUNK, _CHUNK_ROWS, _LONGEST_CHUNK = 2**13, 16, 2**20
# A compiled loop holds a chunk at a time: its blocks, of which tasks are made, need not fit a cache.
_COMPILED_BLOCK = 2**15
_NO_MEAN, _NONE_CENTRED = np.empty((3, 0)), np.empty((0, 3, 0))


class Sums(Protocol):
    """Which sums of log weights an estimator is read from."""

    @property
    def scale(self) -> FloatArray:
        """The powers of the weights that are summed: a row a power, a column a member of the batch."""
        ...

    @property
    def near(self) -> bool:
        """Whether the mean of the log weights is wanted, and sums about it for each power."""
        ...

    def read(self, n: int, far: FloatArray, mean: FloatArray, centred: FloatArray) -> tuple[Any, ...]:
        """Return the accumulators of the states that the compiled loop left."""
        ...


class MeanOfWeights:
    """The mean of the log weights."""

    near = True

    def __init__(self, columns: int) -> None:
        self.scale = np.empty((0, columns))

    def read(self, n: int, far: FloatArray, mean: FloatArray, centred: FloatArray) -> tuple[Moments]:
        """Return the accumulators of the states that the compiled loop left."""
        return (Moments(n, mean),)


class _State:
    """Sums and tails that grow draw by draw."""

    def __init__(self, sums: Sums, tail: TailBuilder) -> None:
        self.sums, self.tail, self.n = sums, tail, 0
        powers, columns = sums.scale.shape
        self.far = np.empty((powers, 4, columns))
        if sums.near:
            self.mean, self.centred = np.empty((3, columns)), np.zeros((powers, 3, columns))
        else:
            self.mean, self.centred = _NO_MEAN, _NONE_CENTRED

    def add(self, weigh: Any, source: Given | Drawn, first: int, count: int, rows: int) -> None:
        """Add `count` draws, from number `first` of `source` on, `rows` of them at a time."""
        sums, tail = self.sums, self.tail
        tails = (tail.factors, tail.keep, tail.values, tail.sizes, tail.floors)
        state = State(sums.scale, self.far, self.mean, self.centred, *tails)
        sweep(weigh, source, first, count, rows, self.n, state)
        self.n += count

    @property
    def is_below_infinity(self) -> bool:
        """Whether no log weight was nan or +inf."""
        return all_below_infinity(self.far[0, 3] if len(self.far) else self.mean[2])


@dataclass(eq=False)
class Sweep:
    """Weigh and sum runs of blocks of draws.

    Where the compiler sees both families, a run is one call; a user's Python function is called a block at a time.
    """

    draws: Draws
    weight: LogWeight
    sums: Sums
    #: The tails that are kept: of the log weights times each of these.
    signs: tuple[int, ...]
    #: The loop that makes the weights of a run, or None where they are made a block at a time.
    compiled: Loop | None

    @classmethod
    def of(cls, draws: Draws, weight: LogWeight, sums: Sums, signs: tuple[int, ...] = ()) -> Self:
        """Find out what the compiler sees."""
        compiled = of_run(weight, draws)
        if compiled is not None and draws.columns == 1 and draws.n * draws.elements > _COMPILED_BLOCK:
            draws = replace(draws, block_draws=_COMPILED_BLOCK, block_numbers=_COMPILED_BLOCK)
        return cls(draws, weight, sums, signs, compiled)

    def __reduce__(self) -> tuple[Any, ...]:
        # A loop is found again by its families: on its own it would be compiled anew.
        return type(self).of, (self.draws, self.weight, self.sums, self.signs)

    @property
    def names(self) -> tuple[str]:
        """What a warning calls the weights."""
        return (self.weight.name,)

    def method(self, text: str) -> str:
        """Say of an estimate which path made it."""
        return text if self.compiled is None else f"{text} (fused path)"

    def __call__(self, first: int, last: int, floors: FloatArray | None) -> Total:
        """Return the merged result of blocks `first` to ``last - 1``."""
        start = self.draws.first(first)
        count = min(self.draws.first(last), self.draws.n) - start
        columns = self.draws.columns
        state = _State(self.sums, TailBuilder(self.draws.n, columns, self.signs, count, floors))
        if columns > 1 and self.draws.blocks > 1:
            keep_memory()
        rows = self._chunk()
        found = NOTHING_FOUND
        if self.compiled is not None:
            state.add(*self.compiled, start, count, rows)
            if not state.is_below_infinity:
                found = sum((self._look(block) for block in range(first, last)), found)
        else:
            for block in range(first, last):
                z, log_p, loop = self._weighed(block)
                state.add(*loop, 0, len(z), rows)
                if not state.is_below_infinity:
                    found += self._look(block, z, log_p)
        tail = state.tail.tail() if self.signs else None
        return Total(self.sums.read(count, state.far, state.mean, state.centred), (columns,), (found,), tail)

    def _chunk(self) -> int:
        draws = self.draws
        if draws.elements == 1:
            return _CHUNK
        if draws.columns == 1:
            return draws.rows_of(_CHUNK)
        return draws.rows_of(min(max(_CHUNK, _CHUNK_ROWS * draws.elements), _LONGEST_CHUNK))

    def _weighed(self, block: int) -> tuple[Any, FloatArray | None, Loop]:
        """Return the draws of a block, their `log_p` if Python computed it, and the loop that weighs them."""
        try:
            z = self.draws.block(block)
            loop = of_block(self.weight, self.draws.q, z)
            if loop is not None:
                return z, None, loop
            log_p = self.weight.log_p(z)
            return z, log_p, known(self.weight, self.draws.q, z, log_p)
        except Exception as error:
            with_note(self.draws, block, error)
            raise

    def _look(self, block: int, z: Any = None, log_p: FloatArray | None = None) -> NonFinite:
        """Look for nan and +inf in a block."""
        z = self.draws.block(block) if z is None else z
        values = self.weight(z) if log_p is None else self.weight.of_known(z, log_p)
        return watched(values.reshape(-1, self.draws.columns), self.draws, block, z)
