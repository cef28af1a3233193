"""Moments of log weights and of their powers over the rows of a block, and the merging of two such states.

A block is `(rows, columns)` with a column for each batch member; a state is `(k, columns)`. With few columns each is
copied out and summed by a vectorised loop, which holds many partial sums. With many columns the loop runs over the
columns, and sums runs of 256 rows first. Either way the rounding error hardly grows with the number of rows.
"""

import math
from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import bits_of_float, float_of_bits, maximum
from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.functions.elementary import _LOG2_E, _SIGN_BIT, exp, exp2_nonpositive, expm1, log

# Below this power the logarithm of a mean power loses digits, unless the log weights are centred at their mean.
SMALL_POWER = 0.1

_RUN = 256
# From so many columns on, a loop over them vectorises; of fewer, each is copied out and summed alone.
MANY = 32


@kernel(sums=True)
def largest_of(v: Any) -> float:
    largest = -np.inf
    for i in range(v.size):
        largest = maximum(largest, v[i])
    return largest


@kernel(sums=True)
def _exponential_sums(v: Any, scale: float, centre: float) -> tuple[float, float]:
    factor = scale * _LOG2_E
    first, second = 0.0, 0.0
    for i in range(v.size):
        e = exp2_nonpositive((v[i] - centre) * factor)
        first += e
        second += e * e
    return first, second


@kernel(sums=True)
def smallest_of(v: Any) -> float:
    opposite = -np.inf
    for i in range(v.size):
        opposite = maximum(opposite, -v[i])
    return -opposite


@kernel
def log_moments_of_few(v: Any, scale: Any, out: Any) -> None:
    columns = v.shape[1]
    for j in range(columns):
        flat = v.reshape(-1) if columns == 1 else v[:, j].copy()
        s = scale[j]
        high = largest_of(flat)
        extreme = high if s > 0 else smallest_of(flat)
        m = s * extreme
        first, second = 0.0, 0.0
        if m == np.inf:
            for x in flat:
                first += 1.0 if s * x == np.inf else 0.0
            second = first
        elif m != -np.inf:  # else all weights are zero: (-inf) - (-inf) is nan
            first, second = _exponential_sums(flat, s, extreme)
        out[0, j], out[1, j], out[2, j], out[3, j] = m, first, second, high


@kernel
def log_moments_of_many(v: Any, scale: Any, out: Any) -> None:
    rows, columns = v.shape
    run_first, run_second = np.zeros(columns), np.zeros(columns)
    for j in range(columns):
        out[0, j] = -np.inf
        out[1, j] = 0.0
        out[2, j] = 0.0
        out[3, j] = -np.inf
    for i in range(rows):
        for j in range(columns):
            out[0, j] = maximum(out[0, j], scale[j] * v[i, j])
            out[3, j] = maximum(out[3, j], v[i, j])
    for start in range(0, rows, _RUN):
        for j in range(columns):
            run_first[j] = 0.0
            run_second[j] = 0.0
        for i in range(start, min(start + _RUN, rows)):
            for j in range(columns):
                e = exp2_nonpositive((scale[j] * v[i, j] - out[0, j]) * _LOG2_E)
                run_first[j] += e
                run_second[j] += e * e
        for j in range(columns):
            out[1, j] += run_first[j]
            out[2, j] += run_second[j]
    for j in range(columns):
        if out[0, j] == -np.inf:  # all weights are zero: (-inf) - (-inf) above is nan
            out[1, j], out[2, j] = 0.0, 0.0
        elif out[0, j] == np.inf:
            infinite = 0.0
            for i in range(rows):
                infinite += 1.0 if scale[j] * v[i, j] == np.inf else 0.0
            out[1, j], out[2, j] = infinite, infinite


