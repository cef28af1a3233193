"""The random words against the published known answers, and the addresses of draws."""

import mpmath
import numpy as np
import pytest
from numba import njit

from mcvi._kernels.draws import noise
from mcvi._kernels.draws.threefry import threefry, unit_interval
from mcvi.random import Key, as_key, standard_normals, standard_uniforms, tile_rows


@njit
def _words(key0, key1, counter0, counter1):
    return threefry(key0, key1, counter0, counter1)


EPS = np.finfo(float).eps

# Random123 (D. E. Shaw Research), examples/kat_vectors, "threefry2x64 13": counter, key, result.
KNOWN = [
    ((0, 0), (0, 0), (0xF167B032C3B480BD, 0xE91F9FEE4B7A6FB5)),
    ((2**64 - 1, 2**64 - 1), (2**64 - 1, 2**64 - 1), (0xCCDEC5C917A874B1, 0x4DF53ABCA26CEB01)),
    (
        (0x243F6A8885A308D3, 0x13198A2E03707344),
        (0xA4093822299F31D0, 0x082EFA98EC4E6C89),
        (0xC3AAC71561042993, 0x3FE7AE8801AFF316),
    ),
]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_words_are_the_published_known_answers(counter, key, result):
    words = _words(*map(np.uint64, key), *map(np.uint64, counter))
    assert tuple(int(word) for word in words) == result


@njit
def _unit(word):
    return unit_interval(word)


def test_uniforms_are_never_0_nor_1():
    assert _unit(np.uint64(0)) == 2.0**-53
    assert _unit(np.uint64(2**64 - 1)) == 1.0 - 2.0**-53


@njit
def _pair(first, second):
    return noise.normal_pair(first, second)


CORNERS = [0, 1, 2, 3, 2**12 - 1, 2**12, 2**63 - 1, 2**63, 2**64 - 2**12, 2**64 - 1]
RANDOM = [int(word) for word in np.random.default_rng(0).integers(0, 2**64, 400, np.uint64)]


@pytest.mark.parametrize(
    "words", [[(a, b) for a in CORNERS for b in CORNERS], list(zip(RANDOM, RANDOM[::-1], strict=True))]
)
def test_normals_are_the_polar_form_of_a_uniform_point_within_4_eps(words):
    mpmath.mp.prec = 200
    for first, second in words:
        radius = mpmath.sqrt(-2 * mpmath.log(((first >> 12) + mpmath.mpf(1) / 2) / 2**52))
        angle = mpmath.pi / 2 * (((second >> 13) + mpmath.mpf(1) / 2) / 2**51 - mpmath.mpf(1) / 2)
        pair = [radius * mpmath.cos(angle) * (-1) ** (second & 1), radius * mpmath.sin(angle)]
        expected = pair[::-1] if second & 2 else pair
        for ours, exact in zip(_pair(np.uint64(first), np.uint64(second)), expected, strict=True):
            assert abs(ours - exact) <= 4 * EPS * abs(exact)


@pytest.mark.parametrize("fill", [standard_uniforms, standard_normals])
@pytest.mark.parametrize("elements", [1, 3, 10, 1000, 5000])
def test_a_draw_does_not_depend_on_how_the_work_is_cut(fill, elements):
    key, rows = as_key(7), tile_rows(elements)
    whole = fill(key, 0, 5 * rows + 1, elements)
    for first, count in [(0, 1), (rows, 1), (2 * rows, 3 * rows), (5 * rows, 1)]:
        part = fill(key, first, count, elements)
        np.testing.assert_array_equal(part, whole[first * elements : (first + count) * elements])


def test_keys_and_slots_give_other_draws():
    a = standard_uniforms(Key(1), 0, 1000, 1)
    assert not np.isin(a, standard_uniforms(Key(2), 0, 1000, 1)).any()
    assert not np.isin(a, standard_uniforms(Key(1), 0, 1000, 1, slot=1)).any()
    assert np.unique(standard_uniforms(Key(1), 0, 2**17, 1)).size == 2**17


def test_addresses_beyond_32_bits_are_distinct():
    rows = tile_rows(1)
    far = standard_uniforms(Key(3), 2**40 * rows, 100, 1)
    assert not np.isin(far, standard_uniforms(Key(3), 0, 2 * rows, 1)).any()


def test_float32_uniforms_lie_strictly_inside():
    u = np.array([2.0**-53, 0.5, 1.0 - 2.0**-53])
    out = np.empty(3, np.float32)
    noise.round_to_float32(u, out)
    assert (out > 0).all()
    assert (out < 1).all()
    assert out.dtype == np.float32


def test_float32_draws_are_those_of_float64_rounded():
    key = as_key(5)
    for fill in (standard_uniforms, standard_normals):
        wide, narrow = fill(key, 0, 5000, 1), fill(key, 0, 5000, 1, dtype=np.float32)
        assert narrow.dtype == np.float32
        np.testing.assert_allclose(narrow, wide, atol=2.0**-24 if fill is standard_uniforms else 3e-7)
