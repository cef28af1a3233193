"""Families of one real or whole number, from a page of scalar functions."""

from functools import cached_property
from math import prod
from typing import Any, ClassVar

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._autograd import masked_product, once_differentiable, unbroadcast, value_of
from mcvi._typing import FloatArray
from mcvi.distributions._base.alternatives import keep_given
from mcvi.distributions._base.blockwise import Numbers
from mcvi.distributions._base.distribution import NO_SECOND_DERIVATIVE, Distribution
from mcvi.distributions._base.page import FromNoise, Maths, widen
from mcvi.distributions._base.weighted_scores import weighted_scores
from mcvi.random import Key

__all__ = ["Univariate"]


class Univariate(Distribution, compiled=True):
    """A family of numbers.

    A subclass names its parameters as fields and gives `_maths`, a `Maths` made of scalar functions; a family that
    takes one of two parameters for the same thing, a `Maths` for `either` (see `Bernoulli`). `_parameters` returns what
    the scalar functions take, in their order, if that is not the fields as they are.
    """

    _maths: ClassVar[Maths]
    _rules: ClassVar[dict[str, str]]
    #: The parameters at which a draw is itself the noise that `transport` takes; for pathwise families.
    _standard: ClassVar[tuple[float, ...] | None] = None

    def __post_init__(self) -> None:
        owner, held = type(self).__name__, vars(self)
        pages: Any = type(self)._maths
        if isinstance(pages, dict):  # one page for each of several parameters
            keep_given(self, pages)
        checked = {
            name: _checks.parameter(held[name], owner, name, rule) for name, rule in self._rules.items() if name in held
        }
        _checks.together(owner, **checked)
        self._set(**checked)

    def _parameters(self) -> tuple[Any, ...]:
        return tuple(self.parameters.values())

    @cached_property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape to which the parameters broadcast."""
        return np.broadcast_shapes(*(np.shape(value_of(p)) for p in self.parameters.values()))

    @property
    def _numbers(self) -> Numbers:
        maths = self._maths
        one_noise = maths.sampler if isinstance(maths.sampler, FromNoise) else None
        return Numbers(self.batch_shape, maths.scalar_density, self._table_of, self._columns, one_noise)

    # Parameters and constants as tables whose columns are the members of the batch.

    @cached_property
    def _columns(self) -> FloatArray:
        return widen(_columns(self._maths, [value_of(p) for p in self._parameters()], self.batch_shape))

    @cached_property
    def _table(self) -> FloatArray:
        return self._maths.prepared(self._columns)

    def _table_of(self, batch_shape: tuple[int, ...]) -> FloatArray:
        """Return the table of constants for a wider batch."""
        if batch_shape == self.batch_shape:
            return self._table
        return self._maths.prepared(widen(_columns(self._maths, list(self._parameters()), batch_shape)))

    def _draw(self, key: Key, first: int, count: int) -> FloatArray:
        return self._filled(key, first, count, self._columns)

    def _noise(self, key: Key, first: int, count: int) -> FloatArray:
        if self._standard is None:
            return super()._noise(key, first, count)
        return self._filled(key, first, count, np.array(self._standard)[:, None])

    def _filled(self, key: Key, first: int, count: int, columns: FloatArray) -> FloatArray:
        out = np.empty(count * self.elements)
        if self.elements:
            self._maths.sampler.fill(key, first, self.elements, columns, out)
        return out.reshape(count, *self.batch_shape)

    def _log_prob(self, value: Any) -> Any:
        if self.is_traced or not isinstance(value, np.ndarray):
            return _log_density(value, *self._parameters(), maths=self._maths)
        batch = self.batch_shape
        if batch and value.shape[-len(batch) :] != batch:
            value = np.broadcast_to(value, np.broadcast_shapes(value.shape, batch))
            if value.shape[-len(batch) :] != batch:  # an axis of length 1 in the batch was stretched
                return _log_density(value, *self._parameters(), maths=self._maths)
        return self._log_prob_block(np.ascontiguousarray(value, np.float64)).reshape(value.shape)

    def _log_prob_block(self, z: FloatArray) -> FloatArray:
        flat = z.reshape(-1)
        out = np.empty(flat.size)
        self._maths.log_densities(flat, self._table, out)
        rows = len(z) if z.ndim else 1
        return out.reshape(rows, flat.size // rows if rows else 0)

    def score(self, value: Any) -> dict[str, Any]:
        """Return the derivatives of ``log_prob(value)``: one for each parameter by its name, and one for ``"value"``.

        Each has the shape to which `value` and the parameters broadcast.
        """
        rows = _scores(self._maths, self._checked(value_of(value)), self.untraced._parameters())
        return {name: self._cast(row) for name, row in zip(["value", *self.parameters], rows, strict=True)}

    def _weighted_score(self, value: Any, weights: Any) -> dict[str, Any]:
        sums = weighted_scores(self._maths, self._table, value, weights, self.batch_shape)
        return {
            name: unbroadcast(row, np.shape(held))[()]
            for row, (name, held) in zip(sums[1:], self.parameters.items(), strict=True)
        }

    # Tails from the cdf, where the page has nothing better.

    def _log_cdf(self, value: Any) -> Any:
        return log_of(self._ability("_cdf", "cdf")(value), self._survival_function(value))

    def _survival_function(self, value: Any) -> Any:
        return 1.0 - self._ability("_cdf", "cdf")(value)

    def _log_survival_function(self, value: Any) -> Any:
        return log_of(self._survival_function(value), self._ability("_cdf", "cdf")(value))


def log_of(probability: Any, complement: Any) -> Any:
    """Return the log of a probability, from it or its complement, whichever is small: neither end loses digits."""
    small = value_of(probability) < 0.5
    return anp.where(small, anp.log(anp.where(small, probability, 1.0)), anp.log1p(-anp.where(small, 0.0, complement)))


def _columns(maths: Maths, parameters: list[Any], shape: tuple[int, ...]) -> FloatArray:
    columns = np.empty((maths.parameters, prod(shape)))
    for row, parameter in zip(columns, parameters, strict=True):
        row[:] = np.broadcast_to(parameter, shape).reshape(-1)
    return columns


def _aligned(maths: Maths, value: Any, parameters: tuple[Any, ...]) -> tuple[Any, FloatArray, tuple[int, ...]]:
    """Return the flat values, the table of constants that repeats along them, and the shape of the result."""
    value = np.asarray(value, np.float64)
    batch = np.broadcast_shapes(*(np.shape(p) for p in parameters))
    shape = np.broadcast_shapes(value.shape, batch)
    full = shape[len(shape) - len(batch) :]
    columns = widen(_columns(maths, list(parameters), full))
    flat = np.ascontiguousarray(np.broadcast_to(value, shape)).reshape(-1)
    return flat, maths.prepared(columns), shape


def _scores(maths: Maths, value: Any, parameters: tuple[Any, ...]) -> FloatArray:
    flat, constants, shape = _aligned(maths, value, parameters)
    rows = np.empty((1 + maths.parameters, flat.size))
    maths.scores(flat, constants, rows)
    return rows.reshape(len(rows), *shape)


def _pull_back(g: Any, argnums: Any, answer: Any, value: Any, *parameters: Any, maths: Maths) -> list[Any]:
    batch = np.broadcast_shapes(*(np.shape(p) for p in parameters))
    shape = np.shape(value)
    if 0 not in argnums and len(shape) > len(batch) and shape[len(shape) - len(batch) :] == batch:
        table = maths.prepared(widen(_columns(maths, list(parameters), batch)))
        sums = weighted_scores(maths, table, value, g, batch)
        return [sums[a] for a in argnums]
    scores = _scores(maths, value, parameters)
    return [masked_product(g, scores[a]) for a in argnums]


@once_differentiable(_pull_back, NO_SECOND_DERIVATIVE)
def _log_density(value: Any, *parameters: Any, maths: Maths) -> FloatArray:
    """Return the log density of a family as a function that autograd can differentiate."""
    flat, constants, shape = _aligned(maths, value, parameters)
    out = np.empty(flat.size)
    maths.log_densities(flat, constants, out)
    return out.reshape(shape)
