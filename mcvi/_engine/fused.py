"""Log weights computed, summed and searched for their tail in one compiled call for a run of blocks.

The call contains as much of the work as the compiler sees: the draws of a proposal that is a product of densities of
numbers and takes one noise, its log density, and that of such a target. A user's function is called a block at a time,
and its values enter the loop.
"""

from dataclasses import dataclass, replace
from math import prod
from typing import Any, Protocol, Self

import numpy as np

from mcvi._engine.draws import Draws, watched, with_note
from mcvi._engine.integrands import LogDensity, LogWeight, log_ratio
from mcvi._engine.memory import keep_memory
from mcvi._engine.run import Total
from mcvi._engine.tail import TailBuilder
from mcvi._kernels.draws import noise
from mcvi._kernels.log_weights import numbers, vectors
from mcvi._kernels.log_weights.arguments import Drawn, Given, State
from mcvi._kernels.log_weights.sweep import sweep
from mcvi._kernels.sums.moments import all_below_infinity
from mcvi._typing import FloatArray
from mcvi.accumulate import NOTHING_FOUND, Moments, NonFinite
from mcvi.distributions import Distribution
from mcvi.distributions._base.blockwise import Numbers
from mcvi.random import tile_rows

__all__ = ["MeanOfWeights", "Sums", "Sweep"]

# The numbers that are weighed and summed at a time: they fit the cache next to the core with their noise. And of a
# batch so many rows, if they are not too long, because each chunk is merged member by member.
_CHUNK, _CHUNK_ROWS, _LONGEST_CHUNK = 2**13, 16, 2**20
# A compiled loop holds a chunk at a time: its blocks, of which tasks are made, need not fit a cache.
_COMPILED_BLOCK = 2**15
_NO_MEAN, _NONE_CENTRED, _NO_TABLE = np.empty((3, 0)), np.empty((0, 3, 0)), np.empty((0, 1))

#: A loop of `mcvi._kernels.log_weights.numbers` or `mcvi._kernels.log_weights.vectors`, and where it takes draws from.
Loop = tuple[Any, Given | Drawn]


class Sums(Protocol):
    """The sums of log weights that an estimator is read from."""

    @property
    def scale(self) -> FloatArray:
        """The powers of the weights that are summed: a row a power, a column a member of the batch."""
        ...

    @property
    def centred(self) -> bool:
        """True if the mean of the log weights is wanted, and sums about it for each power."""
        ...

    @property
    def signs(self) -> tuple[int, ...]:
        """The tails that are kept: of the log weights times each of these."""
        ...

    def read(
        self, n: int, log_moments: FloatArray, moments: FloatArray, centred_moments: FloatArray
    ) -> tuple[Any, ...]:
        """Return the accumulators of the states that the compiled loop left."""
        ...


class MeanOfWeights:
    """The mean of the log weights."""

    centred, signs = True, ()

    def __init__(self, columns: int) -> None:
        self.scale = np.empty((0, columns))

    def read(self, n: int, log_moments: FloatArray, moments: FloatArray, centred_moments: FloatArray) -> tuple[Moments]:
        """Return the accumulators of the states that the compiled loop left."""
        return (Moments(n, moments),)


class _State:
    """Sums and tails that grow draw by draw."""

    def __init__(self, sums: Sums, tail: TailBuilder) -> None:
        self.sums, self.tail, self.n = sums, tail, 0
        powers, columns = sums.scale.shape
        self.log_moments = np.empty((powers, 4, columns))
        if sums.centred:
            self.moments, self.centred_moments = np.empty((3, columns)), np.zeros((powers, 3, columns))
        else:
            self.moments, self.centred_moments = _NO_MEAN, _NONE_CENTRED

    def add(self, weigh: Any, source: Given | Drawn, first: int, count: int, rows: int) -> None:
        """Add `count` draws, from number `first` of `source` on, `rows` of them at a time."""
        sums, tail = self.sums, self.tail
        tails = (tail.factors, tail.keep, tail.values, tail.sizes, tail.floors)
        state = State(sums.scale, self.log_moments, self.moments, self.centred_moments, *tails)
        sweep(weigh, source, first, count, rows, self.n, state)
        self.n += count

    @property
    def is_below_infinity(self) -> bool:
        """True if no log weight was nan or +inf."""
        return all_below_infinity(self.log_moments[0, 3] if len(self.log_moments) else self.moments[2])


