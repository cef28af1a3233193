"""Stochastic nodes as arrays, their value types, and what they refuse."""

import copy
import pickle
import threading

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Bernoulli, Normal
from mcvi.stochastic import (
    MeanValue,
    NoValueTypeSetError,
    ObservedStochasticTensor,
    SampleValue,
    StochasticTensor,
    dependencies,
    get_current_value_type,
    get_score_function_with_constant_baseline,
    value_type,
    without_graph,
)

LOC, SCALE = np.array([0.5, -1.0, 2.0]), np.array([[1.0], [2.0]])


def normal():
    return Normal(LOC, SCALE)


def plain(x):
    return np.asarray(without_graph(x))


def test_a_node_behaves_as_the_array_of_its_draws():
    z = StochasticTensor(normal(), rng=0)
    held = plain(z)
    assert (z.shape, z.ndim, z.size, z.dtype, len(z)) == ((2, 3), 2, 6, np.float64, 2)
    np.testing.assert_array_equal(plain(2 * z + z**2 / 3 - 1), 2 * held + held**2 / 3 - 1)
    np.testing.assert_array_equal(plain(z[0, 1:]), held[0, 1:])
    np.testing.assert_array_equal(plain(z.T @ z), held.T @ held)
    np.testing.assert_array_equal(plain(np.exp(z)), np.exp(held))
    np.testing.assert_array_equal(plain(anp.sum(z, axis=0)), held.sum(axis=0))
    np.testing.assert_array_equal(plain(z > 0), held > 0)
    np.testing.assert_array_equal(plain(z.value()), held)


def test_plain_numpy_that_would_lose_the_graph_is_refused():
    z = StochasticTensor(normal(), rng=0, name="z")
    with pytest.raises(TypeError, match=r"z: plain NumPy cannot take a stochastic node here.*autograd.numpy"):
        np.stack([z, z])
    with pytest.raises(TypeError, match=r"autograd\.numpy"):
        np.mean(z)


@pytest.mark.fresh_draws
def test_the_default_is_one_draw_and_draws_differ():
    a, b = StochasticTensor(normal()), StochasticTensor(normal())
    assert a.shape == (2, 3)
    assert a.value_type == SampleValue()
    assert np.min(np.abs(plain(a) - plain(b))) > 1e-6


def test_the_same_rng_gives_the_same_draws():
    a, b = (StochasticTensor(normal(), SampleValue(5), rng=7) for _ in range(2))
    np.testing.assert_array_equal(plain(a), plain(b))
    np.testing.assert_array_equal(plain(a), normal().sample(5, rng=7))


@pytest.mark.parametrize(("shape", "axes"), [((), ()), (1, (1,)), (2, (2,)), ((2,), (2,)), ((4, 5), (4, 5))])
def test_the_shape_of_a_sample_value_stands_in_front(shape, axes):
    assert StochasticTensor(normal(), SampleValue(shape), rng=0).shape == (*axes, 2, 3)


def test_a_mean_value_is_the_mean():
    z = StochasticTensor(normal(), MeanValue(), rng=0)
    np.testing.assert_array_equal(plain(z), np.broadcast_to(LOC, (2, 3)))
    np.testing.assert_array_equal(plain(z), z.mean())


def test_a_node_knows_its_distribution_mean_and_entropy():
    distribution = normal()
    z = StochasticTensor(distribution, rng=0)
    assert z.distribution is distribution
    np.testing.assert_array_equal(z.entropy(), distribution.entropy())
    np.testing.assert_array_equal(z.mean(), distribution.mean())


def test_the_value_type_comes_from_the_argument_then_the_context_then_is_a_sample():
    with value_type(MeanValue(stop_gradient=True)):
        assert StochasticTensor(normal(), rng=0).value_type == MeanValue(stop_gradient=True)
        assert StochasticTensor(normal(), SampleValue(3), rng=0).value_type == SampleValue(3)
        with value_type(SampleValue(2)):
            assert get_current_value_type() == SampleValue(2)
        assert get_current_value_type() == MeanValue(stop_gradient=True)
    with pytest.raises(NoValueTypeSetError, match="No value type currently set"):
        get_current_value_type()
    assert issubclass(NoValueTypeSetError, ValueError)


def test_an_exception_leaves_no_value_type_behind():
    with pytest.raises(RuntimeError, match="inside"), value_type(MeanValue()):
        raise RuntimeError("inside")
    with pytest.raises(NoValueTypeSetError):
        get_current_value_type()


def test_a_value_type_belongs_to_its_thread():
    seen = []

    def look():
        try:
            seen.append(get_current_value_type())
        except NoValueTypeSetError:
            seen.append(None)

    with value_type(MeanValue()):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert seen == [None]


def test_a_value_type_must_be_one():
    with pytest.raises(TypeError, match="value_type must be a SampleValue or a MeanValue; got int"), value_type(3):
        pass
    with pytest.raises(TypeError, match="z: dist_value_type must be"):
        StochasticTensor(normal(), SampleValue, name="z")


