"""Sums that can be cut anywhere and merged: the state of an estimator.

Each class is a frozen commutative monoid up to rounding: `of(block)` sums a block ``(rows, columns)`` of float64,
``a + b`` merges, and a read-out says what the sum estimates. Merged in a fixed order they give the same bits whoever
computed them.
"""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from mcvi._kernels.sums import moments as kernels
from mcvi._kernels.sums import self_normalized
from mcvi._typing import FloatArray

__all__ = [
    "CentredMoments",
    "NOTHING_FOUND",
    "LogMoments",
    "Moments",
    "NonFinite",
    "SignedLogMoments",
    "WeightedMoments",
]


@dataclass(frozen=True)
class Moments:
    """Mean, sum of squared deviations and largest of `n` numbers a column."""

    n: int
    state: FloatArray

    @classmethod
    def of(cls, values: FloatArray) -> Self:
        """Sum a block."""
        state = np.empty((3, values.shape[1]))
        kernels.moments(values, state)
        return cls(len(values), state)

    def __add__(self, other: Self) -> Self:
        state = np.empty_like(self.state)
        kernels.merge_moments(self.state, float(self.n), other.state, float(other.n), state)
        return type(self)(self.n + other.n, state)

    @property
    def mean(self) -> FloatArray:
        """The mean of each column."""
        return self.state[0]

    @property
    def is_below_infinity(self) -> bool:
        """True if no number was nan or +inf."""
        return kernels.all_below_infinity(self.state[2])

    @property
    def largest(self) -> FloatArray:
        """The largest number of each column."""
        return self.state[2]

    @property
    def standard_error(self) -> FloatArray:
        """The standard error of the mean; nan for a single number."""
        if self.n == 1:
            return np.full(self.state.shape[1], np.nan)
        return np.sqrt(self.state[1] / (self.n - 1) / self.n)


