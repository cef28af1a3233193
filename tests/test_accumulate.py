"""Accumulators against their slow twins: values, merging, and what is not finite."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mcvi._engine.parallel import fold
from mcvi._engine.tail import TailBuilder, kept_length
from mcvi.accumulate import (
    CentredMoments,
    LogMoments,
    Moments,
    NonFinite,
    SignedLogMoments,
    WeightedMoments,
)
from mcvi.diagnostics import khat
from tests import naive

ONE = np.ones(1)


def log_mean(v, scale=1.0):
    block = np.asarray(v, float)[:, None]
    return float(LogMoments.of(block, np.array([scale])).log_mean[0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1e308, 1e308], 1e308),
        ([1e308, -1e308], 1e308),
        ([-1e308, -1e308], -1e308),
        ([-math.inf, -math.inf], -math.inf),
        ([-math.inf], -math.inf),
        ([math.inf, 0.0], math.inf),
        ([math.inf, -math.inf], math.inf),
        ([math.nan, math.inf], math.nan),
        ([math.nan, -math.inf], math.nan),
        ([0.0, -math.inf], -math.log(2)),
    ],
)
@pytest.mark.parametrize("columns", [1, 3])
def test_log_mean_exp_keeps_the_contract_for_extreme_values(values, expected, columns):
    block = np.repeat(np.array(values)[:, None], columns, axis=1)
    result = LogMoments.of(block, np.ones(columns)).log_mean
    np.testing.assert_allclose(result, [expected] * columns, rtol=1e-15)


finite = st.floats(-700, 700)
values = hnp.arrays(np.float64, st.integers(1, 400), elements=finite)


@settings(max_examples=60)
@given(values)
def test_log_mean_exp_agrees_with_sixty_digits(v):
    assert log_mean(v) == pytest.approx(naive.log_mean_exp(v), rel=4e-15, abs=4e-15)


@settings(max_examples=60)
@given(values, st.floats(-1e4, 1e4))
def test_log_mean_exp_moves_with_a_shift(v, shift):
    assert log_mean(v + shift) == pytest.approx(log_mean(v) + shift, rel=1e-13, abs=2e-12)


@settings(max_examples=60)
@given(values)
def test_log_mean_exp_lies_between_maximum_and_maximum_less_log_n(v):
    result = log_mean(v)
    assert v.max() - math.log(v.size) - 1e-12 <= result <= v.max() + 1e-12


@settings(max_examples=40)
@given(values, st.integers(1, 400))
def test_cut_anywhere_and_merged_sums_are_those_of_the_whole(v, cut):
    cut = min(cut, v.size - 1)
    block, f = v[:, None], np.cos(v)[:, None]
    for accumulator, read in [
        (lambda s: Moments.of(block[s]), lambda a: (a.mean, a.standard_error)),
        (lambda s: LogMoments.of(block[s], ONE), lambda a: (a.log_mean, a.ess)),
        (lambda s: SignedLogMoments.of(block[s] / 100, f[s]), lambda a: (a.mean,)),
        (lambda s: WeightedMoments.of(block[s] / 100, f[s]), lambda a: (a.mean, a.standard_error, a.bias, a.ess)),
        (lambda s: CentredMoments.of(block[s], 1e-4 * ONE, block[s].mean(axis=0)), lambda a: (a.scaled_log_mean,)),
    ]:
        whole = read(accumulator(slice(None)))
        parts = [accumulator(slice(None, cut)), accumulator(slice(cut, None))] if cut else [accumulator(slice(None))]
        for a, b in zip(whole, read(fold(parts)), strict=True):
            np.testing.assert_allclose(b, a, rtol=1e-9, atol=1e-10)


def test_batches_are_their_columns_one_by_one():
    rng = np.random.default_rng(0)
    v, f = rng.normal(size=(1000, 5)) * 3, rng.normal(size=(1000, 5))
    scale = np.array([1.0, -0.5, 0.25, 2.0, 1.0])
    together = LogMoments.of(v, scale), SignedLogMoments.of(v, f), WeightedMoments.of(v, f), Moments.of(v)
    for j in range(5):
        vj, fj = np.ascontiguousarray(v[:, j : j + 1]), np.ascontiguousarray(f[:, j : j + 1])
        alone = (
            LogMoments.of(vj, scale[j : j + 1]),
            SignedLogMoments.of(vj, fj),
            WeightedMoments.of(vj, fj),
            Moments.of(vj),
        )
        for a, b in zip(together, alone, strict=True):
            np.testing.assert_allclose(a.state[:, j], b.state[:, 0], rtol=1e-12)


def test_a_long_sum_is_exact_to_the_last_digits():
    v = np.random.default_rng(1).lognormal(sigma=3, size=10**6)
    blocks = [Moments.of(part[:, None]) for part in np.array_split(v, 61)]
    assert float(fold(blocks).mean[0]) == pytest.approx(math.fsum(v) / v.size, rel=1e-15)


def test_signed_sums_keep_what_is_tiny_and_what_is_huge():
    # weights e**800 of opposite sign: each overflows, their difference does not
    log_w = np.array([[800.0], [800.0], [790.0]])
    f = np.array([[1.0], [-1.0], [1e-300]])
    expected = math.exp(790 - 300 * math.log(10)) / 3
    assert SignedLogMoments.of(log_w, f).mean[0] == pytest.approx(expected, rel=1e-12)
    # the largest weight has f = 0: what matters would underflow beside it
    f, log_w = np.array([[0.0], [1e300]]), np.array([[0.0], [-800.0]])
    assert SignedLogMoments.of(log_w, f).mean[0] == pytest.approx(math.exp(300 * math.log(10) - 800) / 2, rel=1e-12)


def test_a_value_at_weight_zero_counts_for_nothing():
    log_w, f = np.array([[-np.inf], [0.0]]), np.array([[np.inf], [3.0]])
    assert SignedLogMoments.of(log_w, f).mean[0] == pytest.approx(1.5, rel=4e-16)
    assert WeightedMoments.of(log_w, f).mean[0] == 3.0


def test_an_infinite_mean_survives_a_merge():
    a, b = Moments.of(np.array([[-np.inf], [1.0]])), Moments.of(np.array([[2.0]]))
    assert (a + b).mean[0] == -np.inf
    assert (b + a).mean[0] == -np.inf
    assert (a + a).mean[0] == -np.inf


def test_an_infinite_weighted_mean_survives_a_merge():
    log_w = np.zeros((2, 1))
    a, b = WeightedMoments.of(log_w, np.array([[-np.inf], [1.0]])), WeightedMoments.of(log_w, np.ones((2, 1)))
    assert [(x + y).mean[0] for x, y in [(a, b), (b, a), (a, a)]] == [-np.inf] * 3


def test_infinite_terms_of_both_signs_have_no_mean():
    log_w, above, below = np.zeros((2, 1)), np.array([[np.inf], [1.0]]), np.array([[-np.inf], [np.inf]])
    a, b = SignedLogMoments.of(log_w, above), SignedLogMoments.of(log_w, -above)
    assert a.mean[0] == (a + a).mean[0] == np.inf
    assert np.isnan((a + b).mean[0])
    assert np.isnan(SignedLogMoments.of(log_w, below).mean[0])


@pytest.mark.parametrize("power", [1e-1, 1e-3, 1e-6, 1e-9, 1e-12, 1e-15])
def test_near_order_one_no_digit_is_lost(power):
    log_w = np.random.default_rng(3).normal(scale=2.0, size=1000)
    blocks = [block[:, None] for block in np.array_split(log_w, 7)]
    total = fold(CentredMoments.of(block, np.array([power]), block.mean(axis=0)) for block in blocks)
    expected = naive.renyi(log_w, 1 - power) if power > 1e-14 else naive.renyi(log_w, 1) + power * log_w.var() / 2
    assert float(total.scaled_log_mean[0]) == pytest.approx(expected, abs=1e-14)


@pytest.mark.parametrize(
    ("n", "columns"), [*product([1, 4, 100, 2000, 60_000], [1, 3, 40]), (1000, 64), (20_000, 127), (1000, 6000)]
)
def test_the_tail_holds_the_largest(n, columns):
    rng = np.random.default_rng(n)
    v = np.round(rng.standard_t(2, size=(n, columns)), 2)  # with ties
    v[rng.random(v.shape) < 0.1] = -np.inf
    builders = []
    for part in np.array_split(v, 3) if n > 3 else [v]:
        floors = builders[-1].tail().floors if builders else None
        builders.append(TailBuilder(n, columns, (1,), len(part), floors))
        for block in np.array_split(part, 4):
            builders[-1].push(np.ascontiguousarray(block))
    total = fold(builder.tail() for builder in builders)
    keep = kept_length(n)
    for j in range(columns):
        np.testing.assert_array_equal(np.sort(total.values[j])[::-1][:keep], naive.largest(v[:, j], keep))


def test_a_few_rows_of_many_columns_are_kept_as_they_came():
    v = np.random.default_rng(1).normal(size=(300, 50))
    v[0, 0] = np.nan
    tails = []
    for run in np.array_split(v, 20):
        builder = TailBuilder(300, 50, (1,), len(run), np.full(50, -np.inf))
        for block in np.array_split(run, 3):
            builder.push(block)
        tails.append(builder.tail())
        assert tails[-1].values.shape == (50, 15)
        assert (tails[-1].floors == -np.inf).all()
    total = fold(tails)
    v[0, 0] = -np.inf
    for j in range(50):
        largest = np.sort(total.values[j])[::-1][: kept_length(300)]
        np.testing.assert_array_equal(largest, naive.largest(v[:, j], kept_length(300)))
    np.testing.assert_allclose(total.khat, khat(v), rtol=1e-12)


def _orders(n):
    random = np.random.default_rng(0).normal(size=n)
    rare = np.where(np.arange(n) % 50 == 7, random, -np.inf)
    with_nan = np.where(np.arange(n) % 50 == 7, np.nan, random)
    return {
        "random": random,
        "ascending": np.sort(random),
        "descending": -np.sort(random),
        "periodic": np.tile(np.arange(64.0), n // 64 + 1)[:n],
        "equal": np.zeros(n),
        "two values": np.floor(np.arange(n) / (n - 1)),
        "nearly all weights zero": rare,
        "all weights zero": np.full(n, -np.inf),
        "some nan": with_nan,
    }


@pytest.mark.parametrize("order", _orders(2))
@pytest.mark.parametrize("n", [63, 4096, 5000, 100_003])
@pytest.mark.parametrize("signs", [(1,), (1, -1), (-1,)])
def test_a_column_keeps_the_largest_in_whatever_order_they_come(order, n, signs):
    v = _orders(n)[order]
    tails = []
    for part in np.array_split(v, 3):
        builder = TailBuilder(n, 1, signs, len(part), tails[-1].floors if tails else None)
        for block in np.array_split(part, 5):
            builder.push(block[:, None])
        tails.append(builder.tail())
    total = fold(tails)
    keep = kept_length(n)
    for row, sign in zip(total.values, signs, strict=True):
        expected = naive.largest(sign * v[~np.isnan(v)], keep)
        np.testing.assert_array_equal(np.sort(row)[::-1][: expected.size], expected)
        assert len(row) <= max(4096, 4 * keep)


@pytest.mark.parametrize("signs", [(1,), (1, -1)])
def test_columns_that_come_in_different_orders_each_keep_their_largest(signs):
    n = 20_000
    v = np.column_stack([*_orders(n).values()] * 8)  # 72 of them
    builders = []
    for part in np.array_split(v, 2):
        builders.append(TailBuilder(n, 72, signs, len(part), builders[-1].tail().floors if builders else None))
        for block in np.array_split(part, 7):
            builders[-1].push(np.ascontiguousarray(block))
    rows = fold(builder.tail() for builder in builders).values.reshape(len(signs), 72, -1)
    for sign, of_sign in zip(signs, rows, strict=True):
        for column, row in zip(v.T, of_sign, strict=True):
            expected = naive.largest(sign * column[~np.isnan(column)], kept_length(n))
            np.testing.assert_array_equal(np.sort(row)[::-1][: expected.size], expected)


def test_the_first_value_that_is_not_finite_is_remembered():
    z = np.arange(4.0)
    a = NonFinite.of(np.array([[0.0], [-np.inf], [1.0], [2.0]]), 0, z)
    b = NonFinite.of(np.array([[0.0], [np.nan], [np.inf], [2.0]]), 4, z)
    total = a + b + b
    assert (total.count, total.first, float(total.draw)) == (4, 5, 1.0)
    assert a.count == 0


def test_the_tree_is_fixed():
    names = fold(("(", i, ")") for i in range(1))
    assert names == ("(", 0, ")")

    class Leaf:
        def __init__(self, text):
            self.text = text

        def __add__(self, other):
            return Leaf(f"({self.text}{other.text})")

    assert fold(Leaf(c) for c in "abcdefg").text == "(((ab)(cd))((ef)g))"
