"""Differences under common draws, against the errors of draws that are repeated and against closed forms."""

import math
from concurrent.futures import ProcessPoolExecutor
from functools import partial

import numpy as np
import pytest
from autograd import grad

import mcvi
from mcvi.distributions import Beta, Independent, Laplace, MultivariateNormalDiag, Normal

P = Normal(0.3, 1.2)
Q = Normal(0.0, 1.0)
Z = Q.sample(40, rng=3)
LOG_W = P.log_prob(Z) - Q.log_prob(Z)


def tempered(z):
    return 0.7 * P.log_prob(z) + 0.1 * np.sin(z)


def contributions():
    """Return (estimator, contribution of each draw of Z), written out in NumPy."""
    w = np.exp(LOG_W)
    half, many = np.exp(0.5 * LOG_W), np.exp(-1.5 * LOG_W)
    tiny = np.exp(1e-3 * LOG_W)
    f = np.sin(Z)
    return {
        "mean": (partial(mcvi.expectation, np.sin, Q), f),
        "importance": (partial(mcvi.expectation_importance_sampler, np.sin, P.log_prob, Q), f * w),
        "log space": (
            partial(mcvi.expectation_importance_sampler_logspace, np.cos, P.log_prob, Q),
            np.exp(np.cos(Z)) * w / np.mean(np.exp(np.cos(Z)) * w),
        ),
        "self-normalised": (
            partial(mcvi.expectation_self_normalized, np.sin, P.log_prob, Q),
            w * (f - np.sum(w * f) / np.sum(w)) / np.mean(w),
        ),
        "entropy": (partial(mcvi.entropy_shannon, Q, form="sample"), -Q.log_prob(Z)),
        "bound": (partial(mcvi.elbo_ratio, P.log_prob, Q, form="sample"), LOG_W),
        "bound with entropy": (partial(mcvi.elbo_ratio, P.log_prob, Q), P.log_prob(Z)),
        "divergence": (lambda z: -mcvi.elbo_ratio(P.log_prob, Q, z=z, form="sample"), -LOG_W),
        "order 1": (partial(mcvi.renyi_ratio, P.log_prob, Q, 1.0), LOG_W),
        "order 0.5": (partial(mcvi.renyi_ratio, P.log_prob, Q, 0.5), half / np.mean(half) / 0.5),
        "order 2.5": (partial(mcvi.renyi_ratio, P.log_prob, Q, 2.5), many / np.mean(many) / -1.5),
        "order near 1": (partial(mcvi.renyi_ratio, P.log_prob, Q, 0.999), (tiny / np.mean(tiny) - 1) / 1e-3),
        "twice, shifted": (lambda z: 2.0 * mcvi.elbo_ratio(P.log_prob, Q, z=z) - 1.0, 2.0 * P.log_prob(Z)),
    }


CASES = contributions()


@pytest.mark.parametrize("a", CASES)
@pytest.mark.parametrize("b", ["bound", "order 0.5", "self-normalised"])
def test_the_error_is_that_of_the_mean_difference_of_contributions(a, b):
    (first, phi_a), (second, phi_b) = CASES[a], CASES[b]
    difference = mcvi.difference(first, second, z=Z)
    assert difference.value == pytest.approx(float(first(z=Z)) - float(second(z=Z)), abs=1e-15)
    assert difference.standard_error == pytest.approx(np.std(phi_a - phi_b, ddof=1) / math.sqrt(len(Z)), rel=1e-11)
    assert difference.n == len(Z)


@pytest.mark.parametrize("name", CASES)
def test_what_is_subtracted_from_an_exact_number_keeps_its_error(name):
    estimator, _ = CASES[name]
    exact = mcvi.entropy_shannon(Q)
    difference = mcvi.difference(estimator, lambda **_: exact, z=Z)
    own = estimator(z=Z)
    assert difference.standard_error == pytest.approx(own.standard_error, rel=1e-11)
    assert difference.value == own.value - exact.value
    assert (difference.bias is None) == (own.bias is None)
    assert mcvi.difference(lambda **_: exact, estimator, z=Z).value == exact.value - own.value
    assert mcvi.difference(lambda **_: exact, lambda **_: exact, z=Z).standard_error == 0.0


def test_the_same_twice_differs_by_nothing():
    bound = partial(mcvi.renyi_ratio, tempered, Q, 0.3)
    difference = mcvi.difference(bound, bound, n=50_000, rng=0)
    assert (difference.value, difference.standard_error, difference.bias) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (partial(mcvi.renyi_ratio, P.log_prob, Q, 0.5), partial(mcvi.elbo_ratio, P.log_prob, Q, form="sample")),
        (
            partial(mcvi.renyi_ratio, P.log_prob, Normal(0.2, 1.4), 0.0),
            partial(mcvi.renyi_ratio, P.log_prob, Normal(0.25, 1.5), 0.0),
        ),
    ],
    ids=["two orders", "two proposals"],
)
def test_the_error_is_the_spread_of_the_difference_over_repeated_runs(first, second):
    runs = [mcvi.difference(first, second, n=2000, rng=seed) for seed in range(200)]
    values = np.array([float(run) for run in runs])
    errors = np.array([float(run.standard_error) for run in runs])
    naive = math.hypot(first(n=2000, rng=0).standard_error, second(n=2000, rng=0).standard_error)
    # The standard deviation of 200 runs is known to 5 %: six of these, and the seeds are fixed.
    assert np.std(values, ddof=1) == pytest.approx(np.sqrt(np.mean(errors**2)), rel=0.3)
    assert np.mean(errors) < 0.7 * naive


