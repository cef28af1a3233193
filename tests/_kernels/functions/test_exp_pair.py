"""The exponential in pairs of numbers, against mpmath."""

import mpmath
import numba
import numpy as np
import pytest

from mcvi._kernels.functions.exp_pair import exp_pair


@numba.njit
def pair(y):
    return exp_pair(y)


@pytest.mark.parametrize(
    "y", [0.0, 5e-324, -1e-5, 0.3466, -0.3466, 0.7, -1.0, 10.3, -33.3, 36.0, np.log(1e15), 300.7, -600.1, 689.0]
)
def test_a_pair_has_thirty_digits(y):
    high, low = pair(y)
    with mpmath.workdps(60):
        assert abs((mpmath.mpf(high) + mpmath.mpf(low)) / mpmath.exp(mpmath.mpf(y)) - 1) < 1e-30


@pytest.mark.parametrize("y", [700.0, -700.0, 1e308, -1e308, np.inf, -np.inf, np.nan])
def test_near_the_ends_of_the_range_it_is_the_plain_exponential(y):
    high, low = pair(y)
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(high, np.exp(y), rtol=1e-15)
    assert low == 0.0
