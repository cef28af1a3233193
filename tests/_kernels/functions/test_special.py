"""The special functions against mpmath, in the metric of a log density: EPS, relative above 1 and absolute below."""

import mpmath
import numpy as np
import pytest

from mcvi._kernels.functions import special
from tests._kernels.accuracy import (
    LARGEST,
    NORMAL,
    SMALLEST,
    around,
    largest_error,
    log_uniform,
    loop_over,
    mixed,
    relative,
)

COUNT = 150
rng = np.random.default_rng(20240301)
half = mpmath.mpf(1) / 2


def bits(low, high, size=COUNT):
    return log_uniform(rng, low, high, size)


def either_sign(values):
    return values * rng.choice([-1.0, 1.0], values.size)


def logarithmic(low, high, size=COUNT):
    return np.exp(rng.uniform(np.log(low), np.log(high), size))


POSITIVE = np.concatenate(
    [
        bits(SMALLEST, LARGEST),
        logarithmic(1e-3, 1e3, 3 * COUNT),
        rng.uniform(0, 4, 3 * COUNT),
        1 + either_sign(bits(1e-17, 0.1)),
        2 + either_sign(bits(1e-17, 0.1)),
        1.4616321449683623 + 1e-3 * rng.standard_normal(COUNT),  # the zero of digamma
        around([0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 1.4616321449683623]),
        [SMALLEST, NORMAL, 1e-154, 1e8, 1e15, 1e17, 2.5e305],
    ]
)
REAL = np.concatenate(
    [
        rng.uniform(-40, 40, 3 * COUNT),
        rng.uniform(-3, 3, 2 * COUNT),
        either_sign(bits(1e-300, 1)),
        -logarithmic(1, 1e8),
        around([0.0, -1.0, 1.0, 37.5, -38.4]),
        [-1e8, -1e15, -1e100, -1e150],
    ]
)
PROBABILITY = np.concatenate(
    [
        rng.random(3 * COUNT),
        bits(SMALLEST, 1, 2 * COUNT),
        1 - bits(1.2e-16, 0.5),
        around([0.2, 0.8, 0.25, 0.075, np.exp(-(6.5**2) / 2)]),
        [SMALLEST, NORMAL, np.nextafter(1, 0), np.nextafter(0.5, 0), np.nextafter(0.5, 1)],
    ]
)


def phi(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


def mills_ratio(t):
    """phi(-t) over the density at t; the asymptotic series, to 1e-80, far out."""
    if t > 1e9:
        z = 1 / t**2
        return (1 - z * (1 - 3 * z * (1 - 5 * z * (1 - 7 * z)))) / t
    return phi(-t) * mpmath.exp(t * t / 2) * mpmath.sqrt(2 * mpmath.pi)


def scaled_tail(t):
    return mills_ratio(t) / mpmath.sqrt(2 * mpmath.pi)


def log_phi(x):
    return mpmath.log(scaled_tail(-x)) - x * x / 2 if x < 0 else mpmath.log1p(-phi(-x))


def slope(x):
    """The derivative of log_phi."""
    return 1 / mills_ratio(-x)


def curvature(x):
    """The second derivative of log_phi."""
    with mpmath.workprec(600):
        return -slope(x) * (x + slope(x))


def tail_quantile(log_tail):
    """The x >= 0 with log_phi(-x) = log_tail, by Newton's method."""
    t = mpmath.sqrt(-2 * log_tail)
    x = t - (mpmath.log(t) + mpmath.log(2 * mpmath.pi) / 2) / t if t > 3 else t - mpmath.mpf("0.8")
    for _ in range(100):
        step = (log_phi(-x) - log_tail) / slope(-x)
        x += step
        if abs(step) < mpmath.mpf(10) ** -40 * (1 + abs(x)):
            return x
    raise AssertionError("Newton's method did not end")


def quantile(p):
    if p == half:
        return mpmath.mpf(0)
    return -tail_quantile(mpmath.log(p)) if p < half else tail_quantile(mpmath.log(1 - p))


def quantile_of_log(log_p):
    if log_p < -mpmath.log(2):
        return -tail_quantile(log_p)
    return tail_quantile(mpmath.log(-mpmath.expm1(log_p)))


def stirling_error(x):
    with mpmath.workprec(3000 if x > 1e20 else 300):
        return mpmath.loggamma(x) - ((x - half) * mpmath.log(x) - x + mpmath.log(2 * mpmath.pi) / 2)


def lgamma_half_difference(x):
    with mpmath.workprec(3000 if x > 1e20 else 300):
        return mpmath.loggamma(x + half) - mpmath.loggamma(x)


def log_beta(a, b):
    with mpmath.workprec(300):
        return mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)