def test_batches_orders_and_scales_keep_their_places():
    q = Normal([0.0, 0.5, 1.0], 1.0)
    a = partial(mcvi.renyi_curve, P.log_prob, q, [0.2, 0.8])
    b = partial(mcvi.elbo_ratio, P.log_prob, q, form="sample")
    whole = mcvi.difference(a, b, n=5000, rng=1)
    assert whole.shape == whole.standard_error.shape == (2, 3)
    for i, alpha in enumerate([0.2, 0.8]):
        row = mcvi.difference(partial(mcvi.renyi_ratio, P.log_prob, q, alpha), b, n=5000, rng=1)
        np.testing.assert_allclose(whole.value[i], row.value, rtol=1e-13)
        np.testing.assert_allclose(whole.standard_error[i], row.standard_error, rtol=1e-10)
        np.testing.assert_allclose(whole.khat[i], row.khat, rtol=1e-13)
        assert row.independent == (0,)
    c = np.array([1.0, 2.0, 3.0])
    scaled = mcvi.difference(lambda **d: c * a(**d), lambda **d: c * b(**d), n=5000, rng=1)
    np.testing.assert_allclose(scaled.standard_error, whole.standard_error * c, rtol=1e-12)
    single = partial(mcvi.expectation, np.sin, Q)
    wide = mcvi.difference(lambda **d: c * single(**d), single, n=100, rng=1)
    np.testing.assert_allclose(wide.standard_error, abs(c - 1.0) * single(n=100, rng=1).standard_error, atol=1e-15)


def test_the_bits_do_not_depend_on_the_executor():
    a = partial(mcvi.renyi_ratio, tempered, Q, 0.5)
    b = partial(mcvi.renyi_ratio, P.log_prob, Q, 0.5)
    alone = mcvi.difference(a, b, n=300_000, rng=1, block_size=5000)
    with ProcessPoolExecutor(2) as pool:
        shared = mcvi.difference(a, b, n=300_000, rng=1, block_size=5000, executor=pool)
    assert (alone.value, alone.standard_error) == (shared.value, shared.standard_error)


def test_its_gradient_is_the_difference_of_the_gradients():
    def bound(alpha, loc, **draws):
        return mcvi.renyi_ratio(P.log_prob, Normal(loc, 1.0), alpha, **draws)

    def value(loc):
        return mcvi.difference(partial(bound, 0.5, loc), partial(bound, 0.0, loc), n=100, rng=0)

    own = [grad(lambda loc, a=alpha: bound(a, loc, n=100, rng=0))(0.2) for alpha in (0.5, 0.0)]
    assert grad(value)(0.2) == pytest.approx(own[0] - own[1], rel=1e-12)


ELBO = partial(mcvi.elbo_ratio, P.log_prob, Q)


