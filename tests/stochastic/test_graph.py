"""The graph of random draws: what keeps a dependency, with a derivative around it or without, and what stays behind."""

import gc
import weakref

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad, grad, hessian, jacobian, value_and_grad

from mcvi.distributions import Normal
from mcvi.stochastic import (
    ObservedStochasticTensor,
    SampleValue,
    StochasticTensor,
    dependencies,
    stop_gradient,
    surrogate_loss,
    take,
    without_graph,
)
from mcvi.stochastic._graph.nodes import node_of
from mcvi.stochastic._graph.trace import nearest_draws, upstream


def draws(loc=0.0, *, name, n=4, rng=0, pathwise=None):
    return StochasticTensor(Normal(loc, 1.0), SampleValue(n), rng=rng, name=name, pathwise=pathwise)


def fed(losses):
    return {node.name: indices for node, indices in dependencies(losses).items()}


KEEPING = {
    "comparison": lambda z: z > 0.2,
    "equality": lambda z: z == 1.0,
    "rounding": anp.round,
    "floor": anp.floor,
    "sign": anp.sign,
    "argmax": lambda z: anp.argmax(z) * anp.ones(4),
    "argsort": anp.argsort,
    "any": lambda z: anp.ones(4) * anp.any(z > 0),
    "count": lambda z: anp.ones(4) * anp.count_nonzero(z > 0),
    "where": lambda z: anp.where(z > 0, 1.0, 2.0),
    "stop_gradient": stop_gradient,
    "take": lambda z: take([1.0, 2.0], z > 0),
    "integers": lambda z: anp.floor(z).astype(np.int64),
    "indexing": lambda z: z[1:],
    "plain ufunc": np.exp,
    "array first": lambda z: np.ones(4) - z,
    "concatenate": lambda z: anp.concatenate([z, np.ones(2)]),
    "stack": lambda z: anp.stack([z, z]),
    "array of elements": lambda z: anp.array([z[0], 2.0]),
    "logical": lambda z: anp.logical_and(z > 0, z < 1),
    "matrix product": lambda z: np.ones((2, 4)) @ z,
    "twice": lambda z: stop_gradient(z > 0) * (z < 2),
}


@pytest.mark.parametrize("operation", KEEPING.values(), ids=KEEPING)
def test_every_operation_keeps_the_dependency_without_a_derivative_around_it(operation):
    assert fed([operation(draws(name="z"))]) == {"z": [0]}


@pytest.mark.parametrize("operation", KEEPING.values(), ids=KEEPING)
@pytest.mark.parametrize("pathwise", [True, False])
def test_every_operation_keeps_the_dependency_inside_a_derivative(operation, pathwise):
    seen = []

    def objective(loc):
        z = draws(loc, name="z", pathwise=pathwise)
        seen.append(fed([operation(z)]))
        return loc

    grad(objective)(0.3)
    assert seen == [{"z": [0]}]


def test_shapes_do_not_depend_on_draws():
    z = draws(name="z")
    assert anp.shape(z) == (4,)
    assert z.shape == (4,)
    assert len(z) == 4
    assert fed([np.zeros(3) + anp.size(z)]) == {}


def test_dependencies_pass_through_the_parameters_of_other_nodes():
    a = draws(name="a")
    b = StochasticTensor(Normal(stop_gradient(a), 1.0), name="b", rng=1)
    c = StochasticTensor(Normal(0.0, anp.where(b > 0, 1.0, 2.0)), name="c", rng=2)
    assert fed([c > 0, b * 1.0, a]) == {"a": [0, 1, 2], "b": [0, 1], "c": [0]}


def test_parents_come_before_children():
    a = draws(name="a")
    b = StochasticTensor(Normal(a, 1.0), name="b", rng=1)
    c = StochasticTensor(Normal(a + b, 1.0), name="c", rng=2)
    assert list(fed([a + c])) == ["a", "b", "c"]


def test_an_observed_value_has_no_ancestors_but_is_itself_upstream():
    z = draws(name="z")
    x = ObservedStochasticTensor(Normal(z, 1.0), np.zeros(4), name="x")
    assert fed([x * 1.0]) == {"x": [0]}
    assert fed([x * z]) == {"z": [0], "x": [0]}


def test_each_listing_of_a_loss_counts():
    loss = draws(name="z") ** 2
    assert fed([loss, loss]) == {"z": [0, 1]}


def test_the_node_that_comes_back_is_the_node_that_was_made():
    z = draws(name="z")
    assert next(iter(dependencies([z**2]))) is z


