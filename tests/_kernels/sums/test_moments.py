"""Sums of powers of weights and moments of log weights, against sums by hand."""

import math

import mpmath
import numpy as np
import pytest

from mcvi._kernels.sums import moments as kernels

# Around the widths of vectors and the runs of 256 rows; around the number of columns from which a loop runs over them.
ROWS = [1, 2, 7, 8, 9, 63, 64, 65, 255, 256, 257, 515]
COLUMNS = [1, 2, 31, 32, 33, 70]
SHAPES = [(rows, 1) for rows in ROWS] + [(rows, 3) for rows in (1, 9, 257)] + [(rows, 33) for rows in ROWS]
SHAPES += [(300, columns) for columns in COLUMNS]
INF = np.inf


def block(rows, columns, spread=3.0, seed=0):
    return np.random.default_rng([seed, rows, columns]).normal(0.0, spread, (rows, columns))


def by_column(twin, *arrays):
    return np.array([twin(*columns) for columns in zip(*(a.T for a in arrays), strict=True)]).T


def called(kernel, rows, *arguments):
    out = np.full((rows, arguments[0].shape[1]), 99.0)
    kernel(*arguments, out)
    return out


def log_moments_twin(v, scale):
    v, (scale,) = [float(x) for x in v], scale.tolist()
    if any(math.isnan(x) for x in v):
        return [math.nan] * 4
    scaled = [scale * x for x in v]
    m, high = max(scaled, default=-INF), max(v, default=-INF)
    if m == -INF:
        return [m, 0.0, 0.0, high]
    if m == INF:
        return [m, scaled.count(INF), scaled.count(INF), high]
    terms = [math.exp(x - m) for x in scaled]
    return [m, math.fsum(terms), math.fsum(t * t for t in terms), high]


@pytest.mark.parametrize("shape", SHAPES)
def test_log_moments(shape):
    v, scale = block(*shape), np.resize([1.0, 0.5, -0.7, 3.0, -2.0], shape[1])
    np.testing.assert_allclose(
        called(kernels.log_moments, 4, v, scale), by_column(log_moments_twin, v, scale[None]), 1e-14
    )


SPECIAL = {
    "one infinite": [0.0, INF, 1.0],
    "two infinite": [INF, -INF, INF],
    "some zero weights": [-INF, 2.0, -INF, 1.0],
    "all zero weights": [-INF, -INF],
    "nan": [1.0, np.nan, 2.0],
    "nan and infinity": [INF, np.nan],
    "nan last": [0.0, -INF, np.nan],
    "huge": [1e300, 1e300, -1e300],
    "equal": [5.0] * 4,
    "far apart": [0.0, -800.0, -30.0],
    "empty": [],
}


