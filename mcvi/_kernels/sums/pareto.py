"""The generalised Pareto fit behind k-hat.

Zhang & Stephens (2009, Technometrics 51, doi:10.1198/tech.2009.08017), with the weakly informative prior of Vehtari,
Simpson, Gelman, Yao & Gabry (2024, JMLR 25:72).
"""

import math

import numpy as np

from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.functions.elementary import log1p

FEWEST_EXCEEDANCES = 5
# Weights are scaled to a maximum of one. Closer together than this they are equal: the rounding of two log densities
# whose difference is constant looks like a tail otherwise.
SPREAD_OF_EQUAL_WEIGHTS = 1e-10
_GRID_POINTS = 30
_PRIOR_SCALE = 3.0
_PRIOR_COUNT = 10.0
_PRIOR_SHAPE = 0.5


@scalar
def _quartile(n):  # type: ignore[no-untyped-def]
    return math.floor(n / 4.0 + 0.5) - 1


@kernel(sums=True)
def _mean_log1p(theta, x, first):  # type: ignore[no-untyped-def]
    """Return the mean of ``log1p(-theta * x[first:])``."""
    total = 0.0
    for i in range(first, x.shape[0]):
        total += log1p(-theta * x[i])
    return total / (x.shape[0] - first)


@kernel
def fit_tails(exceedances, shapes, scales, firsts):  # type: ignore[no-untyped-def]
    """Fit each row of `exceedances` (weight minus cutoff, ascending, largest weight scaled to one).

    Writes the shape k-hat, the scale, and the index of the first exceedance used. Ties with the cutoff are zeros of the
    fit, but are left out when they reach its lower quartile, which the grid divides by. The posterior mean over the
    grid is a running one: a new maximum of the log likelihood rescales what is summed, so nothing overflows.
    """
    rows, length = exceedances.shape
    for row in range(rows):
        x = exceedances[row]
        largest = x[length - 1]
        scales[row] = np.nan
        firsts[row] = length
        if math.isnan(largest):
            shapes[row] = np.nan
            continue
        if largest <= SPREAD_OF_EQUAL_WEIGHTS:
            shapes[row] = -np.inf
            continue
        first = 0
        if x[_quartile(length)] <= 0.0:
            while x[first] <= 0.0:
                first += 1
        n = length - first
        if n < FEWEST_EXCEEDANCES:
            shapes[row] = np.inf
            continue
        if largest - x[first] <= SPREAD_OF_EQUAL_WEIGHTS:
            shapes[row] = -np.inf
            continue

        mean = 0.0
        for i in range(first, length):
            mean += x[i]
        mean /= n
        quartile = x[first + _quartile(n)]
        points = _GRID_POINTS + math.floor(math.sqrt(n))
        top = -np.inf
        weight_sum = 0.0
        weighted_theta = 0.0
        for j in range(points):
            theta = 1.0 / largest + (1.0 - math.sqrt(points / (j + 0.5))) / (_PRIOR_SCALE * quartile)
            k = _mean_log1p(theta, x, first)
            # theta = 0 is the exponential law, whose likelihood is the limit
            rate = -theta / k if k != 0.0 else 1.0 / mean
            log_likelihood = n * (math.log(rate) - k - 1.0)
            if log_likelihood > top:
                rescale = math.exp(top - log_likelihood)
                weight_sum = weight_sum * rescale + 1.0
                weighted_theta = weighted_theta * rescale + theta
                top = log_likelihood
            else:
                weight = math.exp(log_likelihood - top)
                weight_sum += weight
                weighted_theta += weight * theta
        theta = weighted_theta / weight_sum
        k = _mean_log1p(theta, x, first)
        shape = (n * k + _PRIOR_COUNT * _PRIOR_SHAPE) / (n + _PRIOR_COUNT)
        # weights that span more than floating point holds (quartile of nearly zero): heavier than can be fitted
        shapes[row] = np.inf if math.isnan(shape) else shape
        scales[row] = -k / theta if k != 0.0 else mean
        firsts[row] = first
