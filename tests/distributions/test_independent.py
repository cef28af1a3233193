"""Independent: the batch axes of any distribution as event axes."""

import pickle

import numpy as np
import pytest
from autograd import grad

from mcvi.distributions import Independent, Laplace, Normal
from mcvi.random import as_key, tile_rows
from tests.distributions.vector_contract import recorded

LOC = np.arange(6.0).reshape(2, 3)


def make(axes=1, loc=LOC, scale=2.0):
    return Independent(Normal(loc, scale), axes)


class Foreign:
    """A user's class: four names and nothing to inherit from."""

    batch_shape = (2, 3)
    event_shape = ()

    def sample(self, n, *, rng):
        return rng.normal(size=(n, 2, 3))

    def log_prob(self, z):
        return -0.5 * z**2 - 0.5 * np.log(2 * np.pi)


@pytest.mark.parametrize(("axes", "batch", "event"), [(0, (2, 3), ()), (1, (2,), (3,)), (2, (), (2, 3))])
def test_the_last_axes_of_the_batch_become_axes_of_the_event(axes, batch, event):
    q = make(axes)
    assert (q.batch_shape, q.event_shape) == (batch, event)
    z = q.sample(5, rng=0)
    assert z.shape == (5, 2, 3)
    assert q.log_prob(z).shape == (5, *batch)
    assert q.sample(rng=0).shape == (2, 3)
    assert q.mean().shape == (2, 3)
    assert q.entropy().shape == batch
    assert q._log_prob_block(z).shape == (5, int(np.prod(batch)))


@pytest.mark.parametrize("axes", [0, 1, 2])
def test_log_density_and_entropy_are_sums_over_the_event(axes):
    q, inner = make(axes), Normal(LOC, 2.0)
    z = inner.sample(50, rng=1)
    summed = tuple(range(-axes, 0))
    expected = inner.log_prob(z).sum(axis=summed) if axes else inner.log_prob(z)
    np.testing.assert_allclose(q.log_prob(z), expected, rtol=1e-15)
    np.testing.assert_allclose(q._log_prob_block(z).reshape(expected.shape), expected, rtol=4e-15)
    np.testing.assert_allclose(q.entropy(), inner.entropy().sum(axis=summed) if axes else inner.entropy(), rtol=1e-15)


def test_draws_are_those_of_the_distribution_inside():
    q, inner = make(), Normal(LOC, 2.0)
    np.testing.assert_array_equal(q.sample(7, rng=3), inner.sample(7, rng=3))
    np.testing.assert_array_equal(q.noise(7, rng=3), inner.noise(7, rng=3))
    first = tile_rows(q.elements)
    np.testing.assert_array_equal(q._draw(as_key(3), 0, first + 4)[first:], q._draw(as_key(3), first, 4))


def test_draws_are_those_of_the_golden_file():
    q = Independent(Laplace(np.array([0.0, 1.0, 2.0]), 0.7), 1)
    np.testing.assert_allclose(q.sample(64, rng=2024), recorded("Independent", ""), rtol=1e-12, atol=1e-15)


def test_moments_are_those_of_the_distribution_inside_and_the_covariance_is_diagonal():
    q = make(1, scale=np.array([1.0, 2.0, 3.0]))
    np.testing.assert_array_equal(q.mean(), LOC)
    np.testing.assert_array_equal(q.mode(), LOC)
    np.testing.assert_array_equal(q.variance(), np.broadcast_to([1.0, 4.0, 9.0], (2, 3)))
    np.testing.assert_array_equal(q.stddev(), np.broadcast_to([1.0, 2.0, 3.0], (2, 3)))
    np.testing.assert_array_equal(q.covariance(), np.broadcast_to(np.diag([1.0, 4.0, 9.0]), (2, 3, 3)))


def test_the_covariance_of_an_event_of_two_axes_is_refused():
    with pytest.raises(NotImplementedError, match=r"Independent has no covariance matrix: an event has shape \(2, 3\)"):
        make(2).covariance()


