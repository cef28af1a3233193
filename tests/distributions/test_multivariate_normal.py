"""MultivariateNormalDiag and MultivariateNormalTriL."""

import pickle

import mpmath
import numpy as np
import pytest
from autograd import elementwise_grad, grad
from autograd import numpy as anp
from autograd.test_util import check_grads

from mcvi.distributions import MultivariateNormalDiag, MultivariateNormalTriL, Normal
from mcvi.random import as_key, tile_rows

Z = 6.11
EPS = np.finfo(float).eps
D = 3
RNG = np.random.default_rng(20260101)
LOC = RNG.normal(size=(4, D))
TRIL = np.tril(RNG.normal(size=(2, 1, D, D)), -1) + np.eye(D) * RNG.uniform(0.5, 2.0, size=(2, 1, 1, D))
SCALE = RNG.uniform(0.5, 2.0, size=(2, 1, D))
FAMILIES = [MultivariateNormalDiag(LOC, SCALE), MultivariateNormalTriL(LOC, TRIL)]
both = pytest.mark.parametrize("q", FAMILIES, ids=lambda q: type(q).__name__)


def exact_log_density(x, loc, tril):
    with mpmath.workdps(40):
        size = len(loc)
        y = []
        for i in range(size):
            partial = mpmath.mpf(x[i]) - mpmath.mpf(loc[i]) - sum(mpmath.mpf(tril[i][j]) * y[j] for j in range(i))
            y.append(partial / mpmath.mpf(tril[i][i]))
        value = -sum(v * v for v in y) / 2 - size * mpmath.log(2 * mpmath.pi) / 2
        return float(value - sum(mpmath.log(mpmath.mpf(tril[i][i])) for i in range(size)))


def as_tril(q):
    return q.scale_tril if hasattr(q, "scale_tril") else np.where(np.eye(D, dtype=bool), q.scale_diag[..., None], 0.0)


@both
def test_batches_of_loc_and_scale_broadcast_against_each_other(q):
    assert (q.batch_shape, q.event_shape) == ((2, 4), (D,))
    z = q.sample(5, rng=0)
    assert z.shape == (5, 2, 4, D)
    assert q.log_prob(z).shape == (5, 2, 4)
    assert q._log_prob_block(z).shape == (5, 8)
    assert q.mean().shape == q.mode().shape == q.variance().shape == q.stddev().shape == (2, 4, D)
    assert q.covariance().shape == (2, 4, D, D)
    assert q.entropy().shape == (2, 4)


@both
def test_log_density_agrees_with_forty_digits(q):
    z = q.sample(3, rng=0) * 3.0
    exact = np.empty((3, 2, 4))
    tril = as_tril(q)
    for n, a, b in np.ndindex(exact.shape):
        exact[n, a, b] = exact_log_density(z[n, a, b], LOC[b], tril[a, 0])
    error = np.abs(q.log_prob(z) - exact) / np.maximum(1.0, np.abs(exact))
    assert error.max() < 1e-14
    np.testing.assert_allclose(q._log_prob_block(z).reshape(exact.shape), exact, rtol=1e-14)


@pytest.mark.parametrize("condition", [1e2, 1e6, 1e10, 1e14])
def test_the_error_of_an_ill_conditioned_density_is_within_its_bound(condition):
    size = 6
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(size, size)))[0]
    # The condition of the covariance: that of the factor is its square root.
    factor = rotation * np.geomspace(1.0, condition**-0.5, size)
    tril = np.linalg.qr(factor.T)[1].T
    tril = np.tril(tril * np.sign(np.diag(tril)))
    loc = np.arange(size) / 3.0
    q = MultivariateNormalTriL(loc, tril)
    for x in q.sample(5, rng=0):
        exact = exact_log_density(x, loc, tril)
        bound = 50 * size * EPS * condition
        assert abs(q.log_prob(x) - exact) / max(1.0, abs(exact)) <= bound


@both
def test_derivatives_agree_with_differences(q):
    weights = RNG.normal(size=(5, 2, 4))
    z = q.sample(5, rng=1)
    family, (loc, scale) = type(q), q.parameters.values()
    mask = np.tril(np.ones((D, D))) if scale.ndim > 3 else 1.0

    def density(z, loc, scale):
        return anp.sum(weights * family(loc, scale * mask).log_prob(z))

    def draws(loc, scale):
        return anp.sum(weights[..., None] * family(loc, scale * mask).sample(5, rng=2) ** 2)

    def entropy(scale):
        return anp.sum(family(LOC, scale * mask).entropy())

    check_grads(density, modes=["rev"], order=1)(z, loc, scale)
    check_grads(draws, modes=["rev"], order=1)(loc, scale)
    check_grads(entropy, modes=["rev"], order=1)(scale)


