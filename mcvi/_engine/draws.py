"""Blocks of draws, and what the functions of an estimator make of them."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any, Self

import numpy as np
from numba.core.dispatcher import Dispatcher

from mcvi import _checks
from mcvi._autograd import is_traced, tracing, value_of
from mcvi._kernels.log_weights.arguments import Given
from mcvi._kernels.log_weights.numbers import log_weights_of
from mcvi._kernels.sums.moments import all_below_infinity
from mcvi._typing import FloatArray, RNGLike
from mcvi.accumulate import NOTHING_FOUND, NonFinite
from mcvi.distributions import Distribution
from mcvi.distributions._base.blockwise import Blockwise
from mcvi.random import Key, as_key, generator, tile_rows

__all__ = ["Draws", "Function", "LogDensity", "LogWeight", "Traced", "is_compiled"]


class Traced(Exception):
    """A function returned a value that autograd traces: the estimate has to be computed on its tape."""


@dataclass(eq=False)
class Draws:
    """`n` draws in blocks of a fixed number of rows: addressed draws from `q`, or the rows of `z`."""

    q: Any
    n: int
    z: Any = None
    key: Key | None = None
    #: How many draws, and how many numbers, a block holds at most: enough that the calls from Python cost little, few
    #: enough that a block stays in the caches.
    block_draws: int = 2**14
    block_numbers: int = 2**17
    #: The counter-based sampler of `q`, or None: a sampler of the user's own is given a generator for each block.
    sampler: Blockwise | None = field(init=False)
    batch_shape: tuple[int, ...] = field(init=False)
    #: How many members the batch has, and how many numbers a draw holds.
    columns: int = field(init=False)
    elements: int = field(init=False)
    #: How many draws a block holds (a whole number of tiles), and how many blocks there are.
    rows: int = field(init=False)
    blocks: int = field(init=False)

    @classmethod
    def of(cls, q: Any, n: Any, z: Any, rng: RNGLike, name: str = "q") -> Self:
        """Check the arguments of an estimator, and decide where its draws come from."""
        _checks.distribution(q, name)
        _checks.one_source_of_draws(n, z)
        if z is not None:
            discrete = getattr(q, "discrete", False)
            z = _checks.draws(z, tuple(q.batch_shape), tuple(q.event_shape), discrete=discrete)
            return cls(q, len(z), z)
        return cls(q, _checks.draw_count(n), None, as_key(rng))

    def __post_init__(self) -> None:
        # Plain attributes: a cached property costs microseconds on a fresh object, and a small n has few to spare.
        stated = self.q.blockwise if isinstance(self.q, Distribution) else None
        self.sampler = None if stated is None or stated.draw is None else stated
        batch_shape = tuple(self.q.batch_shape)
        self.batch_shape, self.columns = batch_shape, prod(batch_shape)
        self.elements = self.columns * prod(self.q.event_shape)
        self.rows = self.rows_of(self.block_numbers, self.block_draws)
        self.blocks = -(-self.n // self.rows)

    def rows_of(self, numbers: int, draws: int = sys.maxsize) -> int:
        """Return how many rows make a whole number of tiles, at least one, of so many numbers and draws at most."""
        unit = tile_rows(self.elements)
        return max(unit, min(draws, numbers // max(self.elements, 1)) // unit * unit)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of results: that of `q`."""
        return self.q.dtype if isinstance(self.q, Distribution) else np.dtype(np.float64)

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

    def whole(self) -> Any:
        """Return all draws at once, with their derivatives in the parameters of `q`, for a traced pass."""
        q = self.q
        if self.z is not None:
            return self.z
        if not self.of_traced:
            return np.concatenate([self.block(block) for block in range(self.blocks)])
        if not (q.pathwise if self.sampler is not None else hasattr(q, "transport") and hasattr(q, "noise")):
            raise NotImplementedError(
                f"{type(q).__name__} has no pathwise derivative of its draws, so that a gradient through n= draws "
                "of it would be wrong. Use expectation(..., gradient='score'), or a surrogate loss, or pass draws with "
                "z=, which count as constants."
            )
        return q.transport(np.concatenate([self._noise(block) for block in range(self.blocks)]))

    @property
    def of_traced(self) -> bool:
        """Whether the parameters of the distribution are traced; of a user's, whether its draws or density are."""
        if isinstance(self.q, Distribution):
            return self.q.is_traced
        if not tracing():
            return False
        try:
            return is_traced(self.q.log_prob(value_of(self.block(0))[:1]))
        except Traced:
            return True

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
            return np.concatenate([value_of(self._sampled(block)) for block in range(self.blocks)])
        plain = Draws(self.q.untraced, self.n, None, self.key)
        return np.concatenate([plain.block(block) for block in range(plain.blocks)])


