"""kl_divergence and register_kl: the table, the dispatch, the door, the estimate where there is no closed form."""

import json
import lzma
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from autograd import grad, jacobian
from autograd import numpy as anp

import mcvi
from mcvi import distributions
from mcvi.distributions import (
    Beta,
    Binomial,
    Exponential,
    Gamma,
    Independent,
    Laplace,
    Logistic,
    MultivariateNormalDiag,
    Normal,
    OneHotCategorical,
    Poisson,
    StudentT,
    Uniform,
)
from mcvi.divergences import kl_divergence, register_kl
from mcvi.divergences.kl import _estimated
from tests.statistics import assert_estimates

Z = 6.11
PAIRS = json.loads(lzma.decompress((Path(__file__).parents[1] / "data" / "kl_pairs.json.xz").read_bytes()))["pairs"]


class Plain:
    """A user's family; subclasses of it are made afresh by every test, so that the table is never in the way."""

    batch_shape = event_shape = ()


def chain(*names, base=Plain):
    classes = []
    for name in names:
        base = type(name, (base,), {})
        classes.append(base)
    return classes


def build(spec):
    return getattr(distributions, spec["family"])(**spec["parameters"])


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["name"])
def test_the_divergence_is_that_of_quadrature(pair):
    p, q = build(pair["p"]), build(pair["q"])
    if pair["closed"]:
        result = kl_divergence(p, q)
        np.testing.assert_allclose(result.value, pair["kl"], rtol=1e-13)
        assert result.standard_error == 0.0
        return
    with pytest.raises(NotImplementedError, match="no closed-form KL"):
        kl_divergence(p, q)
    result = kl_divergence(p, q, n=100_000, rng=1)
    margin = Z * result.standard_error
    assert 2 * margin <= 0.07, "test too weak"
    assert abs(result.value - pair["kl"]) < margin


def test_a_form_holds_for_the_very_classes_that_were_entered():
    base, derived = chain("Base", "Derived")
    register_kl(base, base)(lambda p, q: 1.0)
    assert kl_divergence(base(), base()).value == 1.0
    for p, q, remedy in (
        (derived(), base(), "write `kl_class = Base` in Derived."),
        (base(), derived(), "write `kl_class = Base` in Derived."),
        (derived(), derived(), "write `kl_class = Base` in Derived."),
    ):
        with pytest.raises(NotImplementedError) as raised:
            kl_divergence(p, q)
        assert str(raised.value) == (
            f"no closed-form KL for ({type(p).__name__}, {type(q).__name__}): a subclass does not inherit that of "
            f"(Base, Base), because its density may be another; if it is not, {remedy} Pass n= to estimate it from "
            f"draws of {type(p).__name__}, or add one with mcvi.register_kl."
        )
    register_kl(derived, base)(lambda p, q: 2.0)
    assert kl_divergence(derived(), base()).value == 2.0


def test_a_class_that_names_another_has_the_forms_of_that_class():
    class Named(Normal):
        kl_class = Normal

    class Further(Named):
        pass

    result = kl_divergence(Named(0.0, 1.0), Normal(1.0, 2.0))
    assert result == kl_divergence(Normal(0.0, 1.0), Normal(1.0, 2.0)).value
    assert result.method == "closed form for (Named, Normal)"
    inside = kl_divergence(Independent(Named([0.0], 1.0), 1), MultivariateNormalDiag([1.0], [2.0]))
    assert inside == result.value
    with pytest.raises(NotImplementedError, match="write `kl_class = Normal` in Further"):
        kl_divergence(Further(0.0, 1.0), Normal(1.0, 2.0))
    with pytest.raises(NotImplementedError, match="around Further"):
        kl_divergence(MultivariateNormalDiag([1.0], [2.0]), Independent(Further([0.0], 1.0), 1))


def test_a_family_made_from_another_inherits_no_divergence():
    class Pairs(OneHotCategorical):
        """Two draws of one class out of K, added: (1, 1) is possible, and impossible to its base."""

        def _draw(self, key, first, count):
            return super()._draw(key, first, count) + super()._draw(key, first + 2**20, count)

    p, q = Pairs(probs=[0.5, 0.5]), OneHotCategorical(probs=[0.4, 0.6])
    with pytest.raises(NotImplementedError, match=r"does not inherit that of \(OneHotCategorical, OneHotCategorical\)"):
        kl_divergence(p, q)


def test_every_form_of_the_library_has_a_name_that_a_traceback_shows():
    from mcvi.distributions._base.kl import _TABLE

    ours = [form for (p, _), form in _TABLE.items() if p.__module__.startswith("mcvi.")]
    assert len(ours) > 20
    assert all(form.__name__.startswith("kl_") for form in ours)


