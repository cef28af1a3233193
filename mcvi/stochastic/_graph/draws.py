"""The draws of a node: the family, the recorded draws, the noise that derivatives flow through."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from math import prod
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import is_traced, value_of
from mcvi._typing import RNGLike
from mcvi.distributions import Distribution
from mcvi.random import Key, as_key, generator

__all__ = ["drawn", "drawing_block", "has_transport", "leading_draws", "node_key", "recorded", "values_of_parameters"]


class _Block:
    """One block of `value_and_grad`: how many draws its nodes take, whose turn it is, how many numbers were drawn."""

    def __init__(self, key: Key, n: int) -> None:
        self.key, self.n, self.created, self.elements = key, n, 0, 0


_block: ContextVar[_Block | None] = ContextVar("mcvi_block", default=None)


@contextmanager
def drawing_block(key: Key, n: int) -> Iterator[_Block]:
    """Give the nodes created inside `n` draws each, at the addresses (key, order of creation)."""
    block = _Block(key, n)
    token = _block.set(block)
    try:
        yield block
    finally:
        _block.reset(token)


def leading_draws() -> int | None:
    """Return how many draws a node without random ancestors takes inside `value_and_grad`; None elsewhere."""
    block = _block.get()
    return None if block is None else block.n


def node_key(rng: RNGLike) -> Key:
    """Return the key of the next node's draws."""
    block = _block.get()
    if block is None:
        return as_key(rng)
    block.created += 1
    return block.key.child(block.created)


def has_transport(distribution: Any) -> bool:
    """Tell whether draws of the distribution can carry a derivative."""
    if isinstance(distribution, Distribution):
        # not by default, but by a method of the family itself: that of a base may serve only some of its families
        return distribution.draws_by_transport or "transport" in vars(type(distribution))
    return hasattr(distribution, "transport") and hasattr(distribution, "noise")


def values_of_parameters(distribution: Any) -> Any:
    """Return the distribution with plain numbers for parameters."""
    if isinstance(distribution, Distribution):
        return distribution.untraced
    import copy

    plain = copy.copy(distribution)
    for name, held in getattr(distribution, "__dict__", {}).items():
        object.__setattr__(plain, name, _plain(held))
    return plain


def _plain(held: Any) -> Any:
    if isinstance(held, (list, tuple)):
        return type(held)(_plain(item) for item in held)
    if isinstance(held, dict):
        return {name: _plain(item) for name, item in held.items()}
    # a node has a log_prob too, but is an array
    return values_of_parameters(held) if hasattr(held, "log_prob") and not is_traced(held) else value_of(held)


def drawn(distribution: Any, shape: tuple[int, ...], key: Key, *, carry_derivative: bool) -> Any:
    """Return draws with the axes `shape` in front, as floats; with their derivative in the parameters if asked for."""
    n = prod(shape) if shape else None
    rng: Any = key if isinstance(distribution, Distribution) else generator(key, 0)
    if carry_derivative:
        draws = distribution.transport(distribution.noise(1 if n is None else n, rng=rng))
        draws = draws[0] if n is None else draws
    else:
        plain = values_of_parameters(distribution)
        draws = (
            plain.sample(rng=rng) if n is None and isinstance(plain, Distribution) else plain.sample(n or 1, rng=rng)
        )
        if not isinstance(plain, Distribution):
            draws = _checks.sample_shape(draws, (n or 1, *plain.batch_shape, *plain.event_shape))
            draws = draws[0] if n is None else draws
        draws = np.asarray(draws)
        # Whole numbers become floats in the graph; a float32 family keeps its type.
        draws = draws if draws.dtype.kind == "f" else draws.astype(np.float64)
    block = _block.get()
    if block is not None:
        block.elements += np.size(value_of(draws))
    if len(shape) > 1:
        draws = anp.reshape(draws, (*shape, *np.shape(value_of(draws))[1:]))
    return draws


def recorded(value: Any, distribution: Any, owner: str) -> Any:
    """Return draws that the caller gives, as floats of a shape that the distribution could have drawn."""
    value = _checks.real_array(value, f"{owner}: value")
    shape = np.shape(value_of(value))
    wanted = (*distribution.batch_shape, *distribution.event_shape)
    if len(shape) < len(wanted):
        raise ValueError(
            f"{owner}: value must have at least the axes {wanted} of a draw (rank {len(wanted)}); got shape {shape}."
        )
    if wanted and shape[len(shape) - len(wanted) :] != wanted:
        raise ValueError(f"{owner}: the shape of value must end in {wanted}, the shape of a draw; got {shape}.")
    return value
