"""Draws of counts: the constants and the inversion against mpmath, attempts against the published algorithms."""

import math

import mpmath
import numpy as np
import pytest

from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.draws import counts
from mcvi._kernels.draws.attempts import repeated_attempts
from mcvi._kernels.draws.threefry import MOST_ATTEMPTS, threefry, unit_interval

INF = np.inf
KEY = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03)


@kernel
def _uniform_pair(address, slot):
    a, b = threefry(KEY[0], KEY[1], address, slot)
    return unit_interval(a), unit_interval(b)


def uniforms(address, slot):
    return _uniform_pair(np.uint64(address), np.uint64(slot))


def poisson_pmf(rate):
    with mpmath.workdps(40):
        return [
            mpmath.exp(-mpmath.mpf(rate)) * mpmath.mpf(rate) ** k / mpmath.factorial(k) for k in range(counts.TERMS)
        ]


def binomial_pmf(n, r):
    with mpmath.workdps(40):
        r = mpmath.mpf(r)
        return [mpmath.binomial(n, k) * r**k * (1 - r) ** (n - k) if k <= n else 0 for k in range(counts.TERMS)]


def running(pmf):
    with mpmath.workdps(40):
        return np.array([float(mpmath.fsum(pmf[: k + 1])) for k in range(len(pmf))])


@kernel
def poisson_constants(rate):
    return counts.poisson_constants(rate)


@kernel
def binomial_constants(n, p, q):
    return counts.binomial_constants(n, p, q)


def column(constants):
    return np.array(constants).reshape(-1, 1)


@pytest.mark.parametrize("rate", [1e-3, 0.5, 3.0, 9.99])
def test_running_sums_of_poisson_probabilities(rate):
    out = np.empty((2, counts.TERMS))
    both = np.hstack([column(poisson_constants(rate)), column(poisson_constants(1.0))])
    counts.running_sums(counts.poisson_sums, counts.POISSON)(both, out)
    np.testing.assert_allclose(out[0], running(poisson_pmf(rate)), 1e-14)
    np.testing.assert_allclose(out[1], running(poisson_pmf(1.0)), 1e-14)
    assert (out <= 1.0).all()
    assert (out[:, -1] == 1.0).all()


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (5, 0.1), (5, 0.9), (20, 0.49), (60, 0.16), (1000, 0.009)])
def test_running_sums_of_binomial_probabilities(n, p):
    out = np.empty((1, counts.TERMS))
    constants = column(binomial_constants(n, p, 1 - p))
    counts.running_sums(counts.binomial_sums, counts.BINOMIAL)(constants, out)
    np.testing.assert_allclose(out[0], running(binomial_pmf(n, min(p, 1 - p))), 1e-13)
    assert (out[0, n:] == 1.0).all()
    assert (out <= 1.0).all()


def test_poissons_by_inversion():
    rng = np.random.default_rng(1)
    rates = np.concatenate([rng.uniform(0.0, 9.99, 400), [0.0, 5.0, 10.0, 50.0, 9.999]])
    u = np.concatenate([rng.random(400), [0.5, 1 - 2.0**-53, 0.5, 0.5, 2.0**-53]])
    out = np.full(405, -7.0)
    counts.invert_poissons(u, rates, out)
    for x, rate, found in zip(u, rates, out, strict=True):
        if rate >= counts.FEW:
            assert found == -7.0
        else:
            assert found == np.searchsorted(running(poisson_pmf(rate)), x)


def test_the_constants_of_a_poisson():
    rate = 25.0
    b = 0.931 + 2.53 * math.sqrt(rate)
    right = [
        rate,
        0,
        1,
        math.log(rate),
        b,
        -0.059 + 0.02483 * b,
        1.1239 + 1.1328 / (b - 3.4),
        0.9277 - 3.6224 / (b - 2),
    ]
    np.testing.assert_allclose(poisson_constants(rate), right, 1e-15)


@pytest.mark.parametrize("p", [0.3, 0.7])
def test_the_constants_of_a_binomial(p):
    n, r, q = 50.0, min(p, 1 - p), max(p, 1 - p)
    spread = math.sqrt(n * r * q)
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * r
    mode = math.floor((n + 1) * r)
    with mpmath.workdps(30):
        log_pmf = float(mpmath.log(mpmath.binomial(n, mode) * mpmath.mpf(r) ** mode * mpmath.mpf(q) ** (n - mode)))
    height = math.log((2.83 + 5.1 / b) * spread) + log_pmf
    start, sign = (n, -1) if p > 0.5 else (0, 1)
    right = [n * r, start, sign, n, r, q, math.log(r), math.log(q), b, a, height, 0.92 - 4.2 / b]
    np.testing.assert_allclose(binomial_constants(n, p, 1 - p), right, 1e-13)


