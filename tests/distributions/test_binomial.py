"""Binomial: the contract, from either parameter; ten thousand million trials keep twelve digits."""

import mpmath
import numpy as np
import pytest

from mcvi.distributions import Binomial
from tests.distributions.discrete_contract import DiscreteContract, logarithms, times


def points(n, p):
    mean, spread = n * p, np.sqrt(n * p * (1 - p))
    about = {np.floor(mean + s * spread) for s in (-8, 0, 8)} | {0.0, 1.0, n - 1, n, n + 1}
    return [*sorted(about), -1.0, 0.5, np.inf, -np.inf, np.nan]


class TestBinomial(DiscreteContract):
    family = Binomial
    slow = ("test_score_is_right_on_the_hard_grid",)
    instances = [Binomial(n, probs=p) for n, p in ((1, 0.3), (7, 0.5), (100, 0.02), (100, 0.97), (1000, 0.4))]
    instances += [Binomial(n, logits=x) for n, x in ((7, 0.3), (60, -1.0))]
    grid = [
        (Binomial(n, probs=p), points(n, p))
        for n in (0.0, 1.0, 7.0, 1e6, 1e10)
        for p in (0.0, 1e-300, 1e-8, 0.25, 0.5, 0.999, 1.0 - 2.0**-53, 1.0)
    ]
    grid += [
        (Binomial(n, logits=x), points(n, 1 / (1 + np.exp(-np.clip(x, -50, 50)))))
        for n in (0.0, 1.0, 7.0, 1e10)
        for x in (-1e300, -800.0, -40.0, -1.0, 0.0, 3.0, 40.0, 800.0, 1e300)
    ]
    # The rounding of p, times the number of trials.
    tolerance, score_tolerances = 1e-12, {"logits": 1e-11, "total_count": 1e-11}
    lacks = ("entropy", "fisher")
    bad = [
        ({"total_count": [2.0, 2.5], "probs": 0.5}, "Binomial: total_count must be a whole number >= 0; got 2.5 at"),
        ({"total_count": -1, "probs": 0.5}, "Binomial: total_count must be a whole number >= 0; got -1.0."),
        ({"total_count": 3, "probs": 1.5}, "Binomial: probs must be between 0 and 1; got 1.5."),
        ({"total_count": 3}, "Binomial: specify exactly one of logits and probs; got neither."),
        ({"total_count": [1, 2], "logits": np.zeros(3)}, "Binomial: the parameters must broadcast together"),
    ]

    @staticmethod
    def counts(q):
        return np.arange(float(q.total_count) + 1.0)

    @staticmethod
    def reference(x, total_count, **odds):
        if mpmath.isnan(x):
            return x
        if x < 0 or x > mpmath.ceil(total_count) or x != mpmath.floor(x):
            return -mpmath.inf
        with mpmath.workdps(max(mpmath.mp.dps, 400)):
            log_p, log_q = logarithms(**odds)
            ways = mpmath.loggamma(total_count + 1) - mpmath.loggamma(x + 1) - mpmath.loggamma(total_count - x + 1)
            return ways + times(x, log_p) + times(total_count - x, log_q)

    def test_certain_trials_and_no_trials(self):
        q = Binomial([3, 3, 0], probs=[0.0, 1.0, 0.5])
        np.testing.assert_array_equal(q.sample(50, rng=0), np.tile([0, 3, 0], (50, 1)))
        np.testing.assert_array_equal(q.score(0)["probs"], [-3.0, -np.inf, 0.0])
        np.testing.assert_array_equal(q.score(3)["probs"], [np.inf, 3.0, 0.0])
        np.testing.assert_array_equal(q.mode(), [0.0, 3.0, 0.0])
        np.testing.assert_array_equal(q.quantile(1.0), [0.0, 3.0, 0.0])
        np.testing.assert_array_equal(q.cdf(2), [1.0, 0.0, 1.0])

    def test_rare_and_common_outcomes_share_a_batch(self):
        n, p = np.array([5.0, 40.0, 40.0, 1e4, 1e4]), np.array([0.9, 0.1, 0.5, 0.9999, 0.3])
        z = Binomial(n, probs=p).sample(100_000, rng=3).astype(float)
        assert np.all(abs(z.mean(axis=0) - n * p) < 6.11 * np.sqrt(n * p * (1 - p) / 100_000))
        squares = (z - n * p) ** 2
        assert np.all(abs(squares.mean(axis=0) - n * p * (1 - p)) < 6.11 * squares.std(axis=0) / np.sqrt(100_000))

    @pytest.mark.parametrize(("n", "p"), [(20, 0.5), (1e6, 1e-5), (1e9, 0.7), (1e15, 0.1)])
    def test_large_counts_are_drawn_from(self, n, p):
        z = Binomial(n, probs=p).sample(200_000, rng=2).astype(float)
        assert abs(z.mean() - n * p) < 6.11 * np.sqrt(n * p * (1 - p) / 200_000)
        squares = (z - n * p) ** 2
        assert abs(squares.mean() - n * p * (1 - p)) < 6.11 * squares.std() / np.sqrt(200_000)
        assert z.max() <= n
