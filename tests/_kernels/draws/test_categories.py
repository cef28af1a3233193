"""Tables of categories, against mpmath and loops in Python."""

import math

import mpmath
import numpy as np
import pytest

from mcvi._kernels.draws import categories

INF = np.inf
# Eight categories are compared one by one; 1024 draws make a block of such comparisons.
CATEGORIES = [1, 2, 3, 8, 9, 64, 300]


def table(rows, count, seed=0):
    rng = np.random.default_rng([rows, count, seed])
    p = rng.dirichlet(np.full(count, 0.5), rows)
    p[rng.random(p.shape) < 0.2] = 0.0
    p[p.sum(axis=1) == 0, 0] = 1.0
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("count", CATEGORIES)
def test_log_softmax(count):
    x = np.random.default_rng(count).normal(0.0, 5.0, (4, count))
    x[0] += 1e5
    x[1, 0] += 60.0  # one category is almost certain
    x[2] = 1.5
    x[3, 1:] = np.where(np.arange(1, count) % 2, -INF, x[3, 1:])
    out = np.full_like(x, 99.0)
    categories.log_softmax(x, out)
    with mpmath.workdps(60):
        for row, found in zip(x.tolist(), out, strict=True):
            total = mpmath.log(mpmath.fsum(mpmath.exp(mpmath.mpf(t)) for t in row))
            # A difference of 70 that is rounded moves its exponential by 1e-14.
            np.testing.assert_allclose(found, [float(t - total) for t in row], 1.5e-14, atol=1e-300)


@pytest.mark.parametrize("count", CATEGORIES)
def test_normalised_logarithms(count):
    p = table(3, count) * (1 + 1e-7)
    out = np.full_like(p, 99.0)
    categories.log_normalised(p, out)
    with np.errstate(divide="ignore"):
        right = [[math.log(x / math.fsum(row)) if x else -INF for x in row] for row in p]
    np.testing.assert_allclose(out, right, 1e-14, atol=1e-15)


@pytest.mark.parametrize("size", [0, 1, 9, 100])
def test_exponentials(size):
    x, out = np.linspace(-700.0, 5.0, size), np.full(size, 99.0)
    categories.exponentials(x, out)
    np.testing.assert_allclose(out, np.exp(x), 1e-15)


VALUES = [0.0, 1.0, 2.0, -0.0, -1.0, 3.0, 0.5, np.nan, INF, -INF, 2.0, 1e300]


@pytest.mark.parametrize("row_of", [[0], [0, 1], [1, 1, 0]])
def test_look_up_and_its_derivative(row_of):
    log_p = np.log(np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]]))
    values, row_of = np.array(VALUES), np.array(row_of)
    rows = row_of[np.arange(values.size) % row_of.size]
    out = np.full(values.size, 99.0)
    categories.look_up(log_p, row_of, values, out)
    pairs = list(zip(values, rows, strict=True))
    right = [math.nan if math.isnan(v) else log_p[r, int(v)] if v in (0, 1, 2) else -INF for v, r in pairs]
    np.testing.assert_array_equal(out, right)
    known = ~np.isnan(values)
    g = np.arange(1.0, values.size + 1)
    weights = np.zeros((2, 3))
    for v, r, w in zip(values[known], rows[known], g[known], strict=True):
        if v in (0, 1, 2):
            weights[r, int(v)] += w
    sums = np.zeros((2, 3))
    categories.scatter(row_of, np.where(known, values, -1.0), g, sums)
    np.testing.assert_array_equal(sums, weights)


def test_a_weight_of_nan_or_a_category_of_nan_is_kept():
    sums = np.zeros((2, 2))
    categories.scatter(np.array([0, 1]), np.array([np.nan, 1.0, 1.0, 0.0]), np.array([1.0, 2.0, np.nan, 0.0]), sums)
    np.testing.assert_array_equal(sums, [[np.nan, np.nan], [0.0, 2.0]])


