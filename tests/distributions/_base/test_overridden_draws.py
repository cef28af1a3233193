"""Subclasses that override `sample`, `noise` or `transport`: values and gradients are of the same draws."""

import autograd
import numpy as np
import pytest

import mcvi
from mcvi import stochastic
from mcvi.distributions import Independent, Normal

TARGET = Normal(0.5, 1.2)


class Two(Normal):
    def sample(self, n=None, *, rng=None):
        return super().sample(n, rng=rng) * 0.0 + 2.0


class Folded(Normal):
    def noise(self, n, *, rng=None):
        return np.abs(super().noise(n, rng=rng))


class Mirrored(Normal):
    def transport(self, noise):
        return self.loc - self.scale * noise


class Mixin:
    def transport(self, noise):
        return self.loc - self.scale * noise


class Mixed(Mixin, Normal):
    pass


class Wide(Normal):
    def sample(self, n=None, *, rng=None):
        draws = self.transport(self.noise(1 if n is None else n, rng=rng))
        return draws[0] if n is None else draws

    def transport(self, noise):
        return self.loc - 2.0 * self.scale * noise


ESTIMATORS = {
    "expectation": lambda q, **draws: mcvi.expectation(lambda z: z**2, q, **draws),
    "importance": lambda q, **draws: mcvi.expectation_importance_sampler(lambda z: z**2, TARGET.log_prob, q, **draws),
    "normalised": lambda q, **draws: mcvi.expectation_self_normalized(lambda z: z**2, TARGET.log_prob, q, **draws),
    "elbo": lambda q, **draws: mcvi.elbo_ratio(TARGET.log_prob, q, **draws),
    "renyi": lambda q, **draws: mcvi.renyi_ratio(TARGET.log_prob, q, 0.5, **draws),
    "divergence": lambda q, **draws: mcvi.kl_divergence(q, TARGET, **draws),
    "members": lambda q, **draws: mcvi.expectation(
        lambda z: z[:, 0] ** 2, Independent(type(q)(q.loc * np.ones(1), 1.0), 1), **draws
    ),
}
DRAWS = {"n": 300, "rng": 0}


@pytest.mark.parametrize("name", ESTIMATORS)
@pytest.mark.parametrize("family", [Folded, Mirrored, Mixed, Wide])
def test_the_traced_value_is_the_plain_one_and_the_gradient_is_its_slope(family, name):
    def value(loc):
        return ESTIMATORS[name](family(loc, 1.0), **DRAWS)

    traced, gradient = autograd.value_and_grad(value)(1.0)
    assert traced == pytest.approx(value(1.0).value, rel=1e-12)
    slope = (value(1.0 + 1e-5).value - value(1.0 - 1e-5).value) / 2e-5
    assert gradient == pytest.approx(slope, rel=1e-7, abs=1e-8)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_sampler_that_says_no_derivative_is_refused_on_the_tape(name):
    def value(loc):
        return ESTIMATORS[name](Two(loc, 1.0), **DRAWS)

    assert np.isfinite(value(1.0).value)
    with pytest.raises(NotImplementedError, match="has no pathwise derivative of its draws"):
        autograd.grad(value)(1.0)


def test_a_node_of_such_a_sampler_has_a_score_function():
    def loss(loc):
        return stochastic.StochasticTensor(Two(loc, 1.0)) ** 2

    value, gradient = stochastic.value_and_grad(loss)(1.0, n=100, rng=0)
    assert (value.value, gradient.value) == (4.0, 4.0)  # 2**2 times the score (2 - 1) / 1**2
    with pytest.raises(ValueError, match="Two has no pathwise derivative"):
        stochastic.StochasticTensor(Two(1.0, 1.0), pathwise=True, rng=0)


@pytest.mark.parametrize("family", [Folded, Mirrored, Mixed, Wide])
def test_a_draw_is_the_transport_of_the_noise(family):
    q = family(1.0, 2.0)
    np.testing.assert_array_equal(q.sample(5, rng=0), q.transport(q.noise(5, rng=0)))
    assert q.sample(rng=0) == q.sample(1, rng=0)[0]
    assert q.blockwise.draw is q.blockwise.noise is None
    assert not q.blockwise.compiled