def log_moments(v: Any, scale: Any, out: Any) -> None:
    """Set the rows of `out` to m = max(scale v), the sum of exp(scale v - m), the sum of its square, and max(v).

    The largest term is exactly 1, so that nothing overflows and nothing that matters underflows. ``-inf`` is a weight
    of zero; nan is kept; where m is +inf both sums are the number of infinite terms.
    """
    (log_moments_of_few if v.shape[1] < MANY else log_moments_of_many)(v, scale, out)


@kernel
def read_power_mean(state: Any, power: Any, n: float, out: Any) -> None:
    """Set rows of `out` to log mean(w**power) / power, its standard error, its bias and the effective sample size.

    `state` is that of `log_moments` with the power as its scale.
    """
    for j in range(power.size):
        m, first, second = state[0, j], state[1, j], state[2, j]
        ess = first * first / second if m != -np.inf else 0.0
        spread = max((n / ess - 1.0) / (n - 1.0), 0.0) if n > 1.0 else np.nan
        spread = spread if ess == ess and m < np.inf else np.nan  # an infinite mean has no error
        out[0, j] = (m + (math.log(first) - math.log(n)) if m != -np.inf else m) / power[j]
        out[1, j] = math.sqrt(spread) / abs(power[j])
        out[2, j] = -0.5 * spread / power[j]
        out[3, j] = ess


@scalar
def weight(m: float, largest: float) -> float:
    # equal first: (-inf) - (-inf) and inf - inf are nan
    return 1.0 if m == largest else exp(m - largest)


@kernel
def merge_log_moments(a: Any, b: Any, out: Any) -> None:
    """Merge two states of `log_moments`: the sums of the smaller maximum are rescaled to the larger one.

    A state of `signed_log_moments` is merged in the same way; it has no fourth row.
    """
    for j in range(a.shape[1]):
        m = maximum(a[0, j], b[0, j])
        wa, wb = weight(a[0, j], m), weight(b[0, j], m)
        out[0, j] = m
        out[1, j] = a[1, j] * wa + b[1, j] * wb
        out[2, j] = a[2, j] * (wa * wa) + b[2, j] * (wb * wb)
        if a.shape[0] == 4:
            out[3, j] = maximum(a[3, j], b[3, j])


@kernel(sums=True)
def _signed_sums(t: Any, f: Any, m: float) -> tuple[float, float]:
    first, second = 0.0, 0.0
    for i in range(t.size):
        e = weight(t[i], m)
        first += float_of_bits(bits_of_float(e) | (bits_of_float(f[i]) & _SIGN_BIT))
        second += e * e
    return first, second


@kernel
def _log_terms(t: Any, f: Any) -> None:
    """Add ``log|f|`` to log weights in their place; a weight of zero counts for nothing unless `f` is nan there."""
    for i in range(t.size):
        term = t[i] + log(abs(f[i]))
        t[i] = -np.inf if t[i] == -np.inf and f[i] == f[i] else term


@kernel
def signed_log_moments(log_w: Any, f: Any, out: Any) -> None:
    """Set rows of `out` to m = max(t), sum of sign(f) exp(t - m), sum of exp(t - m)**2, for t = log|f| + log w."""
    for j in range(log_w.shape[1]):
        t, values = log_w[:, j].copy(), f[:, j].copy()
        _log_terms(t, values)
        m = largest_of(t)
        first, second = 0.0, 0.0
        if m == np.inf:
            for i in range(t.size):
                if t[i] == np.inf:
                    first += math.copysign(1.0, values[i])
                    second += 1.0
        elif m != -np.inf:
            first, second = _signed_sums(t, values, m)
        out[0, j], out[1, j], out[2, j] = m, first, second


@kernel(sums=True)
def _sum(v: Any) -> float:
    total = 0.0
    for i in range(v.size):
        total += v[i]
    return total


@kernel(sums=True)
def _square_deviations(v: Any, centre: float) -> float:
    total = 0.0
    for i in range(v.size):
        d = v[i] - centre
        total += d * d
    return total


