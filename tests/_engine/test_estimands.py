"""Estimators of a batch are those of its members, of several functions those of each: in value, error and gradient."""

import math

import numpy as np
import pytest
from autograd import grad, jacobian
from autograd import numpy as anp

import mcvi
from mcvi.distributions import Exponential, Laplace, MultivariateNormalDiag, Normal, Poisson
from mcvi.random import Key
from mcvi.stochastic import with_gradient
from tests._engine.test_draws import Own

P = Normal(0.3, 1.2)
FIELDS = ("value", "standard_error", "bias", "ess", "khat")


def f(z):
    return anp.sin(z) + 0.3 * z


def log_f(z):
    return -0.5 * (z - 0.2) ** 2


def each(q, z):
    """Return every estimator at given draws of a proposal."""
    return {
        "expectation": mcvi.expectation(f, q, z=z),
        "importance": mcvi.expectation_importance_sampler(f, P.log_prob, q, z=z),
        "log space": mcvi.expectation_importance_sampler_logspace(log_f, P.log_prob, q, z=z),
        "self-normalised": mcvi.expectation_self_normalized(f, P.log_prob, q, z=z),
        "entropy": mcvi.entropy_shannon(q, z=z, form="sample"),
        "bound": mcvi.elbo_ratio(P.log_prob, q, z=z),
        "bound by draws": mcvi.elbo_ratio(P.log_prob, q, z=z, form="sample"),
        "order 0": mcvi.renyi_ratio(P.log_prob, q, 0.0, z=z),
        "order near 1": mcvi.renyi_ratio(P.log_prob, q, 0.97, z=z),
        "order 2": mcvi.renyi_ratio(P.log_prob, q, 2.0, z=z),
        "an order a draw": mcvi.renyi_ratio(
            P.log_prob, q, np.linspace(0.0, 0.9, len(z)).reshape(-1, *(1,) * len(q.batch_shape)), z=z
        ),
        "curve": mcvi.renyi_curve(P.log_prob, q, [0.0, 0.5, 1.0], z=z),
    }


NAMES = list(each(Normal(0.0, 1.0), np.zeros(3) + 0.1))
BEFORE = {"an order a draw": 1, "curve": 1}  # axes of the answer in front of those of the batch


@pytest.mark.parametrize("batch", [(3,), (2, 3), (40,), (1,)])
@pytest.mark.parametrize("n", [1, 2, 3, 40])
def test_a_batch_is_its_members_one_by_one(batch, n):
    loc = np.linspace(-0.5, 0.5, math.prod(batch)).reshape(batch)
    q = Normal(loc, 1.3)
    z = q.sample(n, rng=0)
    together = each(q, z)
    for index in np.ndindex(batch):
        member = each(Normal(loc[index], 1.3), z[(slice(None), *index)])
        for name in NAMES:
            at = (*(slice(None),) * BEFORE.get(name, 0), *index)
            for field in FIELDS:
                whole, one = getattr(together[name], field), getattr(member[name], field)
                assert (whole is None) == (one is None), (name, field)
                if one is not None:
                    np.testing.assert_allclose(whole[at], one, rtol=1e-12, atol=1e-13, err_msg=f"{name} {field}")


@pytest.mark.parametrize("n", [2, 3, 5])
@pytest.mark.parametrize("source", ["n", "z"])
@pytest.mark.parametrize("name", [name for name in NAMES if name != "an order a draw"])
def test_a_batch_is_its_members_on_the_tape(name, n, source):
    # The batch has three members: n is less, the same and more.
    locs, noise = np.array([-0.5, 0.1, 0.6]), Normal(0.0, 1.0).sample(n, rng=0)

    def of(loc):
        q = Normal(loc, 1.3)
        z = q.transport(noise[:, None] * np.ones(np.shape(loc))) if np.ndim(loc) else q.transport(noise)
        return each(q, z)[name]

    def constant(loc):
        z = noise[:, None] * np.ones(3) if np.ndim(loc) else noise
        return each(Normal(loc, 1.3), z)[name]

    if source == "z" and name in ("expectation", "bound"):
        return  # nothing in it depends on the parameter
    for function in (of,) if source == "n" else (constant,):
        together = jacobian(function)(locs)
        for i, loc in enumerate(locs):
            one = jacobian(function)(loc)
            np.testing.assert_allclose(together[..., i, i], one, rtol=1e-11, atol=1e-14)
            for j in range(3):
                if j != i:
                    np.testing.assert_array_equal(together[..., j, i], 0.0 * one)


