"""Weighted sums of scores: the fused kernel, the default by autograd, and subclasses with a density of their own."""

from dataclasses import dataclass

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi import distributions
from mcvi.distributions import (
    Bernoulli,
    Categorical,
    Dirichlet,
    Distribution,
    Gamma,
    Independent,
    MultivariateNormalTriL,
    Normal,
)
from mcvi.stochastic import StochasticTensor, surrogate_loss, value_and_grad

FAMILIES = [getattr(distributions, name) for name in distributions.__all__]
FAMILIES = [family for family in FAMILIES if isinstance(family, type) and issubclass(family, Distribution)]

CASES = {
    "number": (Normal(0.3, 2.0), ()),
    "batch": (Gamma(np.array([[0.5], [2.0]]), np.array([1.0, 2.0, 3.0])), ()),
    "logits": (Bernoulli(logits=np.array([0.3, -1.0])), ()),
    "probs": (Bernoulli(probs=np.array([0.3, 0.9])), ()),
    "classes": (Categorical(logits=np.array([[0.1, 0.5, -0.4], [1.0, 0.0, 2.0]])), ()),
    "vector": (Dirichlet(np.array([0.5, 2.0, 3.0])), (3,)),
    "matrix": (MultivariateNormalTriL(np.zeros(2), np.array([[1.0, 0.0], [0.5, 2.0]])), (2,)),
}


@pytest.mark.parametrize(("q", "event"), CASES.values(), ids=CASES)
@pytest.mark.parametrize("shape", [(), (7,), (3, 4)])
def test_it_is_the_sum_of_weights_times_scores(q, event, shape):
    value = np.asarray(q.sample(max(1, int(np.prod(shape))), rng=0), float)
    value = value.reshape((*shape, *q.batch_shape, *event))
    weights = np.random.default_rng(1).normal(size=(*shape, *q.batch_shape))
    scores = q.score(value)
    for name, total in q.weighted_score(value, weights).items():
        parameter = q.parameters[name]
        product = scores[name] * weights.reshape(weights.shape + (1,) * (scores[name].ndim - weights.ndim))
        expected = product.reshape(-1, *product.shape[len(shape) :]).sum(axis=0)
        expected = expected.sum(axis=tuple(range(expected.ndim - np.ndim(parameter))))
        wide = tuple(i for i, size in enumerate(np.shape(parameter)) if size == 1)
        expected = expected.sum(axis=wide, keepdims=True) if wide else expected
        assert np.shape(total) == np.shape(parameter)
        np.testing.assert_allclose(total, expected, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("weights", [2.0, np.arange(5.0)[:, None], np.ones((5, 2))])
def test_weights_broadcast_to_the_log_densities(weights):
    for q in (Normal(np.zeros(2), 1.0), Categorical(logits=np.zeros((2, 3)))):
        value = np.asarray(q.sample(5, rng=2), float)
        wide = np.broadcast_to(weights, (5, 2))
        for name, total in q.weighted_score(value, weights).items():
            np.testing.assert_allclose(total, q.weighted_score(value, wide)[name], rtol=1e-13)


def test_independent_sums_over_the_event_what_the_distribution_inside_does():
    inner = Normal(np.array([0.3, -1.0]), 2.0)
    q = Independent(inner, 1)
    value, weights = q.sample(6, rng=3), np.arange(6.0)
    ours, theirs = q.weighted_score(value, weights), inner.weighted_score(value, weights[:, None])
    for name in ("loc", "scale"):
        np.testing.assert_array_equal(ours[name], theirs[name])


@dataclass(frozen=True, eq=False, repr=False)
class Shifted(Normal):
    """A user's subclass with another density: the derivatives that it inherits are not its own."""

    def log_prob(self, value):
        return super().log_prob(value - 3.0 * self.loc)


def test_a_subclass_with_a_density_of_its_own_is_differentiated():
    value, weights = np.array([0.5, 2.0, -1.0]), np.array([1.0, -2.0, 0.5])
    expected = grad(lambda loc: anp.sum(weights * Shifted(loc, 1.5).log_prob(value)))(0.4)
    np.testing.assert_allclose(Shifted(0.4, 1.5).weighted_score(value, weights)["loc"], expected, rtol=1e-13)
    assert abs(expected - Normal(0.4, 1.5).weighted_score(value, weights)["loc"]) > 1.0


@pytest.mark.parametrize("size", [None, 3])
def test_surrogates_take_the_density_of_a_subclass(size):
    held = np.array([0.5, 2.0, -1.0])

    def objective(loc):
        loc = loc if size is None else loc * np.ones(size)
        z = StochasticTensor(Shifted(loc, 1.5), value=held, pathwise=False)
        return anp.sum(surrogate_loss([z**2]))

    expected = grad(lambda loc: anp.sum(held**2 * Shifted(loc, 1.5).log_prob(held)))(0.4)
    np.testing.assert_allclose(grad(objective)(0.4), expected, rtol=1e-12)


def test_errors_of_gradients_take_the_density_of_a_subclass():
    def loss(loc):
        return StochasticTensor(Shifted(loc, 1.5), pathwise=False) ** 2

    _, gradient = value_and_grad(loss)(0.4, n=200, rng=0)
    z = Normal(0.4, 1.5).sample(400_000, rng=1)
    exact = np.mean(z**2 * 4 * (z - 4 * 0.4) / 1.5**2)
    assert abs(gradient.value - exact) < 6.11 * gradient.standard_error


@dataclass(frozen=True, eq=False, repr=False)
class Whole(Distribution):
    """A family whose only parameter is no float."""

    size: int = 3

    batch_shape = ()

    def _log_prob(self, value):
        return 0.0 * value


def test_a_family_without_a_parameter_that_has_a_derivative_says_so():
    with pytest.raises(NotImplementedError, match="Whole has no score: none of its parameters is an array of floats"):
        Whole().weighted_score(np.zeros(2), np.ones(2))


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.__name__)
def test_every_score_of_ours_belongs_to_the_density_of_its_family(family):
    assert family.differentiates_by("score") == (family.score is not Distribution.score)
