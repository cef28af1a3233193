"""The incomplete gamma and beta functions against mpmath, on hard grids."""

import mpmath
import numpy as np
import pytest

from mcvi import math

EPS = 2.0**-52
DIGITS = 40


def gamma_log_tails(a, x):
    """Return log P and log Q of 40 digits, from the integral of the density of the logarithm."""
    with mpmath.workdps(DIGITS):
        a, x = mpmath.mpf(float(a)), mpmath.mpf(float(x))
        if a < 1 and x < 1:  # that density is flat: the series of P, and Q from it with more digits
            with mpmath.workdps(6 * DIGITS):
                lower = x**a * mpmath.hyp1f1(a, a + 1, -x) / mpmath.gamma(a + 1)
                return mpmath.log(lower), mpmath.log1p(-lower)
        is_lower = x < a
        width = 1 / (abs(a - x) + mpmath.sqrt(x))
        sign = -1 if is_lower else 1
        tail = mpmath.quad(
            lambda s: width * mpmath.exp(sign * a * width * s - x * mpmath.expm1(sign * width * s)),
            [0, 1, 3, 8, 20, 50, 150],
        )
        direct = a * mpmath.log(x) - x - mpmath.loggamma(a) + mpmath.log(tail)
        other = mpmath.log1p(-mpmath.exp(direct))
        return (direct, other) if is_lower else (other, direct)


def beta_log_tails(a, b, x):
    """Return the logarithms of both tails with 40 digits: Gauss's series, or the integral over the log odds."""
    with mpmath.workdps(DIGITS):
        a, b, x = (mpmath.mpf(float(v)) for v in (a, b, x))
        y = 1 - x
        if a >= 1 and b >= 1:
            swapped = a * y < b * x
        else:
            swapped = b < 1 and (a >= 1 or 2 * x > 1)
        if swapped:
            a, b, x, y = b, a, y, x
        n = a + b
        log_beta = mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(n)
        if a < 1 and (n * x < 1 or b < 1):
            with mpmath.workdps(6 * DIGITS):
                lower = x**a / a * mpmath.hyp2f1(a, 1 - b, a + 1, x) / mpmath.beta(a, b)
                tails = mpmath.log(lower), mpmath.log1p(-lower)
        else:
            if upper := a < 1:
                a, b, x, y = b, a, y, x
            width = 1 / (a * y - b * x + mpmath.sqrt(n * x * y))
            tail = mpmath.quad(
                lambda s: width * mpmath.exp(-a * width * s - n * mpmath.log1p(x * mpmath.expm1(-width * s))),
                [0, 1, 3, 8, 20, 50, 150, 600],
            )
            direct = a * mpmath.log(x) + b * mpmath.log(y) - log_beta + mpmath.log(tail)
            tails = direct, mpmath.log1p(-mpmath.exp(direct))
            tails = tails[::-1] if upper else tails
        return tails[::-1] if swapped else tails


def gamma_grid():
    for a in (1e-100, 1e-8, 0.1, 0.999, 1.0, 1.5, 7.0, 33.3, 1e3, 1e8, 1e12, 1e15):
        for x in (1e-300, 1e-3, 0.5, 0.9999, 1.0, 3.0, 700.0):
            if x * 1e3 / max(a, 1.0) > 1e-4:
                yield a, x
        for x in (a - 20 * a**0.5, a - 2 * a**0.5, a - 0.1 * a**0.5, a, a + 0.5 * a**0.5, a + 8 * a**0.5, 2 * a):
            if x > 1e-300:
                yield a, x


def beta_grid():
    shapes = (1e-8, 0.3, 1.0, 1.7, 30.0, 1e12)
    for a in shapes:
        for b in shapes:
            mean = a / (a + b)
            width = (mean * (1 - mean) / (a + b + 1)) ** 0.5
            for x in (1e-20, 0.3, mean, 0.99, mean - 8 * width, mean - 0.5 * width, mean + 3 * width):
                if 0 < x < 1:
                    yield a, b, x


