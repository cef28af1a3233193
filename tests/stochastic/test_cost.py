"""The cost of a graph: in the length of a chain, in the number of losses."""

import gc
import time

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Normal
from mcvi.stochastic import StochasticTensor, dependencies, surrogate_loss

pytestmark = pytest.mark.slow


def chain(loc, length, every_loss=False):
    x, losses = loc * np.ones(2), []
    for _ in range(length):
        x = StochasticTensor(Normal(0.5 * x + loc, 1.0), value=np.array([0.3, -0.2]), pathwise=False)
        losses.append(x**2)
    return losses if every_loss else losses[-1:]


def seconds(length, every_loss=False):
    def objective(loc):
        return anp.sum(surrogate_loss(chain(loc, length, every_loss)))

    best = float("inf")
    gc.disable()  # the collector's passes over all objects alive are not linear, and not ours
    try:
        for _ in range(3):
            start = time.process_time()
            grad(objective)(0.1)
            best = min(best, time.process_time() - start)
    finally:
        gc.enable()
        gc.collect()
    return best


def test_a_chain_of_4000_nodes_costs_what_four_of_1000_do():
    assert seconds(4000) / seconds(1000) < 7  # quadratic would be 16


def test_a_chain_with_a_loss_at_every_node_is_not_quadratic_either():
    assert seconds(1600, every_loss=True) / seconds(400, every_loss=True) < 7.5


def test_the_gradient_of_a_long_chain_is_right():
    held = np.array([0.3, -0.2])
    # every score sees the last loss: d/dm log N(x; m, 1) with m = 0.5 * previous + loc
    first, rest = held - 1.5 * 0.1, held - (0.5 * held + 0.1)
    expected = np.sum(held**2 * (1.5 * first + 999 * rest))
    gradient = grad(lambda loc: anp.sum(surrogate_loss(chain(loc, 1000))))(0.1)
    np.testing.assert_allclose(gradient, expected, rtol=1e-10)


def test_deep_graphs_need_no_recursion():
    x = StochasticTensor(Normal(np.zeros(2), 1.0), rng=0)
    y = x
    for _ in range(20_000):
        y = y + x
    assert dependencies([y]) == {x: [0]}
