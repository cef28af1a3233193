"""Higher derivatives of the plain score function, for families whose log density has them."""

import json
import lzma
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Bernoulli
from mcvi.stochastic import StochasticTensor, leave_one_out, score_function, surrogate_loss

DICE = json.loads(lzma.decompress((Path(__file__).parents[1] / "data/gradient_estimators.json.xz").read_bytes()))[
    "dice"
]


class SmoothBernoulli:
    """A user's family written with autograd.numpy: its log density can be differentiated again and again."""

    batch_shape, event_shape = (2,), ()

    def __init__(self, logit):
        self.logit = logit

    def log_prob(self, b):
        return b * self.logit - anp.log(1 + anp.exp(self.logit))

    def sample(self, n, *, rng):
        return (rng.random((n, 2)) < 1 / (1 + np.exp(-self.logit))).astype(float)


def surrogate(logit, estimator=score_function, family=SmoothBernoulli):
    p = 1 / (1 + np.exp(-DICE["eta"]))
    b = StochasticTensor(family(logit), loss_fn=estimator, value=np.array([0.0, 1.0]), name="b")
    loss = DICE["f0"] + (DICE["f1"] - DICE["f0"]) * b
    return anp.sum(surrogate_loss([loss]) * np.array([1 - p, p]))


def test_derivatives_of_every_order_have_the_exact_mean():
    orders = [surrogate, grad(surrogate), grad(grad(surrogate)), grad(grad(grad(surrogate)))]
    exact = [DICE[name] for name in ("value", "d1", "d2", "d3")]
    np.testing.assert_allclose([order(DICE["eta"]) for order in orders], exact, rtol=1e-12)


def test_an_estimator_without_second_derivatives_refuses_them():
    with pytest.raises(NotImplementedError, match="b: no second derivatives of a surrogate loss with the estimator"):
        grad(grad(surrogate))(DICE["eta"], leave_one_out)


def test_a_family_without_second_derivatives_refuses_them():
    def family(logit):
        return Bernoulli(logits=logit * np.ones(2))

    np.testing.assert_allclose(grad(surrogate)(DICE["eta"], score_function, family), DICE["d1"], rtol=1e-12)
    with pytest.raises(NotImplementedError, match="second derivatives"):
        grad(grad(surrogate))(DICE["eta"], score_function, family)
