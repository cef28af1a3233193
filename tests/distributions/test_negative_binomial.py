"""NegativeBinomial: the contract, from either parameter, for failures that are not whole numbers."""

import mpmath
import numpy as np
import pytest

from mcvi.distributions import NegativeBinomial
from tests.distributions.discrete_contract import DiscreteContract, logarithms, times

POINTS = [0.0, 1.0, 2.0, 10.0, 1e5, 1e10, -1.0, 0.5, np.inf, -np.inf, np.nan]


class TestNegativeBinomial(DiscreteContract):
    family = NegativeBinomial
    slow = ("test_score_is_right_on_the_hard_grid", "test_log_density_is_right_on_the_hard_grid")
    instances = [NegativeBinomial(r, probs=p) for r, p in ((0.5, 0.5), (3.0, 0.2), (2.5, 0.8), (100.0, 0.3))]
    instances += [NegativeBinomial(r, logits=x) for r, x in ((1.0, 0.3), (20.0, -2.0))]
    grid = [
        (NegativeBinomial(r, probs=p), POINTS)
        for r in (0.0, 1e-300, 1e-8, 0.5, 1.0, 2.5, 1e8, 1e10)
        for p in (0.0, 1e-300, 1e-8, 0.25, 0.5, 0.999, 1.0 - 2.0**-53, 1.0)
    ]
    grid += [
        (NegativeBinomial(r, logits=x), POINTS)
        for r in (0.0, 1e-8, 0.5, 2.5, 1e10)
        for x in (-1e300, -800.0, -40.0, -1.0, 0.0, 3.0, 40.0, 800.0, 1e300)
    ]
    lacks = ("entropy", "fisher")
    bad = [
        (
            {"total_count": -1.0, "probs": 0.5},
            "NegativeBinomial: total_count must be non-negative and finite; got -1.0.",
        ),
        ({"total_count": 3.0, "probs": np.nan}, "NegativeBinomial: probs must be between 0 and 1; got nan."),
        ({"total_count": 3.0}, "NegativeBinomial: specify exactly one of logits and probs; got neither."),
    ]

    @staticmethod
    def reference(x, total_count, **odds):
        if mpmath.isnan(x):
            return x
        if x < 0 or mpmath.isinf(x) or x != mpmath.floor(x):
            return -mpmath.inf
        if total_count == 0:
            return mpmath.mpf(0) if x == 0 else -mpmath.inf
        with mpmath.workdps(max(mpmath.mp.dps, 700)):
            log_p, log_q = logarithms(**odds)
            ways = mpmath.loggamma(x + total_count) - mpmath.loggamma(x + 1) - mpmath.loggamma(total_count)
            return ways + times(x, log_p) + times(total_count, log_q)

    def test_certain_cases(self):
        q = NegativeBinomial([2.0, 0.0, 0.0], probs=[0.0, 0.5, 1.0])
        assert set(q.sample(100, rng=0).ravel()) == {0}
        np.testing.assert_array_equal(q.mean(), 0.0)
        np.testing.assert_array_equal(q.variance(), 0.0)
        np.testing.assert_array_equal(q.cdf(0), 1.0)
        np.testing.assert_array_equal(q.score(0)["probs"], [-2.0, 0.0, 0.0])
        with pytest.raises(ValueError, match="NegativeBinomial: a draw does not fit a 64-bit integer"):
            NegativeBinomial(2.0, probs=1.0).sample(2, rng=0)

    def test_many_failures_and_small_odds_are_nearly_poisson(self):
        z = NegativeBinomial(1e9, logits=-15.0).sample(200_000, rng=3).astype(float)
        mean = 1e9 * np.exp(-15.0)
        assert abs(z.mean() - mean) < 6.11 * np.sqrt(mean / 200_000)
