"""Draws without a seed are refused under test, and are fresh each time for a user."""

import numpy as np
import pytest

import mcvi
from mcvi.bias import bias_curve
from mcvi.distributions import Normal
from mcvi.stochastic import SampleValue, StochasticTensor, value_and_grad

q = Normal(0.0, 1.0)

UNSEEDED = {
    "an estimator": lambda: mcvi.elbo_ratio(q.log_prob, q, n=4),
    "sample": lambda: q.sample(4),
    "noise": lambda: q.noise(4),
    "a node": lambda: StochasticTensor(q, SampleValue(4)),
    "value_and_grad": lambda: value_and_grad(lambda loc: StochasticTensor(Normal(loc, 1.0)) ** 2)(0.0, n=64),
    "bias_curve": lambda: bias_curve(q.log_prob, q, sizes=(4,), alphas=(0.0,), replications=2, truth=0.0),
    "a generator": lambda: np.random.default_rng(),
}


@pytest.mark.parametrize("draw", UNSEEDED.values(), ids=UNSEEDED)
def test_a_draw_without_a_seed_is_refused(draw):
    with pytest.raises(AssertionError, match="drew without a seed"):
        draw()


@pytest.mark.fresh_draws
def test_without_a_seed_every_call_draws_anew():
    assert not np.array_equal(q.sample(4), q.sample(4))
    first = mcvi.elbo_ratio(lambda z: -z * z, q, n=4)
    assert first.value != mcvi.elbo_ratio(lambda z: -z * z, q, n=4).value
    assert first.value == mcvi.elbo_ratio(lambda z: -z * z, q, n=4, rng=first.key).value
