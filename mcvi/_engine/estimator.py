"""One function that turns draws and an estimand into an `Estimate`: the door of the engine.

An estimator checks its arguments, makes `Draws` and an `Estimand`, and calls `estimate`. The parts that it needs for
that are named here. Bias studies, which repeat an estimator and fold the results, import `draws` and `parallel` as
well; nothing else outside imports another module of the engine.
"""

from concurrent.futures import Executor
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from mcvi import _checks
from mcvi._engine.by_block import Blocks
from mcvi._engine.draws import Draws, Traced
from mcvi._engine.fused import MeanOfWeights, Sums, Sweep
from mcvi._engine.integrands import Function, Integrand, LogTerm, LogWeight, Values, log_density
from mcvi._engine.on_tape import importance_mean, log_mean_power, score_term, self_normalized_mean, widened
from mcvi._engine.paired import Paired, Source, keeping_sources, sources_are_kept
from mcvi._engine.parallel import fold
from mcvi._engine.power_sums import Power, Powers, PowerSums, Tails
from mcvi._engine.run import Task, Total, run
from mcvi._engine.tail import RepeatedTail
from mcvi._engine.warnings import warn_of_zero_weights
from mcvi._typing import FloatArray, Progress
from mcvi.estimate import Estimate

__all__ = [
    "Draws",
    "Estimand",
    "Function",
    "LogTerm",
    "LogWeight",
    "MeanOfWeights",
    "OfLogWeights",
    "Paired",
    "Power",
    "PowerSums",
    "Powers",
    "Reading",
    "RepeatedTail",
    "Tails",
    "Total",
    "Values",
    "estimate",
    "fold",
    "importance_mean",
    "keeping_sources",
    "log_density",
    "log_mean_power",
    "run",
    "score_term",
    "self_normalized_mean",
    "widened",
]


class Reading(NamedTuple):
    """An estimate as columns of float64, one for each of its numbers."""

    value: FloatArray
    standard_error: FloatArray
    bias: FloatArray | None = None
    ess: FloatArray | None = None
    #: An object whose `khat` has one number a column.
    tail: Any = None
    #: The largest log weight of each member of the batch, where there are weights.
    largest: FloatArray | None = None
    #: The shape of the estimate, if it is not that of the batch; and at which axis of it the batch begins.
    shape: tuple[int, ...] | None = None
    batch_axis: int = 0


class Estimand:
    """A quantity that is estimated: what is summed for a block, the same on autograd's tape, how it is read."""

    #: The words on it in the `method` of an estimate.
    method: str = ""
    #: Keep the tails of the first function's values times each of these signs.
    signs: ClassVar[tuple[int, ...]] = ()

    @property
    def integrands(self) -> tuple[Integrand, ...]:
        """The functions that are evaluated at each block of draws."""
        raise NotImplementedError

    @property
    def is_traced(self) -> bool:
        """True if autograd is known to trace a parameter, before anything is evaluated."""
        return any(function.is_traced for function in self.integrands)

    def task(self, draws: Draws) -> Task:
        """Return the work of one pass."""
        return Blocks(draws, self.integrands, self.sums, self.signs)

    def sums(self, *values: FloatArray) -> tuple[Any, ...]:
        """Return the accumulators of a block, from the values ``(rows, columns)`` of each function."""
        raise NotImplementedError

    def contributions(self, total: Total, *values: FloatArray) -> FloatArray:
        """Return, for each draw, a number whose mean over the draws errs as the estimate does, to first order."""
        raise NotImplementedError(f"a {self.method} has no error draw by draw, so that no other can be paired with it.")

    def on_tape(self, draws: Draws) -> Any:
        """Return the value on autograd's tape, from all draws at once."""
        raise NotImplementedError

    def read(self, draws: Draws, total: Total) -> Reading:
        """Return the estimate, from the merged accumulators."""
        raise NotImplementedError


class OfLogWeights(Estimand):
    """An estimand whose sums are of log weights alone, and can therefore be made in a compiled loop."""

    weight: LogWeight

    @property
    def integrands(self) -> tuple[Integrand, ...]:
        """The weights."""
        return (self.weight,)

    @property
    def is_traced(self) -> bool:
        """True if autograd is known to trace a parameter, before anything is evaluated."""
        return self.weight.is_traced

    def powers(self, batch_shape: tuple[int, ...]) -> Sums:
        """Return the sums that are wanted."""
        raise NotImplementedError

    def task(self, draws: Draws) -> Task:
        """Return the work of one pass."""
        return Sweep.of(draws, self.weight, self.powers(draws.batch_shape))


def estimate(
    draws: Draws, estimand: Estimand, executor: Executor | None = None, progress: Progress | None = None
) -> Any:
    """Return the `Estimate` of a quantity from draws; while autograd traces, the traced array.

    Parameters
    ----------
    draws
        The source of the draws.
    estimand
        The quantity that is estimated.
    executor, progress
        Of the user.
    """
    _checks.executor(executor)
    if progress is not None:
        _checks.function(progress, "progress")
    draws.start()
    try:
        if draws.is_traced or estimand.is_traced:
            raise Traced
        task = estimand.task(draws)
        total = run(task, executor, progress)
    except Traced:
        return estimand.on_tape(draws)
    reading = estimand.read(draws, total)
    if reading.largest is not None:
        warn_of_zero_weights(reading.largest, draws.n)
    result = _estimate_of(draws, reading, estimand.method + task.path)
    if not sources_are_kept():
        return result
    return replace(result, source=Source(draws, estimand, total, result.shape))


def _estimate_of(draws: Draws, reading: Reading, method: str) -> Estimate:
    """Give the columns the shape of the batch, and the results the dtype of `q`."""
    wanted, dtype = draws.batch_shape if reading.shape is None else reading.shape, draws.dtype
    single = dtype != np.float64
    # Draws that were given may have been given twice, and a user's sampler may give members the same.
    own = draws.z is None and draws.is_of_library
    axes = tuple(range(reading.batch_axis, reading.batch_axis + len(draws.batch_shape))) if own else ()

    def shaped(columns: Any) -> Any:
        if columns is None:
            return None
        # A small n has no microsecond to spare for casting and reshaping an array of one number.
        columns = columns.astype(dtype) if single else columns
        return columns[0] if wanted == () else columns.reshape(wanted)

    return Estimate(
        shaped(reading.value),
        shaped(reading.standard_error),
        draws.n,
        shaped(reading.bias),
        shaped(reading.ess),
        method,
        draws.key,
        reading.tail,
        axes,
    )
