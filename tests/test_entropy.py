"""ELBO and Renyi ratios and entropies against exact answers; their paths, shapes, gradients and special orders."""

import math

import numpy as np
import pytest
from autograd import grad, jacobian
from autograd import numpy as anp

import mcvi
from mcvi.distributions import (
    Beta,
    Dirichlet,
    Gamma,
    Independent,
    Laplace,
    Logistic,
    MultivariateNormalDiag,
    Normal,
    StudentT,
    Uniform,
)
from mcvi.estimate import NonFiniteWarning
from tests import naive
from tests.statistics import assert_estimates

P, Q = Normal(1.0, 1.5), Normal(0.0, 1.2)


def exact_renyi(alpha, mean=1.0, p=1.5, q=1.2):
    """Return the Renyi ratio of N(mean, p**2) against N(0, q**2), where the integral exists."""
    if alpha == 1:
        return -(math.log(p / q) + (q**2 + mean**2) / (2 * p**2) - 0.5)
    power = 1 - alpha  # log E_q[(p/q)**power] / power
    precision = power / p**2 + (1 - power) / q**2
    linear = power * mean / p**2
    log_integral = 0.5 * linear**2 / precision - 0.5 * power * mean**2 / p**2 - 0.5 * math.log(precision)
    return (log_integral - power * math.log(p) - (1 - power) * math.log(q)) / power


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.9, 0.999, 1.0, 1.001, 1.5, 2.0])
def test_renyi_ratio_of_normals_is_the_closed_form(alpha):
    estimate = mcvi.renyi_ratio(P.log_prob, Q, alpha, n=400_000, rng=1)
    assert_estimates(estimate, exact_renyi(alpha), resolves=0.05)


def test_the_curve_is_the_ratio_at_each_order_from_the_same_draws():
    alphas = [-0.5, 0.0, 0.5, 1.0, 1.0 + 1e-12, 2.0, np.inf, -np.inf]
    curve = mcvi.renyi_curve(P.log_prob, Q, alphas, n=5000, rng=3)
    for i, alpha in enumerate(alphas):
        one = mcvi.renyi_ratio(P.log_prob, Q, alpha, n=5000, rng=3)
        for name in ("value", "standard_error", "bias", "ess", "khat"):
            a, b = getattr(curve[i], name), getattr(one, name)
            np.testing.assert_equal(np.nan if b is None else b, a)
    assert np.all(np.diff(curve.value[:6]) <= 0)


@pytest.mark.parametrize("alpha", [1 - s * 10.0**-k for k in (1, 2, 3, 6, 9, 12, 15) for s in (1, -1)])
def test_near_order_one_fourteen_digits_hold(alpha):
    z = Q.sample(1000, rng=0)
    log_w = P.log_prob(z) - Q.log_prob(z)
    value = float(mcvi.renyi_ratio(P.log_prob, Q, alpha, z=z))
    exact = (
        naive.renyi(log_w, alpha) if abs(1 - alpha) > 1e-14 else naive.renyi(log_w, 1) + (1 - alpha) * log_w.var() / 2
    )
    assert value == pytest.approx(exact, abs=1e-14)


def test_order_one_is_the_elbo_bit_for_bit():
    a = mcvi.renyi_ratio(P.log_prob, Q, 1.0, n=100_000, rng=5)
    b = mcvi.elbo_ratio(P.log_prob, Q, n=100_000, rng=5, form="sample")
    assert a.value == b.value
    assert a.standard_error == b.standard_error


def test_infinite_orders_are_the_extreme_log_weights():
    z = Q.sample(500, rng=0)
    log_w = P.log_prob(z) - Q.log_prob(z)
    assert mcvi.renyi_ratio(P.log_prob, Q, math.inf, z=z) == pytest.approx(log_w.min(), rel=1e-15)
    assert mcvi.renyi_ratio(P.log_prob, Q, -math.inf, z=z) == pytest.approx(log_w.max(), rel=1e-15)


