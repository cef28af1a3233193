"""Sums for self-normalised means, ``sum(w f) / sum(w)``, and the merging of two such sums."""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import maximum
from mcvi._kernels.compiler.jit import kernel
from mcvi._kernels.sums.moments import largest_of, weight


@kernel(sums=True)
def _weighted_sums(w: Any, f: Any, m: float) -> tuple[float, float, float]:
    """Return the sums of w, w**2 and w f, and leave the weights in the place of their logarithms."""
    first, second, of_f = 0.0, 0.0, 0.0
    for i in range(w.size):
        w[i] = weight(w[i], m)
        first += w[i]
        second += w[i] * w[i]
        of_f += 0.0 if w[i] == 0.0 else w[i] * f[i]
    return first, second, of_f


@kernel(sums=True)
def _weighted_deviations(w: Any, f: Any, c: float) -> tuple[float, float]:
    first, second = 0.0, 0.0
    for i in range(w.size):
        d = 0.0 if w[i] == 0.0 else w[i] * (f[i] - c)
        first += w[i] * d
        second += d * d
    return first, second


@kernel
def weighted_moments(log_w: Any, f: Any, out: Any) -> None:
    """Sums for a self-normalised mean: m = max log w, W1 = sum w, W2 = sum w**2, the weighted mean c of f,
    A = sum w**2 (f - c), B = sum w**2 (f - c)**2, with w = exp(log w - m).

    A value of zero weight takes no part, whatever it is.
    """
    for j in range(log_w.shape[1]):
        weights, values = log_w[:, j].copy(), f[:, j].copy()
        m = largest_of(weights)
        w1, w2, c, a, b = 0.0, 0.0, 0.0, 0.0, 0.0
        if m != -np.inf:
            w1, w2, wf = _weighted_sums(weights, values, m)
            c = wf / w1
            a, b = _weighted_deviations(weights, values, c)
        out[0, j], out[1, j], out[2, j], out[3, j], out[4, j], out[5, j] = m, w1, w2, c, a, b


@kernel
def merge_weighted_moments(a: Any, b: Any, out: Any) -> None:
    """Merge two states of `weighted_moments`: both are scaled to the larger maximum and moved to the common mean."""
    for j in range(a.shape[1]):
        m = maximum(a[0, j], b[0, j])
        wa, wb = weight(a[0, j], m), weight(b[0, j], m)
        w1a, w1b = a[1, j] * wa, b[1, j] * wb
        w1 = w1a + w1b
        difference = b[3, j] - a[3, j]
        if w1b == 0.0:
            c = a[3, j]
        elif w1a == 0.0:
            c = b[3, j]
        elif abs(difference) < np.inf:
            c = a[3, j] + difference * (w1b / w1)
        else:  # an infinite or nan mean: inf - inf must not make nan of inf
            c = a[3, j] * (w1a / w1) + b[3, j] * (w1b / w1)
        first, second, w2 = 0.0, 0.0, 0.0
        for side in range(2):
            state, w = (a, wa) if side == 0 else (b, wb)
            if state[1, j] * w != 0.0:
                shift = state[3, j] - c
                part2 = state[2, j] * (w * w)
                part_a, part_b = state[4, j] * (w * w), state[5, j] * (w * w)
                w2 += part2
                first += part_a + shift * part2
                second += part_b + 2.0 * shift * part_a + shift * shift * part2
        out[0, j], out[1, j], out[2, j], out[3, j], out[4, j], out[5, j] = m, w1, w2, c, first, second
