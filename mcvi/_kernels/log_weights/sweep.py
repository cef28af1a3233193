"""Weigh a run of draws, sum their weights and keep the largest in one compiled call, a chunk at a time."""

from functools import cache, partial
from typing import Any

import numpy as np
from numba import types

from mcvi._kernels.compiler.intrinsics import call_by_address
from mcvi._kernels.compiler.jit import address, kernel, scalar
from mcvi._kernels.sums.moments import (
    SMALL_POWER,
    centred_moments,
    log_moments,
    merge_centred_moments,
    merge_log_moments,
    merge_moments,
    moments,
)
from mcvi._kernels.sums.tail import keep_largest

_LINE, _TABLE, _STACK = types.float64[::1], types.float64[:, ::1], types.float64[:, :, ::1]
# The sums and tails that grow: ``(scale, near, far, mean, centred, signs, keep, kept, sizes, floors)``.
_STATE = types.Tuple(
    (_TABLE, types.boolean, _STACK, _TABLE, _STACK, _LINE, types.int64, _STACK, types.int64[:, ::1], _TABLE)
)
_ADD = types.void(_TABLE, types.int64, _STATE)


@scalar
def _some_small(scale: Any) -> bool:
    for s in scale:
        if s != 0.0 and abs(s) < SMALL_POWER:
            return True
    return False


@scalar
def _copy(part: Any, state: Any) -> None:
    for row in range(len(state)):  # an assignment of arrays takes four seconds to compile, for its error messages
        for j in range(state.shape[1]):
            state[row, j] = part[row, j]


@kernel
def _add(v: Any, before: int, state: Any) -> None:
    """Add a chunk of log weights, ``(rows, columns)``, to the state after `before` rows."""
    scale, near, far, mean, centred, signs, keep, kept, sizes, floors = state
    powers, columns = scale.shape
    part = np.empty((4, columns))
    for j in range(powers):
        log_moments(v, scale[j], part)
        if before == 0:
            _copy(part, far[j])
        else:
            merge_log_moments(far[j], part, far[j])
    if near:
        moments(v, part)
        if before == 0:
            _copy(part, mean)
        else:
            merge_moments(mean, float(before), part, float(len(v)), mean)
        for j in range(powers):
            if not _some_small(scale[j]):
                continue
            centred_moments(v, scale[j], mean[0] if before == 0 else centred[j, 0], part)
            if before == 0:
                _copy(part, centred[j])
            else:
                merge_centred_moments(centred[j], part, float(len(v)), scale[j], centred[j])
    for j in range(signs.size):
        keep_largest(v, signs[j], keep, kept[j], sizes[j], floors[j])


_call = call_by_address(_ADD)


@cache
def sweep(weigh: Any) -> Any:
    """Return ``run(data, first, count, rows, before, state)``, which adds `count` draws of `data`, from `first` on.

    Parameters
    ----------
    weigh
        A kernel of `mcvi._kernels.log_weights.numbers` or `mcvi._kernels.log_weights.vectors`.

    Notes
    -----
    `rows` draws make a chunk. `state` is a tuple, after `before` draws:

    ``scale``
        The powers of the weights, ``(powers, columns)``: a column for each member of the batch.
    ``near, far, mean, centred``
        Whether the mean and the sums for small powers are asked for, and the states of `log_moments`, one for each
        power, of `moments`, and of `centred_moments`, one for each power.
    ``signs, keep, kept, sizes, floors``
        The tails, as of `keep_largest`, one for each sign.
    """

    @kernel
    def run(add: int, data: Any, first: int, count: int, rows: int, before: int, state: Any) -> None:
        columns = state[0].shape[1]
        chunk = np.empty(min(rows, count) * columns)
        for start in range(0, count, rows):
            many = min(rows, count - start)
            v = chunk[: many * columns]
            weigh(data, (first + start) * columns, v)
            _call(add, (v.reshape(many, columns), before + start, state))

    return partial(run, _address())


@cache
def _address() -> int:
    return address(_add, _ADD)
