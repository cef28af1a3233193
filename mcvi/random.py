"""Counter-based random numbers: `rng=` becomes a key, and a draw is a function of the key and the draw's index.

See `docs/reproducibility.md` for what is promised.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from mcvi._kernels.draws.noise import normals, round_to_float32, uniforms
from mcvi._kernels.draws.seeds import hashed_seed
from mcvi._typing import Array, FloatArray, RNGLike

__all__ = ["STREAM_VERSION", "Key", "as_key", "generator", "standard_normals", "standard_uniforms", "tile_rows"]

#: Changes when the same key gives other draws.
STREAM_VERSION = 2

# Elements in a tile of draws: small enough for the first-level cache, large enough to vectorise.
_TILE = 1024


@dataclass(frozen=True)
class Key:
    """A 128-bit key: the whole state of a stream of draws. Pass it as `rng=` to repeat a run."""

    value: int

    def __post_init__(self) -> None:
        if not 0 <= self.value < 2**128:
            raise ValueError(f"Key: value must be in [0, 2**128); got {self.value}.")

    @cached_property
    def words(self) -> tuple[np.uint64, np.uint64]:
        """The two 64-bit halves, low word first."""
        return np.uint64(self.value & (2**64 - 1)), np.uint64(self.value >> 64)

    def child(self, index: int) -> "Key":
        """Return the key of the `index`-th sub-stream, which shares no draw with this stream or its other children."""
        if index < 0:
            raise ValueError(f"Key.child: index must be a non-negative integer; got {index}.")
        return _of_words(_words(self.value) + _words(int(index)))

    def __repr__(self) -> str:
        return f"Key(0x{self.value:032x})"


def _of_seed(sequence: np.random.SeedSequence) -> Key:
    low, high = sequence.generate_state(2, np.uint64)
    return Key(int(low) | int(high) << 64)


def _fresh_key() -> Key:
    """Return a key of the operating system's randomness, which no other run shares."""
    return Key(int.from_bytes(os.urandom(16), "little"))


def _words(number: int) -> bytes:
    """Return a number as 32-bit words, lowest first."""
    return number.to_bytes(4 * max(1, -(-number.bit_length() // 32)), "little")


def _of_words(words: bytes) -> Key:
    """Return the key that NumPy's SeedSequence would give for these words."""
    low, high = hashed_seed(np.frombuffer(words, "<u4"))
    return Key(int(low) | int(high) << 64)


@lru_cache(maxsize=256)
def _of_int(seed: int) -> Key:
    return _of_words(_words(seed))


def as_key(rng: RNGLike) -> Key:
    """Normalise `rng=` (SPEC 7).

    Parameters
    ----------
    rng : None, int, sequence of ints, SeedSequence, Generator, BitGenerator or Key
        None draws a fresh key from the operating system. A Generator is advanced by one key, so that two calls with it
        differ and a rerun of the program repeats. Everything else gives the same key each time.

    Returns
    -------
    Key
    """
    if rng is None:
        return _fresh_key()
    if isinstance(rng, Key):
        return rng
    if isinstance(rng, np.ndarray) and rng.ndim == 0:
        rng = rng[()]
    if isinstance(rng, (bool, np.bool_)):
        raise TypeError(
            f"rng must be None, an int, a sequence of ints, a SeedSequence or a Generator; got {rng!r} (bool)."
        )
    if isinstance(rng, (int, np.integer)):
        if rng < 0:
            raise ValueError(f"rng must be a non-negative integer; got {rng}.")
        return _of_int(int(rng))
    if isinstance(rng, np.random.SeedSequence):
        return _of_seed(rng)
    if isinstance(rng, np.random.BitGenerator):
        rng = np.random.Generator(rng)
    if isinstance(rng, np.random.Generator):
        low, high = rng.integers(0, 2**64, size=2, dtype=np.uint64)
        return Key(int(low) | int(high) << 64)
    if isinstance(rng, (Sequence, np.ndarray)) and not isinstance(rng, (str, bytes)):
        try:
            return _of_seed(np.random.SeedSequence([int(word) for word in _whole(rng)]))
        except (TypeError, ValueError):
            raise ValueError(f"rng as a sequence must hold non-negative integers; got {rng!r}.") from None
    raise TypeError(
        f"rng must be None, an int, a sequence of ints, a SeedSequence or a Generator; got {type(rng).__name__}."
    )


def _whole(words: Any) -> Any:
    if any(isinstance(word, (bool, np.bool_)) or not isinstance(word, (int, np.integer)) or word < 0 for word in words):
        raise TypeError
    return words


def generator(key: Key, block: int) -> np.random.Generator:
    """Return the NumPy Generator of one block of draws, for families that sample with a Generator of their own."""
    return np.random.Generator(np.random.Philox(key=key.value, counter=int(block) << 192))


@lru_cache(maxsize=256)
def tile_rows(elements: int) -> int:
    """Return the number of draws of `elements` numbers in a tile, the unit of addressing: an even number."""
    return max(2, 2 * (_TILE // 2 // max(elements, 1)))


def standard_uniforms(key: Key, first: int, count: int, elements: int, slot: int = 0, dtype: Any = np.float64) -> Array:
    """Return the uniforms on (0, 1) of draws `first` to ``first + count`` as a flat array; `first` begins a tile.

    float32 numbers are those of float64, rounded to the middles of 2**23 cells: strictly inside (0, 1) as well.
    """
    out = _filled(uniforms, key, slot, first, count, elements)
    if dtype == np.float64:
        return out
    rounded = np.empty(out.size, np.float32)
    round_to_float32(out, rounded)
    return rounded


def standard_normals(key: Key, first: int, count: int, elements: int, slot: int = 0, dtype: Any = np.float64) -> Array:
    """Return the standard normals of draws `first` to ``first + count`` as a flat array; `first` begins a tile."""
    return _filled(normals, key, slot, first, count, elements).astype(dtype, copy=False)


def _filled(fill: Any, key: Key, slot: int, first: int, count: int, elements: int) -> FloatArray:
    rows = tile_rows(elements)
    out = np.empty(count * elements)
    if elements:
        fill(*key.words, np.uint64(slot), first // rows, rows * elements, out)
    return out
