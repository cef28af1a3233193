"""An Estimate: an array with an error, exact affine arithmetic, and a reason to trust it."""

import json
import math
import pickle

import numpy as np
import pytest

import mcvi
from mcvi.distributions import Independent, Normal
from mcvi.estimate import Estimate, UnreliableEstimate

E = Estimate(value=2.0, standard_error=0.1, n=100, bias=0.01, ess=50.0)
A = Estimate(value=np.array([1.0, 2.0]), standard_error=np.array([0.1, 0.2]), n=10)


def test_numpy_takes_it_as_an_array():
    assert float(E) == 2.0
    np.testing.assert_array_equal(np.asarray(A), [1.0, 2.0])
    assert A.shape == (2,)
    assert len(A) == 2
    assert f"{E:.3f}" == "2.000"


@pytest.mark.parametrize(
    ("result", "value", "error", "bias"),
    [
        (-E, -2.0, 0.1, -0.01),
        (E + 1, 3.0, 0.1, 0.01),
        (1 - E, -1.0, 0.1, -0.01),
        (3 * E, 6.0, 0.3, 0.03),
        (E / -2, -1.0, 0.05, -0.005),
        (np.float64(2) * E, 4.0, 0.2, 0.02),
        (np.array([1.0, 2.0]) * E, [2.0, 4.0], [0.1, 0.2], [0.01, 0.02]),
        (E + np.zeros(2), [2.0, 2.0], [0.1, 0.1], [0.01, 0.01]),
    ],
)
def test_affine_arithmetic_is_exact(result, value, error, bias):
    np.testing.assert_allclose(result.value, value, rtol=1e-15)
    np.testing.assert_allclose(result.standard_error, error, rtol=1e-15)
    np.testing.assert_allclose(result.bias, bias, rtol=1e-15)
    assert result.n == 100


@pytest.mark.parametrize("nonlinear", [lambda: E * E, lambda: E + E, lambda: E / E, lambda: np.exp(E), lambda: 1 / E])
def test_errors_do_not_pass_through_anything_else(nonlinear):
    with pytest.raises(TypeError):
        nonlinear()


def test_the_refusal_names_the_way_on():
    with pytest.raises(TypeError, match=r"use e\.value; errors do not pass through"):
        E * E


def test_comparison_is_of_the_value():
    assert E > 1
    assert E <= 2
    assert E == 2.0
    assert (np.array([1.5, 1.5]) > A).tolist() == [True, False]


def test_elements_keep_their_errors_and_their_khat():
    q = Normal(np.zeros(3), 1.0)
    e = mcvi.renyi_ratio(Normal(1.0, 1.5).log_prob, q, 0.3, n=1000, rng=0)
    assert e[1].value == e.value[1]
    assert e[1].khat == e.khat[1]
    assert (2 * e)[1].khat == e.khat[1]
    assert e[None].khat.shape == (1, 3)
    assert (e + np.zeros((2, 3))).khat.shape == (2, 3)


def test_intervals_are_centred_on_the_value_less_its_bias():
    for level in (1e-6, 1 - 1e-6):
        low, high = E.interval(level)
        assert low <= E.value - E.bias <= high
    for level in (0.0, 1.0, -0.1):
        with pytest.raises(ValueError, match=rf"^level must be between 0 and 1; got {level}\.$"):
            E.interval(level)
    low, high = E.interval(0.95)
    assert (low + high) / 2 == pytest.approx(1.99)
    assert high - low == pytest.approx(2 * 2.0096 * 0.1, rel=1e-3)  # Student's t with 49 degrees of freedom
    exact = Estimate(1.0, 0.0, method="by hand")
    assert exact.interval() == (1.0, 1.0)
    with pytest.raises(ValueError, match="level must be between 0 and 1; got 95"):
        E.interval(95)


@pytest.mark.parametrize(
    ("estimate", "text"),
    [
        (Estimate(-1.51542, 0.00052, n=100000, ess=97571.3), "-1.5154 ± 0.0005 (n=100000, ess=97571)"),
        (Estimate(3.14159, 0.0131, n=10), "3.142 ± 0.013 (n=10)"),
        (Estimate(1234.5, 25.0, n=10), "1230 ± 20 (n=10)"),
        (Estimate(0.5, 0.0, method="closed form"), "0.5 (exact: closed form)"),
        (Estimate(1.0, math.nan, n=1), "1 ± nan (n=1)"),
        (Estimate(-math.inf, math.nan, n=5), "-inf ± nan (n=5)"),
        (Estimate(1.0, 5e-324, n=5), "1 ± 4.9e-324 (n=5)"),
        (Estimate(np.array([0.5, 0.25]), np.zeros(2)), "[0.5, 0.25] shape (2,) (exact)"),
    ],
)
def test_it_prints_no_more_digits_than_its_error_supports(estimate, text):
    assert repr(estimate) == text


