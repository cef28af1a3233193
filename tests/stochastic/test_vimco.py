"""VIMCO's advantage: exact at any gap, against sums in long integers' place: mpmath."""

import autograd.numpy as anp
import mpmath
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Bernoulli
from mcvi.stochastic import StochasticTensor, get_vimco_advantage_fn
from mcvi.stochastic._estimators.vimco import leave_one_out_log_sum_exp, leave_one_out_mean


def naive(log_loss):
    """Mnih & Rezende (2016), eq. 9, in 60 digits, for one column."""
    with mpmath.workdps(60):
        values = [mpmath.mpf(float(x)) for x in log_loss]
        n = len(values)
        whole = mpmath.log(sum(map(mpmath.exp, values)) / n)
        result = []
        for j in range(n):
            others = values[:j] + values[j + 1 :]
            mean = sum(others) / (n - 1)
            result.append(float(whole - mpmath.log((sum(map(mpmath.exp, others)) + mpmath.exp(mean)) / n)))
    return np.array(result)


@pytest.mark.parametrize("gap", [0.0, 1e-12, 1.0, 10.0, 34.0, 40.0, 100.0, 700.0, 5000.0])
def test_the_advantage_is_exact_at_any_gap(gap):
    advantage = get_vimco_advantage_fn(have_log_loss=True)
    for column in ([0.0, -gap], [gap, 0.0, -gap], [-gap, -gap, 0.0, 0.3], [1e4, 1e4 - gap, -3.0]):
        np.testing.assert_allclose(advantage(None, np.array(column)), naive(column), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("losses", [[[1, 1.5], [1e-6, 1e4], [2, 3]], 100 * np.random.default_rng(0).random((50, 64))])
def test_the_advantage_of_positive_losses_is_the_naive_one(losses):
    losses = np.asarray(losses, float)
    expected = np.array([naive(np.log(column)) for column in losses.T]).T
    np.testing.assert_allclose(get_vimco_advantage_fn()(None, losses), expected, rtol=1e-11, atol=1e-13)


def test_small_probabilities_stay_finite():
    log_loss = -np.random.default_rng(1).random((10, 1000, 100)).astype(np.float16).sum(axis=-1)
    assert np.isfinite(get_vimco_advantage_fn(have_log_loss=True)(None, log_loss)).all()


def test_minus_infinity_is_weight_zero():
    advantage = get_vimco_advantage_fn(have_log_loss=True)
    both = np.array([[-np.inf, 0.0], [1.0, -np.inf], [0.5, 0.2]])
    assert np.isfinite(advantage(None, both)[[0, 2]][:, 1]).all()
    np.testing.assert_array_equal(advantage(None, np.full((3, 1), -np.inf)), np.zeros((3, 1)))
    np.testing.assert_array_equal(np.isnan(advantage(None, np.array([np.nan, 0.0, 1.0]))), [True, True, True])


def test_leaving_one_out_loses_nothing():
    x = np.array([1e16, 1.0, 2.0])
    np.testing.assert_array_equal(leave_one_out_mean(x), [1.5, 5e15 + 1, 5e15])
    x = np.array([0.0, -800.0, -801.0])
    np.testing.assert_allclose(leave_one_out_log_sum_exp(x)[0], -800 + np.log1p(np.exp(-1.0)), rtol=1e-15)


def test_one_draw_and_impossible_losses_are_refused_by_the_nodes_name():
    node = StochasticTensor(Bernoulli(logits=0.0), value=np.zeros(1), name="bits")
    advantage = get_vimco_advantage_fn()
    with pytest.raises(ValueError, match=r"bits: VIMCO needs at least 2 draws on the first axis.*\(1, 3\)"):
        advantage(node, np.ones((1, 3)))
    with pytest.raises(ValueError, match=r"bits: VIMCO takes the logarithm.*got -1.0 at index \(1, 0\)"):
        advantage(node, np.array([[1.0], [-1.0]]))
    with pytest.raises(ValueError, match=r"got 0.0 at index \(0,\) and in every other draw"):
        advantage(node, np.zeros(2))
    np.testing.assert_allclose(
        advantage(node, np.array([0.0, 1.0, 2.0])), [-0.38621740095322066, np.log(1.5), np.log(3)]
    )


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_the_derivative_of_the_advantage_is_that_of_differences(scale):
    log_loss = scale * np.random.default_rng(2).normal(size=(5, 3))
    weights = np.random.default_rng(3).normal(size=(5, 3))
    advantage = get_vimco_advantage_fn(have_log_loss=True)

    def total(x):
        return anp.sum(advantage(None, x) * weights)

    differences = np.zeros_like(log_loss)
    for place in np.ndindex(log_loss.shape):
        step = np.zeros_like(log_loss)
        step[place] = 1e-6
        differences[place] = (total(log_loss + step) - total(log_loss - step)) / 2e-6
    np.testing.assert_allclose(grad(total)(log_loss), differences, rtol=1e-5, atol=1e-7)
    positive = np.exp(log_loss)
    from_losses = grad(lambda x: anp.sum(get_vimco_advantage_fn()(None, x) * weights))(positive)
    np.testing.assert_allclose(from_losses * positive, grad(total)(log_loss), rtol=1e-9, atol=1e-12)


def test_the_derivative_is_finite_at_any_gap():
    advantage = get_vimco_advantage_fn(have_log_loss=True)
    gradient = grad(lambda x: anp.sum(advantage(None, x) * np.array([1.0, 2.0, 3.0])))(np.array([0.0, -900.0, -2000.0]))
    # without the largest the mean of the others is far below the second: the first draw's advantage is x1 - x2
    np.testing.assert_allclose(gradient[:2].sum() + gradient[2], 0.0, atol=1e-12)
    np.testing.assert_allclose(gradient[0], 1.0, rtol=1e-12)
