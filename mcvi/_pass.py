"""One pass over the draws: evaluate, accumulate, keep the tail, watch for what is not finite, merge."""

import sys
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from math import prod
from types import FrameType
from typing import Any, Self
from warnings import warn

import numpy as np

from mcvi import _checks
from mcvi._draws import Draws, LogWeight, watched, with_note
from mcvi._parallel import fold, reduce_blocks
from mcvi._sweep import Sums, Sweep
from mcvi._tail import ColumnTail, Tail, TailBuilder
from mcvi._typing import FloatArray
from mcvi.accumulate import NOTHING_FOUND, NonFinite
from mcvi.estimate import NonFiniteWarning, ZeroWeightWarning

__all__ = ["Pass", "Total", "warn_of_non_finite", "warn_of_zero_weights"]


@dataclass(eq=False)
class Total:
    """What a pass, or a part of one, found."""

    sums: tuple[Any, ...]
    #: The shape of one row of the last function's values.
    shape: tuple[int, ...]
    non_finite: tuple[NonFinite, ...]
    tail: Tail | None = None

    def __add__(self, other: Self) -> "Total":
        tail = None if self.tail is None or other.tail is None else self.tail + other.tail
        return Total(
            tuple(a + b for a, b in zip(self.sums, other.sums, strict=True)),
            self.shape,
            tuple(a + b for a, b in zip(self.non_finite, other.non_finite, strict=True)),
            tail,
        )


@dataclass(eq=False)
class Pass:
    """What to do with each block of draws; calling it does so for a run of blocks.

    Parameters
    ----------
    draws
        Where the blocks come from.
    functions
        Each turns a block of draws into values with as many rows.
    accumulate
        Turns those values, as ``(rows, columns)``, into a tuple of accumulators.
    tails
        Keep the largest of each of these signs times the first function's values: its columns, once for each sign.
    threads
        Whether threads of our own may share the work: only where every function is compiled. A user's Python
        function is never called from two threads at once, unless the user hands over an executor.
    """

    draws: Draws
    functions: tuple[Any, ...]
    accumulate: Callable[..., tuple[Any, ...]]
    tails: tuple[int, ...] = ()
    threads: bool = False
    #: Takes the place of all of the above.
    sweep: Sweep | None = None

    @classmethod
    def of_weights(
        cls, draws: Draws, weight: LogWeight, sums: Sums, tails: tuple[int, ...] = (), threads: bool = False
    ) -> Self:
        """Return a pass over log weights alone: without a batch, all that follows them is one compiled loop."""
        if prod(draws.batch_shape) != 1:
            return cls(draws, (weight,), sums, tails, threads)
        sweep = Sweep.of(draws, weight, sums, tails)
        return cls(sweep.draws, (weight,), sums, tails, threads, sweep)

    def __call__(self, first: int, last: int, floors: FloatArray | None) -> Total:
        """Return the merged result of blocks `first` to ``last - 1``."""
        if self.sweep is not None:
            sums, non_finite, tail = self.sweep(first, last, floors)
            return Total(sums, (1,), (non_finite,), tail)
        builder = self._builder(first, last, floors) if self.tails else None
        total = fold(self._block(block, builder) for block in range(first, last))
        if builder is None:
            return total
        return Total(total.sums, total.shape, total.non_finite, builder.tail())

    def _builder(self, first: int, last: int, floors: FloatArray | None) -> ColumnTail | TailBuilder:
        draws = self.draws
        if prod(draws.batch_shape) == 1:
            return ColumnTail(draws.n, self.tails, min(draws.first(last), draws.n) - draws.first(first), floors)
        return TailBuilder(draws.n, len(self.tails) * prod(draws.batch_shape), floors)

    def _block(self, block: int, builder: ColumnTail | TailBuilder | None) -> Total:
        try:
            z = self.draws.block(block)
            values = [function(z) for function in self.functions]
        except Exception as error:
            with_note(self.draws, block, error)
            raise
        shape = values[-1].shape[1:]
        flat = [value.reshape(len(value), -1) for value in values]
        sums = self.accumulate(*flat)
        if len(flat) == 1 and all(part.is_below_infinity for part in sums):
            non_finite: tuple[NonFinite, ...] = (NOTHING_FOUND,)
        else:
            non_finite = tuple(watched(value, self.draws, block, z) for value in flat)
        if isinstance(builder, ColumnTail):
            builder.push(flat[0])
        elif builder is not None:
            signed = [flat[0] if sign > 0 else -flat[0] for sign in self.tails]
            builder.push(signed[0] if len(signed) == 1 else np.hstack(signed))
        return Total(sums, shape, non_finite)

    def run(self, executor: Executor | None = None, progress: Callable[[int, int], Any] | None = None) -> Total:
        """Do all blocks, and warn once if the values of some function were nan or +inf."""
        draws = self.draws
        _checks.executor(executor)
        report = None
        if progress is not None:
            notify = _checks.function(progress, "progress")

            def report(blocks: int) -> None:
                notify(min(draws.first(blocks), draws.n), draws.n)

        if self.sweep is None and draws.blocks > 1:
            _keep_memory()
        total = reduce_blocks(
            self,
            draws.blocks,
            threads=self.threads,
            executor=executor,
            hint=_raise_floors if self.tails else None,
            progress=report,
        )
        for found in total.non_finite:
            if found.count:
                names = [function.name for function in self.functions]
                warn_of_non_finite(dict(zip(names, total.non_finite, strict=True)), draws.n * prod(total.shape))
                break
        return total


@cache
def _keep_memory() -> None:
    """Make the allocator keep the memory of blocks from one to the next.

    glibc gives an array of a block's size back to the system when it is freed, and fetches each page of the next one
    anew: that takes longer than most arithmetic on it. Once a larger array was freed it keeps those of up to that size
    (mallopt(3), the dynamic M_MMAP_THRESHOLD), at most twice that in all. No page of this one is ever touched.
    """
    np.empty(2**21)


def _raise_floors(floors: FloatArray | None, total: Total) -> FloatArray | None:
    if total.tail is None:
        return None
    return total.tail.floors if floors is None else np.maximum(floors, total.tail.floors)


def warn_of_non_finite(non_finite: dict[str, NonFinite], values: int) -> None:
    """Warn, once, of all functions some of whose values were nan or +inf."""
    sentences = [
        f"{name} was nan or +inf {found.count} times in {values} values; first at draw {found.first}, "
        f"z = {np.array2string(found.draw, threshold=8).removesuffix('.')}."
        for name, found in non_finite.items()
        if found.count
    ]
    if sentences:
        warn(" ".join(sentences), NonFiniteWarning, stacklevel=_outside())


def warn_of_zero_weights(log_largest: FloatArray, n: int) -> None:
    """Warn if some member of the batch has no draw with a weight above zero."""
    if (log_largest.item() if log_largest.size == 1 else log_largest.min(initial=np.inf)) == -np.inf:
        warn(
            f"all {n} draws have zero weight: q and log_p may not share support.",
            ZeroWeightWarning,
            stacklevel=_outside(),
        )


def _outside() -> int:
    """Return the stack level of the caller outside the package, for a warning that points at the user's line."""
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "mcvi":
        level, frame = level + 1, frame.f_back
    return level
