"""The closed-form divergences of every family: against many digits, near equality, at the edges, differentiated."""

import mpmath
import numpy as np
import pytest
from autograd import grad
from autograd import numpy as anp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mpmath import mpf

from mcvi import distributions
from mcvi.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Dirichlet,
    Exponential,
    Gamma,
    Independent,
    Laplace,
    Logistic,
    MultivariateNormalDiag,
    MultivariateNormalTriL,
    Normal,
    OneHotCategorical,
    Uniform,
)
from mcvi.divergences import kl_divergence

# The textbook forms, in as many digits as it takes: p's parameters, then q's.


def normal(m, s, k, r):
    return mpmath.log(r / s) + (s**2 + (m - k) ** 2) / (2 * r**2) - mpf(1) / 2


def laplace(m, s, k, r):
    d = abs(m - k)
    return mpmath.log(r / s) + d / r + s / r * mpmath.exp(-d / s) - 1


def logistic(m, s, k, r):
    d = (m - k) / s
    return d * mpmath.coth(d / 2) - 2 if d else mpf(0)


def gumbel(m, s, k, r):
    d, ratio = (m - k) / r, s / r
    return mpmath.exp(-d) * mpmath.gamma(1 + ratio) - 1 + d + mpmath.euler * (ratio - 1) - mpmath.log(ratio)


def uniform(a, b, c, d):
    return mpmath.log((d - c) / (b - a)) if c <= a and b <= d else mpmath.inf


def exponential(a, b):
    return mpmath.log(a / b) + b / a - 1


def breg_lgamma(c, a):
    return mpmath.loggamma(c) - mpmath.loggamma(a) - (c - a) * mpmath.digamma(a)


def gamma(a, b, c, d):
    return breg_lgamma(c, a) + c * mpmath.log(b / d) + a * (d / b - 1)


def beta(a, b, c, d):
    return breg_lgamma(c, a) + breg_lgamma(d, b) - breg_lgamma(c + d, a + b)


FORMS = {
    "Normal": (
        normal,
        [(0.0, 1.0, 1.0, 2.0), (3.0, 1e-200, -2.0, 1.0), (1e-200, 1e-200, 0.0, 3e-200), (0.0, 1e150, 1.0, 1e150)],
    ),
    "Laplace": (
        laplace,
        [(0.0, 1.0, 1.0, 2.0), (1e9, 1e-300, 0.0, 1.0), (0.0, 1e-200, 1e-200, 1e-200), (0.0, 2.0, 2.0, 1.0)],
    ),
    "Logistic": (
        logistic,
        [(0.0, 1.0, 1.0, 1.0), (0.0, 1e-200, 3e-200, 1e-200), (0.0, 1.0, 1e5, 1.0), (0.0, 2.0, 4.0, 2.0)],
    ),
    "Gumbel": (
        gumbel,
        [(0.0, 1.0, 1.0, 2.0), (3.0, 1e-200, -2.0, 1.0), (0.0, 1e-200, 3e-200, 1e-200), (1.0, 2.0, 5.0, 0.25)],
    ),
    "LogNormal": (normal, [(0.0, 1.0, 1.0, 2.0), (3.0, 1e-200, -2.0, 1.0), (1e-200, 1e-200, 0.0, 3e-200)]),
    "Uniform": (
        uniform,
        [(0.0, 1.0, -1.0, 2.0), (0.0, 1e-200, 0.0, 1e200), (0.5, 1.0, 0.25, 1.0), (0.0, 1.0, 0.5, 2.0)],
    ),
    "Exponential": (exponential, [(1.0, 2.0), (1e-300, 1e300), (1e300, 1e-300), (3.0, 0.1)]),
    "Gamma": (
        gamma,
        [(2.0, 3.0, 3.0, 1.0), (1e10, 1e10, 1.0, 1.0), (1e10, 1e-200, 2e10, 2e-200), (1e-8, 1.0, 1e-3, 1e100)],
    ),
    "Beta": (
        beta,
        [(2.0, 3.0, 0.5, 1.0), (1e10, 2e10, 1.1e10, 2.3e10), (1e-8, 1e-3, 1.0, 1.0), (1e10, 1.0, 1.0, 1e10)],
    ),
}
CASES = [(family, form, parameters) for family, (form, rows) in FORMS.items() for parameters in rows]
#: What is moved, and what must then stay below q's, so that p stays inside it.
MOVED = {"Uniform": {"low": -1.0, "high": 1.0}, "Logistic": {"loc": 1.0}}


