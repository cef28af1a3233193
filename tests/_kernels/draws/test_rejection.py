"""Rejection loops end whatever the parameters are: the time limit kills a run that does not."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import gammaln

from mcvi._kernels.draws.counts import POISSON, poisson_attempt
from mcvi._kernels.draws.gammas import fill_gammas
from mcvi.distributions import Beta, Binomial, Dirichlet, Gamma, NegativeBinomial, Poisson, StudentT
from mcvi.distributions._base.samplers import ByAttempts
from mcvi.random import as_key

# A signal does not stop compiled code; the thread of the time limit does.
pytestmark = pytest.mark.timeout(120, method="thread")

KEY = as_key(0)
TINY = np.finfo(float).tiny


@pytest.mark.slow
@pytest.mark.parametrize("odds", [{"probs": 1.0}, {"logits": 715.0}, {"logits": 1e300}])
def test_negative_binomials_of_almost_certain_success_end_in_a_sentence(odds):
    with pytest.raises(ValueError, match="NegativeBinomial: a draw does not fit a 64-bit integer; got"):
        NegativeBinomial(1e-3, **odds).sample(20, rng=0)


def test_negative_binomials_of_odds_beyond_all_numbers_follow_their_law():
    """With r = 1e-3 and logits 800 the count is 0 as often as the incomplete gamma function says its rate is small."""
    q = NegativeBinomial([1e-3, 0.0, 3.0], logits=[800.0, 800.0, 2.0])
    x = q._draw(KEY, 0, 100_000)
    assert not np.isnan(x).any()
    assert not x[:, 1].any()
    chance = np.exp(-0.8)  # P(count = 0) is (1 - p)**r
    assert abs((x[:, 0] == 0).mean() - chance) < 6.11 * np.sqrt(chance * (1 - chance) / len(x))
    mean, variance = 3.0 * np.exp(2.0), 3.0 * np.exp(2.0) * (1.0 + np.exp(2.0))
    assert abs(x[:, 2].mean() - mean) < 6.11 * np.sqrt(variance / len(x))


@pytest.mark.parametrize("rate", [1e-300, 1e-309, 5e-324])
def test_gammas_of_small_shape_and_huge_scale_follow_their_law(rate):
    x = Gamma(1e-3, rate).sample(100_000, rng=0)
    # Far below its mean a gamma draw of scale 1 has the cdf x**a / Gamma(a + 1).
    ends = np.array([TINY, min(1e-3 / rate, 1e307)])
    low = (x > ends[0]) & (x < ends[1])
    cdf = np.exp(1e-3 * (np.log([*ends, *x[low]]) + np.log(rate)) - gammaln(1.001))
    chance = cdf[1] - cdf[0]
    assert np.isfinite(x).all()
    assert abs(low.mean() - chance) < 6.11 * np.sqrt(chance * (1 - chance) / len(x)) + 1e-5
    assert stats.kstest((cdf[2:] - cdf[0]) / chance, "uniform").pvalue > 1e-9


def test_parameters_that_are_no_numbers_give_nan():
    for logs in (False, True):
        out = np.empty(100)
        fill_gammas(KEY.words, 0, 0, 1024, np.array([np.nan]), np.array([1.0]), out, logs=logs)
        assert np.isnan(out).all()
    out = np.empty(300)
    ByAttempts(poisson_attempt, POISSON).fill(KEY, 0, 1, np.full((POISSON, 1), np.nan), out)
    assert np.isnan(out).all()


def hard_parameters():
    rng = np.random.default_rng(5)

    def sizes(low, high):
        return 10.0 ** rng.uniform(low, high, 70)

    shapes, rates, degrees = sizes(-300, 300), sizes(-307, 307), sizes(-3, 300)
    n, logits = np.floor(sizes(0, 15)), rng.uniform(-800, 800, 70)
    return [
        Gamma(shapes, rates),
        Beta(sizes(-8, 10), sizes(-8, 10)),
        Dirichlet(np.stack([sizes(-300, 300), sizes(-300, 300), np.ones(70)], axis=-1)),
        StudentT(degrees, 0.0, 1.0),
        Poisson(np.minimum(sizes(-300, 15), 1e15)),
        Binomial(n, logits=logits),
        Binomial(n, probs=rng.uniform(size=70) ** 20),
        NegativeBinomial(sizes(-3, 10), logits=np.minimum(logits, 10.0)),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("q", hard_parameters(), ids=lambda q: type(q).__name__)
def test_draws_at_hard_parameters_are_finite_and_inside_the_support(q):
    x = q._draw(KEY, 0, 50)
    assert np.isfinite(x).all()
    assert (q.log_prob(x) > -np.inf).all()
