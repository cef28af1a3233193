"""Parameters of float32: draws inside the support after they are rounded, closed forms computed in float64."""

import mpmath
import numpy as np
import pytest

from mcvi.distributions import Beta, Binomial, Dirichlet, Exponential, Gamma, NegativeBinomial, Normal, Poisson, Uniform
from mcvi.divergences import kl_divergence

F = np.float32
EDGES = [
    Beta(F(0.01), F(0.01)),
    Gamma(F(0.01), F(1.0)),
    Gamma(F(100.0), F(1e-38)),
    Exponential(F(1e38)),
    Uniform(F(1.0), F(1.0000002)),
    Normal(F(0.0), F(3e38)),
    Dirichlet(F([0.01, 0.01, 3.0])),
]


@pytest.mark.parametrize("q", EDGES, ids=lambda q: type(q).__name__)
def test_no_draw_is_rounded_out_of_the_support(q):
    z = q.sample(10_000, rng=0)
    assert z.dtype == np.float32
    assert np.all(np.isfinite(z))
    assert np.all(q.support.contains(z))
    assert np.all(np.isfinite(q.log_prob(z)))


def test_tails_are_computed_in_float64():
    n, p = F(1e6), F(1e-6)
    with mpmath.workdps(30):
        exact = float((1 - mpmath.mpf(float(p))) ** int(n))
    assert Binomial(n, probs=p).cdf(0) == F(exact)


@pytest.mark.parametrize("method", ["mean", "variance", "entropy", "fisher"])
def test_closed_forms_are_those_of_float64_rounded(method):
    for single in (Gamma(F([0.3, 1e5]), F(0.7)), Beta(F([0.1, 1e5]), F(1e5)), Normal(F(0.1), F([1e-5, 3.0]))):
        double = single.in_float64
        assert getattr(single, method)().dtype == np.float32
        np.testing.assert_array_equal(getattr(single, method)(), F(getattr(double, method)()))


def test_divergences_are_those_of_float64_rounded():
    for p, q in [
        (Gamma(F(1e5), F(0.7)), Gamma(F(1.0001e5), F(0.7))),
        (Poisson(F(1e5)), Poisson(F(1.0001e5))),
        (NegativeBinomial(F(3.0), probs=F(0.9999)), NegativeBinomial(F(3.0), probs=F(0.99991))),
    ]:
        value = kl_divergence(p, q).value
        assert value.dtype == np.float32
        assert value == F(kl_divergence(p.in_float64, q.in_float64).value)
