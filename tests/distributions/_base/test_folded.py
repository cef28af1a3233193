"""The absolute value of a variable that is not symmetric about 0: against quadrature and closed forms."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from autograd import grad
from scipy import integrate, stats

from mcvi.distributions import Exponential, Gumbel, Normal, Poisson
from mcvi.distributions._base.operators.folded import folded
from mcvi.distributions._base.operators.mapped import mapped
from mcvi.distributions._base.operators.renamed import renamed
from mcvi.distributions._base.univariate import Univariate
from mcvi.testing import check_distribution

family = dataclass(frozen=True, eq=False, repr=False)


@family
class FoldedNormal(Univariate):
    loc: Any
    scale: Any

    pathwise = True
    _page = folded(Normal._page)


@family
class FoldedGumbel(Univariate):
    loc: Any
    scale: Any

    pathwise = True
    _page = folded(Gumbel._page)


@pytest.mark.parametrize("q", [FoldedNormal(1.0, 1.0), FoldedGumbel(0.5, 1.0)], ids=repr)
def test_the_density_has_mass_one(q):
    mass, _ = integrate.quad(lambda x: np.exp(q.log_prob(x)), 0.0, np.inf, epsabs=1e-11, epsrel=1e-11)
    assert mass == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("q", [FoldedNormal([1.0, -3.0], [0.5, 2.0]), FoldedGumbel([-2.0, 3.0], 1.0)], ids=repr)
def test_it_is_a_distribution(q):
    check_distribution(q)


def test_the_folded_normal_has_its_closed_forms():
    q, truth, x = FoldedNormal(1.0, 2.0), stats.foldnorm(0.5, scale=2.0), np.array([0.0, 0.1, 1.0, 5.0, 50.0])
    np.testing.assert_allclose(q.log_prob(x), truth.logpdf(x), rtol=1e-13)
    np.testing.assert_allclose(q.cdf(x), truth.cdf(x), rtol=1e-13)
    np.testing.assert_allclose(q.survival_function(x), truth.sf(x), rtol=1e-12)
    np.testing.assert_allclose(q.quantile([0.1, 0.5, 0.9]), truth.ppf([0.1, 0.5, 0.9]), rtol=1e-12)
    far = FoldedNormal(60.0, 1.0)  # both tails at 10 are no numbers
    np.testing.assert_allclose(far.log_cdf(10.0), stats.norm.logcdf(-50.0), rtol=1e-13)
    assert q.log_prob(np.inf) == q.log_prob(-1.0) == -np.inf


@pytest.mark.parametrize("method", ["log_prob", "cdf", "log_survival_function", "quantile"])
@pytest.mark.parametrize("name", ["loc", "scale"])
def test_derivatives_agree_with_differences(method, name):
    at, step = {"loc": 0.6, "scale": 1.3}, 1e-5

    def f(value):
        return getattr(FoldedGumbel(**{**at, name: value}), method)(0.7)

    difference = (f(at[name] + step) - f(at[name] - step)) / (2 * step)
    assert grad(f)(at[name]) == pytest.approx(difference, rel=1e-7)


def test_draws_move_so_that_their_mean_has_its_derivative():
    n = 100_000

    def mean(loc):
        return FoldedNormal(loc, 1.0).sample(n, rng=0).sum() / n

    # The mean of |Y| grows in loc by P(Y > 0) - P(Y < 0).
    truth = 1.0 - 2.0 * stats.norm.cdf(-0.4)
    assert abs(grad(mean)(0.4) - truth) < 6.11 / np.sqrt(n)  # velocities are between -1 and 1


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: folded(Normal),
            r"^folded: the base must be a page, as Normal\._page or Poisson\._page\['rate'\]; got Normal\.$",
        ),
        (
            lambda: folded(Exponential._page),
            r"^folded: the base must be a variable on the whole real line; its support",
        ),
        (
            lambda: folded(Poisson._page["rate"]),
            r"^folded: the base must be a variable on the whole real line; its support",
        ),
        (lambda: folded(Normal._page, 1.0), r"^folded: central must be a function of numbers; got 1\.0\.$"),
        (lambda: mapped(Normal._page, None), r"^mapped: by must be a Map; got None\.$"),
        (lambda: mapped(Normal, None), r"^mapped: the base must be a page, as Normal\._page"),
        (lambda: renamed(Normal, {}, None, None), r"^renamed: the base must be a page, as Normal\._page"),
        (lambda: renamed(Normal._page, ["loc"], None, None), r"^renamed: parameters must map names to constraints"),
        (
            lambda: renamed(Normal._page, {}, None, None),
            r"^renamed: to_base must be a function of numbers; got None\.$",
        ),
    ],
    ids=range(9),
)
def test_arguments_of_another_kind_are_refused(make, text):
    with pytest.raises(TypeError, match=text):
        make()
