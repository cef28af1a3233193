"""Gamma: the contract; concentrations from 1e-3 to 1e10 keep their digits, the edge at 0 is exact."""

import mpmath
import numpy as np
import pytest

from mcvi.distributions import Exponential, Gamma
from tests.distributions.contract import ContinuousContract
from tests.distributions.references import error

EDGES = [0.0, -0.0, 5e-324, 1e-300, 1.0, 1e150, 1e300, np.inf, -5e-324, -1.0, -np.inf, np.nan]


def points(concentration, rate):
    mean, deviation = concentration / rate, np.sqrt(concentration) / rate
    near = mean + deviation * np.array([-40.0, -8.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 8.0, 40.0])
    return [*EDGES, *near[near > 0.0], mean * 0.7, mean * 1.3]


class TestGamma(ContinuousContract):
    family = Gamma
    slow = ("test_score_is_right_on_the_hard_grid",)
    instances = [Gamma(1.0, 1.0), Gamma(0.5, 2.0), Gamma(3.5, 0.1), Gamma(200.0, 30.0)]
    hard = {
        "concentration": (1e-3, 0.5, 1.0, 1.5, 2.0, 30.0, 1e4, 1e8, 1e10),
        "rate": (1e-100, 1e-8, 0.7, 1.0, 3.0, 1e8, 1e100),
    }
    tolerance = 1e-12
    tails = [
        (Gamma(a, 2.0), x)
        for a, x in ((0.5, 1e-200), (0.5, 300.0), (2.5, 1e-40), (2.5, 0.3), (30.0, 1e-3), (30.0, 12.0), (30.0, 200.0))
    ]
    tail_tolerance = 1e-13
    bad = [
        ({"concentration": 0.0, "rate": 1.0}, "Gamma: concentration must be positive and finite; got 0.0."),
        (
            {"concentration": 1.0, "rate": [1.0, -1.0]},
            "Gamma: rate must be positive and finite; got -1.0 at index (1,).",
        ),
    ]

    def points(self, q):
        return points(q.concentration, q.rate)

    @staticmethod
    def cdf_reference(x, concentration, rate):
        below = mpmath.gammainc(concentration, 0, rate * x, regularized=True)
        return below, mpmath.gammainc(concentration, rate * x, regularized=True)

    @staticmethod
    def reference(x, concentration, rate):
        if x < 0 or x == mpmath.inf:
            return mpmath.mpf("-inf")
        if x == 0:
            return mpmath.log(rate) if concentration == 1 else mpmath.sign(1 - concentration) * mpmath.inf
        a = concentration
        return a * mpmath.log(rate) + (a - 1) * mpmath.log(x) - rate * x - mpmath.loggamma(a)


def test_concentration_one_is_the_exponential():
    x = [0.0, 0.1, 2.0, 50.0]
    np.testing.assert_allclose(Gamma(1.0, 3.0).log_prob(x), Exponential(3.0).log_prob(x), rtol=1e-14)


def test_mode_is_inside_only_above_concentration_one():
    np.testing.assert_array_equal(Gamma([0.5, 1.0, 3.0], 2.0).mode(), [np.nan, np.nan, 1.0])


@pytest.mark.parametrize("concentration", [1e-3, 0.5, 5.0, 1e4, 1e10])
def test_entropy_keeps_its_digits(concentration):
    with mpmath.workdps(50):
        a = mpmath.mpf(concentration)
        assert error(Gamma(concentration, 1.0).entropy(), a + mpmath.loggamma(a) + (1 - a) * mpmath.digamma(a)) < 5e-15


def test_no_draw_of_a_tiny_concentration_is_zero():
    q = Gamma(1e-4, [1.0, 1e10])
    draws = q.sample(10_000, rng=0)
    assert draws.min() == np.finfo(float).tiny
    assert np.all(np.isfinite(q.log_prob(draws)))


def test_there_is_no_quantile_outside_the_unit_interval_at_any_concentration():
    assert np.isnan(Gamma([[1e-300], [1e-3], [1.0], [1e10]], 1.0).quantile([-0.1, -1e-300, 1.0 + 1e-15, np.nan])).all()