@kernel
def _attempts(attempt, u, v, constants, out):
    for i in range(out.size):
        out[i] = attempt(u[i], v[i], constants)


def attempted(attempt, u, v, constants):
    out = np.empty(u.size)
    _attempts(attempt, u, v, constants, out)
    return out


def grid():
    side = np.concatenate([np.linspace(0.0005, 0.9995, 61), [2.0**-53, 1 - 2.0**-53, 0.0705, 0.0135]])
    u, v = np.meshgrid(side, side)
    return u.reshape(-1), v.reshape(-1)


@pytest.mark.parametrize("rate", [10.0, 30.0, 1e4])
def test_attempts_at_a_poisson_draw(rate):
    """PTRS of Hörmann (1993)."""
    u, v = grid()
    constants = poisson_constants(rate)
    b, a, inverse_alpha, v_r = constants[4:]
    for x, y, found in zip(u - 0.5, v, attempted(counts.poisson_attempt, u, v, constants), strict=True):
        us = 0.5 - abs(x)
        k = math.floor((2 * a / us + b) * x + rate + 0.43)
        if us >= 0.07 and y <= v_r:
            right = k
        elif k < 0 or (us < 0.013 and y > us):
            right = math.nan
        else:
            above = math.log(y * inverse_alpha / (a / us**2 + b)) - (-rate + k * math.log(rate) - math.lgamma(k + 1))
            if abs(above) < 1e-9:
                continue
            right = k if above < 0 else math.nan
        np.testing.assert_equal(found, right)


@pytest.mark.parametrize(("n", "p"), [(30, 0.4), (1000, 0.03), (40, 0.7), (25, 0.4)])
def test_attempts_at_a_binomial_draw(n, p):
    """BTRS of Hörmann (1993)."""
    u, v = grid()
    constants = binomial_constants(n, p, 1 - p)
    mean, start, sign, _, r, q, _, _, b, a, height, v_r = constants
    for x, y, found in zip(u - 0.5, v, attempted(counts.binomial_attempt, u, v, constants), strict=True):
        us = 0.5 - abs(x)
        k = math.floor((2 * a / us + b) * x + mean + 0.5)
        if not 0 <= k <= n:
            right = math.nan
        elif us >= 0.07 and y <= v_r:
            right = start + sign * k
        else:
            log_pmf = math.log(math.comb(n, k)) + k * math.log(r) + (n - k) * math.log(q)
            above = height + math.log(y / (a / us**2 + b)) - log_pmf
            if abs(above) < 1e-9:
                continue
            right = start + sign * k if above < 0 else math.nan
        np.testing.assert_equal(found, right)


def test_small_and_huge_means_are_not_attempted():
    (u, v), few = grid(), binomial_constants(20.0, 0.4, 0.6)
    assert (attempted(counts.poisson_attempt, u, v, poisson_constants(9.0)) == 0).all()
    assert (attempted(counts.poisson_attempt, u, v, poisson_constants(1e301)) == 1e301).all()
    assert (attempted(counts.binomial_attempt, u, v, few) == 0).all()


@scalar
def below(u, v, constants):
    (limit,) = constants
    return 8.0 * v + u if u < limit else np.nan


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 900])
@pytest.mark.parametrize("limits", [[0.9], [0.5, 0.05, 0.99]])
def test_rejected_elements_try_again_each_with_its_own_words(size, limits):
    first, slot = 1000, 2
    out = np.where(np.arange(size) % 4 == 0, 7.0, np.nan)
    right = out.copy()
    for i in np.flatnonzero(np.isnan(out)).tolist():
        for attempt in range(MOST_ATTEMPTS):
            u, v = uniforms(first + i, slot + attempt)
            if u < limits[i % len(limits)]:
                right[i] = 8.0 * v + u
                break
    repeated_attempts(below, 1)(*KEY, np.uint64(slot), first, np.array([limits]), out)
    np.testing.assert_array_equal(out, right)


def test_attempts_end():
    out = np.array([np.nan, 1.0, np.nan])
    repeated_attempts(below, 1)(*KEY, np.uint64(0), 0, np.array([[0.0, 0.0, 2.0]]), out)
    assert (math.isnan(out[0]), out[1], math.isnan(out[2])) == (True, 1.0, False)