LOSS_TERMS = [  # value type, pathwise, estimator given, term, derivative
    (SampleValue(), True, True, False, True),
    (SampleValue(), True, False, False, True),
    (SampleValue(), False, True, True, False),
    (SampleValue(), False, False, False, False),
    (SampleValue(stop_gradient=True), True, True, True, False),
    (SampleValue(stop_gradient=True), False, True, True, False),
    (MeanValue(), True, True, False, True),
    (MeanValue(), False, True, False, True),
    (MeanValue(stop_gradient=True), True, True, True, False),
    (MeanValue(stop_gradient=True), False, True, True, False),
]


@pytest.mark.parametrize(("kind", "pathwise", "estimator", "term", "derivative"), LOSS_TERMS)
def test_which_nodes_have_a_term_and_which_a_derivative(kind, pathwise, estimator, term, derivative):
    terms = []

    def total(loc):
        options = {} if estimator else {"loss_fn": None}
        z = StochasticTensor(Normal(loc, 1.0), kind, pathwise=pathwise, rng=0, **options)
        terms.append(z.loss(np.ones(3)) is not None)
        return anp.sum(without_graph(z * 1.0))

    if derivative:
        np.testing.assert_array_equal(grad(total)(LOC), np.ones(3))
    else:
        with pytest.warns(UserWarning, match="independent of input"):
            np.testing.assert_array_equal(grad(total)(LOC), np.zeros(3))
    assert terms == [term]


def test_a_stopped_mean_has_a_score_term_at_the_mean():
    z = StochasticTensor(normal(), MeanValue(stop_gradient=True), rng=0)
    log_prob = normal().log_prob(LOC)
    np.testing.assert_allclose(plain(z.loss(np.full((2, 3), 2.0))), log_prob * 2.0)
    baseline = get_score_function_with_constant_baseline(8.0)
    z = StochasticTensor(normal(), MeanValue(stop_gradient=True), baseline, rng=0)
    np.testing.assert_allclose(plain(z.loss(np.full((2, 3), 2.0))), log_prob * (2.0 - 8.0))


def test_recorded_draws_are_held_as_they_are():
    value = np.arange(12.0).reshape(2, 2, 3)
    np.testing.assert_array_equal(plain(StochasticTensor(normal(), value=value)), value)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 1)])
def test_recorded_draws_must_have_the_shape_of_a_draw(shape):
    with pytest.raises(ValueError, match=r"z: .*value"):
        StochasticTensor(normal(), value=np.zeros(shape), name="z")
    with pytest.raises(ValueError, match=r"x: .*value"):
        ObservedStochasticTensor(normal(), np.zeros(shape), name="x")


def test_pathwise_draws_that_carry_no_derivative_are_refused():
    def objective(loc):
        StochasticTensor(Normal(loc, 1.0), value=np.zeros(3), pathwise=True, name="z")
        return anp.sum(loc)

    with pytest.raises(ValueError, match=r"z: pathwise=True needs a value that carries its derivative"):
        grad(objective)(LOC)


def test_an_observation_is_returned_as_it_is_and_adds_nothing():
    observed = np.arange(6.0).reshape(2, 3)
    x = ObservedStochasticTensor(Normal(LOC, 1.0), observed)
    np.testing.assert_array_equal(plain(x.value()), observed)
    assert x.loss(np.ones((2, 3))) is None
    assert x.value_type == SampleValue(stop_gradient=True)


@pytest.mark.parametrize("node", [StochasticTensor, lambda d, **o: ObservedStochasticTensor(d, 1.0, **o)])
def test_what_is_no_distribution_is_refused(node):
    with pytest.raises(TypeError, match=r"z: dist must be a distribution: an object with .*got float"):
        node(1.0, name="z")
    with pytest.raises(TypeError, match=r"z: dist must be a distribution.*a class, not an instance"):
        node(Normal, name="z")


def test_an_estimator_that_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="z: loss_fn must be None or callable; got str"):
        StochasticTensor(normal(), loss_fn="score", name="z")


class UsersNormal:
    """A user's family: two methods and two shapes, with a transport."""

    event_shape = ()

    def __init__(self, loc):
        self.loc = loc

    @property
    def batch_shape(self):
        return np.shape(self.loc) if isinstance(self.loc, np.ndarray) else anp.shape(self.loc)

    def sample(self, n, *, rng):
        return rng.normal(self.loc, 1.0, size=(n, *self.batch_shape))

    def log_prob(self, z):
        return -0.5 * (z - self.loc) ** 2


class UsersTransportedNormal(UsersNormal):
    def noise(self, n, *, rng):
        return rng.normal(size=(n, *self.batch_shape))

    def transport(self, noise):
        return self.loc + noise