@kernel
def moments_of_few(v: Any, out: Any) -> None:
    rows, columns = v.shape
    for j in range(columns):
        flat = v.reshape(-1) if columns == 1 else v[:, j].copy()
        mean = _sum(flat) / rows
        out[0, j], out[1, j], out[2, j] = mean, _square_deviations(flat, mean), largest_of(flat)


@kernel
def moments_of_many(v: Any, out: Any) -> None:
    rows, columns = v.shape
    for j in range(columns):
        out[2, j] = -np.inf
    for i in range(rows):
        for j in range(columns):
            out[2, j] = maximum(out[2, j], v[i, j])
    run = np.zeros(columns)
    for pass_ in range(2):
        for j in range(columns):
            out[pass_, j] = 0.0
        for start in range(0, rows, _RUN):
            for j in range(columns):
                run[j] = 0.0
            for i in range(start, min(start + _RUN, rows)):
                for j in range(columns):
                    if pass_ == 0:
                        run[j] += v[i, j]
                    else:
                        d = v[i, j] - out[0, j]
                        run[j] += d * d
            for j in range(columns):
                out[pass_, j] += run[j]
        if pass_ == 0:
            for j in range(columns):
                out[0, j] /= rows


def moments(v: Any, out: Any) -> None:
    """Set rows of `out` to the mean, the sum of squared deviations from it, and the largest; nan is kept in all."""
    (moments_of_few if v.shape[1] < MANY else moments_of_many)(v, out)


@kernel
def merge_moments(a: Any, count_a: float, b: Any, count_b: float, out: Any) -> None:
    """Merge two states of `moments` (Chan, Golub and LeVeque 1979)."""
    n = count_a + count_b
    for j in range(a.shape[1]):
        difference = b[0, j] - a[0, j]
        if abs(difference) < np.inf:
            out[0, j] = a[0, j] + difference * (count_b / n)
        else:  # an infinite or nan mean: inf - inf must not make nan of inf
            out[0, j] = a[0, j] * (count_a / n) + b[0, j] * (count_b / n)
        out[1, j] = a[1, j] + b[1, j] + difference * difference * (count_a * (count_b / n))
        out[2, j] = maximum(a[2, j], b[2, j])


@kernel(sums=True)
def _centred_sums(v: Any, scale: float, centre: float) -> tuple[float, float]:
    first, second = 0.0, 0.0
    for i in range(v.size):
        x = expm1(scale * (v[i] - centre))
        first += x
        second += x * x
    return first, second


@kernel
def centred_moments(v: Any, scale: Any, centre: Any, out: Any) -> None:
    """Set rows of `out` to the centre c, the sum of x = expm1(scale (v - c)), and the sum of x**2.

    For small `scale`: log mean exp(scale v) / scale = c + log1p(mean x) / scale loses no digits.
    """
    for j in range(v.shape[1]):
        flat = v.reshape(-1) if v.shape[1] == 1 else v[:, j].copy()
        out[0, j] = centre[j]
        out[1, j], out[2, j] = _centred_sums(flat, scale[j], centre[j])


@kernel
def merge_centred_moments(a: Any, b: Any, count_b: float, scale: Any, out: Any) -> None:
    """Merge two states of `centred_moments`; the result has the centre of the first."""
    for j in range(a.shape[1]):
        # e**y - 1 about the other centre: (1 + x) (1 + s) - 1 = x + s + x s
        s = expm1(scale[j] * (b[0, j] - a[0, j]))
        first = b[1, j] * (1.0 + s) + count_b * s
        second = b[2, j] * (1.0 + s) ** 2 + 2.0 * s * (1.0 + s) * b[1, j] + count_b * (s * s)
        out[0, j] = a[0, j]
        out[1, j] = a[1, j] + first
        out[2, j] = a[2, j] + second


@kernel
def all_below_infinity(v: Any) -> bool:
    """Tell whether no number of a flat array is nan or +inf."""
    return largest_of(v) < np.inf