def family_of(name):
    return getattr(distributions, name)


def pair(name, parameters):
    half = len(parameters) // 2
    return family_of(name)(*parameters[:half]), family_of(name)(*parameters[half:])


def exact(form, parameters):
    with mpmath.workdps(400):
        return float(form(*map(mpf, parameters)))


@pytest.mark.parametrize(("name", "form", "parameters"), CASES)
def test_the_divergence_agrees_with_the_textbook_at_many_digits(name, form, parameters):
    p, q = pair(name, parameters)
    np.testing.assert_allclose(kl_divergence(p, q).value, exact(form, parameters), rtol=4e-15)


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-8, 1e-12])
def test_nearly_equal_arguments_keep_their_digits(name, distance):
    form, rows = FORMS[name]
    half = len(rows[0]) // 2
    base = dict(zip(family_of(name)(*rows[0][:half]).parameters, rows[0][:half], strict=True))
    for parameter, sign in MOVED.get(name, dict.fromkeys(base, 1.0)).items():
        moved = base | {parameter: base[parameter] + sign * distance * max(1.0, abs(base[parameter]))}
        truth = exact(form, (*base.values(), *moved.values()))
        result = kl_divergence(family_of(name)(**base), family_of(name)(**moved)).value
        assert result >= 0.0
        # Laplace's location enters through t - 1 + exp(-t), whose digits are those of t**2 against those of t
        np.testing.assert_allclose(
            result, truth, rtol=1e-3 if (name, parameter) == ("Laplace", "loc") else 1e-14, atol=3e-16
        )


@pytest.mark.parametrize("name", FORMS)
def test_equal_arguments_are_at_zero_distance_and_the_divergence_is_flat_there(name):
    _, rows = FORMS[name]
    half = len(rows[0]) // 2
    values = dict(zip(family_of(name)(*rows[0][:half]).parameters, rows[0][:half], strict=True))
    q = family_of(name)(**values)
    assert kl_divergence(q, q).value == 0.0
    if name == "Uniform":  # it has one-sided derivatives there
        return
    for parameter in MOVED.get(name, values):

        def ours(v, parameter=parameter):
            return kl_divergence(family_of(name)(**values | {parameter: v}), q)

        def theirs(v, parameter=parameter):
            return kl_divergence(q, family_of(name)(**values | {parameter: v}))

        assert grad(ours)(values[parameter]) == 0.0
        assert grad(theirs)(values[parameter]) == 0.0


@pytest.mark.parametrize("name", FORMS)
def test_derivatives_are_those_of_the_textbook(name):
    form, rows = FORMS[name]
    parameters = rows[0]
    half = len(parameters) // 2
    names = list(family_of(name)(*parameters[:half]).parameters)
    for i in range(len(parameters)):
        if name == "Logistic" and names[i % half] == "scale":
            continue

        def divergence(v, i=i):
            given = [*parameters[:i], v, *parameters[i + 1 :]]
            return kl_divergence(*pair(name, given))

        def textbook(v, i=i):
            return form(*map(mpf, parameters[:i]), v, *map(mpf, parameters[i + 1 :]))

        with mpmath.workdps(40):
            slope = float(mpmath.diff(textbook, mpf(parameters[i])))
        assert grad(divergence)(parameters[i]) == pytest.approx(slope, rel=1e-13, abs=1e-15)


