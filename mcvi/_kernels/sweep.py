"""Weigh a run of draws, sum their weights and keep the largest in one compiled call, a chunk at a time."""

from functools import cache
from typing import Any

import numpy as np

from mcvi._kernels.jit import kernel, scalar
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


@scalar
def _some_small(scale: Any) -> bool:
    for s in scale:
        if s != 0.0 and abs(s) < SMALL_POWER:
            return True
    return False


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
    ``(data, first, count, rows, scale, before, far, mean, centred, signs, keep, kept, sizes, floors)``, where `rows`
    draws make a chunk, and `scale` is ``(powers, columns)``, a column for each member of the batch. The states after
    `before` draws are those of `log_moments` and `centred_moments`, one for each power, and of `moments`; the tails
    those of `keep_largest`, one for each sign.
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
        powers, columns = scale.shape
        if before == 0:
            far[:, 0], far[:, 1:3], far[:, 3] = -np.inf, 0.0, -np.inf
            mean[:2], mean[2:] = 0.0, -np.inf
            centred[:] = 0.0
        chunk = np.empty(min(rows, count) * columns)
        part = np.empty((4, columns))
        for start in range(0, count, rows):
            many = min(rows, count - start)
            flat = chunk[: many * columns]
            weigh(data, (first + start) * columns, flat)
            v = flat.reshape(many, columns)
            for j in range(powers):
                log_moments(v, scale[j], part)
                merge_log_moments(far[j], part, far[j])
            if near:
                total = before + start
                moments(v, part)
                merge_moments(mean, float(total), part, float(many), mean)
                for j in range(powers):
                    if not _some_small(scale[j]):
                        continue
                    centred_moments(v, scale[j], mean[0] if total == 0 else centred[j, 0], part)
                    if total == 0:
                        centred[j] = part[:3]
                    else:
                        merge_centred_moments(centred[j], part, float(many), scale[j], centred[j])
            for j in range(signs.size):
                keep_largest(v, signs[j], keep, kept[j], sizes[j], floors[j])

    return run
