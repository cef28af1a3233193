"""Dirichlet."""

import copy
import pickle

import mpmath
import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp
from autograd.test_util import check_grads
from scipy import stats

from mcvi.distributions import Beta, Dirichlet
from mcvi.random import as_key, tile_rows

Z = 6.11
RNG = np.random.default_rng(7)
A = np.array([[1.5, 2.0, 0.3], [4.0, 5.0, 6.0]])
Q = Dirichlet(A)


def exact(x, a):
    with mpmath.workdps(60):
        x, a = [mpmath.mpf(float(v)) for v in x], [mpmath.mpf(float(v)) for v in a]
        power = mpmath.fsum((ai - 1) * mpmath.log(xi) for xi, ai in zip(x, a, strict=True))
        return power + mpmath.loggamma(mpmath.fsum(a)) - mpmath.fsum(map(mpmath.loggamma, a))


@pytest.mark.parametrize("size", [2, 3, 10])
@pytest.mark.parametrize("scale", [1e-300, 1e-8, 1e-3, 0.5, 1.0, 30.0, 1e3, 1e8, 1e10, 1e15])
def test_log_density_agrees_with_sixty_digits(scale, size):
    a = scale * RNG.uniform(0.5, 1.5, size)
    q = Dirichlet(a)
    for x in [*q.sample(5, rng=1), *RNG.dirichlet(np.ones(size), 5)]:
        truth = exact(x, a)
        assert abs(q.log_prob(x) - truth) <= 2e-14 * max(1, abs(truth))


def test_concentrations_of_very_different_sizes_keep_their_digits():
    a = np.array([1e-300, 1e10, 1.0])
    for x in Dirichlet(a).sample(5, rng=1):
        truth = exact(x, a)
        assert abs(Dirichlet(a).log_prob(x) - truth) <= 2e-14 * max(1, abs(truth))


