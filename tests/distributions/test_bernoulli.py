"""The Bernoulli distribution: exact in the parameter that was given, at both ends."""

import pickle

import autograd
import mpmath
import numpy as np
import pytest
from autograd import numpy as anp

from mcvi.distributions import Bernoulli
from tests.distributions.discrete_contract import DiscreteContract, logarithms

LOGITS = [-1e300, -800.0, -40.0, -1.0, -1e-300, 0.0, 0.5, 30.0, 40.0, 800.0, 1e300]
PROBS = [0.0, 5e-324, 1e-300, 1e-17, 0.25, 0.5, 1.0 - 2.0**-53, 1.0]


def error(value, reference):
    return abs(value - reference) / max(1, abs(reference))


class TestBernoulli(DiscreteContract):
    family = Bernoulli
    instances = [Bernoulli(probs=p) for p in (0.1, 0.5, 0.75)] + [Bernoulli(logits=x) for x in (-2.0, 0.5)]
    grid = [(Bernoulli(logits=x), [0.0, 1.0]) for x in LOGITS] + [(Bernoulli(probs=p), [0.0, 1.0]) for p in PROBS]
    bad = [
        ({}, "Bernoulli: specify exactly one of logits and probs; got neither."),
        ({"logits": 0.0, "probs": 0.5}, "Bernoulli: specify exactly one of logits and probs; got both."),
        ({"probs": [0.5, 1.5]}, "Bernoulli: probs must be between 0 and 1; got 1.5 at index (1,)."),
        ({"logits": np.inf}, "Bernoulli: logits must be finite; got inf."),
    ]

    @staticmethod
    def counts(q):
        return np.array([0.0, 1.0])

    @staticmethod
    def reference(x, **odds):
        return logarithms(**odds)[0 if x == 1 else 1]


@pytest.mark.parametrize("logits", LOGITS)
def test_from_logits_it_is_exact(logits):
    with mpmath.workdps(60):
        odds = mpmath.mpf(logits)
        failure = -odds if odds > 1000 else -mpmath.log1p(mpmath.exp(odds))
        success = odds if odds < -1000 else -mpmath.log1p(mpmath.exp(-odds))
        entropy = -success * mpmath.exp(success) - failure * mpmath.exp(failure)
        q = Bernoulli(logits=logits)
        assert error(q.log_prob(1), success) < 4e-16
        assert error(q.log_prob(0), failure) < 4e-16
        assert q.entropy() == pytest.approx(float(entropy), rel=1e-14, abs=0)  # relative: it is tiny at the ends
        assert q.score(1)["logits"] == pytest.approx(float(mpmath.exp(failure)), rel=1e-15, abs=0)
        assert q.score(0)["logits"] == pytest.approx(-float(mpmath.exp(success)), rel=1e-15, abs=0)
        assert q.probs == pytest.approx(float(mpmath.exp(success)), rel=1e-15, abs=0)


@pytest.mark.parametrize("probs", PROBS)
def test_from_probs_it_is_exact(probs):
    with mpmath.workdps(400):
        p = mpmath.mpf(probs)
        success = mpmath.log(p) if p else mpmath.mpf("-inf")
        failure = mpmath.log(1 - p) if p != 1 else mpmath.mpf("-inf")
        entropy = sum(-x * mpmath.log(x) for x in (p, 1 - p) if x)
        q = Bernoulli(probs=probs)
        assert q.log_prob(1) == pytest.approx(float(success), rel=4e-16)
        assert q.log_prob(0) == pytest.approx(float(failure), rel=4e-16)
        assert q.entropy() == pytest.approx(float(entropy), rel=1e-14, abs=1e-322)
        assert q.logits == pytest.approx(float(success - failure), rel=4e-16, abs=4e-16)
        if 0 < probs < 1:
            assert q.score(1)["probs"] == pytest.approx(float(min(1 / p, mpmath.mpf("inf"))), rel=1e-15)
            assert q.score(0)["probs"] == pytest.approx(float(-1 / (1 - p)), rel=1e-15)


def test_what_cannot_happen_has_probability_zero_and_nan_stays():
    for q in (Bernoulli(logits=0.3), Bernoulli(probs=0.3)):
        values = q.log_prob([-1.0, 0.5, 2.0, np.inf, -np.inf, np.nan])
        np.testing.assert_array_equal(values, [-np.inf] * 5 + [np.nan])


def test_sure_outcomes_have_a_derivative_of_infinity_only_where_it_is():
    at = Bernoulli(probs=[0.0, 0.0, 1.0, 1.0]).score([0, 1, 0, 1])["probs"]
    np.testing.assert_array_equal(at, [-1.0, np.inf, -np.inf, 1.0])


def test_autograd_differentiates_every_exact_number_in_either_parameter():
    def total(q):
        return anp.sum(q.log_prob(np.array([0.0, 1.0, 1.0])) * q.probs + q.entropy() + q.logits + q.variance())

    p = np.array([0.2, 0.5, 0.9])
    of_probs = autograd.grad(lambda probs: total(Bernoulli(probs=probs)))(p)
    of_logits = autograd.grad(lambda logits: total(Bernoulli(logits=logits)))(np.log(p / (1 - p)))
    np.testing.assert_allclose(of_logits, of_probs * p * (1 - p), rtol=1e-13)
    h = 1e-6
    slopes = [(total(Bernoulli(probs=p + h * e)) - total(Bernoulli(probs=p - h * e))) / (2 * h) for e in np.eye(3)]
    np.testing.assert_allclose(of_probs, slopes, rtol=1e-7)


def test_it_keeps_what_was_given_and_computes_the_other():
    q = Bernoulli(probs=[0.25, 1.0])
    assert list(q.parameters) == ["probs"]
    np.testing.assert_allclose(q.logits, [-np.log(3), np.inf])
    again = pickle.loads(pickle.dumps(q))
    assert repr(again) == repr(q) == "Bernoulli(probs=[0.25, 1.  ])"
    np.testing.assert_array_equal(again.logits, q.logits)
    assert Bernoulli(logits=np.float32(2.0)).probs.dtype == np.float32


def test_draws_are_integers_outside_a_trace_and_floats_inside():
    q = Bernoulli(probs=[0.0, 0.3, 1.0])
    z = q.sample(100_000, rng=1)
    assert z.dtype == np.int64
    # z-test at false-failure 1e-9; sees a probability wrong by 0.018.
    assert abs(z[:, 1].mean() - 0.3) < 6.11 * np.sqrt(0.21 / 100_000)
    assert set(z[:, 0]) == {0}
    assert set(z[:, 2]) == {1}
    seen = []
    autograd.grad(lambda p: (seen.append(Bernoulli(probs=p).sample(3, rng=1)), p)[1])(0.5)
    assert seen[0].dtype == np.float64
