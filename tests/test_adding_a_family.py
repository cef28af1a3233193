"""The page on adding a family: the family that it shows is complete, and keeps what a family promises."""

import importlib.util
import re
from pathlib import Path

import mpmath
import numpy as np
import pytest
from scipy import stats

import mcvi
from mcvi.distributions import Independent, Normal
from mcvi.testing import check_distribution
from tests.distributions.contract import ContinuousContract

PAGE = Path(__file__).parents[1] / "docs" / "adding_a_family.md"


def family_of_the_page(folder):
    """Import the one block of the page that is a module."""
    (source,) = re.findall(r'^```python\n("""The hyperbolic.*?)^```$', PAGE.read_text(encoding="utf-8"), re.M | re.S)
    path = folder / "secant.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("secant", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.HyperbolicSecant


@pytest.fixture(scope="module")
def secant(tmp_path_factory):
    return family_of_the_page(tmp_path_factory.mktemp("page"))


def test_the_family_of_the_page_is_a_distribution(secant):
    check_distribution(secant([0.0, -3.0], [1.0, 20.0]))
    check_distribution(Independent(secant([0.0, -3.0], 2.0), 1))


def test_it_agrees_with_scipy(secant):
    q, other = secant(1.0, 2.0), stats.hypsecant(1.0, 2.0)
    x = np.linspace(-5.0, 30.0, 11)
    for ours, theirs in (
        (q.log_prob(x), other.logpdf(x)),
        (q.cdf(x), other.cdf(x)),
        (q.survival_function(x), other.sf(x)),
        (q.log_cdf(x), other.logcdf(x)),
        (q.quantile([0.1, 0.5, 0.9]), other.ppf([0.1, 0.5, 0.9])),
        (q.mean(), other.mean()),
        (q.variance(), other.var()),
        (q.entropy(), other.entropy()),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_it_keeps_the_contract_of_the_library(secant):
    class Held(ContinuousContract):
        family = secant
        instances = [secant(0.0, 1.0), secant(-3.0, 20.0)]
        grid = [(secant(1.0, 2.0), [-50.0, -1.0, 0.0, 1.0, 80.0, 1e150, np.inf, -np.inf, np.nan])]
        score_tolerance = 1e-12

        @staticmethod
        def reference(x, loc, scale):
            t = abs((x - loc) / scale)
            return mpmath.log(2 / (mpmath.pi * scale)) - t - mpmath.log1p(mpmath.exp(-2 * t))

    held = Held()
    held.test_log_density_is_right_on_the_hard_grid()
    held.test_a_batch_is_its_members_one_by_one()
    for q in Held.instances:
        for promise in (
            held.test_score_is_the_derivative_of_the_log_density,
            held.test_autograd_takes_the_score,
            held.test_draws_have_the_stated_mean_and_variance,
            held.test_density_integrates_to_one,
            held.test_closed_forms_are_the_integrals,
            held.test_draws_follow_the_cdf,
            held.test_entropy_can_be_differentiated,
            held.test_transported_noise_is_the_draws,
        ):
            promise(q)


def test_the_estimators_take_it_on_their_fast_path(secant):
    q, p = secant(0.0, 1.0), Normal(1.0, 2.0)
    exact = mcvi.elbo_ratio(p.log_prob, q, n=100_000, rng=0)
    drawn = mcvi.elbo_ratio(lambda z: p.log_prob(z), q, n=100_000, rng=0, form="sample")
    assert abs(exact.value - drawn.value) < 6.11 * (exact.standard_error + drawn.standard_error)
    np.testing.assert_array_equal(q.sample(10, rng=3), q.sample(1000, rng=3)[:10])