def deviance(x, m):
    return (x * mpmath.log(x / m) if x else 0) + m - x


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "grid", "definition", "allowed"),
    [
        ("lgamma", POSITIVE, mpmath.loggamma, 2.5),
        ("digamma", POSITIVE, mpmath.digamma, 2.5),
        ("trigamma", POSITIVE, lambda x: mpmath.psi(1, x), 3.0),
        ("stirling_error", POSITIVE, stirling_error, 3.0),
        ("lgamma_half_difference", POSITIVE[POSITIVE < 1e300], lgamma_half_difference, 3.0),
        ("ndtr", REAL, phi, 2.0),
        ("log_ndtr", REAL, log_phi, 2.5),
        ("log_ndtr_derivative", REAL, slope, 3.0),
        ("log_ndtr_second_derivative", REAL[REAL > -1e15], curvature, 30.0),
        ("ndtri", PROBABILITY, quantile, 3.5),
        ("ndtri_exp", np.log(PROBABILITY[PROBABILITY < 1]), quantile_of_log, 3.5),
        ("ndtri_exp", -np.concatenate([logarithmic(1e-20, 1), logarithmic(700, 1e300)]), quantile_of_log, 3.5),
    ],
)
def test_errors_stay_below_the_stated_number_of_eps(name, grid, definition, allowed):
    values = loop_over(getattr(special, name))(grid)
    assert largest_error(values, definition, grid, unit=mixed) < allowed


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "grid", "definition", "allowed"),
    [
        ("lgamma", POSITIVE, mpmath.loggamma, 4.0),  # so also beside its zeros
        ("trigamma", POSITIVE, lambda x: mpmath.psi(1, x), 3.0),
        ("stirling_error", POSITIVE[POSITIVE < 1e300], stirling_error, 12.0),
        ("scaled_tail", np.abs(REAL), scaled_tail, 3.0),
        ("ndtr", REAL[REAL > -37], phi, 4.0),
        ("log_ndtr", REAL[REAL < 37], log_phi, 4.0),
        ("log_ndtr_derivative", REAL[REAL < 37], slope, 5.0),
        ("ndtri", PROBABILITY[PROBABILITY != 0.5], quantile, 4.0),
    ],
)
def test_these_are_relatively_accurate_too(name, grid, definition, allowed):
    values = loop_over(getattr(special, name))(grid)
    assert largest_error(values, definition, grid, unit=relative) < allowed


def test_log_beta_keeps_its_digits_where_its_parts_cancel():
    a = np.concatenate([logarithmic(1e-3, 1e10, 8 * COUNT), logarithmic(0.1, 10, 2 * COUNT), logarithmic(1e-300, 1e-3)])
    b = np.concatenate([logarithmic(1e-3, 1e10, 8 * COUNT), logarithmic(0.1, 10, 2 * COUNT), logarithmic(1e-300, 1e10)])
    apply = loop_over(special.log_beta)
    assert largest_error(apply(a, b), log_beta, a, b, unit=mixed) < 4.0
    np.testing.assert_array_equal(apply(a, b), apply(b, a))


