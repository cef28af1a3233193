"""Many short runs cut from one long stream of draws: block by block, whatever the length of a run."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from mcvi._engine.draws import Draws, watched, with_note
from mcvi._engine.estimator import LogWeight
from mcvi._engine.parallel import fold, reduce_blocks
from mcvi._kernels.sums.segments import segment_log_sums, segment_sums
from mcvi._typing import FloatArray
from mcvi.accumulate import LogMoments, Moments, NonFinite

__all__ = ["Part", "Replications", "Segments"]

# Below this the sum is taken of expm1(power log w): a log of a sum of exponentials near 1 would lose the digits.
_SMALL_POWER = 1e-5
_BLOCKS_PER_STEP = 64


@dataclass(frozen=True)
class Segments:
    """One sum for each power over each of some consecutive runs, the first and last of which may be incomplete."""

    first: int
    last: int
    powers: tuple[float, ...]
    #: ``(powers, last - first + 1)``: log sums, or plain sums where the power is small or zero.
    sums: FloatArray

    def __add__(self, other: Self) -> "Segments":
        if other.first > self.last:
            sums = np.concatenate([self.sums, other.sums], axis=1)
        else:
            joint = np.array(
                [
                    np.logaddexp(a, b) if abs(power) >= _SMALL_POWER else a + b
                    for power, a, b in zip(self.powers, self.sums[:, -1], other.sums[:, 0], strict=True)
                ]
            )
            sums = np.concatenate([self.sums[:, :-1], joint[:, None], other.sums[:, 1:]], axis=1)
        return Segments(self.first, other.last, self.powers, sums)

    def estimates(self, length: int, runs: int) -> FloatArray:
        """Return the estimates of the first `runs` runs, ``(runs, powers)``."""
        out = np.empty((runs, len(self.powers)))
        with np.errstate(divide="ignore", invalid="ignore"):
            for column, power in enumerate(self.powers):
                sums = self.sums[column, :runs]
                if power == 0.0:
                    out[:, column] = sums / length
                elif abs(power) < _SMALL_POWER:
                    out[:, column] = np.log1p(sums / length) / power
                else:
                    out[:, column] = (sums - np.log(length)) / power
        return out


@dataclass(frozen=True)
class Part:
    """The merged sums of some blocks of the stream."""

    segments: Segments
    #: Sums of ``w**power`` and its square, and of ``w**(3 power)``, over all draws.
    weights: tuple[LogMoments, ...]
    cubes: tuple[LogMoments, ...]
    values: Moments
    non_finite: NonFinite

    def __add__(self, other: Self) -> "Part":
        return Part(
            self.segments + other.segments,
            tuple(a + b for a, b in zip(self.weights, other.weights, strict=True)),
            tuple(a + b for a, b in zip(self.cubes, other.cubes, strict=True)),
            self.values + other.values,
            self.non_finite + other.non_finite,
        )


@dataclass(frozen=True)
class Replications:
    """``draws.n / length`` runs of `length` draws each, with the powers to estimate in every run."""

    draws: Draws
    weight: LogWeight
    powers: tuple[float, ...]
    length: int
    threads: bool

    def __call__(self, first: int, last: int, _: Any) -> Part:
        """Return the merged result of blocks `first` to ``last - 1``."""
        return fold(self._block(block) for block in range(first, last))

    def _block(self, block: int) -> Part:
        first = self.draws.first(block)
        try:
            z = self.draws.block(block)
            log_w = self.weight(z).reshape(-1)
        except Exception as error:
            with_note(self.draws, block, error)
            raise
        column = log_w[:, None]
        powers = [np.array([power]) for power in self.powers]
        return Part(
            self._segments(log_w, first),
            tuple(LogMoments.of(column, power) for power in powers),
            tuple(LogMoments.of(column, 3.0 * power) for power in powers),
            Moments.of(column),
            watched(column, self.draws, block, z),
        )

    def _segments(self, log_w: FloatArray, first: int) -> Segments:
        run, offset = divmod(first, self.length)
        last = (first + log_w.size - 1) // self.length
        sums = np.empty((len(self.powers), last - run + 1))
        for power, row in zip(self.powers, sums, strict=True):
            if power == 0.0:
                segment_sums(log_w, self.length - offset, self.length, row)
            elif abs(power) < _SMALL_POWER:
                segment_sums(np.expm1(power * log_w), self.length - offset, self.length, row)
            else:
                segment_log_sums(log_w, power, self.length - offset, self.length, row)
        return Segments(run, last, self.powers, sums)

    def run(self, done: list[Part], executor: Executor | None, progress: Callable[[int], Any] | None) -> None:
        """Compute all blocks and append the result of each step to `done`, so that an interrupt loses one step at most.

        The steps begin at fixed blocks, so that the answer depends neither on threads nor on the time of an interrupt.
        """
        for start in range(0, self.draws.blocks, _BLOCKS_PER_STEP):
            blocks = min(_BLOCKS_PER_STEP, self.draws.blocks - start)
            done.append(reduce_blocks(_From(self, start), blocks, threads=self.threads, executor=executor))
            if progress is not None:
                progress(min(self.draws.first(start + blocks), self.draws.n))

    def runs_in(self, done: list[Part]) -> int:
        """Return the number of complete runs in the steps of `done`."""
        blocks = min(len(done) * _BLOCKS_PER_STEP, self.draws.blocks)
        return min(self.draws.first(blocks), self.draws.n) // self.length


@dataclass(frozen=True)
class _From:
    """The same task on blocks that begin at `start`."""

    task: Replications
    start: int

    def __call__(self, first: int, last: int, hint: Any) -> Part:
        return self.task(self.start + first, self.start + last, hint)
