"""Dirichlet: the contract, the boundary of the simplex, and the law of each component."""

import mpmath
import numpy as np
import pytest
from scipy import stats

from mcvi.distributions import Beta, Dirichlet
from tests.distributions.vector_contract import VectorContract, Z

RNG = np.random.default_rng(7)
A = np.array([[1.5, 2.0, 0.3], [4.0, 5.0, 6.0]])
Q = Dirichlet(A)
SCALES = [1e-300, 1e-8, 1e-3, 0.5, 1.0, 30.0, 1e3, 1e8, 1e10, 1e15]
HARD = [Dirichlet(scale * RNG.uniform(0.5, 1.5, size)) for scale in SCALES for size in (2, 3, 10)]
HARD += [Dirichlet([1e-300, 1e10, 1.0])]


class TestDirichlet(VectorContract):
    family = Dirichlet
    instances = [Dirichlet(a) for a in A] + [Dirichlet([0.7, 30.0])]
    golden = {"": Dirichlet([0.5, 2.0, 30.0])}
    grid = [(q, [*q.sample(5, rng=1), *RNG.dirichlet(np.ones(q.event_shape[0]), 5)]) for q in HARD]
    tolerance, score_tolerance = 2e-14, 1e-14
    outside = [
        [0.5, 0.5, 0.1],
        [0.5, 0.4, 0.0],
        [1.2, -0.2, 0.0],
        [np.inf, 0.0, 0.0],
        [np.inf, -np.inf, 1.0],
        [0.0] * 3,
    ]
    bad = [
        ({"concentration": 1.0}, "Dirichlet: concentration must have shape (..., d) with d >= 1; got ()."),
        ({"concentration": [1.0, 0.0]}, "Dirichlet: concentration must be positive and finite; got 0.0 at index (1,)."),
    ]
    twin = staticmethod(lambda concentration: stats.dirichlet(concentration))

    def reference(self, x, concentration):
        power = mpmath.fsum((a - 1) * mpmath.log(v) for v, a in zip(x, concentration, strict=True))
        return power + mpmath.loggamma(mpmath.fsum(concentration)) - mpmath.fsum(map(mpmath.loggamma, concentration))


def test_two_components_are_a_beta():
    x = Beta(2.5, 0.7).sample(100, rng=0)
    both = np.stack([x, 1.0 - x], axis=-1)
    np.testing.assert_allclose(Dirichlet([2.5, 0.7]).log_prob(both), Beta(2.5, 0.7).log_prob(x), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(Dirichlet([2.5, 0.7]).entropy(), Beta(2.5, 0.7).entropy(), rtol=1e-14)


def test_the_boundary_follows_the_limit():
    one = Dirichlet([1.0, 1.0, 2.0])
    x = np.array([[0.0, 0.5, 0.5], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]])
    np.testing.assert_allclose(one.log_prob(x), [np.log(3.0), np.log(6.0), -np.inf], rtol=1e-15)
    # Above, below, and both: a density that has no limit.
    np.testing.assert_array_equal(Dirichlet([0.5, 1.0, 2.0]).log_prob(x), [np.inf, np.inf, -np.inf])
    assert np.isnan(Dirichlet([0.5, 1.0, 2.0]).log_prob([0.0, 1.0, 0.0]))


def test_outside_the_simplex_there_is_nothing_and_nan_stays():
    outside = [
        [0.5, 0.5, 0.1],
        [0.5, 0.4, 0.0],
        [1.2, -0.2, 0.0],
        [np.inf, 0.0, 0.0],
        [np.inf, -np.inf, 1.0],
        [0.0] * 3,
    ]
    np.testing.assert_array_equal(Dirichlet(A[1]).log_prob(outside), -np.inf)
    for x in outside:
        assert not Dirichlet(A[1]).score(x)["concentration"].any()
    assert np.all(np.isnan(Dirichlet(A[1]).log_prob([[np.nan, 0.5, 0.5], [np.nan, -1.0, np.inf]])))


def test_each_component_of_a_draw_is_a_beta():
    n = 428_329
    z = Dirichlet([0.3, 2.0, 5.0]).sample(n, rng=5)
    steps = np.arange(n + 1) / n
    for i, a in enumerate((0.3, 2.0, 5.0)):
        u = np.sort(Beta(a, 7.3 - a).cdf(z[:, i]))
        assert max(np.max(steps[1:] - u), np.max(u - steps[:-1])) < np.sqrt(np.log(2 / 1e-9) / (2 * n))
    np.testing.assert_allclose(z.sum(axis=-1), 1.0, rtol=4e-16)


def test_no_component_of_a_draw_is_zero_even_at_tiny_concentrations():
    q = Dirichlet(np.full(5, 1e-6))
    z = q.sample(1000, rng=6)
    assert z.min() >= np.finfo(float).tiny
    assert np.all(np.isfinite(q.log_prob(z)))
    winners = (z > 0.5).mean(axis=0)
    assert np.all(np.abs(winners - 0.2) < Z * np.sqrt(0.2 * 0.8 / 1000))


def test_the_mode_is_inside_or_nowhere():
    np.testing.assert_allclose(Q.mode(), [[np.nan] * 3, [3 / 12, 4 / 12, 5 / 12]])
    q = Dirichlet(A[1])
    assert np.all(q.log_prob(q.mode()) >= q.log_prob(q.sample(1000, rng=8)))


@pytest.mark.parametrize("a", [[1.0, 1e-20], [1e10, 1e-10, 3.0], [1e-300, 1.0, 1e5], [1e300, 1e-300]])
def test_second_moments_and_information_keep_their_digits_at_unequal_sizes(a):
    q = Dirichlet(a)
    with mpmath.workdps(700):
        exact = [mpmath.mpf(v) for v in a]
        total = mpmath.fsum(exact)
        others = [mpmath.fsum(w for j, w in enumerate(exact) if j != i) for i in range(len(a))]
        variance = [float(v * w / total**2 / (total + 1)) for v, w in zip(exact, others, strict=True)]
        information = [float(mpmath.psi(1, v) - mpmath.psi(1, total)) for v in exact]
    np.testing.assert_allclose(q.variance(), variance, rtol=1e-15, atol=1e-320)
    np.testing.assert_allclose(np.diagonal(q.covariance()), variance, rtol=1e-15, atol=1e-320)
    np.testing.assert_allclose(np.diagonal(q.fisher()), information, rtol=3e-15)
