"""The mean of every estimator is the exact gradient: by enumeration, and by quadrature for normals."""

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi._autograd import value_of
from mcvi.distributions import Normal, Poisson
from mcvi.stochastic import (
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
)
from tests.stochastic.problems import PROBLEMS, poisson_plate

RTOL = 1e-9


def warm_mean():
    baseline = get_mean_baseline(0.9)
    for past in (1.3, 0.2, 0.7):
        baseline.update(None, past)
    return get_score_function_with_baseline(baseline)


def warm_regression():
    def features(node, loss):  # known before the draw: the place of the draw among the draws
        places = np.arange(1.0, 1 + len(loss)).reshape(-1, *[1] * (np.ndim(loss) - 1))
        return np.broadcast_to(places, np.shape(loss))

    baseline = get_regression_baseline(features)
    node = StochasticTensor(Normal(0.0, 1.0), value=np.zeros((2, 1)))
    for past in (np.array([[1.3], [0.2]]), np.array([[0.7], [-0.4]])):
        baseline.update(node, past)
    return get_score_function_with_baseline(baseline)


ESTIMATORS = {  # estimator, how many draws share it
    "score function": (lambda: score_function, 1),
    "constant baseline": (lambda: get_score_function_with_constant_baseline(0.7), 1),
    "function baseline": (lambda: get_score_function_with_baseline(lambda node, loss: 0.3 * np.ones(loss.shape)), 1),
    "mean baseline": (warm_mean, 1),
    "regression baseline": (warm_regression, 1),
    "advantage": (lambda: get_score_function_with_advantage(lambda node, loss: loss - 1.1), 1),
    "leave-one-out": (lambda: leave_one_out, 2),
}


def mean_gradient(problem, estimator, draws, pathwise, form):
    outcomes = problem.outcomes(draws)

    def objective(params):
        loss = problem.build(params, outcomes.draw(estimator, pathwise))
        return anp.sum(anp.mean(surrogate_loss([loss], form=form), axis=0) * outcomes.weights)

    value = objective(problem.params)
    return value, grad(objective)(problem.params)


@pytest.mark.parametrize("form", ["value_preserving", "tf1"])
@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
@pytest.mark.parametrize("pathwise", [False, True], ids=["score", "pathwise"])
@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.__name__)
def test_the_mean_of_the_estimator_is_the_gradient(problem, pathwise, estimator, form):
    made = problem()
    if pathwise and (problem.__name__ == "threshold" or not any(isinstance(s, tuple) for s in made.supports.values())):
        pathwise = False  # no normal, or a loss with jumps: score function everywhere
    make, draws = ESTIMATORS[estimator]
    value, gradient = mean_gradient(made, make(), draws, pathwise, form)
    if form == "value_preserving":
        np.testing.assert_allclose(value, made.expected(made.params), rtol=RTOL)
    exact = grad(made.expected)(made.params)
    for name, expected in exact.items():
        np.testing.assert_allclose(gradient[name], expected, rtol=RTOL, atol=1e-11)


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=str)
def test_the_mean_is_the_gradient_for_eight_poisson_nodes_in_a_plate(estimator):
    problem = poisson_plate()
    rate = problem.params["rate"]
    make, draws = ESTIMATORS[estimator]
    counts = problem.supports["k"]
    columns = np.array(np.meshgrid(*[counts] * draws)).reshape(draws, -1)  # (draws, columns)
    held = np.repeat(columns[:, :, None], len(rate), axis=2)  # every plate has the same outcome
    weights = np.exp(Poisson(rate).log_prob(held).sum(axis=0))  # (columns, plates)

    def objective(params):
        k = StochasticTensor(Poisson(params["rate"]), loss_fn=make(), value=held)
        return anp.sum(anp.mean(surrogate_loss([(k - 1.0) ** 2]), axis=0) * weights)

    gradient = grad(objective)({"rate": rate})["rate"]
    np.testing.assert_allclose(gradient, 1 + 2 * (rate - 1.0), rtol=RTOL, atol=1e-12)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda p: p.__name__)
@pytest.mark.parametrize("have_log_loss", [True, False])
def test_the_mean_of_vimco_is_the_gradient_of_the_expected_log_mean(problem, have_log_loss):
    made = problem()
    outcomes = made.outcomes(2)
    estimator = get_score_function_with_advantage(get_vimco_advantage_fn(have_log_loss))

    def objective(params):
        loss = made.build(params, outcomes.draw(estimator, False))
        log_loss = loss if have_log_loss else anp.log(loss + 0.1)
        return anp.sum(anp.sum(surrogate_loss([log_loss if have_log_loss else loss + 0.1]), axis=0) * outcomes.weights)

    def log_mean(params):
        """Sum of probability times log mean, with the outcomes where they are at the parameters of the problem."""
        nodes = []
        plain = outcomes.draw(score_function, False)

        def draw(name, distribution):
            node = plain(name, distribution)
            nodes.append((distribution, value_of(node)))
            return value_of(node)

        loss = value_of(made.build(params, draw))
        log_loss = loss if have_log_loss else np.log(loss + 0.1)
        shift = log_loss.max(axis=0)
        target = shift + np.log(np.mean(np.exp(log_loss - shift), axis=0))
        log_density = sum(distribution.log_prob(value) for distribution, value in nodes)
        total = anp.sum(log_density - value_of(log_density), axis=0)
        return anp.sum(anp.exp(total) * target * outcomes.weights)

    gradient, exact = grad(objective)(made.params), grad(log_mean)(made.params)
    for name, expected in exact.items():
        np.testing.assert_allclose(gradient[name], expected, rtol=1e-7, atol=1e-9)
