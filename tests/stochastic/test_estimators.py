"""The estimators as functions of their own: baselines, their state, and what they refuse."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import (
    SampleValue,
    StochasticTensor,
    get_mean_baseline,
    get_regression_baseline,
    get_score_function_with_advantage,
    get_score_function_with_baseline,
    get_score_function_with_constant_baseline,
    leave_one_out,
    score_function,
    surrogate_loss,
    without_graph,
)

LOG_P = np.log(0.999999)


def sure():
    """A Bernoulli node that is one, as the ancestor's tests have it."""
    return StochasticTensor(Bernoulli(probs=0.999999 * np.ones(1)), value=np.ones(1), name="b")


LOSS = np.array([3.2])


def test_score_function_and_constant_baseline():
    b = sure()
    np.testing.assert_allclose(score_function(b, np.ones(1), LOSS), LOG_P * LOSS, rtol=1e-6)
    with_baseline = get_score_function_with_constant_baseline(9.8)
    np.testing.assert_allclose(with_baseline(b, np.ones(1), LOSS), LOG_P * (LOSS - 9.8), rtol=1e-6)


def test_functions_are_given_the_node_and_the_loss():
    b, seen = sure(), []

    def nine(node, loss):
        seen.append((node, loss))
        return 9.8

    for make in (get_score_function_with_baseline, get_score_function_with_advantage):
        term = make(nine)(b, np.ones(1), LOSS)
        expected = LOSS - 9.8 if make is get_score_function_with_baseline else 9.8
        np.testing.assert_allclose(term, LOG_P * expected, rtol=1e-6)
    for node, loss in seen:
        assert node is b
        assert type(loss) is np.ndarray


def test_the_mean_baseline_is_the_corrected_average_of_the_losses_before():
    decay, baseline = 0.8, get_mean_baseline(0.8)
    rng = np.random.default_rng(0)
    seen = []
    for step in range(6):
        loss = rng.normal(size=(2, 3))
        weights = decay ** np.arange(step)[::-1]
        expected = np.sum(weights * seen) / np.sum(weights) if seen else 0.0
        np.testing.assert_allclose(baseline(None, loss), expected, rtol=1e-12)
        seen.append(loss.mean())


def test_a_constant_loss_has_no_advantage_once_it_was_seen():
    estimator = get_score_function_with_baseline(get_mean_baseline(0.8))
    terms = [float(estimator(sure(), np.ones(1), LOSS)[0]) for _ in range(6)]
    np.testing.assert_allclose(terms, [LOG_P * 3.2, *[0.0] * 5], rtol=1e-6, atol=1e-20)


def test_each_call_makes_a_baseline_of_its_own():
    first, second = get_score_function_with_baseline(), get_score_function_with_baseline()
    first(sure(), np.ones(1), LOSS)
    np.testing.assert_allclose(second(sure(), np.ones(1), LOSS), LOG_P * LOSS, rtol=1e-6)


def test_a_loss_that_is_not_finite_does_not_stay_in_the_baseline():
    baseline = get_mean_baseline()
    baseline(None, np.array([2.0]))
    baseline(None, np.array([np.nan]))
    assert baseline.read() == 2.0


def test_the_regression_baseline_learns_a_linear_loss_exactly():
    x = np.random.default_rng(1).normal(size=(50, 2))
    baseline = get_regression_baseline(lambda node, loss: x)
    loss = 3.0 + x @ np.array([2.0, -1.0])
    np.testing.assert_array_equal(baseline(sure(), loss), 0.0)
    np.testing.assert_allclose(baseline(sure(), loss), loss, rtol=1e-6)


def test_a_regression_on_inputs_lowers_the_variance():
    data = np.linspace(-3, 3, 40)
    rng = np.random.default_rng(2)

    def variance(estimator):
        def objective(logit):
            b = StochasticTensor(
                Bernoulli(logits=logit * np.ones((20, 40))), SampleValue(), estimator, rng=rng, name="b"
            )
            return anp.mean(surrogate_loss([(b - 0.4) ** 2 + 5 * data]))

        return np.var([grad(objective)(0.2) for _ in range(120)][20:])

    features = get_regression_baseline(lambda node, loss: np.broadcast_to(data, loss.shape))
    plain = variance(score_function)
    assert variance(get_score_function_with_baseline(features)) < plain / 20
    assert variance(get_score_function_with_baseline(get_mean_baseline(0.9))) > plain / 5


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: get_mean_baseline(1.0), ValueError, "ema_decay must be at least 0 and below 1; got 1.0"),
        (lambda: get_regression_baseline(3), TypeError, "features must be callable; got int"),
        (lambda: get_regression_baseline(len, ema_decay=-1), ValueError, "ema_decay must be"),
        (lambda: get_score_function_with_baseline(3.0), TypeError, "baseline_fn must be callable; got float"),
        (lambda: get_score_function_with_advantage(None), TypeError, "advantage_fn must be callable; got NoneType"),
    ],
)
def test_what_makes_no_estimator_is_refused(make, error, text):
    with pytest.raises(error, match=text):
        make()