def test_a_node_that_nobody_holds_is_made_again_with_all_it_had():
    def hidden():
        z = draws(name="z")
        return z**2, np.asarray(without_graph(z)), z.distribution

    loss, value, distribution = hidden()
    (node,) = dependencies([loss])
    assert node.name == "z"
    assert node.distribution is distribution
    np.testing.assert_array_equal(without_graph(node), value)


def test_a_step_frees_its_draws_without_the_garbage_collector():
    gc.collect()
    gc.disable()
    try:
        z = draws(name="z")
        held = weakref.ref(z._node.source)
        loss = surrogate_loss([z**2])
        del z
        assert loss.shape == (4,)
        assert held() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("around", [lambda f: f, grad], ids=["plain", "grad"])
def test_nothing_stays_behind_when_a_loss_raises(around):
    alive = []

    def objective(loc):
        z = draws(loc, name="z")
        alive.append(weakref.ref(z._node.source))
        raise RuntimeError("from the loss")

    with pytest.raises(RuntimeError, match="from the loss"):
        around(objective)(0.3)
    gc.collect()
    assert [ref() for ref in alive] == [None]

    def correct(loc):
        return anp.mean(surrogate_loss([draws(loc, name="z", pathwise=True) ** 2]))

    z = np.asarray(without_graph(draws(0.3, name="z")))
    np.testing.assert_allclose(grad(correct)(0.3), 2 * z.mean(), rtol=1e-12)


def test_a_node_made_outside_a_derivative_leaves_plain_gradients_inside_it():
    z = draws(name="z")
    gradient = grad(lambda w: anp.sum(surrogate_loss([w * z])))(2.0)
    assert isinstance(gradient, (float, np.ndarray))
    np.testing.assert_allclose(gradient, np.sum(without_graph(z)))


def test_a_derivative_inside_a_loss_sees_other_nodes():
    def objective(loc):
        a = draws(loc, name="a", pathwise=True)
        b = draws(loc, name="b", rng=1, pathwise=True)
        slope = elementwise_grad(lambda x: x**2 * b)(a)  # 2 a b
        return anp.mean(surrogate_loss([slope]))

    a, b = (np.asarray(without_graph(draws(0.3, name="", rng=seed))) for seed in (0, 1))
    np.testing.assert_allclose(grad(objective)(0.3), np.mean(2 * (a + b)), rtol=1e-12)


def test_a_function_that_returns_a_value_of_the_graph_is_refused():
    with pytest.raises(TypeError, match="return surrogate_loss"):
        grad(lambda loc: anp.sum(draws(loc, name="z")))(0.3)


def test_the_pathwise_derivative_alone_is_had_by_leaving_the_graph():
    assert grad(lambda loc: anp.sum(without_graph(draws(loc, name="z") * 1.0)))(0.3) == 4.0


def test_a_loss_from_a_derivative_that_has_ended_is_refused():
    kept = []

    def leaks(loc):
        kept.append(draws(loc, name="z", pathwise=True) ** 2)
        return anp.sum(loc)

    value_and_grad(leaks)(0.3)
    with pytest.raises(ValueError, match="inside a derivative that has ended"):
        surrogate_loss(kept)


def test_take_is_differentiable_in_the_array_and_refuses_what_is_no_index():
    index = np.array([2.0, 0.0, 2.0])
    gradient = grad(lambda c: anp.sum(take(c, index) ** 2))(np.array([1.0, 5.0, 3.0]))
    np.testing.assert_array_equal(gradient, [2.0, 0.0, 12.0])
    second = hessian(lambda c: anp.sum(take(c, index) ** 3))(np.array([1.0, 5.0, 3.0]))
    np.testing.assert_array_equal(second, np.diag([6.0, 0.0, 36.0]))
    with pytest.raises(IndexError, match="whole numbers from 0 to 2; got 3"):
        take(np.arange(3.0), np.array([0.0, 3.0]))
    with pytest.raises(IndexError, match=r"got 0[.]5"):
        take(np.arange(3.0), 0.5)


def test_stop_gradient_is_a_constant_for_every_derivative():
    np.testing.assert_array_equal(jacobian(lambda x: stop_gradient(x) * x)(np.array([2.0, 3.0])), np.diag([2.0, 3.0]))
    np.testing.assert_array_equal(hessian(lambda x: anp.sum(stop_gradient(x) * x**2))(np.array([2.0])), [[4.0]])


@pytest.mark.parametrize("kind", [list, tuple])
def test_take_of_traced_numbers_in_a_list(kind):
    def objective(parts, listed, random):
        first, second = parts[0], parts[1] ** 2
        array = kind([first, second]) if listed else anp.array([first, second])
        index = draws(0.0, name="z", pathwise=False) > 0 if random else np.array([1.0, 0.0, 1.0])
        total = take(array, index) * np.arange(1.0, 1 + len(index))
        return anp.sum(surrogate_loss([total]) if random else total)

    parts = np.array([0.5, 3.0])
    for random in (True, False):
        expected = grad(objective)(parts, False, random)
        np.testing.assert_array_equal(grad(objective)(parts, True, random), expected)
    np.testing.assert_array_equal(expected, [2.0, 2 * 3.0 * (1 + 3)])