def test_orders_broadcast_against_the_batch():
    q = Normal(np.zeros((2, 3)), 1.2)
    z = q.sample(50, rng=0)
    alphas = np.array([0.2, 1.0, 3.0])
    together = mcvi.renyi_ratio(P.log_prob, q, alphas, z=z)
    assert together.shape == (2, 3)
    for i in range(2):
        for j in range(3):
            alone = mcvi.renyi_ratio(P.log_prob, Q, alphas[j], z=np.ascontiguousarray(z[:, i, j]))
            assert together.value[i, j] == pytest.approx(float(alone), rel=1e-13)
    with pytest.raises(ValueError, match=r"alpha must broadcast to q\.batch_shape \(2, 3\); got shape \(4,\)"):
        mcvi.renyi_ratio(P.log_prob, q, np.ones(4) / 2, z=z)


def test_an_order_a_draw_is_the_ancestors_formula():
    z = Q.sample(6, rng=0)
    log_w = P.log_prob(z) - Q.log_prob(z)
    alpha = np.linspace(0.1, 0.8, 6)
    expected = np.log(np.mean(np.exp((1 - alpha) * log_w))) / (1 - alpha)
    # The mean is near 1 for these draws: its rounding is absolute in the logarithm.
    np.testing.assert_allclose(mcvi.renyi_ratio(P.log_prob, Q, alpha, z=z).value, expected, rtol=0, atol=4e-15)


FAMILIES = [Normal(0.3, 1.2), Laplace(-0.2, 0.9), Logistic(0.1, 0.8), Uniform(-2.0, 2.5)]


@pytest.mark.parametrize("q", FAMILIES, ids=lambda q: type(q).__name__)
@pytest.mark.parametrize("p", FAMILIES, ids=lambda p: type(p).__name__)
def test_the_fused_path_agrees_with_the_array_path_to_rounding(p, q):
    alphas = [-1.0, 0.5, 1.0, 1.0 + 1e-7, 2.0, np.inf, -np.inf]
    fused = mcvi.renyi_curve(p.log_prob, q, alphas, n=70_000, rng=2)
    array = mcvi.renyi_curve(lambda z: p.log_prob(z), q, alphas, n=70_000, rng=2)
    assert (fused.method, array.method) == ("Renyi ratio (fused path)", "Renyi ratio")
    for name in ("value", "standard_error", "bias", "ess", "khat"):
        np.testing.assert_allclose(getattr(fused, name), getattr(array, name), rtol=1e-10, atol=1e-14)
    z = q.sample(70_000, rng=2)
    for given in (z, z[::-1][::-1], np.repeat(z, 2)[::2], np.broadcast_to(z, z.shape)):  # not all are contiguous
        once = mcvi.renyi_ratio(p.log_prob, q, 0.5, z=given)
        np.testing.assert_allclose([once.value, once.khat], [array[1].value, array[1].khat], rtol=1e-10)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (Normal(0.1, 1.0), StudentT(5.0, 0.0, 1.1)),
        (Gamma(2.0, 1.5), Gamma(2.5, 1.0)),
        (Uniform(0.2, 0.9), Beta(2.0, 3.0)),
    ],
    ids=lambda family: type(family).__name__,
)
def test_draws_that_come_a_block_at_a_time_are_weighed_as_on_the_array_path(p, q):
    in_a_loop = mcvi.renyi_curve(p.log_prob, q, [-1.0, 0.5, 1.0], n=70_000, rng=2)
    array = mcvi.renyi_curve(lambda z: p.log_prob(z), q, [-1.0, 0.5, 1.0], n=70_000, rng=2)
    for name in ("value", "standard_error", "bias", "ess", "khat"):
        np.testing.assert_allclose(getattr(in_a_loop, name), getattr(array, name), rtol=1e-10, atol=1e-14)


def product(family, shape, most):
    """Return a family like `family` as one of events of a shape; no two of their numbers have the same parameters."""
    shift = np.linspace(0.0, most, math.prod(shape)).reshape(shape)
    return Independent(type(family)(**{name: value + shift for name, value in family.parameters.items()}), len(shape))


