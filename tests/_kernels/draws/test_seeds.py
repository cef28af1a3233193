"""Keys of seeds: bit for bit those that NumPy's SeedSequence gives."""

import numpy as np
import pytest

from mcvi._kernels.draws.seeds import hashed_seed
from mcvi.random import Key, as_key

CORNERS = [0, 1, 2**16, *(2**bits + change for bits in (32, 64, 96, 128, 160, 200) for change in (-1, 0, 1))]
DRAWN = [
    int(word) >> int(shift) for word, shift in np.random.default_rng(5).integers(0, [2**64, 60], (2000, 2), np.uint64)
]


def expected(*entropy):
    low, high = np.random.SeedSequence(entropy if len(entropy) > 1 else entropy[0]).generate_state(2, np.uint64)
    return int(low) | int(high) << 64


@pytest.mark.parametrize("seed", CORNERS)
def test_a_corner_seed_has_the_key_of_numpy(seed):
    assert as_key(seed).value == expected(seed)


def test_many_seeds_have_the_keys_of_numpy():
    assert [as_key(seed).value for seed in DRAWN] == [expected(seed) for seed in DRAWN]


@pytest.mark.parametrize("index", [0, 1, 2**31, 2**32, 2**64 + 5])
@pytest.mark.parametrize("value", [0, 7, 2**32, 2**97 + 3, 2**128 - 1])
def test_children_have_the_keys_of_numpy(value, index):
    assert Key(value).child(index).value == expected(value, index)


@pytest.mark.parametrize("words", range(1, 12))
def test_seeds_of_any_length(words):
    seed = np.arange(1, words + 1, dtype=np.uint32) * np.uint32(0x9E3779B9)
    assert hashed_seed(seed) == tuple(np.random.SeedSequence([int(w) for w in seed]).generate_state(2, np.uint64))
