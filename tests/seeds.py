"""Refuse randomness that nobody could repeat: under test, a draw without a seed is an error.

A test that draws anew each time fails by luck. One that tests just this says so with ``@pytest.mark.fresh_draws``.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import scipy.stats  # noqa: F401 - draws examples for its own documentation when it is first imported

import mcvi.random

_FRESH_KEY, _DEFAULT_RNG = mcvi.random._fresh_key, np.random.default_rng


def _refuse():
    raise AssertionError("a test drew without a seed: pass rng=, or mark the test with fresh_draws")


def _seeded_generator(seed=None):
    return _refuse() if seed is None else _DEFAULT_RNG(seed)


def require_seeds() -> None:
    """Let `rng=None`, and NumPy's `default_rng` without a seed, raise in this process."""
    mcvi.random._fresh_key, np.random.default_rng = _refuse, _seeded_generator


@contextmanager
def fresh_draws_allowed() -> Iterator[None]:
    """Take the randomness of the operating system inside the block."""
    mcvi.random._fresh_key, np.random.default_rng = _FRESH_KEY, _DEFAULT_RNG
    try:
        yield
    finally:
        require_seeds()
