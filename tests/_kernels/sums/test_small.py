"""Sums over rows, stretches and simplices, against NumPy and mpmath."""

import math
from itertools import pairwise

import mpmath
import numpy as np
import pytest

from mcvi._kernels.sums.rows import group_sums
from mcvi._kernels.sums.segments import segment_log_sums, segment_sums
from mcvi._kernels.sums.simplex import simplex_sums, softmax

INF = np.inf
SMALLEST = np.finfo(float).tiny


@pytest.mark.parametrize("groups", [0, 1, 2, 7, 64])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 8, 65])
def test_sums_of_equal_groups(groups, size):
    x = np.random.default_rng(size).normal(size=(groups, size))
    out = np.full(groups, 99.0)
    group_sums(x.reshape(-1), out)
    np.testing.assert_allclose(out, [math.fsum(row) for row in x], rtol=1e-14, atol=1e-14)


def test_groups_keep_infinities_and_nan():
    out = np.empty(4)
    group_sums(np.array([1.0, INF, -INF, 2.0, INF, -INF, np.nan, 0.0]), out)
    np.testing.assert_array_equal(out, [INF, -INF, np.nan, np.nan])


def stretches(size, first_stop, length):
    """Return the slices: the first ends early, the last may be cut off."""
    bounds = [0, min(first_stop, size)]
    while bounds[-1] < size:
        bounds.append(min(bounds[-1] + length, size))
    return [slice(a, b) for a, b in pairwise(bounds)]


def log_sum_twin(v, power):
    v = [power * float(x) for x in v]
    if any(math.isnan(x) for x in v):
        return math.nan
    m = max(v, default=-INF)
    return m + math.log(math.fsum(math.exp(x - m) for x in v)) if abs(m) < INF else m


CUTS = [(1, 1, 1), (10, 10, 3), (10, 3, 10), (10, 3, 3), (700, 1, 300), (700, 257, 256), (513, 300, 255), (513, 512, 1)]


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("power", [1.0, 0.5, -2.0])
def test_sums_of_stretches(cut, power):
    v = np.random.default_rng(cut).normal(0.0, 5.0, cut[0])
    parts = stretches(*cut)
    out, log_out = np.full(len(parts), 99.0), np.full(len(parts), 99.0)
    segment_sums(v, cut[1], cut[2], out)
    segment_log_sums(v, power, cut[1], cut[2], log_out)
    np.testing.assert_allclose(out, [math.fsum(v[part]) for part in parts], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(log_out, [log_sum_twin(v[part], power) for part in parts], rtol=1e-14, atol=1e-14)


def test_stretches_of_special_values():
    v = np.array([-INF, -INF, 1.0, -INF, INF, 2.0, np.nan, 0.0, INF, np.nan, 1e308, 1e308, -1e308, -1e308])
    out = np.empty(7)
    segment_log_sums(v, 1.0, 2, 2, out)
    np.testing.assert_array_equal(out, [-INF, 1.0, INF, np.nan, np.nan, 1e308, -1e308])
    segment_log_sums(v, -1.0, 2, 2, out)
    np.testing.assert_array_equal(out, [INF, INF, -2.0, np.nan, np.nan, -1e308, 1e308])


@pytest.mark.parametrize("size", [1, 2, 3, 8, 65, 300])
def test_softmax(size):
    x = np.random.default_rng(size).normal(0.0, 20.0, (5, size))
    x[0] += 1e6
    found = x.copy()
    softmax(found)
    with mpmath.workdps(40):
        for row, of_row in zip(x, found, strict=True):
            terms = [mpmath.exp(mpmath.mpf(t) - float(max(row))) for t in row.tolist()]
            total = mpmath.fsum(terms)
            np.testing.assert_allclose(of_row, [float(t / total) for t in terms], 1e-14 * (1 + size / 100))


def test_softmax_holds_its_parts_above_zero_and_keeps_nan():
    x = np.array([[0.0, -800.0, -INF], [np.nan, 0.0, 1.0], [3.0, 3.0, 3.0]])
    softmax(x)
    np.testing.assert_array_equal(x[0], [1.0, SMALLEST, SMALLEST])
    assert np.isnan(x[1]).all()
    np.testing.assert_allclose(x[2], 1 / 3, 1e-15)


def simplex_twin(x, terms, total, peak, tolerance):
    if any(map(math.isnan, x)):
        return math.nan
    if any(t < 0 for t in x) or not all(map(math.isfinite, x)):
        return -INF
    excess = math.fsum([*x, -1.0])
    return -INF if abs(excess) > tolerance else peak + math.fsum(terms) + total * excess


@pytest.mark.parametrize("members", [1, 3])
@pytest.mark.parametrize("size", [2, 3, 40])
def test_sums_over_a_simplex(members, size):
    rng = np.random.default_rng([members, size])
    x, terms = rng.dirichlet(np.full(size, 0.5), 6), rng.normal(size=(6, size))
    x[1] *= 1 + 1e-9
    x[2] *= 1 + 3e-8
    x[3, 0] = -1e-3
    x[4] = 1.0
    total, peak, out = np.array([1e10, 3.0, -2.0])[:members], np.array([0.5, -7.0, 4.0])[:members], np.empty(6)
    simplex_sums(x, terms, total, peak, 1e-8, out)
    rows = zip(x, terms, np.resize(total, 6), np.resize(peak, 6), strict=True)
    right = [simplex_twin(row, term, t, p, 1e-8) for row, term, t, p in rows]
    assert -INF in right
    np.testing.assert_allclose(out, right, rtol=1e-13, atol=1e-13)


def test_the_excess_is_summed_without_rounding():
    # A sum of floats that is 1 after rounding, times a total of 1e16.
    x = np.array([[0.5, 0.5, 2.0**-60], [0.3, 0.7 - 2.0**-54, 2.0**-54], [2.0**-60, 0.5, 0.5]])
    out = np.empty(3)
    simplex_sums(x, np.zeros((3, 3)), np.array([1e16]), np.array([0.0]), 1e-8, out)
    right = [simplex_twin(row, [0.0] * 3, 1e16, 0.0, 1e-8) for row in x]
    np.testing.assert_allclose(out, right, rtol=1e-12)
    assert right[0] != 0.0


@pytest.mark.parametrize(
    ("row", "right"),
    [
        ([np.nan, 0.5, 0.5], np.nan),
        ([0.5, 0.5, np.nan], np.nan),
        ([INF, -INF, 1.0], -INF),
        ([1.0, INF, -INF], -INF),
        ([INF, 0.0, 0.0], -INF),
        ([1.0, 0.0, 0.0], 2.0),
        ([1.0, -0.0, 0.0], 2.0),
        ([1.0 + 1.5e-8, 0.0, 0.0], -INF),
        ([1.0 - 1.5e-8, 0.0, 0.0], -INF),
        ([1.5, -0.5, 0.0], -INF),
    ],
)
def test_points_that_are_not_on_the_simplex(row, right):
    out = np.empty(2)
    simplex_sums(np.array([[0.2, 0.3, 0.5], row]), np.zeros((2, 3)), np.array([1.0]), np.array([2.0]), 1e-8, out)
    np.testing.assert_allclose(out, [2.0, right], rtol=1e-15)