def agree(found, log_found, exact, where):
    """Hold a tail, and its logarithm, to a relative ``1e-15 (8 + |log|)``: near 1 that logarithm is the other tail."""
    with mpmath.workdps(DIGITS):
        assert mpmath.isfinite(exact)
        tail = mpmath.exp(exact)
        if tail > 1e-300:
            assert abs(mpmath.mpf(float(found)) - tail) <= tail * 1e-15 * (8 - exact), (where, found, tail)
        if abs(exact) > 1e-300:
            room = abs(exact) * 1e-15 * (8 + abs(mpmath.log(-exact)))
            assert abs(mpmath.mpf(float(log_found)) - exact) <= room, (where, log_found, exact)


def test_the_incomplete_gamma_functions_are_accurate_in_both_tails():
    points = np.array(list(gamma_grid()))
    columns = [f(*points.T) for f in (math.gammainc, math.log_gammainc, math.gammaincc, math.log_gammaincc)]
    for point, lower, log_lower, upper, log_upper in zip(points, *columns, strict=True):
        exact = gamma_log_tails(*point)
        agree(lower, log_lower, exact[0], ("lower", *point))
        agree(upper, log_upper, exact[1], ("upper", *point))


def test_the_incomplete_beta_functions_are_accurate_in_both_tails():
    points = np.array(list(beta_grid()))
    columns = [f(*points.T) for f in (math.betainc, math.log_betainc, math.betaincc, math.log_betaincc)]
    for point, lower, log_lower, upper, log_upper in zip(points, *columns, strict=True):
        exact = beta_log_tails(*point)
        agree(lower, log_lower, exact[0], ("lower", *point))
        agree(upper, log_upper, exact[1], ("upper", *point))


def test_the_references_are_mpmaths_own_functions_where_these_work():
    with mpmath.workdps(DIGITS):
        for a, x in ((0.3, 0.2), (0.3, 4.0), (7.0, 3.0), (7.0, 30.0)):
            for found, ends in zip(gamma_log_tails(a, x), ((0, x), (x, mpmath.inf)), strict=True):
                assert abs(found - mpmath.log(mpmath.gammainc(a, *ends, regularized=True))) < 1e-30
        for a, b, x in ((0.3, 0.7, 0.2), (0.3, 7.0, 0.9), (7.0, 0.3, 0.1), (7.0, 3.0, 0.2), (7.0, 3.0, 0.9)):
            for found, ends in zip(beta_log_tails(a, b, x), ((0, x), (x, 1)), strict=True):
                assert abs(found - mpmath.log(mpmath.betainc(a, b, *ends, regularized=True))) < 1e-30


def test_ends_and_what_is_no_number():
    nan, inf = np.nan, np.inf
    for lower, upper in ((math.gammainc, math.gammaincc), (math.log_gammainc, math.log_gammaincc)):
        low, high = (0.0, 1.0) if lower is math.gammainc else (-inf, 0.0)
        np.testing.assert_array_equal(lower(2.0, [0.0, inf, nan, -1.0]), [low, high, nan, nan])
        np.testing.assert_array_equal(upper(2.0, [0.0, inf, nan, -1.0]), [high, low, nan, nan])
        np.testing.assert_array_equal(
            lower([0.0, inf, nan, -1.0, inf], [1.0, 1.0, 1.0, 1.0, inf]), [high, low] + [nan] * 3
        )
    for lower, upper in ((math.betainc, math.betaincc), (math.log_betainc, math.log_betaincc)):
        low, high = (0.0, 1.0) if lower is math.betainc else (-inf, 0.0)
        x = [0.0, 1.0, nan, -0.1, 1.1]
        np.testing.assert_array_equal(lower(2.0, 0.5, x), [low, high, nan, nan, nan])
        np.testing.assert_array_equal(upper(2.0, 0.5, x), [high, low, nan, nan, nan])
        np.testing.assert_array_equal(lower([0.0, nan, -1.0, inf], 1.0, 0.5), [high] + [nan] * 3)
        np.testing.assert_array_equal(lower(1.0, [0.0, nan, -1.0, inf], 0.5), [low] + [nan] * 3)
    p = [0.0, 1.0, nan, -0.1, 1.1]
    np.testing.assert_array_equal(math.gammaincinv(2.0, p), [0.0, inf, nan, nan, nan])
    np.testing.assert_array_equal(math.gammainccinv(2.0, p), [inf, 0.0, nan, nan, nan])
    np.testing.assert_array_equal(math.betaincinv(2.0, 0.5, p), [0.0, 1.0, nan, nan, nan])
    np.testing.assert_array_equal(math.betainccinv(2.0, 0.5, p), [1.0, 0.0, nan, nan, nan])
    np.testing.assert_array_equal(math.gammaincinv([0.0, inf, nan, -1.0], 0.5), [nan] * 4)
    np.testing.assert_array_equal(math.betaincinv([0.0, inf, nan, -1.0], 1.0, 0.5), [nan] * 4)
    np.testing.assert_array_equal(math.betaincinv(1.0, [0.0, inf, nan, -1.0], 0.5), [nan] * 4)


