"""The closed-form divergences of successes and counts, by `probs` and by `logits`."""

import mpmath
import numpy as np
import pytest
from autograd import grad
from mpmath import mpf

from mcvi.distributions import (
    Bernoulli,
    Binomial,
    Categorical,
    Geometric,
    Multinomial,
    NegativeBinomial,
    OneHotCategorical,
    Poisson,
)
from mcvi.divergences import kl_divergence


def trial(p, q):
    return sum(a * mpmath.log(a / b) if a else mpf(0) for a, b in ((p, q), (1 - p, 1 - q)))


FAMILIES = {
    "Bernoulli": (lambda **given: Bernoulli(**given), trial),
    "Binomial": (lambda **given: Binomial(7, **given), lambda p, q: 7 * trial(p, q)),
    "Geometric": (lambda **given: Geometric(**given), lambda p, q: trial(p, q) / p),
    "NegativeBinomial": (
        lambda **given: NegativeBinomial(2.5, **given),
        lambda p, q: mpf("2.5") * trial(p, q) / (1 - p),
    ),
}
PROBS = [(0.3, 0.6), (1e-10, 2e-10), (1e-300, 0.5), (0.5, 1e-300), (0.75, 0.75 + 1e-9), (1.0 - 1e-10, 0.25)]
LOGITS = [(-0.3, 1.2), (-40.0, -41.0), (40.0, 41.0), (0.0, -700.0), (0.0, 700.0), (30.0, -30.0), (0.5, 0.5 + 1e-9)]
families = pytest.mark.parametrize("name", FAMILIES)


def close(result, truth):
    # Differences of 1e-9 in the parameters leave 7 digits of a divergence of 1e-19.
    assert result >= 0.0
    np.testing.assert_allclose(result, truth, rtol=1e-6 if truth < 1e-15 else 1e-13)


@families
@pytest.mark.parametrize(("p", "q"), PROBS)
def test_divergences_by_probs_agree_with_the_textbook(name, p, q):
    family, form = FAMILIES[name]
    with mpmath.workdps(700):
        truth = float(form(mpf(p), mpf(q)))
    close(kl_divergence(family(probs=p), family(probs=q)).value, truth)


@families
@pytest.mark.parametrize(("p", "q"), LOGITS)
def test_divergences_by_logits_agree_with_the_textbook(name, p, q):
    family, form = FAMILIES[name]
    with mpmath.workdps(700):
        truth = float(form(*(1 / (1 + mpmath.exp(-mpf(v))) for v in (p, q))))
    close(kl_divergence(family(logits=p), family(logits=q)).value, truth)


@families
def test_logits_and_probs_meet(name):
    family, _ = FAMILIES[name]
    with_probs = kl_divergence(family(probs=0.25), family(probs=0.5)).value
    for p in (family(probs=0.25), family(logits=-np.log(3.0))):
        for q in (family(probs=0.5), family(logits=0.0)):
            assert kl_divergence(p, q).value == pytest.approx(with_probs, rel=1e-14)


@families
def test_equal_arguments_are_at_zero_distance_and_the_divergence_is_flat_there(name):
    family, _ = FAMILIES[name]
    for given, values in (("probs", (1e-10, 0.25, 0.999)), ("logits", (-1000.0, -2.0, 0.0, 3.0, 1000.0))):
        for v in values:
            q = family(**{given: v})
            assert kl_divergence(q, q).value == 0.0
            assert grad(lambda x, g=given, q=q: kl_divergence(family(**{g: x}), q))(v) == 0.0
            assert grad(lambda x, g=given, q=q: kl_divergence(q, family(**{g: x})))(v) == 0.0