def test_two_components_are_a_beta():
    x = Beta(2.5, 0.7).sample(100, rng=0)
    both = np.stack([x, 1.0 - x], axis=-1)
    np.testing.assert_allclose(Dirichlet([2.5, 0.7]).log_prob(both), Beta(2.5, 0.7).log_prob(x), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(Dirichlet([2.5, 0.7]).entropy(), Beta(2.5, 0.7).entropy(), rtol=1e-14)


def test_shapes_and_blocks():
    z = Q.sample(5, rng=0)
    assert (Q.batch_shape, Q.event_shape, z.shape) == ((2,), (3,), (5, 2, 3))
    assert Q.log_prob(z).shape == (5, 2)
    np.testing.assert_array_equal(Q._log_prob_block(z), Q.log_prob(z))
    x = z[0, 0]
    np.testing.assert_array_equal(Q.log_prob(x), Q.log_prob(np.stack([x, x])))
    np.testing.assert_array_equal(Dirichlet(A[0]).log_prob(z[:, :1]).shape, (5, 1))


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


def test_single_precision_vectors_are_on_the_simplex():
    single = Dirichlet(np.float32(A[1]))
    z = single.sample(1000, rng=0)
    assert z.dtype == single.log_prob(z).dtype == np.float32
    assert np.all(np.isfinite(single.log_prob(z)))


def test_derivatives_agree_with_differences():
    x, weights = Q.sample(4, rng=2), RNG.normal(size=(4, 2))
    check_grads(lambda a: anp.sum(weights * Dirichlet(a).log_prob(x)), modes=["rev"], order=1)(A)
    check_grads(lambda a: anp.sum(Dirichlet(a).log_prob(x)), modes=["rev"], order=1)(A[0])
    check_grads(lambda a: Dirichlet(a).entropy(), modes=["rev"], order=1)(A)
    check_grads(lambda a: Dirichlet(a).covariance(), modes=["rev"], order=1)(A)
    score = Q.score(x)
    np.testing.assert_allclose(score["value"], (A - 1.0) / x, rtol=1e-14)
    slope = grad(lambda v: anp.sum(weights * Q.log_prob(v)))(x)
    np.testing.assert_allclose(slope, weights[..., None] * (A - 1.0) / x, rtol=1e-14)
    np.testing.assert_allclose(
        grad(lambda a: anp.sum(Dirichlet(a).log_prob(x)))(A), score["concentration"].sum(axis=0), rtol=1e-13
    )
    large = Dirichlet([1e10, 2e10])
    v = large.sample(rng=0)
    with mpmath.workdps(50):
        truth = [
            mpmath.log(mpmath.mpf(float(t))) + mpmath.digamma(3e10) - mpmath.digamma(a)
            for t, a in zip(v, (1e10, 2e10), strict=True)
        ]
    np.testing.assert_allclose(large.score(v)["concentration"], np.array(truth, float), atol=1e-15)


def test_fisher_information_is_the_mean_square_of_the_score():
    q = Dirichlet(A[1])
    score = q.score(q.sample(100_000, rng=3))["concentration"]
    products = score[:, :, None] * score[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(score))
    assert np.all(np.abs(products.mean(axis=0) - q.fisher()) < Z * error)
    assert (2 * Z * error).max() < 0.5 * np.abs(q.fisher()).max(), "test too weak"
    assert Q.fisher().shape == (2, 3, 3)


def test_moments_are_those_of_scipy_and_of_the_draws():
    for a, q in zip(A, (Dirichlet(a) for a in A), strict=True):
        other = stats.dirichlet(a)
        np.testing.assert_allclose(q.mean(), other.mean(), rtol=1e-14)
        np.testing.assert_allclose(q.variance(), other.var(), rtol=1e-13)
        np.testing.assert_allclose(q.covariance(), other.cov(), rtol=1e-13)
        np.testing.assert_allclose(q.entropy(), other.entropy(), rtol=1e-12)
    n = 100_000
    z = Q.sample(n, rng=4)
    assert np.all(np.abs(z.mean(axis=0) - Q.mean()) < Z * Q.stddev() / np.sqrt(n))
    deviations = z - Q.mean()
    products = deviations[..., :, None] * deviations[..., None, :]
    assert np.all(np.abs(products.mean(axis=0) - Q.covariance()) < Z * products.std(axis=0) / np.sqrt(n))
    logs = Q.log_prob(z)
    assert np.all(np.abs(logs.mean(axis=0) + Q.entropy()) < Z * logs.std(axis=0) / np.sqrt(n))


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


def test_draws_do_not_depend_on_how_they_are_cut():
    first = tile_rows(Q.elements)
    whole = Q._draw(as_key(5), 0, 3 * first + 1)
    np.testing.assert_array_equal(Q._draw(as_key(5), first, 2 * first + 1), whole[first:])
    assert not Q.pathwise
    with pytest.raises(NotImplementedError, match="Dirichlet has no pathwise derivative"):
        Q.transport(np.zeros(3))


def test_the_mode_is_inside_or_nowhere():
    np.testing.assert_allclose(Q.mode(), [[np.nan] * 3, [3 / 12, 4 / 12, 5 / 12]])
    q = Dirichlet(A[1])
    assert np.all(q.log_prob(q.mode()) >= q.log_prob(q.sample(1000, rng=8)))


def test_copies_and_texts():
    for other in (pickle.loads(pickle.dumps(Q)), copy.deepcopy(Q)):
        np.testing.assert_array_equal(other.sample(3, rng=0), Q.sample(3, rng=0))
    assert repr(Dirichlet([1.0, 2.0])) == "Dirichlet(concentration=[1., 2.])"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Dirichlet(1.0), "Dirichlet: concentration must have shape (..., d) with d >= 1; got ()."),
        (lambda: Dirichlet([1.0, 0.0]), "Dirichlet: concentration must be positive and finite; got 0.0 at index (1,)."),
        (lambda: Q.log_prob([0.5, 0.5]), "Dirichlet: value must have shape (..., 3); got (2,)."),
    ],
)
def test_wrong_arguments_are_named(make, text):
    with pytest.raises(ValueError) as raised:
        make()
    assert str(raised.value) == text
