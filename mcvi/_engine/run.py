"""One pass over the draws: its tasks, on threads or on an executor, and the merging of their results."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from math import prod
from typing import Any, Protocol, Self

import numpy as np

from mcvi._engine.parallel import FEWEST_BLOCKS, reduce_blocks
from mcvi._engine.tail import Tail
from mcvi._engine.warnings import warn_of_non_finite
from mcvi._typing import FloatArray
from mcvi.accumulate import NonFinite

__all__ = ["Task", "Total", "run"]


@dataclass(eq=False)
class Total:
    """The result of a pass, or of a part of one."""

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


class Cut(Protocol):
    """Draws cut into blocks."""

    @property
    def n(self) -> int:
        """The number of draws."""
        ...

    @property
    def blocks(self) -> int:
        """The number of blocks."""
        ...

    @property
    def is_compiled(self) -> bool:
        """True if several threads may draw at once."""
        ...

    def first(self, block: int) -> int:
        """Return the number of the first draw of a block."""
        ...


class Watched(Protocol):
    """A function of the draws."""

    @property
    def name(self) -> str:
        """Its name in warnings."""
        ...

    @property
    def is_compiled(self) -> bool:
        """True if several threads may call it at once."""
        ...


class Task(Protocol):
    """The work on runs of blocks of draws."""

    @property
    def draws(self) -> Cut:
        """The draws."""
        ...

    @property
    def integrands(self) -> Sequence[Watched]:
        """The functions that it evaluates."""
        ...

    @property
    def path(self) -> str:
        """The words on the path that it takes, for the `method` of an estimate."""
        ...

    def __call__(self, first: int, last: int, floors: FloatArray | None) -> Total:
        """Return the merged result of blocks `first` to ``last - 1``; `floors` is what earlier ones say of the tail."""
        ...


def run(
    task: Task,
    executor: Executor | None = None,
    progress: Callable[[int, int], Any] | None = None,
    fewest: int = FEWEST_BLOCKS,
) -> Total:
    """Do all blocks, and warn once if the values of some function were nan or +inf.

    Threads of our own share the work only where everything is compiled: a user's Python function is never called from
    two threads at once, unless the user hands over an executor. `fewest` blocks make a task at least.
    """
    draws = task.draws
    threads = draws.blocks > 1 and draws.is_compiled and all(function.is_compiled for function in task.integrands)
    report = None
    if progress is not None:
        notify = progress

        def report(blocks: int) -> None:
            notify(min(draws.first(blocks), draws.n), draws.n)

    total = reduce_blocks(
        task, draws.blocks, threads=threads, executor=executor, hint=_raise_floors, progress=report, fewest=fewest
    )
    for found in total.non_finite:
        if found.count:
            names = [function.name for function in task.integrands]
            warn_of_non_finite(dict(zip(names, total.non_finite, strict=True)), draws.n * prod(total.shape))
            break
    return total


def _raise_floors(floors: FloatArray | None, total: Total) -> FloatArray | None:
    if total.tail is None:
        return None
    return total.tail.floors if floors is None else np.maximum(floors, total.tail.floors)
