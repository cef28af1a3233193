"""Families of one out of K classes: look-up in the table of log probabilities, and draws from it."""

from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import once_differentiable
from mcvi._kernels.draws import categories, noise
from mcvi._typing import Array, FloatArray
from mcvi.distributions._base.category_probabilities import CategoryProbabilities
from mcvi.distributions._base.distribution import NO_SECOND_DERIVATIVE
from mcvi.distributions._base.vectors import event_value
from mcvi.distributions._functions.kl_terms import relative_entropy
from mcvi.random import Key, tile_rows

__all__ = ["Classes", "entries", "kl_classes_classes"]

_NO_GUIDES = np.empty((0, 0), np.uint32)
# Entries of the table of a batch up to which a guide, four times as large or more, is thought worth its memory.
_MOST_GUIDED = 2**20


class Classes(CategoryProbabilities):
    """A family of one out of K classes. It gives ``_class_of(value)``: the class of a value, traced or not."""

    discrete = True

    def _class_of(self, value: Any) -> Any:
        raise NotImplementedError

    def _log_prob(self, value: Any) -> Any:
        return entries(self._log_probabilities, self._class_of(event_value(self, value)))

    def _scores(self, value: FloatArray) -> dict[str, Any]:
        p, q, in_logits = self._probabilities, self._complements, self._given == "logits"
        category = np.asarray(self._class_of(value))[..., None]
        hot = category == np.arange(self._size)
        score = np.where(hot, q, -p) if in_logits else np.where(hot, q / p, -1.0)
        # 0 for what is no class, nan for nan
        score = np.where(hot.any(axis=-1, keepdims=True), score, np.where(np.isnan(category), np.nan, 0.0))
        return {"value": np.zeros(score.shape[: score.ndim - 1 + len(self.event_shape)]), self._given: score}

    def _entropy(self) -> Any:
        log_p = self._log_probabilities
        finite = anp.where(log_p == -np.inf, 0.0, log_p)  # 0 log 0 = 0
        return 0.0 - anp.sum(self._probabilities * finite, axis=-1)

    def _fisher(self) -> Any:
        return self.untraced._one_trial_fisher()

    @cached_property
    def _sums(self) -> FloatArray:
        table = np.ascontiguousarray(self.untraced._probabilities, np.float64).reshape(-1, self._size)
        sums = np.empty_like(table)
        categories.cumulative(table, sums)
        return sums

    def _draw_classes(self, key: Key, first: int, drawn: FloatArray) -> None:
        """Set `drawn` to the classes of draws, from one uniform each."""
        rows, members = tile_rows(self.elements), prod(self.batch_shape)
        u = np.empty(drawn.size)
        noise.uniforms(*key.words, np.uint64(0), first // rows, rows * members, u)
        guides = self._guides if self._worth_a_guide(drawn.size // members) else _NO_GUIDES
        categories.locate(self._sums, guides, u, drawn)

    def _worth_a_guide(self, count: int) -> bool:
        members, classes = self._sums.shape
        few = members == 1 and classes <= categories.FEW
        return not few and 8 * count >= classes and members * classes <= _MOST_GUIDED

    @cached_property
    def _guides(self) -> Array:
        members, classes = self._sums.shape
        guides = np.empty((members, 4 << (classes - 1).bit_length()), np.uint32)
        categories.guide(self._sums, guides)
        return guides


def kl_classes_classes(p: Classes, q: Classes) -> Any:
    """Return the divergence of two distributions over the same classes."""
    classes = p._size, q._size
    if classes[0] != classes[1]:
        raise ValueError(f"p and q must have the same number of classes; got {classes[0]} and {classes[1]}.")
    return anp.sum(relative_entropy(p._log_probabilities, q._log_probabilities), axis=-1)


@lru_cache(maxsize=64)
def _pattern(members: int) -> Array:
    # Repeated, so that an inner loop over it is worth its start.
    pattern: Array = np.tile(np.arange(members), max(1, 256 // max(members, 1)))
    return pattern


def _row_of(table: Any, category: Any) -> tuple[FloatArray, Array, tuple[int, ...]]:
    """Return the flat categories, the row of the table of each (a pattern that repeats), the shape of the result."""
    batch = table.shape[:-1]
    shape = np.broadcast_shapes(np.shape(category), batch)
    flat = np.ascontiguousarray(np.broadcast_to(category, shape), np.float64).reshape(-1)
    if shape[len(shape) - len(batch) :] == batch:
        return flat, _pattern(prod(batch)), shape
    return flat, np.broadcast_to(np.arange(prod(batch)).reshape(batch), shape).ravel(), shape


def _scatter(g: Any, argnums: Any, answer: Any, table: Any, category: Any) -> list[Any]:
    flat, rows, shape = _row_of(table, category)
    out = np.zeros(table.shape)
    if flat.size:
        weights = np.ascontiguousarray(np.broadcast_to(g, shape), np.float64).reshape(-1)
        categories.scatter(rows, flat, weights, out.reshape(-1, table.shape[-1]))
    return [out if argnum == 0 else np.zeros(np.shape(category)) for argnum in argnums]


@once_differentiable(_scatter, NO_SECOND_DERIVATIVE)
def entries(table: Any, category: Any) -> FloatArray:
    """Return the entries of a table ``(*batch, classes)`` at categories that broadcast against its batch.

    The entry is -inf for what is no category and nan for nan. The derivative in the table adds up where a category was
    looked up; that in a category is 0.
    """
    flat, rows, shape = _row_of(table, category)
    out = np.empty(flat.size)
    if flat.size:
        categories.look_up(table.reshape(-1, table.shape[-1]), rows, flat, out)
    return out.reshape(shape)
