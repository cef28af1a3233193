"""A block of draws: one group for estimators that compare draws; standard errors that do not change the gradient."""

import warnings

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Bernoulli, Categorical, Independent, MultivariateNormalDiag, Normal
from mcvi.random import Key, as_key
from mcvi.stochastic import (
    StochasticTensor,
    get_score_function_with_advantage,
    get_vimco_advantage_fn,
    leave_one_out,
    score_function,
    surrogate_loss,
    take,
    value_and_grad,
)
from mcvi.stochastic._block import Block

Z = 6.11  # two-sided, one false failure in 1e9
T = 0.45
vimco = get_score_function_with_advantage(get_vimco_advantage_fn(have_log_loss=True))


def bits(estimator, scale=None):
    """Return a loss of bits whose logits stand as they are, or are multiplied by `scale` first."""

    def loss(logits):
        b = StochasticTensor(Bernoulli(logits=logits if scale is None else scale * logits), loss_fn=estimator)
        return (b - T) ** 2

    return loss


def drawn(distribution, n, rng, block=0):
    """Return the draws of the first node of a block."""
    return np.asarray(distribution.sample(n, rng=as_key(rng).child(1 + block).child(1)), float)


LOGITS = np.array([0.3, -1.0, 2.0])


@pytest.mark.parametrize("estimator", [score_function, leave_one_out, vimco], ids=repr)
@pytest.mark.parametrize("n", [2, 3, 64, 1000])
def test_all_draws_are_one_group_whatever_the_parameters_are(estimator, n):
    plain, scaled = (value_and_grad(bits(estimator, s))(LOGITS, n=n, rng=1)[1] for s in (None, 1.0))
    np.testing.assert_allclose(scaled.value, plain.value, rtol=1e-11, atol=1e-15)


@pytest.mark.parametrize("scale", [None, 1.0])
def test_leave_one_out_is_that_of_all_draws(scale):
    _, gradient = value_and_grad(bits(leave_one_out, scale))(LOGITS, n=100, rng=2)
    b = drawn(Bernoulli(logits=LOGITS), 100, 2)
    loss = (b - T) ** 2
    advantage = (loss - loss.mean(axis=0)) * 100 / 99
    probs = 1 / (1 + np.exp(-LOGITS))
    np.testing.assert_allclose(gradient.value, np.mean(advantage * (b - probs), axis=0), rtol=1e-12)


@pytest.mark.parametrize("scale", [None, 1.0])
def test_the_variance_of_leave_one_out_from_64_draws_is_the_exact_one(scale):
    # at even odds: (f1 - f0)^2 / (8 k (k - 1)); kurtosis of the estimates by their law, a square of a binomial
    estimate, n, runs = value_and_grad(bits(leave_one_out, scale)), 64, 600
    exact = (1 - 2 * T) ** 2 / (8 * n * (n - 1))
    values = np.array([estimate(0.0, n=n, rng=seed, errors=False)[1] for seed in range(runs)])
    ones = np.arange(n + 1)
    law = np.exp(np.array([sum(np.log(range(n - k + 1, n + 1))) - sum(np.log(range(1, k + 1))) for k in ones]))
    law, outcomes = law / law.sum(), (1 - 2 * T) * ones * (n - ones) / n / (n - 1)
    mean = law @ outcomes
    np.testing.assert_allclose(law @ (outcomes - mean) ** 2, exact, rtol=1e-9)
    np.testing.assert_allclose(mean, (1 - 2 * T) / 4, rtol=1e-12)
    spread = np.sqrt(law @ ((outcomes - mean) ** 2 - exact) ** 2 / runs)
    assert abs(np.mean((values - mean) ** 2) - exact) < Z * spread
    assert abs(values.mean() - mean) < Z * np.sqrt(exact / runs)
    assert Z * spread < exact  # 77 times as much was seen with groups of two


