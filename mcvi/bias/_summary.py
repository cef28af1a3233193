"""Summaries of the runs that are done."""

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np

from mcvi._engine.parallel import fold
from mcvi._typing import FloatArray
from mcvi.accumulate import LogMoments
from mcvi.bias._curve import FINITE_VARIANCE, BiasCurve
from mcvi.bias._plan import Plan
from mcvi.bias._points import point_of
from mcvi.bias._replications import Part, Replications

__all__ = ["SizeDone", "curve_of"]


@dataclass
class SizeDone:
    """The finished steps of one size."""

    n: int
    runs: Replications
    parts: list[Part]
    khat: FloatArray | None = None


def curve_of(
    plan: Plan, large: Any, done: list[SizeDone], name: str, control: bool | None, complete: bool
) -> BiasCurve:
    """Return the curve of the runs that are done."""
    powers = np.array(plan.powers)
    known = ~np.isnan(plan.truth)
    truth = np.where(known, plan.truth, large.value)
    truth_error = np.where(known, 0.0, large.standard_error)
    khat = np.reshape(np.array(large.khat, np.float64), -1)
    whole = [fold(size.parts) for size in done]
    weights = [fold([part.weights[j] for part in whole]) for j in range(powers.size)]
    cubes = [fold([part.cubes[j] for part in whole]) for j in range(powers.size)]
    variance, second = _expansion(weights, cubes, powers)
    recovered, recovered_error = _recovered(weights, powers, truth, truth_error)
    with np.errstate(invalid="ignore"):
        behaved = (khat < FINITE_VARIANCE) & (np.abs(recovered - 1.0) <= 5.0 * recovered_error)
    use = behaved if control is None else np.full(powers.size, control)
    runs = [size.runs.runs_in(size.parts) for size in done]
    points = []
    for size, part, count in zip(done, whole, runs, strict=True):
        estimates = part.segments.estimates(size.n, count)
        points.append(
            [point_of(estimates[:, j], powers[j], truth[j], truth_error[j], bool(use[j])) for j in range(powers.size)]
        )

    def field(what: str) -> Any:
        get = operator.attrgetter(what)
        return np.array([[get(point) for point in row] for row in points])

    nothing = np.full(powers.size, np.nan)
    return BiasCurve(
        name=name,
        sizes=np.array([size.n for size in done]),
        alphas=np.array(plan.alphas),
        replications=np.array(runs),
        truth=truth,
        truth_standard_error=truth_error,
        mean=field("mean"),
        low=field("low"),
        median=field("median"),
        high=field("high"),
        bias=field("bias"),
        bias_standard_error=field("bias_standard_error"),
        variance=field("variance"),
        rmse=field("rmse"),
        rmse_standard_error=field("rmse_standard_error"),
        controlled=field("controlled"),
        khat=np.array([nothing if size.khat is None else size.khat for size in done]),
        reference=plan.reference,
        reference_khat=khat,
        relative_variance=np.where(np.isnan(plan.relative_variance), variance, plan.relative_variance),
        second_order=second,
        recovered=recovered,
        recovered_standard_error=recovered_error,
        key=plan.key,
        complete=complete,
    )


def _expansion(weights: list[LogMoments], cubes: list[LogMoments], powers: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the relative variance, and the coefficient of 1/n**2 in the bias: (m3/3 - 3 m2**2/4) / (1 - alpha).

    m2 and m3 are the central moments of the weights divided by powers of their mean (Nowozin 2018, eq. 8).
    """
    variance, second = np.zeros(powers.size), np.zeros(powers.size)
    with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
        for j, power in enumerate(powers):
            if power == 0.0:
                continue
            m2 = weights[j].relative_variance.item() * weights[j].n
            m3 = np.exp(cubes[j].log_mean.item() - 3.0 * weights[j].log_mean.item()) - 3.0 * m2 - 1.0
            variance[j], second[j] = m2, (m3 / 3.0 - 0.75 * m2 * m2) / power
    return variance, second


def _recovered(
    weights: list[LogMoments], powers: FloatArray, truth: FloatArray, truth_error: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the mean weight divided by its exact value, and the error of that ratio; 1 and 0 for the ELBO."""
    found, error = np.ones(powers.size), np.zeros(powers.size)
    with np.errstate(invalid="ignore", over="ignore"):
        for j, power in enumerate(powers):
            if power != 0.0:
                found[j] = np.exp(weights[j].log_mean.item() - power * truth[j])
                spread = weights[j].relative_variance.item() + (power * truth_error[j]) ** 2
                error[j] = found[j] * np.sqrt(spread)
    return found, error
