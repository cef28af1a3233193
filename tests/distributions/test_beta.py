"""Beta: the contract; concentrations from 1e-3 to 1e10 keep their digits, both ends are exact."""

import mpmath
import numpy as np
import pytest

from mcvi.distributions import Beta
from tests.distributions.contract import ContinuousContract
from tests.distributions.references import error

EDGES = [0.0, -0.0, 5e-324, 1e-300, 1e-17, 0.5, 1.0 - 2.0**-53, 1.0, 1.0 + 2.0**-52, -5e-324, 1e300, -np.inf, np.inf]


def points(a, b):
    mean = a / (a + b)
    deviation = np.sqrt(mean * (b / (a + b)) / (a + b + 1))
    near = mean + deviation * np.array([-40.0, -8.0, -1.0, -1e-3, 0.0, 1e-3, 1.0, 8.0, 40.0])
    return [*EDGES, np.nan, *near[(near > 0.0) & (near < 1.0)]]


class TestBeta(ContinuousContract):
    family = Beta
    slow = ("test_score_is_right_on_the_hard_grid",)
    instances = [Beta(1.0, 1.0), Beta(2.0, 3.0), Beta(0.7, 4.0), Beta(300.0, 40.0)]
    hard = {
        "concentration1": (1e-3, 0.5, 1.0, 2.0, 30.0, 1e5, 1e10),
        "concentration0": (1e-3, 0.5, 1.0, 7.0, 1e4, 1e10),
    }
    tolerance = 1e-12
    tails = [
        (Beta(a, b), x)
        for a, b, x in (
            (2.0, 3.0, 1e-100),
            (0.5, 0.5, 1e-300),
            (30.0, 2.0, 1e-5),
            (2.0, 30.0, 0.999),
            (50.0, 70.0, 0.1),
        )
    ]
    tail_tolerance = 1e-13
    bad = [
        ({"concentration1": 0.0, "concentration0": 1.0}, "Beta: concentration1 must be positive and finite; got 0.0."),
        (
            {"concentration1": 1.0, "concentration0": np.inf},
            "Beta: concentration0 must be positive and finite; got inf.",
        ),
    ]

    def points(self, q):
        return points(q.concentration1, q.concentration0)

    @staticmethod
    def cdf_reference(x, concentration1, concentration0):
        below = mpmath.betainc(concentration1, concentration0, 0, x, regularized=True)
        return below, mpmath.betainc(concentration0, concentration1, 0, 1 - x, regularized=True)

    @staticmethod
    def reference(x, concentration1, concentration0):
        a, b = concentration1, concentration0
        if mpmath.isnan(x):
            return x
        if x < 0 or x > 1:
            return mpmath.mpf("-inf")
        if x in (0, 1):
            here, there = (a, b) if x == 0 else (b, a)
            return mpmath.log(there) if here == 1 else mpmath.sign(1 - here) * mpmath.inf
        log_beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)
        return (a - 1) * mpmath.log(x) + (b - 1) * mpmath.log1p(-x) - log_beta


def test_uniform_is_flat_to_its_ends():
    np.testing.assert_allclose(Beta(1.0, 1.0).log_prob([0.0, 0.25, 1.0]), 0.0, atol=1e-15)


def test_mode_is_inside_only_above_one():
    np.testing.assert_array_equal(Beta([1.0, 2.0, 3.0], [2.0, 1.0, 3.0]).mode(), [np.nan, np.nan, 0.5])


@pytest.mark.parametrize(("a", "b"), [(1e-3, 1e-3), (0.5, 5.0), (1e4, 3.0), (1e10, 1e10), (1e10, 1e-3)])
def test_entropy_keeps_its_digits(a, b):
    with mpmath.workdps(60):
        x, y = mpmath.mpf(a), mpmath.mpf(b)
        log_beta = mpmath.loggamma(x) + mpmath.loggamma(y) - mpmath.loggamma(x + y)
        terms = (x - 1) * mpmath.digamma(x) + (y - 1) * mpmath.digamma(y) - (x + y - 2) * mpmath.digamma(x + y)
        assert error(Beta(a, b).entropy(), log_beta - terms) < 2e-14


def test_draws_of_tiny_concentrations_stay_inside():
    q = Beta([1e-4, 1.0, 1e-4], [1e-4, 1e-4, 1.0])
    draws = q.sample(10_000, rng=0)
    assert draws.min() == np.finfo(float).tiny
    assert draws.max() == 1.0 - 2.0**-53
    assert np.all(np.isfinite(q.log_prob(draws)))
