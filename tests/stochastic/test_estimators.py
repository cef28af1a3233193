"""The estimators as functions of their own: baselines, their state, and what they refuse."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import (
    ObservedStochasticTensor,
    SampleValue,
    StochasticTensor,
    get_mean_baseline,
    get_regression_baseline,
    get_score_function_with_advantage,
    get_score_function_with_baseline,
    get_score_function_with_constant_baseline,
    get_vimco_advantage_fn,
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


class LeastSquares:
    """A slow twin of the regression baseline: weighted least squares over all that was seen, refitted each time."""

    def __init__(self, decay, ridge=1e-8):
        self.decay, self.ridge, self.seen = decay, ridge, []

    def __call__(self, rows, loss):
        design = np.column_stack([np.ones(len(rows)), rows])
        prediction = np.zeros(len(rows))
        if self.seen:
            # the first losses stand for all before them: their weight is not multiplied by 1 - decay
            last = len(self.seen) - 1
            weights = [self.decay ** (last - t) * (1.0 if t == 0 else 1 - self.decay) for t in range(last + 1)]
            gram = sum(w * d.T @ d / len(d) for w, (d, _) in zip(weights, self.seen, strict=True))
            moment = sum(w * d.T @ f / len(d) for w, (d, f) in zip(weights, self.seen, strict=True))
            gram = gram + self.ridge * np.trace(gram) / len(gram) * np.eye(len(gram))
            prediction = design @ np.linalg.solve(gram, moment)
        self.seen.append((design, loss))
        return prediction


@pytest.mark.parametrize(("decay", "options"), [(0.99, {}), (0.6, {"ema_decay": 0.6}), (0.0, {"ema_decay": 0.0})])
@pytest.mark.parametrize("ridge", [None, 0.3])
def test_the_regression_is_weighted_least_squares_after_every_update(decay, options, ridge):
    rng = np.random.default_rng(3)
    features = {}
    options = options if ridge is None else {**options, "ridge": ridge}
    baseline = get_regression_baseline(lambda node, loss: features["now"], **options)
    twin = LeastSquares(decay, 1e-8 if ridge is None else ridge)
    for _ in range(5):
        rows, loss = rng.normal(size=(8, 2)), rng.normal(size=8) ** 2
        features["now"] = rows
        np.testing.assert_allclose(baseline(sure(), loss), twin(rows, loss), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("where", ["loss", "features"])
def test_a_number_that_is_not_finite_does_not_stay_in_the_regression(where):
    features = {"now": np.arange(4.0)}
    baseline = get_regression_baseline(lambda node, loss: features["now"])
    baseline(sure(), np.array([1.0, 3.0, 5.0, 7.0]))
    before = baseline.read(sure(), np.zeros(4))
    if where == "loss":
        baseline.update(sure(), np.array([1.0, np.nan, 5.0, 7.0]))
    else:
        features["now"] = np.array([0.0, np.inf, 1.0, 2.0])
        baseline.update(sure(), np.array([1.0, 3.0, 5.0, 7.0]))
        features["now"] = np.arange(4.0)
    np.testing.assert_array_equal(baseline.read(sure(), np.zeros(4)), before)


def test_the_defaults_of_the_baselines():
    assert get_mean_baseline().ema_decay == 0.99
    baseline = get_regression_baseline(lambda node, loss: loss)
    assert (baseline.ema_decay, baseline.ridge) == (0.99, 1e-8)
    for make in (get_mean_baseline, lambda d: get_regression_baseline(len, ema_decay=d)):
        assert make(0.0).ema_decay == 0.0
        for decay in (1.0, -0.1, 1.5):
            with pytest.raises(ValueError, match=rf"^ema_decay must be at least 0 and below 1; got {decay}\.$"):
                make(decay)


def test_estimators_are_named_in_pictures_and_errors():
    names = {
        "score function": score_function,
        "score function, leave-one-out": leave_one_out,
        "score function, constant baseline": get_score_function_with_constant_baseline(1.0),
        "score function, baseline mean (decay 0.99)": get_score_function_with_baseline(),
        "score function, baseline regression on features": get_score_function_with_baseline(
            get_regression_baseline(len)
        ),
        "score function, advantage VIMCO": get_score_function_with_advantage(get_vimco_advantage_fn()),
        "mine": get_score_function_with_advantage(len, name="mine"),
    }
    assert {repr(estimator): estimator for estimator in names.values()} == names
    assert get_mean_baseline(0.5).__name__ == "mean (decay 0.5)"
    assert get_mean_baseline(0.5, name="mine").__name__ == "mine"


@pytest.mark.parametrize("kind", [list, tuple, np.float32, np.int64], ids=lambda kind: kind.__name__)
def test_users_functions_may_return_lists_and_other_numbers(kind):
    def converted(values):
        return kind(values) if kind in (list, tuple) else np.asarray(values).astype(kind)

    held = np.array([0.0, 1.0, 1.0])

    def gradient(estimator):
        def objective(logit):
            b = StochasticTensor(Bernoulli(logits=logit), loss_fn=estimator, value=held, name="b")
            return anp.sum(surrogate_loss([b * 2.0]))

        return grad(objective)(0.3)

    score = held - 1 / (1 + np.exp(-0.3))
    by_advantage = get_score_function_with_advantage(lambda node, loss: converted([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(gradient(by_advantage), np.sum(np.array([1, 2, 3]) * score), rtol=1e-6)
    by_baseline = get_score_function_with_baseline(lambda node, loss: converted([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(gradient(by_baseline), np.sum((2 * held - [1, 2, 3]) * score), rtol=1e-6)
    by_features = get_regression_baseline(lambda node, loss: converted([1.0, 2.0, 4.0]))
    by_features(sure(), np.array([3.0, 5.0, 9.0]))  # 1 + 2 x
    np.testing.assert_allclose(by_features.read(sure(), np.zeros(3)), [3.0, 5.0, 9.0], rtol=1e-5)


@pytest.mark.parametrize("kind", [list, np.float32, np.int64], ids=lambda kind: kind.__name__)
def test_recorded_draws_may_be_lists_and_other_numbers(kind):
    values = [1, 0, 1] if kind is list else np.array([1, 0, 1], kind)
    b = StochasticTensor(Bernoulli(logits=0.3), value=values)
    assert b.dtype == (np.float32 if kind is np.float32 else np.float64)
    np.testing.assert_array_equal(without_graph(b), [1.0, 0.0, 1.0])
    x = ObservedStochasticTensor(Bernoulli(logits=0.3), values)
    np.testing.assert_array_equal(without_graph(x.value()), [1.0, 0.0, 1.0])