def test_check_returns_the_estimate_or_says_what_to_do():
    p, q = Normal(0.0, 1.0), Normal(0.0, 1.1)
    good = mcvi.renyi_ratio(p.log_prob, q, 0.0, n=10_000, rng=0)
    assert good.check() is good
    heavy = mcvi.renyi_ratio(Normal(0.0, 3.0).log_prob, q, 0.0, n=10_000, rng=0)
    with pytest.raises(UnreliableEstimate, match=r"khat = .* is above 0\.70, the limit for n = 10000.*Widen q"):
        heavy.check()
    with pytest.raises(UnreliableEstimate, match="not finite"):
        Estimate(math.nan, 0.1, n=10).check()


def test_it_becomes_plain_json_and_survives_pickle():
    e = mcvi.renyi_ratio(Normal(1.0, 1.0).log_prob, Normal([0.0, 1.0], 1.2), 0.5, n=1000, rng=0)
    plain = json.loads(json.dumps(e.to_dict()))
    assert plain["n"] == 1000
    assert plain["value"] == e.value.tolist()
    assert plain["khat"] == e.khat.tolist()
    again = pickle.loads(pickle.dumps(e))
    np.testing.assert_array_equal(again.khat, e.khat)
    assert again.key == e.key


def test_it_is_frozen():
    with pytest.raises(AttributeError):
        E.value = 1.0


def independent(shape=(2, 3), axes=(0, 1), **more):
    value = np.arange(6.0).reshape(shape)
    return Estimate(value, 0.1 + value, 100, bias=0.01 * value, ess=50.0 + value, independent=axes, **more)


def test_sums_and_means_add_errors_in_quadrature():
    e = independent()
    for axis in (None, 0, 1, -1, (0, 1), (1, -2)):
        axes = axis if axis is not None else (0, 1)
        total, mean = e.sum(axis), e.mean(axis)
        np.testing.assert_allclose(total.value, e.value.sum(axis=axes))
        np.testing.assert_allclose(total.standard_error, np.sqrt((e.standard_error**2).sum(axis=axes)))
        np.testing.assert_allclose(total.bias, e.bias.sum(axis=axes))
        count = e.value.size / np.size(total.value)
        for name in ("value", "standard_error", "bias"):
            np.testing.assert_allclose(getattr(mean, name), getattr(total, name) / count)
        assert total.ess is None
        assert (total.n, total.key) == (e.n, e.key)
    assert np.ndim(e.sum().value) == 0
    assert e.sum(0).independent == (0,)


def test_the_sum_over_a_batch_errs_as_much_as_it_says():
    q = Normal(np.linspace(-1.0, 1.0, 4), [1.0, 2.0, 3.0, 4.0])
    sums = [mcvi.expectation(np.sin, q, n=500, rng=seed).sum() for seed in range(400)]
    spread = np.std([s.value for s in sums], ddof=1)
    assert spread == pytest.approx(np.mean([s.standard_error for s in sums]), rel=6 / math.sqrt(2 * 400))
    truth = np.sum(np.sin(q.loc) * np.exp(-(q.scale**2) / 2))
    z = (np.mean([s.value for s in sums]) - truth) / (spread / math.sqrt(400))
    assert abs(z) < 6.11


def test_the_khat_of_a_sum_is_the_largest():
    q = Normal([0.0, 1.0, 2.0], 1.0)
    e = mcvi.renyi_ratio(Normal(0.5, 1.5).log_prob, q, 0.0, n=1000, rng=0)
    assert e.sum().khat == np.max(e.khat)
    mixed = mcvi.renyi_ratio(Normal(0.5, 1.5).log_prob, q, [1.0, 1.0, 0.0], n=1000, rng=0)
    assert mixed.sum().khat == mixed.khat[2]
    assert np.isnan(mixed[:2].sum().khat)
    assert mixed[:2].sum().check() is not None