def test_take_of_rows_in_a_list():
    rows = [np.array([1.0, 2.0]), np.array([3.0, 4.0])]
    np.testing.assert_array_equal(take(rows, np.array([1, 0, 1])), np.array(rows)[[1, 0, 1]])
    with pytest.raises(ValueError, match=r"^take: array must have at least one axis to be indexed; got a scalar\.$"):
        take(3.0, np.array([0.0]))
    np.testing.assert_array_equal(take(rows, [1, 0]), np.array(rows)[[1, 0]])
    for bad in (2.0, -1.0, np.nan):
        with pytest.raises(IndexError, match=rf"^take: indices must be whole numbers from 0 to 1; got {bad}\.$"):
            take(rows, np.array([0.0, bad]))


def test_the_nearest_draws_are_found_past_values_and_not_past_draws():
    a = draws(name="a")
    b = StochasticTensor(Normal(a, 1.0), name="b", rng=1)
    c = StochasticTensor(Normal(anp.exp(b) + a, 1.0), name="c", rng=2)
    names = [node_of(node).name for node in nearest_draws((c * b)._node.parents)]
    assert sorted(names) == ["b", "c"]
    assert [node_of(node).name for node in nearest_draws(b._node.parents)] == ["a"]
    assert sorted(node_of(node).name for node in nearest_draws(c._node.parents)) == ["a", "b"]
    assert [node_of(node).name for node in upstream([c._node]) if node.source is not None] == ["a", "b", "c"]


LEAVING = {  # what would leave the graph without a word: plain NumPy, and Python's choices
    "where": lambda z: np.where(z > 0.5, 2.0, -1.0),
    "isin": lambda z: np.isin(z, [1.0]),
    "digitize": lambda z: np.digitize(z, [0.0]),
    "searchsorted": lambda z: np.searchsorted(np.array([0.0]), z),
    "asarray of truth values": lambda z: np.asarray(z > 0.5, bool),
    "vectorize": lambda z: np.vectorize(lambda x: x)(z),
    "stack": lambda z: np.stack([z, z]),
    "index": lambda z: np.arange(5.0)[z > 0.5],
    "assignment": lambda z: np.zeros(4).__setitem__(slice(None), z),
    "if in a comprehension": lambda z: [2.0 if x > 0.5 else -1.0 for x in z],
    "if": lambda z: 2.0 if z[0] > 0.5 else -1.0,
    "if of all": lambda z: 2.0 if z else -1.0,
    "and": lambda z: (z[0] > 0.5) and z[1],
    "not": lambda z: not z[0],
    "maximum": max,
    "sorted": sorted,
    "element of": lambda z: 1.0 in z,
}


@pytest.mark.parametrize("operation", LEAVING.values(), ids=LEAVING)
@pytest.mark.parametrize("made", [lambda z: z, lambda z: 1.0 * z, stop_gradient], ids=["node", "value", "stopped"])
@pytest.mark.parametrize("around", [False, True], ids=["plain", "derivative"])
def test_a_value_of_the_graph_refuses_to_leave_it_without_a_word(operation, made, around):
    def objective(loc):
        operation(made(draws(loc, name="z")))
        return loc

    with pytest.raises(
        TypeError, match=r"(z|graph of random draws): .* (a stochastic node|a value computed).*autograd"
    ):
        grad(objective)(0.3) if around else objective(0.3)


def test_the_sentences_name_the_way_out():
    z = draws(name="z")
    owners = {"z": (z, "a stochastic node"), "graph of random draws": (z > 0, "a value computed from stochastic nodes")}
    for owner, (value, kind) in owners.items():
        with pytest.raises(
            TypeError,
            match=rf"^{owner}: plain NumPy cannot take {kind} here and would lose the gradient: use the same function "
            r"of autograd\.numpy \(autograd\.numpy\.where for a choice\)\.$",
        ):
            np.asarray(value)
        with pytest.raises(
            TypeError,
            match=rf"^{owner}: a Python if, and, or, not on {kind} loses the gradient: use autograd\.numpy\.where\.$",
        ):
            bool(value)


def test_values_of_other_traces_may_leave():
    seen = []

    def objective(x):
        seen.append((bool(x > 0.5), type(x).__name__))
        return x * x

    grad(objective)(np.array(0.3))
    assert seen == [(False, "ArrayBox")]
