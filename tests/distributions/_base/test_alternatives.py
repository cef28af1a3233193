"""Parameters that are computed from the one that was given."""

import numpy as np
import pytest

from mcvi.distributions import Bernoulli, Binomial, Categorical, Geometric, NegativeBinomial, Poisson

HALVES = np.full(2, 0.5)
FAMILIES = [
    (Bernoulli(logits=HALVES), "probs"),
    (Bernoulli(probs=HALVES), "logits"),
    (Geometric(logits=HALVES), "probs"),
    (Binomial(3, probs=HALVES), "logits"),
    (NegativeBinomial(3.0, logits=HALVES), "probs"),
    (Poisson(HALVES), "log_rate"),
    (Poisson(log_rate=HALVES), "rate"),
    (Categorical(probs=HALVES), "logits"),
    (Categorical(logits=HALVES), "probs"),
]


@pytest.mark.parametrize(
    ("q", "other"), FAMILIES, ids=lambda case: case if isinstance(case, str) else type(case).__name__
)
def test_the_parameter_that_was_not_given_cannot_be_written_to(q, other):
    held = getattr(q, other)
    assert held is getattr(q, other)
    with pytest.raises(ValueError, match="read-only"):
        held[0] = 7.0


@pytest.mark.parametrize("q", [q for q, _ in FAMILIES], ids=repr)
def test_who_writes_to_a_mean_does_not_change_the_distribution(q):
    if type(q) is not Categorical:
        mean, variance = q.mean().copy(), q.variance().copy()
        q.mean()[:], q.variance()[:] = 7.0, 7.0
        np.testing.assert_array_equal(q.mean(), mean)
        np.testing.assert_array_equal(q.variance(), variance)