def test_members_that_share_draws_are_not_summed():
    q = Normal([0.0, 1.0], 1.0)
    curve = mcvi.renyi_curve(Normal(0.5, 1.5).log_prob, q, [0.0, 0.5, 1.0], n=100, rng=0)
    assert curve.independent == (1,)
    assert curve.sum(1).shape == (3,)
    rest = mcvi.expectation(lambda z: np.stack([z, z**2], axis=-1), q, n=100, rng=0)
    assert rest.independent == (0,)
    given = mcvi.expectation(lambda z: z, q, z=q.sample(100, rng=0))
    repeated = mcvi.expectation(lambda z: z, Normal(0.0, 1.0), n=100, rng=0) + np.zeros(3)
    for e, axis, named in ((curve, 0, 0), (curve, None, 0), (rest, -1, 1), (given, 0, 0), (repeated, 0, 0)):
        with pytest.raises(ValueError) as caught:
            e.sum(axis)
        assert str(caught.value) == (
            f"the members along axis {named} may share their draws: their errors do not add in quadrature. Use "
            "e.value.sum(), which has no error, or estimate the sum itself."
        )
    exact = Estimate(np.arange(3.0), np.zeros(3))
    assert (exact.sum().value, exact.sum().standard_error) == (3.0, 0.0)
    with pytest.raises(ValueError, match=r"^axis must be between -2 and 1, for an estimate with 2 axes; got 2\.$"):
        independent().sum(2)


@pytest.mark.parametrize(
    ("index", "axes"),
    [
        (0, (1,)),
        (np.int64(1), (1,)),
        (slice(None), (0, 2)),
        (slice(None, None, 2), (0, 2)),
        ((slice(None), 0), (0, 1)),
        ((..., 0), (0,)),
        ((0, ...), (1,)),
        ((None, slice(None), 0), (1, 2)),
        ((slice(None), None), (0, 3)),
        ((..., None), (0, 2)),
        ((0, 0, 0), ()),
        ((slice(None), ..., slice(None)), (0, 2)),
        ((..., slice(None)), (0, 2)),
        ((None, ..., None), (1, 3)),
        ((0, ..., None), (1,)),
        (np.array([0, 0]), ()),
        ([0, 0], ()),
        (True, ()),
        ((slice(None), [0, 1]), ()),
    ],
)
def test_an_index_takes_the_axes_along(index, axes):
    e = Estimate(np.zeros((2, 3, 4)), np.ones((2, 3, 4)), 10, independent=(0, 2))
    part = e[index]
    assert part.independent == axes
    # The same by the lengths of the axes, which differ.
    lengths = {e.shape[a] for a in e.independent}
    if index is not ... and axes and not isinstance(index, slice):
        assert {part.shape[a] for a in axes} <= lengths


def test_a_broadcast_takes_the_axes_along():
    e = Estimate(np.zeros((3, 1)), np.ones((3, 1)), 10, independent=(0, 1))
    assert (e * 2.0).independent == (0, 1)
    assert (e + np.zeros((3, 4))).independent == (0,)
    assert (e * np.ones((2, 3, 1))).independent == (1, 2)
    assert (-e).independent == (0, 1)


@pytest.mark.parametrize("axis", [1.0, True, "0", (0, None)])
def test_an_axis_that_is_no_integer_is_refused(axis):
    for method in (independent().sum, independent().mean):
        with pytest.raises(TypeError, match=r"^axis must be None, an integer or a tuple of integers; got "):
            method(axis)


@pytest.mark.parametrize("name", ["sum", "mean"])
def test_the_functions_of_numpy_are_refused_in_a_sentence(name):
    with pytest.raises(TypeError, match=rf"^Estimate.{name} takes axis alone; got .*Use e\.{name}\(axis\)"):
        getattr(np, name)(independent())


class Copies:
    """A sampler of a user's that gives both members the same draws."""

    batch_shape, event_shape = (2,), ()

    def sample(self, n, *, rng):
        return np.repeat(rng.standard_normal((n, 1)), 2, axis=1)

    def log_prob(self, z):
        return -0.5 * z**2


class CopiesByOverride(Normal):
    def sample(self, n=None, *, rng=None):
        return np.repeat(super().sample(n, rng=rng)[..., :1], 2, axis=-1)


@pytest.mark.parametrize(
    "q", [Copies(), Independent(Copies(), 0), CopiesByOverride([0.0, 0.0], 1.0)], ids=lambda q: type(q).__name__
)
def test_members_of_a_users_sampler_may_share_their_draws(q):
    e = mcvi.expectation(lambda z: z, q, n=100, rng=0)
    assert e.independent == ()
    with pytest.raises(ValueError, match="may share their draws"):
        e.sum()
    assert mcvi.expectation(lambda z: z, Independent(Normal([0.0, 0.0], 1.0), 0), n=100, rng=0).independent == (0,)


def test_the_shape_that_is_expected_leaves_the_axes_of_f_open():
    with pytest.raises(ValueError, match=r"^f returned shape \(2, 500\); expected \(500, \.\.\.\)\."):
        mcvi.expectation(lambda z: np.stack([z, z]), Normal(0.0, 1.0), n=500, rng=0)