@families
def test_derivatives_are_those_of_the_textbook(name):
    family, form = FAMILIES[name]
    p, q = 0.3, 0.55
    with mpmath.workdps(40):
        slopes = [float(mpmath.diff(form, (mpf(p), mpf(q)), order)) for order in ((1, 0), (0, 1))]
    ours = [grad(lambda *v: kl_divergence(family(probs=v[0]), family(probs=v[1])), i)(p, q) for i in (0, 1)]
    np.testing.assert_allclose(ours, slopes, rtol=1e-13)
    odds = [np.log(v / (1 - v)) for v in (p, q)]
    ours = [grad(lambda *v: kl_divergence(family(logits=v[0]), family(logits=v[1])), i)(*odds) for i in (0, 1)]
    np.testing.assert_allclose(ours, [slopes[0] * p * (1 - p), slopes[1] * q * (1 - q)], rtol=1e-13)


def test_certain_outcomes():
    certain = np.array([0.0, 1.0, 0.0, 1.0, 0.5, 0.5])
    others = np.array([0.0, 1.0, 0.5, 0.25, 0.0, 1.0])
    expected = [0.0, 0.0, np.log(2.0), np.log(4.0), np.inf, np.inf]
    np.testing.assert_allclose(kl_divergence(Bernoulli(probs=certain), Bernoulli(probs=others)).value, expected)
    np.testing.assert_allclose(
        kl_divergence(Binomial(3, probs=certain), Binomial(3, probs=others)).value, 3 * np.array(expected)
    )
    finite = slice(0, 4)
    for which in (0, 1):
        slopes = grad(lambda *v: kl_divergence(Bernoulli(probs=v[0]), Bernoulli(probs=v[1])).sum(), which)(
            certain[finite], others[finite]
        )
        assert np.all(np.isfinite(slopes))
    assert kl_divergence(Geometric(probs=1.0), Geometric(probs=0.5)) == np.log(2.0)
    assert kl_divergence(Geometric(probs=0.5), Geometric(probs=1.0)) == np.inf
    assert kl_divergence(NegativeBinomial(2.0, probs=0.0), NegativeBinomial(2.0, probs=0.75)) == 2 * np.log(4.0)
    assert kl_divergence(NegativeBinomial(2.0, probs=0.5), NegativeBinomial(2.0, probs=0.0)) == np.inf


def test_no_trials_are_at_no_distance():
    assert kl_divergence(Binomial(0, probs=0.5), Binomial(0, probs=1.0)) == 0.0
    assert kl_divergence(NegativeBinomial(0.0, probs=0.5), NegativeBinomial(0.0, probs=1.0)) == 0.0
    counts = np.array([0.0, 2.0])
    result = kl_divergence(Binomial(counts, probs=0.5), Binomial(counts, probs=0.25)).value
    np.testing.assert_allclose(result, [0.0, 2 * float(trial(mpf("0.5"), mpf("0.25")))])


@pytest.mark.slow
def test_unequal_counts_have_no_closed_form():
    for family in (Binomial, NegativeBinomial):
        with pytest.raises(
            NotImplementedError, match=rf"\({family.__name__}, {family.__name__}\) with unequal total_count"
        ):
            kl_divergence(family([2, 3], probs=0.5), family(3, probs=0.5))
    with pytest.raises(NotImplementedError, match="differentiated in one total_count alone"):
        grad(lambda r: kl_divergence(NegativeBinomial(r, probs=0.5), NegativeBinomial(2.0, probs=0.25)))(2.0)
    # A count that both share may be traced.
    shared = grad(lambda r: kl_divergence(NegativeBinomial(r, probs=0.5), NegativeBinomial(r, probs=0.25)))(2.0)
    assert shared == pytest.approx(2 * float(trial(mpf("0.5"), mpf("0.25"))))
    wide = kl_divergence(Binomial(3, probs=0.5), Binomial(5, probs=0.5), n=20_000, rng=0)
    exact = sum(
        np.exp(Binomial(3, probs=0.5).log_prob(k))
        * (Binomial(3, probs=0.5).log_prob(k) - Binomial(5, probs=0.5).log_prob(k))
        for k in range(4)
    )
    assert abs(wide.value - exact) < 6.11 * wide.standard_error


