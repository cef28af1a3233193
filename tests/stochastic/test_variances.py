"""The variances of the estimators against exact ones, by enumeration, by quadrature and by chance."""

import json
import lzma
from math import comb
from pathlib import Path

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import (
    SampleValue,
    StochasticTensor,
    get_score_function_with_advantage,
    get_score_function_with_constant_baseline,
    get_vimco_advantage_fn,
    leave_one_out,
    score_function,
    sticking_the_landing,
    stop_gradient,
    surrogate_loss,
    without_graph,
)

Z = 6.11  # two-sided, one false failure in 1e9
DATA = json.loads(lzma.decompress((Path(__file__).parents[1] / "data/gradient_estimators.json.xz").read_bytes()))
EXACT, SNR = DATA["score_function_variance"], DATA["gradient_snr"]["rows"]


def counts(draws, theta):
    """Return every number of ones among the draws as a column of draws, and its probability."""
    ones = np.arange(draws + 1)
    held = (np.arange(draws)[:, None] < ones).astype(float)
    weights = np.array([comb(draws, k) for k in ones]) * theta**ones * (1 - theta) ** (draws - ones)
    return held, weights


def mean_and_variance(estimates, weights):
    mean = np.sum(weights * estimates)
    return mean, np.sum(weights * (estimates - mean) ** 2)


def bernoulli_estimates(estimator, held, theta, t):
    logit = np.log(theta / (1 - theta))

    def objective(logits):  # a column of draws is a plate: its gradient is its own estimate
        b = StochasticTensor(Bernoulli(logits=logits), loss_fn=estimator, value=held)
        return anp.sum(anp.mean(surrogate_loss([(b - t) ** 2]), axis=0))

    return grad(objective)(np.full(held.shape[1], logit))


BERNOULLI = [name for name in EXACT if name.startswith("bern_")]


@pytest.mark.parametrize("name", BERNOULLI)
def test_the_variances_on_one_bernoulli_are_exact(name):
    theta, t, draws = (float("".join(c for c in part if not c.isalpha())) for part in name.split("_")[1:])
    expected, draws = EXACT[name], int(draws)
    held, weights = counts(draws, theta)
    f1, f0 = (1 - t) ** 2, t**2
    estimators = {
        "reinforce": score_function,
        "rloo": leave_one_out,
        "mean_baseline": get_score_function_with_constant_baseline(theta * f1 + (1 - theta) * f0),
        "opt_baseline": get_score_function_with_constant_baseline((1 - theta) * f1 + theta * f0),
    }
    for label, estimator in estimators.items():
        mean, variance = mean_and_variance(bernoulli_estimates(estimator, held, theta, t), weights)
        np.testing.assert_allclose(mean, expected["mean"], rtol=1e-10)
        np.testing.assert_allclose(variance, expected[label], rtol=1e-9, atol=1e-17)


@pytest.mark.parametrize("name", [name for name in EXACT if name.startswith("gauss_")])
def test_score_and_pathwise_variances_on_a_normal_are_exact(name):
    mu, sigma, c = (float(part.lstrip("musc")) for part in name.split("_")[1:])
    noise, weights = np.polynomial.hermite_e.hermegauss(20)
    weights = weights / np.sqrt(2 * np.pi)

    def estimates(pathwise):
        def objective(loc):
            q = Normal(loc, sigma)
            value = q.transport(noise) if pathwise else mu + sigma * noise
            x = StochasticTensor(q, value=value, pathwise=pathwise)
            return anp.sum(surrogate_loss([(x - c) ** 2]))

        return grad(objective)(np.full(20, mu))

    for pathwise, row in ((False, "score_mu"), (True, "path_mu")):
        mean, variance = mean_and_variance(estimates(pathwise), weights)
        np.testing.assert_allclose(mean, EXACT[name]["grad_mu"], rtol=1e-11)
        np.testing.assert_allclose(variance, EXACT[name][row], rtol=1e-11)


@pytest.mark.parametrize("name", [name for name in EXACT if name.startswith("vimco_")])
def test_the_variance_of_vimco_is_exact(name):
    theta_text, log_p0, log_p1, draws_text = name.removeprefix("vimco_theta").replace("lp", "").split("_")
    theta, draws = float(theta_text), int(draws_text.lstrip("K"))
    log_p = np.array([float(log_p0), float(log_p1)])
    held, weights = counts(draws, theta)
    logit = np.log(theta / (1 - theta))
    shared = get_score_function_with_advantage(lambda node, loss: log_mean(loss) * np.ones(loss.shape))
    expected = EXACT[name]

    def log_mean(x):
        top = np.max(np.asarray(without_graph(stop_gradient(x))), axis=0)
        return top + anp.log(anp.mean(anp.exp(x - top), axis=0))

    def estimates(estimator):
        def objective(logits):
            q = Bernoulli(logits=logits)
            b = StochasticTensor(q, loss_fn=estimator, value=held)
            log_w = log_p[held.astype(int)] - q.log_prob(held)
            score_terms = surrogate_loss([stop_gradient(log_w + 0.0 * b)])
            return anp.sum(score_terms) + anp.sum(log_mean(log_w))

        return grad(objective)(np.full(held.shape[1], logit))

    vimco = get_score_function_with_advantage(get_vimco_advantage_fn(have_log_loss=True))
    for estimator, row in ((vimco, "vimco_geo"), (shared, "nvil0")):
        mean, variance = mean_and_variance(estimates(estimator), weights)
        np.testing.assert_allclose(mean, expected[row]["mean"], rtol=1e-6)
        np.testing.assert_allclose(variance, expected[row]["var"], rtol=1e-6)


@pytest.mark.parametrize("row", SNR[:3], ids=lambda row: f"K={row['K']}")
@pytest.mark.parametrize("estimator", ["iwae_b", "stl_b"])
def test_pathwise_and_sticking_the_landing_have_their_means_and_standard_deviations(row, estimator):
    replications, draws = 40_000, row["K"]
    expected = row[estimator]

    def objective(loc):
        q = Normal(loc[:, None] * np.ones(draws), np.sqrt(2 / 3))
        loss_fn = sticking_the_landing if estimator == "stl_b" else score_function
        z = StochasticTensor(q, SampleValue(), loss_fn, pathwise=True, rng=11)
        log_w = Normal(0.0, 1.0).log_prob(z) + Normal(z, 1.0).log_prob(2.0) - z.log_prob()
        bound = anp.log(anp.mean(anp.exp(log_w), axis=1))
        return anp.sum(surrogate_loss([bound]))

    gradients = grad(objective)(np.full(replications, 1.1))
    error = np.hypot(expected["sd"] / np.sqrt(replications), expected["mcse"])
    assert abs(gradients.mean() - expected["mean"]) < Z * error
    # kurtosis of these gradients is near that of a normal: the standard error of a standard deviation is sd / sqrt(2n)
    spread = 2 * expected["sd"] * np.hypot(1 / np.sqrt(2 * replications), 1 / np.sqrt(2 * expected["n"]))
    assert abs(gradients.std() - expected["sd"]) < Z * spread
    assert Z * error < 0.1
    assert Z * spread < 0.1 * expected["sd"]
