"""Sums for self-normalised means, against sums at 40 digits."""

import math

import mpmath
import numpy as np
import pytest

from mcvi._kernels.sums.self_normalized import merge_weighted_moments, weighted_moments

INF = np.inf
ROWS = [1, 2, 7, 8, 9, 63, 65, 300]


def twin(log_w, f):
    with mpmath.workdps(40):
        m = max(map(float, log_w), default=-INF)
        if m == -INF:
            return [m, 0.0, 0.0, 0.0, 0.0, 0.0]
        pairs = [(mpmath.exp(mpmath.mpf(float(x)) - m), float(y)) for x, y in zip(log_w, f, strict=True) if x > m - 750]
        w1, w2 = mpmath.fsum(w for w, _ in pairs), mpmath.fsum(w * w for w, _ in pairs)
        c = mpmath.fsum(w * y for w, y in pairs) / w1
        a, b = mpmath.fsum(w * w * (y - c) for w, y in pairs), mpmath.fsum((w * (y - c)) ** 2 for w, y in pairs)
        return [m, *(float(x) for x in (w1, w2, c, a, b))]


def sums(log_w, f):
    out = np.full((6, log_w.shape[1]), 99.0)
    weighted_moments(log_w, f, out)
    return out


def right(log_w, f):
    return np.array([twin(x, y) for x, y in zip(log_w.T, f.T, strict=True)]).T


def data(rows, columns):
    rng = np.random.default_rng([rows, columns])
    return rng.normal(0.0, 2.0, (rows, columns)), rng.normal(3.0, 2.0, (rows, columns))


def check(found, expected, rel=1e-13):
    np.testing.assert_allclose(found[[0, 1, 2, 3, 5]], expected[[0, 1, 2, 3, 5]], rel, atol=1e-15)
    np.testing.assert_allclose(found[4], expected[4], rtol=rel, atol=rel * np.sqrt(expected[2] * expected[5]).max())


@pytest.mark.parametrize("shape", [(rows, 1) for rows in ROWS] + [(65, 3)])
def test_weighted_sums(shape):
    log_w, f = data(*shape)
    before = log_w.copy(), f.copy()
    check(sums(log_w, f), right(log_w, f))
    np.testing.assert_array_equal((log_w, f), before)


@pytest.mark.parametrize("value", [np.nan, INF, -INF, 1e300])
def test_a_value_of_zero_weight_takes_no_part(value):
    log_w, f = data(20, 2)
    log_w[3], f[3] = -INF, value
    log_w[7], f[7] = -900.0, value
    keep = np.delete(np.arange(20), [3, 7])
    check(sums(log_w, f), right(log_w[keep], f[keep]))


def test_all_weights_zero():
    log_w, f = np.full((5, 1), -INF), np.full((5, 1), np.nan)
    np.testing.assert_array_equal(sums(log_w, f)[:, 0], [-INF, 0, 0, 0, 0, 0])


def test_nan_and_infinite_values_with_weight():
    log_w, f = data(5, 3)
    log_w[2, 0] = np.nan
    f[2, 1] = np.nan
    f[2, 2] = INF
    found = sums(log_w, f)
    assert np.isnan(found[:, 0]).all()
    assert np.isnan(found[3:, 1]).all()
    np.testing.assert_array_equal(found[3, 2], INF)


@pytest.mark.parametrize("cut", [2, 5, 28])
@pytest.mark.parametrize("shift", [0.0, 3.0, -40.0, 800.0, -800.0])
def test_merged_sums_are_those_of_the_whole(cut, shift):
    log_w, f = data(30, 2)
    log_w[cut:] += shift
    a, b = sums(log_w[:cut].copy(), f[:cut].copy()), sums(log_w[cut:].copy(), f[cut:].copy())
    out = np.full((6, 2), 99.0)
    merge_weighted_moments(a, b, out)
    check(out, right(log_w, f), 1e-12)
    merge_weighted_moments(b, a, out)
    check(out, right(log_w, f), 1e-12)
    merge_weighted_moments(a, b, a)
    check(a, right(log_w, f), 1e-12)


def test_a_part_without_weight_changes_nothing():
    log_w, f = data(10, 1)
    some, none, out = sums(log_w, f), sums(np.full((4, 1), -INF), np.full((4, 1), 5.0)), np.empty((6, 1))
    for pair in ((some, none), (none, some)):
        merge_weighted_moments(*pair, out)
        np.testing.assert_array_equal(out, some)
    merge_weighted_moments(none, none, out)
    np.testing.assert_array_equal(out, none)


@pytest.mark.parametrize(
    ("first", "second", "mean"),
    [(INF, 1.0, INF), (1.0, -INF, -INF), (INF, INF, INF), (INF, -INF, np.nan), (np.nan, 1.0, np.nan)],
)
def test_merged_means_that_are_not_finite(first, second, mean):
    zero = np.zeros((1, 1))
    out = np.empty((6, 1))
    merge_weighted_moments(sums(zero, np.full((1, 1), first)), sums(zero, np.full((1, 1), second)), out)
    np.testing.assert_array_equal(out[3, 0], mean)
    np.testing.assert_array_equal(out[:3, 0], [0.0, 2.0, 2.0])


def test_merged_scales_by_hand():
    state = np.array([[0.0], [2.0], [1.5], [1.0], [0.25], [0.5]])
    other = np.array([[math.log(2.0)], [1.0], [0.75], [4.0], [-0.5], [2.0]])
    out = np.empty((6, 1))
    merge_weighted_moments(state, other, out)
    # The first is scaled by 1/2: W1 = 1 + 1, mean 2.5, shifts of the mean -1.5 and 1.5.
    a, b = (0.25 / 4, 0.5 / 4), (-0.5, 2.0)
    w2 = 1.5 / 4, 0.75
    first = (a[0] - 1.5 * w2[0]) + (b[0] + 1.5 * w2[1])
    second = (a[1] - 3.0 * a[0] + 2.25 * w2[0]) + (b[1] + 3.0 * b[0] + 2.25 * w2[1])
    np.testing.assert_allclose(out[:, 0], [math.log(2.0), 2.0, sum(w2), 2.5, first, second], 1e-14)