def test_a_uniform_that_reaches_outside_is_infinitely_far_and_has_a_zero_derivative():
    p, q = Uniform([0.0, -1.0, 0.5], [1.0, 1.0, 3.0]), Uniform(0.0, 2.0)
    np.testing.assert_array_equal(kl_divergence(p, q).value, [np.log(2.0), np.inf, np.inf])
    slope = grad(lambda low: anp.sum(kl_divergence(Uniform(low, p.high), q)[:1]))(p.low)
    np.testing.assert_allclose(slope, [1.0, 0.0, 0.0])


def exact_classes(p, q):
    with mpmath.workdps(40):
        p, q = ([mpf(x) / mpmath.fsum(map(mpf, row)) for x in row] for row in (p, q))
        return float(mpmath.fsum(a * mpmath.log(a / b) if a else 0 for a, b in zip(p, q, strict=True)))


@pytest.mark.parametrize("family", [Categorical, OneHotCategorical])
def test_impossible_classes_count_for_nothing_or_for_everything(family):
    rows = [[0.8, 0.2, 0.0], [0.5, 0.25, 0.25], [1.0, 0.0, 0.0]]
    table = kl_divergence(family(probs=np.array(rows)[:, None]), family(probs=rows)).value
    possible = [[all(b > 0 or a == 0 for a, b in zip(p, q, strict=True)) for q in rows] for p in rows]
    np.testing.assert_array_equal(np.isinf(table), ~np.array(possible))
    for i, j in zip(*np.nonzero(possible), strict=True):
        assert table[i, j] == pytest.approx(exact_classes(rows[i], rows[j]), rel=1e-14, abs=0.0 if i == j else 1e-16)
    np.testing.assert_array_equal(np.diagonal(table), 0.0)


@pytest.mark.slow
def test_a_batch_of_many_classes_is_one_line():
    rng = np.random.default_rng(0)
    a, b = rng.dirichlet(np.full(1000, 0.3), size=(2, 5))
    result = kl_divergence(Categorical(probs=a), Categorical(probs=b))
    np.testing.assert_allclose(result.value, [exact_classes(*rows) for rows in zip(a, b, strict=True)], rtol=1e-13)
    logits = kl_divergence(Categorical(logits=np.log(a)), Categorical(logits=np.log(b) + 7.0))
    np.testing.assert_allclose(logits.value, result.value, rtol=1e-12)


def test_the_gradient_of_impossible_classes_is_finite_where_the_divergence_is():
    p, q = np.array([0.8, 0.2, 0.0]), np.array([0.5, 0.5, 0.0])
    ours, theirs = (
        grad(lambda v: kl_divergence(Categorical(probs=v), Categorical(probs=q)))(p),
        grad(lambda v: kl_divergence(Categorical(probs=p), Categorical(probs=v)))(q),
    )
    value = kl_divergence(Categorical(probs=p), Categorical(probs=q)).value
    np.testing.assert_allclose(ours[:2], np.log(p[:2] / q[:2]) - value, rtol=1e-13)
    np.testing.assert_allclose(theirs[:2], 1.0 - p[:2] / q[:2], rtol=1e-13)
    assert np.all(np.isfinite([ours, theirs]))
    logits = grad(lambda v: kl_divergence(Categorical(logits=[0.5, 0.0]), Categorical(logits=v)))
    np.testing.assert_allclose(logits(np.array([1000.0, 0.0])), [1.0 - 1 / (1 + np.exp(-0.5)), -1 / (1 + np.exp(0.5))])
    np.testing.assert_array_equal(logits(np.array([0.5, 0.0])), [0.0, 0.0])


def test_a_different_number_of_classes_is_refused():
    with pytest.raises(ValueError, match="p and q must have the same number of classes; got 1 and 2"):
        kl_divergence(Categorical(probs=[1.0]), Categorical(probs=[0.5, 0.5]))


