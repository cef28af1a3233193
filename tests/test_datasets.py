"""The problems with a known answer: their densities, and the answers."""

import copy
import pickle

import autograd
import numpy as np
import pytest
from scipy import integrate, stats

import mcvi
from mcvi.datasets import eight_schools, gaussian
from mcvi.diagnostics import khat_threshold

Z = 6.11


def naive_eight_schools(z):
    """The log joint density of one draw, term by term, from scipy's densities."""
    schools = eight_schools()
    eta, mu, tau = z[:8], z[8], np.exp(z[9])
    return (
        stats.norm.logpdf(schools.data["y"], mu + tau * eta, schools.data["sigma"]).sum()
        + stats.norm.logpdf(eta).sum()
        + stats.norm.logpdf(mu, 0, 5)
        + stats.halfcauchy.logpdf(tau, scale=5)
        + z[9]
    )


def test_the_log_joint_of_the_eight_schools_is_the_sum_of_its_terms():
    schools = eight_schools()
    z = np.random.default_rng(0).normal(size=(50, 10)) * 2
    np.testing.assert_allclose(schools.log_joint(z), [naive_eight_schools(row) for row in z], rtol=1e-13)


def test_the_log_evidence_of_the_eight_schools_is_that_of_quadrature():
    schools = eight_schools()
    y, sigma = schools.data["y"], schools.data["sigma"]

    def marginal(log_tau):
        # eta and mu integrated out: y is normal with covariance diag(sigma^2 + tau^2) + 25
        tau = np.exp(log_tau)
        covariance = np.diag(sigma**2 + tau**2) + 25.0
        prior = stats.halfcauchy.logpdf(tau, scale=5) + log_tau
        return np.exp(stats.multivariate_normal.logpdf(y, np.zeros(8), covariance) + prior + 31.0)

    parts = [integrate.quad(marginal, a, b, epsabs=1e-14, epsrel=1e-12)[0] for a, b in [(-40, -2), (-2, 3), (3, 40)]]
    assert np.log(sum(parts)) - 31.0 == pytest.approx(schools.log_evidence, abs=1e-9)
    assert schools.log_evidence == pytest.approx(-31.311347352293, abs=1e-11)


def test_the_posterior_means_are_those_of_the_wide_proposal():
    schools = eight_schools()
    wide = schools.proposals["wide"]
    for i, name in enumerate(schools.coordinates):
        found = mcvi.expectation_self_normalized(lambda z, i=i: z[:, i], schools.log_joint, wide, n=100_000, rng=1)
        assert found.standard_error < 0.02 * max(1.0, schools.posterior_stddev[i]), name
        assert abs(found.value - schools.posterior_mean[i]) < Z * found.standard_error, name


def test_the_wide_proposal_finds_the_evidence_and_its_weights_have_a_variance():
    schools = eight_schools()
    found = mcvi.renyi_ratio(schools.log_joint, schools.proposals["wide"], 0.0, n=1_000_000, rng=2)
    assert abs(found.value - schools.log_evidence) < Z * found.standard_error < 0.01
    assert found.khat < 0.45


@pytest.mark.slow
def test_the_mean_field_proposal_is_the_optimum_of_its_family():
    schools = eight_schools()
    q = schools.proposals["mean-field"]
    elbo = mcvi.elbo_ratio(schools.log_joint, q, n=1_000_000, rng=3)
    assert elbo.value == pytest.approx(schools.limits["mean-field"](1.0), abs=Z * elbo.standard_error)
    assert Z * elbo.standard_error < 0.02
    # common draws: no step along any coordinate raises the ELBO by more than noise
    noise = q.noise(200_000, rng=4)

    def elbo_at(loc, log_scale):
        scale = np.exp(log_scale)
        return schools.log_joint(loc + scale * noise).mean() + log_scale.sum()

    gradient = [
        (elbo_at(q.loc + step, np.log(q.scale_diag)) - elbo_at(q.loc - step, np.log(q.scale_diag))) / 2e-3
        for step in 1e-3 * np.eye(10)
    ] + [
        (elbo_at(q.loc, np.log(q.scale_diag) + step) - elbo_at(q.loc, np.log(q.scale_diag) - step)) / 2e-3
        for step in 1e-3 * np.eye(10)
    ]
    assert np.abs(gradient).max() < 0.02


def test_the_mean_field_proposal_misses_a_hundredth_of_the_posterior_and_khat_does_not_see_it():
    schools = eight_schools()
    q, wide = schools.proposals["mean-field"], schools.proposals["wide"]
    edge = q.loc[9] - 5 * q.scale_diag[9]
    share = mcvi.expectation_self_normalized(lambda z: z[:, 9] < edge, schools.log_joint, wide, n=400_000, rng=5)
    assert abs(share.value - 0.012) < 0.002
    khat = mcvi.renyi_ratio(schools.log_joint, q, 0.0, n=100_000, rng=5).khat
    assert 0.4 < khat < khat_threshold(100_000)


