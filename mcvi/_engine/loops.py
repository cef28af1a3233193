"""The compiled loops that make log weights: as much of the work in one as the compiler sees."""

from dataclasses import dataclass
from math import prod
from typing import Any, Self

import numpy as np

from mcvi._engine.draws import Draws, LogDensity, LogWeight
from mcvi._kernels.draws import noise
from mcvi._kernels.log_weights import numbers, vectors
from mcvi._kernels.log_weights.arguments import Drawn, Given
from mcvi._typing import FloatArray
from mcvi.distributions import Distribution
from mcvi.distributions._base.blockwise import Numbers
from mcvi.random import tile_rows

__all__ = ["Loop", "known", "of_block", "of_run"]

_NO_TABLE = np.empty((0, 1))

#: A loop of `mcvi._kernels.log_weights.numbers` or `mcvi._kernels.log_weights.vectors`, and where it takes draws from.
Loop = tuple[Any, Given | Drawn]


@dataclass(eq=False)
class _Pair:
    """A proposal and a target that are products of densities of numbers, both known to the compiler."""

    q: Numbers
    #: How many numbers a draw holds, and how many of them a weight belongs to.
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


def of_run(weight: LogWeight, draws: Draws) -> Loop | None:
    """Return a loop that makes the weights of any run of draws; None where Python's functions are needed."""
    pair = _Pair.of(weight, draws.q)
    if pair is None:
        return None
    return pair.at(draws.z) if draws.key is None else pair.drawn(draws.key)


def of_block(weight: LogWeight, q: Any, z: Any) -> Loop | None:
    """Return a loop that makes the weights of a block of draws."""
    pair = _Pair.of(weight, q)
    return None if pair is None else pair.at(z)


def known(weight: LogWeight, q: Any, z: Any, log_p: FloatArray) -> Loop:
    """Return a loop that makes the weights of a block whose `log_p` is known."""
    log_p = _flat(log_p)
    if weight.log_q is None:
        return numbers.log_weights_known, Given(log_p=log_p)
    family = _numbers(q)
    if family is not None and prod(family.shape) == 1 and type(z) is np.ndarray and z.dtype == np.float64:
        source = Given(z=_flat(z), log_p=log_p, table_q=family.table(family.shape))
        return numbers.log_weights_under(family.density), source
    return numbers.log_weights_of, Given(log_p=log_p, log_q=_flat(weight.log_q(z)))


def _flat(values: Any) -> FloatArray:
    return np.ascontiguousarray(values, np.float64).reshape(-1)


def _numbers(distribution: Any) -> Numbers | None:
    """Return the density of the numbers of a draw, where the density is their product and the compiler sees it."""
    found = distribution.blockwise.numbers if isinstance(distribution, Distribution) else None
    return found if found is not None and 0 not in found.shape else None