@dataclass(eq=False)
class Sweep:
    """Weigh and sum runs of blocks of draws.

    Where the compiler sees both families, a run is one call; a user's Python function is called a block at a time.
    """

    draws: Draws
    weight: LogWeight
    sums: Sums
    #: The loop that makes the weights of a run, or None where they are made a block at a time.
    compiled: Loop | None

    @classmethod
    def of(cls, draws: Draws, weight: LogWeight, sums: Sums) -> Self:
        """Look for a loop that the compiler sees whole; it calls no function of a user's, and cuts as it likes."""
        compiled = _of_run(weight, draws)
        if compiled is not None and draws.columns == 1 and draws.n * draws.elements > _COMPILED_BLOCK:
            draws = replace(draws, block_draws=_COMPILED_BLOCK, block_numbers=_COMPILED_BLOCK, block_size=None)
        return cls(draws, weight, sums, compiled)

    def __reduce__(self) -> tuple[Any, ...]:
        # A loop is found again by its families: on its own it would be compiled anew.
        return type(self).of, (self.draws, self.weight, self.sums)

    @property
    def integrands(self) -> tuple[LogWeight]:
        """The weights."""
        return (self.weight,)

    @property
    def path(self) -> str:
        """The words on the path, for the `method` of an estimate."""
        return "" if self.compiled is None else " (fused path)"

    def __call__(self, first: int, last: int, floors: FloatArray | None) -> Total:
        """Return the merged result of blocks `first` to ``last - 1``."""
        start = self.draws.first(first)
        count = min(self.draws.first(last), self.draws.n) - start
        columns = self.draws.columns
        state = _State(self.sums, TailBuilder(self.draws.n, columns, self.sums.signs, count, floors))
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
        tail = state.tail.tail() if self.sums.signs else None
        return Total(
            self.sums.read(count, state.log_moments, state.moments, state.centred_moments), (columns,), (found,), tail
        )

    def _chunk(self) -> int:
        draws = self.draws
        if draws.elements == 1:
            return _CHUNK
        if draws.columns == 1:
            return draws.rows_of(_CHUNK)
        return draws.rows_of(min(max(_CHUNK, _CHUNK_ROWS * draws.elements), _LONGEST_CHUNK))

    def _weighed(self, block: int) -> tuple[Any, FloatArray | None, Loop]:
        """Return the draws of a block, their `log_p` if Python computed it, and the loop that weighs them."""
        draws, weight = self.draws, self.weight
        try:
            z = draws.block(block)
            pair = _Pair.of(weight, draws.q)
            loop = None if pair is None else pair.at(z)
            if loop is not None:
                return z, None, loop
            log_p = draws.at(weight.log_p, z)
            return z, log_p, self._known(z, log_p)
        except Exception as error:
            with_note(draws, block, error)
            raise

    def _known(self, z: Any, log_p: FloatArray) -> Loop:
        """Return a loop that weighs a block whose `log_p` is known."""
        log_p, log_q = _flat(log_p), self.weight.log_q
        if log_q is None:
            return numbers.log_weights_known, Given(log_p=log_p)
        family = _numbers(self.draws.q)
        if family is not None and prod(family.shape) == 1 and type(z) is np.ndarray and z.dtype == np.float64:
            source = Given(z=_flat(z), log_p=log_p, table_q=family.table(family.shape))
            return numbers.log_weights_under(family.density), source
        return numbers.log_weights_of, Given(log_p=log_p, log_q=_flat(self.draws.at(log_q, z)))

    def _look(self, block: int, z: Any = None, log_p: FloatArray | None = None) -> NonFinite:
        """Look for nan and +inf in a block."""
        draws, log_q = self.draws, self.weight.log_q
        z = draws.block(block) if z is None else z
        log_p = draws.at(self.weight.log_p, z) if log_p is None else log_p
        values = log_p if log_q is None else log_ratio(log_p, draws.at(log_q, z))
        return watched(values.reshape(-1, draws.columns), draws, block, z)


@dataclass(eq=False)
class _Pair:
    """A proposal and a target that are products of densities of numbers, both known to the compiler."""

    q: Numbers
    #: The number of numbers in a draw, and of those that a weight belongs to.
    elements: int
    size: int
    #: The scalar densities of proposal and target, and their tables of constants.
    densities: tuple[Any, Any]
    tables: tuple[FloatArray, FloatArray]

    @classmethod
    def of(cls, weight: LogWeight, proposal: Any) -> Self | None:
        """Return the pair; None where there is a function that the compiler does not see."""
        p = _numbers(weight.log_p.distribution) if isinstance(weight.log_p, LogDensity) else None
        q = _numbers(proposal) if p is not None else None
        if q is None or p is None:
            return None
        density, table = (q.density, q.table(q.shape)) if weight.log_q is not None else (numbers.ONE, _NO_TABLE)
        densities, tables = (density, p.density), (table, p.table(q.shape))
        return cls(q, prod(q.shape), prod(proposal.event_shape), densities, tables)

    def at(self, z: FloatArray) -> Loop | None:
        """Return a loop that weighs given draws."""
        if z.dtype != np.float64 or not z.flags.c_contiguous:
            return None
        z = z.reshape(-1)
        module = numbers if self.elements == 1 else vectors
        table_q, table_p = self.tables
        return module.log_weights_at(*self.densities), Given(z=z, size=self.size, table_q=table_q, table_p=table_p)

    def drawn(self, key: Any) -> Loop | None:
        """Return a loop that draws and weighs; None for a family that takes more than one noise.

        Its time is in its draws: a loop around both would save nothing.
        """
        sampler, parameters, elements = self.q.sampler, self.q.parameters, self.elements
        if sampler is None:
            return None
        tile, draw = elements * tile_rows(elements), 0
        if elements == 1:
            weigh = numbers.log_weights(sampler.transport, len(parameters), *self.densities)
        else:
            weigh, draw = vectors.log_weights(*self.densities), noise.address_of_draw(sampler.kernel)
        addresses = noise.address_of(sampler.noise), draw
        key0, key1 = key.words
        table_q, table_p = self.tables
        return weigh, Drawn(*addresses, key0, key1, self.size, tile, parameters, table_q, table_p)


def _of_run(weight: LogWeight, draws: Draws) -> Loop | None:
    """Return a loop that makes the weights of any run of draws; None where Python's functions are needed."""
    pair = _Pair.of(weight, draws.q)
    if pair is None:
        return None
    return pair.at(draws.z) if draws.key is None else pair.drawn(draws.key)


def _flat(values: Any) -> FloatArray:
    return np.ascontiguousarray(values, np.float64).reshape(-1)


def _numbers(distribution: Any) -> Numbers | None:
    """Return the density of the numbers of a draw, where the density is their product and the compiler sees it."""
    found = distribution.blockwise.numbers if isinstance(distribution, Distribution) else None
    return found if found is not None and 0 not in found.shape else None
