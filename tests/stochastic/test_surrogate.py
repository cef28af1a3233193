"""The surrogate loss against hand-built sums, in both forms; its axes; what it warns of and refuses."""

import warnings

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad

from mcvi.distributions import Normal
from mcvi.distributions._base.univariate import Univariate
from mcvi.stochastic import (
    BaseStochasticTensor,
    MissingGradientWarning,
    SampleValue,
    StochasticTensor,
    get_mean_baseline,
    get_score_function_with_baseline,
    score_function,
    surrogate_loss,
)
from mcvi.stochastic._graph.trace import outermost_level, parameter_boxes

PARAMS = {"mu": np.array([-1.3, 0.1, 1.3]), "sigma": np.array([1.6, 0.9, 1.7])}
FORMS = ["value_preserving", "tf1"]


def chain(params, pathwise):
    """Return prior -> likelihood, and an independent prior, as the ancestor's test has them."""
    prior = StochasticTensor(Normal(params["mu"], params["sigma"]), pathwise=pathwise, rng=1, name="prior")
    likelihood = StochasticTensor(Normal(prior, params["sigma"]), pathwise=pathwise, rng=2, name="likelihood")
    prior_2 = StochasticTensor(Normal(params["mu"], params["sigma"]), pathwise=pathwise, rng=3, name="prior_2")
    loss = (likelihood - params["mu"]) ** 2
    part_loss = (prior - params["mu"]) ** 2
    sum_loss = anp.sum(loss)
    loss_nodeps = (prior_2 - params["mu"]) ** 2
    return prior, likelihood, prior_2, loss, part_loss, sum_loss, loss_nodeps


def stopped(x):
    from mcvi.stochastic import stop_gradient

    return stop_gradient(x)


