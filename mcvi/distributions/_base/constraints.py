"""Sets of values as objects: the supports of distributions, and what their parameters must be.

A constraint knows its members, the error about all other values, and a smooth map from the real line onto its interior.
One object therefore serves validation, unconstrained fitting, changes of variables and the generation of tests.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from autograd import numpy as anp

from mcvi import _checks, math
from mcvi._autograd import value_of

__all__ = [
    "Constraint",
    "above",
    "binary",
    "counts_of",
    "interval",
    "log_weights",
    "lower_triangular",
    "non_negative",
    "positive",
    "real",
    "simplex",
    "unit_interval",
    "vectors_of",
    "whole",
    "whole_up_to",
]


class Constraint:
    r"""A set of numbers, or of arrays with `event_ndim` axes.

    `from_real` maps unconstrained real numbers `t` onto the interior of the set, `to_real` is its inverse, and
    `log_jacobian` is :math:`\log|\det \partial x/\partial t|` at `t`. Autograd can differentiate all three.
    """

    #: Number of trailing axes that make one member of the set.
    event_ndim: ClassVar[int] = 0
    #: True for a set of isolated points, onto which no smooth map leads.
    discrete: ClassVar[bool] = False
    #: True for a set of numbers that holds its ends.
    closed: bool = True
    #: The end of the sentence "scale must be ...".
    words: str

    def contains(self, value: Any) -> Any:
        """Return a mask of the numbers (or events) in `value`, plain numbers, that belong to the set; nan does not."""
        raise NotImplementedError

    def check(self, value: Any, owner: str, name: str) -> Any:
        """Return the parameter `name` of the family `owner` as a float array, traced or not, of members of the set.

        Raises
        ------
        TypeError
            `value` does not hold real numbers.
        ValueError
            A number does not belong to the set. The error names the first of them and its index.
        """
        array = _checks.real_array(value, f"{owner}: {name}")
        held = np.asarray(value_of(array))
        bad = ~np.asarray(self.contains(held))
        if bad.any():
            raise ValueError(f"{owner}: {name} must be {self.words}; got {_checks.first(bad, held)}.")
        return array

    def at(self, parameters: Mapping[str, Any]) -> "Constraint":
        """Return the set with the values of parameters in the place of their names."""
        return self

    def held_inside(self, draws: Any) -> Any:
        """Return draws of float32, moved to the nearest number inside if rounding took one to an end of the set."""
        ends: Any = self
        if not hasattr(ends, "low") or self.discrete:
            return draws
        above = np.nextafter(np.float32(value_of(ends.low)), np.float32(np.inf))
        below = np.nextafter(np.float32(value_of(ends.high)), np.float32(-np.inf))
        return np.clip(draws, above, below)

    def from_real(self, t: Any) -> Any:
        """Map unconstrained real numbers onto the interior of the set."""
        raise self._no_map()

    def to_real(self, x: Any) -> Any:
        """Map the interior of the set onto the real numbers: the inverse of `from_real`."""
        raise self._no_map()

    def log_jacobian(self, t: Any) -> Any:
        """Return the logarithm of the derivative of `from_real` at `t`; of its determinant, for events."""
        raise self._no_map()

    def _no_map(self) -> NotImplementedError:
        return NotImplementedError(f"no smooth map leads from the real line onto isolated points ({self.words}).")


@dataclass(frozen=True)
class _Line(Constraint):
    """All finite numbers: the identity."""

    low: ClassVar[float] = -np.inf
    high: ClassVar[float] = np.inf
    words: str = "finite"

    def contains(self, value: Any) -> Any:
        return np.isfinite(value)

    def from_real(self, t: Any) -> Any:
        return t

    def to_real(self, x: Any) -> Any:
        return x

    def log_jacobian(self, t: Any) -> Any:
        return 0.0 * t


@dataclass(frozen=True)
class _Above(Constraint):
    """The finite numbers above `low`: ``low + exp(t)``."""

    low: Any
    words: str
    closed: bool = True
    high: ClassVar[float] = np.inf

    def contains(self, value: Any) -> Any:
        low = value_of(self.low)
        with np.errstate(over="ignore", invalid="ignore"):
            return (value >= low if self.closed else value > low) & (value - low < np.inf)

    def from_real(self, t: Any) -> Any:
        return self.low + math.exp(t)

    def to_real(self, x: Any) -> Any:
        return math.log(x - self.low)

    def log_jacobian(self, t: Any) -> Any:
        return 1.0 * t


@dataclass(frozen=True)
class _AboveParameter(_Above):
    """The finite numbers above another parameter, called `name`; `low` is its value."""

    name: str = ""

    def at(self, parameters: Mapping[str, Any]) -> Constraint:
        return _AboveParameter(parameters[self.name], self.words, self.closed, self.name)

    def check(self, value: Any, owner: str, name: str) -> Any:
        array = real.check(value, owner, name)
        _checks.together(owner, **{self.name: self.low, name: array})
        low, high = np.broadcast_arrays(value_of(self.low), value_of(array))
        bad = ~self.contains(np.asarray(high))
        if bad.any():
            far = high[bad][0] > low[bad][0]
            rule = f"{name} - {self.name} must be finite" if far else f"{self.name} must be below {name}"
            got = f"{self.name} {low[bad][0]!s}, {name} {_checks.first(bad, high)}"
            raise ValueError(f"{owner}: {rule}; got {got}.")
        return array


@dataclass(frozen=True)
class _Between(Constraint):
    """The numbers from `low` to `high`, numbers or names of parameters: ``low + (high - low) sigmoid(t)``."""

    low: Any
    high: Any
    words: str

    def at(self, parameters: Mapping[str, Any]) -> Constraint:
        low, high = (parameters[end] if isinstance(end, str) else end for end in (self.low, self.high))
        return _Between(low, high, self.words)

    def contains(self, value: Any) -> Any:
        return (value >= value_of(self.low)) & (value <= value_of(self.high))

    def from_real(self, t: Any) -> Any:
        # From the nearer end: a difference from the other one would lose the digits of a short distance.
        width = self.high - self.low
        below, above = self.low + width * math.sigmoid(t), self.high - width * math.sigmoid(-t)
        return anp.where(value_of(t) < 0.0, below, above)

    def to_real(self, x: Any) -> Any:
        return math.log(x - self.low) - math.log(self.high - x)

    def log_jacobian(self, t: Any) -> Any:
        return math.log(self.high - self.low) - math.softplus(t) - math.softplus(-t)


@dataclass(frozen=True)
class _Whole(Constraint):
    """The whole numbers from 0 to `high`, a number or the name of a parameter."""

    high: Any
    words: str
    low: ClassVar[float] = 0.0
    discrete: ClassVar[bool] = True

    def at(self, parameters: Mapping[str, Any]) -> Constraint:
        return _Whole(parameters[self.high], self.words) if isinstance(self.high, str) else self

    def contains(self, value: Any) -> Any:
        return (value >= 0.0) & (value <= value_of(self.high)) & (value == np.floor(value)) & (value < np.inf)


class _Simplex(Constraint):
    """Vectors of positive numbers that sum to 1, within 1e-6: the softmax of `t` and a last logit of 0.

    `t` has one number less than `x`.
    """

    event_ndim: ClassVar[int] = 1
    words = "probabilities that sum to 1 over the last axis"

    def contains(self, value: Any) -> Any:
        with np.errstate(invalid="ignore", over="ignore"):  # inf - inf is outside
            return np.all(value >= 0.0, axis=-1) & (abs(np.sum(value, axis=-1) - 1.0) <= 1e-6)

    def check(self, value: Any, owner: str, name: str) -> Any:
        return _checks.class_probs(unit_interval.check(value, owner, name), owner, name)

    def held_inside(self, draws: Any) -> Any:
        return np.maximum(draws, np.finfo(np.float32).smallest_subnormal)

    def from_real(self, t: Any) -> Any:
        weights = math.exp(self._below_the_largest(t))
        return weights / anp.sum(weights, axis=-1, keepdims=True)

    def to_real(self, x: Any) -> Any:
        return math.log(x[..., :-1]) - math.log(x[..., -1:])

    def log_jacobian(self, t: Any) -> Any:
        # The determinant is the product of all probabilities.
        below = self._below_the_largest(t)
        return anp.sum(below - math.log(anp.sum(math.exp(below), axis=-1, keepdims=True)), axis=-1)

    @staticmethod
    def _below_the_largest(t: Any) -> Any:
        logits = anp.concatenate([t, 0.0 * t[..., :1]], axis=-1)
        return logits - np.max(value_of(logits), axis=-1, keepdims=True)


class _LowerTriangular(Constraint):
    """Lower triangular matrices with a positive diagonal: the exponential on the diagonal, the identity below it.

    `t` holds the ``d (d + 1) / 2`` entries row by row.
    """

    event_ndim: ClassVar[int] = 2
    words = "lower triangular with a positive diagonal"

    def contains(self, value: Any) -> Any:
        diagonal = np.diagonal(value, axis1=-2, axis2=-1)
        entries = np.isfinite(value) & ((np.triu(value, 1) == 0.0) | ~np.isfinite(value))
        return np.all(entries, axis=(-2, -1)) & np.all(diagonal > 0.0, axis=-1)

    def check(self, value: Any, owner: str, name: str) -> Any:
        return _checks.lower_triangular(real.check(value, owner, name), owner, name)

    def from_real(self, t: Any) -> Any:
        size, on_diagonal = self._shape(np.shape(value_of(t))[-1])
        entries = anp.where(on_diagonal, math.exp(anp.where(on_diagonal, t, 0.0)), t)
        # Each entry of the matrix is one of `t` or a zero that is appended to it.
        padded = anp.concatenate([entries, 0.0 * t[..., :1]], axis=-1)
        places = np.full((size, size), len(on_diagonal))
        places[np.tril_indices(size)] = np.arange(len(on_diagonal))
        return padded[..., places]

    def to_real(self, x: Any) -> Any:
        rows, columns = np.tril_indices(np.shape(value_of(x))[-1])
        entries, on_diagonal = x[..., rows, columns], rows == columns
        return anp.where(on_diagonal, math.log(anp.where(on_diagonal, entries, 1.0)), entries)

    def log_jacobian(self, t: Any) -> Any:
        _, on_diagonal = self._shape(np.shape(value_of(t))[-1])
        return anp.sum(t[..., on_diagonal], axis=-1)

    @staticmethod
    def _shape(entries: int) -> tuple[int, Any]:
        size = int((np.sqrt(8 * entries + 1) - 1) / 2)
        rows, columns = np.tril_indices(size)
        return size, rows == columns


@dataclass(frozen=True)
class _Vectors(Constraint):
    """Vectors of one number or more, each a member of the set `numbers`: its map, number by number."""

    numbers: Constraint
    event_ndim: ClassVar[int] = 1

    @property
    def words(self) -> str:  # type: ignore[override]
        return self.numbers.words

    def contains(self, value: Any) -> Any:
        return np.all(self.numbers.contains(value), axis=-1)

    def check(self, value: Any, owner: str, name: str) -> Any:
        array = self.numbers.check(value, owner, name)
        shape = np.shape(value_of(array))
        if not shape or shape[-1] == 0:
            raise ValueError(f"{owner}: {name} must have shape (..., d) with d >= 1; got {shape}.")
        return array

    def held_inside(self, draws: Any) -> Any:
        return self.numbers.held_inside(draws)

    def from_real(self, t: Any) -> Any:
        return self.numbers.from_real(t)

    def to_real(self, x: Any) -> Any:
        return self.numbers.to_real(x)

    def log_jacobian(self, t: Any) -> Any:
        return anp.sum(self.numbers.log_jacobian(t), axis=-1)


class _LogWeights(_Vectors):
    """Logarithms of weights that are not all zero: numbers or -inf, of which one at least is finite; the identity."""

    words = "numbers or -inf"  # type: ignore[assignment]

    def contains(self, value: Any) -> Any:
        return np.all(value < np.inf, axis=-1) & np.any(value > -np.inf, axis=-1)

    def check(self, value: Any, owner: str, name: str) -> Any:
        return _checks.class_logits(value, owner, name)


@dataclass(frozen=True)
class _Counts(Constraint):
    """Vectors of whole numbers of 0 and more that sum to `total`, a number or the name of a parameter."""

    total: Any
    event_ndim: ClassVar[int] = 1
    discrete: ClassVar[bool] = True

    @property
    def words(self) -> str:  # type: ignore[override]
        return f"whole numbers >= 0 that sum to {self.total}"

    def at(self, parameters: Mapping[str, Any]) -> Constraint:
        return _Counts(parameters[self.total]) if isinstance(self.total, str) else self

    def contains(self, value: Any) -> Any:
        whole_numbers = np.all((value >= 0.0) & (value == np.floor(value)), axis=-1)
        with np.errstate(invalid="ignore", over="ignore"):
            return whole_numbers & (np.sum(value, axis=-1) == value_of(self.total))


#: All finite numbers.
real = _Line()
positive = _Above(0.0, "positive and finite", closed=False)
non_negative = _Above(0.0, "non-negative and finite")
#: From 0 to 1, both ends included.
unit_interval = _Between(0.0, 1.0, "between 0 and 1")
#: 0, 1, 2, ...
whole = _Whole(np.inf, "a whole number >= 0")
#: 0 and 1.
binary = _Whole(1.0, "0 or 1")
#: Probabilities on the last axis.
simplex = _Simplex()
#: Cholesky factors.
lower_triangular = _LowerTriangular()
#: Log probabilities up to a constant, on the last axis.
log_weights = _LogWeights(real)


def above(low: Any) -> Constraint:
    """Return the numbers above `low`, a number or the name of a parameter."""
    words = f"above {low}"
    return _AboveParameter(-np.inf, words, False, low) if isinstance(low, str) else _Above(low, words, closed=False)


def interval(low: Any, high: Any) -> Constraint:
    """Return the numbers from `low` to `high`, each a number or the name of a parameter; both ends belong to it."""
    return _Between(low, high, f"between {low} and {high}")


def vectors_of(numbers: Constraint) -> Constraint:
    """Return the vectors, on the last axis, of members of a set of numbers."""
    return _Vectors(numbers)


def counts_of(total: Any) -> Constraint:
    """Return the vectors of whole numbers that sum to `total`, a number or the name of a parameter."""
    return _Counts(total)


def whole_up_to(high: Any) -> Constraint:
    """Return the whole numbers from 0 to `high`, a number or the name of a parameter."""
    return _Whole(high, f"a whole number from 0 to {high}")
