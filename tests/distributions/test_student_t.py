"""StudentT: the contract; any number of degrees of freedom, and values whose squares overflow."""

import mpmath
import numpy as np
import pytest

from mcvi.distributions import Normal, StudentT
from tests.distributions.contract import DRAWS, FALSE_FAIL, ContinuousContract
from tests.distributions.references import error

# On either side of the thresholds of the code, in units of the root of df, as well.
POINTS = [0.0, -0.0, 5e-324, -1e-300, 1.0, -8.0, 40.0, 3e6, 1e9, 1e150, -1e200, 1e300, np.inf, -np.inf, np.nan]


class TestStudentT(ContinuousContract):
    family = StudentT
    slow = ("test_score_is_right_on_the_hard_grid",)
    instances = [StudentT(12.0, 0.0, 1.0), StudentT(30.5, -3.0, 0.25), StudentT(1e6, 2.0, 50.0)]
    grid = [
        (StudentT(df, loc, scale), POINTS)
        for df in (1e-3, 0.5, 1.0, 2.0, 30.0, 1e8, 1e10, 1e15)
        for loc, scale in ((0.0, 1.0), (0.5, 1e-8), (-1e8, 1e8), (0.0, 1e-100), (0.0, 1e100))
    ]
    tolerance = 1e-14
    moments = staticmethod(lambda q: q.df)
    tails = [
        (StudentT(df, 0.0, 1.0), sign * t)
        for df, t in ((0.5, 1e10), (1.0, 1e3), (3.0, 50.0), (12.0, 1e12), (40.0, 10.0))
        for sign in (-1, 1)
    ]
    tail_tolerance = 1e-12
    bad = [
        ({"df": 0.0, "loc": 0.0, "scale": 1.0}, "StudentT: df must be positive and finite; got 0.0."),
        ({"df": 1.0, "loc": 0.0, "scale": -1.0}, "StudentT: scale must be positive and finite; got -1.0."),
    ]

    @staticmethod
    def reference(x, df, loc, scale):
        t = (x - loc) / scale
        constant = mpmath.loggamma((df + 1) / 2) - mpmath.loggamma(df / 2) - mpmath.log(df * mpmath.pi) / 2
        return constant - mpmath.log(scale) - (df + 1) / 2 * mpmath.log1p(t * t / df)

    @staticmethod
    def cdf_reference(x, df, loc, scale):
        t = (x - loc) / scale
        tail = mpmath.betainc(df / 2, 0.5, 0, df / (df + t * t), regularized=True) / 2
        return (tail, 1 - tail) if t < 0 else (1 - tail, tail)


def test_moments_that_do_not_exist_are_nan_or_infinite():
    q = StudentT([0.5, 1.0, 1.5, 2.0, 2.5, 6.0], 3.0, 2.0)
    np.testing.assert_array_equal(q.mean(), [np.nan, np.nan, 3.0, 3.0, 3.0, 3.0])
    np.testing.assert_allclose(q.variance(), [np.nan, np.nan, np.inf, np.inf, 20.0, 6.0])
    np.testing.assert_allclose(q.stddev(), np.sqrt(q.variance()))
    np.testing.assert_array_equal(q.mode(), 3.0)


def test_many_degrees_of_freedom_are_the_normal():
    x = np.linspace(-9.0, 9.0, 7)
    np.testing.assert_allclose(StudentT(1e15, 0.0, 1.0).log_prob(x), Normal(0.0, 1.0).log_prob(x), rtol=1e-12)
    draws = StudentT(1e15, 0.0, 1.0).sample(DRAWS, rng=0)
    u, steps = np.sort(Normal(0.0, 1.0).cdf(draws)), np.arange(DRAWS + 1) / DRAWS
    assert max(np.max(steps[1:] - u), np.max(u - steps[:-1])) < np.sqrt(np.log(2 / FALSE_FAIL) / (2 * DRAWS))


@pytest.mark.parametrize("df", [0.3, 1.0, 2.0, 4.0])
def test_heavy_tailed_draws_follow_the_cdf(df):
    q = StudentT(df, 1.0, 2.0)
    u, steps = np.sort(q.cdf(q.sample(DRAWS, rng=1))), np.arange(DRAWS + 1) / DRAWS
    assert max(np.max(steps[1:] - u), np.max(u - steps[:-1])) < np.sqrt(np.log(2 / FALSE_FAIL) / (2 * DRAWS))


def test_no_draw_is_infinite():
    q = StudentT(1e-3, 0.0, [1.0, 1e10])
    draws = q.sample(100_000, rng=2)
    assert np.abs(draws).max() == np.finfo(float).max
    assert np.all(np.isfinite(q.log_prob(draws)))


@pytest.mark.parametrize("df", [1e-3, 1.0, 39.0, 41.0, 1e6, 1e15])
def test_entropy_keeps_its_digits(df):
    with mpmath.workdps(60):
        v = mpmath.mpf(df)
        slope = mpmath.digamma((v + 1) / 2) - mpmath.digamma(v / 2)
        constant = mpmath.loggamma(v / 2) - mpmath.loggamma((v + 1) / 2) + mpmath.log(v * mpmath.pi) / 2
        assert error(StudentT(df, 0.0, 1.0).entropy(), (v + 1) / 2 * slope + constant) < 2e-14


@pytest.mark.parametrize("df", [1e-3, 1.0, 31.0, 33.0, 1e4, 1e6, 1e10, 1e15])
def test_the_fisher_information_of_df_keeps_its_digits(df):
    with mpmath.workdps(100):
        v = mpmath.mpf(df)
        trigammas = mpmath.psi(1, v / 2) - mpmath.psi(1, v / 2 + mpmath.mpf(1) / 2)
        truth = trigammas / 4 - (v + 5) / (2 * v * (v + 1) * (v + 3))
        assert abs(StudentT(df, 0.0, 1.0).fisher()[0, 0] / truth - 1) < 1e-14