def test_an_entry_is_made_once():
    (a,) = chain("Once")

    def form(p, q):
        return 0.0

    assert register_kl(a, a)(form) is form
    with pytest.raises(ValueError, match=r"\(Once, Once\) has a closed form already: .*form. Enter a form for"):
        register_kl(a, a)(lambda p, q: 1.0)
    with pytest.raises(TypeError, match="the closed form must be callable; got float"):
        register_kl(a, Plain)(1.0)
    with pytest.raises(TypeError, match="p_class must be a class; got Once"):
        register_kl(a(), a)
    with pytest.raises(TypeError, match="q_class must be a class; got str"):
        register_kl(a, "a")


def test_a_missing_pair_is_named_with_the_way_on():
    with pytest.raises(NotImplementedError) as raised:
        kl_divergence(Normal(0.0, 1.0), Laplace(0.0, 1.0))
    assert str(raised.value) == (
        "no closed-form KL for (Normal, Laplace). Pass n= to estimate it from draws of Normal, "
        "or add one with mcvi.register_kl."
    )


def test_a_condition_under_which_there_is_no_closed_form_is_named():
    with pytest.raises(NotImplementedError, match=r"\(Logistic, Logistic\) with unequal scale. Pass n= to estimate"):
        kl_divergence(Logistic(0.0, 1.0), Logistic(0.0, 2.0))
    with pytest.raises(NotImplementedError, match="differentiated in one scale alone"):
        grad(lambda s: kl_divergence(Logistic(0.0, s), Logistic(0.0, 1.0)))(1.0)


def test_an_estimate_repeats_says_what_it_is_and_can_be_differentiated():
    p, q = Normal(0.3, 1.2), Laplace([0.0, 1.0], 2.0)
    wide = Normal([0.3, 0.3], 1.2)
    first, second = (kl_divergence(wide, q, n=1000, rng=5) for _ in range(2))
    np.testing.assert_array_equal(first.value, second.value)
    assert first.value.shape == (2,)
    assert first.n == 1000
    assert first.method == "mean of log p - log q over draws (fused path)"
    # The closed form wins where there is one: n is not looked at.
    assert kl_divergence(p, p, n=10).n is None

    def estimated(loc):
        return kl_divergence(Normal(loc, 1.2), Laplace(0.0, 2.0), n=4000, rng=5)

    step = 1e-5
    slope = (estimated(0.3 + step).value - estimated(0.3 - step).value) / (2 * step)
    assert grad(estimated)(0.3) == pytest.approx(slope, rel=1e-6)


def test_batches_broadcast():
    p, q = Normal(np.zeros((3, 1)), 1.0), Normal(np.zeros(4), [1.0, 2.0, 3.0, 4.0])
    assert kl_divergence(p, q).value.shape == (3, 4)
    assert kl_divergence(Normal(0.0, 1.0), q).value.shape == (4,)
    assert isinstance(kl_divergence(Normal(0.0, 1.0), Normal(0.0, 2.0)).value, float)
    # A form that returns less than the batch is filled up to it.
    (a,) = chain("Few")
    a.batch_shape = (2, 3)
    register_kl(a, a)(lambda p, q: 7.0)
    np.testing.assert_array_equal(kl_divergence(a(), a()).value, np.full((2, 3), 7.0))


def test_single_precision_pairs_have_single_precision_results():
    p, q = Normal(np.float32(0), np.float32(1)), Normal(np.float32([1, 2]), np.float32(2))
    assert kl_divergence(p, q).value.dtype == np.float32
    assert kl_divergence(p, Normal(0.0, 1.0)).value.dtype == np.float64


@pytest.mark.parametrize(
    ("p", "q", "error", "text"),
    [
        (1.0, Normal(0.0, 1.0), TypeError, "p must be a distribution; got float."),
        (Normal(0.0, 1.0), "q", TypeError, "q must be a distribution; got str."),
        (
            Normal(0.0, 1.0),
            MultivariateNormalDiag([0.0], [1.0]),
            ValueError,
            "p and q must have the same event_shape; got () and (1,).",
        ),
        (
            Normal(np.zeros(3), 1.0),
            Normal(np.zeros(4), 1.0),
            ValueError,
            "the batches of p and q must broadcast; got (3,) and (4,).",
        ),
    ],
)
def test_wrong_arguments_are_named(p, q, error, text):
    with pytest.raises(error) as raised:
        kl_divergence(p, q)
    assert str(raised.value) == text


def test_the_public_names_are_one_thing():
    assert mcvi.kl_divergence is kl_divergence
    assert mcvi.register_kl is register_kl


def test_a_users_form_is_differentiated_like_ours():
    (a,) = chain("Shifted")
    a.__init__ = lambda self, at: setattr(self, "at", at)
    calls = count()

    @register_kl(a, a)
    def form(p, q):
        next(calls)
        return 0.5 * (p.at - q.at) ** 2

    assert grad(lambda at: kl_divergence(a(at), a(1.0)))(3.0) == 2.0
    assert next(calls) == 1


