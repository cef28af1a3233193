"""Every family: changed parameters, copies, and what its signature shows."""

import copy
import dataclasses
import inspect
import pickle

import numpy as np
import pytest
from autograd import grad

import mcvi
from mcvi.distributions import Bernoulli, Binomial, Categorical, Gumbel, Independent, Normal, Poisson, Uniform


class Shifted(Normal):
    """A subclass of a user's, with an attribute of its own."""

    def log_prob(self, value):
        return super().log_prob(np.asarray(value) - self.offset)


def shifted():
    q = Shifted(0.0, [1.0, 2.0])
    object.__setattr__(q, "offset", 5.0)
    return q


@pytest.mark.parametrize(
    ("q", "changes", "text"),
    [
        (Normal(0.0, 1.0), {"scale": 2.0}, "Normal(loc=0., scale=2.)"),
        (Bernoulli(logits=0.3), {"logits": 1.0}, "Bernoulli(logits=1.)"),
        (Bernoulli(logits=0.3), {"probs": 0.5}, "Bernoulli(probs=0.5)"),
        (Poisson(2.0), {"rate": 3.0}, "Poisson(rate=3.)"),
        (Poisson(2.0), {"log_rate": 0.0}, "Poisson(log_rate=0.)"),
        (Binomial(3, probs=0.5), {"total_count": 4}, "Binomial(total_count=4., probs=0.5)"),
        (Categorical(probs=[0.5, 0.5]), {"logits": [0.0, 1.0]}, "Categorical(logits=[0., 1.])"),
        (Independent(Normal([0.0, 1.0], 1.0), 1), {"reinterpreted_batch_ndims": 0}, "Independent("),
    ],
    ids=lambda case: str(case)[:20],
)
def test_replace_changes_some_parameters(q, changes, text):
    _ = [getattr(q, field.name) for field in dataclasses.fields(q)]  # the other parameter, computed and kept
    assert repr(q.replace(**changes)).startswith(text)
    assert repr(q.replace()) == repr(q)


def test_replace_refuses_in_sentences():
    with pytest.raises(TypeError, match=r"^Normal has no parameter rat; it has loc, scale\.$"):
        Normal(0.0, 1.0).replace(rat=1.0)
    with pytest.raises(ValueError, match="Normal: scale must be positive"):
        Normal(0.0, 1.0).replace(scale=-1.0)
    with pytest.raises(ValueError, match=r"^Bernoulli: specify exactly one of logits and probs; got both\.$"):
        dataclasses.replace(Bernoulli(logits=0.3), logits=1.0)
    assert repr(dataclasses.replace(Normal(0.0, 1.0), loc=2.0)) == "Normal(loc=2., scale=1.)"


def test_replace_can_be_differentiated():
    assert grad(lambda v: Normal(0.0, 1.0).replace(loc=v).log_prob(3.0))(1.0) == 2.0


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda q: pickle.loads(pickle.dumps(q)), Shifted.replace])
def test_a_copy_keeps_the_attributes_of_a_subclass_and_stays_frozen(again):
    q = shifted()
    expected = q.log_prob([1.0, 1.0])
    other = again(q)
    assert type(other) is Shifted
    assert other.offset == 5.0
    np.testing.assert_array_equal(other.log_prob([1.0, 1.0]), expected)
    with pytest.raises(ValueError, match="read-only"):
        other.scale[0] = 7.0


def test_a_subclass_is_itself_under_a_trace():
    def total(loc):
        q = shifted().replace(loc=loc)
        assert q.untraced.offset == 5.0
        return mcvi.expectation(lambda z: z, q, n=10, rng=0).sum()

    assert grad(total)(0.0) == pytest.approx(2.0)


def test_signatures_show_parameters():
    assert str(inspect.signature(Normal)) == "(loc: Parameter, scale: Parameter) -> None"
    assert str(inspect.signature(Gumbel)) == "(loc: Parameter, scale: Parameter) -> None"


def test_support_and_constraints_are_public():
    assert list(Binomial.constraints) == ["total_count", "logits", "probs"]
    q = Uniform([0.0, 1.0], 3.0)
    np.testing.assert_array_equal(q.support.contains(0.5), [True, False])
    np.testing.assert_array_equal(Binomial([2, 9], probs=0.5).support.contains(3.0), [False, True])
    scale = Normal.constraints["scale"]
    assert scale.contains(scale.from_real(-3.0))
