"""Solving and multiplying by lower triangular matrices, against NumPy one right-hand side at a time."""

import numpy as np
import pytest

from mcvi._kernels.sums import triangular

INF = np.inf
# A panel has max(16, 4096 // d) rows.
SHAPES = [(1, 1, 1), (5, 1, 2), (5, 3, 4), (0, 1, 2), (2047, 1, 2), (2048, 1, 2), (2049, 1, 2)]
SHAPES += [(15, 2, 300), (16, 1, 300), (17, 1, 300), (33, 2, 300)]


def problem(rows, members, d):
    rng = np.random.default_rng([rows, members, d])
    matrices = max(1, members - 1)  # some are shared
    tril = np.tril(rng.normal(0.0, 0.3 / np.sqrt(d), (matrices, d, d))) + np.eye(d) * rng.uniform(
        1.0, 2.0, (matrices, 1, d)
    )
    loc = rng.normal(size=(members, d))
    index = np.arange(members)
    z = rng.normal(size=(rows, members, d))
    return z, loc, index[::-1].copy(), tril, index % matrices


def each(z, loc, loc_index, tril, tril_index):
    for r in range(z.shape[0]):
        for b in range(z.shape[1]):
            yield r, b, z[r, b], loc[loc_index[b]], tril[tril_index[b]]


@pytest.mark.parametrize("shape", SHAPES)
def test_squared_norms(shape):
    arguments = problem(*shape)
    out, right = np.full(shape[:2], 99.0), np.empty(shape[:2])
    triangular.squared_norms(*arguments, out)
    for r, b, z, loc, matrix in each(*arguments):
        right[r, b] = np.sum(np.linalg.solve(matrix, z - loc) ** 2)
    np.testing.assert_allclose(out, right, 1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_both_solutions(shape):
    arguments = problem(*shape)
    y, w = np.full(shape, 99.0), np.full(shape, 99.0)
    triangular.solve_both(*arguments, y, w)
    for r, b, z, loc, matrix in each(*arguments):
        solved = np.linalg.solve(matrix, z - loc)
        np.testing.assert_allclose(y[r, b], solved, 1e-12, atol=1e-13)
        np.testing.assert_allclose(w[r, b], np.linalg.solve(matrix.T, solved), 1e-12, atol=1e-13)


@pytest.mark.parametrize("shape", SHAPES)
def test_products(shape):
    arguments = problem(*shape)
    out, right = np.full(shape, 99.0), np.empty(shape)
    triangular.multiply(*arguments, out)
    for r, b, noise, loc, matrix in each(*arguments):
        right[r, b] = loc + matrix @ noise
    np.testing.assert_allclose(out, right, 1e-13, atol=1e-13)
    noise = arguments[0].copy()
    triangular.multiply(noise, *arguments[1:], noise)
    np.testing.assert_array_equal(noise, out)


ONE = (
    np.zeros((1, 3)),
    np.zeros(1, np.int64),
    np.array([[[1.0, 0, 0], [0.0, 1, 0], [2.0, 1, 2]]]),
    np.zeros(1, np.int64),
)


@pytest.mark.parametrize(
    ("point", "right"),
    [
        ([INF, 0.0, 0.0], INF),
        ([0.0, -INF, 1.0], INF),
        ([INF, INF, INF], INF),
        ([INF, -INF, 0.0], INF),
        ([INF, 1.0, INF], INF),
        ([np.nan, 0.0, 0.0], np.nan),
        ([0.0, 0.0, np.nan], np.nan),
        ([INF, np.nan, 0.0], np.nan),
        ([1.0, 2.0, 3.0], 5.25),
    ],
)
def test_points_at_infinity_are_infinitely_far_away(point, right):
    z = np.array([[[1.0, 1.0, 1.0]], [point], [[0.0, 0.0, 0.0]]])
    out = np.empty((3, 1))
    triangular.squared_norms(z, *ONE, out)
    np.testing.assert_array_equal(out[:, 0], [3.0, right, 0.0])


def test_a_zero_in_the_matrix_does_not_meet_an_infinite_residual():
    y, w = np.empty((1, 1, 3)), np.empty((1, 1, 3))
    triangular.solve_both(np.array([[[INF, 3.0, 0.0]]]), *ONE, y, w)
    np.testing.assert_array_equal(y[0, 0], [INF, 3.0, -INF])
    np.testing.assert_array_equal(w[0, 0, 1:], [INF, -INF])
