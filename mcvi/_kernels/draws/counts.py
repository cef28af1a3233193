"""Poisson and binomial draws: by inversion if they are few, else by transformed rejection.

Hörmann, "The transformed rejection method for generating Poisson random variables", Insurance: Mathematics and
Economics 12 (1993) 39, doi:10.1016/0167-6687(93)90997-4 (PTRS), and "The generation of binomial random variates",
Journal of Statistical Computation and Simulation 46 (1993) 101, doi:10.1080/00949659308811496 (BTRS). Their acceptance
tests are written with `log_poisson` and `log_binomial`, so that they hold for large means.

The constants of a distribution begin with the mean m, a start s and a sign g: a draw is ``s + g k``, where `k` is small
if the mean is. An attempt takes two uniforms, and returns nan if it is rejected; 0 where the mean is small.

`binomials` and `multinomials` draw where the parameters differ from draw to draw: each draw is a function of the key,
its slot, its address and its own parameters.
"""

import math
from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import column
from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.draws.threefry import MOST_ATTEMPTS, threefry, unit_interval
from mcvi._kernels.functions.elementary import exp, log, log1p, log_positive
from mcvi._kernels.functions.log_pmf import log_binomial, log_poisson

#: Below this mean by inversion: the rejection methods begin to be valid there.
FEW = 10.0
#: So many counts are enough for inversion: a mean of 10 leaves 1e-28 of the probability beyond.
TERMS = 64
#: How far apart the slots of independent draws of one element stand.
SLOTS = np.uint64(1 << 32)
#: How many constants `poisson_constants` and `binomial_constants` return.
POISSON, BINOMIAL = 8, 12

_HUGE = 1e300  # rates beyond are returned as they are


@scalar
def poisson_constants(rate: float) -> Any:
    """Return the rate, start and sign, its logarithm, and PTRS's b, a, 1/alpha, v_r."""
    b = 0.931 + 2.53 * math.sqrt(rate)
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    return rate, 0.0, 1.0, log(rate), b, -0.059 + 0.02483 * b, inverse_alpha, 0.9277 - 3.6224 / (b - 2.0)


@scalar
def poisson_attempt(u: float, v: float, constants: Any) -> Any:
    """Return a Poisson draw, or nan."""
    rate, _, _, log_rate, b, a, inverse_alpha, v_r = constants
    u = u - 0.5
    us = 0.5 - abs(u)
    k = np.floor((2.0 * a / us + b) * u + rate + 0.43)
    height = log_positive(v * inverse_alpha / (a / (us * us) + b))
    possible = (k >= 0.0) & ((us >= 0.013) | (v <= us))
    accepted = ((us >= 0.07) & (v <= v_r)) | (possible & (height <= log_poisson(k, rate, log_rate)))
    k = k if accepted else np.nan
    k = k if rate >= FEW else 0.0
    return k if rate < _HUGE else rate


@scalar
def poisson_sums(constants: Any, sums: Any) -> None:
    """Set `sums` to the running sums of the probabilities of 0, 1, ..., the last to 1."""
    rate = constants[0]
    probability = exp(-rate)
    total = probability
    for k in range(sums.size):
        sums[k] = min(total, 1.0)
        probability *= rate / (k + 1.0)
        total += probability
    sums[sums.size - 1] = 1.0


@scalar
def binomial_constants(n: float, p: float, q: float) -> Any:
    """Return mean, start and sign for the rarer outcome, n, its probability r and 1 - r with logarithms, and BTRS's."""
    start, sign, r, other = (n, -1.0, q, p) if p > q else (0.0, 1.0, p, q)
    log_r, log_other = log(r), log1p(-r)
    spread = math.sqrt(n * r * other)
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * r
    mode = np.floor((n + 1.0) * r)
    # BTRS compares with the probability of the mode: its logarithm joins that of alpha.
    height = log((2.83 + 5.1 / b) * spread) + log_binomial(mode, n, r, other, log_r, log_other)
    return n * r, start, sign, n, r, other, log_r, log_other, b, a, height, 0.92 - 4.2 / b


@scalar
def binomial_attempt(u: float, v: float, constants: Any) -> Any:
    """Return a binomial draw, or nan."""
    mean, start, sign, n, r, other, log_r, log_other, b, a, height, v_r = constants
    u = u - 0.5
    us = 0.5 - abs(u)
    k = np.floor((2.0 * a / us + b) * u + mean + 0.5)
    height = height + log_positive(v / (a / (us * us) + b))
    possible = (k >= 0.0) & (k <= n)
    accepted = (us >= 0.07) & (v <= v_r)
    accepted = possible & (accepted | (height <= log_binomial(k, n, r, other, log_r, log_other)))
    k = start + sign * k if accepted else np.nan
    return k if mean >= FEW else 0.0