@dataclass(frozen=True)
class LogMoments:
    """The largest of ``scale * v``, and the sums of its exponential and of that squared, relative to the largest."""

    n: int
    scale: FloatArray
    state: FloatArray

    @classmethod
    def of(cls, values: FloatArray, scale: FloatArray) -> Self:
        """Sum a block; `scale` has one number a column."""
        state = np.empty((4, values.shape[1]))
        kernels.log_moments(values, scale, state)
        return cls(len(values), scale, state)

    def __add__(self, other: Self) -> Self:
        state = np.empty_like(self.state)
        kernels.merge_log_moments(self.state, other.state, state)
        return type(self)(self.n + other.n, self.scale, state)

    @property
    def is_below_infinity(self) -> bool:
        """True if no `v` was nan or +inf."""
        return kernels.all_below_infinity(self.state[3])

    @property
    def largest(self) -> FloatArray:
        """The largest `v` of each column: -inf where every weight is zero."""
        return self.state[3]

    @property
    def log_mean(self) -> FloatArray:
        """``log mean exp(scale v)`` of each column."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.state[0] + (np.log(self.state[1]) - np.log(float(self.n)))

    @property
    def ess(self) -> FloatArray:
        """The effective sample size ``(sum w)**2 / sum w**2``; 0 where all weights are zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            ess = self.state[1] ** 2 / self.state[2]
        ess[self.state[0] == -np.inf] = 0.0
        return ess

    @property
    def relative_variance(self) -> FloatArray:
        """The estimated variance of the mean weight divided by its square: ``(1/ess - 1/n) n / (n - 1)``."""
        if self.n == 1:
            return np.full(self.state.shape[1], np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.maximum(self.n / self.ess - 1.0, 0.0) / (self.n - 1)
        spread[self.state[0] == np.inf] = np.nan  # an infinite mean has no error
        return spread  # type: ignore[no-any-return]


@dataclass(frozen=True)
class SignedLogMoments:
    """Sums of signed terms ``f w`` given as ``log|f| + log w`` and the sign of `f`, relative to the largest."""

    n: int
    state: FloatArray

    @classmethod
    def of(cls, log_w: FloatArray, f: FloatArray) -> Self:
        """Sum a block. A draw of weight zero contributes nothing, whatever `f` is there, unless it is nan."""
        state = np.empty((3, log_w.shape[1]))
        kernels.signed_log_moments(log_w, f, state)
        return cls(len(log_w), state)

    def __add__(self, other: Self) -> Self:
        state = np.empty_like(self.state)
        kernels.merge_log_moments(self.state, other.state, state)
        return type(self)(self.n + other.n, state)

    @property
    def mean(self) -> FloatArray:
        """The mean of the terms, back from log space at the very last."""
        with np.errstate(all="ignore"):
            magnitude = np.exp(self.state[0] + np.log(np.abs(self.state[1]) / self.n))
        mean = np.where(self.state[1] == 0, 0.0, np.copysign(magnitude, self.state[1]))
        # infinite terms of both signs: state[2] counts all of them
        opposed = (self.state[0] == np.inf) & (np.abs(self.state[1]) != self.state[2])
        return np.where(opposed, np.nan, mean)

    @property
    def standard_error(self) -> FloatArray:
        """The standard error of the mean."""
        if self.n == 1:
            return np.full(self.state.shape[1], np.nan)
        with np.errstate(all="ignore"):
            spread = np.maximum(self.state[2] - self.state[1] ** 2 / self.n, 0.0) / (self.n - 1) / self.n
            return np.where(self.state[0] == -np.inf, 0.0, np.exp(self.state[0] + 0.5 * np.log(spread)))


@dataclass(frozen=True)
class CentredMoments:
    """Sums of ``x = expm1(scale (v - c))`` and of its square, for a `scale` so small that `LogMoments` loses digits.

    The centre `c` is that of the first block. Where the terms overflow, so does the sum: then `LogMoments` is accurate.
    """

    n: int
    scale: FloatArray
    state: FloatArray

    @classmethod
    def of(cls, values: FloatArray, scale: FloatArray, centre: FloatArray) -> Self:
        """Sum a block about a centre near its mean."""
        state = np.empty((3, values.shape[1]))
        kernels.centred_moments(values, scale, np.ascontiguousarray(centre), state)
        return cls(len(values), scale, state)

    def __add__(self, other: Self) -> Self:
        state = np.empty_like(self.state)
        kernels.merge_centred_moments(self.state, other.state, float(other.n), self.scale, state)
        return type(self)(self.n + other.n, self.scale, state)

    @property
    def mean(self) -> FloatArray:
        """The mean of ``x`` of each column."""
        return self.state[1] / self.n

    @property
    def scaled_log_mean(self) -> FloatArray:
        """``log mean exp(scale v) / scale`` of each column."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.state[0] + np.log1p(self.mean) / self.scale

    @property
    def relative_variance(self) -> FloatArray:
        """The estimated variance of the mean of ``1 + x``, divided by its square."""
        if self.n == 1:
            return np.full(self.state.shape[1], np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            spread = np.maximum(self.state[2] / self.n - self.mean**2, 0.0) / (self.n - 1)
            return spread / (1.0 + self.mean) ** 2


@dataclass(frozen=True)
class WeightedMoments:
    """Sums for a self-normalised mean of `f` under log weights."""

    n: int
    state: FloatArray

    @classmethod
    def of(cls, log_w: FloatArray, f: FloatArray) -> Self:
        """Sum a block."""
        state = np.empty((6, log_w.shape[1]))
        self_normalized.weighted_moments(log_w, f, state)
        return cls(len(log_w), state)

    def __add__(self, other: Self) -> Self:
        state = np.empty_like(self.state)
        self_normalized.merge_weighted_moments(self.state, other.state, state)
        return type(self)(self.n + other.n, state)

    @property
    def largest(self) -> FloatArray:
        """The largest log weight of each column."""
        return self.state[0]

    @property
    def log_mean_weight(self) -> FloatArray:
        """``log mean w`` of each column."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.state[0] + np.log(self.state[1] / self.n)

    @property
    def mean(self) -> FloatArray:
        """``sum w f / sum w``; nan where all weights are zero."""
        return np.where(self.state[0] == -np.inf, np.nan, self.state[3])

    @property
    def standard_error(self) -> FloatArray:
        """The delta-method standard error, ``sqrt(sum w**2 (f - mean)**2) / sum w``."""
        if self.n == 1:
            return np.full(self.state.shape[1], np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.sqrt(self.state[5] * (self.n / (self.n - 1))) / self.state[1]

    @property
    def bias(self) -> FloatArray:
        """The first-order bias, ``-sum w**2 (f - mean) / (sum w)**2``."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return -self.state[4] / self.state[1] ** 2

    @property
    def ess(self) -> FloatArray:
        """The effective sample size of the weights; 0 where all are zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.state[0] == -np.inf, 0.0, self.state[1] ** 2 / self.state[2])


@dataclass(frozen=True)
class NonFinite:
    """The number of values that were nan or +inf, and the first draw that gave one."""

    count: int = 0
    first: int = -1
    draw: Any = None

    @classmethod
    def of(cls, values: FloatArray, first_row: int, z: Any) -> Self:
        """Look through a block whose first draw has number `first_row`."""
        bad = np.isnan(values) | (values == np.inf)
        if not bad.any():
            return cls()
        row = int(np.argmax(bad.any(axis=1)))
        return cls(int(bad.sum()), first_row + row, np.array(z[row]))

    def __add__(self, other: Self) -> Self:
        if not (self.count and other.count):
            return self if self.count else other
        return replace(self, count=self.count + other.count)


NOTHING_FOUND = NonFinite()
