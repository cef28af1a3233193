"""Counter-based gamma draws, themselves or their logarithms: for Gamma, Beta, Dirichlet and negative binomial draws.

Marsaglia and Tsang, "A simple method for generating gamma variables", ACM Trans. Math. Softw. 26 (2000) 363,
doi:10.1145/358407.358414: for a shape a >= 1 let d = a - 1/3 and v = (1 + z / sqrt(9 d))**3 with a standard normal z;
accept d v with probability exp(z**2 / 2 + d (1 - v + log v)), at least 0.95. A shape below 1 is drawn at a + 1 and
multiplied by u**(1 / a).

The first attempt of a whole tile vectorises. The few elements that it rejects try again one by one, each from further
words under its own address, so a draw is still a function of the key, its slot and its position.
Slots: `slot` the normals, ``slot + 1`` the uniforms that accept, ``slot + 2`` those of shapes below 1, and from
``slot + 3`` on two for each further attempt. Leave 2**32 slots to each independent gamma draw of an element.
"""

import math
from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import column
from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.draws.noise import normal_pair, normal_tile, uniform_tile
from mcvi._kernels.draws.threefry import MOST_ATTEMPTS, threefry, unit_interval
from mcvi._kernels.functions.elementary import exp, log, log1p, log_positive

#: How far apart the slots of independent gamma draws of one element stand.
SLOTS = np.uint64(1 << 32)

_ONE = np.uint64(1)
_TWO = np.uint64(2)
_THREE = np.uint64(3)
_RUN = 512
_SMALLEST = 2.2250738585072014e-308
_LARGEST = 1.7976931348623157e308
_BELOW_ONE = 1.0 - 2.0**-53
# exp(-_FAR) is a normal number.
_FAR = 700.0


@scalar
def constants(shape: float) -> Any:
    """Return d, 1 / sqrt(9 d), and the power of the uniform that completes a shape below 1 (else 0)."""
    small = shape < 1.0
    d = (shape + 1.0 if small else shape) - 1.0 / 3.0
    # Below 1e-300 the log of a draw would not be a number any more.
    return d, 1.0 / math.sqrt(9.0 * d), 1.0 / (shape if shape > 1e-300 else 1e-300) if small else 0.0


@scalar
def _log_acceptance(z: float, x: float, log1p_x: float, d: float) -> float:
    # z**2/2 + d (1 - v + log v) with v = (1 + x)**3, multiplied out: nothing near 1 cancels when d is large.
    return 0.5 * z * z + 3.0 * d * (log1p_x - x * (1.0 + x * (1.0 + x * (1.0 / 3.0))))


@scalar
def _attempts(key0: Any, key1: Any, address: Any, slot: Any, d: float, c: float) -> Any:
    """Return the first accepted x, such that d (1 + x)**3 is the draw; nan for a shape that is nan."""
    for _ in range(MOST_ATTEMPTS):
        a, b = threefry(key0, key1, address, slot)
        u, _ = threefry(key0, key1, address, slot + _ONE)
        z, _ = normal_pair(a, b)
        x = c * z
        if x > -1.0 and log_positive(unit_interval(u)) < _log_acceptance(z, x, log1p(x), d):
            return x
        slot = slot + _TWO
    return np.nan


@scalar
def gamma_draw(key0: Any, key1: Any, address: Any, slot: Any, shape: float) -> Any:
    """Return one gamma draw of scale 1, by a scalar loop; 0 if it is too small for a number."""
    d, c, power = constants(shape)
    x = _attempts(key0, key1, address, slot + _THREE, d, c)
    draw = d * ((1.0 + x) * (1.0 + x) * (1.0 + x))
    if power > 0.0:
        u, _ = threefry(key0, key1, address, slot + _TWO)
        draw = draw * exp(power * log_positive(unit_interval(u)))
    return draw


@scalar
def _held(x: float) -> float:
    """Return `x` moved into the range of normal numbers: no draw is 0 or inf; nan stays."""
    x = _SMALLEST if x < _SMALLEST else x
    return _LARGEST if x > _LARGEST else x


@scalar
def _value(x: float, log1p_x: float, factor: float, logs: bool) -> float:
    return factor + 3.0 * log1p_x if logs else factor * ((1.0 + x) * (1.0 + x) * (1.0 + x))


@scalar
def _propose(z: Any, u: Any, table: Any, logs: bool, draw: Any) -> None:
    """Set `draw` to the first attempts; nan where it is rejected."""
    for i in range(draw.size):
        d, c, factor, _ = column(table, i, 4)
        x = c * z[i]
        log1p_x = log1p(x)  # nan below -1: rejected
        accepted = log_positive(u[i]) < _log_acceptance(z[i], x, log1p_x, d)
        draw[i] = _value(x, log1p_x, factor, logs) if accepted else np.nan


