"""Categorical and OneHotCategorical: the contract, cdf and tails, draws by inversion at every size of the table."""

import pickle

import mpmath
import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp
from scipy import stats

from mcvi.distributions import Categorical, OneHotCategorical
from tests.distributions.contract import DRAWS, FALSE_FAIL, error
from tests.distributions.vector_contract import HARD_ODDS, VectorContract, log_odds

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(3, 5))
PROBS = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
HARD = [
    [0.0, -40.0],
    [1e300, -1e300, 0.0],
    [-1e300, -1e300],
    [5.0, -np.inf, 5.0, -700.0],
    [-800.0, -801.0, -799.5],
    [1e-300, -1e-300, 0.0],
]


FEW, MANY = np.linspace(-1, 1, 5), np.sin(np.arange(20.0))
BAD = [
    ({"probs": [[0.5, 0.5], [0.5, 0.4]]}, "probs must sum to 1 over the last axis; got a sum of 0.9 at index (1,)."),
    ({"probs": [1.5, -0.5]}, "probs must be between 0 and 1; got 1.5 at index (0,)."),
    ({"probs": 0.5}, "probs must have at least one class on the last axis; got shape ()."),
    ({"logits": [[0.0, np.inf]]}, "logits must be numbers or -inf; got inf at index (0, 1)."),
    ({"logits": [-np.inf, -np.inf]}, "logits must not be -inf for every class"),
    ({}, "specify exactly one of logits and probs; got neither."),
]


def instances(family):
    return [family(logits=LOGITS[0]), family(logits=LOGITS[1]), family(probs=PROBS[2]), family(probs=[0.1, 0.9])]


def recorded(family):
    return {"five": family(logits=FEW), "twenty": family(logits=MANY), "batch": family(logits=np.stack([FEW, -FEW]))}


class TestCategorical(VectorContract):
    family = Categorical
    instances = instances(Categorical)
    golden = recorded(Categorical)
    grid = [(q, np.arange(float(q.probs.size))) for q in (Categorical(**odds) for odds in HARD_ODDS)]
    tolerance, has_mean = 1e-15, False
    outside = [-1.0, 0.5, 5.0, np.inf, -np.inf]
    bad = BAD
    values = staticmethod(lambda q: np.arange(q.probs.size))

    def reference(self, x, **odds):
        return log_odds(**odds)[int(x.item())]


class TestOneHotCategorical(VectorContract):
    family = OneHotCategorical
    instances = instances(OneHotCategorical)
    golden = recorded(OneHotCategorical)
    grid = [(q, np.eye(q.probs.size)) for q in (OneHotCategorical(**odds) for odds in HARD_ODDS)]
    tolerance = 1e-15
    outside = [[1, 1, 0, 0, 0], [0] * 5, [0.5, 0.5, 0, 0, 0], [0, -1, 0, 0, 2], [0, 2, 0, 0, 0], [np.inf, 0, 0, 0, 0]]
    bad = BAD
    values = staticmethod(lambda q: np.eye(q.probs.size))

    def reference(self, x, **odds):
        return log_odds(**odds)[list(x).index(1)]


def truth(logits):
    with mpmath.workdps(60):
        # Everything relative to the largest, so that mpmath's exponents stay small.
        top = max(mpmath.mpf(x) for x in logits)
        terms = [mpmath.mpf(x) - top for x in logits]
        total = mpmath.log(sum(mpmath.exp(t) if t > -1e6 else 0 for t in terms))
        return [t - total for t in terms]


def central_difference(f, x, step=1e-6):
    slope = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = step
        slope[i] = (f(x + e) - f(x - e)) / (2 * step)
    return slope


@pytest.mark.parametrize("logits", HARD)
def test_log_probabilities_from_logits_are_exact(logits):
    q = Categorical(logits=logits)
    got = q.log_prob(np.arange(len(logits)))
    assert max(map(error, got, truth(logits))) < 4e-16
    assert got.max() == pytest.approx(float(max(truth(logits))), rel=1e-14, abs=0)  # also where it is nearly 0
    entropy = mpmath.fsum(-t * mpmath.exp(t) for t in truth(logits) if t > -1e6)
    assert q.entropy() == pytest.approx(float(entropy), rel=1e-13, abs=0)


def test_probabilities_of_zero_and_one_are_exact():
    q = Categorical(probs=[[0.0, 0.25, 0.75], [0.0, 1.0, 0.0]])
    np.testing.assert_array_equal(
        q.log_prob([[0, 0], [1, 1], [2, 2]]), [[-np.inf, -np.inf], [np.log(0.25), 0.0], [np.log(0.75), -np.inf]]
    )
    np.testing.assert_allclose(q.entropy(), [-0.25 * np.log(0.25) - 0.75 * np.log(0.75), 0.0], rtol=1e-15)
    scores = q.score([0, 1])["probs"]
    np.testing.assert_array_equal(scores, [[np.inf, -1.0, -1.0], [-1.0, 0.0, -1.0]])
    slope = grad(lambda p: anp.sum(Categorical(probs=p).log_prob([1, 1])))(
        np.array([[0.0, 0.25, 0.75], [0.0, 1.0, 0.0]])
    )
    np.testing.assert_array_equal(slope, [[-1.0, 3.0, -1.0], [-1.0, 0.0, -1.0]])


