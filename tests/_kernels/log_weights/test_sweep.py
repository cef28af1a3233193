"""A sweep over draws, in chunks of any length and in several calls, against sums over all log weights at once."""

from itertools import pairwise

import numpy as np
import pytest

from mcvi._kernels.log_weights.arguments import Given, State
from mcvi._kernels.log_weights.numbers import log_weights_known
from mcvi._kernels.log_weights.sweep import sweep
from mcvi._kernels.sums import moments, tail

INF = np.inf
POWERS = {"none": [], "one": [0.5], "small": [0.05], "several": [1.0, -0.01, 0.0, -2.0]}


def state(powers, members, means, signs, keep, room):
    scale = np.array(powers).reshape(-1, 1) * np.linspace(1.0, 0.9, members)
    near = (np.full((3, members), 99.0), np.zeros((len(powers), 3, members)))
    return State(
        scale=scale,
        log_moments=np.full((len(powers), 4, members), 99.0),
        moments=near[0] if means else np.empty((3, 0)),
        centred_moments=near[1] if means else np.empty((0, 3, 0)),
        signs=np.array(signs, float),
        keep=keep,
        values=np.full((len(signs), members, room), np.nan),
        sizes=np.zeros((len(signs), members), np.int64),
        floors=np.full((len(signs), members), -INF),
    )


def swept(v, found, rows, cuts, first=0):
    """Add the rows of log weights to a state, in several calls."""
    bounds = [0, *cuts, len(v)]
    flat = np.concatenate([np.full(first * v.shape[1], 7.0), v.reshape(-1)])
    for start, stop in pairwise(bounds):
        sweep(log_weights_known, Given(log_p=flat), first + start, stop - start, rows, start, found)


def check(found, v, rel=1e-12):
    members = v.shape[1]
    for j, scale in enumerate(found.scale):
        right = np.empty((4, members))
        moments.log_moments(v, scale, right)
        np.testing.assert_allclose(found.log_moments[j], right, rel)
    if found.moments.size:
        right = np.empty((3, members))
        moments.moments(v, right)
        np.testing.assert_allclose(found.moments, right, rel, atol=1e-13)
        for j, scale in enumerate(found.scale):
            small = (scale != 0) & (abs(scale) < moments.SMALL_POWER)
            if small.any():
                centre, right = found.centred_moments[j, 0].copy(), np.empty((3, members))
                moments.centred_moments(v, scale, centre, right)
                np.testing.assert_allclose(found.centred_moments[j], right, rel, atol=1e-11)
            else:
                np.testing.assert_array_equal(found.centred_moments[j], 0.0)
    for k, sign in enumerate(found.signs):
        for j in range(members):
            kept = np.sort(found.values[k, j, : found.sizes[k, j]])[-found.keep :]
            np.testing.assert_array_equal(kept, np.sort(sign * v[:, j])[-found.keep :])


def log_weights(n, members, seed=0):
    return np.random.default_rng([n, members, seed]).normal(0.0, 2.0, (n, members))


@pytest.mark.parametrize("members", [1, 3, 31, 32, 40])
@pytest.mark.parametrize("powers", POWERS)
@pytest.mark.parametrize("means", [False, True])
@pytest.mark.parametrize("signs", [(), (1,), (1, -1)])
def test_a_sweep_adds_all_that_is_asked_for(members, powers, means, signs):
    v = log_weights(300, members)
    found = state(POWERS[powers], members, means, signs, 20, 20 + tail.slack(members))
    swept(v, found, 64, [100], first=5)
    check(found, v)


@pytest.mark.parametrize("members", [1, 40])
@pytest.mark.parametrize("rows", [1, 7, 99, 100, 101, 1000])
@pytest.mark.parametrize("cuts", [[], [1], [50, 51]])
def test_however_the_draws_are_cut(members, rows, cuts):
    v = log_weights(100, members)
    found = state([0.5, 0.01], members, True, (1,), 10, 100)
    swept(v, found, rows, cuts)
    check(found, v)
    # The small powers stand about the mean of the first chunk.
    chunk = v[: min(rows, *cuts, len(v))]
    np.testing.assert_allclose(found.centred_moments[1, 0], chunk.mean(axis=0), 1e-12, atol=1e-14)


@pytest.mark.parametrize("members", [1, 40])
def test_infinities_and_nan_go_through(members):
    v = log_weights(50, members)
    v[3, 0], v[40, 0] = INF, -INF
    v[20, -1] = np.nan if members > 1 else v[20, -1]
    found = state([1.0], members, False, (), 1, 1)
    swept(v, found, 16, [])
    right = np.empty((4, members))
    moments.log_moments(v, found.scale[0], right)
    columns = slice(0, members - 1) if members > 1 else slice(0, 1)
    np.testing.assert_allclose(found.log_moments[0][:, columns], right[:, columns], 1e-13)
    if members > 1:
        assert np.isnan(found.log_moments[0][[0, 3], -1]).all()


def test_an_empty_batch_costs_nothing():
    found = state([1.0], 0, False, (1,), 1, 1)
    swept(np.empty((10, 0)), found, 4, [])
    assert found.sizes.size == 0


def test_read_only_draws_are_taken():
    flat = np.zeros(5)
    flat.flags.writeable = False
    found = state([1.0], 1, False, (), 1, 1)
    sweep(log_weights_known, Given(log_p=flat), 0, 5, 2, 0, found)
    np.testing.assert_array_equal(found.log_moments[0, :, 0], [0, 5, 5, 0])
