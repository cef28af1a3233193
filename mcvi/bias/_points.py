"""From the estimates of many runs of one length to their bias, spread and error."""

from dataclasses import dataclass
from math import inf, nan, sqrt

import numpy as np

from mcvi._typing import FloatArray

__all__ = ["Point", "point_of"]

_FEWEST_FOR_CONTROL = 20
# What lies within one standard deviation of a normal: two in three.
_LEVELS = (0.1587, 0.5, 0.8413)


@dataclass(frozen=True)
class Point:
    """Bias and spread of the estimates of one order at one sample size."""

    mean: float
    low: float
    median: float
    high: float
    bias: float
    bias_standard_error: float
    variance: float
    rmse: float
    rmse_standard_error: float
    controlled: bool


def point_of(estimates: FloatArray, power: float, truth: float, truth_standard_error: float, control: bool) -> Point:
    r"""Summarise the estimates of independent runs.

    With :math:`y` an estimate less the truth and :math:`c = (e^{p y} - 1)/p` (the mean weight to the power p, over its
    expectation, less 1, over p), ``E[c] = 0`` exactly. So ``E[y - b c]`` is the bias for every constant b, and with the
    slope of y on c for b, it varies far less: as 1/n, where y itself varies as ``1/sqrt(n)``. The slope that serves one
    half of the runs is fitted to the other half, which keeps the mean exactly unbiased.
    """
    runs = estimates.size
    y = estimates - truth
    with np.errstate(invalid="ignore", over="ignore"):
        mean = float(y.mean())
        variance = float(y.var(ddof=1)) if runs > 1 else nan
        square = y * y
        rmse = sqrt(square.mean()) if not np.isnan(square).any() else nan
        rmse_error = float(square.std(ddof=1)) / sqrt(runs) / (2.0 * rmse) if runs > 1 and rmse > 0 else nan
        # no interpolation: it would make nan of two runs at -inf
        low, median, high = np.quantile(estimates, _LEVELS, method="inverted_cdf").tolist()
        plain = Point(
            truth + mean,
            low,
            median,
            high,
            mean,
            sqrt(variance / runs + truth_standard_error**2) if runs > 1 and np.isfinite(variance) else nan,
            variance,
            rmse,
            rmse_error,
            False,
        )
        if not control or power == 0.0 or runs < _FEWEST_FOR_CONTROL or not 0.0 < variance < inf:
            return plain
        c = np.expm1(power * y) / power
        if not np.isfinite(c).all():
            return plain
    even, odd = slice(0, None, 2), slice(1, None, 2)
    slopes = np.empty(runs)
    slopes[even], slopes[odd] = _slope(y[odd], c[odd]), _slope(y[even], c[even])
    left = y - slopes * c
    # an error of the truth enters y and c alike: all but a part (1 - slope) of it cancels
    shared = (1.0 - float(slopes.mean())) * truth_standard_error
    error = sqrt(float(left.var(ddof=1)) / runs + shared**2)
    return Point(truth + mean, low, median, high, float(left.mean()), error, variance, rmse, rmse_error, True)


def _slope(y: FloatArray, c: FloatArray) -> float:
    centred = c - c.mean()
    square = float(centred @ centred)
    return float(centred @ (y - y.mean())) / square if square > 0.0 else 0.0
