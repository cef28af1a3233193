"""The error bars are honest: over 10 000 replications, side by side on the batch axis, 95 % intervals cover 95 %."""

import json
import lzma
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import digamma, polygamma

import mcvi
from mcvi.distributions import Exponential, Independent, Normal
from tests.statistics import COVERAGE_BAND, Z, coverage

pytestmark = pytest.mark.slow

REPLICATIONS = 10_000
N = 500
# Close enough for the weights to be light-tailed: an asymptotic interval is promised its coverage there.
P, Q = Normal(0.3, 1.0), Normal(np.zeros(REPLICATIONS), 1.2)


def second_moment():
    return 1.0 + 0.3**2


def exact_renyi(alpha, p=1.0):
    """Return the Renyi ratio of N(0.3, p**2) against N(0, 1.2**2)."""
    power = 1 - alpha
    precision = power / p**2 + (1 - power) / 1.2**2
    linear = power * 0.3 / p**2
    log_integral = 0.5 * linear**2 / precision - 0.5 * power * (0.3 / p) ** 2 - 0.5 * math.log(precision)
    return (log_integral - power * math.log(p) - (1 - power) * math.log(1.2)) / power


ELBO = -(math.log(1.0 / 1.2) + (1.2**2 + 0.3**2) / 2 - 0.5)

CASES = {
    "expectation": (lambda: mcvi.expectation(lambda z: z**2, Q, n=N, rng=1), 1.44),
    "importance sampler": (
        lambda: mcvi.expectation_importance_sampler(lambda z: z - 0.1, P.log_prob, Q, n=N, rng=2),
        0.2,
    ),
    "importance sampler in log space": (
        lambda: mcvi.expectation_importance_sampler_logspace(
            lambda z: 2 * np.log(np.abs(z)), P.log_prob, Q, n=N, rng=3
        ),
        math.log(second_moment()),
    ),
    "self-normalised": (
        lambda: mcvi.expectation_self_normalized(lambda z: z**2, lambda z: P.log_prob(z) + 7.0, Q, n=N, rng=4),
        second_moment(),
    ),
    "entropy": (
        lambda: mcvi.entropy_shannon(Q, n=N, rng=5, form="sample"),
        0.5 * math.log(2 * math.pi * math.e * 1.44),
    ),
    "elbo": (lambda: mcvi.elbo_ratio(P.log_prob, Q, n=N, rng=6, form="sample"), ELBO),
    "elbo with the entropy in closed form": (lambda: mcvi.elbo_ratio(P.log_prob, Q, n=N, rng=7), ELBO),
    "evidence": (lambda: mcvi.renyi_ratio(P.log_prob, Q, 0.0, n=N, rng=8), 0.0),
    "renyi 0.5": (lambda: mcvi.renyi_ratio(P.log_prob, Q, 0.5, n=N, rng=9), exact_renyi(0.5)),
    "renyi 0.999999": (lambda: mcvi.renyi_ratio(P.log_prob, Q, 0.999999, n=N, rng=10), ELBO),
    # An order above 1 averages q / p, whose tail is light where p is the wider of the two.
    "renyi 2": (lambda: mcvi.renyi_ratio(Normal(0.3, 1.4).log_prob, Q, 2.0, n=N, rng=11), exact_renyi(2.0, 1.4)),
}


@pytest.mark.parametrize("case", CASES)
def test_intervals_cover_as_often_as_they_say(case):
    make, truth = CASES[case]
    estimate = make()
    assert estimate.shape == (REPLICATIONS,)
    covered = coverage(estimate, truth)
    assert COVERAGE_BAND[0] <= covered <= COVERAGE_BAND[1], covered
    # The replications are independent, so their mean has a known error: the estimates, less their bias, are right.
    centre = estimate.value - (0.0 if estimate.bias is None else estimate.bias)
    spread = centre.std(ddof=1)
    assert abs(centre.mean() - truth) < Z * spread / math.sqrt(REPLICATIONS) + 2 * spread**2 / N
    # and the standard error is the spread that it claims to be: 3 % off would show.
    assert np.sqrt((estimate.standard_error**2).mean()) == pytest.approx(spread, rel=0.06)


def test_a_standard_error_ten_percent_off_would_be_caught():
    from dataclasses import replace

    make, truth = CASES["expectation"]
    estimate = make()
    for factor in (0.9, 1.1):
        covered = coverage(replace(estimate, standard_error=factor * estimate.standard_error), truth)
        assert not COVERAGE_BAND[0] <= covered <= COVERAGE_BAND[1]


@pytest.mark.parametrize("shape", [1, 4])
def test_the_predicted_bias_of_the_evidence_is_the_exact_one(shape):
    """Gamma weights: E log mean of n is psi(n a) - log(n a) + log a exactly (Nowozin 2018)."""
    n = 64
    q = Independent(Exponential(np.ones((REPLICATIONS, shape))), 1)  # whose sum is a Gamma weight
    estimate = mcvi.renyi_ratio(lambda z: q.log_prob(z) + np.log(z.sum(-1)), q, 0.0, n=n, rng=12)
    exact_bias = digamma(n * shape) - math.log(n * shape)
    exact_spread = math.sqrt(polygamma(1, n * shape))
    assert abs(estimate.value.mean() - math.log(shape) - exact_bias) < Z * exact_spread / math.sqrt(REPLICATIONS)
    # first order: -1 / (2 n a); the next term is 1 / (12 (n a)**2)
    predicted = estimate.bias.mean()
    assert predicted == pytest.approx(exact_bias, rel=0.05)


def test_exact_bounds_are_covered():
    """p = N(0, I), q = N((1, 1), I): exact finite-sample bounds (Li and Turner 2016, figure 3b)."""
    path = Path(__file__).parent / "data" / "bounds.json.xz"
    with lzma.open(path, "rt") as file:
        table = json.load(file)["content"]["li_turner_fig3b"]["table"]
    p = Independent(Normal(np.zeros(2), 1.0), 1)
    q = Independent(Normal(np.ones((REPLICATIONS, 2)), 1.0), 1)
    for alpha in ("0", "0.5", "0.9", "2"):
        for n in (2, 10, 100):
            exact = table[alpha][str(n)]
            value = mcvi.renyi_ratio(p.log_prob, q, float(alpha), n=n, rng=13).value
            error = value.std(ddof=1) / math.sqrt(REPLICATIONS)
            assert abs(value.mean() - exact) < Z * error, (alpha, n)
            assert error < 0.02


def test_exponential_weights_have_the_variance_that_is_known():
    n = 64
    q = Exponential(np.ones(REPLICATIONS))
    estimate = mcvi.renyi_ratio(lambda z: q.log_prob(z) + np.log(z), q, 0.0, n=n, rng=14)
    # log of a mean of n exponentials has variance psi'(n); the sample variance of 10 000 has a relative error of 1.4 %
    assert estimate.value.var(ddof=1) == pytest.approx(float(polygamma(1, n)), rel=Z * 0.0155)
