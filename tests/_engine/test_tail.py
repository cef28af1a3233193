"""The largest log weights, and the k-hats that are fitted to them."""

import numpy as np
import pytest

from mcvi._engine.power_sums import Power, Powers, PowerTail, Tails
from mcvi._engine.tail import RepeatedTail, Tail, TailBuilder, kept_length
from mcvi.diagnostics import khat, tail_length


def tail_of(v, signs=(1,), parts=1):
    n = len(v)
    tails = []
    for part in np.array_split(v, parts):
        builder = TailBuilder(n, v.shape[1], signs, len(part))
        builder.push(np.ascontiguousarray(part))
        tails.append(builder.tail())
    total = tails[0]
    for tail in tails[1:]:
        total = total + tail
    return total


@pytest.mark.parametrize("n", [1, 2, 3, 10, 224, 225, 226, 10_000, 999_999, 1_000_000, 1_000_001, 10**9])
def test_the_tail_and_one_more_are_kept(n):
    assert kept_length(n) == min(min(tail_length(n), 3000) + 1, n)


@pytest.mark.parametrize("columns", [1, 2, 7, 130])
@pytest.mark.parametrize("n", [30, 226, 3000])
@pytest.mark.parametrize("parts", [1, 4])
def test_the_k_hat_is_that_of_all_weights_to_any_power(columns, n, parts):
    v = np.random.default_rng(n).standard_t(3, size=(n, columns))
    tail = tail_of(v, (1, -1), parts)
    np.testing.assert_allclose(tail_of(v, (1,), parts).khat, np.atleast_1d(khat(v)), rtol=1e-10)
    power = np.linspace(0.1, 2.0, columns)
    np.testing.assert_allclose(PowerTail(tail, (1, -1), power).khat, np.atleast_1d(khat(power * v)), rtol=1e-9)
    np.testing.assert_allclose(PowerTail(tail, (1, -1), -power).khat, np.atleast_1d(khat(-power * v)), rtol=1e-9)
    mixed = np.where(np.arange(columns) % 3 == 0, 0.0, np.where(np.arange(columns) % 3 == 1, power, -power))
    found = PowerTail(tail, (1, -1), mixed).khat
    assert np.isnan(found[mixed == 0]).all()
    for j in np.flatnonzero(mixed):
        assert found[j] == pytest.approx(float(khat(mixed[j] * v[:, j])), rel=1e-9)
    swapped = PowerTail(tail_of(v, (-1, 1), parts), (-1, 1), mixed).khat
    np.testing.assert_array_equal(found, swapped)


def test_an_infinite_power_leaves_nothing_to_fit():
    tail = tail_of(np.random.default_rng(0).normal(size=(100, 3)), (1, -1))
    found = PowerTail(tail, (1, -1), np.array([np.inf, 1.0, -np.inf])).khat
    np.testing.assert_array_equal(np.isnan(found), [True, False, True])


def test_tails_of_several_powers_stand_one_after_the_other():
    v = np.random.default_rng(0).normal(size=(100, 2))
    part = PowerTail(tail_of(v), (1,), np.array([1.0, 0.5]))
    found = Tails((part, None, part), 2).khat
    np.testing.assert_array_equal(found, np.concatenate([part.khat, [np.nan, np.nan], part.khat]))


def test_a_tail_is_repeated_member_by_member():
    tail = tail_of(np.random.default_rng(0).normal(size=(100, 2)))
    np.testing.assert_array_equal(RepeatedTail(tail, 3).khat, np.repeat(tail.khat, 3))


def test_floors_are_the_higher_of_two_and_save_work_alone():
    v = np.random.default_rng(0).normal(size=(20_000, 1))
    keep = kept_length(20_000)
    floor = np.sort(v[:, 0])[-keep]
    plain = tail_of(v)
    builder = TailBuilder(20_000, 1, (1,), 20_000, np.array([np.nextafter(floor, -np.inf)]))
    builder.push(v)
    told = builder.tail()
    assert told.khat == plain.khat
    assert told.values.shape[1] <= plain.values.shape[1]
    a, b = Tail(10, (v[:5].T,), np.array([0.5])), Tail(10, (v[5:10].T,), np.array([0.2]))
    assert (a + b).floors == (b + a).floors == 0.5


def test_the_parts_of_a_tail_are_cut_when_they_are_many():
    v = np.random.default_rng(0).normal(size=(60_000, 3))
    tail = tail_of(v, parts=60)
    assert tail.values.shape[1] < 20_000
    for j in range(3):
        keep = kept_length(60_000)
        np.testing.assert_array_equal(np.sort(tail.values[j])[-keep:], np.sort(v[:, j])[-keep:])


@pytest.mark.parametrize(
    ("power", "strength", "small", "extreme", "signs"),
    [
        (0.5, 0.5, False, False, (1,)),
        (-0.5, -0.5, False, False, (-1,)),
        (0.0, 0.0, True, False, ()),
        (0.1, 0.1, False, False, (1,)),
        (np.nextafter(0.1, 0.0), np.nextafter(0.1, 0.0), True, False, (1,)),
        (-0.1, -0.1, False, False, (-1,)),
        (-0.09, -0.09, True, False, (-1,)),
        (np.inf, 1.0, False, True, (1,)),
        (-np.inf, -1.0, False, True, (-1,)),
    ],
)
def test_what_is_special_about_a_power(power, strength, small, extreme, signs):
    for made in (Power.of(power, ()), Power.of(power, (1,)), Power.of(power, (2, 2))):
        np.testing.assert_array_equal(made.value, power)
        np.testing.assert_array_equal(made.strength, strength)
        assert (made.small, made.extreme, made.signs) == (small, extreme, signs)
    assert Power.of(power, (2, 3)).value.shape == (6,)


def test_powers_of_both_signs_together():
    mixed = Power.of(np.array([0.5, -0.5, 0.0]), (3,))
    assert (mixed.small, mixed.extreme, mixed.signs) == (True, False, (1, -1))
    assert Power.of(np.array([0.5, -0.5]), (2,)).small is False
    assert Power.of(np.array([np.inf, 0.5]), (2,)).extreme
    assert Power.of(np.array([-np.inf, 0.5]), (2,)).extreme
    powers = Powers([Power.of(-1.0, ()), Power.of(0.5, ()), Power.of(0.01, ()), Power.of(2.0, ())])
    assert powers.signs == (-1, 1)
    assert powers.centred
    np.testing.assert_array_equal(powers.scale, [[-1.0], [0.5], [0.01], [2.0]])
    assert not Powers([Power.of(-1.0, ()), Power.of(0.5, ())]).centred
    assert Power.of(1.0, (0,)).signs == ()
