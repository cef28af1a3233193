"""The expected loss and its gradient with standard errors."""

import warnings
from collections import OrderedDict

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi._autograd import value_of
from mcvi.distributions import Bernoulli, Normal
from mcvi.estimate import Estimate
from mcvi.random import Key
from mcvi.stochastic import (
    MeanValue,
    ObservedStochasticTensor,
    SampleValue,
    StochasticTensor,
    leave_one_out,
    score_function,
    take,
    value_and_grad,
    without_graph,
)

Z = 6.11
GROUPS_TRUST = 4.0  # a standard error from 32 groups is itself uncertain: the margin of a Student t with 31 degrees


def bernoulli_loss(estimator):
    def loss(params):
        b = StochasticTensor(Bernoulli(logits=params["logits"]), loss_fn=estimator)
        return (b - 0.45) ** 2

    return loss


LOGITS = np.array([0.3, -1.0, 2.0])
PROBS = 1 / (1 + np.exp(-LOGITS))
EXACT = PROBS * (1 - PROBS) * (0.55**2 - 0.45**2)


@pytest.mark.parametrize("estimator", [score_function, leave_one_out], ids=repr)
def test_value_and_gradient_are_estimates_of_the_exact_ones(estimator):
    value, gradient = value_and_grad(bernoulli_loss(estimator))({"logits": LOGITS}, n=50_000, rng=1)
    exact = np.sum(PROBS * 0.55**2 + (1 - PROBS) * 0.45**2)
    assert isinstance(value, Estimate)
    assert isinstance(gradient["logits"], Estimate)
    assert abs(value.value - exact) < Z * value.standard_error
    assert np.all(np.abs(gradient["logits"].value - EXACT) < Z * gradient["logits"].standard_error)
    assert np.all(gradient["logits"].standard_error < 0.01)
    assert gradient["logits"].n == 50_000
    assert gradient["logits"].method == "standard error from each draw"


def test_the_standard_error_is_that_of_the_exact_variance():
    # score function on one Bernoulli at 1/2: variance ((f1 + f0) / 4)^2 a draw, up to the mean's square
    f1, f0 = 0.55**2, 0.45**2
    _, gradient = value_and_grad(bernoulli_loss(score_function))({"logits": 0.0}, n=100_000, rng=2)
    exact = ((f1 + f0) / 4) / np.sqrt(100_000)
    np.testing.assert_allclose(gradient["logits"].standard_error, exact, rtol=0.02)


def chained(params):
    k = StochasticTensor(Bernoulli(logits=2 * params["k"][0]), name="k")
    z = StochasticTensor(Normal(take(params["loc"], k), anp.exp(params["log_scale"])), name="z")
    return [z**2, k * params["direct"]]


CHAIN = {"k": [0.2], "loc": np.array([0.5, -1.0]), "log_scale": -0.3, "direct": 0.7}


def chained_exact(params):
    p = 1 / (1 + np.exp(-2 * params["k"][0]))
    loc, scale2 = params["loc"], np.exp(2 * params["log_scale"])
    return {
        "k": [2 * p * (1 - p) * (loc[1] ** 2 - loc[0] ** 2 + params["direct"])],
        "loc": np.array([2 * (1 - p) * loc[0], 2 * p * loc[1]]),
        "log_scale": 2 * scale2,
        "direct": p,
    }


def test_parameters_in_dicts_and_lists_and_errors_from_groups():
    value, gradient = value_and_grad(chained)(CHAIN, n=64_000, rng=3)
    exact = chained_exact(CHAIN)
    assert list(gradient) == list(CHAIN)
    assert isinstance(gradient["k"], list)
    for name, expected in exact.items():
        ours, theirs = (x[0] if name == "k" else x for x in (gradient[name], expected))
        assert ours.method == "standard error from 32 groups of draws"
        assert np.all(np.abs(ours.value - theirs) < 2 * Z * ours.standard_error)
        assert np.all(2 * Z * np.asarray(ours.standard_error) < 0.3 * np.maximum(1, np.abs(theirs)))
    assert value.method == "standard error from each draw"