@pytest.mark.parametrize("columns", [1, 2, 40])
@pytest.mark.parametrize("scale", [1.0, 0.5, -1.0])
@pytest.mark.parametrize("name", SPECIAL)
def test_log_moments_of_special_values(name, scale, columns):
    v = block(len(SPECIAL[name]), columns)
    v[:, columns // 2] = SPECIAL[name]
    scale = np.full(columns, scale)
    found, right = called(kernels.log_moments, 4, v, scale), by_column(log_moments_twin, v, scale[None])
    # The sums of a column with nan are nan or, next to an infinity, left open.
    rows = [0, 3] if name == "nan and infinity" else [0, 1, 2, 3]
    np.testing.assert_allclose(found[rows], right[rows], 1e-14)


@pytest.mark.parametrize("rows", [1, 64])
@pytest.mark.parametrize("first", [*SPECIAL, "plain"])
@pytest.mark.parametrize("second", [*SPECIAL, "plain"])
def test_merged_log_moments_are_those_of_the_whole(first, second, rows):
    parts = [np.array(SPECIAL.get(name, [0.3, -1.0, 4.0])).reshape(-1, 1) for name in (first, second)]
    scale = np.array([0.5])
    a, b = (called(kernels.log_moments, 4, np.asarray(part, float), scale) for part in parts)
    merged = np.full((4, 1), 99.0)
    kernels.merge_log_moments(a, b, merged)
    whole = called(kernels.log_moments, 4, np.concatenate(parts).astype(float), scale)
    if np.isnan(whole[0, 0]):
        np.testing.assert_array_equal(merged[[0, 3]], whole[[0, 3]])
    else:
        np.testing.assert_allclose(merged, whole, 1e-14)
    # In place, as the sweep does; and without the last row, as a signed sum has it.
    kernels.merge_log_moments(a, b, a)
    np.testing.assert_array_equal(a, merged)


def test_signed_states_merge_by_their_first_three_rows():
    a, b = np.array([[0.0], [2.0], [3.0]]), np.array([[math.log(4.0)], [-1.0], [1.5]])
    out = np.empty((3, 1))
    kernels.merge_log_moments(a, b, out)
    np.testing.assert_allclose(out[:, 0], [math.log(4.0), 2.0 / 4 - 1.0, 3.0 / 16 + 1.5], 1e-15)


@pytest.mark.parametrize("n", [1.0, 2.0, 50.0])
@pytest.mark.parametrize("power", [1.0, 0.25, -0.5])
def test_a_power_mean_is_read_from_its_sums(n, power):
    m, first, second = 1.5, 0.75 * n, 0.7 * n
    out = np.empty((4, 1))
    kernels.read_power_mean(np.array([[m], [first], [second], [9.0]]), np.array([power]), n, out)
    ess = first**2 / second
    variance = math.nan if n == 1 else max((second / n - (first / n) ** 2) * n / (n - 1) / n / (first / n) ** 2, 0.0)
    value = (m + math.log(first / n)) / power
    right = [value, math.sqrt(variance) / abs(power), -variance / (2 * power), ess]
    np.testing.assert_allclose(out[:, 0], right, 1e-13)


@pytest.mark.parametrize(
    ("state", "n", "right"),
    [
        ([-INF, 0.0, 0.0, -INF], 5.0, [-INF, INF, -INF, 0.0]),
        ([-INF, 0.0, 0.0, -INF], 1.0, [-INF, np.nan, np.nan, 0.0]),
        ([INF, 2.0, 2.0, INF], 5.0, [INF, np.nan, np.nan, 2.0]),
        ([np.nan] * 4, 5.0, [np.nan] * 4),
        ([0.0, 3.0, 2.9999999999, 0.0], 3.0, [0.0, 0.0, 0.0, 3.0000000001]),
    ],
)
def test_a_power_mean_of_special_sums(state, n, right):
    out = np.empty((4, 1))
    kernels.read_power_mean(np.array(state).reshape(4, 1), np.ones(1), n, out)
    np.testing.assert_allclose(out[:, 0], right, 1e-12)


def test_each_member_has_its_own_power():
    state = np.array([[0.0, 0.0], [2.0, 2.0], [1.5, 1.5], [0.0, 0.0]])
    out, alone = np.empty((4, 2)), np.empty((4, 1))
    kernels.read_power_mean(state, np.array([1.0, -0.5]), 4.0, out)
    for j, power in enumerate([1.0, -0.5]):
        kernels.read_power_mean(state[:, j : j + 1].copy(), np.array([power]), 4.0, alone)
        np.testing.assert_array_equal(out[:, j], alone[:, 0])


def signed_twin(log_w, f):
    with mpmath.workdps(40):
        terms = []
        for x, y in zip(log_w, f, strict=True):
            if math.isnan(x) or math.isnan(y):
                return [math.nan] * 3
            log_f = -INF if y == 0 else math.log(abs(y)) if abs(y) < INF else INF
            terms.append((-INF if x == -INF else x + log_f, math.copysign(1.0, y)))
        m = max((t for t, _ in terms), default=-INF)
        if m == -INF:
            return [m, 0.0, 0.0]
        if m == INF:
            signs = [s for t, s in terms if t == INF]
            return [m, sum(signs), len(signs)]
        weights = [(mpmath.exp(mpmath.mpf(t) - m), s) for t, s in terms]
        return [m, float(mpmath.fsum(w * s for w, s in weights)), float(mpmath.fsum(w * w for w, _ in weights))]


@pytest.mark.parametrize("shape", [(rows, 1) for rows in ROWS] + [(9, 2), (65, 40)])
def test_signed_log_moments(shape):
    log_w, f = block(*shape), block(*shape, seed=1)
    found = called(kernels.signed_log_moments, 3, log_w, f)
    right = by_column(signed_twin, log_w, f)
    np.testing.assert_allclose(found[[0, 2]], right[[0, 2]], 1e-14)
    np.testing.assert_allclose(found[1], right[1], atol=1e-15 * right[2].max() * shape[0], rtol=1e-14)


@pytest.mark.parametrize(
    ("log_w", "f"),
    [
        ([0.0, -INF, 1.0], [1.0, INF, -2.0]),
        ([0.0, -INF], [1.0, np.nan]),
        ([0.0, np.nan], [1.0, 0.0]),
        ([0.0, 1.0, 2.0], [0.0, -0.0, -3.0]),
        ([0.0, 1.0], [0.0, 0.0]),
        ([-INF, -INF], [1.0, 2.0]),
        ([INF, 0.0, INF], [-1.0, 1.0, -2.0]),
        ([INF, INF, INF], [-1.0, 1.0, 2.0]),
        ([0.0, 1.0, 0.0], [INF, -INF, 5.0]),
        ([], []),
    ],
)
def test_signed_log_moments_of_special_values(log_w, f):
    log_w, f = (np.array(x, float).reshape(-1, 1) for x in (log_w, f))
    before = log_w.copy(), f.copy()
    np.testing.assert_allclose(called(kernels.signed_log_moments, 3, log_w, f), by_column(signed_twin, log_w, f), 1e-14)
    np.testing.assert_array_equal((log_w, f), before)


def moments_twin(v):
    v = [float(x) for x in v]
    if any(math.isnan(x) for x in v):
        return [math.nan] * 3
    if not all(map(math.isfinite, v)):
        mean = sum(v) / len(v)
        return [mean, math.nan, max(v)]
    mean = math.fsum(v) / len(v)
    return [mean, math.fsum((x - mean) ** 2 for x in v), max(v)]


@pytest.mark.parametrize("shape", SHAPES)
def test_moments(shape):
    v = block(*shape)
    right = by_column(moments_twin, v)
    found = called(kernels.moments, 3, v)
    np.testing.assert_allclose(found[0], right[0], rtol=1e-14, atol=1e-15 * shape[0])
    np.testing.assert_allclose(found[1:], right[1:], 1e-13)


@pytest.mark.parametrize("columns", [1, 2, 40])
@pytest.mark.parametrize("values", [[1.0, INF], [-INF, 2.0], [INF, -INF], [np.nan, 1.0], [1.0, np.nan, INF]])
def test_moments_of_special_values(values, columns):
    v = block(len(values), columns)
    v[:, columns // 2] = values
    right = by_column(moments_twin, v)
    np.testing.assert_allclose(called(kernels.moments, 3, v), right, rtol=1e-14, atol=1e-15)


@pytest.mark.parametrize("cut", [1, 2, 20, 63])
@pytest.mark.parametrize("columns", [1, 5, 40])
def test_merged_moments_are_those_of_the_whole(cut, columns):
    v = block(64, columns) + 100.0
    a, b = called(kernels.moments, 3, v[:cut].copy()), called(kernels.moments, 3, v[cut:].copy())
    kernels.merge_moments(a, float(cut), b, 64.0 - cut, a)
    np.testing.assert_allclose(a, by_column(moments_twin, v), 1e-12)


@pytest.mark.parametrize(
    ("first", "second", "right"),
    [
        ([1.0, INF], [2.0], INF),
        ([1.0], [-INF, 3.0], -INF),
        ([INF], [INF], INF),
        ([INF], [-INF], np.nan),
        ([np.nan], [1.0], np.nan),
        ([1.0], [np.nan], np.nan),
    ],
)
def test_merged_means_that_are_not_finite(first, second, right):
    a, b = (called(kernels.moments, 3, np.array(x).reshape(-1, 1)) for x in (first, second))
    out = np.empty((3, 1))
    kernels.merge_moments(a, float(len(first)), b, float(len(second)), out)
    np.testing.assert_array_equal(out[0, 0], right)
    np.testing.assert_array_equal(out[2, 0], np.max(first + second))


def centred_twin(v, scale, centre):
    with mpmath.workdps(40):
        x = [mpmath.expm1(mpmath.mpf(float(scale)) * (mpmath.mpf(float(u)) - float(centre))) for u in v]
        return [float(centre), float(mpmath.fsum(x)), float(mpmath.fsum(y * y for y in x))]


@pytest.mark.parametrize("shape", [(rows, 1) for rows in ROWS] + [(65, 2), (257, 40)])
@pytest.mark.parametrize("power", [0.09, -1e-4])
def test_centred_moments(shape, power):
    v = block(*shape)
    scale, centre = np.full(shape[1], power) * np.linspace(1.0, 0.5, shape[1]), v.mean(axis=0) + 0.1
    right = np.array([centred_twin(*c) for c in zip(v.T, scale, centre, strict=True)]).T
    found = called(kernels.centred_moments, 3, v, scale, centre)
    np.testing.assert_allclose(found[[0, 2]], right[[0, 2]], 2e-14)
    # The terms of the first sum cancel: its error is that of its largest terms.
    np.testing.assert_allclose(found[1], right[1], atol=1e-15 * np.sqrt(shape[0] * right[2].max()), rtol=1e-13)


@pytest.mark.parametrize("power", [0.09, -0.05])
@pytest.mark.parametrize("cut", [1, 30])
def test_merged_centred_moments_stand_about_the_first_centre(power, cut):
    v, scale = block(70, 3), np.full(3, power)
    centres = np.array([0.5, -1.0, 0.0]), np.array([-0.5, 2.0, 0.0])
    a = called(kernels.centred_moments, 3, v[:cut].copy(), scale, centres[0])
    b = called(kernels.centred_moments, 3, v[cut:].copy(), scale, centres[1])
    kernels.merge_centred_moments(a, b, 70.0 - cut, scale, a)
    right = np.array([centred_twin(*c) for c in zip(v.T, scale, centres[0], strict=True)]).T
    np.testing.assert_allclose(a, right, 1e-12, atol=1e-14)


@pytest.mark.parametrize("size", [0, *ROWS])
def test_extremes(size):
    v = block(size, 1).reshape(-1)
    assert (kernels.largest_of(v), kernels.smallest_of(v)) == (max(v, default=-INF), min(v, default=INF))


@pytest.mark.parametrize("place", [0, 8, 63, 64, 99])
@pytest.mark.parametrize(("value", "below"), [(1e308, True), (-INF, True), (INF, False), (np.nan, False)])
def test_whether_all_are_below_infinity(place, value, below):
    v = np.zeros(100)
    v[place] = value
    assert kernels.all_below_infinity(v) == below


@pytest.mark.parametrize(
    ("m", "largest", "right"), [(-INF, -INF, 1.0), (INF, INF, 1.0), (-INF, 0.0, 0.0), (-1.0, 1.0, math.exp(-2))]
)
def test_the_weight_of_a_maximum_beside_the_largest(m, largest, right):
    a, b = np.array([[m], [1.0], [1.0]]), np.array([[largest], [0.0], [0.0]])
    out = np.empty((3, 1))
    kernels.merge_log_moments(a, b, out)
    np.testing.assert_allclose(out[:, 0], [largest, right, right**2], 1e-15)
