"""Draws whose parameters differ from draw to draw: the right law, whatever the others are and however they are cut."""

import numpy as np
import pytest
from scipy import stats

from mcvi._kernels.draws.counts import binomials, multinomials
from mcvi._kernels.draws.gammas import gammas
from mcvi.random import as_key

FALSE_FAIL = 1e-9
Z = 6.11
N = 200_000
SLOT = np.uint64(5)


def drawn(kernel, *parameters, first=0):
    parameters = [np.ascontiguousarray(p, float) for p in np.broadcast_arrays(*parameters)]
    out = np.empty(parameters[0].size)
    kernel(*as_key(3).words, SLOT, first, *parameters, out)
    return out


def own_binomials(n, p, first=0):
    p = np.asarray(p, float)
    return drawn(binomials, n, p, 1.0 - p, first=first)


TRIALS = [(1, 0.3), (7, 0.5), (60, 0.02), (60, 0.98), (1000, 0.4), (10**6, 0.7), (10**6, 3e-6)]


@pytest.mark.parametrize(("n", "p"), TRIALS)
def test_binomials_among_others_follow_their_own_law(n, p):
    """Chi-square, with the cells of fewer than 5 expected draws put together; it sees a cell 2 % off."""
    others = np.random.default_rng(0).integers(0, len(TRIALS), 2 * N)
    trials, probs = np.array(TRIALS).T
    x = own_binomials(
        np.where(np.arange(2 * N) % 2, n, trials[others]), np.where(np.arange(2 * N) % 2, p, probs[others])
    )
    cells = np.quantile(x[1::2], np.linspace(0, 1, 40))
    edges = np.unique(cells)
    share = np.diff(np.concatenate([[0.0], stats.binom.cdf(edges, n, p), [1.0]]))
    counts = np.diff(np.concatenate([[0], np.searchsorted(np.sort(x[1::2]), edges, side="right"), [N]]))
    often = share * N >= 5
    observed, expected = counts[often], share[often] * N
    assert stats.chisquare(observed, expected * observed.sum() / expected.sum()).pvalue > FALSE_FAIL


def test_binomials_of_no_trials_and_certain_ones():
    np.testing.assert_array_equal(
        own_binomials([0, 0, 0, 5, 5, 1e12, 1e12], [0, 0.5, 1, 0, 1, 0, 1]), [0, 0, 0, 0, 5, 0, 1e12]
    )


def test_ten_thousand_million_trials_have_the_right_mean_and_spread():
    n, p = 1e10, 0.25
    x = own_binomials(np.full(N, n), p)
    assert abs(x.mean() - n * p) < Z * np.sqrt(n * p * (1 - p) / N)
    squares = (x - n * p) ** 2
    assert abs(squares.mean() - n * p * (1 - p)) < Z * squares.std() / np.sqrt(N)


def test_gammas_follow_their_own_shape():
    shapes = np.resize([1e-2, 0.5, 1.0, 3.0, 1e4], N)
    u = np.sort(stats.gamma.cdf(drawn(gammas, shapes), shapes))
    u[: np.searchsorted(u, 1e-3)] = np.linspace(0, 1e-3, np.searchsorted(u, 1e-3))  # held at the smallest number
    steps = np.arange(N + 1) / N
    assert max(np.max(steps[1:] - u), np.max(u - steps[:-1])) < np.sqrt(np.log(2 / FALSE_FAIL) / (2 * N)) + 1e-3


def test_a_draw_is_a_function_of_its_address_and_its_own_parameters():
    rng = np.random.default_rng(1)
    n, p, shape = rng.integers(0, 1000, 500), rng.uniform(size=500), rng.uniform(0.1, 5.0, 500)
    whole, gamma = own_binomials(n, p), drawn(gammas, shape)
    for a, b in ((0, 1), (1, 137), (137, 500)):
        np.testing.assert_array_equal(own_binomials(n[a:b], p[a:b], first=a), whole[a:b])
        np.testing.assert_array_equal(drawn(gammas, shape[a:b], first=a), gamma[a:b])
    changed = own_binomials(np.where(np.arange(500) == 7, 5, n), p)
    np.testing.assert_array_equal(np.delete(changed, 7), np.delete(whole, 7))


def test_multinomials_are_binomials_given_the_counts_in_front():
    n, shares = np.array([10.0, 1000.0]), np.array([[0.2, 0.5, 1.0], [0.9, 0.0, 1.0]])
    out = np.empty((6, 3))
    multinomials(*as_key(3).words, 4, n, shares, 1.0 - shares, out)
    np.testing.assert_array_equal(out.sum(axis=1), np.resize(n, 6))
    slots = np.uint64(0), np.uint64(1 << 32)
    for i, row in enumerate(out):
        left = n[i % 2]
        for k in range(2):
            one, p = np.empty(1), np.array([shares[i % 2, k]])
            binomials(*as_key(3).words, slots[k], 4 + i, np.array([left]), p, 1.0 - p, one)
            assert row[k] == one[0]
            left -= row[k]


def test_parameters_that_are_no_numbers_give_nan_and_end():
    assert np.isnan(drawn(binomials, np.nan, [0.5, 0.0], 0.5)).all()
    assert np.isnan(drawn(binomials, 100.0, np.nan, np.nan)).all()
    assert np.isnan(drawn(gammas, [np.nan])).all()