CASES = {  # which losses, and by what each node is weighted
    "one": lambda p, k, q, a, b, s, c: ([a], {p: a, k: a}),
    "partial": lambda p, k, q, a, b, s, c: ([a, b], {p: a + b, k: a}),
    "summed": lambda p, k, q, a, b, s, c: ([s * np.ones(3)], {p: s * np.ones(3), k: s * np.ones(3)}),
    "both": lambda p, k, q, a, b, s, c: ([a, s * np.ones(3)], {p: a + s * np.ones(3), k: a + s * np.ones(3)}),
    "independent": lambda p, k, q, a, b, s, c: ([c], {q: c}),
    "all": lambda p, k, q, a, b, s, c: ([a, c], {p: a, k: a, q: c}),
    "listed twice": lambda p, k, q, a, b, s, c: ([a, a], {p: a + a, k: a + a}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_node_is_weighted_with_the_losses_downstream(case, form):
    def by_hand(params):
        from mcvi.stochastic import without_graph

        losses, weights = case(*chain(params, False))
        total = sum(losses)
        for node, weight in weights.items():
            total = total + node.distribution.log_prob(stopped(node)) * stopped(weight)
        return without_graph(total)

    def built(params):
        return surrogate_loss(case(*chain(params, False))[0], form=form)

    ours = grad(lambda p: anp.sum(built(p)))(PARAMS)
    theirs = grad(lambda p: anp.sum(by_hand(p)))(PARAMS)
    for name in PARAMS:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=1e-12)
    if form == "tf1":
        np.testing.assert_allclose(built(PARAMS), by_hand(PARAMS), rtol=1e-12)
    else:
        from mcvi.stochastic import without_graph

        losses = case(*chain(PARAMS, False))[0]
        np.testing.assert_array_equal(built(PARAMS), sum(without_graph(loss) for loss in losses))


@pytest.mark.parametrize("form", FORMS)
def test_pathwise_nodes_add_no_term(form):
    _, _, _, loss, part_loss, _, loss_nodeps = chain(PARAMS, True)
    total = surrogate_loss([loss, part_loss, loss_nodeps], form=form)
    expected = sum(np.asarray(x._value) for x in (loss, part_loss, loss_nodeps))
    np.testing.assert_array_equal(total, expected)


def test_the_value_is_the_loss_bit_for_bit_where_the_log_probability_is_not_finite():
    def objective(scale):
        z = StochasticTensor(Normal(0.0, scale), value=np.array([np.inf, 1e200]), pathwise=False)
        return surrogate_loss([anp.where(z > 1, 1.5, 0.1)])

    np.testing.assert_array_equal(objective(1.0), [1.5, 1.5])
    seen = []

    def inside(scale):
        from mcvi._autograd import value_of

        total = objective(scale)
        seen.append(value_of(total))
        return anp.sum(total)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        grad(inside)(1.0)
    np.testing.assert_array_equal(seen[0], [1.5, 1.5])


def test_axes_that_the_loss_lacks_are_summed_in_the_log_probability():
    mu = np.array([[-0.3, -1.7], [0.5, -1.6]])  # as many draws as members of the batch: the wrong axis would fit too
    z_held = np.array([[0.2, 0.1], [-1.0, 0.4]])

    def objective(mu, form):
        z = StochasticTensor(Normal(mu, 1.0), value=z_held, pathwise=False)
        return anp.sum(surrogate_loss([anp.sum(z**2, axis=-1)], form=form))

    expected = np.sum(z_held**2, axis=1)[:, None] * (z_held - mu)
    for form in FORMS:
        np.testing.assert_allclose(grad(objective)(mu, form), expected, rtol=1e-13)


def test_a_loss_of_one_element_weighs_all_draws_of_a_node():
    held = np.array([0.5, -1.0, 2.0])

    def objective(mu, form):
        z = StochasticTensor(Normal(mu, 1.0), value=held, pathwise=False)
        return surrogate_loss([anp.reshape(anp.sum(z**2), (1,))], form=form)[0]

    for form in FORMS:
        np.testing.assert_allclose(grad(objective)(0.3, form), np.sum(held**2) * np.sum(held - 0.3), rtol=1e-13)


@pytest.mark.parametrize(
    ("shape", "remedy"),
    [((3, 5), "sum the loss over the axes that the node lacks"), ((4,), "give both the same leading axes")],
)
@pytest.mark.parametrize("form", FORMS)
def test_axes_that_do_not_align_are_refused(shape, remedy, form):
    def objective(mu):
        z = StochasticTensor(Normal(mu, 1.0), value=np.zeros(3), pathwise=False, name="z")
        return anp.sum(surrogate_loss([anp.sum(z) * np.ones(shape)], form=form))

    with pytest.raises(ValueError, match=f"z: its log probability has shape \\(3,\\) and the loss .* {remedy}"):
        grad(objective)(0.3)


def test_an_explicit_list_gives_terms_to_its_nodes_only_and_warns_of_the_others():
    def objective(params, which):
        a = StochasticTensor(Normal(params["a"], 1.0), value=np.ones(3), pathwise=False, name="a")
        b = StochasticTensor(Normal(params["b"], 1.0), value=np.full(3, 2.0), pathwise=False, name="b")
        return anp.sum(surrogate_loss([a * b], None if which is None else [{"a": a, "b": b}[name] for name in which]))

    params = {"a": 0.0, "b": 0.0}
    assert grad(objective)(params, None) == {"a": 6.0, "b": 12.0}
    assert grad(objective)(params, ["a", "b"]) == {"a": 6.0, "b": 12.0}
    with pytest.warns(MissingGradientWarning, match="b is upstream of a loss but not in stochastic_tensors"):
        assert grad(objective)(params, ["a"]) == {"a": 6.0, "b": 0.0}


@pytest.mark.parametrize("listed", [[3], [None], lambda z: z, lambda z: [z.value()]])
def test_what_is_no_node_is_refused_in_an_explicit_list(listed):
    z = z3()
    with pytest.raises(TypeError, match=r"stochastic_tensors must hold stochastic nodes; got \w+ at index 0"):
        surrogate_loss([z**2], listed(z) if callable(listed) else listed)


def test_a_listed_node_that_is_not_upstream_is_ignored():
    a = StochasticTensor(Normal(0.0, 1.0), SampleValue(3), rng=0)
    b = StochasticTensor(Normal(0.0, 1.0), SampleValue(3), rng=1)
    np.testing.assert_array_equal(surrogate_loss([a * 1.0], [a, b]), a._value)


@pytest.mark.parametrize("form", FORMS)
def test_a_node_without_an_estimator_is_warned_of(form):
    def objective(mu):
        z = StochasticTensor(Normal(mu, 1.0), loss_fn=None, value=np.ones(3), pathwise=False, name="z")
        return anp.sum(surrogate_loss([z * mu], form=form))

    with pytest.warns(MissingGradientWarning, match="z has loss_fn=None and no pathwise derivative"):
        assert grad(objective)(1.0) == 3.0


def test_losses_that_depend_on_no_node_are_summed_with_a_warning():
    with pytest.warns(MissingGradientWarning, match="depend on no stochastic node"):
        np.testing.assert_array_equal(surrogate_loss([np.ones(2), np.ones(2)]), [2.0, 2.0])


def z3():
    return StochasticTensor(Normal(0.0, 1.0), SampleValue(3), rng=0)


@pytest.mark.parametrize(
    ("losses", "error", "text"),
    [
        (lambda: z3() ** 2, TypeError, "sample_losses must be a list or tuple of arrays; got ArrayBox"),
        (lambda: [], ValueError, "at least one loss"),
        (lambda: ["loss"], TypeError, "must be arrays; got str at index 0"),
        (lambda: [None], TypeError, "must be arrays; got NoneType"),
        (lambda: [z3() ** 2, np.float64(3.0)], ValueError, "dimensionality 1 or greater .* scalar at index 1"),
        (lambda: [anp.sum(z3())], ValueError, "dimensionality 1 or greater"),
        (lambda: [z3() ** 2, np.zeros(4)], ValueError, r"one shape.*\(3,\) at index 0 and \(4,\) at index 1"),
        (lambda: [np.array([object()])], TypeError, "index 0 is an array of objects.*autograd.numpy"),
        (lambda: [z3() * 1j], TypeError, "must be real numbers; got dtype complex128"),
    ],
)
def test_what_is_no_loss_is_refused(losses, error, text):
    with pytest.raises(error, match=text):
        surrogate_loss(losses())


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="form must be 'value_preserving' or 'tf1'; got 'dice'"):
        surrogate_loss([z3() ** 2], form="dice")