@pytest.mark.parametrize("family", [UsersNormal, UsersTransportedNormal])
def test_a_users_family_needs_two_methods(family):
    from mcvi.stochastic import surrogate_loss

    def objective(loc):
        z = StochasticTensor(family(loc), SampleValue(200_000), rng=3)
        assert z.pathwise == (family is UsersTransportedNormal)
        return anp.sum(anp.mean(surrogate_loss([z**2]), axis=0))

    # z**2 has the gradient 2 loc; the score function's variance is loc^4 + 14 loc^2 + 15
    error = 6.11 * np.sqrt((LOC**4 + 14 * LOC**2 + 15) / 200_000)
    assert np.all(np.abs(grad(objective)(LOC) - 2 * LOC) < error)
    assert np.all(2 * error < 0.5)


def test_a_node_may_be_a_parameter_of_a_users_family():
    parent = StochasticTensor(Normal(0.0, 1.0), SampleValue(4), rng=0, name="parent")
    child = StochasticTensor(UsersNormal(parent), name="child", rng=1)
    assert child.shape == (4,)
    assert [node.name for node in dependencies([child])] == ["parent", "child"]


def test_draws_of_a_users_family_of_a_wrong_shape_are_refused():
    class Wrong(UsersNormal):
        def sample(self, n, *, rng):
            return np.zeros((n, 7))

    with pytest.raises(ValueError, match=r"returned shape \(3, 7\); expected \(3, 2\)"):
        StochasticTensor(Wrong(np.zeros(2)), SampleValue(3), rng=0)


def test_a_node_is_one_place_in_its_graph():
    z = StochasticTensor(normal(), name="z", rng=0)
    assert copy.copy(z) is z
    assert copy.deepcopy({z: 1}) == {z: 1}
    with pytest.raises(TypeError, match=r"z: a node cannot leave its graph: pickle without_graph\(node\)"):
        pickle.dumps(z)


@pytest.mark.parametrize(
    ("shape", "error", "text"),
    [
        (-1, ValueError, r"^SampleValue: shape must be a positive integer; got -1\.$"),
        ((3, 0), ValueError, r"^SampleValue: shape must be a positive integer; got 0\.$"),
        (2.5, TypeError, r"^SampleValue: shape must be an integer; got 2\.5 \(float\)\.$"),
    ],
)
def test_a_sample_value_of_no_draws_is_refused(shape, error, text):
    with pytest.raises(error, match=text):
        SampleValue(shape)


def test_nodes_are_named_by_their_families():
    assert StochasticTensor(normal(), rng=0).name == "StochasticTensor(Normal)"
    assert ObservedStochasticTensor(Normal(LOC, 1.0), LOC).name == "ObservedStochasticTensor(Normal)"
    assert ObservedStochasticTensor(Normal(LOC, 1.0), LOC, name="x").name == "x"


def test_the_axes_of_draws_add_up_along_a_chain():
    a = StochasticTensor(normal(), SampleValue((4, 5)), rng=0)
    b = StochasticTensor(Normal(a, 1.0), rng=1)
    c = StochasticTensor(Normal(b, 1.0), SampleValue(7), rng=2)
    assert (a.draw_axes, b.draw_axes, c.draw_axes) == (2, 2, 3)
    assert StochasticTensor(normal(), MeanValue()).draw_axes == 0
    assert c.shape == (7, 4, 5, 2, 3)


def test_an_observation_of_whole_numbers_must_be_one():
    with pytest.raises(ValueError, match=r"^x: the type of value must be whole numbers for Bernoulli\.$"):
        ObservedStochasticTensor(Bernoulli(logits=0.3), np.array([0.5]), name="x")
    np.testing.assert_array_equal(plain(ObservedStochasticTensor(Normal(0.0, 1.0), np.array([0.5]))), [0.5])


def test_a_mean_takes_no_axis():
    z = StochasticTensor(normal(), rng=0, name="z")
    for arguments, options in (((0,), {}), ((), {"axis": 0})):
        with pytest.raises(TypeError, match=r"^z: mean\(\) is the mean of the distribution; for that of the draws use"):
            z.mean(*arguments, **options)


@pytest.mark.parametrize("kind", [list, np.float32, np.int64], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("n", [None, 1, 3])
def test_a_users_sampler_may_return_lists_and_other_numbers(kind, n):
    class Family:
        batch_shape, event_shape = (), ()

        def sample(self, n, *, rng):
            draws = np.arange(1, n + 1)
            return list(draws) if kind is list else draws.astype(kind)

        def log_prob(self, z):
            return 0.0 * z

    z = StochasticTensor(Family(), SampleValue() if n is None else SampleValue(n), rng=0)
    assert z.dtype == (np.float32 if kind is np.float32 else np.float64)
    np.testing.assert_array_equal(plain(z), 1.0 if n is None else np.arange(1.0, n + 1))


def test_long_draws_are_those_of_the_family_in_any_shape():
    q = Normal(LOC, 1.0)
    whole = q.sample(20_000, rng=5)
    np.testing.assert_array_equal(plain(StochasticTensor(q, SampleValue(20_000), rng=5)), whole)
    np.testing.assert_array_equal(
        plain(StochasticTensor(q, SampleValue((100, 200)), rng=5)), whole.reshape(100, 200, 3)
    )