def is_compiled(q: Any, *functions: Any) -> bool:
    """Tell whether draws from `q` and functions of them run no Python code of a user's, so that threads may share them.

    A function is a log density of a family of ours, or made by numba.
    """
    families = [_family(function) for function in (q.log_prob, *functions) if not isinstance(function, Dispatcher)]
    return all(family is not None and family.blockwise.compiled for family in families)


def _family(function: Any) -> Distribution | None:
    """Return the family whose `log_prob` a function is, unless a subclass of a user's has its own."""
    owner = getattr(function, "__self__", None)
    if not isinstance(owner, Distribution) or owner.blockwise.log_density is None:
        return None
    return owner if function.__func__ is type(owner).log_prob else None


@dataclass(eq=False)
class Function:
    """A user's function of a block of draws, as a block ``(rows, columns)`` of float64."""

    function: Callable[[Any], Any]
    name: str
    batch_shape: tuple[int, ...]

    def __call__(self, z: Any) -> FloatArray:
        """Evaluate and check the shape."""
        result, shape = self.function(z), (len(z), *self.batch_shape)
        if type(result) is np.ndarray and result.shape == shape and result.dtype == np.float64:
            return result.copy()  # the user's next call, of this function or another, may write into it
        result = _checks.result_shape(result, shape, self.name)
        if is_traced(result):
            raise Traced
        values = np.empty(shape)
        values[...] = result
        return values

    def traced(self, z: Any) -> Any:
        """Evaluate and check the shape, and nothing else."""
        return _checks.result_shape(self.function(z), (len(z), *self.batch_shape), self.name)


@dataclass(eq=False)
class LogDensity:
    """The log density of a family of ours at a block of draws, without the checks that a user's function needs."""

    distribution: Distribution
    name: str
    batch_shape: tuple[int, ...]

    def __call__(self, z: Any) -> FloatArray:
        """Return a block of log densities, one row a draw."""
        p = self.distribution
        log_density = p.blockwise.log_density
        if p.is_traced or not isinstance(z, np.ndarray):
            raise Traced
        if z.dtype != np.float64:
            z = z.astype(np.float64)
        if log_density is not None and p.batch_shape == self.batch_shape:
            return log_density(z)
        if log_density is not None and p.batch_shape == ():
            flat = z.reshape(-1, *z.shape[1 + len(self.batch_shape) :])
            return log_density(flat).reshape(len(z), -1)
        return Function(p.log_prob, self.name, self.batch_shape)(z)

    def traced(self, z: Any) -> Any:
        """Evaluate and check the shape, and nothing else."""
        return Function(self.distribution.log_prob, self.name, self.batch_shape).traced(z)


def log_density(function: Any, name: str, q: Any) -> Function | LogDensity:
    """Return a log density as a function of blocks; that of a family of ours skips what was checked already."""
    _checks.function(function, name)
    family = _family(function)
    shape = tuple(q.batch_shape)
    if family is not None and tuple(family.event_shape) == tuple(q.event_shape):
        # Told by its shapes, and not by the shape of a result, where n draws could pass for a batch of n.
        _checks.broadcasts_to(family.batch_shape, shape, f"the batch_shape of {name}", "q.batch_shape")
        return LogDensity(family, name, shape)
    return Function(function, name, shape)


def _log_ratio(log_p: FloatArray, log_q: FloatArray) -> FloatArray:
    """Return ``log_p - log_q``; -inf where `log_p` is, also where both are: p excludes that draw."""
    out = np.empty(log_p.shape)
    log_weights_of(Given(log_p=log_p.reshape(-1), log_q=log_q.reshape(-1)), 0, out.reshape(-1))
    return out


@dataclass(eq=False)
class LogWeight:
    """``log p(z) - log q(z)`` of a block of draws, or ``log p(z)`` alone; -inf where p excludes a draw."""

    log_p: Function | LogDensity
    log_q: Function | LogDensity | None

    @classmethod
    def of(cls, log_p: Any, q: Any, name: str = "log_p") -> Self:
        """Pair a target with a proposal."""
        return cls(log_density(log_p, name, q), _density_of(q))

    @property
    def name(self) -> str:
        """What a warning calls it."""
        return f"{self.log_p.name}(z) - q.log_prob(z)" if self.log_q is not None else self.log_p.name

    def __call__(self, z: Any) -> FloatArray:
        """Return a block ``(rows, columns)``."""
        return self.of_known(z, self.log_p(z))

    def of_known(self, z: Any, log_p: FloatArray) -> FloatArray:
        """Return the same from the values of `log_p`."""
        return log_p if self.log_q is None else _log_ratio(log_p, self.log_q(z))

    def traced(self, z: Any) -> Any:
        """Evaluate on the tape."""
        log_p = self.log_p.traced(z)
        return log_p if self.log_q is None else log_p - self.log_q.traced(z)


def _density_of(q: Any) -> Function | LogDensity:
    name, shape = "q.log_prob", tuple(q.batch_shape)
    return LogDensity(q, name, shape) if _family(q.log_prob) is not None else Function(q.log_prob, name, shape)


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