def test_the_errors_of_groups_and_of_draws_agree():
    def by_groups(params):
        b = StochasticTensor(Bernoulli(logits=1.0 * params["logits"]))  # not the parameter as it is
        return (b - 0.45) ** 2

    params = {"logits": LOGITS}
    one = value_and_grad(bernoulli_loss(score_function))(params, n=32_000, rng=4)[1]["logits"]
    other = value_and_grad(by_groups)(params, n=32_000, rng=4)[1]["logits"]
    assert other.method.endswith("groups of draws")
    np.testing.assert_allclose(other.standard_error / one.standard_error, 1.0, atol=0.6)


def test_a_parameter_used_as_it_is_and_otherwise_counts_both_ways():
    def loss(logit):
        b = StochasticTensor(Bernoulli(logits=logit))
        return b * logit

    _, gradient = value_and_grad(loss)(0.4, n=32_000, rng=5)
    p = 1 / (1 + np.exp(-0.4))
    assert gradient.method.endswith("groups of draws")
    assert abs(gradient.value - (p + 0.4 * p * (1 - p))) < 2 * Z * gradient.standard_error


@pytest.mark.fresh_draws
def test_the_same_rng_gives_the_same_answer_and_the_key_repeats_a_run():
    run = value_and_grad(bernoulli_loss(leave_one_out))
    first, second = (run({"logits": LOGITS}, n=3000, rng=6) for _ in range(2))
    np.testing.assert_array_equal(first[1]["logits"].value, second[1]["logits"].value)
    fresh = run({"logits": LOGITS}, n=3000)
    again = run({"logits": LOGITS}, n=3000, rng=fresh[0].key)
    assert isinstance(fresh[0].key, Key)
    assert fresh[0].value == again[0].value


def test_nodes_with_the_same_rng_do_not_share_draws_inside():
    seen = []

    def loss(loc):
        a = StochasticTensor(Normal(loc, 1.0), rng=0)
        b = StochasticTensor(Normal(loc, 1.0), rng=0)
        seen.append(np.asarray(without_graph(a)._value if hasattr(without_graph(a), "_value") else a._value))
        return (a - b) ** 2

    value, _ = value_and_grad(loss)(0.0, n=4000, rng=7)
    assert abs(value.value - 2.0) < Z * value.standard_error


def test_one_draw_has_no_standard_error():
    value, gradient = value_and_grad(bernoulli_loss(score_function))({"logits": 0.3}, n=1, rng=10)
    assert np.isnan(value.standard_error)
    assert np.isnan(gradient["logits"].standard_error)
    assert np.isfinite(gradient["logits"].value)


def test_nothing_stays_behind_when_the_loss_raises():
    def loss(logits):
        raise RuntimeError("from the loss")

    expected = value_and_grad(bernoulli_loss(score_function))({"logits": 0.3}, n=50, rng=0)
    with pytest.raises(RuntimeError, match="from the loss"):
        value_and_grad(loss)(0.3, n=10, rng=0)
    again = value_and_grad(bernoulli_loss(score_function))({"logits": 0.3}, n=50, rng=0)
    assert again[1]["logits"].value == expected[1]["logits"].value
    assert StochasticTensor(Normal(0.0, 1.0), rng=0).shape == ()


@pytest.mark.parametrize(
    ("params", "error", "text"),
    [
        ({"a": None}, TypeError, r"params\['a'\] must be an array, a number, or a dict or list of them; got None"),
        (["x"], TypeError, r"params\[0\] must be an array"),
        (np.array([1j]), TypeError, "must be real numbers"),
    ],
)
def test_parameters_that_are_no_numbers_are_refused(params, error, text):
    with pytest.raises(error, match=text):
        value_and_grad(lambda p: p)(params, n=10)