@pytest.mark.parametrize("form", FORMS)
def test_a_callers_own_estimator_is_a_function_of_node_value_and_loss(form):
    seen = []

    def own(node, value, loss):
        seen.append((type(node), np.shape(value), np.shape(loss)))
        return node.distribution.log_prob(value) * (loss - 1.0)

    def objective(mu, estimator):
        z = StochasticTensor(Normal(mu, 1.0), loss_fn=estimator, value=np.array([1.0, 2.0]), pathwise=False)
        return anp.sum(surrogate_loss([z**2], form=form))

    from mcvi.stochastic import get_score_function_with_constant_baseline

    expected = grad(objective)(0.3, get_score_function_with_constant_baseline(1.0))
    np.testing.assert_allclose(grad(objective)(0.3, own), expected)
    assert seen == [(StochasticTensor, (2,), (2,))]


def test_an_estimator_that_returns_nothing_is_refused():
    z = StochasticTensor(Normal(0.0, 1.0), loss_fn=lambda *_: None, value=np.ones(2), pathwise=False, name="z")
    with pytest.raises(TypeError, match="z: loss_fn must return an array"):
        surrogate_loss([z**2], form="tf1")


class Recorded(BaseStochasticTensor):
    """A node of a user's own: given draws, with the plain score function or no term at all."""

    def __init__(self, dist, value, *, silent):
        self.name, self.distribution, self.silent = "recorded", dist, silent
        self._enter(value, (), outermost_level(parameter_boxes(dist)))

    def loss(self, sample_loss):
        return None if self.silent else self.distribution.log_prob(self.value()) * sample_loss


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(("silent", "score"), [(False, 1.0), (True, 0.0)])
def test_a_node_of_a_users_own_kind_gives_its_own_term(form, silent, score):
    values = np.array([1.0, 2.0])

    def objective(mu):
        return anp.sum(surrogate_loss([mu * Recorded(Normal(mu, 1.0), values, silent=silent) ** 2], form=form))

    expected = np.sum(values**2 + score * 0.3 * values**2 * (values - 0.3))
    np.testing.assert_allclose(grad(objective)(0.3), expected, rtol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_baseline_shared_by_two_nodes_does_not_see_the_present_loss(form):
    baseline = get_mean_baseline(0.5)

    def objective(mu):
        estimator = get_score_function_with_baseline(baseline)
        a, b = (
            StochasticTensor(Normal(mu, 1.0), None, estimator, value=np.full(2, v), pathwise=False) for v in (1.0, 2.0)
        )
        return anp.sum(surrogate_loss([a * b], form=form))

    assert grad(objective)(0.0) == 2 * 2.0 * 1.0 + 2 * 2.0 * 2.0
    assert baseline.read() == 2.0


@pytest.mark.parametrize("form", FORMS)
def test_monitoring_without_a_derivative_does_not_advance_a_baseline(form):
    baseline = get_mean_baseline()
    z = StochasticTensor(
        Normal(0.0, 1.0), SampleValue(3), get_score_function_with_baseline(baseline), pathwise=False, rng=0
    )
    surrogate_loss([z**2], form=form)
    assert baseline.read() == 0.0


def test_a_second_derivative_is_refused_in_a_sentence():
    def objective(mu):
        z = StochasticTensor(
            Normal(mu, 1.0),
            None,
            get_score_function_with_baseline(lambda n, f: 0.5),
            value=np.ones(2),
            pathwise=False,
            name="z",
        )
        return anp.sum(surrogate_loss([z**2]))

    with pytest.raises(NotImplementedError, match="second derivatives"):
        elementwise_grad(grad(objective))(0.3)


def test_the_estimator_called_by_hand_takes_a_baseline():
    z = StochasticTensor(Normal(0.0, 1.0), value=np.array([1.0]), pathwise=False)
    log_prob = Normal(0.0, 1.0).log_prob(1.0)
    np.testing.assert_allclose(score_function(z, np.array([1.0]), np.array([3.2])), [log_prob * 3.2])
    np.testing.assert_allclose(score_function(z, np.array([1.0]), np.array([3.2]), 9.8), [log_prob * (3.2 - 9.8)])


@pytest.mark.parametrize("estimator", [score_function, get_mean_baseline()], ids=["score", "baseline"])
def test_the_log_probability_is_not_computed_where_the_family_sums_its_scores(estimator, monkeypatch):
    estimator = estimator if estimator is score_function else get_score_function_with_baseline(estimator)
    held = np.array([0.5, -1.0])

    def objective(mu):
        z = StochasticTensor(Normal(mu, 1.0), loss_fn=estimator, value=held, pathwise=False)
        return anp.sum(surrogate_loss([z**2]))

    monkeypatch.setattr(Univariate, "_log_prob", None)
    np.testing.assert_allclose(grad(objective)(0.3), np.sum(held**2 * (held - 0.3)))
