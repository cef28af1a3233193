"""Poisson: the contract, from either parameter; rates from 0 to 1e10 keep twelve digits."""

import mpmath
import numpy as np
import pytest

from mcvi.distributions import Poisson
from tests.distributions.discrete_contract import DiscreteContract

RATES = [0.0, 1e-300, 1e-8, 0.5, 1.0, 2.0, 1e3, 1e8, 1e10]


def points(rate):
    about = [np.floor(rate + s * np.sqrt(rate)) for s in (-8, 0, 8, 40)]
    return [0.0, 1.0, 2.0, 100.0, 1e10, *(k for k in about if k >= 0), -1.0, 0.5, np.inf, -np.inf, np.nan]


class TestPoisson(DiscreteContract):
    family = Poisson
    instances = [Poisson(rate) for rate in (0.3, 4.0, 12.5, 1000.5)] + [Poisson(log_rate=x) for x in (-0.5, 3.0)]
    grid = [(Poisson(rate), points(rate)) for rate in RATES]
    grid += [(Poisson(log_rate=x), points(min(np.exp(x), 1e12))) for x in (-1e300, -1000.0, -300.0, -1.0, 0.0, 18.0)]
    tolerance = 1e-12  # the rounding of exp(log_rate), times the distance of the count from it
    lacks = ("entropy",)
    bad = [
        ({"rate": [1.0, -2.0]}, "Poisson: rate must be non-negative and finite; got -2.0 at index (1,)."),
        ({"rate": 1.0, "log_rate": 0.0}, "Poisson: specify exactly one of rate and log_rate; got both."),
        ({"log_rate": np.inf}, "Poisson: log_rate must be finite; got inf."),
    ]

    @staticmethod
    def reference(x, rate=None, log_rate=None):
        if mpmath.isnan(x):
            return x
        if x < 0 or mpmath.isinf(x) or x != mpmath.floor(x):
            return -mpmath.inf
        if log_rate is None:
            if rate == 0:
                return mpmath.mpf(0) if x == 0 else -mpmath.inf
            log_rate = mpmath.log(rate)
        else:
            rate = mpmath.exp(log_rate) if log_rate > -1e5 else mpmath.mpf(0)
        return x * log_rate - rate - mpmath.loggamma(x + 1)

    def test_rate_zero_is_certain_of_zero(self):
        q = Poisson([0.0, 2.0])
        assert set(q.sample(100, rng=0)[:, 0]) == {0}
        np.testing.assert_array_equal(q.score(0)["rate"], [-1.0, -1.0])
        np.testing.assert_array_equal(q.score(1)["rate"], [np.inf, -0.5])
        np.testing.assert_array_equal(q.quantile(1.0), [0.0, np.inf])
        np.testing.assert_array_equal(q.cdf(0)[0], 1.0)
        assert q.log_rate[0] == -np.inf

    @pytest.mark.parametrize("rate", [9.999, 10.0, 1e6, 1e15])
    def test_large_rates_are_drawn_from(self, rate):
        """Kolmogorov's test against the normal limit would see a cdf off by 0.01; here the first two moments."""
        z = Poisson(rate).sample(200_000, rng=2).astype(float)
        assert abs(z.mean() - rate) < 6.11 * np.sqrt(rate / 200_000)
        squares = (z - rate) ** 2
        assert abs(squares.mean() - rate) < 6.11 * squares.std() / np.sqrt(200_000)

    def test_small_and_large_rates_share_a_batch(self):
        """Inversion and rejection side by side: z-tests of the means and variances of all members."""
        rate = np.array([0.0, 0.5, 9.99, 10.0, 500.0, 1e5])
        z = Poisson(rate).sample(100_000, rng=3).astype(float)
        assert np.all(abs(z.mean(axis=0) - rate) <= 6.11 * np.sqrt(rate / 100_000))
        squares = (z - rate) ** 2
        assert np.all(abs(squares.mean(axis=0) - rate) <= 6.11 * squares.std(axis=0) / np.sqrt(100_000))

    def test_draws_that_no_integer_holds_are_refused(self):
        with pytest.raises(ValueError, match="Poisson: a draw does not fit a 64-bit integer"):
            Poisson(1e25).sample(2, rng=0)