# Each family with itself and with another: the loops are made of the same parts for every pair. A uniform target would
# exclude every draw of 300 numbers.
@pytest.mark.slow
@pytest.mark.parametrize("shape", [(1,), (3,), (2, 5), (300,)], ids=str)
@pytest.mark.parametrize(
    ("p", "q"),
    [(FAMILIES[i], FAMILIES[j]) for i, j in [(0, 0), (1, 1), (2, 2), (3, 3), (1, 0), (2, 1), (0, 2), (0, 3)]],
    ids=lambda family: type(family).__name__,
)
def test_the_fused_path_of_products_agrees_with_the_array_path_to_rounding(p, q, shape):
    p, q, n = product(p, shape, 0.1), product(q, shape, 0.2), 100_000 // math.prod(shape)
    alphas = [-1.0, 0.5, 1.0, 2.0]
    fused = mcvi.renyi_curve(p.log_prob, q, alphas, n=n, rng=2)
    array = mcvi.renyi_curve(lambda z: p.log_prob(z), q, alphas, n=n, rng=2)
    assert (fused.method, array.method) == ("Renyi ratio (fused path)", "Renyi ratio")
    for name in ("value", "standard_error", "bias", "ess", "khat"):
        np.testing.assert_allclose(getattr(fused, name), getattr(array, name), rtol=1e-9, atol=1e-12)
    z = q.sample(n, rng=2)
    for given in (z, z[::-1][::-1], np.repeat(z, 2, axis=-1)[..., ::2], np.broadcast_to(z, z.shape)):
        once = mcvi.renyi_ratio(p.log_prob, q, 0.5, z=given)
        np.testing.assert_allclose([once.value, once.khat], [array[1].value, array[1].khat], rtol=1e-9)