@pytest.mark.parametrize(
    ("first", "second", "arguments", "error", "sentence"),
    [
        (ELBO, ELBO, {}, ValueError, "specify exactly one of n (number of draws) and z (draws from q); got neither."),
        (1.0, ELBO, {"n": 10}, TypeError, "first must be callable; got float."),
        (ELBO, lambda **_: 1.0, {"n": 10}, TypeError, "second must return an Estimate; got float."),
        (ELBO, ELBO, {"n": 0}, ValueError, "n must be a positive integer; got 0."),
        (ELBO, ELBO, {"n": 10, "block_size": 0}, ValueError, "block_size must be a positive integer; got 0."),
        (
            ELBO,
            lambda **d: mcvi.renyi_curve(P.log_prob, Q, [0.0, 0.5], **d)[0],
            {"n": 10},
            ValueError,
            "second must return what one call of an estimator returned, at most multiplied and shifted; got an "
            "estimate (Renyi ratio (fused path)) that does not say which draws it came from.",
        ),
        (
            ELBO,
            partial(mcvi.elbo_ratio, P.log_prob, Laplace(0.0, 1.0)),
            {"n": 10},
            ValueError,
            "first and second draw from Normal (1 numbers a draw) and Laplace (1 numbers a draw), which do not share "
            "their noise draw by draw. Use one proposal, or two of the same family and size; or draws that are "
            "independent (another rng for each), whose errors add in quadrature.",
        ),
        (
            lambda **_: ELBO(n=10, rng=0),
            lambda **_: ELBO(n=20, rng=0),
            {"n": 10},
            ValueError,
            "first and second must take the same draws; got 10 and 20 of them. Hand the arguments that each is called "
            "with on to its estimator.",
        ),
        (
            partial(mcvi.elbo_ratio, P.log_prob, Normal([0.0, 1.0, 2.0], 1.0)),
            partial(mcvi.elbo_ratio, P.log_prob, Normal([0.0, 1.0], 1.0)),
            {"n": 10},
            ValueError,
            "first and second must return estimates of one shape, or of shapes that broadcast; got (3,) and (2,).",
        ),
        (
            partial(mcvi.renyi_ratio, P.log_prob, Q, np.linspace(0.0, 1.0, 10)),
            ELBO,
            {"n": 10},
            NotImplementedError,
            "a Renyi ratio of an order a draw has no error draw by draw, so that no other can be paired with it.",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused_in_a_sentence(first, second, arguments, error, sentence):
    with pytest.raises(error) as caught:
        mcvi.difference(first, second, rng=0, **arguments)
    assert str(caught.value) == sentence


class Own:
    """A sampler of a user's."""

    batch_shape = event_shape = ()

    def sample(self, n, *, rng):
        return rng.standard_normal(n)

    def log_prob(self, z):
        return Q.log_prob(z)


GENERATOR = np.random.default_rng(0)
OWN = partial(mcvi.elbo_ratio, P.log_prob, Own())


@pytest.mark.parametrize(
    ("first", "second", "got"),
    [
        (lambda **_: ELBO(z=Z), lambda **_: ELBO(n=40, rng=0), "z= for one of them and n= for the other"),
        (lambda **_: ELBO(n=40, rng=0), lambda **_: ELBO(z=Z), "z= for one of them and n= for the other"),
        (lambda **_: ELBO(z=Z), lambda **_: ELBO(z=Z[::-1]), "two arrays z= that differ"),
        (lambda **_: ELBO(n=40, rng=0), lambda **_: ELBO(n=40, rng=1), "rng=Key"),
        (lambda **_: ELBO(n=40, rng=GENERATOR), lambda **_: ELBO(n=40, rng=GENERATOR), "rng=Key"),
        (lambda **d: OWN(**d, block_size=10), lambda **d: OWN(**d, block_size=20), "blocks of 10 draws and of 20"),
    ],
    ids=["z and n", "n and z", "two z", "two seeds", "one generator twice", "blocks"],
)
def test_other_draws_in_one_than_in_the_other_are_refused(first, second, got):
    with pytest.raises(
        ValueError, match=r"^first and second must take the same draws; got .*its estimator\.$"
    ) as caught:
        mcvi.difference(first, second, n=40, rng=0)
    assert got in str(caught.value)


def test_equal_draws_and_equal_keys_are_the_same_draws():
    same = mcvi.difference(lambda **_: ELBO(z=Z), lambda **_: ELBO(z=Z.copy()), n=1, rng=0)
    keyed = mcvi.difference(
        lambda **_: ELBO(n=40, rng=0), lambda **_: ELBO(n=40, rng=mcvi.random.as_key(0)), n=1, rng=0
    )
    assert (same.value, same.standard_error, keyed.value, keyed.standard_error) == (0.0, 0.0, 0.0, 0.0)


def test_a_refused_difference_leaves_the_generator_where_it_was():
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    for arguments in ({"n": 0}, {"n": 10, "z": Z}):
        with pytest.raises(ValueError, match="n"):
            mcvi.difference(ELBO, ELBO, rng=generator, **arguments)
    assert generator.bit_generator.state == before


def test_families_are_compared_by_what_is_inside():
    a = partial(mcvi.expectation, lambda z: z[:, 0], Independent(Normal([0.0, 1.0], 1.0), 1))
    b = partial(mcvi.expectation, lambda z: z[:, 0], Independent(Normal([0.5, 1.0], 1.0), 1))
    assert mcvi.difference(a, b, n=1000, rng=0).standard_error < 1e-16
    for other in (Independent(Beta([1.0, 2.0], 1.0), 1), MultivariateNormalDiag([0.0, 1.0], [1.0, 1.0])):
        with pytest.raises(ValueError, match="do not share their noise"):
            mcvi.difference(a, partial(mcvi.expectation, lambda z: z[:, 0], other), n=1000, rng=0)


def test_estimates_outside_a_difference_do_not_hold_on_to_their_draws():
    mcvi.difference(ELBO, ELBO, n=10, rng=0)
    assert ELBO(n=10, rng=0).source is None


@pytest.mark.parametrize("estimator", [mcvi.expectation_importance_sampler, mcvi.expectation_self_normalized])
def test_a_draw_of_weight_zero_contributes_nothing_whatever_f_is_there(estimator):
    def half(z):
        return np.where(z > 0.0, P.log_prob(z), -np.inf)

    def differences(f):
        first = partial(estimator, f, half, Q)
        return mcvi.difference(first, partial(mcvi.renyi_ratio, P.log_prob, Q, 0.5), z=Z)

    plain, infinite = differences(np.sin), differences(lambda z: np.where(z > 0.0, np.sin(z), -np.inf))
    assert (plain.value, plain.standard_error) == (infinite.value, infinite.standard_error)
