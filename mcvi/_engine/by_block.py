"""Values of any functions at the draws, accumulated block by block."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from mcvi._engine.draws import Draws, watched, with_note
from mcvi._engine.integrands import Integrand
from mcvi._engine.memory import keep_memory
from mcvi._engine.parallel import fold
from mcvi._engine.run import Total
from mcvi._engine.tail import TailBuilder
from mcvi._typing import FloatArray
from mcvi.accumulate import NOTHING_FOUND, NonFinite

__all__ = ["Blocks"]


@dataclass(eq=False)
class Blocks:
    """Evaluate, accumulate and keep the tail, in a call from Python for each step of a block.

    Parameters
    ----------
    draws
        The source of the blocks.
    integrands
        Each turns a block of draws into values with as many rows.
    sums
        Turns those values, as ``(rows, columns)``, into a tuple of accumulators.
    signs
        Keep the largest of each of these signs times the first function's values: its columns, once for each sign.
    """

    draws: Draws
    integrands: tuple[Integrand, ...]
    sums: Callable[..., tuple[Any, ...]]
    signs: tuple[int, ...] = ()
    path: ClassVar[str] = ""

    def __call__(self, first: int, last: int, floors: FloatArray | None) -> Total:
        """Return the merged result of blocks `first` to ``last - 1``."""
        draws = self.draws
        if draws.blocks > 1:
            keep_memory()
        count = min(draws.first(last), draws.n) - draws.first(first)
        builder = TailBuilder(draws.n, draws.columns, self.signs, count, floors) if self.signs else None
        total = fold(self._block(block, builder) for block in range(first, last))
        if builder is not None:
            total.tail = builder.tail()
        return total

    def _block(self, block: int, builder: TailBuilder | None) -> Total:
        try:
            z = self.draws.block(block)
            values = [self.draws.at(function, z) for function in self.integrands]
        except Exception as error:
            with_note(self.draws, block, error)
            raise
        flat = [value.reshape(len(value), -1) for value in values]
        sums = self.sums(*flat)
        found: tuple[NonFinite, ...]
        if len(flat) == 1 and all(part.is_below_infinity for part in sums):
            found = (NOTHING_FOUND,)
        else:
            found = tuple(watched(value, self.draws, block, z) for value in flat)
        if builder is not None:
            builder.push(flat[0])
        return Total(sums, values[-1].shape[1:], found)