PROBABILITIES = [5e-324, 1e-300, 1e-50, 1e-10, 0.01, 0.3, 0.5, 0.7, 0.99, 1 - 1e-10, 1 - 2.0**-53]
SHAPES = [1e-3, 0.1, 0.999, 1.0, 2.0, 50.0, 1e4, 1e12]


def holds(log_lower, log_upper, log_density_at, x, p, upper):
    """Tell whether the tail at x is p, but for an error of 8 ulp in p or of 4 in x."""
    target = np.log(p)
    found = log_upper if upper else log_lower
    slack = np.exp(np.minimum(log_density_at - found, 700.0)) * 4 * EPS * x
    return np.abs(found - target) <= 8 * EPS * (1 + np.abs(target)) + slack


@pytest.mark.parametrize("upper", [False, True])
def test_quantiles_invert_the_incomplete_gamma_functions(upper):
    a, p = (v.ravel() for v in np.meshgrid(SHAPES, PROBABILITIES))
    x = (math.gammainccinv if upper else math.gammaincinv)(a, p)
    seen = x > 1e-300  # a result below the range of a double is 0
    a, p, x = a[seen], p[seen], x[seen]
    density = np.array([float((aa - 1) * np.log(xx) - xx) for aa, xx in zip(a, x, strict=True)]) - math.lgamma(a)
    good = holds(math.log_gammainc(a, x), math.log_gammaincc(a, x), density, x, p, upper)
    assert good.all(), (a[~good], p[~good], x[~good])
    assert seen.sum() > 70


@pytest.mark.parametrize("upper", [False, True])
def test_quantiles_invert_the_incomplete_beta_functions(upper):
    a, b, p = (v.ravel() for v in np.meshgrid(SHAPES, SHAPES, PROBABILITIES))
    x = (math.betainccinv if upper else math.betaincinv)(a, b, p)
    seen = (x > 1e-300) & (x < 1.0)
    a, b, p, x = a[seen], b[seen], p[seen], x[seen]
    density = (a - 1) * np.log(x) + (b - 1) * np.log1p(-x) - math.log_beta(a, b)
    good = holds(math.log_betainc(a, b, x), math.log_betaincc(a, b, x), density, x, p, upper)
    assert good.all(), (a[~good], b[~good], p[~good], x[~good])
    assert seen.sum() > 450


@pytest.mark.parametrize(
    ("found", "exact"),
    [
        (lambda: math.betaincinv(3.0, 100.0, 1e-200), 3.876233241425e-69),
        (lambda: math.log_gammaincc(2.0, 1000.0), -993.0912452205),
        (lambda: math.log_betainc(104.0, 104.0, 1e-20), -4648.791289363),
        (lambda: math.gammainc(1e10, 1e10 - 5e5), 2.865326545109e-07),
        (lambda: math.log_gammaincc(6.0, 1000.0), -970.243708),
    ],
)
def test_values_that_naive_formulas_miss(found, exact):
    np.testing.assert_allclose(found(), exact, rtol=1e-9)