def poisson(p, q):
    return (p * mpmath.log(p / q) if p else 0) - p + q


@pytest.mark.parametrize(
    ("p", "q"), [(1.0, 2.0), (1e10, 1e10 + 1), (1e-300, 1e300), (1e100, 1e-200), (0.0, 2.0), (3.0, 3.0)]
)
def test_the_divergence_of_poissons_agrees_with_the_textbook(p, q):
    with mpmath.workdps(700):
        truth = float(poisson(mpf(p), mpf(q)))
    np.testing.assert_allclose(kl_divergence(Poisson(p), Poisson(q)).value, truth, rtol=1e-14)
    mixed = kl_divergence(Poisson(p), Poisson(log_rate=np.log(q))).value
    np.testing.assert_allclose(mixed, truth, rtol=1e-12, atol=1e-14 * p)
    if p > 0:
        both = kl_divergence(Poisson(log_rate=np.log(p)), Poisson(log_rate=np.log(q))).value
        np.testing.assert_allclose(both, truth, rtol=1e-12, atol=1e-14 * p)


def test_poissons_of_rate_zero():
    p, q = np.array([0.0, 0.0, 3.0]), np.array([0.0, 2.0, 0.0])
    np.testing.assert_array_equal(kl_divergence(Poisson(p), Poisson(q)).value, [0.0, 2.0, np.inf])
    slopes = [grad(lambda *v: kl_divergence(Poisson(v[0]), Poisson(v[1])).sum(), i)(p[:2], q[:2]) for i in (0, 1)]
    np.testing.assert_array_equal(slopes, [[0.0, 0.0], [1.0, 1.0]])
    assert grad(lambda v: kl_divergence(Poisson(v), Poisson(log_rate=1.0)))(0.0) == 0.0


def test_derivatives_of_poissons_are_those_of_the_textbook():
    for i, slope in enumerate((np.log(2.0 / 3.0), 1.0 - 2.0 / 3.0)):
        assert grad(lambda *v: kl_divergence(Poisson(v[0]), Poisson(v[1])), i)(2.0, 3.0) == pytest.approx(
            slope, rel=1e-14
        )
        rates = np.log(2.0), np.log(3.0)
        ours = grad(lambda *v: kl_divergence(Poisson(log_rate=v[0]), Poisson(log_rate=v[1])), i)(*rates)
        assert ours == pytest.approx(slope * (2.0, 3.0)[i], rel=1e-13)


def test_multinomials_diverge_as_their_trials_do():
    p, q = Multinomial([5, 5, 0], probs=[0.2, 0.3, 0.5]), Multinomial([5, 4, 0], probs=[0.5, 0.5, 0.0])
    one = Categorical(probs=[0.2, 0.3, 0.5])
    np.testing.assert_array_equal(kl_divergence(p, q).value, [np.inf, np.inf, 0.0])
    logits = np.array([0.1, -1.0, 2.0])
    finite = Multinomial([5, 4, 0], logits=logits)
    expected = 5 * kl_divergence(one, Categorical(logits=logits)).value
    np.testing.assert_allclose(kl_divergence(p, finite).value, [expected, np.inf, 0.0], rtol=1e-14)
    slope = grad(lambda x: kl_divergence(Multinomial(5, probs=[0.2, 0.3, 0.5]), Multinomial(5, logits=x)))(logits)
    np.testing.assert_allclose(slope, 5 * (Categorical(logits=logits).probs - [0.2, 0.3, 0.5]), rtol=1e-12)
    with pytest.raises(ValueError, match="p and q must have the same event_shape; got"):
        kl_divergence(Multinomial(5, probs=[0.2, 0.3, 0.5]), Multinomial(5, probs=[0.5, 0.5]))
    with pytest.raises(NotImplementedError, match="no closed-form KL for"):
        kl_divergence(Multinomial(1, probs=[0.2, 0.3, 0.5]), OneHotCategorical(probs=[0.2, 0.3, 0.5]))
