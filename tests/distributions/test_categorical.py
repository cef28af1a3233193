"""Categorical and OneHotCategorical: a look-up in a normalised table, and draws by inversion."""

import json
import pickle
import re
from itertools import pairwise

import mpmath
import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp
from scipy import stats

from mcvi.distributions import Categorical, OneHotCategorical
from mcvi.random import as_key, tile_rows
from tests.distributions.contract import DRAWS, FALSE_FAIL, GOLDEN, Z, error

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
    for wrong, text in [
        (
            {"probs": [[0.5, 0.5], [0.5, 0.4]]},
            "Categorical: probs must sum to 1 over the last axis; got a sum of 0.9 at",
        ),
        ({"probs": [1.5, -0.5]}, "Categorical: probs must be between 0 and 1; got 1.5 at index (0,)."),
        ({"probs": 0.5}, "Categorical: probs must have at least one class on the last axis; got shape ()."),
        ({"logits": [[0.0, np.inf]]}, "Categorical: logits must be numbers or -inf; got inf at index (0, 1)."),
        ({"logits": [-np.inf, -np.inf]}, "Categorical: logits must not be -inf for every class"),
        ({}, "Categorical: specify exactly one of logits and probs; got neither."),
    ]:
        with pytest.raises(ValueError, match=re.escape(text)):
            Categorical(**wrong)


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


@pytest.mark.parametrize(("name", "parameter"), [("logits", LOGITS), ("probs", PROBS)])
def test_score_is_what_autograd_finds_and_fisher_its_second_moment(name, parameter):
    q = Categorical(**{name: parameter})
    z = np.array([0, 3, 4])
    slope = grad(lambda x: anp.sum(Categorical(**{name: x}).log_prob(z)))(parameter)
    np.testing.assert_allclose(slope, q.score(z)[name], rtol=1e-12, atol=1e-14)
    scores = np.stack([q.score(np.full(3, k))[name] for k in range(5)])
    moment = np.einsum("kb,kbi,kbj->bij", PROBS.T, scores, scores)
    np.testing.assert_allclose(q.fisher(), moment, atol=1e-13)
    assert np.isnan(q.score(np.nan)[name]).all()
    assert (q.score(7)[name] == 0).all()


def test_second_derivatives_are_refused_in_a_sentence():
    def slope(x):
        return grad(lambda y: anp.sum(Categorical(logits=y).log_prob([0, 1, 2])))(x)

    with pytest.raises(NotImplementedError, match="second derivatives"):
        grad(lambda x: anp.sum(slope(x) ** 2))(LOGITS)


def test_batches_broadcast_against_values():
    q = Categorical(logits=LOGITS[:, None, :])
    z = RNG.integers(0, 5, size=(4, 1, 2))
    expected = np.array([[[Categorical(logits=LOGITS[b]).log_prob(k) for k in row[0]] for b in range(3)] for row in z])
    np.testing.assert_array_equal(q.log_prob(z), expected)
    assert Categorical(logits=np.zeros((2, 1, 4))).log_prob(0).shape == (2, 1)
    assert Categorical(logits=np.zeros((0, 4))).sample(3, rng=0).shape == (3, 0)
    weights = RNG.normal(size=expected.shape)
    slope = grad(lambda x: anp.sum(weights * Categorical(logits=x[:, None, :]).log_prob(z)))(LOGITS)
    by_hand = np.einsum("nbm,nbmk->bk", weights, q.score(z)["logits"])
    np.testing.assert_allclose(slope, by_hand, rtol=1e-12, atol=1e-13)


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


@pytest.mark.parametrize("family", [Categorical, OneHotCategorical])
@pytest.mark.parametrize("parameter", [LOGITS[0], LOGITS], ids=["one", "batch"])
def test_draws_are_the_same_however_they_are_cut(family, parameter):
    q = family(logits=parameter)
    rows, key = tile_rows(q.elements), as_key(5)
    whole = q._draw(key, 0, 5 * rows + 3)
    parts = [q._draw(key, a, b - a) for a, b in pairwise([0, rows, 4 * rows, 5 * rows + 3])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(q._draw(key, 0, 5), whole[:5])


@pytest.mark.parametrize("family", [Categorical, OneHotCategorical])
def test_draws_are_those_of_the_golden_file(family):
    """A change here is a change of the stream: raise `STREAM_VERSION`, and record anew."""
    golden = json.loads((GOLDEN / f"{family.__name__}.json").read_text())
    for name, q in instances(family).items():
        np.testing.assert_array_equal(np.asarray(q.sample(64, rng=2024)).reshape(64, -1), golden[name])


def instances(family):
    few, many = np.linspace(-1, 1, 5), np.sin(np.arange(20.0))
    return {"five": family(logits=few), "twenty": family(logits=many), "batch": family(logits=np.stack([few, -few]))}


def test_one_hot_moments_are_those_of_its_draws():
    q = OneHotCategorical(logits=LOGITS)
    z = q.sample(DRAWS // 4, rng=2)
    assert z.dtype == np.int64
    assert (z.sum(axis=-1) == 1).all()
    np.testing.assert_allclose(q.mean(), PROBS, rtol=1e-14)
    assert np.all(abs(z.mean(axis=0) - PROBS) < Z * q.stddev() / np.sqrt(len(z)))
    exact = np.stack([np.diag(p) - np.outer(p, p) for p in PROBS])
    np.testing.assert_allclose(q.covariance(), exact, atol=1e-16)
    np.testing.assert_allclose(q.variance(), np.diagonal(exact, axis1=1, axis2=2), rtol=1e-14)
    np.testing.assert_array_equal(q.mode().argmax(axis=-1), LOGITS.argmax(axis=-1))
    np.testing.assert_allclose(q.log_prob(q.mode()), np.log(PROBS.max(axis=-1)), rtol=1e-14)
    np.testing.assert_array_equal(q.entropy(), Categorical(logits=LOGITS).entropy())


def test_it_keeps_what_was_given_through_pickle():
    for q in (Categorical(probs=PROBS), OneHotCategorical(logits=LOGITS)):
        again = pickle.loads(pickle.dumps(q))
        assert repr(again) == repr(q)
        assert list(again.parameters) == list(q.parameters)
        np.testing.assert_allclose(np.exp(again.logits), again.probs * np.exp(again.logits).sum(-1, keepdims=True))