def test_probs_are_renormalised_and_must_nearly_sum_to_one():
    single = np.array([0.1] * 10, np.float32)
    q = Categorical(probs=single)
    assert q.log_prob(3).dtype == np.float32
    double = Categorical(probs=single.astype(float))
    assert double.log_prob(3) == pytest.approx(np.log(0.1), rel=1e-15)


def test_what_is_no_class_has_probability_zero_and_nan_stays():
    q = Categorical(logits=LOGITS[0])
    np.testing.assert_array_equal(q.log_prob([-1.0, 0.5, 5.0, np.inf, -np.inf, np.nan]), [-np.inf] * 5 + [np.nan])
    one_hot = OneHotCategorical(logits=LOGITS[0, :3])
    vectors = [[1, 1, 0], [0, 0, 0], [0.5, 0.5, 0], [0, -1, 0], [0, 2, 0], [np.nan, 1, 0], [0, 0, 1]]
    expected = [-np.inf] * 5 + [np.nan, Categorical(logits=LOGITS[0, :3]).log_prob(2)]
    np.testing.assert_array_equal(one_hot.log_prob(vectors), expected)
    with pytest.raises(ValueError, match=r"value must have shape \(..., 3\); got"):
        one_hot.log_prob([1.0, 0.0])


@pytest.mark.parametrize(("name", "parameter"), [("logits", LOGITS), ("probs", PROBS)])
def test_autograd_differentiates_log_prob_entropy_and_cdf(name, parameter):
    z = RNG.integers(0, 5, size=(7, 3))
    weights = RNG.normal(size=(7, 3))

    def total(x):
        q = Categorical(**{name: x})
        hot = OneHotCategorical(**{name: x})
        return (
            anp.sum(weights * q.log_prob(z))
            + anp.sum(weights * q.log_cdf(z) * (z < 4))
            + anp.sum(q.entropy() * np.arange(3))
            + anp.sum(hot.log_prob(np.eye(5)[z]) * weights)
            + anp.sum(hot.covariance() * np.arange(25).reshape(5, 5))
            + anp.sum((q.logits if name == "probs" else q.probs) * PROBS)
        )

    step = 1e-6 if name == "logits" else 1e-7  # probs must still nearly sum to one
    np.testing.assert_allclose(grad(total)(parameter), central_difference(total, parameter, step), rtol=1e-5, atol=1e-5)


def test_cdf_counts_the_class_itself_and_tails_keep_their_digits():
    q = Categorical(probs=[0.5, 0.0, 0.5 - 1e-20, 1e-20])
    np.testing.assert_array_equal(
        q.cdf([-1, -0.5, 0, 0.5, 1, 2.5, 3, 9, np.nan]), [0, 0, 0.5, 0.5, 0.5, 1, 1, 1, np.nan]
    )
    assert q.survival_function(2) == 1e-20
    assert q.log_survival_function(2) == pytest.approx(np.log(1e-20), rel=1e-15)
    assert q.log_cdf(2) == pytest.approx(-1e-20, rel=1e-12)
    np.testing.assert_array_equal(q.log_cdf([-1, 3]), [-np.inf, 0.0])
    np.testing.assert_array_equal(q.quantile([0.0, 0.5, 0.6, 1.0, 1.1]), [0, 0, 2, 2, np.nan])
    with pytest.raises(NotImplementedError, match="Categorical has no closed-form mean"):
        q.mean()


@pytest.mark.parametrize("classes", [3, 8, 9, 100, 1000])
def test_draws_follow_the_probabilities(classes):
    """Chi-square at 1e-9; with these counts it sees a class that is a tenth too frequent at 100 classes."""
    p = np.random.default_rng(classes).dirichlet(np.ones(classes))
    p[classes // 2] = 0.0
    p /= p.sum()
    counts = np.bincount(Categorical(probs=p).sample(DRAWS, rng=1), minlength=classes)
    assert counts[p == 0] == 0
    often = p * DRAWS >= 5
    observed = np.append(counts[often], counts[~often].sum())
    expected = np.append(p[often], p[~often].sum()) * DRAWS
    kept = expected > 0
    assert stats.chisquare(observed[kept], expected[kept]).pvalue > FALSE_FAIL


def test_few_draws_and_many_draws_are_found_alike():
    q = Categorical(logits=RNG.normal(size=(2, 3000)))
    many = q.sample(4000, rng=3)  # begins at a guide
    np.testing.assert_array_equal(q.sample(10, rng=3), many[:10])  # searches


def test_it_keeps_what_was_given_through_pickle():
    for q in (Categorical(probs=PROBS), OneHotCategorical(logits=LOGITS)):
        again = pickle.loads(pickle.dumps(q))
        assert repr(again) == repr(q)
        assert list(again.parameters) == list(q.parameters)
        np.testing.assert_allclose(np.exp(again.logits), again.probs * np.exp(again.logits).sum(-1, keepdims=True))
