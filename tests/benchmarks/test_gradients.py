"""The speed of gradients of expected losses, as ratios in one process.

Run ``pytest tests/benchmarks --benchmark-enable -s``.
"""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import value_and_grad as autograd_value_and_grad

from mcvi._autograd import value_of
from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import StochasticTensor, leave_one_out, surrogate_loss, value_and_grad

DRAWS, LOGITS = 10_000, 200
LOGIT = np.random.default_rng(0).normal(size=LOGITS)
TARGET = np.random.default_rng(1).uniform(0.4, 0.5, size=LOGITS)
COUPLING = np.random.default_rng(2).normal(size=(LOGITS, LOGITS)) / 40
HELD = (np.random.default_rng(3).random((DRAWS, LOGITS)) < 1 / (1 + np.exp(-LOGIT))).astype(float)

losses = pytest.mark.parametrize("coupled", [False, True], ids=["separable", "coupled"])


def loss_of(draws, coupled, xp):
    gap = draws - TARGET
    return xp.sum((gap @ COUPLING) * gap if coupled else gap * gap, axis=1)


def built(coupled, draws=None):
    """Return value and gradient in the logits through the builder; with new draws if none are given."""

    def objective(logit):
        b = StochasticTensor(Bernoulli(logits=logit), loss_fn=leave_one_out, value=draws)
        return anp.mean(surrogate_loss([loss_of(b, coupled, anp)]))

    return lambda: autograd_value_and_grad(objective)(LOGIT)


def by_hand(coupled):
    probs = 1 / (1 + np.exp(-LOGIT))
    loss = loss_of(HELD, coupled, np)
    advantage = (loss - loss.mean()) * (DRAWS / (DRAWS - 1))
    return loss.mean(), advantage @ (HELD - probs) / DRAWS


@losses
def test_leave_one_out_for_200_logits_against_numpy_with_the_same_draws(ratio, coupled):
    ours = built(coupled, HELD)
    value, gradient = ours()
    np.testing.assert_allclose(gradient, by_hand(coupled)[1], rtol=1e-9)
    np.testing.assert_allclose(value, by_hand(coupled)[0])
    assert ratio(ours, lambda: by_hand(coupled), rounds=41) > 0.9


@losses
def test_leave_one_out_with_draws_and_error_bars_against_jax(ratio, jax, coupled):
    xp = jax.numpy

    def surrogate(logit, key):
        probs = jax.nn.sigmoid(logit)
        b = (jax.random.uniform(key, (DRAWS, LOGITS)) < probs).astype(xp.float64)
        loss = loss_of(b, coupled, xp)
        advantage = jax.lax.stop_gradient((loss - loss.mean()) * (DRAWS / (DRAWS - 1)))
        log_prob = xp.sum(b * logit - jax.nn.softplus(logit), axis=1)
        return xp.mean(loss) + xp.mean(advantage * (log_prob - jax.lax.stop_gradient(log_prob)))

    jitted = jax.jit(jax.value_and_grad(surrogate))
    key = jax.random.PRNGKey(0)

    def loss(logit):
        return loss_of(StochasticTensor(Bernoulli(logits=logit), loss_fn=leave_one_out), coupled, anp)

    ours = value_and_grad(loss)
    assert ratio(lambda: ours(LOGIT, n=DRAWS, rng=0), lambda: jitted(LOGIT, key)[1].block_until_ready(), rounds=15) > 1


def test_what_the_builder_adds_to_autograd_by_hand(ratio, benchmark):
    held = np.array([0.0, 1.0, 1.0, 0.0])

    def hand(logit):
        q = Bernoulli(logits=logit)
        loss = (held - 0.45) ** 2 * logit
        return anp.mean(loss + q.log_prob(held) * value_of(loss))

    def with_builder(logit):
        b = StochasticTensor(Bernoulli(logits=logit), value=held)
        return anp.mean(surrogate_loss([(b - 0.45) ** 2 * logit]))

    def repeated(objective):
        run = autograd_value_and_grad(objective)
        return lambda: [run(0.3) for _ in range(20)]

    hand_run, built_run = repeated(hand), repeated(with_builder)
    times = ratio(built_run, hand_run, rounds=51)
    ours = benchmark.extra_info["ours, seconds"] / 20
    assert ours - ours * times < 150e-6


@pytest.mark.parametrize("length", [1, 10, 100, 1000, 4000])
def test_a_chain_costs_the_same_for_every_node(benchmark, length):
    held = np.random.default_rng(4).normal(size=(length, 4))

    def objective(loc):
        x = loc * np.ones(4)
        for draws in held:
            x = StochasticTensor(Normal(0.5 * x + loc, 1.0), value=draws, pathwise=False)
        return anp.sum(surrogate_loss([x**2]))

    run = autograd_value_and_grad(objective)
    run(0.1)
    benchmark.pedantic(lambda: run(0.1), rounds=3)
    benchmark.extra_info["microseconds a node"] = round(benchmark.stats.stats.min / length * 1e6)