@pytest.mark.parametrize("name", NAMES)
def test_the_value_on_the_tape_is_the_estimate(name):
    q = Normal(np.array([-0.5, 0.1, 0.6]), 1.3)
    z = q.sample(50, rng=0)
    plain, held = each(q, z)[name], []

    def value(loc):
        traced = each(Normal(loc, 1.3), z)[name]
        held.append(getattr(traced, "_value", traced))
        return anp.sum(traced) + 0.0 * anp.sum(loc)

    grad(value)(q.loc)
    np.testing.assert_allclose(held[0], plain.value, rtol=1e-12, atol=1e-14)
    assert np.shape(held[0]) == plain.shape


# Functions of several values.

RESTS = [(), (1,), (2,), (2, 3), (0,)]


@pytest.mark.parametrize("rest", RESTS)
@pytest.mark.parametrize("batch", [(), (3,), (2, 3), (0,)])
@pytest.mark.parametrize(
    "estimator",
    [mcvi.expectation_importance_sampler, mcvi.expectation_self_normalized, mcvi.expectation],
    ids=lambda e: e.__name__,
)
def test_several_values_are_estimated_one_by_one(estimator, batch, rest):
    q = Normal(np.linspace(-0.5, 0.5, math.prod(batch)).reshape(batch), 1.3)
    powers = np.arange(1.0, 1.0 + math.prod(rest)).reshape(rest)

    def several(z):
        return anp.reshape(z, (*np.shape(z), *(1,) * len(rest))) ** powers

    target = () if estimator is mcvi.expectation else (P.log_prob,)
    found = estimator(several, *target, q, n=200, rng=0)
    assert found.shape == found.standard_error.shape == (*batch, *rest)
    assert found.independent == tuple(range(len(batch)))
    for index in np.ndindex(rest):
        one = estimator(lambda z, power=powers[index]: z**power, *target, q, n=200, rng=0)
        for field in FIELDS:
            whole, part = getattr(found, field), getattr(one, field)
            assert (whole is None) == (part is None)
            if whole is not None:
                np.testing.assert_allclose(whole[(..., *index)], part, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize(
    "estimator", [mcvi.expectation_importance_sampler, mcvi.expectation_self_normalized], ids=lambda e: e.__name__
)
def test_several_values_have_the_gradients_of_each(estimator, batch):
    loc = np.linspace(-0.5, 0.5, math.prod(batch)).reshape(batch)

    def several(z):
        return anp.stack([z, z**2, anp.sin(z)], axis=-1)

    def of(function):
        return jacobian(lambda m: estimator(function, P.log_prob, Normal(m, 1.3), n=20, rng=0))(loc)

    together = of(several)
    ones = [of(lambda z: z), of(lambda z: z**2), of(anp.sin)]
    assert together.shape == (*batch, 3, *batch)
    np.testing.assert_allclose(together, np.stack(ones, axis=len(batch)), rtol=1e-12, atol=1e-14)


def test_values_that_do_not_fit_are_refused_in_a_sentence():
    q = Normal([0.0, 1.0], 1.0)
    for bad, shape, wanted in (
        (lambda z: z[:, 0], "(5,)", "(5, 2)"),
        (lambda z: z[:, :, None, None][:3], "(3, 2, 1, 1)", "(5, 2, ...)"),
        (lambda z: np.zeros((5, 3, 4)), "(5, 3, 4)", "(5, 2, ...)"),
        (lambda z: 1.0, "()", "(5, 2)"),
    ):
        for estimator, target in (
            (mcvi.expectation, ()),
            (mcvi.expectation_importance_sampler, (P.log_prob,)),
            (mcvi.expectation_self_normalized, (P.log_prob,)),
        ):
            with pytest.raises(ValueError) as caught:
                estimator(bad, *target, q, n=5, rng=0)
            assert str(caught.value) == f"f returned shape {shape}; expected {wanted}."
            assert caught.value.__notes__ == ["raised in block 0: draws 0 to 4 of the draws of rng=" + f"{key_of(0)}."]


def key_of(seed):
    return repr(mcvi.expectation(f, Normal(0.0, 1.0), n=1, rng=seed).key)


def test_a_log_density_that_does_not_fit_is_refused_with_the_block_that_it_came_from():
    z = np.zeros((2**14 + 5, 2))

    def log_p(z):
        return np.zeros(len(z)) if len(z) == 5 else np.zeros((len(z), 2))

    with pytest.raises(ValueError) as caught:
        mcvi.elbo_ratio(log_p, Normal([0.0, 1.0], 1.0), z=z)
    assert str(caught.value) == "log_p returned shape (5,); expected (5, 2)."
    assert caught.value.__notes__ == ["raised in block 1: draws 16384 to 16388 of the draws given as z."]


# What a user's functions and classes return.

CONVERSIONS = {
    "lists": lambda x: np.asarray(x).tolist(),
    "float32": lambda x: np.asarray(x, np.float32),
    "tuples": lambda x: tuple(np.asarray(x)),
    "Fortran order": lambda x: np.asfortranarray(x),
    "strided": lambda x: np.repeat(np.asarray(x), 2, axis=0)[::2],
}


@pytest.mark.parametrize("n", [1, 2, 2**14, 2**14 + 1, 40_000])
@pytest.mark.parametrize("convert", CONVERSIONS.values(), ids=CONVERSIONS)
def test_what_a_user_returns_may_be_of_any_kind(convert, n):
    def run(convert):
        own = Own(convert)

        def log_p(z):
            return convert(-0.7 * np.asarray(z) ** 2)

        def g(z):
            return convert(np.cos(np.asarray(z)))

        return [
            mcvi.expectation(g, own, n=n, rng=0),
            mcvi.expectation_importance_sampler(g, log_p, own, n=n, rng=0),
            mcvi.expectation_importance_sampler_logspace(log_p, log_p, own, n=n, rng=0),
            mcvi.expectation_self_normalized(g, log_p, own, n=n, rng=0),
            mcvi.elbo_ratio(log_p, own, n=n, rng=0),
            mcvi.renyi_ratio(log_p, own, 0.5, n=n, rng=0),
            mcvi.renyi_ratio(log_p, own, 0.5, n=n, rng=0, block_size=max(n // 3, 1)),
            mcvi.entropy_shannon(own, n=n, rng=0, form="sample"),
        ]

    rtol = 2e-5 if convert is CONVERSIONS["float32"] else 1e-12
    for found, plain in zip(run(convert), run(np.asarray), strict=True):
        np.testing.assert_allclose(found.value, plain.value, rtol=rtol, atol=rtol / 10)
        np.testing.assert_allclose(found.standard_error, plain.standard_error, rtol=20 * rtol)


def test_whole_numbers_and_truth_values_are_numbers():
    q = Poisson(2.0)
    found = mcvi.expectation(lambda z: z > 1, q, n=1000, rng=0)
    z = q.sample(1000, rng=0)
    assert found.value == np.mean(z > 1)
    assert mcvi.expectation(lambda z: z, q, n=1000, rng=0).value == np.mean(z)


@pytest.mark.parametrize("n", [10, 2**14, 2**14 + 1, 50_000])
@pytest.mark.parametrize("kind", ["a family", "a user's class"])
def test_the_score_gradient_is_that_of_the_same_draws_given(n, kind):
    class Located(Own):
        def __init__(self, loc):
            super().__init__()
            self.loc = loc

        def sample(self, n, *, rng):
            return np.asarray(self.loc if np.isscalar(self.loc) else 0.5) + rng.normal(size=n)

        def log_prob(self, z):
            return -0.5 * (z - self.loc) ** 2

    if kind == "a family":

        def q_of(loc):
            return Exponential(loc)

        z = q_of(0.5).sample(n, rng=Key(3))
    else:

        def q_of(loc):
            return Located(loc)

        from mcvi._engine.draws import Draws

        draws = Draws.of(q_of(0.5), n, None, Key(3))
        draws.start()
        z = draws.whole()

    def gradient(**source):
        return grad(lambda loc: mcvi.expectation(f, q_of(loc), gradient="score", **source))(0.5)

    own, given = gradient(n=n, rng=Key(3)), gradient(z=z)
    assert own == pytest.approx(given, rel=1e-12)
    loc = 0.5
    score = (z - loc) if kind == "a user's class" else 1.0 / loc - z
    assert own == pytest.approx(np.mean(f(z) * score), rel=1e-12)


def test_the_score_gradient_takes_values_of_any_shape():
    def several(z):
        return anp.stack([z, z**2], axis=-1)

    def gradient(function):
        return jacobian(lambda loc: mcvi.expectation(function, Exponential(loc), n=50, rng=0, gradient="score"))(
            np.array([0.5, 1.0, 2.0])
        )

    together = gradient(several)
    assert together.shape == (3, 2, 3)
    np.testing.assert_allclose(together[:, 0], gradient(lambda z: z), rtol=1e-13)
    np.testing.assert_allclose(together[:, 1], gradient(lambda z: z**2), rtol=1e-13)


def test_a_target_that_leaves_an_axis_of_the_batch_at_length_one_is_repeated():
    q = Normal(np.zeros((2, 3)), 1.0)

    def narrow(z):
        return anp.sum(z, axis=2, keepdims=True)

    z = q.sample(30, rng=0)
    for estimate in (mcvi.elbo_ratio(narrow, q, z=z), mcvi.expectation(narrow, q, z=z)):
        assert estimate.shape == (2, 3)

    def traced(loc):
        e = mcvi.elbo_ratio(narrow, Normal(loc, 1.0), z=z) + mcvi.expectation(narrow, Normal(loc, 1.0), z=z * loc)
        assert np.shape(e._value) == (2, 3)
        return anp.sum(e)

    grad(traced)(np.ones((2, 3)))


def test_densities_of_wide_and_narrow_families_agree_with_their_functions():
    q = MultivariateNormalDiag(np.zeros((3, 2)), np.ones(2))
    z = q.sample(20, rng=0)
    for p in (
        MultivariateNormalDiag(np.ones(2), 2.0 * np.ones(2)),
        MultivariateNormalDiag(np.ones((3, 2)), np.ones(2)),
    ):
        family = mcvi.renyi_ratio(p.log_prob, q, 0.5, z=z)
        function = mcvi.renyi_ratio(lambda z, p=p: p.log_prob(z), q, 0.5, z=z)
        np.testing.assert_allclose(family.value, function.value, rtol=1e-13)
    with pytest.raises(ValueError) as caught:
        mcvi.elbo_ratio(Normal(np.zeros(2), 1.0).log_prob, Normal(np.zeros(3), 1.0), n=3, rng=0)
    assert str(caught.value) == "the batch_shape of log_p must broadcast to q.batch_shape (3,); got shape (2,)."


def test_values_that_are_not_finite_are_counted_where_they_are():
    q = Normal(0.0, 1.0)
    n = 2**14 + 100
    z = q.sample(n, rng=0)
    bad = np.flatnonzero(z > 2.5)

    def spoiled(z):
        return np.where(z > 2.5, np.nan, z)

    for run, names in (
        (lambda: mcvi.expectation(spoiled, q, n=n, rng=0), ["f"]),
        (lambda: mcvi.elbo_ratio(spoiled, q, n=n, rng=0), ["log_p"]),
        (lambda: mcvi.renyi_ratio(spoiled, q, 0.5, n=n, rng=0), ["log_p(z) - q.log_prob(z)"]),
        (
            lambda: mcvi.expectation_importance_sampler(spoiled, spoiled, q, n=n, rng=0),
            ["log_p(z) - q.log_prob(z)", "f"],
        ),
        (
            lambda: mcvi.expectation_importance_sampler_logspace(spoiled, P.log_prob, q, n=n, rng=0),
            ["log_f(z) + log_p(z) - q.log_prob(z)"],
        ),
        (lambda: mcvi.expectation_self_normalized(f, spoiled, q, n=n, rng=0), ["log_p(z) - q.log_prob(z)"]),
    ):
        with pytest.warns(mcvi.estimate.NonFiniteWarning) as caught:
            run()
        first = np.array2string(z[bad[0]], threshold=8)
        assert str(caught[0].message) == " ".join(
            f"{name} was nan or +inf {len(bad)} times in {n} values; first at draw {bad[0]}, z = {first}."
            for name in names
        )
        assert caught[0].filename == __file__


def test_a_value_that_is_traced_only_inside_a_function_is_differentiated():
    q, z = Normal(0.0, 1.0), Normal(0.0, 1.0).sample(2**14 + 3, rng=0)
    for name, run in {
        "expectation": lambda t, **d: mcvi.expectation(lambda z: t * z**2, q, **d),
        "importance": lambda t, **d: mcvi.expectation_importance_sampler(lambda z: t * z**2, P.log_prob, q, **d),
        "self-normalised": lambda t, **d: mcvi.expectation_self_normalized(lambda z: t * z**2, P.log_prob, q, **d),
        "bound": lambda t, **d: mcvi.elbo_ratio(lambda z: t * z**2, q, **d),
    }.items():
        from_n = grad(lambda t, run=run: run(t, n=2**14 + 3, rng=0))(2.0)
        from_z = grad(lambda t, run=run: run(t, z=z))(2.0)
        unit = float(run(1.0, z=z)) - float(run(0.0, z=z))
        assert from_n == pytest.approx(unit, rel=1e-11), name
        assert from_z == pytest.approx(unit, rel=1e-11), name


def test_a_function_with_a_gradient_of_its_own_goes_on_the_tape():
    square = with_gradient(lambda z: z**2, lambda g, _, z: 2.0 * z * g)
    noise = np.array([0.3, -1.0, 2.0])
    found = grad(lambda m: mcvi.expectation(square, Normal(m, 1.0), z=Normal(m, 1.0).transport(noise)))(0.5)
    assert found == pytest.approx(np.mean(2.0 * (0.5 + noise)))


def test_the_axis_of_orders_a_draw_is_the_formula_written_out():
    q = Laplace([0.0, 0.4], 1.1)
    z = q.sample(9, rng=0)
    log_w = P.log_prob(z) - q.log_prob(z)
    alpha = np.linspace(-1.0, 2.2, 18).reshape(9, 2)
    terms = np.exp((1.0 - alpha) * log_w)
    found = mcvi.renyi_ratio(P.log_prob, q, alpha, z=z)
    assert found.shape == (9, 2)
    np.testing.assert_allclose(found.value, np.log(terms.mean(axis=0)) / (1.0 - alpha), rtol=1e-12)
    error = terms.std(axis=0, ddof=1) / 3.0 / terms.mean(axis=0)
    np.testing.assert_allclose(found.standard_error, error / abs(1.0 - alpha), rtol=1e-11)
    assert (found.n, found.method) == (9, "Renyi ratio of an order a draw")
    by_n = mcvi.renyi_ratio(P.log_prob, q, alpha, n=9, rng=0)
    np.testing.assert_array_equal(by_n.value, found.value)
    assert by_n.independent == (1,)
    assert found.independent == ()