def test_one_event_without_axes_of_draws_or_batch_has_derivatives():
    loc, tril, x = LOC[0], TRIL[0, 0], np.array([0.3, -1.0, 2.0])

    def density(x, loc, tril):
        return MultivariateNormalTriL(loc, tril * np.tril(np.ones((D, D)))).log_prob(x)

    check_grads(density, modes=["rev"], order=1)(x, loc, tril)


@both
def test_score_is_the_derivative_of_the_log_density(q):
    z = q.sample(5, rng=1)
    score = q.score(z)
    assert list(score) == ["value", *q.parameters]
    np.testing.assert_allclose(score["value"], elementwise_grad(q.log_prob)(z), rtol=1e-12)
    family, (loc, scale) = type(q), q.parameters.values()
    name = list(q.parameters)[1]
    np.testing.assert_allclose(
        score["loc"].sum(axis=(0, 1)), grad(lambda v: family(v, scale).log_prob(z).sum())(loc), rtol=1e-12
    )
    np.testing.assert_allclose(
        score[name].sum(axis=(0, 2))[:, None],
        grad(lambda v: family(loc, v).log_prob(z).sum())(scale),
        rtol=1e-11,
        atol=1e-13,
    )


@both
def test_fisher_information_is_the_mean_square_of_the_score(q):
    family = type(q)
    one = family(LOC[0], q.parameters["scale_diag"][0, 0] if family is MultivariateNormalDiag else TRIL[0, 0])
    score = one.score(one.sample(200_000, rng=3))
    rows, columns = np.tril_indices(D)
    last = score["scale_diag"] if family is MultivariateNormalDiag else score["scale_tril"][:, rows, columns]
    flat = np.concatenate([score["loc"], last], axis=1)
    products = flat[:, :, None] * flat[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(flat))
    information = one.fisher()
    assert np.all(np.abs(products.mean(axis=0) - information) <= Z * error + 1e-12)
    assert (2 * Z * error).max() < 0.4 * np.abs(information).max(), "test too weak"
    assert q.fisher().shape == (2, 4, flat.shape[1], flat.shape[1])


@both
def test_moments_of_draws_are_those_of_the_formulas(q):
    n = 100_000
    z = q.sample(n, rng=4)
    assert np.all(np.abs(z.mean(axis=0) - q.mean()) < Z * q.stddev() / np.sqrt(n))
    deviations = z - q.mean()
    products = deviations[..., :, None] * deviations[..., None, :]
    assert np.all(np.abs(products.mean(axis=0) - q.covariance()) < Z * products.std(axis=0) / np.sqrt(n))
    np.testing.assert_allclose(np.diagonal(q.covariance(), axis1=-2, axis2=-1), q.variance(), rtol=1e-14)
    log_determinant = np.linalg.slogdet(q.covariance())[1]
    np.testing.assert_allclose(q.entropy(), 0.5 * log_determinant + 0.5 * D * np.log(2 * np.pi * np.e), rtol=1e-12)


@both
def test_draws_are_transported_noise_and_do_not_depend_on_how_they_are_cut(q):
    np.testing.assert_allclose(q.transport(q.noise(7, rng=5)), q.sample(7, rng=5), rtol=1e-14)
    first = tile_rows(q.elements)
    whole = q._draw(as_key(5), 0, 3 * first + 1)
    np.testing.assert_array_equal(q._draw(as_key(5), first, 2 * first + 1), whole[first:])


def test_a_diagonal_factor_and_a_diagonal_scale_are_the_same_distribution():
    diagonal = MultivariateNormalDiag(LOC, SCALE)
    full = MultivariateNormalTriL(LOC, as_tril(diagonal))
    z = diagonal.sample(50, rng=6)
    np.testing.assert_allclose(full.sample(50, rng=6), z, rtol=1e-15)
    np.testing.assert_allclose(full.log_prob(z), diagonal.log_prob(z), rtol=1e-13)
    np.testing.assert_allclose(diagonal.log_prob(z), Normal(LOC, SCALE).log_prob(z).sum(axis=-1), rtol=1e-15)


