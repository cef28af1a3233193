"""Sums over consecutive segments of a flat array, such as replications that stand end to end in a block of draws.

The first stretch ends before ``first_stop``, every other one is ``length`` long, and the last may be cut off. `out` has
one element a stretch, cut or not.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import maximum
from mcvi._kernels.compiler.jit import kernel
from mcvi._kernels.functions.elementary import exp

_RUN = 256


@kernel(sums=True)
def _sum(v: Any) -> float:
    total = 0.0
    for start in range(0, v.size, _RUN):
        run = 0.0
        for i in range(start, min(start + _RUN, v.size)):
            run += v[i]
        total += run
    return total


@kernel(sums=True)
def _largest_product(v: Any, power: float) -> float:
    largest = -np.inf
    for i in range(v.size):
        largest = maximum(largest, power * v[i])
    return largest


@kernel(sums=True)
def _exponential_sum(v: Any, power: float, centre: float) -> float:
    total = 0.0
    for start in range(0, v.size, _RUN):
        run = 0.0
        for i in range(start, min(start + _RUN, v.size)):
            run += exp(power * v[i] - centre)
        total += run
    return total


@kernel
def segment_log_sums(v: Any, power: float, first_stop: int, length: int, out: Any) -> None:
    """Set ``out[k]`` to ``log sum exp(power v)`` over stretch `k`.

    The largest term is exactly 1, so that nothing overflows and nothing that matters underflows; a stretch of weights
    of zero gives -inf, one with an infinite weight inf, one with nan nan.
    """
    start, stop = 0, min(first_stop, v.size)
    for k in range(out.size):
        stretch = v[start:stop]
        m = _largest_product(stretch, power)
        # not (abs(m) < inf): also nan, which is the answer itself
        out[k] = m + np.log(_exponential_sum(stretch, power, m)) if abs(m) < np.inf else m
        start, stop = stop, min(stop + length, v.size)


@kernel
def segment_sums(v: Any, first_stop: int, length: int, out: Any) -> None:
    """Set ``out[k]`` to the sum of stretch `k`."""
    start, stop = 0, min(first_stop, v.size)
    for k in range(out.size):
        out[k] = _sum(v[start:stop])
        start, stop = stop, min(stop + length, v.size)