def scores_of(loss, params, exact, *, n, runs, **options):
    """Return the errors of the gradient in standard errors."""
    estimate = value_and_grad(loss)
    found = [estimate(params, n=n, rng=seed, **options)[1] for seed in range(runs)]
    return np.array([(g.value - exact) / g.standard_error for g in found]), found[0].method


def log_weights(logits):
    b = StochasticTensor(Bernoulli(logits=logits), loss_fn=vimco)
    return take(np.array([-1.0, 1.2]), b) + 0.3 * logits * b


def vimco_exactly(n):
    """Return the mean of the gradient of `log_weights` at 0.5 from n draws, by enumeration of the number of ones."""
    p, total = 1 / (1 + np.exp(-0.5)), 0.0
    coefficients = np.cumprod([1.0, *((n - k) / (k + 1) for k in range(n))])
    for ones in range(n + 1):
        b = (np.arange(n) < ones).astype(float)
        log_w = np.where(b == 1, 1.2 + 0.15, -1.0)
        value = np.mean(get_vimco_advantage_fn(have_log_loss=True)(None, log_w) * (b - p) + 0.3 * b)
        total += coefficients[ones] * p**ones * (1 - p) ** (n - ones) * value
    return total


PROBS = 1 / (1 + np.exp(-LOGITS))
EXACT = PROBS * (1 - PROBS) * (1 - 2 * T)
CALIBRATED = {  # loss, parameter, exact gradient, draws, options, degrees of freedom of the errors (None: many)
    "each draw": (bits(leave_one_out), LOGITS, EXACT, 1000, {}, None),
    "groups": (bits(leave_one_out, 2.0), LOGITS / 2, 2 * EXACT, 1000, {}, 31),
    "score function": (bits(score_function, 2.0), LOGITS / 2, 2 * EXACT, 200, {}, 31),
    "groups of several blocks": (bits(leave_one_out, 2.0), LOGITS / 2, 2 * EXACT, 1000, {"block_size": 250}, 31),
    "left out": (log_weights, 0.5, vimco_exactly(160), 160, {}, 31),
}


@pytest.mark.parametrize("case", CALIBRATED.values(), ids=CALIBRATED)
def test_errors_in_standard_errors_have_mean_zero_and_deviation_one(case):
    loss, params, exact, n, options, freedom = case
    runs = 300
    scores, _ = scores_of(loss, params, exact, n=n, runs=runs, **options)
    # Student's t: variance v / (v - 2), kurtosis 3 + 6 / (v - 4)
    variance, kurtosis = (1.0, 3.0) if freedom is None else (freedom / (freedom - 2), 3 + 6 / (freedom - 4))
    margin = Z * variance * np.sqrt((kurtosis - 1) / scores.size)
    assert abs(scores.mean()) < Z * np.sqrt(variance / scores.size)
    # a gradient from n draws is no normal number, nor its standard error exact, up to terms of order 1 / n
    assert abs(scores.var() - variance) < margin + 0.1
    assert margin < 0.9


@pytest.mark.parametrize(("scale", "n"), [(None, 64), (None, 1000), (1.0, 64)])
def test_the_error_of_leave_one_out_where_its_first_order_part_vanishes(scale, n):
    runs, exact = 200, (1 - 2 * T) / 4
    estimate = value_and_grad(bits(leave_one_out, scale))
    found = [estimate(0.0, n=n, rng=seed)[1] for seed in range(runs)]
    errors = np.array([g.standard_error for g in found])
    scores = np.array([g.value - exact for g in found]) / errors
    # never far below the exact one; in 32 groups the squares of scores have a relative error of a quarter
    assert np.all(errors > (0.9 if scale is None else 0.5) * (1 - 2 * T) / np.sqrt(8 * n * (n - 1)))
    assert np.mean(np.abs(scores) > 3) <= 0.02  # it was 0.16 to 0.23
    assert scores.var() < 1.0


