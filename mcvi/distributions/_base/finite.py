"""What the families of one out of K classes share: the table of log probabilities, look-up in it, draws from it."""

from functools import cached_property, lru_cache
from math import prod
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import once_differentiable, value_of
from mcvi._kernels.draws import categories, noise
from mcvi._typing import Array, FloatArray
from mcvi.distributions._base.alternatives import keep_given, otherwise
from mcvi.distributions._base.distribution import NO_SECOND_DERIVATIVE, Distribution
from mcvi.distributions._functions.kl_terms import relative_entropy
from mcvi.random import Key, tile_rows

__all__ = ["Classes", "entries", "kl_classes_classes", "logits_otherwise", "probs_otherwise"]

_NO_GUIDES = np.empty((0, 0), np.uint32)
# Entries of the table of a batch up to which a guide, four times as large or more, is thought worth its memory.
_MOST_GUIDED = 2**20

#: Defaults of the two fields.
logits_otherwise = otherwise(lambda distribution: distribution._log_probabilities)
probs_otherwise = otherwise(lambda distribution: distribution._probabilities)


class Classes(Distribution):
    """A family of one out of K classes, whose `logits` or `probs` have the classes on their last axis."""

    logits: Any
    probs: Any

    discrete = True

    def __post_init__(self) -> None:
        given = keep_given(self, ("logits", "probs"))
        check = _checks.class_logits if given == "logits" else _checks.class_probs
        self._set(**{given: check(getattr(self, given), type(self).__name__)})

    @property
    def _given(self) -> tuple[str, Any]:
        return next(iter(self.parameters.items()))

    @cached_property
    def _shape(self) -> tuple[int, ...]:
        return np.shape(value_of(self._given[1]))

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape of the parameter without its last axis, the classes."""
        return self._shape[:-1]

    # Tables `(*batch_shape, classes)`, traced if the parameter is.

    @cached_property
    def _log_probabilities(self) -> Any:
        name, parameter = self._given
        return _log_probabilities(parameter, given=name)

    @cached_property
    def _probabilities(self) -> Any:
        name, parameter = self._given
        return anp.exp(self._log_probabilities) if name == "logits" else parameter / _row_sums(parameter)

    def _entropy(self) -> Any:
        log_p = self._log_probabilities
        finite = anp.where(log_p == -np.inf, 0.0, log_p)  # 0 log 0 = 0
        return 0.0 - anp.sum(self._probabilities * finite, axis=-1)

    def _fisher(self) -> Any:
        p = self.untraced._probabilities
        diagonal = np.eye(self._shape[-1])
        if self._given[0] == "logits":
            return diagonal * p[..., None] - p[..., None] * p[..., None, :]
        return np.where(diagonal == 1, 1.0 / p[..., None], 0.0) - 1.0

    @cached_property
    def _sums(self) -> FloatArray:
        table = np.ascontiguousarray(self.untraced._probabilities, np.float64).reshape(-1, self._shape[-1])
        sums = np.empty_like(table)
        categories.cumulative(table, sums)
        return sums

    def _draw_classes(self, key: Key, first: int, count: int) -> FloatArray:
        """Return the classes of draws from one uniform each, flat."""
        rows, members = tile_rows(self.elements), prod(self.batch_shape)
        u, drawn = np.empty(count * members), np.empty(count * members)
        noise.uniforms(*key.words, np.uint64(0), first // rows, rows * members, u)
        if members:
            categories.locate(self._sums, self._guides if self._worth_a_guide(count) else _NO_GUIDES, u, drawn)
        return drawn

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

    def _score_at(self, category: FloatArray) -> dict[str, Any]:
        name, p = self._given[0], self.untraced._probabilities
        hot = category[..., None] == np.arange(self._shape[-1])
        with np.errstate(divide="ignore"):
            score = hot - p if name == "logits" else np.where(hot, 1.0 / p, 0.0) - 1.0
        # 0 for what is no class, nan for nan
        score = np.where(hot.any(axis=-1, keepdims=True), score, np.where(np.isnan(category), np.nan, 0.0)[..., None])
        in_value = np.zeros(score.shape[: score.ndim - 1 + len(self.event_shape)])
        return {"value": self._cast(in_value), name: self._cast(score)}


def kl_classes_classes(p: Classes, q: Classes) -> Any:
    """Return the divergence of two distributions over the same classes."""
    classes = p._shape[-1], q._shape[-1]
    if classes[0] != classes[1]:
        raise ValueError(f"p and q must have the same number of classes; got {classes[0]} and {classes[1]}.")
    return anp.sum(relative_entropy(p._log_probabilities, q._log_probabilities), axis=-1)


def _row_sums(probs: Any) -> Any:
    return anp.sum(probs, axis=-1, keepdims=True)


def _pull_back(g: Any, argnums: Any, log_p: Any, parameter: Any, *, given: str) -> list[Any]:
    total = g.sum(axis=-1, keepdims=True)
    if given == "logits":
        return [g - np.exp(log_p) * total]
    with np.errstate(divide="ignore"):
        return [np.where(g == 0, 0.0, g / np.where(g == 0, 1.0, parameter)) - total / _row_sums(parameter)]


@once_differentiable(_pull_back, NO_SECOND_DERIVATIVE)
def _log_probabilities(parameter: Any, *, given: str) -> FloatArray:
    table = np.ascontiguousarray(parameter, np.float64).reshape(-1, np.shape(parameter)[-1])
    out = np.empty_like(table)
    (categories.log_softmax if given == "logits" else categories.log_normalised)(table, out)
    return out.reshape(np.shape(parameter))


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
