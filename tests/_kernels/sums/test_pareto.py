"""The generalised Pareto fit, against the published algorithm in arrays of NumPy."""

import numpy as np
import pytest

from mcvi._kernels.sums.pareto import fit_tails

INF = np.inf


def twin(x):
    """Zhang and Stephens (2009) for exceedances in ascending order, with the prior of Vehtari et al. (2024)."""
    n = len(x)
    quartile = x[int(np.floor(n / 4 + 0.5)) - 1]
    points = 30 + int(np.sqrt(n))
    j = np.arange(1, points + 1)
    theta = 1 / x[-1] + (1 - np.sqrt(points / (j - 0.5))) / (3 * quartile)
    k = np.array([np.mean(np.log1p(-t * x)) for t in theta])
    likelihood = n * (np.log(-theta / k) - k - 1)
    weights = np.exp(likelihood - likelihood.max())
    mean_theta = np.sum(theta * weights) / np.sum(weights)
    k = np.mean(np.log1p(-mean_theta * x))
    return (n * k + 10 * 0.5) / (n + 10), -k / mean_theta, 0


def fitted(rows):
    rows = np.atleast_2d(np.asarray(rows, float))
    out = np.full(len(rows), 99.0), np.full(len(rows), 99.0), np.full(len(rows), 99)
    fit_tails(rows, *out)
    return np.array(out).T


def pareto(n, k, seed=0):
    x = np.sort(np.random.default_rng([seed, n]).pareto(1 / k, n) if k > 0 else np.random.default_rng(n).random(n))
    return x / (1.0 + x[-1])


@pytest.mark.parametrize("n", [5, 6, 7, 8, 9, 10, 20, 21, 22, 23, 24, 25, 95, 100, 300])
@pytest.mark.parametrize("k", [-1.0, 0.2, 0.7, 1.5])
def test_the_fit_of_a_row(n, k):
    np.testing.assert_allclose(fitted(pareto(n, k))[0], twin(pareto(n, k)), 1e-10)


def test_rows_are_fitted_each_on_its_own():
    rows = np.array([pareto(40, k, seed) for seed, k in enumerate([0.1, 0.5, 2.0])])
    np.testing.assert_array_equal(fitted(rows), np.concatenate([fitted(row) for row in rows]))


def special(row):
    shape, scale, first = fitted(row)[0]
    return shape, scale, int(first)


def test_rows_that_cannot_be_fitted():
    nan = np.nan
    np.testing.assert_equal(special([0.1, 0.2, 0.3, 0.4, nan]), (nan, nan, 5))
    np.testing.assert_equal(special([0.0] * 8), (-INF, nan, 8))
    np.testing.assert_equal(special([1e-11] * 7 + [1e-10]), (-INF, nan, 8))
    np.testing.assert_equal(special([0.5 - 1e-11] * 7 + [0.5]), (-INF, nan, 8))
    np.testing.assert_equal(special([0.1, 0.2, 0.3, 0.4]), (INF, nan, 4))
    np.testing.assert_equal(special([0.0] * 6 + [0.1, 0.2, 0.3, 0.4]), (INF, nan, 10))


def test_spreads_just_above_that_of_equal_weights_are_fitted():
    assert np.isfinite(special(np.linspace(1e-13, 1.2e-10, 8))[0])
    assert np.isfinite(special(0.5 + np.linspace(0.2e-10, 1.3e-10, 8))[0])


def test_ties_with_the_cutoff_are_left_out_where_they_reach_the_lower_quartile():
    x = pareto(30, 0.5)
    # The quartile is element 7 of 30: seven ties stay, eight go.
    np.testing.assert_allclose(special([*np.zeros(7), *x[7:]]), twin(np.array([*np.zeros(7), *x[7:]])), 1e-10)
    assert special([*np.zeros(8), *x[8:]])[2] == 8
    np.testing.assert_allclose(special([*np.zeros(8), *x[8:]])[:2], twin(x[8:])[:2], 1e-10)
    np.testing.assert_allclose(special([*np.zeros(25), *x[25:]])[:2], twin(x[25:])[:2], 1e-10)


def test_weights_that_span_more_than_floating_point_holds_are_too_heavy_to_fit():
    assert special([1e-320] * 20 + [0.5] * 5)[0] == INF