def test_plates_and_a_shared_parameter_keep_the_second_order_part():
    n, exact = 50, 3 * (1 - 2 * T) / 4

    def loss(logit):  # three plates share a logit; each compares its own draws
        b = StochasticTensor(Bernoulli(logits=logit * np.ones(3)), loss_fn=leave_one_out)
        return (b - T) ** 2

    found = [value_and_grad(loss)(0.0, n=n, rng=seed)[1] for seed in range(200)]
    scores = np.array([(g.value - exact) / g.standard_error for g in found])
    assert np.mean(np.abs(scores) > 3) <= 0.03
    assert 0.4 < scores.var() < 1.5


@pytest.mark.parametrize("n", [1, 2, 3, 31, 32, 33])
def test_few_draws_are_groups_of_one(n):
    def loss(log_scale):
        return StochasticTensor(Normal(0.0, anp.exp(log_scale))) ** 2

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, gradient = value_and_grad(loss)(0.2, n=n, rng=3)
    z = drawn(Normal(0.0, np.exp(0.2)), n, 3)
    np.testing.assert_allclose(gradient.value, np.mean(2 * z**2), rtol=1e-12)
    if n == 1:
        assert np.isnan(gradient.standard_error)
    elif n <= 32:
        assert gradient.method == "standard error from each draw"
        np.testing.assert_allclose(gradient.standard_error, np.std(2 * z**2, ddof=1) / np.sqrt(n), rtol=1e-10)
    else:
        assert gradient.method == "standard error from 32 groups of draws"


@pytest.mark.parametrize("n", [2, 3, 4])
def test_vimco_has_an_error_from_three_draws_on(n):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, gradient = value_and_grad(log_weights)(0.5, n=n, rng=1)
    assert np.isfinite(gradient.value)
    assert np.isnan(gradient.standard_error) == (n == 2)


def test_the_jackknife_is_that_of_the_draws_left_out_one_by_one():
    n = 12
    _, gradient = value_and_grad(log_weights)(0.5, n=n, rng=4)
    b, p = drawn(Bernoulli(logits=0.5), n, 4), 1 / (1 + np.exp(-0.5))

    def estimate(b):
        log_w = np.where(b == 1, 1.35, -1.0)
        return np.mean(get_vimco_advantage_fn(have_log_loss=True)(None, log_w) * (b - p) + 0.3 * b)

    left = np.array([estimate(np.delete(b, i)) for i in range(n)])
    np.testing.assert_allclose(gradient.value, estimate(b), rtol=1e-12)
    np.testing.assert_allclose(
        gradient.standard_error, np.sqrt((n - 1) / n * np.sum((left - left.mean()) ** 2)), rtol=1e-11
    )


def test_draws_that_make_no_whole_group_stay_in():
    n, size = 70, 2
    _, gradient = value_and_grad(log_weights)(0.5, n=n, rng=5)
    b, p = drawn(Bernoulli(logits=0.5), n, 5), 1 / (1 + np.exp(-0.5))

    def estimate(b):
        log_w = np.where(b == 1, 1.35, -1.0)
        return np.mean(get_vimco_advantage_fn(have_log_loss=True)(None, log_w) * (b - p) + 0.3 * b)

    left = np.array([estimate(np.delete(b, slice(size * g, size * (g + 1)))) for g in range(32)])
    expected = np.sqrt((n - size) ** 2 / (size * n) * left.var(ddof=1))
    np.testing.assert_allclose(gradient.standard_error, expected, rtol=1e-10)


def test_a_users_advantage_of_the_losses_can_ask_for_the_same():
    def standardised(node, loss):
        return (loss - loss.mean(axis=0)) / loss.std(axis=0)

    def gradient(of_losses):
        standardised.of_losses = of_losses
        return value_and_grad(bits(get_score_function_with_advantage(standardised)))(0.5, n=400, rng=6)[1]

    with_it, without = gradient(True), gradient(False)
    assert with_it.value == pytest.approx(without.value, rel=1e-12)
    # of one bit the standardised advantage times the score is nearly constant, its mean is sqrt(p (1 - p))
    p = 1 / (1 + np.exp(-0.5))
    exact = abs(1 - 2 * p) / 2 / np.sqrt(400)
    assert with_it.standard_error == pytest.approx(exact, rel=0.4)
    assert without.standard_error != pytest.approx(exact, rel=0.4)