BATCHES = {
    "one target for all": (Laplace(0.2, 1.1), Normal(np.linspace(-1.0, 1.0, 5), 1.0)),
    "axes that broadcast": (Laplace(np.zeros((3, 1)), 1.1), Normal(np.zeros((3, 2)), np.array([1.0, 1.5]))),
    "products": (
        Independent(Laplace(np.linspace(-0.1, 0.1, 4), 1.1), 1),
        Independent(Normal(np.linspace(-0.5, 0.5, 24).reshape(6, 4), 1.0), 1),
    ),
    "one column": (Laplace(0.2, 1.1), Normal([0.1], 1.0)),
    "many columns": (Laplace(np.linspace(-1.0, 1.0, 700), 1.1), Normal(0.0, np.linspace(1.0, 1.2, 700))),
    "more columns than a tile": (Laplace(0.0, 1.0), Normal(np.linspace(-1.0, 1.0, 3000), 1.1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BATCHES)
def test_the_fused_path_of_a_batch_agrees_with_the_array_path_to_rounding(name):
    p, q = BATCHES[name]
    n = 200_000 // q.elements if q.elements < 100 else 400
    z = q.sample(n, rng=2)
    for estimator in (
        lambda log_p, **draws: mcvi.renyi_ratio(log_p, q, np.resize([0.5, 1.0, 2.0, 1.01], q.batch_shape), **draws),
        lambda log_p, **draws: mcvi.elbo_ratio(log_p, q, **draws),
        lambda log_p, **draws: mcvi.elbo_ratio(log_p, q, form="sample", **draws),
    ):
        fused, array = estimator(p.log_prob, n=n, rng=2), estimator(lambda z: p.log_prob(z), n=n, rng=2)
        given = estimator(p.log_prob, z=z)
        assert fused.method == given.method == f"{array.method} (fused path)"
        for field in ("value", "standard_error", "bias", "ess", "khat"):
            if getattr(array, field) is not None:
                # Sums of terms near 1 are exact to absolute rounding: their spread, its root, to 1e-8.
                tolerances = {"rtol": 1e-9, "atol": 1e-9}
                np.testing.assert_allclose(getattr(fused, field), getattr(array, field), **tolerances)
                np.testing.assert_allclose(getattr(given, field), getattr(array, field), **tolerances)


def test_products_of_every_kind_see_the_same_draws():
    loc, scale = np.array([0.0, 1.0, -2.0]), np.array([1.0, 0.5, 2.0])
    inner = Normal(loc, scale)
    kinds = [Independent(inner, 1), MultivariateNormalDiag(loc, scale), Independent(Independent(inner, 1), 0)]
    results = {
        tuple(map(float, (e.value, e.standard_error, e.khat)))
        for p in kinds
        for q in kinds
        for e in [mcvi.renyi_ratio(MultivariateNormalDiag(loc + 0.1, scale).log_prob, q, 0.5, n=50_000, rng=3)]
    }
    assert len(results) == 1


def test_products_weigh_what_one_number_or_another_excludes():
    # The target excludes z < 0 or z > 1, the proposal z < -1 or z > 3, and both keep a nan.
    p, q = Independent(Uniform(np.zeros(2), 1.0), 1), Independent(Uniform(np.full(2, -1.0), 3.0), 1)
    inside, by_p, by_both, apart = [0.5, 0.5], [0.5, -0.5], [0.5, -2.0], [-2.0, -0.5]
    quarter = math.log(16.0)  # the log weight inside
    for z, expected in [
        ([inside, by_p], quarter - math.log(2.0)),
        ([inside, by_both, apart, by_p], quarter - math.log(4.0)),
    ]:
        assert float(mcvi.renyi_ratio(p.log_prob, q, 0.0, z=z)) == pytest.approx(expected, rel=1e-15)
    wider = Independent(Uniform(np.full(2, -5.0), 5.0), 1)
    with pytest.warns(NonFiniteWarning, match="1 times in 2 values; first at draw 1"):
        assert float(mcvi.renyi_ratio(wider.log_prob, q, 0.0, z=[inside, by_both])) == np.inf
    with pytest.warns(NonFiniteWarning, match="1 times in 3 values; first at draw 1"):
        assert math.isnan(mcvi.renyi_ratio(p.log_prob, q, 0.0, z=[inside, [np.nan, 0.5], by_p]))


def test_elbo_is_minus_the_divergence_in_every_form():
    exact = exact_renyi(1)
    for form in ("default", "analytic_entropy", "sample"):
        assert_estimates(mcvi.elbo_ratio(P.log_prob, Q, n=400_000, rng=1, form=form), exact, resolves=0.05)
    assert mcvi.elbo_ratio(Q.log_prob, Q, n=100, rng=0, form="sample") == 0.0
    assert mcvi.ELBOForms.sample == "sample"


def test_entropy_is_exact_where_it_can_be():
    e = mcvi.entropy_shannon(Normal([0.0, 1.0], 2.0))
    np.testing.assert_allclose(e.value, 0.5 * math.log(2 * math.pi * math.e * 4), rtol=1e-15)
    assert np.all(e.standard_error == 0)
    assert e.n is None
    sampled = mcvi.entropy_shannon(Q, n=400_000, rng=0, form="sample")
    assert_estimates(sampled, float(mcvi.entropy_shannon(Q)), resolves=0.05)
    with pytest.raises(ValueError, match="n must be None with form='analytic_entropy'"):
        mcvi.entropy_shannon(Q, n=3, form="analytic_entropy")


class Triangle:
    """A user's own distribution, with nothing but what is needed: density 2 z on (0, 1)."""

    batch_shape = ()
    event_shape = ()

    def sample(self, n, *, rng):
        return np.sqrt(rng.random(n))

    def log_prob(self, z):
        with np.errstate(divide="ignore"):
            return np.where((z > 0) & (z < 1), np.log(2 * np.abs(z)), -np.inf)


def test_a_users_own_class_plugs_into_everything():
    q = Triangle()
    exact = 0.5 - math.log(2)  # entropy of the density 2 z
    assert_estimates(mcvi.entropy_shannon(q, n=100_000, rng=0), exact, resolves=0.05)
    assert_estimates(
        mcvi.renyi_ratio(Uniform(0.0, 1.0).log_prob, q, 0.9, n=100_000, rng=0), mean_power(0.1), resolves=0.05
    )
    assert_estimates(mcvi.expectation(lambda z: z, q, n=100_000, rng=0), 2 / 3, resolves=0.02)
    a, b = (mcvi.expectation(lambda z: z, q, n=50_000, rng=0).value for _ in range(2))
    assert a == b
    with pytest.raises(NotImplementedError, match="Triangle has no closed-form entropy"):
        mcvi.entropy_shannon(q, form="analytic_entropy")


def mean_power(power):
    """Return log E[(1 / 2 z)**power] / power for the density 2 z."""
    return math.log(2 ** (1 - power) / (2 - power)) / power


# Gradients: on a fixed set of draws every estimator's derivative is that of its formula.


def numeric(f, x, h=1e-5):
    return (f(x + h) - f(x - h)) / (2 * h)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 1.0 - 1e-9, 2.5])