@pytest.mark.parametrize("count", CATEGORIES)
def test_running_sums_end_in_one_with_the_last_possible_category(count):
    p = table(5, count)
    p[0] = 0.0
    p[0, 0] = 1.0
    p[1, -1] = 0.0 if count > 1 and p[1, :-1].any() else p[1, -1]
    out = np.full_like(p, 99.0)
    categories.cumulative(p, out)
    for row, sums in zip(p, out, strict=True):
        last = np.flatnonzero(row)[-1]
        np.testing.assert_array_equal(sums[last:], 1.0)
        np.testing.assert_allclose(sums[:last], [math.fsum(row[: k + 1]) for k in range(last)], 1e-14)
        assert (sums <= 1.0).all()


def test_running_sums_do_not_pass_one():
    p, out = np.array([[0.7, 0.3, 2.0**-53, 1e-9]]), np.empty((1, 4))
    categories.cumulative(p * (1 + 1e-15), out)
    np.testing.assert_array_equal(out[0, 1:] <= 1.0, True)
    categories.cumulative(np.zeros((1, 3)), out[:, :3])
    np.testing.assert_array_equal(out[0, :3], 1.0)


def points(sums):
    """Return uniforms, among them the running sums themselves and their neighbours."""
    edges = sums[sums < 1.0]
    u = [np.random.default_rng(0).random(3000), edges, np.nextafter(edges, 0.0), np.nextafter(edges, 1.0)]
    return np.clip(np.concatenate(u), 2.0**-53, 1.0 - 2.0**-53)


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("count", CATEGORIES)
@pytest.mark.parametrize("cells", [0, 1, 16, 512])
def test_a_draw_is_the_first_category_whose_running_sum_is_above(rows, count, cells):
    p, sums = table(rows, count), np.empty((rows, count))
    categories.cumulative(p, sums)
    guides = np.full((rows, cells), -1)
    if cells:
        categories.guide(sums, guides)
        for j in range(cells):
            np.testing.assert_array_equal(guides[:, j], [np.argmax(row > j / cells) for row in sums])
    u = points(sums)
    out = np.full(u.size, 99.0)
    categories.locate(sums, guides, u, out)
    row = np.arange(u.size) % rows
    np.testing.assert_array_equal(out, (sums[row] <= u[:, None]).sum(axis=1))
    assert (p[row, out.astype(int)] > 0).all()


@pytest.mark.parametrize("size", [1, 1023, 1024, 1025, 2049])
def test_a_few_categories_are_found_in_blocks(size):
    sums = np.array([[0.25, 0.25, 0.75, 1.0]])
    u, out = np.random.default_rng(size).random(size), np.full(size, 99.0)
    categories.locate(sums, np.empty((1, 0), np.int64), u, out)
    np.testing.assert_array_equal(out, (sums <= u[:, None]).sum(axis=1))


def test_one_hot_vectors_and_back():
    values = np.array([2.0, 0.0, 1.0, 2.0])
    vectors = np.full((4, 3), 99.0)
    categories.one_hot(values, vectors)
    np.testing.assert_array_equal(vectors, np.eye(3)[values.astype(int)])
    out = np.empty(4)
    categories.hot_category(vectors, out)
    np.testing.assert_array_equal(out, values)


@pytest.mark.parametrize(
    ("vector", "right"),
    [
        ([0, 0, 0], -1),
        ([1, 1, 0], -1),
        ([1, 0, 1], -1),
        ([1, 0.5, 0], -1),
        ([0.5, 1, 0], -1),
        ([-0.0, 1, 0], 1),
        ([0, 0, 1], 2),
        ([1, np.nan, 0], np.nan),
        ([np.nan, 0.5, 0], np.nan),
        ([0.5, np.nan, 1], np.nan),
        ([2, 0, 0], -1),
        ([INF, 1, 0], -1),
    ],
)
def test_vectors_that_are_not_one_hot(vector, right):
    out = np.empty(2)
    categories.hot_category(np.array([[1.0, 0.0, 0.0], vector]), out)
    np.testing.assert_array_equal(out, [0.0, right])
