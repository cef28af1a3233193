"""Sums for the logarithm of a mean power of the weights, at any power."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from mcvi._engine.tail import Tail
from mcvi._kernels.sums import moments as kernels
from mcvi._kernels.sums.moments import SMALL_POWER
from mcvi._typing import FloatArray
from mcvi.accumulate import CentredMoments, LogMoments, Moments

__all__ = ["Power", "PowerSums", "PowerTail", "Powers", "Tails"]


@dataclass(eq=False)
class Power:
    """A power of the weights for each column, and what is special about it."""

    value: FloatArray
    #: The factor of the log weights: the power, or its sign where it is infinite and asks for an extreme weight.
    strength: FloatArray
    small: bool
    extreme: bool
    #: Those of 1 and -1 that occur as the sign of a power.
    signs: tuple[int, ...]

    @classmethod
    def of(cls, power: Any, batch_shape: tuple[int, ...]) -> "Power":
        """Broadcast a power to the columns of a batch."""
        if batch_shape == ():
            return _of_number(float(power))
        return cls._of(np.full(batch_shape, power, np.float64).reshape(-1))

    @classmethod
    def _of(cls, value: FloatArray) -> "Power":
        if value.size == 1:
            least = most = value.item()
        else:
            least, most = float(value.min(initial=np.inf)), float(value.max(initial=-np.inf))
        extreme = most == np.inf or least == -np.inf
        small = least < SMALL_POWER and most > -SMALL_POWER and bool((np.abs(value) < SMALL_POWER).any())
        signs = (1,) * (most > 0) + (-1,) * (least < 0)
        return cls(value, np.where(np.isinf(value), np.sign(value), value) if extreme else value, small, extreme, signs)


@lru_cache(maxsize=256)
def _of_number(power: float) -> Power:
    return Power._of(np.array([power]))


@dataclass(eq=False)
class PowerSums:
    """The sums from which ``log(mean(w**power)) / power`` is read, for a power that is zero, small or neither."""

    power: Power
    log_moments: LogMoments
    centred: CentredMoments | None = None
    mean: Moments | None = None
    #: The signs of which tails were kept, in their order.
    signs: tuple[int, ...] = ()

    def __add__(self, other: "PowerSums") -> "PowerSums":
        centred = None if self.centred is None or other.centred is None else self.centred + other.centred
        mean = None if self.mean is None or other.mean is None else self.mean + other.mean
        return PowerSums(self.power, self.log_moments + other.log_moments, centred, mean, self.signs)

    def khat_of(self, tail: Tail | None) -> "PowerTail | None":
        """Return the object whose `khat` belongs to this power, from the tails of the weights."""
        return PowerTail(tail, self.signs, self.power.value) if tail is not None and self.power.signs else None

    def read(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Return value, standard error, bias and effective sample size."""
        power = self.power.value
        out = np.empty((4, power.size))
        kernels.read_power_mean(self.log_moments.state, self.power.strength, float(self.log_moments.n), out)
        value, error, bias, ess = out
        if self.power.extreme:
            infinite = np.isinf(power)
            largest = self.log_moments.state[0]
            value = np.where(infinite, np.where(power > 0, largest, -largest), value)
            error, bias, ess = (np.where(infinite, np.nan, read) for read in (error, bias, ess))
        if self.centred is None or self.mean is None:
            return value, error, bias, ess
        with np.errstate(divide="ignore", invalid="ignore"):
            # The expansion about the mean is meant for weights that the power brings close together.
            close = (np.abs(power) < SMALL_POWER) & (power != 0) & (np.abs(self.centred.mean) < 0.5)
            value = np.where(close, self.centred.scaled_log_mean, value)
            spread = self.centred.relative_variance
            error = np.where(close, np.sqrt(spread) / np.abs(power), error)
            bias = np.where(close, -0.5 * spread / power, bias)
            elbo = power == 0
            value = np.where(elbo, self.mean.mean, value)
            error = np.where(elbo, self.mean.standard_error, error)
            bias = np.where(elbo, 0.0, bias)
        return value, error, bias, ess


class Powers:
    """The powers of the weights that are summed."""

    def __init__(self, members: list[Power]) -> None:
        self.members = members
        first = members[0]
        self.signs: tuple[int, ...]
        if len(members) == 1:
            self.scale, self.centred, self.signs = first.strength.reshape(1, -1), first.small, first.signs
        else:
            #: The factors of the log weights: a row a power, a column a member of the batch.
            self.scale = np.stack([power.strength for power in members])
            #: True if some power is small.
            self.centred = any(power.small for power in members)
            #: The signs that occur, each once.
            self.signs = tuple(dict.fromkeys(sign for power in members for sign in power.signs))

    def read(
        self, n: int, log_moments: FloatArray, moments: FloatArray, centred_moments: FloatArray
    ) -> tuple[PowerSums, ...]:
        """Return the sums for each power, from the states that the compiled loop left."""
        sums = []
        for j, power in enumerate(self.members):
            part = PowerSums(power, LogMoments(n, power.strength, log_moments[j]), signs=self.signs)
            if power.small:
                part.centred, part.mean = CentredMoments(n, power.strength, centred_moments[j]), Moments(n, moments)
            sums.append(part)
        return tuple(sums)


@dataclass(eq=False)
class PowerTail:
    """The tail of weights raised to a power, one a column; a power of 0 or of infinite size leaves nothing to fit."""

    tail: Tail
    signs: tuple[int, ...]
    power: FloatArray

    @cached_property
    def khat(self) -> FloatArray:
        """The k-hat of each column; nan where there is nothing to fit."""
        fitted = np.full(self.power.size, np.nan)
        for part, sign in enumerate(self.signs):
            ours = (sign * self.power > 0) & np.isfinite(self.power)
            rows = part * self.power.size + np.flatnonzero(ours)
            fitted[ours] = self.tail.khat_of_powers(rows, np.abs(self.power[ours]))
        return fitted


@dataclass(frozen=True)
class Tails:
    """The k-hats of several powers, one after the other."""

    parts: tuple[PowerTail | None, ...]
    columns: int

    @cached_property
    def khat(self) -> FloatArray:
        """The k-hats of each."""
        return np.concatenate([np.full(self.columns, np.nan) if part is None else part.khat for part in self.parts])
