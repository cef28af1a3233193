"""Losses that jump where a pathwise node crosses a threshold: their derivative is zero, and wrong."""

import warnings

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import (
    MissingGradientWarning,
    SampleValue,
    StochasticTensor,
    stop_gradient,
    surrogate_loss,
    take,
    value_and_grad,
)

SENTENCE = (
    r"^{} is pathwise, and the loss at index {} depends on it through jumps alone \(a comparison, rounding, an index, "
    r"stop_gradient\): its part of the gradient is missing\. Use pathwise=False\.$"
)

JUMPS = {
    "comparison": lambda z: anp.where(z > 0, 1.0, 0.0),
    "rounding": anp.floor,
    "stopped": lambda z: stop_gradient(z) ** 2,
    "index": lambda z: take([1.0, 2.0], z > 0),
}


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
def test_a_jump_under_a_pathwise_node_is_warned_of_by_name(jump):
    def loss(loc):
        return jump(StochasticTensor(Normal(loc, 1.0), name="z"))

    with pytest.warns(MissingGradientWarning, match=SENTENCE.format("z", 0)):
        _, gradient = value_and_grad(loss)(0.3, n=50, rng=0)
    assert gradient.value == 0.0

    def objective(loc):
        z = StochasticTensor(Normal(loc, 1.0), SampleValue(5), name="z", rng=1)
        return anp.sum(surrogate_loss([jump(z)])) + loc

    with pytest.warns(MissingGradientWarning, match=SENTENCE.format("z", 0)) as caught:
        grad(objective)(0.3)
    assert caught[0].filename == __file__


def test_without_the_pathwise_derivative_the_gradient_is_right():
    def loss(loc):
        return anp.where(StochasticTensor(Normal(loc, 1.0), pathwise=False) > 0, 1.0, 0.0)

    _, gradient = value_and_grad(loss)(0.3, n=20_000, rng=0)
    exact = np.exp(-0.5 * 0.3**2) / np.sqrt(2 * np.pi)  # .381
    assert abs(gradient.value - exact) < 6.11 * gradient.standard_error
    assert gradient.standard_error < 0.02


def test_each_loss_is_looked_at():
    def losses(loc):
        z = StochasticTensor(Normal(loc, 1.0), name="z")
        return [z**2, anp.where(z > 0, 1.0, 0.0)]

    with pytest.warns(MissingGradientWarning, match=SENTENCE.format("z", 1)):
        value_and_grad(losses)(0.3, n=10, rng=0)


def test_a_jump_on_the_way_to_another_node():
    def loss(loc):
        a = StochasticTensor(Normal(loc, 1.0), name="a")
        return StochasticTensor(Normal(loc + anp.where(a > 0, 1.0, 0.0), 1.0), name="b") ** 2

    with pytest.warns(MissingGradientWarning, match=SENTENCE.format("a", 0)):
        value_and_grad(loss)(0.3, n=10, rng=0)


QUIET = {
    "smooth": lambda loc: StochasticTensor(Normal(loc, 1.0)) ** 2,
    "both": lambda loc: (z := StochasticTensor(Normal(loc, 1.0))) * anp.where(z > 0, 1.0, 0.0),
    "constants": lambda loc: loc * anp.where(StochasticTensor(Normal(0.0, 1.0)) > 0, 1.0, 0.0),
    "score": lambda loc: anp.where(StochasticTensor(Normal(loc, 1.0), pathwise=False) > 0, 1.0, 0.0),
    "discrete": lambda loc: anp.floor(StochasticTensor(Bernoulli(logits=loc))),
    "chain": lambda loc: StochasticTensor(Normal(StochasticTensor(Normal(loc, 1.0)), 1.0)) ** 2,
}


@pytest.mark.parametrize("loss", QUIET.values(), ids=QUIET)
def test_what_is_right_is_not_warned_of(loss):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value_and_grad(loss)(0.3, n=10, rng=0)