def test_discrete_nodes_whose_parameters_are_made_of_other_nodes_and_of_params():
    t = np.array([0.3, -0.4, 0.7])

    def sigmoid(x):
        return 1.0 / (1.0 + anp.exp(-x))

    def loss(t):
        a = StochasticTensor(Bernoulli(logits=t[0]), name="a")
        b = StochasticTensor(Bernoulli(logits=t[1] + a * t[2]), name="b")
        return [(a + b - 0.3) ** 2 * t[1], b > 0.5]

    def exact(t):
        total = 0.0
        for a in (0.0, 1.0):
            for b in (0.0, 1.0):
                first, second = sigmoid((2 * a - 1) * t[0]), sigmoid((2 * b - 1) * (t[1] + a * t[2]))
                total = total + first * second * ((a + b - 0.3) ** 2 * t[1] + b)
        return total

    value, gradient = value_and_grad(loss)(t, n=100_000, rng=0)
    assert abs(value.value - exact(t)) < Z * value.standard_error
    assert np.all(abs(gradient.value - grad(exact)(t)) < Z * GROUPS_TRUST * gradient.standard_error)


def test_params_keep_their_kind_of_dict():
    class Named(dict):
        __getattr__ = dict.__getitem__

    params = Named(logit=0.3, prior=OrderedDict(mean=0.45))

    def loss(params):
        assert isinstance(params.prior, OrderedDict)
        return (StochasticTensor(Bernoulli(logits=params.logit)) - params.prior["mean"]) ** 2

    _, gradient = value_and_grad(loss)(params, n=100, rng=0)
    assert gradient.logit.n == gradient.prior["mean"].n == 100
    assert (type(gradient), type(gradient.prior)) == (Named, OrderedDict)
    assert params == {"logit": 0.3, "prior": {"mean": 0.45}}


def test_a_loss_averaged_over_the_draws_is_refused():
    with pytest.raises(ValueError, match="must return the loss of every draw"):
        value_and_grad(lambda loc: anp.mean(StochasticTensor(Normal(loc, 1.0))))(0.3, n=10, rng=0)


@pytest.mark.parametrize("where", ["loss", "parameter"])
def test_a_derivative_around_it_is_refused_and_not_lost(where):
    def objective(outside):
        def loss(logit):
            shift, scale = (outside, 1.0) if where == "parameter" else (0.0, outside)
            return scale * StochasticTensor(Bernoulli(logits=logit + shift))

        return value_and_grad(loss)(0.3, n=10, rng=0)[0].value

    with pytest.raises(NotImplementedError, match="a derivative around it"):
        grad(objective)(0.5)


def test_a_missing_gradient_is_warned_of_once():
    def loss(logit):
        return StochasticTensor(Bernoulli(logits=2 * logit), loss_fn=None, name="b") + logit

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        value_and_grad(loss)(0.3, n=1000, rng=0)
    assert [str(warning.message).split()[0] for warning in caught] == ["b"]
    assert caught[0].filename == __file__


def test_a_loss_without_the_draws_is_refused():
    def loss(loc):
        z = StochasticTensor(Normal(loc, 1.0), SampleValue(7))
        return z**2

    with pytest.raises(ValueError, match=r"must return losses with the 10 draws on the first axis; got shape \(7,\)"):
        value_and_grad(loss)(0.3, n=10, rng=0)
    with pytest.raises(ValueError, match="n must be a positive integer"):
        value_and_grad(loss)(0.3, n=0)
    with pytest.raises(TypeError, match="loss_fn must be callable"):
        value_and_grad(3)


def test_a_node_above_which_there_is_only_data_takes_the_draws():
    data = np.array([1.0, 2.0])

    def loss(loc):
        x = ObservedStochasticTensor(Normal(0.0, 1.0), data, name="x")
        z = StochasticTensor(Normal(loc + x, 1.0), name="z")
        assert z.shape == (50, 2)
        return anp.sum(z, axis=1)

    value, _ = value_and_grad(loss)(0.3, n=50, rng=0)
    assert abs(value.value - 3.6) < Z * value.standard_error


def test_a_node_with_one_parent_that_is_drawn_has_the_draws_from_it():
    def loss(loc):
        mean = StochasticTensor(Normal(loc, 1.0), MeanValue(), name="mean")
        drawn = StochasticTensor(Normal(loc, 1.0), name="drawn")
        z = StochasticTensor(Normal(mean + drawn, 1.0), name="z")
        assert (np.shape(value_of(mean)), z.shape) == ((), (50,))
        return z

    value, gradient = value_and_grad(loss)(0.3, n=50, rng=0)
    assert abs(value.value - 0.6) < Z * value.standard_error
    np.testing.assert_allclose(gradient.value, 2.0)