@pytest.mark.parametrize("name", FORMS)
def test_derivatives_of_a_batch_have_the_shapes_of_the_parameters(name):
    _, rows = FORMS[name]
    half = len(rows[0]) // 2
    for i in range(2 * half):
        if name == "Logistic" and i % 2 == 1:
            continue
        # One parameter at a time is shared by a batch of the others.
        given = [np.float64(v) if j == i else np.full((3, 2), v) for j, v in enumerate(rows[0])]

        def total(v, i=i, given=given):
            return anp.sum(kl_divergence(*pair(name, [*given[:i], v, *given[i + 1 :]])))

        def single(v, i=i):
            return kl_divergence(*pair(name, [*rows[0][:i], v, *rows[0][i + 1 :]]))

        assert grad(total)(given[i]) == pytest.approx(6 * grad(single)(rows[0][i]), rel=1e-13)


def test_an_exponential_is_a_gamma_of_concentration_one():
    exponential_pair, gamma_pair = Exponential([0.5, 2.0]), Gamma(1.0, [0.5, 2.0])
    other = Gamma(3.0, 0.7)
    for p, same in ((exponential_pair, gamma_pair), (gamma_pair, gamma_pair)):
        np.testing.assert_array_equal(kl_divergence(p, other).value, kl_divergence(same, other).value)
        np.testing.assert_array_equal(kl_divergence(other, p).value, kl_divergence(other, same).value)
    np.testing.assert_array_equal(kl_divergence(exponential_pair, gamma_pair).value, [0.0, 0.0])
    assert grad(lambda rate: kl_divergence(Exponential(rate), Gamma(1.0, 2.0)))(2.0) == 0.0


CONCENTRATIONS = [
    ([1.0, 2.0, 3.0], [0.5, 0.5, 4.0]),
    ([1e10, 2e10, 1e9], [2e10, 4e10, 2e9]),
    ([1e-8, 1e-3, 5.0], [1e-3, 1e-8, 5.0]),
    ([3.0, 2.0, 1.0], [3.0, 2.0, 1.0 + 1e-9]),
]


@pytest.mark.parametrize(("a", "c"), CONCENTRATIONS)
def test_the_divergence_of_dirichlets_agrees_with_the_textbook_at_many_digits(a, c):
    with mpmath.workdps(100):
        ours, theirs = [mpf(x) for x in a], [mpf(x) for x in c]
        terms = mpmath.fsum(breg_lgamma(y, x) for x, y in zip(ours, theirs, strict=True))
        truth = float(terms - breg_lgamma(mpmath.fsum(theirs), mpmath.fsum(ours)))
    np.testing.assert_allclose(
        kl_divergence(Dirichlet(a), Dirichlet(c)).value, truth, rtol=1e-14 if truth > 1e-9 else 1e-6
    )


def test_dirichlets_of_two_are_betas_and_have_their_derivatives():
    a, c = np.array([2.0, 3.0]), np.array([0.5, 1.0])
    assert kl_divergence(Dirichlet(a), Dirichlet(c)) == kl_divergence(Beta(*a), Beta(*c)).value
    slopes = grad(lambda v: kl_divergence(Dirichlet(v), Dirichlet(c)))(a)
    betas = [grad(lambda *v: kl_divergence(Beta(*v), Beta(*c)), i)(*a) for i in (0, 1)]
    np.testing.assert_allclose(slopes, betas, rtol=1e-14)
    for flat in (
        grad(lambda v: kl_divergence(Dirichlet(v), Dirichlet(a)))(a),
        grad(lambda v: kl_divergence(Dirichlet(a), Dirichlet(v)))(a),
    ):
        np.testing.assert_array_equal(flat, [0.0, 0.0])


