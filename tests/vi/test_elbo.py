"""Evidence lower bounds of stochastic nodes."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Bernoulli, Laplace, MultivariateNormalDiag, Normal
from mcvi.entropy import ELBOForms
from mcvi.stochastic import (
    ObservedStochasticTensor,
    SampleValue,
    StochasticTensor,
    leave_one_out,
    sticking_the_landing,
    surrogate_loss,
    without_graph,
)
from mcvi.vi import elbo, elbo_with_log_joint

X = np.array([2.0, -0.5, 1.0])


def plain(x):
    return np.asarray(without_graph(x))


def latent(loc=0.3, scale=0.8, shape=(), **options):
    return StochasticTensor(Normal(loc * np.ones(3), scale), SampleValue(shape), rng=0, name="z", **options)


def log_likelihood(z):
    return Normal(z, 1.0).log_prob(X)


PRIOR = Normal(0.0, 1.0)


def test_the_default_is_the_likelihood_minus_the_closed_form_divergence():
    from mcvi.divergences import kl_divergence

    z = latent()
    expected = plain(log_likelihood(z)) - kl_divergence(z.distribution, PRIOR).value
    np.testing.assert_array_equal(plain(elbo(log_likelihood(z), {z: PRIOR})), expected)


@pytest.mark.parametrize("form", [None, *ELBOForms, "sample"])
def test_every_form_has_the_shape_of_the_likelihood_and_the_same_mean(form):
    z = latent(shape=(400_000,))
    bound = plain(elbo(log_likelihood(z), {z: PRIOR}, form=form))
    assert bound.shape == (400_000, 3)
    exact = Normal(X, 1.0).log_prob(0.3) - 0.5 * 0.8**2 - (np.log(1 / 0.8) + (0.8**2 + 0.3**2) / 2 - 0.5)
    error = 6.11 * bound.std(axis=0) / np.sqrt(len(bound))
    assert np.all(np.abs(bound.mean(axis=0) - exact) < error)
    assert np.all(error < 0.05)


def test_without_a_closed_form_the_draws_stand_in_bit_for_bit():
    prior = Laplace(0.0, 1.0)

    class NoEntropy:
        batch_shape, event_shape, pathwise = (3,), (), True

        def __init__(self):
            self.inner = Normal(0.3 * np.ones(3), 0.8)
            self.sample, self.log_prob = self.inner.sample, self.inner.log_prob

    z = StochasticTensor(NoEntropy(), value=np.array([0.1, 0.2, -0.4]))
    bound = elbo(log_likelihood(z), {z: prior})
    held = plain(z)
    expected = Normal(held, 1.0).log_prob(X) + (-z.distribution.log_prob(held) + prior.log_prob(held))
    np.testing.assert_array_equal(plain(bound), expected)
    with pytest.raises(NotImplementedError):
        elbo(log_likelihood(z), {z: prior}, form="analytic_kl")


def test_the_bound_is_the_log_evidence_where_q_is_the_posterior():
    z = StochasticTensor(Normal(X / 2, np.sqrt(0.5)), SampleValue(5), rng=1)
    evidence = Normal(0.0, np.sqrt(2.0)).log_prob(X)
    bound = elbo(log_likelihood(z), {z: PRIOR}, form="sample")
    np.testing.assert_allclose(plain(bound), np.broadcast_to(evidence, (5, 3)), rtol=1e-12)
    joint = log_likelihood(z) + PRIOR.log_prob(z)
    np.testing.assert_allclose(plain(elbo_with_log_joint(joint, form="sample")), plain(bound), rtol=1e-12)


def test_sticking_the_landing_has_no_variance_where_q_is_the_posterior():
    def objective(loc, estimator):
        z = StochasticTensor(Normal(loc, np.sqrt(0.5)), SampleValue(50), estimator, rng=2)
        return anp.sum(surrogate_loss([-elbo(log_likelihood(z), {z: PRIOR}, form="sample")]))

    np.testing.assert_allclose(grad(objective)(X / 2, sticking_the_landing), 0.0, atol=1e-12)
    assert np.min(np.abs(grad(objective)(X / 2, leave_one_out))) > 1e-3


def test_sticking_the_landing_needs_draws():
    z = StochasticTensor(Normal(X, 1.0), None, sticking_the_landing, name="z", rng=0)
    with pytest.raises(ValueError, match="z: its estimator, sticking the landing, needs log q of the draws"):
        elbo(log_likelihood(z), {z: PRIOR}, form="analytic_kl")
    b = StochasticTensor(Bernoulli(logits=np.zeros(3)), None, sticking_the_landing, name="b", rng=0)
    with pytest.raises(ValueError, match="b: sticking_the_landing needs a pathwise node; Bernoulli"):
        grad(lambda logits: anp.sum(surrogate_loss([_bernoulli(logits) * 1.0])))(np.zeros(3))
    assert b.shape == (3,)


def _bernoulli(logits):
    return StochasticTensor(Bernoulli(logits=logits), None, sticking_the_landing, name="b", rng=0)


def test_an_observed_node_is_data():
    z = latent()
    x = ObservedStochasticTensor(Normal(z, 1.0), X, name="x")
    bound = elbo(x.log_prob(), {z: PRIOR})
    np.testing.assert_array_equal(plain(bound), plain(elbo(log_likelihood(z), {z: PRIOR})))
    residual = x - z
    joint = -0.5 * residual**2 + PRIOR.log_prob(z)
    expected = plain(joint) - z.distribution.log_prob(plain(z))
    np.testing.assert_allclose(plain(elbo_with_log_joint(joint, form="sample")), expected)
    with pytest.raises(TypeError, match="x is observed: it is data"):
        elbo(joint, {x: PRIOR, z: PRIOR})


def two_latents():
    z = latent()
    y = StochasticTensor(Normal(2 * z, 0.5), rng=1, name="y")
    return z, y, Normal(y, 1.0).log_prob(X)


def test_several_latent_nodes_each_have_a_prior_which_may_depend_on_another():
    z, y, likelihood = two_latents()
    bound = elbo(likelihood, {z: PRIOR, y: Normal(z, 2.0)}, form="sample")
    held_z, held_y = plain(z), plain(y)
    expected = (
        Normal(held_y, 1.0).log_prob(X)
        + PRIOR.log_prob(held_z)
        - z.distribution.log_prob(held_z)
        + Normal(held_z, 2.0).log_prob(held_y)
        - Normal(2 * held_z, 0.5).log_prob(held_y)
    )
    np.testing.assert_allclose(plain(bound), expected)


def test_a_latent_node_without_a_prior_is_named():
    z, y, likelihood = two_latents()
    with pytest.raises(ValueError, match="No prior specified for y:"):
        elbo(likelihood, {z: PRIOR})
    with pytest.raises(ValueError, match="No prior specified for z, y:"):
        elbo(likelihood)
    with pytest.raises(ValueError, match="No prior specified for z, y:"):
        elbo(likelihood, {})
    np.testing.assert_array_equal(elbo(np.array([0.5, 1.0]), {}), [0.5, 1.0])
    assert y.shape == (3,)


@pytest.mark.parametrize("form", [None, *ELBOForms])
def test_a_latent_node_that_feeds_a_prior_alone_is_named(form):
    b = StochasticTensor(Normal(0.2, 0.7), rng=1, name="b")
    z = latent()
    with pytest.raises(
        ValueError,
        match=r"^No prior specified for b: pass variational_with_prior=\{node: prior\} with every latent node\.$",
    ):
        elbo(log_likelihood(z), {z: Normal(b, 1.0)}, form=form)


def test_a_latent_node_upstream_of_another_alone_is_named():
    c = StochasticTensor(Normal(0.2 * np.ones(3), 0.7), rng=1, name="c")
    w = StochasticTensor(Normal(c, 1.0), rng=2, name="w")
    z = latent()
    with pytest.raises(ValueError, match="No prior specified for c:"):
        elbo(log_likelihood(z), {z: PRIOR, w: PRIOR})


# A prior that depends on its own node: z ~ q = N(m, .8), w ~ q = N(z, .5), x = .9 ~ p = N(w, 1), and the priors
# p(z | w) = N(w, 1), p(w) = N(0, 1). All is Gaussian: the bound and its derivative in m are known.
M, S, V, AT = 0.4, 0.8, 0.5, 0.9


def exactly(m=M, s=S):
    half_log = 0.5 * np.log(2 * np.pi)
    in_w = m**2 + s**2 + V**2
    likelihood = -half_log - 0.5 * (in_w - 2 * AT * m + AT**2)
    priors = (-half_log - 0.5 * V**2) + (-half_log - 0.5 * in_w)
    entropies = 2 * (half_log + 0.5) + np.log(s) + np.log(V)
    return likelihood + priors + entropies


def looped(m, s, n, form):
    z = StochasticTensor(Normal(m, s), SampleValue(n), rng=3, name="z")
    w = StochasticTensor(Normal(z, V), rng=4, name="w")
    return elbo(Normal(w, 1.0).log_prob(AT), {z: Normal(w, 1.0), w: PRIOR}, form=form)


@pytest.mark.parametrize("form", ["default", "analytic_entropy", "sample"])
def test_the_closed_form_divergence_is_not_taken_where_a_prior_depends_on_its_own_node(form):
    n = 200_000
    np.testing.assert_allclose(exactly(), -2.0552, atol=5e-5)
    bound = plain(looped(M, S, n, form))
    error = 6.11 * bound.std() / np.sqrt(n)
    assert abs(bound.mean() - exactly()) < error
    assert error < 0.03  # the closed form gave -2.694
    slope = grad(lambda s: anp.mean(surrogate_loss([looped(M, s, n, form)])))(S)
    np.testing.assert_allclose(slope, (exactly(s=S + 1e-5) - exactly(s=S - 1e-5)) / 2e-5, atol=0.03)  # not -1.95


def test_a_form_that_asks_for_the_divergence_refuses_it_there():
    with pytest.raises(
        ValueError,
        match=r"^z: its prior depends on its own draws, directly or through a node downstream of it: the closed-form "
        r"divergence is not its term of the bound\. Use form 'default', 'analytic_entropy' or 'sample'\.$",
    ):
        looped(M, S, 10, "analytic_kl")
    z = latent()
    with pytest.raises(ValueError, match="z: its prior depends on its own draws"):
        elbo(log_likelihood(z), {z: Normal(0.5 * z, 1.0)}, form="analytic_kl")


def test_a_prior_of_a_parent_keeps_the_divergence():
    from mcvi.divergences import kl_divergence

    z, y, likelihood = two_latents()
    given = {z: PRIOR, y: Normal(z, 2.0)}
    held = Normal(plain(z), 2.0)
    expected = (
        plain(likelihood)
        - kl_divergence(z.distribution, PRIOR).value
        - kl_divergence(Normal(2 * plain(z), 0.5), held).value
    )
    np.testing.assert_allclose(plain(elbo(likelihood, given, form="analytic_kl")), expected, rtol=1e-13)
    np.testing.assert_allclose(plain(elbo(likelihood, given)), expected, rtol=1e-13)


def test_a_minibatch_scales_the_likelihood_alone():
    z = latent()
    likelihood = log_likelihood(z)
    gap = plain(elbo(likelihood, {z: PRIOR}, likelihood_scale=10.0)) - plain(elbo(likelihood, {z: PRIOR}))
    np.testing.assert_allclose(gap, 9 * plain(likelihood))


def test_axes_of_a_node_that_the_likelihood_lacks_are_summed():
    z = StochasticTensor(Normal(np.zeros((3, 3)), 1.0), SampleValue(3), rng=0)  # every wrong axis would fit
    likelihood = anp.sum(Normal(z, 1.0).log_prob(1.0), axis=-1)
    from mcvi.divergences import kl_divergence

    term = plain(elbo(likelihood, {z: Normal(1.0, 1.0)})) - plain(likelihood)
    np.testing.assert_allclose(
        term, -np.sum(kl_divergence(z.distribution, Normal(1.0, 1.0)).value, axis=-1) * np.ones((3, 3))
    )


def test_keep_batch_dim_false_keeps_the_draws():
    z = latent(shape=(4,))
    child = StochasticTensor(Normal(z, 1.0), rng=1, name="y")
    likelihood = anp.sum(Normal(child, 1.0).log_prob(X), axis=-1)
    priors = {z: PRIOR, child: Normal(z, 1.0)}
    bound = plain(elbo(likelihood, priors, keep_batch_dim=False, form="sample"))
    held = plain(z)
    expected = plain(likelihood) + np.sum(PRIOR.log_prob(held) - z.distribution.log_prob(held), axis=-1)
    np.testing.assert_allclose(bound, expected)
    analytic = plain(elbo(likelihood, priors, keep_batch_dim=False))
    assert analytic.shape == (4,)


def test_a_global_node_would_count_once_for_every_datum():
    z = StochasticTensor(Normal(0.0, 1.0), SampleValue(5), rng=0, name="z")
    per_datum = Normal(anp.reshape(z, (5, 1)), 1.0).log_prob(X)
    with pytest.raises(
        ValueError, match=r"z: its term of the bound has shape \(5,\) and the log likelihood \(5, 3\).*once"
    ):
        elbo(per_datum, {z: PRIOR})
    assert plain(elbo(anp.sum(per_datum, axis=1), {z: PRIOR})).shape == (5,)


@pytest.mark.parametrize(
    ("prior", "error", "text"),
    [
        (3.0, TypeError, "z: its prior must be a distribution: .*got float"),
        (None, TypeError, "z: its prior must be a distribution: .*got NoneType"),
        (Normal, TypeError, "z: its prior must be a distribution: .*a class, not an instance"),
        (Normal(np.zeros(2), 1.0), ValueError, r"z: its prior must broadcast to the batch shape \(3,\)"),
        (MultivariateNormalDiag(np.zeros(3), np.ones(3)), ValueError, r"event shape \(\); got MultivariateNormalDiag"),
    ],
)
def test_a_prior_of_another_kind_or_shape_is_refused(prior, error, text):
    z = latent()
    with pytest.raises(error, match=text):
        elbo(log_likelihood(z), {z: prior})


def test_forms_and_nodes_that_are_none_are_refused():
    z = latent()
    with pytest.raises(TypeError, match=r"form must be an ELBOForms constant.*got 'bogus'"):
        elbo(log_likelihood(z), {z: PRIOR}, form="bogus")
    with pytest.raises(ValueError, match="'analytic_kl' is not available with a log joint"):
        elbo_with_log_joint(log_likelihood(z), form="analytic_kl")
    with pytest.raises(ValueError, match="depends on no stochastic node"):
        elbo(X)
    with pytest.raises(ValueError, match="depends on no stochastic node"):
        elbo_with_log_joint(X)
    with pytest.raises(TypeError, match=r"must be a dict, \{node: its prior\}; got list"):
        elbo(log_likelihood(z), [z])
    for no_list in (z, 3):
        with pytest.raises(TypeError, match="variational must be a list of latent nodes; got"):
            elbo_with_log_joint(log_likelihood(z), no_list)
    with pytest.raises(TypeError, match="must be StochasticTensor; got str"):
        elbo_with_log_joint(log_likelihood(z), ["z"])
    np.testing.assert_array_equal(plain(elbo_with_log_joint(log_likelihood(z), [])), plain(log_likelihood(z)))
    twice = elbo_with_log_joint(log_likelihood(z), [z, z])
    np.testing.assert_array_equal(plain(twice), plain(elbo_with_log_joint(log_likelihood(z), [z])))


@pytest.mark.parametrize("scale", [0.0, -1.0, np.inf, np.nan, np.ones(3)])
def test_a_scale_that_is_no_positive_number_is_refused(scale):
    z = latent()
    with pytest.raises(ValueError, match="likelihood_scale must be"):
        elbo(log_likelihood(z), {z: PRIOR}, likelihood_scale=scale)


@pytest.mark.parametrize("form", ["analytic_kl", "sample"])
def test_the_gradient_of_a_discrete_bound_is_exact_in_the_mean(form):
    outcomes = np.array([0.0, 1.0])

    def bound_of(logit, theta):
        def log_likelihood(b):
            return -((theta * b - 0.7) ** 2)

        p = 1 / (1 + anp.exp(-logit))
        terms = [
            (weight, log_likelihood(b) + anp.log(prior) - anp.log(weight))
            for b, weight, prior in ((0.0, 1 - p, 0.7), (1.0, p, 0.3))
        ]
        return sum(weight * term for weight, term in terms)

    def built(params):
        p = 1 / (1 + np.exp(-0.4))
        weights = np.array([1 - p, p])
        b = StochasticTensor(Bernoulli(logits=params[0] * np.ones(2)), value=outcomes, name="b")
        likelihood = -((params[1] * b - 0.7) ** 2)
        return -anp.sum(surrogate_loss([-elbo(likelihood, {b: Bernoulli(probs=0.3)}, form=form)]) * weights)

    params = np.array([0.4, 1.3])
    expected = [grad(bound_of)(0.4, 1.3), grad(bound_of, 1)(0.4, 1.3)]
    np.testing.assert_allclose(grad(built)(params), expected, rtol=1e-12)
