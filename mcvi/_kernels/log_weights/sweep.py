"""Compute the log weights of a run of draws, sum them and keep the largest in one compiled call, a chunk at a time.

The pieces call each other by address: the loop that computes log weights, which each pair of families has of its own,
and the sums, which all share. Each is compiled once, when it is first needed, and never again with its caller.
"""

from functools import cache
from typing import Any

import numpy as np
from numba import types

from mcvi._kernels.compiler.intrinsics import call_by_address
from mcvi._kernels.compiler.jit import address, kernel, scalar
from mcvi._kernels.log_weights.arguments import ADD, WEIGH, Drawn, Given, State, address_of
from mcvi._kernels.sums import moments, tail
from mcvi._kernels.sums.moments import (
    MANY,
    SMALL_POWER,
    centred_moments,
    merge_centred_moments,
    merge_log_moments,
    merge_moments,
)


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


# Each `add` below adds a chunk of log weights, ``(rows, members)``, to the state after `before` rows. `then` is the
# address of what is called from the second chunk on, or 0.


_MERGE = types.void(*3 * (types.float64[:, ::1],))
_merge = call_by_address(_MERGE)


@cache
def _log_moments(many: bool) -> Any:
    of_chunk = moments.log_moments_of_many if many else moments.log_moments_of_few

    @kernel
    def add(v: Any, before: int, then: int, state: State) -> None:
        part = np.empty((4, v.shape[1]))
        for j in range(len(state.scale)):
            of_chunk(v, state.scale[j], part)
            if before == 0:
                _copy(part, state.log_moments[j])
            else:
                _merge(then, (state.log_moments[j], part, state.log_moments[j]))

    return add


@cache
def _moments(many: bool) -> Any:
    of_chunk = moments.moments_of_many if many else moments.moments_of_few

    @kernel
    def add(v: Any, before: int, then: int, state: State) -> None:
        part = np.empty((3, v.shape[1]))
        of_chunk(v, part)
        if before == 0:
            _copy(part, state.moments)
        else:
            merge_moments(state.moments, float(before), part, float(len(v)), state.moments)

    return add


@kernel
def _add_centred_moments(v: Any, before: int, then: int, state: State) -> None:
    # The centre is the mean of the first chunk, which `moments` has just found.
    part = np.empty((3, v.shape[1]))
    for j in range(len(state.scale)):
        if not _some_small(state.scale[j]):
            continue
        centred = state.centred_moments[j]
        centred_moments(v, state.scale[j], state.moments[0] if before == 0 else centred[0], part)
        if before == 0:
            _copy(part, centred)
        else:
            merge_centred_moments(centred, part, float(len(v)), state.scale[j], centred)


@cache
def _largest(many: bool) -> Any:
    keep_largest = tail.keep_largest_of_many if many else tail.keep_largest_of_few

    @kernel
    def add(v: Any, before: int, then: int, state: State) -> None:
        for j in range(state.signs.size):
            keep_largest(then, v, state.signs[j], state.keep, state.values[j], state.sizes[j], state.floors[j])

    return add


@cache
def _addresses(powers: bool, means: bool, tails: bool, many: bool, again: bool, full: bool) -> tuple[int, ...]:
    """Return the address of each `add`, or 0 where it is not asked for, and two of what they call.

    There is more than one chunk, `again`; the room for a tail may get `full`.
    """
    return (
        address(_log_moments(many), ADD) if powers else 0,
        address(merge_log_moments, _MERGE) if powers and again else 0,
        address(_moments(many), ADD) if means else 0,
        address(_add_centred_moments, ADD) if means and powers else 0,
        address(_largest(many), ADD) if tails else 0,
        tail.cut_address() if tails and full else 0,
    )


_add = call_by_address(ADD)


def _sweep(kind: type) -> Any:
    compute = call_by_address(WEIGH[kind])

    # Plain tuples on the way in: Numba recognises the types of named ones only after 2 microseconds.
    @kernel
    def run(
        weigh: int, adders: Any, source: Any, first: int, count: int, rows: int, before: int, state: Any, members: int
    ) -> None:
        log_moments, merge, moments, centred_moments, largest, cut = adders
        chunk = np.empty(min(rows, count) * members)
        for start in range(0, count, rows):
            many = min(rows, count - start)
            flat = chunk[: many * members]
            compute(weigh, (source, (first + start) * members, flat))
            v = flat.reshape(many, members)
            if log_moments:
                _add(log_moments, (v, before + start, merge, state))
            if moments:
                _add(moments, (v, before + start, 0, state))
            if centred_moments:
                _add(centred_moments, (v, before + start, 0, state))
            if largest:
                _add(largest, (v, before + start, cut, state))

    return run


_SWEEPS = {kind: _sweep(kind) for kind in (Given, Drawn)}


def sweep(weigh: Any, source: Given | Drawn, first: int, count: int, rows: int, before: int, state: State) -> None:
    """Add the log weights of `count` draws, from number `first` of `source` on, to a state after `before` draws.

    Parameters
    ----------
    weigh
        A loop of `mcvi._kernels.log_weights.numbers` or `mcvi._kernels.log_weights.vectors`.
    rows
        How many draws make a chunk.
    """
    powers, members = state.scale.shape
    again, full = before > 0 or count > rows, before + count > state.values.shape[2]
    adders = _addresses(powers > 0, state.moments.size > 0, state.signs.size > 0, members >= MANY, again, full)
    kind: Any = type(source)
    run = _SWEEPS[kind]
    run(address_of(weigh, kind), adders, tuple(source), first, count, rows, before, tuple(state), members)
