"""The loops that compute log weights, against densities in Python one number at a time."""

import math

import numpy as np
import pytest

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws import noise
from mcvi._kernels.log_weights import numbers, vectors
from mcvi._kernels.log_weights.arguments import Drawn, Given

INF = np.inf
SIZES = [1, 2, 7, 8, 9, 63, 64, 65, 300]


@scalar
def log_q(z, constants):
    loc, scale = constants
    return -0.5 * ((z - loc) / scale) ** 2


@scalar
def log_p(z, constants):
    (rate,) = constants
    return -np.inf if z < 0.0 else -rate * z


@scalar
def transport(e, parameters):
    loc, scale = parameters
    return loc + scale * e


@scalar
def log_u(z, constants):
    return -np.inf if abs(z) >= 1.0 else 0.0 * z


Q, P, U = (log_q, 2), (log_p, 1), (log_u, 0)
TABLE_Q, TABLE_P = np.array([[0.3], [1.5]]), np.array([[0.7]])


def ratio(above, below):
    """Return the log weight of a draw; p excludes a draw also where q does."""
    return -INF if above == -INF and not math.isnan(below) else above - below


def q_twin(z, loc=0.3, scale=1.5):
    return -0.5 * ((z - loc) / scale) ** 2


def p_twin(z, rate=0.7):
    return math.nan if math.isnan(z) else -rate * z if z >= 0 else -INF


def draws(size):
    z = np.random.default_rng(size).normal(size=size)
    if size > 8:
        z[[0, 3, 5, 8]] = INF, np.nan, -INF, 0.0
    return z


def frozen(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("first", [0, 1, 5])
def test_log_weights_of_given_draws(size, first):
    z = frozen(draws(size + first + 3))
    out = np.full(size, 99.0)
    given = Given(z=z, table_q=TABLE_Q, table_p=TABLE_P)
    numbers.log_weights_at(Q, P)(given, first, out)
    with np.errstate(invalid="ignore"):
        right = [ratio(p_twin(x), q_twin(x)) for x in z[first : first + size].tolist()]
    np.testing.assert_allclose(out, right, 1e-15, atol=1e-15)
    numbers.log_weights_at(numbers.ONE, P)(given, first, out)
    np.testing.assert_allclose(out, [p_twin(x) for x in z[first : first + size].tolist()], 1e-15)


@pytest.mark.parametrize("size", SIZES)
def test_log_weights_whose_parts_are_known(size):
    z, of_p = draws(size + 4), draws(size + 4)[::-1].copy()
    of_q = np.where(np.arange(size + 4) % 3 == 0, -INF, 0.5)
    out = np.full(size, 99.0)
    numbers.log_weights_known(Given(log_p=of_p), 2, out)
    np.testing.assert_array_equal(out, of_p[2 : size + 2])
    numbers.log_weights_of(Given(log_p=of_p, log_q=of_q), 2, out)
    right = [ratio(a, b) for a, b in zip(of_p.tolist(), of_q.tolist(), strict=True)]
    np.testing.assert_array_equal(out, right[2 : size + 2])
    numbers.log_weights_under(Q)(Given(log_p=of_p, z=z, table_q=TABLE_Q), 2, out)
    right = [ratio(a, q_twin(x)) for a, x in zip(of_p.tolist(), z.tolist(), strict=True)]
    np.testing.assert_allclose(out, right[2 : size + 2], 1e-15, atol=1e-15)


@pytest.mark.parametrize(
    ("above", "below", "right"),
    [
        (1.0, 3.0, -2.0),
        (-INF, 0.0, -INF),
        (-INF, -INF, -INF),
        (0.0, -INF, INF),
        (np.nan, 0.0, np.nan),
        (0.0, np.nan, np.nan),
        (np.nan, -INF, np.nan),
        (-INF, np.nan, np.nan),
        (INF, 0.0, INF),
    ],
)
def test_a_draw_that_p_excludes_has_weight_zero(above, below, right):
    out = np.empty(1)
    numbers.log_weights_of(Given(log_p=np.array([above]), log_q=np.array([below])), 0, out)
    np.testing.assert_array_equal(out, [right])


KEY = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)
KERNELS = {"normals": noise.normals, "uniforms": noise.uniforms}


def noise_twin(kind, count, tile, slot=0):
    out = np.empty(count)
    KERNELS[kind](*KEY, np.uint64(slot), 0, tile, out)
    return out


def source(kind, size, tile, parameters, table_q, table_p):
    draw = noise.address_of_draw(noise.transported(transport, 2))
    return Drawn(noise.address_of(KERNELS[kind]), draw, *KEY, size, tile, parameters, table_q, table_p)