@both
def test_infinity_is_outside_and_nan_stays_nan(q):
    z = np.zeros((4, 2, 4, D))
    z[0, ..., 0] = np.inf
    z[1, ..., 1] = -np.inf
    z[2, ..., 2] = np.nan
    z[3, ..., 0], z[3, ..., 1] = np.inf, np.nan
    for log_density in (q.log_prob(z).reshape(4, -1), q._log_prob_block(z)):
        assert np.all(log_density[:2] == -np.inf)
        assert np.all(np.isnan(log_density[2:]))


@both
def test_a_value_may_have_more_or_fewer_axes_than_the_batch(q):
    x = np.array([0.5, -0.5, 1.0])
    expected = q.log_prob(np.broadcast_to(x, (2, 4, D)))
    np.testing.assert_array_equal(q.log_prob(x), expected)
    np.testing.assert_array_equal(q.log_prob(x.reshape(1, 1, 1, D)), expected[None])
    scale = TRIL[0, 0] if type(q) is MultivariateNormalTriL else SCALE[0, 0]
    one = type(q)(LOC[0], scale)
    np.testing.assert_array_equal(one.log_prob(np.broadcast_to(x, (5, 7, D))), np.full((5, 7), one.log_prob(x)))


def test_single_precision_parameters_give_single_precision_results():
    q = MultivariateNormalTriL(np.float32(LOC[0]), np.float32(TRIL[0, 0]))
    assert q.sample(3, rng=0).dtype == q.log_prob(LOC[0]).dtype == q.covariance().dtype == np.float32
    q = MultivariateNormalDiag(np.float32(LOC[0]), np.float32(SCALE[0, 0]))
    assert q.sample(3, rng=0).dtype == q.log_prob(LOC[0]).dtype == q.entropy().dtype == np.float32


@both
def test_a_pickled_copy_is_the_same_distribution(q):
    q.sample(1, rng=0)
    copy = pickle.loads(pickle.dumps(q))
    np.testing.assert_array_equal(copy.sample(3, rng=0), q.sample(3, rng=0))
    assert repr(copy) == repr(q)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: MultivariateNormalDiag(0.0, [1.0]),
            "MultivariateNormalDiag: loc must have shape (..., d) with d >= 1; got ().",
        ),
        (
            lambda: MultivariateNormalDiag([0.0], [-1.0]),
            "scale_diag must be positive and finite; got -1.0 at index (0,).",
        ),
        (
            lambda: MultivariateNormalDiag(np.zeros(3), np.ones((5, 2))),
            "the parameters must have the same d and batches that broadcast; got shapes loc (3,), scale_diag (5, 2).",
        ),
        (
            lambda: MultivariateNormalTriL(np.zeros((4, 2)), np.broadcast_to(np.eye(2), (3, 2, 2))),
            "the same d and batches that broadcast; got shapes loc (4, 2), scale_tril (3, 2, 2).",
        ),
        (
            lambda: MultivariateNormalTriL([0.0, 0.0], [[1.0, 0.5], [0.5, 1.0]]),
            "scale_tril must be lower triangular; got 0.5 at index (0, 1). For a covariance matrix pass",
        ),
        (
            lambda: MultivariateNormalTriL([0.0, 0.0], [[1.0, 0.0], [0.5, 0.0]]),
            "the diagonal of scale_tril must be positive; got 0.0 at index (1, 1).",
        ),
        (lambda: MultivariateNormalTriL([0.0], [1.0]), "scale_tril must have shape (..., d, d) with d >= 1; got (1,)."),
        (lambda: MultivariateNormalTriL([np.nan], [[1.0]]), "loc must be finite; got nan at index (0,)."),
        (
            lambda: FAMILIES[1].log_prob(np.zeros((5, 2))),
            "MultivariateNormalTriL: value must have shape (..., 3); got (5, 2).",
        ),
        (lambda: FAMILIES[0].log_prob(0.0), "MultivariateNormalDiag: value must have shape (..., 3); got ()."),
    ],
)
def test_wrong_arguments_are_named(make, text):
    with pytest.raises(ValueError) as raised:
        make()
    assert text in str(raised.value)


def test_a_second_derivative_is_refused_in_a_sentence():
    with pytest.raises(NotImplementedError, match="second derivatives of log_prob are not available"):
        grad(lambda x: grad(lambda v: FAMILIES[1].log_prob(v).sum())(x).sum())(np.zeros(D))