def test_the_deviance_is_relatively_accurate_however_near_its_arguments_are():
    m = logarithmic(1e-3, 1e10, 4 * COUNT)
    near = m * (1 + either_sign(logarithmic(1e-14, 0.9, m.size)))
    x = np.concatenate([near, logarithmic(1e-3, 1e10, 2 * COUNT), np.floor(logarithmic(1, 1e6)), bits(1e-150, 1e150)])
    m = np.concatenate([m, logarithmic(1e-3, 1e10, 2 * COUNT), logarithmic(1, 1e6), bits(1e-150, 1e150)])
    values = loop_over(special.bd0)(x, m)
    assert largest_error(values, deviance, x, m, unit=relative) < 4.0


def test_the_deviance_at_the_edges_is_what_the_limits_are():
    x = [0.0, 0.0, 3.0, 3.0, 1.0, 5e-324, 2.0, np.inf, 1.0, np.nan, 1.0]
    m = [2.0, 0.0, 0.0, 3.0, 5e-324, 1e300, 1e-320, 1.0, np.inf, 1.0, np.nan]
    values = loop_over(special.bd0)(x, m)
    expected = [2.0, 0.0, np.inf, 0.0, 743.4400719213812, 1e300, 1473.0404, np.inf, np.inf, np.nan, np.nan]
    np.testing.assert_allclose(values, expected, rtol=1e-6)


INF, NAN = np.inf, np.nan


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("lgamma", [0.0, 1.0, 2.0, INF, -1.5, NAN, 2.6e305], [INF, 0, 0, INF, NAN, NAN, INF]),
        ("digamma", [0.0, INF, -1.5, NAN, SMALLEST], [-INF, INF, NAN, NAN, -INF]),
        ("trigamma", [0.0, INF, -1.5, NAN, 1e-160], [INF, 0, NAN, NAN, INF]),
        ("stirling_error", [0.0, INF, -1.5, NAN], [INF, 0, NAN, NAN]),
        ("lgamma_half_difference", [0.0, INF, NAN], [-INF, INF, NAN]),
        ("scaled_tail", [0.0, INF, NAN], [0.5, 0, NAN]),
        ("ndtr", [-INF, 0.0, INF, NAN, -40], [0, 0.5, 1, NAN, 0]),
        ("log_ndtr", [-INF, INF, NAN, -1e200], [-INF, 0, NAN, -INF]),
        ("log_ndtr_derivative", [-INF, INF, NAN], [INF, 0, NAN]),
        ("log_ndtr_second_derivative", [INF, NAN], [0, NAN]),
        ("ndtri", [0.0, 0.5, 1.0, -0.1, 1.1, NAN, INF], [-INF, 0, INF, NAN, NAN, NAN, NAN]),
        ("ndtri_exp", [-INF, 0.0, 0.1, NAN], [-INF, INF, NAN, NAN]),
    ],
)
def test_special_values_are_exact(name, arguments, expected):
    np.testing.assert_array_equal(loop_over(getattr(special, name))(arguments), expected)


def test_the_quantile_is_odd_about_one_half():
    p = np.concatenate([rng.random(COUNT), bits(1e-10, 0.5)])
    p = 1 - (1 - p)  # a double whose complement is one too
    ndtri = loop_over(special.ndtri)
    np.testing.assert_array_equal(ndtri(p), -ndtri(1 - p))


def test_the_rise_of_digamma_over_a_count_keeps_its_digits():
    x = np.concatenate([logarithmic(1e-300, 1e300), logarithmic(1e-3, 1e12, 3 * COUNT), around([3.5])])
    k = np.floor(logarithmic(1.0, 1e12, x.size))
    k[::2] = rng.integers(0, 4, k[::2].size)

    def rise(x, k):
        with mpmath.workdps(60 if x < 1e13 else 400):
            return mpmath.digamma(x + k) - mpmath.digamma(x)

    assert largest_error(loop_over(special.digamma_rise)(x, k), rise, x, k, unit=relative) < 20.0
