"""The page of scalar functions that a one-dimensional family states, and the array loops made of it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from mcvi._kernels.compiler.elementwise import (
    elementwise,
    elementwise_tuple,
    in_place_pair,
    table,
)
from mcvi._kernels.draws.attempts import repeated_attempts
from mcvi._kernels.draws.noise import address_of, normals, transported, uniforms
from mcvi._typing import FloatArray
from mcvi.random import Key, tile_rows

__all__ = ["ByAttempts", "FromNoise", "FromNormal", "FromUniform", "FromUniformPair", "Maths", "Sampler"]

# The slots of a draw that takes two noises, and from the third on those of further attempts.
_FIRST, _SECOND, _THIRD = np.uint64(0), np.uint64(1), np.uint64(2)

# A batch of fewer columns is repeated side by side, so that the inner loop is long enough to vectorise.
_COLUMNS = 256


def widen(columns: FloatArray) -> FloatArray:
    """Repeat the columns of a table until there is one, or at least enough of them."""
    length = columns.shape[1]
    if length == 0:  # an empty batch: a column that nothing reads, because the loops count in columns
        return np.ones((columns.shape[0], 1))
    if length == 1 or length >= _COLUMNS:
        return columns
    return np.tile(columns, (1, -(-_COLUMNS // length)))


class Sampler:
    """A way to draw: fills a flat array with the draws of a block from a table of parameters."""

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        """Fill `out` with the draws from number `first` on, of `elements` numbers each; `first` begins a tile."""
        raise NotImplementedError


class FromNoise(Sampler):
    """A draw is ``transport(e, parameters)`` of one number that the kernel `noise` draws."""

    def __init__(self, noise: Any, transport: Any, parameters: int) -> None:
        self.noise, self.transport, self._parameters = noise, transport, parameters

    @cached_property
    def kernel(self) -> Any:
        """The kernel that draws."""
        return transported(self.transport, self._parameters)

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        rows = tile_rows(elements)
        self.kernel(address_of(self.noise), *key.words, _FIRST, first // rows, rows * elements, parameters, out)


class FromUniform(FromNoise):
    """A draw is ``transport(u, parameters)`` of one uniform on (0, 1), as by the quantile function."""

    def __init__(self, transport: Any, parameters: int) -> None:
        super().__init__(uniforms, transport, parameters)


class FromNormal(FromNoise):
    """A draw is ``transport(e, parameters)`` of one standard normal."""

    def __init__(self, transport: Any, parameters: int) -> None:
        super().__init__(normals, transport, parameters)


class FromUniformPair(Sampler):
    """A draw is ``transport(u, v, parameters)`` of two uniforms on (0, 1)."""

    def __init__(self, transport: Any, parameters: int) -> None:
        self._function, self._parameters = transport, parameters

    @cached_property
    def _transport(self) -> Any:
        return in_place_pair(self._function, self._parameters)

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        rows = tile_rows(elements)
        second = np.empty_like(out)
        uniforms(*key.words, _FIRST, first // rows, rows * elements, out)
        uniforms(*key.words, _SECOND, first // rows, rows * elements, second)
        self._transport(out, second, parameters)


class ByAttempts(Sampler):
    """A draw is ``attempt(u, v, parameters)`` of two uniforms, again with fresh ones as long as it is nan.

    The first attempt of all elements vectorises; the few that it rejects try again, gathered into runs.
    """

    def __init__(self, attempt: Any, parameters: int) -> None:
        self._function, self._parameters = attempt, parameters

    @cached_property
    def _attempt(self) -> Any:
        return in_place_pair(self._function, self._parameters)

    @cached_property
    def _again(self) -> Any:
        return repeated_attempts(self._function, self._parameters)

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        rows = tile_rows(elements)
        second = np.empty_like(out)
        uniforms(*key.words, _FIRST, first // rows, rows * elements, out)
        uniforms(*key.words, _SECOND, first // rows, rows * elements, second)
        self._attempt(out, second, parameters)
        self._again(*key.words, _THIRD, first * elements, parameters, out)


@dataclass(frozen=True)
class Maths:
    """The mathematics of a one-dimensional family: its scalar functions, and the array loops made of them.

    Parameters
    ----------
    parameters, constants
        How many numbers `prepare` takes, and how many it returns.
    prepare
        ``prepare(parameters) -> constants``: all that depends on the parameters alone, once per parameter set.
    log_density
        ``log_density(x, constants)``.
    score
        ``score(x, constants) -> (d/dx, d/d parameter 1, ...)`` of the log density; a discrete family has 0 for d/dx.
    sampler
        How to draw, from the parameters.
    """

    parameters: int
    constants: int
    prepare: Callable[..., Any]
    log_density: Callable[..., Any]
    score: Callable[..., Any]
    sampler: Sampler

    @property
    def scalar_density(self) -> tuple[Callable[..., Any], int]:
        """The scalar log density, and how many constants it takes."""
        return self.log_density, self.constants

    # The array loops are made when first used: a family that is only imported costs nothing.

    @cached_property
    def _prepare_columns(self) -> Any:
        return table(self.prepare, self.parameters)

    @cached_property
    def log_densities(self) -> Any:
        """The kernel that sets ``out[i] = log_density(x[i], constants of i)``: ``(x, constants, out)``."""
        return elementwise(self.log_density, self.constants)

    @cached_property
    def scores(self) -> Any:
        """The kernel that sets column `i` of `out` to ``score(x[i], constants of i)``: ``(x, constants, out)``."""
        return elementwise_tuple(self.score, self.constants)

    def prepared(self, columns: FloatArray) -> FloatArray:
        """Return the table of constants for a table of parameters."""
        out = np.empty((self.constants, columns.shape[1]))
        self._prepare_columns(columns, out)
        return out
