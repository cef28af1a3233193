"""Tails and quantiles far out, at hard parameters, and their derivatives: values from mpmath."""

import mpmath
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Beta, Binomial, Gamma, NegativeBinomial, Poisson, StudentT

DIGITS = 50


def exact(function):
    with mpmath.workdps(DIGITS):
        return float(function(mpmath))


def log_sum(m, terms):
    return m.log(m.fsum(terms))


def student_t_tail(m, df, t):
    """Return the probability beyond t."""
    df, t = m.mpf(df), m.mpf(t)
    return m.betainc(df / 2, m.mpf(1) / 2, 0, df / (df + t * t), regularized=True) / 2


FAR = {
    "Gamma, 5 standard deviations below 1e10": (
        lambda: np.log(Gamma(1e10, 1.0).cdf(1e10 - 5e5)),
        # the integral of the density over that at its end, in units of the standard deviation
        lambda m: (
            m.mpf(10) ** 10 * m.log(m.mpf(10) ** 10 - 500_000)
            - (m.mpf(10) ** 10 - 500_000)
            - m.loggamma(m.mpf(10) ** 10)
            + m.log(
                m.quad(
                    lambda s: m.exp(-(m.mpf(10) ** 10) * s - (m.mpf(10) ** 10 - 500_000) * m.expm1(-s)),
                    [0, 1e-6, 5e-6, 2e-5, 1e-4, 1e-3],
                )
            )
        ),
    ),
    "Gamma, upper": (lambda: Gamma(2.0, 1.0).log_survival_function(1000.0), lambda m: m.log(1001) - 1000),
    "Gamma, product below the doubles": (
        lambda: np.log(Gamma(1e-3, 1e-30).cdf(1e-300)),
        lambda m: m.mpf(1e-3) * (m.log(m.mpf(1e-30)) + m.log(m.mpf(1e-300))) - m.loggamma(1 + m.mpf(1e-3)),
    ),
    "StudentT, heavy": (
        lambda: np.log(StudentT(0.001, 0.0, 1.0).cdf(-1e200)),
        lambda m: m.log(student_t_tail(m, 0.001, 1e200)),
    ),
    "StudentT, lower": (lambda: StudentT(30.0, 0.0, 1.0).log_cdf(-1e12), lambda m: m.log(student_t_tail(m, 30, 1e12))),
    "StudentT, upper": (
        lambda: StudentT(30.0, 0.0, 1.0).log_survival_function(3.0),
        lambda m: m.log(student_t_tail(m, 30, 3)),
    ),
    "Beta, lower": (
        lambda: Beta(104.0, 104.0).log_cdf(1e-20),
        lambda m: m.log(m.betainc(104, 104, 0, m.mpf(1e-20), regularized=True)),
    ),
    "Poisson, lower": (
        lambda: Poisson(1000.0).log_cdf(5.0),
        lambda m: log_sum(m, [m.mpf(1000) ** k / m.factorial(k) for k in range(6)]) - 1000,
    ),
    "Binomial, upper": (
        lambda: Binomial(10_000.0, probs=0.5).log_survival_function(9000.0),
        lambda m: log_sum(m, [m.binomial(10_000, k) for k in range(9001, 9300)]) - 10_000 * m.log(2),
    ),
    "Binomial, a success in 1e18": (lambda: np.log(Binomial(1e18, probs=1e-18).cdf(0.0)), lambda m: -1),
    "Binomial, log odds below the doubles": (
        lambda: Binomial(3.0, logits=-800.0).log_survival_function(0.0),
        lambda m: m.log(3) - 800,
    ),
    "NegativeBinomial, upper": (
        lambda: NegativeBinomial(10.0, probs=0.5).log_survival_function(2000.0),
        lambda m: log_sum(m, [m.binomial(k + 9, 9) * m.mpf(2) ** -(k + 10) for k in range(2001, 2300)]),
    ),
}


@pytest.mark.parametrize("name", FAR)
def test_the_logarithm_of_a_tail_far_out_is_exact(name):
    found, definition = FAR[name]
    np.testing.assert_allclose(found(), exact(definition), rtol=4e-15)


def test_the_two_tails_are_one_together():
    for q in (NegativeBinomial(0.01, logits=40.0), Binomial(1e18, probs=1e-18), Poisson(1e10), Gamma(1e-17, 1.0)):
        np.testing.assert_allclose(q.cdf(3.0) + q.survival_function(3.0), 1.0, rtol=1e-15)


def test_quantiles_of_tiny_probabilities():
    with mpmath.workdps(DIGITS):
        for p in (1e-238, 1e-200, 0.3):
            t = -StudentT(3.0, 0.0, 1.0).quantile(p)
            assert abs(student_t_tail(mpmath, 3, float(t)) / mpmath.mpf(p) - 1) < 1e-13
        lowest = Beta(3.0, 100.0).quantile(1e-200)
        np.testing.assert_allclose(lowest, 3.876233241425e-69, rtol=1e-12)
        assert (
            abs(mpmath.betainc(3, 100, 0, mpmath.mpf(float(lowest)), regularized=True) / mpmath.mpf(1e-200) - 1) < 1e-13
        )
    assert StudentT(3.0, 1.5, 2.0).quantile(0.5) == 1.5
    np.testing.assert_array_equal(StudentT(3.0, 1.5, 2.0).quantile([0.0, 1.0, 1.1]), [-np.inf, np.inf, np.nan])


