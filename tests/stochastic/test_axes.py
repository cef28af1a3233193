"""Axes of a node that a loss lacks: none, one, two; by the fused kernel, by the log probability, in both forms."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import StochasticTensor, leave_one_out, score_function, surrogate_loss, value_and_grad
from mcvi.stochastic._axes import extra_axes, spread, summed_to


class UsersBernoulli:
    """A user's family with a log probability alone."""

    event_shape = ()

    def __init__(self, logits):
        self.logits, self.batch_shape = logits, anp.shape(logits)

    def log_prob(self, b):
        return b * self.logits - anp.log1p(anp.exp(self.logits))

    def sample(self, n, *, rng):
        raise NotImplementedError


FAMILIES = {"fused": lambda p: Bernoulli(logits=p), "log probability": UsersBernoulli}
LOGITS = np.array([[0.3, -1.0, 0.5], [2.0, 0.1, -0.4]])
HELD = (np.random.default_rng(0).random((5, 2, 3)) < 0.5).astype(float)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
@pytest.mark.parametrize("form", ["value_preserving", "tf1"])
@pytest.mark.parametrize("kept", [1, 2, 3])
@pytest.mark.parametrize("estimator", [score_function, leave_one_out], ids=repr)
def test_the_log_probability_is_summed_over_the_axes_that_the_loss_lacks(family, form, kept, estimator):
    axes = tuple(range(kept, 3))

    def objective(logits):
        b = StochasticTensor(family(logits), loss_fn=estimator, value=HELD)
        loss = (b - 0.45) ** 2 * np.arange(1.0, 7.0).reshape(2, 3)
        return anp.sum(surrogate_loss([anp.sum(loss, axis=axes) if axes else loss], form=form))

    loss = (HELD - 0.45) ** 2 * np.arange(1.0, 7.0).reshape(2, 3)
    loss = loss.sum(axis=axes) if axes else loss
    advantage = loss if estimator is score_function else (loss - loss.mean(axis=0)) * 5 / 4
    advantage = advantage.reshape(advantage.shape + (1,) * (3 - kept))
    expected = np.sum(advantage * (HELD - 1 / (1 + np.exp(-LOGITS))), axis=0)
    np.testing.assert_allclose(grad(objective)(LOGITS), expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=FAMILIES)
def test_a_loss_of_one_element_weighs_a_node_of_three_axes(family):
    def objective(logits):
        b = StochasticTensor(family(logits), value=HELD)
        return surrogate_loss([anp.reshape(anp.sum(b**2), (1, 1))])[0, 0]

    expected = HELD.sum() * np.sum(HELD - 1 / (1 + np.exp(-LOGITS)), axis=0)
    np.testing.assert_allclose(grad(objective)(LOGITS), expected, rtol=1e-12)


def test_two_extra_axes_in_a_child_whose_batch_is_the_draws():
    a_held = np.array([1.0, 0.0, 1.0, 1.0])

    def objective(w):
        a = StochasticTensor(Bernoulli(logits=w), value=a_held)
        locs = anp.reshape(a, (4, 1, 1)) * w * np.ones((4, 2, 3))
        z = StochasticTensor(Normal(locs, 1.0), value=np.arange(24.0).reshape(4, 2, 3) / 10, pathwise=False)
        return anp.sum(surrogate_loss([anp.sum(z**2, axis=(1, 2))]))

    z = np.arange(24.0).reshape(4, 2, 3) / 10
    f, w = np.sum(z**2, axis=(1, 2)), 0.4
    of_a = a_held - 1 / (1 + np.exp(-w))
    of_z = np.sum((z - w * a_held[:, None, None]) * a_held[:, None, None], axis=(1, 2))
    np.testing.assert_allclose(grad(objective)(w), np.sum(f * (of_a + of_z)), rtol=1e-12)


def test_expected_losses_with_two_extra_axes():
    def loss(logits):
        return anp.sum(StochasticTensor(Bernoulli(logits=logits), loss_fn=leave_one_out), axis=(1, 2)) ** 2

    _, known = value_and_grad(loss)(LOGITS, n=400, rng=1)
    _, grouped = value_and_grad(lambda p: loss(1.0 * p))(LOGITS, n=400, rng=1)
    np.testing.assert_allclose(known.value, grouped.value, rtol=1e-11)
    probs = 1 / (1 + np.exp(-LOGITS))
    exact = probs * (1 - probs) * (1 + 2 * (probs.sum() - probs))  # of E[(sum b)^2]
    assert np.all(np.abs(known.value - exact) < 6.11 * known.standard_error)
    assert np.all(known.standard_error < 0.25)


def test_the_rule_in_its_parts():
    assert extra_axes((5, 2, 3), (5, 2, 3), "z") == ()
    assert extra_axes((5, 2, 3), (5,), "z") == (1, 2)
    assert extra_axes((5, 2, 3), (1,), "z") == (0, 1, 2)
    assert extra_axes((1, 2), (1,), "z") == (0, 1)
    np.testing.assert_array_equal(summed_to(HELD, (5,), "z"), HELD.sum(axis=(1, 2)))
    np.testing.assert_array_equal(summed_to(HELD, (5, 2), "z"), HELD.sum(axis=2))
    np.testing.assert_array_equal(summed_to(HELD, (1, 1), "z"), HELD.sum().reshape(1, 1))
    weights = np.arange(5.0)
    np.testing.assert_array_equal(spread(weights, (5, 2, 3)), np.broadcast_to(weights[:, None, None], (5, 2, 3)))
    np.testing.assert_array_equal(spread(np.ones((1, 1)), (5, 2, 3)), np.ones((5, 2, 3)))
    with pytest.raises(
        ValueError,
        match=r"^z: its log probability has shape \(5, 2\) and the loss that depends on it \(5, 3\); their axes do not "
        r"align from the left: give both the same leading axes \(draws, then plates\)\.$",
    ):
        extra_axes((5, 2), (5, 3), "z")