def test_the_log_joints_can_be_differentiated_and_sent_away():
    for problem in (eight_schools(), gaussian(3)):
        z = np.full(problem.dim, 0.3)
        gradient = autograd.grad(lambda z, p=problem: p.log_joint(z[None])[0])(z)
        step = 1e-6 * np.eye(problem.dim)
        numeric = (problem.log_joint(z + step) - problem.log_joint(z - step)) / 2e-6
        np.testing.assert_allclose(gradient, numeric, rtol=1e-6, atol=1e-7)
        again = pickle.loads(pickle.dumps(problem.log_joint))
        np.testing.assert_array_equal(again(z[None]), problem.log_joint(z[None]))


def test_a_tau_beyond_every_number_has_density_zero_and_no_warning():
    z = np.zeros((1, 10))
    z[0, 8:] = 0.1, 800.0
    z[0, :8] = 1.0
    assert eight_schools().log_joint(z)[0] == -np.inf


@pytest.mark.parametrize("proposal", ["wide", "narrow"])
@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.5, 1.0, 1.5])
def test_the_gaussian_limits_and_variances_are_those_of_quadrature(proposal, alpha):
    model = gaussian(1)
    q, power = model.proposals[proposal], 1 - alpha

    def log_w(z):
        return model.log_joint(np.array([[z]]))[0] - q.log_prob(np.array([z]))

    def moment(f):
        return integrate.quad(lambda z: f(log_w(z)) * np.exp(q.log_prob(np.array([z]))), -12, 12, epsabs=1e-13)[0]

    if alpha == 1.0:
        assert model.limits[proposal](alpha) == pytest.approx(moment(lambda v: v), abs=1e-9)
        assert model.relative_variances[proposal](alpha) == pytest.approx(0.0, abs=1e-12)
        return
    first = moment(lambda v: np.exp(power * v))
    assert model.limits[proposal](alpha) == pytest.approx(np.log(first) / power, abs=1e-9)
    if np.isfinite(model.relative_variances[proposal](alpha)):
        second = moment(lambda v: np.exp(2 * power * v))
        assert model.relative_variances[proposal](alpha) == pytest.approx(second / first**2 - 1, rel=1e-7)
    else:
        assert proposal == "narrow"
        assert alpha <= 0.0


def test_the_gaussian_model_has_the_posterior_that_it_says():
    model = gaussian(2)
    found = mcvi.renyi_ratio(model.log_joint, model.proposals["wide"], 0.0, n=200_000, rng=6)
    assert abs(found.value - model.log_evidence) < Z * found.standard_error < 0.02
    mean = mcvi.expectation_self_normalized(
        lambda z: z[:, 0], model.log_joint, model.proposals["wide"], n=200_000, rng=6
    )
    assert abs(mean.value - model.posterior_mean[0]) < Z * mean.standard_error < 0.02


def test_data_and_source_are_stated_and_cannot_be_changed():
    schools = eight_schools()
    assert "posteriordb" in schools.source
    assert schools.licence.startswith("BSD-3-Clause")
    with pytest.raises(ValueError, match="read-only"):
        schools.data["y"][0] = 0.0
    with pytest.raises(ValueError, match="dim must be a positive integer"):
        gaussian(0)


@pytest.mark.parametrize(
    "send", [lambda problem: pickle.loads(pickle.dumps(problem)), copy.deepcopy], ids=["pickle", "copy"]
)
@pytest.mark.parametrize("problem", [eight_schools(), gaussian(3)], ids=["eight schools", "gaussian"])
def test_a_problem_that_was_sent_away_is_the_same_and_cannot_be_changed_either(problem, send):
    sent = send(problem)
    assert (sent.name, sent.log_evidence, sent.coordinates) == (problem.name, problem.log_evidence, problem.coordinates)
    z = np.full((1, problem.dim), 0.3)
    np.testing.assert_array_equal(sent.log_joint(z), problem.log_joint(z))
    for name, q in problem.proposals.items():
        np.testing.assert_array_equal(sent.proposals[name].log_prob(z), q.log_prob(z))
        np.testing.assert_equal(sent.limits[name](0.0), problem.limits[name](0.0))
    for array in (*sent.data.values(), sent.posterior_mean, sent.posterior_stddev):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0.0
    with pytest.raises(TypeError, match="does not support item assignment"):
        sent.data["y"] = None