@pytest.mark.parametrize("p", [1e-250, 1e-8, 0.2, 0.5, 0.8, 1 - 2.0**-30])
@pytest.mark.parametrize(
    "q", [Gamma(0.1, 2.0), Gamma(1e6, 3.0), Beta(0.3, 50.0), StudentT(0.7, 1.0, 2.0), StudentT(1e9, 0.0, 1.0)]
)
def test_the_cdf_of_a_quantile_is_the_probability(q, p):
    x = q.quantile(p)
    if p == 0.5 and isinstance(q, StudentT):
        assert x == q.loc
    if (
        p == 1e-250 and not 1e-300 < abs(x) < 1e300
    ):  # the quantile leaves the range of a double, as it does for small shapes alone
        assert x in (0.0, -np.inf)
        return
    room = 4e-15 + 4 * np.spacing(abs(x)) * np.exp(q.log_prob(x)) / p  # an error of 4 ulp in x
    np.testing.assert_allclose(q.cdf(x), p, rtol=room + 2e-16 * abs(np.log(p)))


def test_the_gradient_of_a_cdf_is_the_density():
    np.testing.assert_allclose(grad(Gamma(1e16, 1.0).cdf)(1e16), 3.989422804014327e-09, rtol=1e-14)
    for q, x in ((Gamma(2.0, 3.0), 0.4), (Beta(0.5, 4.0), 0.1), (StudentT(2.5, 0.0, 2.0), -3.0)):
        density = np.exp(q.log_prob(x))
        np.testing.assert_allclose(grad(q.cdf)(x), density, rtol=1e-14)
        np.testing.assert_allclose(grad(q.survival_function)(x), -density, rtol=1e-14)
        np.testing.assert_allclose(grad(q.log_cdf)(x), density / q.cdf(x), rtol=1e-13)
        np.testing.assert_allclose(grad(q.log_survival_function)(x), -density / q.survival_function(x), rtol=1e-13)
        np.testing.assert_allclose(grad(q.quantile)(q.cdf(x)), 1 / density, rtol=1e-13)


def test_the_gradient_of_a_cdf_in_a_parameter_of_location_or_scale():
    q = Gamma(2.0, 3.0)
    np.testing.assert_allclose(
        grad(lambda r: Gamma(2.0, r).cdf(0.4))(3.0), np.exp(q.log_prob(0.4)) * 0.4 / 3, rtol=1e-14
    )
    np.testing.assert_allclose(grad(lambda r: Gamma(2.0, r).quantile(0.4))(3.0), -q.quantile(0.4) / 3, rtol=1e-14)
    t = StudentT(2.5, 0.5, 2.0)
    np.testing.assert_allclose(
        grad(lambda m: StudentT(2.5, m, 2.0).cdf(-1.0))(0.5), -np.exp(t.log_prob(-1.0)), rtol=1e-14
    )
    np.testing.assert_allclose(
        grad(lambda s: StudentT(2.5, 0.5, s).cdf(-1.0))(2.0), np.exp(t.log_prob(-1.0)) * 0.75, rtol=1e-14
    )


@pytest.mark.parametrize(
    ("cdf", "words"),
    [
        (lambda a: Gamma(a, 1.0).cdf(0.5), "in concentration has no closed form; differentiate in the value or other"),
        (
            lambda a: StudentT(a, 0.0, 1.0).quantile(0.3),
            "in df has no closed form; differentiate in the value or other",
        ),
        (
            lambda a: Beta(a, 2.0).cdf(0.5),
            "in the parameters of this family has no closed form; differentiate in the value",
        ),
    ],
)
def test_the_gradient_in_a_shape_is_refused(cdf, words):
    with pytest.raises(NotImplementedError, match=words):
        grad(cdf)(1.5)


def test_the_gradient_of_the_logarithm_of_a_tail_of_counts():
    ratio = np.exp(Poisson(1000.0).log_prob(5.0) - Poisson(1000.0).log_cdf(5.0))
    np.testing.assert_allclose(grad(lambda r: Poisson(r).log_cdf(5.0))(1000.0), -ratio, rtol=1e-13)
    assert ratio > 0.9
    assert grad(lambda p: Binomial(3.0, probs=p).cdf(3.0))(1.0) == 0.0
    assert grad(lambda p: Binomial(3.0, probs=p).log_survival_function(3.0))(0.5) == 0.0


def test_a_count_between_two_whole_numbers_and_beyond_the_ends():
    for q in (Poisson(2.0), Binomial(3.0, probs=0.3), NegativeBinomial(2.0, probs=0.4)):
        np.testing.assert_array_equal(q.cdf([-1.0, -0.5, np.inf, np.nan]), [0.0, 0.0, 1.0, np.nan])
        np.testing.assert_array_equal(q.log_survival_function([-1.0, -0.5, np.inf]), [0.0, 0.0, -np.inf])
        np.testing.assert_array_equal(q.cdf([0.0, 1.0]), q.cdf([0.7, 1.9]))
        np.testing.assert_allclose(q.cdf(1.0), np.exp(q.log_prob([0.0, 1.0])).sum(), rtol=1e-15)
    np.testing.assert_array_equal(Binomial(3.0, probs=[0.0, 1.0]).cdf([[0.0], [2.0], [3.0]]), [[1, 0], [1, 0], [1, 1]])
    assert Binomial(3.0, probs=0.3).survival_function(3.0) == 0.0
    assert Poisson(0.0).cdf(0.0) == 1.0
    assert NegativeBinomial(0.0, probs=0.5).cdf(0.0) == 1.0
