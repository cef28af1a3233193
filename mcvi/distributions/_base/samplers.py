"""Ways to draw numbers, a block at a time, from noise that depends on the key and the place of a draw alone."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np

from mcvi._kernels.compiler.elementwise import in_place_pair
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws.attempts import repeated_attempts
from mcvi._kernels.draws.noise import address_of, normals, transported, uniforms
from mcvi._typing import FloatArray
from mcvi.distributions._base.scalars import arguments, compiled
from mcvi.random import Key, tile_rows

__all__ = [
    "ByAttempts",
    "FromNoise",
    "Sampler",
    "from_normal",
    "from_uniform",
    "from_uniform_pair",
]

# The slots of a draw that takes two noises, and from the third on those of further attempts.
_FIRST, _SECOND, _THIRD = np.uint64(0), np.uint64(1), np.uint64(2)


class Sampler:
    """A way to draw: fills a flat array with the draws of a block from a table of parameters."""

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        """Fill `out` with the draws from number `first` on, of `elements` numbers each; `first` begins a tile."""
        raise NotImplementedError


class FromNoise(Sampler):
    """A draw is ``transport(e, parameters)`` of one number that the kernel `noise` draws; `parameters` is a tuple.

    `make` returns the transport, when it is first used.
    """

    def __init__(self, noise: Any, make: Callable[[], Any], parameters: int) -> None:
        self.noise, self._make, self._parameters = noise, make, parameters

    @cached_property
    def transport(self) -> Any:
        """The compiled transport."""
        return self._make()

    @cached_property
    def kernel(self) -> Any:
        """The kernel that draws."""
        return transported(self.transport, self._parameters)

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        rows = tile_rows(elements)
        self.kernel(address_of(self.noise), *key.words, _FIRST, first // rows, rows * elements, parameters, out)

    def fill_noise(self, key: Key, first: int, elements: int, out: FloatArray) -> None:
        """Fill `out` with the noise of the draws that `fill` makes."""
        rows = tile_rows(elements)
        self.noise(*key.words, _FIRST, first // rows, rows * elements, out)


def _from_noise(noise: Any, draw: Any) -> FromNoise:
    def make() -> Any:
        function = compiled(draw)

        @scalar
        def transport(e: float, parameters: Any) -> Any:
            return function(e, *parameters)

        return transport

    return FromNoise(noise, make, len(arguments(draw)) - 1)


def from_uniform(draw: Any) -> FromNoise:
    """Return the sampler of ``draw(u, *parameters)`` for u uniform on (0, 1): never 0 or 1, never subnormal."""
    return _from_noise(uniforms, draw)


def from_normal(draw: Any) -> FromNoise:
    """Return the sampler of ``draw(e, *parameters)`` for standard normal e."""
    return _from_noise(normals, draw)


class _FromUniformPair(Sampler):
    def __init__(self, draw: Any) -> None:
        self._draw = draw

    @cached_property
    def _transport(self) -> Any:
        draw = compiled(self._draw)

        @scalar
        def transport(u: float, v: float, parameters: Any) -> Any:
            return draw(u, v, *parameters)

        return in_place_pair(transport, len(arguments(draw)) - 2)

    def fill(self, key: Key, first: int, elements: int, parameters: FloatArray, out: FloatArray) -> None:
        rows = tile_rows(elements)
        second = np.empty_like(out)
        uniforms(*key.words, _FIRST, first // rows, rows * elements, out)
        uniforms(*key.words, _SECOND, first // rows, rows * elements, second)
        self._transport(out, second, parameters)


def from_uniform_pair(draw: Any) -> Sampler:
    """Return the sampler of ``draw(u, v, *parameters)`` for u and v uniform on (0, 1)."""
    return _FromUniformPair(draw)


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
