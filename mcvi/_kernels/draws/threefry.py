"""Threefry-2x64 with 13 rounds: random words that are a pure function of a key and a counter.

Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011, doi:10.1145/2063384.2063405.
Thirteen rounds are the fewest that pass all of TestU01's BigCrush there; twenty cost a third more a draw.
"""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import float_of_bits
from mcvi._kernels.compiler.jit import scalar

#: A rejection loop gives up after so many attempts, and its draw is nan. At least half of the attempts are accepted
#: where the parameters are numbers, and none where one is nan.
MOST_ATTEMPTS = 1000

_PARITY = np.uint64(0x1BD11BDAA9FC1A22)
_ONE_BITS = np.uint64(0x3FF0000000000000)


# Named, because a function is compiled again for each literal that it is called with.
_12, _16, _21, _24, _31, _32, _42, _64 = (np.uint64(bits) for bits in (12, 16, 21, 24, 31, 32, 42, 64))


@scalar
def _mix(a: Any, b: Any, rotation: Any) -> Any:
    a = a + b
    return a, ((b << rotation) | (b >> (_64 - rotation))) ^ a


@scalar
def threefry(key0: Any, key1: Any, counter0: Any, counter1: Any) -> Any:
    """Return two random 64-bit words."""
    key2 = _PARITY ^ key0 ^ key1
    a, b = counter0 + key0, counter1 + key1
    a, b = _mix(a, b, _16)
    a, b = _mix(a, b, _42)
    a, b = _mix(a, b, _12)
    a, b = _mix(a, b, _31)
    a, b = a + key1, b + key2 + np.uint64(1)
    a, b = _mix(a, b, _16)
    a, b = _mix(a, b, _32)
    a, b = _mix(a, b, _24)
    a, b = _mix(a, b, _21)
    a, b = a + key2, b + key0 + np.uint64(2)
    a, b = _mix(a, b, _16)
    a, b = _mix(a, b, _42)
    a, b = _mix(a, b, _12)
    a, b = _mix(a, b, _31)
    a, b = a + key0, b + key1 + np.uint64(3)
    return _mix(a, b, _16)


@scalar
def unit_interval(word: Any) -> Any:
    """Map a random word to the middle of one of 2**52 equal cells of (0, 1): never 0, never 1."""
    # The top 52 bits become the fraction of a float in [1, 2): no integer conversion, so the loop vectorises.
    return float_of_bits((word >> np.uint64(12)) | _ONE_BITS) - (1.0 - 2.0**-53)