@given(arrays(float, (2, 3), elements=st.floats(1e-3, 1e8)), st.integers(0, 5), st.integers(-2, 2))
@settings(derandomize=True, max_examples=100, deadline=None)
def test_a_divergence_is_never_negative(pair_of_rows, component, ulps):
    a = pair_of_rows[0]
    near = a.copy()
    near[component % 3] += ulps * np.spacing(near[component % 3])
    for c in (pair_of_rows[1], near):
        assert kl_divergence(Dirichlet(a), Dirichlet(c)).value >= 0.0
        assert np.all(kl_divergence(Gamma(a, c), Gamma(c, a)).value >= 0.0)
        assert np.all(kl_divergence(Normal(a, a), Normal(c, c)).value >= 0.0)
        assert np.all(kl_divergence(Laplace(a, a), Laplace(c, c)).value >= 0.0)
        assert np.all(kl_divergence(Bernoulli(logits=-np.log(a)), Bernoulli(logits=-np.log(c))).value >= 0.0)
        assert kl_divergence(Categorical(probs=a / a.sum()), Categorical(probs=c / c.sum())).value >= 0.0


# Vectors

D = 3
RNG = np.random.default_rng(3)
LOC = RNG.normal(size=(2, 4, D))
TRIL = np.tril(RNG.normal(size=(2, 5, 1, D, D)), -1) + np.eye(D) * RNG.uniform(0.5, 2.0, size=(2, 5, 1, 1, D))
P_TRIL, Q_TRIL = (MultivariateNormalTriL(loc, tril) for loc, tril in zip(LOC, TRIL, strict=True))
P_DIAG, Q_DIAG = (
    MultivariateNormalDiag(loc, np.diagonal(tril, axis1=-2, axis2=-1)) for loc, tril in zip(LOC, TRIL, strict=True)
)


def textbook_mvn(p, q):
    inverse = np.linalg.inv(q.covariance())
    difference = q.mean() - p.mean()
    return 0.5 * (
        np.trace(inverse @ p.covariance(), axis1=-2, axis2=-1)
        + np.einsum("...i,...ij,...j", difference, inverse, difference)
        - D
        + np.linalg.slogdet(q.covariance())[1]
        - np.linalg.slogdet(p.covariance())[1]
    )


