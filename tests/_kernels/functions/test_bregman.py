"""Differences from tangents, and of digamma functions, against their definitions at as many digits as they cancel."""

import mpmath
import numpy as np
import pytest

from mcvi._kernels.compiler import maps
from mcvi._kernels.functions import bregman
from tests._kernels.accuracy import around, largest_error, log_uniform, loop_over, relative

rng = np.random.default_rng(20240302)
half = mpmath.mpf(1) / 2
POSITIVE = np.concatenate(
    [log_uniform(rng, 1e-100, 1e100, 100), rng.uniform(0.0, 30.0, 200), around([0.5, 1.0, 10.0, 16.0])]
)
OF_ONE = {
    "digamma_less_log": lambda x: mpmath.digamma(x) - mpmath.log(x),
    "trigamma_less_reciprocal": lambda x: mpmath.psi(1, x) - 1 / x,
    "digamma_half_excess": lambda x: mpmath.digamma(x + half) - mpmath.digamma(x) - 1 / (2 * x),
    "trigamma_half_excess": lambda x: mpmath.psi(1, x) - mpmath.psi(1, x + half) - 1 / (2 * x * x),
}


def at_many_digits(definition):
    def exact(*arguments):
        with mpmath.workdps(1000 if max(arguments) > 1e50 else 250):
            return definition(*arguments)

    return exact


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_ONE)
def test_differences_of_polygamma_functions_keep_their_digits(name):
    values = loop_over(getattr(bregman, name))(POSITIVE)
    assert largest_error(values, at_many_digits(OF_ONE[name]), POSITIVE, unit=relative) < 7.0


@pytest.mark.parametrize("name", OF_ONE)
def test_there_is_none_outside_the_positive_numbers(name):
    assert np.isnan(loop_over(getattr(bregman, name))(np.array([0.0, -1.5, np.nan]))).all()


def test_the_rest_of_the_cube_is_what_trigamma_differs_by():
    x = np.concatenate([[16.0], rng.uniform(16.0, 40.0, 50), log_uniform(rng, 16.0, 1e50, 50)])

    def remainder(x):
        return 1 / (4 * x**3) - OF_ONE["trigamma_half_excess"](x)

    values = loop_over(bregman.trigamma_half_remainder)(x)
    assert largest_error(values, at_many_digits(remainder), x, unit=relative) < 7.0


def test_the_difference_of_two_trigammas_keeps_its_digits():
    sizes = [1e-150, 1e-20, 1e-3, 0.5, 1.0, 9.99, 10.0, 37.0, 1e4, 1e10, 1e100]
    a, b = np.array([(a, b) for a in sizes for b in sizes]).T
    out = np.empty(a.size)
    maps.binary(bregman.trigamma_difference)(a, b, out)
    with mpmath.workdps(450):
        exact = [
            mpmath.psi(1, mpmath.mpf(x)) - mpmath.psi(1, mpmath.mpf(x) + mpmath.mpf(y))
            for x, y in zip(a, b, strict=True)
        ]
        assert (
            max(abs(got / truth - 1) for got, truth in zip(out.tolist(), exact, strict=True) if 1e-300 < got < np.inf)
            < 2e-15
        )
    maps.binary(bregman.trigamma_difference)(np.array([0.0, 1.0, -1.0]), np.array([1.0, 0.0, 1.0]), out[:3])
    np.testing.assert_array_equal(out[:3], [np.nan, 0.0, np.nan])