def differentiated(estimator, shape=(3,), loss=lambda b: b * 1.0):
    def objective(logit):
        b = StochasticTensor(Bernoulli(logits=logit), loss_fn=estimator, value=np.ones(shape), name="b")
        return anp.sum(surrogate_loss([loss(b)]))

    return grad(objective)(0.3)


def test_leave_one_out_needs_two_draws():
    with pytest.raises(ValueError, match=r"b: leave_one_out needs at least 2 draws on the first axis.*\(1,\)"):
        differentiated(leave_one_out, (1,))


def test_a_baseline_of_another_shape_is_refused():
    too_wide = get_score_function_with_baseline(lambda node, loss: np.ones((3, 1)))
    with pytest.raises(
        ValueError, match=r"b: its baseline must broadcast to the shape of the loss, \(3,\); got shape \(3, 1\)"
    ):
        differentiated(too_wide)
    features = get_score_function_with_baseline(get_regression_baseline(lambda node, loss: np.ones(5)))
    with pytest.raises(ValueError, match=r"b: features must have the shape \(3,\) of the loss"):
        differentiated(features)


@pytest.mark.parametrize(
    ("estimator", "error", "text"),
    [
        (get_score_function_with_constant_baseline(np.ones(2)), ValueError, r"b: its baseline must broadcast.*\(2,\)"),
        (get_score_function_with_baseline(lambda *_: None), TypeError, "b: what its baseline returned must be real"),
        (
            get_score_function_with_advantage(lambda *_: np.ones(2)),
            ValueError,
            r"b: its advantage must broadcast.*\(2,",
        ),
        (get_score_function_with_advantage(lambda *_: "a"), TypeError, "b: what its advantage returned must be real"),
    ],
)
def test_what_is_no_baseline_or_advantage_is_refused_by_the_nodes_name(estimator, error, text):
    with pytest.raises(error, match=text):
        differentiated(estimator, (3,))


def test_a_constant_baseline_must_be_numbers():
    with pytest.raises(TypeError, match="baseline must be real numbers; got None"):
        get_score_function_with_constant_baseline(None)


def test_a_baseline_for_each_plate_broadcasts():
    plates = np.array([0.5, 0.2])
    by_plate = get_score_function_with_baseline(lambda node, loss: plates)
    gradient = differentiated(by_plate, (3, 2))
    p = 1 / (1 + np.exp(-0.3))
    np.testing.assert_allclose(gradient, 3 * np.sum(1 - plates) * (1 - p))


def test_pathwise_is_refused_where_there_is_none():
    with pytest.raises(ValueError, match="b: Bernoulli has no pathwise derivative; use pathwise=False"):
        StochasticTensor(Bernoulli(logits=0.0), pathwise=True, name="b")


def test_a_node_from_a_derivative_that_has_ended_is_refused_by_its_name():
    kept = []

    def first(logit):
        kept.append(StochasticTensor(Bernoulli(logits=logit), value=np.ones(3), name="stale"))
        return logit

    grad(first)(0.3)
    with pytest.raises(ValueError, match="stale was made inside a derivative that has ended"):
        surrogate_loss([kept[0] * 1.0])
    with pytest.raises(ValueError, match="stale was made inside a derivative that has ended"):
        grad(lambda w: anp.sum(surrogate_loss([kept[0] * w])))(1.0)


def test_a_value_that_carries_its_derivative_keeps_it_and_plain_draws_take_the_score():
    noise = np.array([0.5, -1.0])

    def objective(loc, transported):
        q = Normal(loc, 1.0)
        z = StochasticTensor(q, value=q.transport(noise) if transported else 0.3 + noise)
        assert z.pathwise == transported
        return anp.sum(surrogate_loss([z**2]))

    value = 0.3 + noise
    np.testing.assert_allclose(grad(objective)(0.3, True), np.sum(2 * value))
    np.testing.assert_allclose(grad(objective)(0.3, False), np.sum(value**2 * noise))


def test_stopped_samples_of_a_pathwise_family_take_the_score():
    def objective(loc):
        z = StochasticTensor(Normal(loc, 1.0), SampleValue(4, stop_gradient=True), rng=0)
        return anp.sum(surrogate_loss([z**2]))

    z = np.asarray(without_graph(StochasticTensor(Normal(0.3, 1.0), SampleValue(4), rng=0)))
    np.testing.assert_allclose(grad(objective)(0.3), np.sum(z**2 * (z - 0.3)))
