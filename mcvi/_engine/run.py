"""One pass over the draws: what its parts give, how they are run and merged, and what it warns of."""

import sys
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache
from math import prod
from types import FrameType
from typing import Any, Protocol, Self
from warnings import warn

import numpy as np

from mcvi import _checks
from mcvi._engine.draws import Draws, is_compiled
from mcvi._engine.parallel import reduce_blocks
from mcvi._engine.tail import Tail
from mcvi._typing import FloatArray
from mcvi.accumulate import NonFinite
from mcvi.estimate import NonFiniteWarning, ZeroWeightWarning

__all__ = ["Task", "Total", "keep_memory", "run", "warn_of_non_finite", "warn_of_zero_weights"]


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


class Task(Protocol):
    """What to do with the blocks of draws."""

    draws: Draws

    @property
    def names(self) -> tuple[str, ...]:
        """What a warning calls each of the functions that are watched."""
        ...

    def __call__(self, first: int, last: int, floors: FloatArray | None) -> Total:
        """Return the merged result of blocks `first` to ``last - 1``; `floors` is what earlier ones say of the tail."""
        ...


def run(
    task: Task,
    *functions: Any,
    executor: Executor | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> Total:
    """Do all blocks, and warn once if the values of some function were nan or +inf.

    Parameters
    ----------
    task
        `Sweep` or `Blocks`.
    functions
        What it calls. Threads of our own share the work only where all of them are compiled: a user's Python function
        is never called from two threads at once, unless the user hands over an executor.
    executor, progress
        Of the user.
    """
    draws = task.draws
    threads = draws.blocks > 1 and is_compiled(draws.q, *functions)
    _checks.executor(executor)
    report = None
    if progress is not None:
        notify = _checks.function(progress, "progress")

        def report(blocks: int) -> None:
            notify(min(draws.first(blocks), draws.n), draws.n)

    total = reduce_blocks(task, draws.blocks, threads=threads, executor=executor, hint=_raise_floors, progress=report)
    for found in total.non_finite:
        if found.count:
            warn_of_non_finite(dict(zip(task.names, total.non_finite, strict=True)), draws.n * prod(total.shape))
            break
    return total


@cache
def keep_memory() -> None:
    """Make the allocator keep the memory of blocks from one to the next; for tasks that hold more than a chunk.

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