@pytest.mark.parametrize(
    "family",
    [
        lambda p: Normal(p, np.ones((2, 3))),
        lambda p: Independent(Bernoulli(logits=p * np.ones((2, 3))), 1),
        lambda p: MultivariateNormalDiag(p, np.ones(3)),
        lambda p: Categorical(logits=p),
    ],
    ids=["numbers", "independent", "vector", "classes"],
)
@pytest.mark.parametrize("estimator", [score_function, leave_one_out], ids=repr)
def test_gradients_are_those_of_the_surrogate_loss_for_every_kind_of_family(family, estimator):
    def losses(z):
        rest = tuple(range(1, np.ndim(z)))
        return anp.sum((z - 0.3) ** 2, axis=rest) if rest else (z - 0.3) ** 2

    params = np.array([0.4, -0.2, 0.1])
    value, gradient = value_and_grad(lambda p: losses(StochasticTensor(family(p), loss_fn=estimator, pathwise=False)))(
        params, n=37, rng=7
    )
    held = drawn(family(params), 37, 7)

    def by_hand(p):
        z = StochasticTensor(family(p), loss_fn=estimator, pathwise=False, value=held)
        return anp.mean(surrogate_loss([losses(z)]))

    np.testing.assert_allclose(gradient.value, grad(by_hand)(params), rtol=1e-11)
    np.testing.assert_allclose(value.value, by_hand(params), rtol=1e-13)
    assert np.all(gradient.standard_error > 0)


def test_a_node_whose_batch_is_the_draws_is_not_cut():
    """The child's location has a number for each draw, its scale stands as it is: scores of all draws at once."""

    def loss(scale):
        a = StochasticTensor(Normal(0.0, 1.0), pathwise=False)
        return StochasticTensor(Normal(a, scale), pathwise=False) ** 2

    _, gradient = value_and_grad(loss)(1.5, n=20_000, rng=8)
    assert gradient.method == "standard error from each draw"
    assert abs(gradient.value - 2 * 1.5) < Z * gradient.standard_error
    assert gradient.standard_error < 0.2


def test_scores_are_summed_in_tiles_as_they_are_in_one():
    logits = np.linspace(-1, 1, 300)

    def loss(p):
        return anp.sum(StochasticTensor(Bernoulli(logits=p), loss_fn=leave_one_out), axis=1) ** 2

    _, gradient = value_and_grad(loss)(logits, n=2000, rng=9)
    b = drawn(Bernoulli(logits=logits), 2000, 9)
    f = b.sum(axis=1) ** 2
    contributions = ((f - f.mean()) * 2000 / 1999)[:, None] * (b - 1 / (1 + np.exp(-logits)))
    np.testing.assert_allclose(gradient.value, contributions.mean(axis=0), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gradient.standard_error, contributions.std(axis=0, ddof=1) / np.sqrt(2000), rtol=1e-9)


def test_a_parameter_that_nothing_depends_on_has_the_gradient_zero_without_error():
    params = {"used": 0.3, "unused": np.ones((2, 2)), "empty": np.zeros(0)}
    _, gradient = value_and_grad(lambda p: bits(score_function)(p["used"]))(params, n=10, rng=0)
    np.testing.assert_array_equal(gradient["unused"].value, np.zeros((2, 2)))
    np.testing.assert_array_equal(gradient["unused"].standard_error, np.zeros((2, 2)))
    assert gradient["empty"].value.shape == (0,)


def test_a_block_counts_the_numbers_that_were_drawn():
    block = Block(bits(score_function), [LOGITS], lambda values: values[0], Key(3), 7)
    assert block.elements == 21
    np.testing.assert_allclose(block.losses, np.sum((drawn_by(Key(3), 7) - T) ** 2, axis=1))


def drawn_by(key, n):
    return np.asarray(Bernoulli(logits=LOGITS).sample(n, rng=key.child(1)), float)
