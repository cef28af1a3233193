"""Poisson and binomial draws with addresses: by inversion if they are few, else by transformed rejection.

Hörmann, "The transformed rejection method for generating Poisson random variables", Insurance: Mathematics and
Economics
12 (1993) 39, doi:10.1016/0167-6687(93)90997-4 (PTRS), and "The generation of binomial random variates", Journal of
Statistical Computation and Simulation 46 (1993) 101, doi:10.1080/00949659308811496 (BTRS). Their acceptance tests are
written with `log_poisson` and `log_binomial`, so that they hold for means as large as 1e300.
Attempt `i` of an element takes the two words of slot ``slot + i``.
"""

import math
from typing import Any

import numpy as np

from mcvi._kernels.counts import log_binomial, log_poisson
from mcvi._kernels.elementary import exp, log, log1p, log_positive
from mcvi._kernels.jit import kernel, scalar
from mcvi._kernels.threefry import threefry, unit_interval

_ONE = np.uint64(1)

# Where the rejection methods begin to be valid.
_FEW = 10.0
# Inversion stops here at the latest: a mean of 10 leaves nothing that a float64 uniform could reach.
_MOST = 200.0
# Above, no count is a finite number with a standard deviation: the mean itself is returned.
_HUGE = 1e300


@scalar
def poisson_constants(rate: float) -> Any:
    """Return what `poisson_draw` takes: the rate, the first probability of inversion, and PTRS's b, a, 1/alpha, v_r."""
    b = 0.931 + 2.53 * math.sqrt(rate)
    return (
        rate,
        exp(-rate),
        b,
        -0.059 + 0.02483 * b,
        1.1239 + 1.1328 / (b - 3.4),
        0.9277 - 3.6224 / (b - 2.0),
    )


@scalar
def poisson_draw(key0: Any, key1: Any, address: Any, slot: Any, constants: Any) -> Any:
    """Return one Poisson draw."""
    rate, none, b, a, inverse_alpha, v_r = constants
    if rate < _FEW:
        word, _ = threefry(key0, key1, address, slot)
        u = unit_interval(word)
        k, probability, total = 0.0, none, none
        while u > total and k < _MOST:
            k += 1.0
            probability *= rate / k
            total += probability
        return k
    if not rate < _HUGE:
        return rate
    while True:
        first, second = threefry(key0, key1, address, slot)
        slot = slot + _ONE
        u, v = unit_interval(first) - 0.5, unit_interval(second)
        us = 0.5 - abs(u)
        k = np.floor((2.0 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0.0 or (us < 0.013 and v > us):
            continue
        if log_positive(v * inverse_alpha / (a / (us * us) + b)) <= log_poisson(k, rate, 0.0):
            return k


@scalar
def binomial_constants(n: float, p: float, q: float) -> Any:
    """Return what `binomial_draw` takes: n, the smaller probability, whether it is q, and the rest."""
    flipped = p > q
    r, other = (q, p) if flipped else (p, q)
    spread = math.sqrt(n * r * other)
    b = 1.15 + 2.53 * spread
    mode = np.floor((n + 1.0) * r)
    log_r, log_other = log(r), log1p(-r)
    few = n * r < _FEW
    return (
        n,
        r,
        1.0 if flipped else 0.0,
        log_r,
        log_other,
        exp(n * log_other) if few else log_binomial(mode, n, r, other, log_r, log_other),
        b,
        -0.0873 + 0.0248 * b + 0.01 * r,
        (2.83 + 5.1 / b) * spread,
        0.92 - 4.2 / b,
    )


@scalar
def _binomial_of_smaller(key0: Any, key1: Any, address: Any, slot: Any, constants: Any) -> Any:
    n, r, _, log_r, log_other, start, b, a, alpha, v_r = constants
    if n * r < _FEW:
        word, _ = threefry(key0, key1, address, slot)
        u = unit_interval(word)
        k, probability, total, odds = 0.0, start, start, r / (1.0 - r)
        while u > total and k < n and k < _MOST:
            probability *= odds * (n - k) / (k + 1.0)
            k += 1.0
            total += probability
        return k
    while True:
        first, second = threefry(key0, key1, address, slot)
        slot = slot + _ONE
        u, v = unit_interval(first) - 0.5, unit_interval(second)
        us = 0.5 - abs(u)
        k = np.floor((2.0 * a / us + b) * u + n * r + 0.5)
        if us >= 0.07 and v <= v_r:
            return k
        if k < 0.0 or k > n:
            continue
        if log_positive(v * alpha / (a / (us * us) + b)) <= log_binomial(k, n, r, 1.0 - r, log_r, log_other) - start:
            return k


@scalar
def binomial_draw(key0: Any, key1: Any, address: Any, slot: Any, constants: Any) -> Any:
    """Return one binomial draw: of failures if they are the less probable."""
    k = _binomial_of_smaller(key0, key1, address, slot, constants)
    return constants[0] - k if constants[2] > 0.0 else k


@kernel
def fill_poissons(key0: Any, key1: Any, slot: Any, first: int, rates: Any) -> None:
    """Replace rates, the first of which has the address `first`, by Poisson draws."""
    for i in range(rates.size):
        rates[i] = poisson_draw(key0, key1, np.uint64(first + i), slot, poisson_constants(rates[i]))
