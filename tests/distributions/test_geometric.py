"""Geometric: the contract, from either parameter, and the certain cases."""

import mpmath
import numpy as np
import pytest

from mcvi.distributions import Geometric
from tests.distributions.discrete_contract import DiscreteContract, logarithms, times

POINTS = [0.0, 1.0, 2.0, 100.0, 1e10, 1e300, -1.0, 0.5, np.inf, np.nan]


class TestGeometric(DiscreteContract):
    family = Geometric
    instances = [Geometric(probs=p) for p in (0.05, 0.5, 0.9)] + [Geometric(logits=x) for x in (-2.0, 0.3)]
    grid = [(Geometric(probs=p), POINTS) for p in (0.0, 1e-300, 1e-17, 0.25, 0.5, 1.0 - 2.0**-53, 1.0)]
    grid += [(Geometric(logits=x), POINTS) for x in (-1e300, -800.0, -40.0, -1.0, 0.0, 0.5, 40.0, 800.0)]
    bad = [
        ({"probs": [0.5, -0.1]}, "Geometric: probs must be between 0 and 1; got -0.1 at index (1,)."),
        ({"logits": np.nan}, "Geometric: logits must be finite; got nan."),
        ({}, "Geometric: specify exactly one of logits and probs; got neither."),
    ]

    @staticmethod
    def reference(x, **odds):
        if mpmath.isnan(x):
            return x
        if x < 0 or mpmath.isinf(x) or x != mpmath.floor(x):
            return -mpmath.inf
        with mpmath.workdps(max(mpmath.mp.dps, 400)):
            log_p, log_q = logarithms(**odds)
            return log_p + times(x, log_q)

    def test_certain_success_and_certain_failure(self):
        q = Geometric(probs=[1.0, 0.0])
        np.testing.assert_array_equal(q.mean(), [0.0, np.inf])
        np.testing.assert_array_equal(q.entropy(), [0.0, np.inf])
        np.testing.assert_array_equal(q.cdf(0), [1.0, 0.0])
        assert set(Geometric(probs=1.0).sample(100, rng=0)) == {0}
        with pytest.raises(ValueError, match=r"Geometric: a draw does not fit a 64-bit integer; got inf\."):
            Geometric(probs=0.0).sample(3, rng=0)

    def test_tiny_probabilities_are_drawn_from(self):
        z = Geometric(probs=1e-12).sample(100_000, rng=1)
        assert abs(z.mean() / 1e12 - 1.0) < 6.11 / np.sqrt(100_000)

    def test_far_tails_keep_their_digits(self):
        assert Geometric(probs=1e-20).log_survival_function(1e10) == pytest.approx(-1e-10, rel=1e-9)
        assert Geometric(logits=3.0).log_survival_function(999) == pytest.approx(-1000 * np.log1p(np.exp(3)), rel=1e-14)
        assert Geometric(probs=1e-20).log_cdf(0) == pytest.approx(np.log(1e-20), rel=1e-14)