@scalar
def binomial_sums(constants: Any, sums: Any) -> None:
    """Set `sums` to the running sums of the probabilities of 0, 1, ... of the rarer outcome, the last to 1."""
    n, r, log_other = constants[3], constants[4], constants[7]
    odds, probability = r / (1.0 - r), exp(n * log_other)
    total = probability
    for k in range(sums.size):
        sums[k] = 1.0 if k >= n else min(total, 1.0)
        probability *= odds * (n - k) / (k + 1.0)
        total += probability
    sums[sums.size - 1] = 1.0


@kernel
def invert_poissons(u: Any, rates: Any, out: Any) -> None:
    """Set ``out[i]`` to the Poisson draw at the uniform ``u[i]`` where ``rates[i]`` is small; leave the others."""
    for i in range(out.size):
        rate = rates[i]
        if rate < FEW:
            probability, k = exp(-rate), 0.0
            total = probability
            while u[i] > total and k < TERMS:
                k += 1.0
                probability *= rate / k
                total += probability
            out[i] = k


@scalar
def _binomial(key0: Any, key1: Any, address: Any, slot: Any, n: float, p: float, q: float) -> Any:
    """Return one binomial draw, by a scalar loop; attempt number k takes the two words of ``slot + k``."""
    start, sign, r = (n, -1.0, q) if p > q else (0.0, 1.0, p)
    mean = n * r
    if mean < FEW:
        a, _ = threefry(key0, key1, address, slot)
        u, k = unit_interval(a), 0.0
        odds, probability = r / (1.0 - r), exp(n * log1p(-r))
        total = probability
        while u > total and k < n and k < TERMS:
            probability *= odds * (n - k) / (k + 1.0)
            total += probability
            k += 1.0
        return start + sign * k
    # Most draws are accepted for what is cheap: the constants of the others are worked out when they are needed.
    spread = math.sqrt(n * r * (1.0 - r))
    b = 1.15 + 2.53 * spread
    a, v_r = -0.0873 + 0.0248 * b + 0.01 * r, 0.92 - 4.2 / b
    for attempt in range(MOST_ATTEMPTS if mean < np.inf else 0):
        first, second = threefry(key0, key1, address, slot + np.uint64(attempt))
        u, v = unit_interval(first), unit_interval(second)
        us = 0.5 - abs(u - 0.5)
        k = np.floor((2.0 * a / us + b) * (u - 0.5) + mean + 0.5)
        if us >= 0.07 and v <= v_r and k >= 0.0 and k <= n:
            return start + sign * k
        draw = binomial_attempt(u, v, binomial_constants(n, p, q))
        if draw == draw:
            return draw
    return np.nan


@kernel
def binomials(key0: Any, key1: Any, slot: Any, first: int, n: Any, p: Any, q: Any, out: Any) -> None:
    """Set ``out[i]`` to a binomial draw of ``n[i]`` trials, of success ``p[i]`` and failure ``q[i]``.

    `first` is the address of ``out[0]``. The draw is nan where a parameter is.
    """
    for i in range(out.size):
        out[i] = _binomial(key0, key1, np.uint64(first + i), slot, n[i], p[i], q[i])


@kernel
def multinomials(key0: Any, key1: Any, first: int, n: Any, shares: Any, rests: Any, out: Any) -> None:
    """Set the rows of `out` to multinomial draws: each count is binomial, given those in front of it.

    Row `i` belongs to member ``i % n.size`` of the batch, of ``n`` trials. ``shares[j, k]`` is the probability of
    category `k` among those from `k` on, and ``rests[j, k]`` one minus it. `first` is the address of the first row.
    """
    last = out.shape[1] - 1
    for i in range(out.shape[0]):
        j = i % n.size
        left, slot = n[j], np.uint64(0)
        for k in range(last):
            out[i, k] = _binomial(key0, key1, np.uint64(first + i), slot, left, shares[j, k], rests[j, k])
            left -= out[i, k]
            slot = slot + SLOTS
        out[i, last] = left


def running_sums(fill: Any, constants: int) -> Any:
    """Return a kernel that fills row `j` of `out` by ``fill(column j of a table, row)``."""

    @kernel
    def sums(table: Any, out: Any) -> None:
        for j in range(table.shape[1]):
            fill(column(table, j, constants), out[j])

    return sums