@pytest.mark.parametrize("kind", KERNELS)
@pytest.mark.parametrize("tile", [2, 64])
@pytest.mark.parametrize("size", [1, 64, 200])
def test_drawn_log_weights(kind, tile, size):
    e = noise_twin(kind, size + 4 * tile, tile)
    for first in (0, tile, 3 * tile):
        out = np.full(size, 99.0)
        drawn = source(kind, 1, tile, np.array([[-0.5], [2.0]]), TABLE_Q, TABLE_P)
        numbers.log_weights(transport, 2, Q, P)(drawn, first, out)
        right = [ratio(p_twin(x), q_twin(x)) for x in (-0.5 + 2.0 * e[first : first + size]).tolist()]
        np.testing.assert_allclose(out, right, 1e-14, atol=1e-14)


@pytest.mark.parametrize("length", [1, 3, 64, 200, 1000])
@pytest.mark.parametrize("kind", KERNELS)
def test_draws_are_noise_transported_by_the_parameters_of_their_element(kind, length):
    rng = np.random.default_rng(length)
    table = rng.uniform(1.0, 2.0, (2, length))
    e, out = noise_twin(kind, 400, 64, slot=3), np.full(400, 99.0)
    address = noise.address_of(KERNELS[kind])
    noise.transported(transport, 2)(address, *KEY, np.uint64(3), 0, 64, table, out)
    column = np.arange(400) % length
    np.testing.assert_allclose(out, table[0, column] + table[1, column] * e, 1e-15, atol=1e-15)
    noise.transported(transport, 2)(address, *KEY, np.uint64(3), 2, 64, table, out[:100])
    np.testing.assert_allclose(
        out[:100], table[0, column[:100]] + table[1, column[:100]] * e[128:228], 1e-15, atol=1e-15
    )


# What a log weight is in `vectors`: sums over `size` numbers, whose constants stand in `length` columns.
VECTORS = [(1, 1), (1, 4), (2, 2), (3, 3), (3, 12), (8, 8), (65, 130)]


def vector_twin(z, size, table_q, table_p, with_u=False):
    z = z.reshape(-1, size)
    out = []
    for i, row in enumerate(z.tolist()):
        columns = (np.arange(size) + i * size) % table_p.shape[1]
        above = [p_twin(x, table_p[0, c]) for x, c in zip(row, columns, strict=True)]
        if with_u:
            below = [math.nan if math.isnan(x) else 0.0 if abs(x) < 1 else -INF for x in row]
        else:
            below = [q_twin(x, *table_q[:, c]) for x, c in zip(row, columns, strict=True)]
        out.append(ratio(sum(above), sum(below)))
    return out


def tables(length):
    rng = np.random.default_rng(length)
    return rng.uniform(0.5, 2.0, (2, length)), rng.uniform(0.5, 2.0, (1, length))


@pytest.mark.parametrize(("size", "length"), VECTORS)
@pytest.mark.parametrize("rows", [1, 2, 5, 70])
def test_log_weights_of_vectors(size, length, rows):
    period = length // size
    z = abs(np.random.default_rng([size, length, rows]).normal(size=(rows + 2) * period * size))
    table_q, table_p = tables(length)
    first = period  # a loop begins at the first column of the tables
    out = np.full(rows * period, 99.0)
    given = Given(z=z, size=size, table_q=table_q, table_p=table_p)
    vectors.log_weights_at(Q, P)(given, first, out)
    right = vector_twin(z, size, table_q, table_p)[first : first + out.size]
    np.testing.assert_allclose(out, right, 1e-12, atol=1e-13)


@pytest.mark.parametrize("size", [1, 2, 5])
def test_special_values_in_vectors(size):
    # p excludes what is negative, u what is not in (-1, 1): both, one, or nan.
    rng = np.random.default_rng(size)
    z = rng.choice([0.5, -0.5, 3.0, -3.0, np.nan], (400, size), p=[0.5, 0.2, 0.1, 0.1, 0.1]).reshape(-1)
    table_q, table_p = np.empty((0, size)), np.full((1, size), 0.7)
    out = np.full(400, 99.0)
    vectors.log_weights_at(U, P)(Given(z=z, size=size, table_q=table_q, table_p=table_p), 0, out)
    right = vector_twin(z, size, table_q, table_p, with_u=True)
    assert {-INF, INF} <= set(right)
    np.testing.assert_allclose(out, right, 1e-13)


@pytest.mark.parametrize(("size", "length"), [(1, 4), (3, 12), (64, 64)])
@pytest.mark.parametrize("count", [4, 64])
def test_drawn_log_weights_of_vectors(size, length, count):
    tile = 2 * length
    table_q, table_p = tables(length)
    parameters = np.abs(np.random.default_rng(length).normal(size=(2, length))) + 0.1
    e = noise_twin("uniforms", 5 * count * size + 4 * tile, tile)
    column = np.arange(e.size) % length
    z = parameters[0, column] + parameters[1, column] * e
    right = vector_twin(z[: z.size // size * size], size, table_q, table_p)
    for tiles in (0, 3):
        first = tiles * tile // size
        out = np.full(count, 99.0)
        drawn = source("uniforms", size, tile, parameters, table_q, table_p)
        vectors.log_weights(Q, P)(drawn, first, out)
        np.testing.assert_allclose(out, right[first : first + count], 1e-12, atol=1e-13)