def test_gradients_through_reparameterised_draws(alpha):
    def f(m):
        return mcvi.renyi_ratio(P.log_prob, Normal(m, 1.2), alpha, n=2000, rng=0)

    assert grad(f)(0.2) == pytest.approx(numeric(lambda m: float(f(m)), 0.2), rel=1e-6)


def test_the_traced_value_is_the_estimate():
    seen = []

    def f(m):
        value = mcvi.renyi_ratio(P.log_prob, Normal(m, 1.2), 0.5, n=40_000, rng=0)
        seen.append(float(value._value))
        return value

    grad(f)(0.0)
    assert seen[0] == pytest.approx(float(mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=40_000, rng=0)), rel=1e-12)


def test_a_traced_target_needs_no_traced_proposal():
    def f(m):
        return mcvi.elbo_ratio(lambda z: -0.5 * (z - m) ** 2, Q, n=1000, rng=0)

    assert grad(f)(0.5) == pytest.approx(float(anp.mean(Q.sample(1000, rng=0))) - 0.5, rel=1e-12)


def test_a_gradient_that_would_be_wrong_is_refused():
    from mcvi.distributions import Bernoulli

    with pytest.raises(NotImplementedError, match="Bernoulli has no pathwise derivative of its draws"):
        grad(lambda t: mcvi.expectation(lambda z: z, Bernoulli(logits=t), n=10, rng=0))(0.1)


def test_the_score_term_gives_the_gradient_of_the_mean():
    from mcvi.distributions import Bernoulli

    def f(t):
        return mcvi.expectation(lambda z: 3.0 * z, Bernoulli(logits=t), n=200_000, rng=0, gradient="score")

    p = 1 / (1 + math.exp(-0.1))
    # variance of 3 z (z - p) is below 9/4: 6.11 standard errors at n = 200 000 are 0.02
    assert abs(grad(f)(0.1) - 3 * p * (1 - p)) < 0.02


def test_multivariate_and_batched_shapes():
    q = MultivariateNormalDiag(np.zeros((2, 3)), np.ones(3))
    e = mcvi.elbo_ratio(lambda z: -0.5 * (z**2).sum(-1), q, n=1000, rng=0)
    assert e.shape == (2,)
    assert mcvi.expectation(lambda z: z, q, n=100, rng=0).shape == (2, 3)


@pytest.mark.parametrize("step", range(4))
def test_renyi_alpha_moves_from_the_largest_to_the_smallest(step):
    value = mcvi.renyi_alpha(step, 3, 0.0, 0.5)
    t = min(1.0, math.expm1(step / 3) / (math.e - 1))
    assert value == pytest.approx(0.5 * (1 - t), abs=1e-15)


def test_renyi_alpha_checks_its_arguments():
    with pytest.raises(ValueError, match="step must be scalar"):
        mcvi.renyi_alpha([1], 3, 0.0)
    with pytest.raises(ValueError, match="step must be non-negative; got -1"):
        mcvi.renyi_alpha(-1, 3, 0.0)
    with pytest.raises(ValueError, match="decay_time must be positive; got 0"):
        mcvi.renyi_alpha(1, 0, 0.0)
    assert mcvi.renyi_alpha(1e6, 3, 0.25) == 0.25