@scalar
def _boost(u: Any, table: Any, logs: bool, draw: Any) -> None:
    for i in range(draw.size):
        log_boost = table[3, i] * log_positive(u[i])
        # A boost that underflows may meet a large scale: in two factors, of which the second is nearly always 1.
        near = log_boost if log_boost > -_FAR else -_FAR
        draw[i] = draw[i] + log_boost if logs else draw[i] * exp(near) * exp(log_boost - near)


def _draws(logs: bool) -> Any:
    @kernel
    def draws(key0: Any, key1: Any, slot: Any, first_tile: int, tile: int, table: Any, boosted: bool, out: Any) -> None:
        half, length = tile // 2, table.shape[1]
        z, u, words = np.empty(tile), np.empty(tile), np.empty(tile, np.uint64)
        for t in range(-(-out.size // tile)):
            draw = out[t * tile : (t + 1) * tile]
            normal_tile(key0, key1, slot, first_tile + t, half, words, z)
            uniform_tile(key0, key1, slot + _ONE, first_tile + t, half, u)
            # Slices, because an index with an offset keeps a loop from vectorising.
            for start in range(0, draw.size, length):
                run = slice(start, min(start + length, draw.size))
                _propose(z[run], u[run], table, logs, draw[run])
            for i in range(draw.size):
                if draw[i] != draw[i]:
                    d, c, factor, _ = column(table, i % length, 4)
                    address = np.uint64((first_tile + t) * tile + i)
                    x = _attempts(key0, key1, address, slot + _THREE, d, c)
                    draw[i] = _value(x, log1p(x), factor, logs)
            if boosted:
                uniform_tile(key0, key1, slot + _TWO, first_tile + t, half, u)
                for start in range(0, draw.size, length):
                    run = slice(start, min(start + length, draw.size))
                    _boost(u[run], table, logs, draw[run])
            if not logs:
                for i in range(draw.size):
                    draw[i] = _held(draw[i])

    return draws


_plain = _draws(False)
_in_logs = _draws(True)


@kernel
def _exponentials(draw: Any) -> None:
    for i in range(draw.size):
        draw[i] = _held(exp(draw[i]))


@kernel
def gammas(key0: Any, key1: Any, slot: Any, first: int, shape: Any, out: Any) -> None:
    """Set ``out[i]`` to a gamma draw of scale 1 and shape ``shape[i]``; `first` is the address of ``out[0]``."""
    for i in range(out.size):
        out[i] = _held(gamma_draw(key0, key1, np.uint64(first + i), slot, shape[i]))


@kernel
def _table(shape: Any, rate: Any, logs: bool, out: Any) -> None:
    for j in range(shape.size):
        d, c, power = constants(shape[j])
        out[0, j], out[1, j], out[3, j] = d, c, power
        out[2, j] = log(d) - log(rate[j]) if logs else d / rate[j]


def fill_gammas(
    words: Any, slot: int, first_tile: int, tile: int, shape: Any, rate: Any, out: Any, *, logs: bool = False
) -> None:
    """Fill `out`, which begins at tile `first_tile`, with gamma draws or their logs.

    Element `i` of a tile has shape and rate number ``i % shape.size``. Draws too small or too large for a normal number
    are held at the nearest one; their logs are not.
    """
    if shape.size == 1:  # a run long enough to vectorise
        shape, rate = np.full(_RUN, shape[0]), np.full(_RUN, rate[0])
    table = np.empty((4, shape.size))
    _table(shape, rate, logs, table)
    boosted = bool(table[3].any())
    if boosted and not logs and table[2].max() == np.inf:  # a scale that overflows may meet a boost that underflows
        fill_gammas(words, slot, first_tile, tile, shape, rate, out, logs=True)
        _exponentials(out)
        return
    (_in_logs if logs else _plain)(*words, np.uint64(slot), first_tile, tile, table, boosted, out)


@kernel
def _shares(log1: Any, log0: Any) -> None:
    for i in range(log1.size):
        x = 1.0 / (1.0 + exp(log0[i] - log1[i]))
        x = _SMALLEST if x < _SMALLEST else x
        log1[i] = _BELOW_ONE if x > _BELOW_ONE else x


def fill_betas(words: Any, slot: int, first_tile: int, tile: int, a: Any, b: Any, out: Any) -> None:
    """Fill `out` with beta draws: the share of a gamma draw of shape `a` in its sum with one of shape `b`."""
    other, rate = np.empty_like(out), np.ones(a.size)
    fill_gammas(words, slot, first_tile, tile, a, rate, out, logs=True)
    fill_gammas(words, slot + int(SLOTS), first_tile, tile, b, rate, other, logs=True)
    _shares(out, other)