def test_a_foreign_class_inside_independent_uses_its_own_form():
    (a,) = chain("Inside")
    a.batch_shape = (2, 3)
    a.sample = a.log_prob = lambda *_, **__: None
    register_kl(a, a)(lambda p, q: np.full((2, 3), 2.0))
    np.testing.assert_array_equal(kl_divergence(Independent(a(), 1), Independent(a(), 1)).value, [6.0, 6.0])
    assert kl_divergence(Independent(a(), 2), Independent(Independent(a(), 1), 1)).value == 12.0


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (Normal(0.5, 1.0), Normal([0.0, 1.0, 2.0], 2.0)),
        (Normal([[0.0], [1.0]], 1.0), Normal([0.0, 1.0, 2.0], 2.0)),
        (MultivariateNormalDiag([0.0, 1.0], [1.0, 2.0]), MultivariateNormalDiag(np.zeros((3, 2)), [1.0, 2.0])),
    ],
)
def test_an_estimate_serves_every_batch_that_broadcasts(p, q):
    estimate, exact = _estimated(p, q, 20_000, 0, None), kl_divergence(p, q)
    assert estimate.shape == exact.shape
    assert estimate.method == "mean of log p - log q over draws"
    assert_estimates(estimate, exact.value, resolves=0.3)
    # One draw, so that it cannot be mistaken for a batch of one; as many draws as members cannot be either.
    assert _estimated(p, q, 1, 0, None).shape == _estimated(p, q, 3, 0, None).shape == exact.shape


def test_an_estimate_for_a_wider_batch_is_differentiated():
    slope = jacobian(lambda loc: kl_divergence(Normal(loc, 1.0), Laplace([0.0, 100.0], 1.0), n=1000, rng=0))(50.0)
    np.testing.assert_allclose(slope, [1.0, -1.0], rtol=1e-12)


@pytest.mark.parametrize(
    ("p", "q"),
    [
        (Binomial(31, probs=0.7), Binomial(30, probs=0.3)),
        (Poisson(2.0), Binomial(30, probs=0.3)),
        (Normal(0.0, 1.0), Gamma(2.0, 1.0)),
        (Gamma(2.0, 1.0), Uniform(0.0, 10.0)),
        (Gamma(2.0, 1.0), Beta(2.0, 1.0)),
        (Uniform(-0.5, 0.5), Beta(2.0, 1.0)),
        (Poisson(2.0), Normal(0.0, 1.0)),
        (Normal(0.0, 1.0), Poisson(2.0)),
        (StudentT(3.0, [0.0, 1.0], 1.0), Exponential(1.0)),
    ],
    ids=lambda q: type(q).__name__,
)
def test_what_the_supports_settle_is_infinite_without_a_draw(p, q):
    generator = np.random.default_rng(0)
    before = generator.bit_generator.state
    for result in (kl_divergence(p, q), kl_divergence(p, q, n=1000, rng=generator)):
        assert np.all(result.value == np.inf)
        assert result.shape == np.broadcast_shapes(p.batch_shape, q.batch_shape)
        assert np.all(result.standard_error == 0.0)
        assert result.method == "p reaches outside the support of q"
    assert generator.bit_generator.state == before


def test_only_the_members_that_reach_outside_are_infinitely_far():
    p = Binomial([31, 29, 31], probs=[0.7, 0.7, 0.0])
    q = Binomial(30, probs=0.3)
    result = kl_divergence(p, q, n=100_000, rng=0)
    np.testing.assert_array_equal(np.isinf(result.value), [True, False, False])
    assert result.standard_error[0] == 0.0
    k = np.arange(30.0)
    exact = np.sum(np.exp(p.log_prob(k[:, None])[:, 1]) * (p.log_prob(k[:, None])[:, 1] - q.log_prob(k)))
    assert abs(result.value[1] - exact) < Z * result.standard_error[1]
    # Of no success in 31 trials all is inside: 30 log(1 / 0.7).
    assert result.value[2] == pytest.approx(-30 * np.log(0.7), rel=1e-12)
    with pytest.raises(NotImplementedError, match="with unequal total_count"):
        kl_divergence(p, q)
    slope = grad(lambda x: anp.sum(kl_divergence(Uniform(x, [0.9, 2.0]), Beta(2.0, 1.0), n=1000, rng=0)[:1]))(0.25)
    assert np.isfinite(slope)


def test_a_support_that_holds_the_other_settles_nothing():
    for p, q in ((Beta(2.0, 3.0), Uniform(0.0, 1.0)), (Uniform(0.0, 1.0), Gamma(2.0, 1.0))):
        with pytest.raises(NotImplementedError, match="no closed-form KL"):
            kl_divergence(p, q)
        assert np.isfinite(kl_divergence(p, q, n=1000, rng=0).value)


def test_a_density_is_given_block_size_draws_at_most():
    asked = []

    class Own(Normal):
        def log_prob(self, value):
            asked.append(len(value))
            return super().log_prob(value)

    p, q = Laplace(0.0, 1.0), Own(0.3, 1.5)
    found = mcvi.kl_divergence(p, q, n=1000, rng=0, block_size=300)
    assert asked == [300, 300, 300, 100]
    plain = mcvi.kl_divergence(p, Normal(0.3, 1.5), n=1000, rng=0)
    assert found.value == pytest.approx(float(plain.value), rel=1e-13)
