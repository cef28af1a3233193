"""A foreign function as a step of the graph."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad

import mcvi
from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import SampleValue, StochasticTensor, dependencies, surrogate_loss

DATA = np.array([0.5, -1.0, 2.0])


def foreign():
    def f(x, w):
        assert type(x) is np.ndarray  # never traced
        return np.sin(x) * w

    return mcvi.with_gradient(f, lambda g, answer, x, w: (g * np.cos(x) * w, np.sum(g * np.sin(x))))


def test_its_derivative_is_the_callers():
    f = foreign()
    np.testing.assert_allclose(grad(lambda x: anp.sum(f(x, 2.0)))(DATA), 2 * np.cos(DATA))
    np.testing.assert_allclose(grad(lambda w: anp.sum(f(DATA, w)))(2.0), np.sin(DATA).sum())
    np.testing.assert_array_equal(f(DATA, 2.0), 2 * np.sin(DATA))


def test_it_keeps_the_dependency_of_its_arguments():
    z = StochasticTensor(Normal(DATA, 1.0), rng=0)
    assert dependencies([foreign()(z, 2.0)]) == {z: [0]}


def test_pathwise_and_score_gradients_pass_through_it():
    f = foreign()

    def objective(loc, pathwise):
        z = StochasticTensor(Normal(loc, 0.5), SampleValue(400_000), pathwise=pathwise, rng=1)
        return anp.mean(surrogate_loss([f(z, 1.0)]))

    exact = np.cos(0.3) * np.exp(-(0.5**2) / 2)  # E sin(z) = sin(loc) exp(-var / 2)
    for pathwise, deviation in ((True, 0.5), (False, 2.0)):
        error = 6.11 * deviation / np.sqrt(400_000)
        assert abs(grad(objective)(0.3, pathwise) - exact) < error
        assert 2 * error < 0.1 * exact


def test_a_function_without_a_derivative_serves_score_functions():
    def vjp(g, answer, x):
        raise AssertionError("a score function asks for no derivative of the loss")

    f = mcvi.with_gradient(lambda x: np.round(x) * 3, vjp)

    def objective(logit):
        b = StochasticTensor(Bernoulli(logits=logit), value=np.array([0.0, 1.0]))
        return anp.sum(surrogate_loss([f(b)]))

    np.testing.assert_allclose(grad(objective)(0.0), 3 * 0.5)


def test_what_the_vjp_returns_is_checked():
    wrong_count = mcvi.with_gradient(lambda x, y: x + y, lambda g, answer, x, y: g)
    with pytest.raises(ValueError, match="a derivative for each of the 2 arguments; got 1"):
        grad(wrong_count)(1.0, 2.0)
    wrong_shape = mcvi.with_gradient(lambda x: np.sum(x), lambda g, answer, x: g)
    with pytest.raises(ValueError, match=r"returned shape \(\) for argument 0; expected \(3,\)"):
        grad(wrong_shape)(DATA)
    missing = mcvi.with_gradient(lambda x, y: x * y, lambda g, answer, x, y: (g * y, None))
    assert grad(missing)(1.0, 2.0) == 2.0
    with pytest.raises(NotImplementedError, match="returned None for argument 1"):
        grad(missing, 1)(1.0, 2.0)


def test_a_second_derivative_is_refused():
    with pytest.raises(NotImplementedError, match="has a first derivative only"):
        elementwise_grad(elementwise_grad(lambda x: foreign()(x, 2.0)))(DATA)


@pytest.mark.parametrize(("f", "vjp", "name"), [(1, len, "f"), (len, None, "vjp")])
def test_what_cannot_be_called_is_refused(f, vjp, name):
    with pytest.raises(TypeError, match=f"{name} must be callable"):
        mcvi.with_gradient(f, vjp)