class Shifted:
    """A user's location family, with or without what a pathwise derivative needs."""

    batch_shape = ()
    event_shape = ()

    def __init__(self, loc):
        self.loc = loc

    def sample(self, n, *, rng):
        return float(getattr(self.loc, "_value", self.loc)) + rng.standard_normal(n)

    def log_prob(self, z):
        return -0.5 * (z - self.loc) ** 2


class Pathwise(Shifted):
    def noise(self, n, *, rng):
        return rng.standard_normal(n)

    def transport(self, noise):
        return self.loc + noise


def test_a_users_class_has_a_gradient_if_it_can_transport_noise_and_is_refused_if_not():
    def objective(family):
        return lambda m: mcvi.elbo_ratio(lambda z: -0.5 * (z - 1.0) ** 2, family(m), n=20_000, rng=0, form="sample")

    assert grad(objective(Pathwise))(0.0) == pytest.approx(1.0, abs=0.05)
    with pytest.raises(NotImplementedError, match="Shifted has no pathwise derivative"):
        grad(objective(Shifted))(0.0)

    def of_target(m):
        return mcvi.elbo_ratio(lambda z: -0.5 * (z - m) ** 2, Shifted(0.0), n=20_000, rng=0, form="sample")

    assert grad(of_target)(1.0) == pytest.approx(-1.0, abs=0.05)


def test_functions_of_a_discrete_distribution_get_whole_numbers():
    from mcvi.distributions import Categorical

    values = np.array([1.0, 10.0, 100.0])
    q = Categorical(probs=[0.5, 0.25, 0.25])
    e = mcvi.expectation(lambda k: values[k], q, n=100_000, rng=0)
    assert_estimates(e, 28.0, resolves=2.0)
    assert float(mcvi.expectation(lambda k: values[k], q, z=[0, 1, 2])) == 37.0
    assert mcvi.renyi_ratio(q.log_prob, q, 0.5, n=100, rng=0) == 0.0


def test_the_score_function_of_a_users_class_differentiates_its_density():
    class Attached(Shifted):
        """Its draws are traced themselves."""

        def sample(self, n, *, rng):
            return self.loc + rng.standard_normal(n)

    for family in (Shifted, Pathwise, Attached):
        value = grad(lambda m, f=family: mcvi.expectation(np.square, f(m), n=100_000, rng=0, gradient="score"))(1.0)
        assert value == pytest.approx(2.0, abs=0.1)
        given = grad(lambda m, f=family: mcvi.expectation(np.square, f(m), z=[1.0, 2.0], gradient="score"))(0.5)
        assert given == pytest.approx(np.mean([1.0 * 0.5, 4.0 * 1.5]), rel=1e-12)


def test_an_expectation_over_a_users_class_without_pathwise_draws_has_no_silent_zero_gradient():
    with pytest.raises(NotImplementedError, match="Shifted has no pathwise derivative"):
        grad(lambda m: mcvi.expectation(np.square, Shifted(m), n=100, rng=0))(1.0)
    assert grad(lambda m: mcvi.expectation(np.square, Pathwise(m), n=100_000, rng=0))(1.0) == pytest.approx(
        2.0, abs=0.1
    )


def test_a_users_class_is_traced_through_independent():
    def objective(wrapped):
        return lambda m: mcvi.renyi_ratio(lambda z: -0.5 * (z - 1.0) ** 2, wrapped(Pathwise(m)), 0.5, n=1000, rng=0)

    through = grad(objective(lambda q: Independent(q, 0)))(0.3)
    assert through == pytest.approx(grad(objective(lambda q: q))(0.3), rel=1e-12)
    with pytest.raises(NotImplementedError, match="no pathwise derivative"):
        grad(lambda m: mcvi.elbo_ratio(np.negative, Independent(Shifted(m), 0), n=10, rng=0))(0.3)


def test_a_traced_expectation_has_the_shape_of_the_estimate():
    def first_of_batch(loc):
        return mcvi.expectation(lambda z: z[:, :1], Normal(loc, 1.0), n=10, rng=0)

    loc = np.array([0.5, 1.0])
    np.testing.assert_allclose(jacobian(first_of_batch)(loc), [[1.0, 0.0], [1.0, 0.0]], rtol=1e-15)


