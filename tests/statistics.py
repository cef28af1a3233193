"""Tests of chance: each states how rarely it fails correct code, and that it could have seen the fault it looks for."""

from typing import Any

import numpy as np

#: The chance that correct code fails one assertion.
FALSE_FAIL = 1e-9
#: The two-sided normal quantile for it.
Z = 6.11
#: A nominal 95 % interval covers the truth in 10 000 replications this many times, but for a chance of 1e-6.
COVERAGE_BAND = (0.9390, 0.9603)


def assert_estimates(estimate: Any, truth: Any, *, resolves: float) -> None:
    """Assert that the truth lies within the error of the estimate, and that an error of `resolves` would have shown."""
    margin = Z * np.asarray(estimate.standard_error)
    assert np.all(2 * margin <= resolves), f"test too weak: it resolves {2 * margin.max():.3g}"
    bias = 0.0 if estimate.bias is None else estimate.bias
    assert np.all(np.abs(estimate.value - bias - truth) < margin), f"{estimate!r} is not {truth}"


def coverage(estimate: Any, truth: Any, level: float = 0.95) -> float:
    """Return how often the intervals of a batch of independent estimates cover the truth."""
    low, high = estimate.interval(level)
    return float(np.mean((low <= truth) & (truth <= high)))