def test_score_is_that_of_every_number_of_the_event():
    z = make().sample(4, rng=0)
    for name, derivative in Normal(LOC, 2.0).score(z).items():
        np.testing.assert_array_equal(make().score(z)[name], derivative)


def test_gradients_reach_the_parameters_inside_through_log_prob_draws_and_entropy():
    z = make().sample(4, rng=0)

    def loss(loc, scale):
        q = Independent(Normal(loc, scale), 1)
        return q.log_prob(z).sum() + (q.sample(4, rng=0) ** 2).sum() + q.entropy().sum()

    score = Normal(LOC, 2.0).score(z)
    np.testing.assert_allclose(grad(loss, 0)(LOC, 2.0), score["loc"].sum(axis=0) + 2 * z.sum(axis=0), rtol=1e-12)
    noise = (z - LOC) / 2.0
    expected = score["scale"].sum() + (2 * z * noise).sum() + 6 / 2.0
    np.testing.assert_allclose(grad(loss, 1)(LOC, 2.0), expected, rtol=1e-12)


def test_abilities_are_those_of_the_distribution_inside():
    q = make()
    assert q.pathwise
    assert not q.discrete
    assert not q.is_traced
    assert q.dtype == np.float64
    assert Independent(Normal(np.float32([0, 1]), np.float32(1)), 1).sample(3, rng=0).dtype == np.float32


def test_a_users_own_class_can_be_inside():
    q = Independent(Foreign(), 1)
    z = q.sample(1000, rng=0)
    assert z.shape == (1000, 2, 3)
    np.testing.assert_array_equal(z, q.sample(1000, rng=0))
    np.testing.assert_allclose(q.log_prob(z), Foreign().log_prob(z).sum(axis=-1))
    np.testing.assert_allclose(q._log_prob_block(z), q.log_prob(z))
    assert not q.pathwise
    assert q.sample(rng=0).shape == (2, 3)
    for missing in (q.entropy, q.mean, q.mode, q.variance, q.covariance, q.fisher):
        with pytest.raises(NotImplementedError, match="Independent has no closed-form"):
            missing()
    with pytest.raises(NotImplementedError, match="Independent has no closed-form score"):
        q.score(z)
    with pytest.raises(NotImplementedError, match="pathwise"):
        q.noise(3, rng=0)


def test_nested_layers_are_one_layer_of_the_sum_of_axes():
    nested, flat = Independent(make(1), 1), make(2)
    z = flat.sample(3, rng=0)
    assert nested.event_shape == flat.event_shape
    np.testing.assert_allclose(nested.log_prob(z), flat.log_prob(z), rtol=1e-15)


def test_a_pickled_copy_is_the_same_distribution():
    q = pickle.loads(pickle.dumps(make()))
    np.testing.assert_array_equal(q.sample(3, rng=0), make().sample(3, rng=0))
    assert repr(q) == repr(make())
    assert repr(make(1, 0.0 * LOC[0])).startswith("Independent(distribution=Normal(loc=[0., 0., 0.]")


@pytest.mark.parametrize(
    ("distribution", "axes", "error", "text"),
    [
        (3.0, 1, TypeError, "Independent: distribution must be a distribution: an object with batch_shape"),
        (Normal, 1, TypeError, "a class, not an instance"),
        (Normal(0.0, 1.0), 1, ValueError, "must be between 0 and 0, the number of axes of the batch; got 1."),
        (Normal(LOC, 1.0), -1, ValueError, "must be between 0 and 2, the number of axes of the batch; got -1."),
        (Normal(LOC, 1.0), 1.0, TypeError, "reinterpreted_batch_ndims must be an integer; got 1.0"),
    ],
)
def test_wrong_arguments_are_named(distribution, axes, error, text):
    with pytest.raises(error) as raised:
        Independent(distribution, axes)
    assert text in str(raised.value)