def test_infinite_orders_have_the_gradient_of_the_extreme_log_weight():
    for alpha in (np.inf, -np.inf):

        def bound(loc, alpha=alpha):
            return mcvi.renyi_ratio(P.log_prob, Normal(loc, 2.0), alpha, n=100, rng=0)

        numerical = (float(bound(0.5 + 1e-6)) - float(bound(0.5 - 1e-6))) / 2e-6
        assert grad(bound)(0.5) == pytest.approx(numerical, rel=1e-6)


def test_the_derivative_in_the_order_holds_at_order_one():
    z = Q.sample(1000, rng=0)
    log_w = P.log_prob(z) - Q.log_prob(z)
    slope = grad(lambda alpha: mcvi.renyi_ratio(P.log_prob, Q, alpha, z=z))(1.0)
    assert slope == pytest.approx(-0.5 * np.var(log_w), rel=1e-12)


def test_an_order_that_is_the_same_for_all_draws_is_that_order():
    z = Q.sample(6, rng=0)
    for alpha in (0.5, 1.0, 2.0):
        one = mcvi.renyi_ratio(P.log_prob, Q, alpha, z=z)
        each = mcvi.renyi_ratio(P.log_prob, Q, np.full(6, alpha), z=z)
        assert each.shape == (6,)
        np.testing.assert_array_equal(each.value, one.value)
        np.testing.assert_array_equal(each.standard_error, one.standard_error)


@pytest.mark.parametrize("q", [Normal(np.zeros(0), 1.0), Gamma(np.ones(0), 1.0), Dirichlet(np.ones((0, 2)))])
def test_a_batch_without_members_has_an_answer_without_numbers(q):
    assert q.sample(3, rng=0).shape == (3, 0, *q.event_shape)
    assert q.log_prob(q.sample(3, rng=0)).shape == (3, 0)
    assert all(score.shape == (3, 0, *q.event_shape) for score in q.score(q.sample(3, rng=0)).values())
    bound = mcvi.renyi_ratio(q.log_prob, q, 0.5, n=10_000, rng=0)
    assert bound.check().shape == bound.interval()[0].shape == (0,)
    f = (lambda z: np.ones((len(z), 0)), q.log_prob, q)
    assert mcvi.expectation_importance_sampler(*f, n=10, rng=0).shape == (0,)
    assert mcvi.expectation_self_normalized(*f, n=10, rng=0).shape == (0,)
    assert mcvi.kl_divergence(q, q).shape == (0,)


def test_the_entropy_of_a_users_class_takes_the_shape_of_its_batch_or_is_refused():
    class Stated:
        batch_shape, event_shape = (2,), ()

        def __init__(self, stated):
            self.stated = stated

        def sample(self, n, *, rng):
            return rng.standard_normal((n, 2))

        def log_prob(self, z):
            return -0.5 * z**2

        def entropy(self):
            return self.stated

    assert mcvi.entropy_shannon(Stated(1.5)).value.tolist() == [1.5, 1.5]
    assert mcvi.entropy_shannon(Stated([1.0, 2.0])).value.tolist() == [1.0, 2.0]
    text = r"the entropy of Stated must broadcast to its batch_shape \(2,\); got shape \(5,\)"
    for call in (mcvi.entropy_shannon, lambda q, **given: mcvi.elbo_ratio(np.negative, q, **given)):
        with pytest.raises(ValueError, match=text):
            call(Stated(np.ones(5)), n=10, rng=0)


@pytest.mark.parametrize("form", ["default", "sample"])
def test_a_bound_of_zero_weights_is_minus_infinity_with_a_warning(form):
    from mcvi.estimate import ZeroWeightWarning

    with pytest.warns(ZeroWeightWarning, match="all 1000 draws have zero weight"):
        e = mcvi.elbo_ratio(lambda z: np.full(len(z), -np.inf), Q, n=1000, rng=0, form=form)
    assert e == -np.inf
    some = mcvi.elbo_ratio(lambda z: np.where(z > 0, -np.inf, 0.0), Q, n=1000, rng=0, form=form)  # no warning
    assert some == -np.inf
