"""Weigh a run of draws, sum their weights and keep the largest in one compiled call, a chunk at a time."""

from functools import cache
from typing import Any

import numpy as np

from mcvi._kernels.jit import kernel
from mcvi._kernels.reduce import (
    SMALL_POWER,
    centred_moments,
    log_moments,
    merge_centred_moments,
    merge_log_moments,
    merge_moments,
    moments,
)
from mcvi._kernels.tail import keep_largest


@cache
def sweep(weigh: Any, near: bool) -> Any:
    """Return a kernel that adds `count` draws, from number `first` of `data` on, to sums and tails.

    Parameters
    ----------
    weigh
        A kernel of `mcvi._kernels.fused`.
    near
        Whether the sums for small powers are asked for, and the mean.

    Notes
    -----
    The kernel takes
    ``(data, first, count, rows, scale, before, far, mean, centred, signs, keep, kept, sizes, floors)``;
    `rows` draws make a chunk. The states after `before` draws are those of `log_moments`, `moments` and
    `centred_moments`, with a column for each power of the weights; the tails, a row a sign, those of `keep_largest`.
    """

    @kernel
    def run(
        data: Any,
        first: int,
        count: int,
        rows: int,
        scale: Any,
        before: int,
        far: Any,
        mean: Any,
        centred: Any,
        signs: Any,
        keep: int,
        kept: Any,
        sizes: Any,
        floors: Any,
    ) -> None:
        if before == 0:
            far[0], far[1:3], far[3] = -np.inf, 0.0, -np.inf
            mean[:2], mean[2:] = 0.0, -np.inf
            centred[:] = 0.0
        chunk = np.empty(min(rows, count))
        part = np.empty((4, 1))
        for start in range(0, count, rows):
            v = chunk[: min(rows, count - start)]
            weigh(data, first + start, v)
            column = v.reshape(-1, 1)
            for j in range(scale.size):
                state = far[:, j : j + 1]
                log_moments(column, scale[j : j + 1], part)
                merge_log_moments(state, part, state)
            if near:
                total = before + start
                moments(column, part)
                merge_moments(mean, float(total), part, float(v.size), mean)
                for j in range(scale.size):
                    if scale[j] == 0.0 or abs(scale[j]) >= SMALL_POWER:
                        continue
                    state = centred[:, j : j + 1]
                    power = scale[j : j + 1]
                    centre = mean[0] if total == 0 else state[0]
                    centred_moments(column, power, centre, part)
                    if total == 0:
                        state[:, 0] = part[:3, 0]
                    else:
                        merge_centred_moments(state, part, float(v.size), power, state)
            for j in range(signs.size):
                sizes[j], floors[j] = keep_largest(v, signs[j], keep, kept[j], sizes[j], floors[j])

    return run
