"""Families of vectors: shapes, blocks of draws and derivatives, from a few functions of arrays."""

from functools import cached_property
from math import prod
from typing import Any, ClassVar

import numpy as np

from mcvi._autograd import is_traced, masked_product, once_differentiable, value_of
from mcvi._typing import FloatArray
from mcvi.distributions._base.alternatives import keep_given
from mcvi.distributions._base.distribution import NO_SECOND_DERIVATIVE, Distribution
from mcvi.distributions._base.vectors import batch_of, event_value
from mcvi.random import Key

__all__ = ["VectorFamily"]


class VectorFamily(Distribution):
    """A family whose parameters are vectors or matrices, and whose events usually are.

    A subclass names its parameters as fields, says in `constraints` what each must be (and with that, how many of its
    last axes belong to the event), and gives

    ``_fill(key, first, out)``
        draws from number `first` of the stream `key` on, into ``out``, ``(draws * members, *event_shape)``;
    ``_density(value)``
        the log densities of an array ``(*draws, *batch_shape, *event_shape)``; nothing is traced;
    ``_scores(value)``
        their derivatives by name: of ``"value"``, and of each parameter the shape of the log densities followed by the
        axes of the parameter that belong to the event.

    The members of a batch are counted in C order. Whatever is computed of the parameters alone is best kept in a
    `cached_property`. A family of a closed form that autograd can differentiate gives `_log_prob` instead of the last
    two.
    """

    #: Alternative parameters, of which exactly one is given.
    _one_of: ClassVar[tuple[str, ...]] = ()
    _densities = ("log_prob", "_log_prob", "_density")

    def __post_init__(self) -> None:
        owner, held = type(self).__name__, vars(self)
        if self._one_of:
            keep_given(self, self._one_of)
        checked = {name: rule.check(held[name], owner, name) for name, rule in self.constraints.items() if name in held}
        shapes = {name: np.shape(value_of(held)) for name, held in checked.items()}
        batch_of(owner, **{name: (shape, self._event_part(name, shape)) for name, shape in shapes.items()})
        self._set(**checked)

    def _event_part(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the axes of a parameter that belong to the event."""
        return shape[len(shape) - self.constraints[name].event_ndim :]

    @cached_property
    def _shapes(self) -> dict[str, tuple[int, ...]]:
        return {name: np.shape(value_of(held)) for name, held in self.parameters.items()}

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape to which the batches of the parameters broadcast."""
        parts = ((shape, len(self._event_part(name, shape))) for name, shape in self._shapes.items())
        return np.broadcast_shapes(*(shape[: len(shape) - axes] for shape, axes in parts))

    @cached_property
    def _size(self) -> int:
        """The last axis of the parameters that are vectors or matrices."""
        return next(shape[-1] for name, shape in self._shapes.items() if self._event_part(name, shape))

    @property
    def event_shape(self) -> tuple[int, ...]:
        """``(d,)``, the last axis of the parameters."""
        return (self._size,)

    def _held(self, name: str) -> FloatArray:
        """Return the value of a parameter for every member, ``(*batch_shape, *axes of the event)``."""
        held = np.asarray(value_of(self.parameters[name]), np.float64)
        return np.ascontiguousarray(np.broadcast_to(held, (*self.batch_shape, *self._event_part(name, held.shape))))

    def _draw(self, key: Key, first: int, count: int) -> FloatArray:
        out = np.empty((count * prod(self.batch_shape), *self.event_shape))
        if out.size:
            self._fill(key, first, out)
        return out.reshape(count, *self.batch_shape, *self.event_shape)

    def _fill(self, key: Key, first: int, out: FloatArray) -> None:
        raise self._lacks("a sampler")

    def _log_prob(self, value: Any) -> Any:
        value = event_value(self, value)
        if not (self.is_traced or is_traced(value)):
            return _log_density_at(value, self)
        return _log_density(value, *self.parameters.values(), family=self.untraced)

    def _log_prob_block(self, z: FloatArray) -> FloatArray:
        return np.asarray(self.untraced._log_prob(z), np.float64).reshape(len(z), -1)

    def _density(self, value: FloatArray) -> FloatArray:
        raise self._lacks("a log density")

    def score(self, value: Any) -> dict[str, Any]:
        """Return the derivatives of ``log_prob(value)`` by name: of ``"value"``, and of each parameter.

        Each has the shape of the log density, followed by the axes of the event that the value (or parameter) has.
        """
        scores = _scores_at(event_value(self, self._checked(value_of(value))), self.untraced)
        return {name: self._cast(score) for name, score in scores.items()}

    def _scores(self, value: FloatArray) -> dict[str, Any]:
        raise self._lacks("a closed-form score")

    @classmethod
    def differentiates_by(cls, method: str) -> bool:
        """Tell whether the scores belong to the density that the class has: `score` is made of `_scores`."""
        return super().differentiates_by("_scores" if method == "score" else method)


def _aligned(value: Any, family: Any) -> tuple[FloatArray, Any]:
    """Return the value with all axes of the batch, and the family with a batch that fills those of length 1."""
    family = family.in_float64
    axes, batch, shape = len(family.event_shape), family.batch_shape, np.shape(value)
    shape, event = np.broadcast_shapes(shape[: len(shape) - axes], batch), shape[len(shape) - axes :]
    full = shape[len(shape) - len(batch) :]
    if full != batch:
        parameters = {
            name: np.broadcast_to(held, (*full, *family._event_part(name, np.shape(held))))
            for name, held in family.parameters.items()
        }
        family = type(family)(**parameters)
    return np.ascontiguousarray(np.broadcast_to(value, (*shape, *event)), np.float64), family


def _log_density_at(value: Any, family: Any) -> FloatArray:
    value, family = _aligned(value, family)
    with np.errstate(all="ignore"):  # far out, and at the edge of the parameters, logarithms are infinite
        return family._density(value)  # type: ignore[no-any-return]


def _scores_at(value: Any, family: Any) -> dict[str, Any]:
    value, family = _aligned(value, family)
    with np.errstate(all="ignore"):
        return family._scores(value)  # type: ignore[no-any-return]


def _pull_back(g: Any, argnums: Any, answer: Any, value: Any, *parameters: Any, family: Any) -> list[Any]:
    axes = {"value": len(family.event_shape)}
    axes |= {name: family.constraints[name].event_ndim for name in family.parameters}
    scores = _scores_at(value, family)
    wanted = [list(axes)[argnum] for argnum in argnums]
    for name in wanted:
        if name not in scores:
            raise family._lacks(f"derivative of its log density in {name}", "Differentiate in another parameter.")
    g = np.asarray(g)
    return [masked_product(g.reshape(*g.shape, *(1,) * axes[name]), scores[name]) for name in wanted]


@once_differentiable(_pull_back, NO_SECOND_DERIVATIVE)
def _log_density(value: Any, *parameters: Any, family: Any) -> FloatArray:
    """Return the log density of `family`, as a function of the value and the parameters that it holds."""
    return _log_density_at(value, family)
