"""Derivatives that are taken in several threads at once."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from autograd import grad
from autograd import numpy as anp

from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import SampleValue, StochasticTensor, surrogate_loss, value_and_grad


@pytest.fixture
def switching_often():
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def by_value_and_grad(_):
    def loss(params):
        b = StochasticTensor(Bernoulli(logits=params["logit"]))
        z = StochasticTensor(Normal(params["loc"] + b, 1.0))
        return (z - 2 * b) ** 2

    value, gradient = value_and_grad(loss)({"logit": 0.3, "loc": 0.2}, n=100, rng=0)
    return float(value), float(gradient["logit"]), float(gradient["loc"])


def by_surrogate_loss(_):
    def objective(logit):
        b = StochasticTensor(Bernoulli(logits=logit), SampleValue(50), rng=1)
        return anp.mean(surrogate_loss([(b - 0.45) ** 2 * logit]))

    return float(grad(objective)(0.3))


def a_derivative_of_a_derivative(x):
    return float(grad(lambda y: y * grad(lambda z: z**3 * y)(y))(x))  # (3 y^4)' = 12 y^3


@pytest.mark.slow
@pytest.mark.parametrize("f", [by_value_and_grad, by_surrogate_loss, a_derivative_of_a_derivative])
def test_threads_differentiate_at_once(f, switching_often):
    alone = f(0.5)
    with ThreadPoolExecutor(6) as pool:
        assert set(pool.map(f, [0.5] * 120)) == {alone}


def test_a_thread_differentiates_inside_a_derivative_of_another(switching_often):
    def f(x):
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: x * grad(lambda y: y**2 * x)(x)).result()  # 2 x^3

    assert grad(f)(3.0) == pytest.approx(54.0, rel=1e-12)
