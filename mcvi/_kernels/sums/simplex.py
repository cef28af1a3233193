"""Vectors of positive numbers that sum to one: normalised exponentials, and sums over the components of a density."""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import maximum
from mcvi._kernels.compiler.jit import kernel
from mcvi._kernels.functions.elementary import exp

_SMALLEST = 2.2250738585072014e-308


@kernel
def softmax(x: Any) -> None:
    """Turn each row of `x` into its exponentials divided by their sum; none is below the smallest normal number."""
    rows, size = x.shape
    for r in range(rows):
        row = x[r]
        largest = -np.inf
        for i in range(size):
            largest = maximum(largest, row[i])
        total = 0.0
        for i in range(size):
            row[i] = exp(row[i] - largest)
            total += row[i]
        for i in range(size):
            row[i] = maximum(row[i] / total, _SMALLEST)


@kernel
def simplex_sums(x: Any, terms: Any, total: Any, peak: Any, tolerance: float, out: Any) -> None:
    """Set ``out[r]`` to ``peak + sum of terms + total * (sum of x - 1)`` of the rows ``r`` of `x` and `terms`.

    `total` and `peak` repeat along the rows. -inf where a component is negative or the sum is off by more than
    `tolerance`, nan where a component is.
    """
    rows, size = x.shape
    members = total.size
    for r in range(rows):
        # Knuth's two-sum: `total` may be 1e10 and more, so the rounding of the sum of x must not count.
        excess, lost, log_density, below = -1.0, 0.0, peak[r % members], False
        for i in range(size):
            value = x[r, i]
            partial = excess + value
            back = partial - excess
            lost += (excess - (partial - back)) + (value - back)
            excess = partial
            log_density += terms[r, i]
            below = below or value < 0.0
        excess += lost
        if excess != excess:
            # inf - inf is outside; a nan that came in is kept
            outside = True
            for i in range(size):
                outside = outside and x[r, i] == x[r, i]
            out[r] = -np.inf if outside else np.nan
        elif below or abs(excess) > tolerance:
            out[r] = -np.inf
        else:
            out[r] = log_density + total[r % members] * excess
