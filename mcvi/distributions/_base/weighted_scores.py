"""Weighted sums of scores over draws, tile by tile: the scores themselves are never all in memory."""

from math import prod
from typing import Any

import numpy as np

from mcvi._typing import FloatArray

__all__ = ["weighted_scores"]

# Numbers in a tile: with the rows of a family's score they stay in the second-level cache.
_TILE = 16384


def weighted_scores(page: Any, table: FloatArray, value: Any, weights: Any, batch: tuple[int, ...]) -> FloatArray:
    """Return the sums over draws of the weights times the scores, ``(1 + parameters, *batch)``; row 0 is the value's.

    `value` is ``(*draws, *batch)``; `weights` broadcasts to it, and costs less with axes of length one for the batch.
    `table` holds the constants of the batch.
    """
    columns = prod(batch)
    flat = np.ascontiguousarray(value, np.float64).reshape(-1)
    draws = flat.size // max(columns, 1)
    weights = _by_draw(np.asarray(weights, np.float64), np.shape(value), len(batch), draws, columns)
    total = np.zeros((1 + len(page.parameters), columns))
    step = max(1, _TILE // max(columns, 1))
    tile = np.empty((1 + len(page.parameters), step * columns))
    for first in range(0, draws, step):
        last = min(first + step, draws)
        size = (last - first) * columns
        if size != tile.shape[1]:
            tile = np.empty((1 + len(page.parameters), size))
        page.scores(flat[first * columns : first * columns + size], table, tile)
        total += _summed(tile.reshape(-1, last - first, columns), weights[first:last])
    return total.reshape(-1, *batch)


def _by_draw(weights: FloatArray, shape: tuple[int, ...], batch_axes: int, draws: int, columns: int) -> FloatArray:
    """Return the weights as ``(draws,)`` where they are the same for the whole batch, else as ``(draws, columns)``."""
    ahead = shape[: len(shape) - batch_axes]
    weights = weights.reshape((1,) * (len(shape) - weights.ndim) + weights.shape)
    if all(size == 1 for size in weights.shape[len(ahead) :]):
        return np.broadcast_to(weights.reshape(weights.shape[: len(ahead)]), ahead).reshape(draws)
    return np.broadcast_to(weights, shape).reshape(draws, columns)


def _summed(scores: FloatArray, weights: FloatArray) -> FloatArray:
    """Return the sums over draws. A score that is not finite does not matter where the weight is zero."""
    with np.errstate(invalid="ignore", over="ignore"):
        total = weights @ scores if weights.ndim == 1 else np.einsum("dc,pdc->pc", weights, scores)
        if np.isfinite(total).all():
            return total
        spread = weights[:, None] if weights.ndim == 1 else weights
        return np.where(spread == 0, 0.0, spread * scores).sum(axis=1)
