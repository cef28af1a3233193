"""Gamma draws: the right law at every shape, a function of the address, never 0 and never infinite."""

import numba
import numpy as np
import pytest
from scipy.special import gammainc

from mcvi._kernels.draws.gammas import SLOTS, fill_betas, fill_gammas, gamma_draw
from mcvi.random import as_key

FALSE_FAIL = 1e-9
N = 428_329  # Kolmogorov's distance is then resolved to 0.01
SHAPES = [1e-3, 0.05, 0.5, 0.999, 1.0, 1.3, 7.0, 400.0, 1e10]
TILE = 1024


def draws(shape, n, rate=1.0, slot=0, first_tile=0, logs=False):
    out = np.empty(n)
    shape = np.atleast_1d(np.asarray(shape, float))
    fill_gammas(as_key(1).words, slot, first_tile, TILE, shape, np.full(shape.size, rate), out, logs=logs)
    return out


def distance(u):
    u, steps = np.sort(u), np.arange(u.size + 1) / u.size
    return max(np.max(steps[1:] - u), np.max(u - steps[:-1]))


LIMIT = np.sqrt(np.log(2 / FALSE_FAIL) / (2 * N))


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES)
def test_draws_follow_the_gamma_law(shape):
    x = draws(shape, N)
    # Below the smallest normal number all mass is held in one point; it is spread over its share of the law.
    floor = np.finfo(float).tiny
    u = gammainc(shape, x)
    held = x == floor
    u[held] *= np.random.default_rng(0).uniform(size=held.sum())
    assert distance(u) < LIMIT


@pytest.mark.parametrize("shape", SHAPES)
def test_logs_are_those_of_the_draws(shape):
    x, log_x = draws(shape, 5000), draws(shape, 5000, logs=True)
    seen = x > np.finfo(float).tiny
    np.testing.assert_allclose(log_x[seen], np.log(x[seen]), rtol=1e-13, atol=1e-13)
    assert np.all(np.isfinite(log_x))
    assert np.all(log_x[~seen] < -700.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_scalar_version_follows_the_law_too(shape):
    key = as_key(2)

    @numba.njit
    def many(key0, key1, n, slots, a):
        out = np.empty(n)
        for i in range(n):
            out[i] = gamma_draw(key0, key1, np.uint64(i), slots, a)
        return out

    x = many(*key.words, N, SLOTS, shape)
    u = gammainc(shape, x)
    zero = x < np.finfo(float).tiny
    u[zero] = np.random.default_rng(0).uniform(size=zero.sum()) * gammainc(shape, np.finfo(float).tiny)
    assert distance(u) < LIMIT


def test_slots_and_addresses_are_independent():
    x, y = draws(2.0, N), draws(2.0, N, slot=int(SLOTS))
    standard = [(v - v.mean()) / v.std() for v in (x, y)]
    z = 6.11 / np.sqrt(N)
    assert abs(np.mean(standard[0] * standard[1])) < z
    assert abs(np.mean(standard[0][1:] * standard[0][:-1])) < z
    # The second half of a tile shares its counters' other word with the first.
    tiles = standard[0][: N // TILE * TILE].reshape(-1, 2, TILE // 2)
    assert abs(np.mean(tiles[:, 0] * tiles[:, 1])) < z * np.sqrt(2)


@pytest.mark.parametrize("logs", [False, True])
def test_a_tile_can_be_drawn_alone(logs):
    shape = [0.2, 3.0, 1.0, 50.0]
    whole = draws(shape, 5 * TILE + 8, logs=logs)
    np.testing.assert_array_equal(draws(shape, 2 * TILE, first_tile=1, logs=logs), whole[TILE : 3 * TILE])
    np.testing.assert_array_equal(draws(shape, 20, first_tile=5, logs=logs)[:8], whole[5 * TILE :])


def test_a_run_of_shapes_repeats_along_a_tile():
    mixed, alone = draws([3.0, 50.0], TILE), draws(50.0, TILE)
    np.testing.assert_array_equal(mixed[1::2], alone[1::2])


def test_draws_beyond_the_numbers_are_held():
    tiny, huge = np.finfo(float).tiny, np.finfo(float).max
    assert draws(1e-5, 1000).min() == tiny
    assert draws(2.0, 1000, rate=1e300).min() > 0.0
    assert set(draws(1e300, 100, rate=1e-300)) == {huge}
    assert np.all(np.isfinite(draws(5e-324, 100, logs=True)))


def test_shapes_without_bound_keep_their_spread():
    for shape in (1e15, 1e20):
        z = (draws(shape, 100_000, logs=True) - np.log(shape)) * np.sqrt(shape)
        # The rounding of log(shape), about 46, limits what can be seen of a relative spread of 1 / sqrt(shape).
        tolerance = 6.11 / np.sqrt(100_000) + 8e-15 * np.sqrt(shape)
        assert abs(z.mean()) < tolerance
        if shape == 1e15:
            assert abs(z.std() - 1.0) < tolerance


@pytest.mark.parametrize(("a", "b", "end"), [(1.0, 1e-3, 1.0 - 2.0**-53), (1e-3, 1.0, np.finfo(float).tiny)])
def test_beta_draws_are_held_inside_the_unit_interval(a, b, end):
    out = np.empty(5000)
    fill_betas(as_key(1).words, 0, 0, TILE, np.array([a]), np.array([b]), out)
    assert (out == end).any()
    assert (out > 0.0).all()
    assert (out < 1.0).all()


def test_logs_of_draws_of_the_smallest_shapes_are_finite():
    # A shape below 1e-300 counts as 1e-300: its logarithms are those of uniforms, times 1e300.
    log_x = draws(1e-305, 5000, logs=True)
    assert np.isfinite(log_x).all()
    assert -1.2e300 < np.median(log_x) / np.log(2.0) < -0.8e300