@pytest.mark.parametrize("p", [P_TRIL, P_DIAG], ids=["tril", "diag"])
@pytest.mark.parametrize("q", [Q_TRIL, Q_DIAG], ids=["tril", "diag"])
def test_all_pairs_of_multivariate_normals_agree_with_the_textbook(p, q):
    result = kl_divergence(p, q).value
    assert result.shape == (5, 4)
    np.testing.assert_allclose(result, textbook_mvn(p, q), rtol=1e-12)
    # Against one without a batch, on either side.
    one = MultivariateNormalTriL(LOC[0, 0], TRIL[0, 0, 0])
    np.testing.assert_allclose(kl_divergence(p, one).value, textbook_mvn(p, one), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(kl_divergence(one, q).value, textbook_mvn(one, q), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("p", [P_TRIL, P_DIAG], ids=["tril", "diag"])
@pytest.mark.parametrize("q", [Q_TRIL, Q_DIAG], ids=["tril", "diag"])
def test_divergences_of_multivariate_normals_have_derivatives(p, q):
    weights = RNG.normal(size=(5, 4))

    def total(*parameters):
        return anp.sum(weights * kl_divergence(type(p)(*parameters[:2]), type(q)(*parameters[2:])))

    given = [*p.parameters.values(), *q.parameters.values()]
    for i, parameter in enumerate(given):
        slope = grad(total, i)(*given)
        direction = RNG.normal(size=parameter.shape)
        if parameter.shape[-2:] == (D, D):
            direction = np.tril(direction)
            np.testing.assert_array_equal(np.triu(slope, 1), 0.0)

        def along(t, i=i, parameter=parameter, direction=direction):
            moved = [*given[:i], parameter + t * direction, *given[i + 1 :]]
            return np.sum(weights * kl_divergence(type(p)(*moved[:2]), type(q)(*moved[2:])).value)

        expected = (along(1e-5) - along(-1e-5)) / 2e-5
        np.testing.assert_allclose(np.sum(slope * direction), expected, rtol=1e-7, atol=1e-8)


def test_equal_multivariate_normals_are_at_zero_distance_and_the_divergence_is_flat_there():
    for q in (P_TRIL, P_DIAG):
        family, parameters = type(q), list(q.parameters.values())
        np.testing.assert_array_equal(kl_divergence(q, q).value, np.zeros((5, 4)))
        for argument in (0, 1):
            ours = grad(lambda *v, family=family, q=q: anp.sum(kl_divergence(family(*v), q)), argument)(*parameters)
            theirs = grad(lambda *v, family=family, q=q: anp.sum(kl_divergence(q, family(*v))), argument)(*parameters)
            np.testing.assert_array_equal(ours, np.zeros_like(ours))
            np.testing.assert_array_equal(theirs, np.zeros_like(theirs))


def test_tiny_scales_of_multivariate_normals_do_not_underflow():
    p, q = (MultivariateNormalTriL(np.zeros(2), c * np.array([[1.0, 0.0], [0.5, 1.0]])) for c in (1e-200, 2e-200))
    expected = 2 * (np.log(2.0) - 0.375)
    np.testing.assert_allclose(kl_divergence(p, q).value, expected, rtol=1e-14)
    p, q = (MultivariateNormalDiag(np.zeros(2), np.full(2, c)) for c in (1e-200, 2e-200))
    np.testing.assert_allclose(kl_divergence(p, q).value, expected, rtol=1e-14)


def test_independent_pairs_sum_what_is_inside():
    p, q = Normal(LOC[0], 1.0), Normal(LOC[1], [1.0, 2.0, 3.0])
    inside = kl_divergence(p, q).value
    np.testing.assert_allclose(kl_divergence(Independent(p, 1), Independent(q, 1)).value, inside.sum(axis=-1))
    np.testing.assert_allclose(kl_divergence(Independent(p, 2), Independent(q, 2)).value, inside.sum())
    nested = Independent(Independent(p, 1), 1)
    np.testing.assert_allclose(kl_divergence(nested, Independent(q, 2)).value, inside.sum())
    np.testing.assert_allclose(kl_divergence(Independent(p, 0), Independent(q, 0)).value, inside)
    # A batch on one side alone
    prior = Independent(Normal(np.zeros(D), 1.0), 1)
    np.testing.assert_allclose(
        kl_divergence(Independent(p, 1), prior).value, kl_divergence(p, Normal(0.0, 1.0)).value.sum(axis=-1)
    )


def test_independent_normals_meet_the_multivariate_ones():
    p = Independent(Normal(LOC[0], 1.5), 1)
    same = MultivariateNormalDiag(LOC[0], np.full(D, 1.5))
    for q in (Q_TRIL, Q_DIAG):
        np.testing.assert_allclose(kl_divergence(p, q).value, kl_divergence(same, q).value, rtol=1e-14)
        np.testing.assert_allclose(kl_divergence(q, p).value, kl_divergence(q, same).value, rtol=1e-14)
    with pytest.raises(NotImplementedError, match=r"\(Independent, MultivariateNormalTriL\) around Laplace"):
        kl_divergence(Independent(Laplace(LOC[0], 1.0), 1), Q_TRIL)


def test_independent_layers_that_do_not_match_are_refused():
    p = Independent(MultivariateNormalDiag(LOC[0], np.ones(D)), 1)
    with pytest.raises(NotImplementedError, match="take different numbers of axes from the batch"):
        kl_divergence(p, Independent(Normal(LOC[0], 1.0), 2))
    with pytest.raises(NotImplementedError, match=r"no closed-form KL for \(Normal, Laplace\)"):
        kl_divergence(Independent(Normal(LOC[0], 1.0), 1), Independent(Laplace(LOC[0], 1.0), 1))


def test_logistics_that_share_a_traced_scale_are_differentiated_in_it():
    def divergence(s):
        return kl_divergence(Logistic(0.0, s), Logistic(1.5, s))

    with mpmath.workdps(30):
        slope = float(mpmath.diff(lambda s: logistic(mpf(0), s, mpf(3) / 2, s), mpf(2)))
    # One array, traced once, in both.
    assert grad(divergence)(2.0) == pytest.approx(slope, rel=1e-13)
