"""Blocks of draws."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any, Self

import numpy as np

from mcvi import _checks
from mcvi._autograd import is_traced, tracing, value_of
from mcvi._kernels.sums.moments import all_below_infinity
from mcvi._typing import FloatArray, RNGLike
from mcvi.accumulate import NOTHING_FOUND, NonFinite
from mcvi.distributions import Distribution, Independent
from mcvi.distributions._base.blockwise import Blockwise
from mcvi.random import Key, as_key, generator, tile_rows

__all__ = ["Draws", "Traced", "watched", "with_note"]


class Traced(Exception):
    """A function returned a value that autograd traces: the estimate has to be computed on its tape."""


@dataclass(eq=False)
class Draws:
    """`n` draws in blocks of a fixed number of rows: from `q` by their addresses, or the rows of `z`."""

    q: Any
    n: int
    z: Any = None
    key: Key | None = None
    #: The most draws that a function is given at a time; None leaves that to the sizes below.
    block_size: int | None = None
    #: The most draws, and the most numbers, in a block: enough that the calls from Python cost little, few enough that
    #: a block stays in the caches.
    block_draws: int = 2**14
    block_numbers: int = 2**17
    #: The counter-based sampler of `q`, or None: a sampler of the user's own is given a generator for each block.
    sampler: Blockwise | None = field(init=False)
    batch_shape: tuple[int, ...] = field(init=False)
    #: The number of members of the batch, and of numbers in a draw.
    columns: int = field(init=False)
    elements: int = field(init=False)
    #: The number of draws in a block (a whole number of tiles), and of blocks.
    rows: int = field(init=False)
    blocks: int = field(init=False)
    #: The randomness that was asked for, until `start`.
    rng: RNGLike = field(init=False, default=None)

    @classmethod
    def of(cls, q: Any, n: Any, z: Any, rng: RNGLike, block_size: Any = None, name: str = "q") -> Self:
        """Check the arguments of an estimator that say where its draws come from."""
        _checks.distribution(q, name)
        _checks.one_source_of_draws(n, z)
        if block_size is not None:
            block_size = _checks.draw_count(block_size, "block_size")
        if z is not None:
            discrete = getattr(q, "discrete", False)
            z = _checks.draws(z, tuple(q.batch_shape), tuple(q.event_shape), discrete=discrete)
            return cls(q, len(z), z, None, block_size)
        draws = cls(q, _checks.draw_count(n), None, None, block_size)
        draws.rng = rng
        return draws

    def start(self) -> None:
        """Make the key, which advances a generator of the caller's: nothing is left then that could be refused."""
        if self.z is None and self.key is None:
            self.key = as_key(self.rng)

    def __post_init__(self) -> None:
        # Plain attributes: a cached property costs microseconds on a fresh object, and a small n has few to spare.
        self.sampler = _sampler_of(self.q)
        batch_shape = tuple(self.q.batch_shape)
        self.batch_shape, self.columns = batch_shape, prod(batch_shape)
        self.elements = self.columns * prod(self.q.event_shape)
        rows, size = self.rows_of(self.block_numbers, self.block_draws), self.block_size
        if size is not None and self.sampler is None and self.z is None:
            rows = size  # a user's sampler is a user's function
        elif size is not None and size > rows:
            rows = self.rows_of(sys.maxsize, size)
        self.rows, self.blocks = rows, -(-self.n // rows)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "sampler": None}  # compiled functions do not travel

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, sampler=_sampler_of(state["q"]))

    def rows_of(self, numbers: int, draws: int = sys.maxsize) -> int:
        """Return the number of rows in a whole number of tiles, at least one, within so many numbers and draws."""
        unit = tile_rows(self.elements)
        return max(unit, min(draws, numbers // max(self.elements, 1)) // unit * unit)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of results: that of `q`."""
        return self.q.dtype if isinstance(self.q, Distribution) else np.dtype(np.float64)

    @property
    def is_compiled(self) -> bool:
        """True if neither the sampler nor the density of `q` runs Python code of a user's."""
        return self.sampler is not None and self.sampler.compiled

    @property
    def is_of_library(self) -> bool:
        """True if the sampler is a counter-based one, also that of the members of an `Independent`."""
        q = self.q
        while isinstance(q, Independent):
            q = q.distribution
        return self.sampler is not None and _sampler_of(q) is not None

    @property
    def is_traced(self) -> bool:
        """True if autograd traces the draws, or the parameters of `q`: of a user's, its draws or density."""
        if self.z is not None and is_traced(self.z):
            return True
        if isinstance(self.q, Distribution):
            return self.q.is_traced
        if not tracing():
            return False
        z = value_of(self.z) if self.z is not None else self._sampled(0)
        return is_traced(z, self.q.log_prob(value_of(z)[:1]))

    def first(self, block: int) -> int:
        """Return the number of the first draw of a block."""
        return block * self.rows

    def block(self, block: int) -> Any:
        """Return a block of draws, ``(rows, *batch_shape, *event_shape)``."""
        first = self.first(block)
        count = min(self.rows, self.n - first)
        if self.z is not None:
            return self.z[first : first + count]
        assert self.key is not None
        if self.sampler is not None and self.sampler.draw is not None:
            z = self.sampler.draw(self.key, first, count)
            return _checks.whole(z, type(self.q).__name__) if self.q.discrete else z
        z = self._sampled(block)
        if is_traced(z):
            raise Traced
        return z

    def _sampled(self, block: int) -> Any:
        """Return a block of draws of a user's distribution, traced or not."""
        assert self.key is not None
        count = min(self.rows, self.n - self.first(block))
        drawn = self.q.sample(count, rng=generator(self.key, block))
        return _checks.sample_shape(drawn, (count, *self.batch_shape, *self.q.event_shape))

    def at(self, function: Any, z: Any) -> FloatArray:
        """Return the values of a function at a block of draws, of which it is given `block_size` at a time."""
        size = self.block_size
        if size is None or len(z) <= size:
            return function(z)  # type: ignore[no-any-return]
        first = function(z[:size])
        values = np.empty((len(z), *first.shape[1:]))
        values[:size] = first
        for start in range(size, len(z), size):
            values[start : start + size] = function(z[start : start + size])
        return values

    def whole(self) -> Any:
        """Return all draws at once, with their derivatives in the parameters of `q`, for a traced pass."""
        q = self.q
        if self.z is not None:
            return self.z
        if not self.is_traced:
            return self._together(self.block)
        if not (
            q.draws_by_transport if isinstance(q, Distribution) else hasattr(q, "transport") and hasattr(q, "noise")
        ):
            raise NotImplementedError(
                f"{type(q).__name__} has no pathwise derivative of its draws, so that a gradient through n= draws "
                "of it would be wrong. Use expectation(..., gradient='score'), or a surrogate loss, or pass draws with "
                "z=, which count as constants."
            )
        return q.transport(self._together(self._noise))

    def _noise(self, block: int) -> Any:
        assert self.key is not None
        first = self.first(block)
        count = min(self.rows, self.n - first)
        if self.sampler is not None and self.sampler.noise is not None:
            return self.sampler.noise(self.key, first, count)
        return self.q.noise(count, rng=generator(self.key, block))

    def constant(self) -> Any:
        """Return all draws at once as constants."""
        if self.z is not None:
            return value_of(self.z)
        if self.sampler is None:
            return self._together(lambda block: value_of(self._sampled(block)))
        return replace(self, q=self.q.untraced).whole()

    def at_once(self) -> "Draws":
        """Return the same draws in one block."""
        z = self.whole()
        draws = replace(self, z=z)
        draws.rows, draws.blocks = self.n, 1
        return draws

    def _together(self, block_of: Callable[[int], Any]) -> Any:
        """Put blocks into one array; each is copied before the next is drawn, which may write into it."""
        first = np.asarray(block_of(0))
        out = np.empty((self.n, *first.shape[1:]), first.dtype)
        out[: len(first)] = first
        for block in range(1, self.blocks):
            part = block_of(block)
            out[self.first(block) : self.first(block) + len(part)] = part
        return out


def _sampler_of(q: Any) -> Blockwise | None:
    stated = q.blockwise if isinstance(q, Distribution) else None
    return None if stated is None or stated.draw is None else stated


def watched(values: FloatArray, draws: Draws, block: int, z: Any) -> NonFinite:
    """Count what is nan or +inf among the values of a block, whose draws are `z`."""
    if all_below_infinity(values.reshape(-1)):
        return NOTHING_FOUND
    return NonFinite.of(values, draws.first(block), z)


def with_note(draws: Draws, block: int, error: Exception) -> None:
    """Say on an exception from a user's function which draws it came from."""
    first = draws.first(block)
    source = "the draws given as z" if draws.key is None else f"the draws of rng={draws.key!r}"
    last = min(first + draws.rows, draws.n) - 1
    error.add_note(f"raised in block {block}: draws {first} to {last} of {source}.")
