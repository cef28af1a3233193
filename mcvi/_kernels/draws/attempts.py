"""Draws by rejection: the elements whose first attempt was rejected try again with further uniforms."""

from typing import Any

import numpy as np

from mcvi._kernels.compiler.intrinsics import column, set_column
from mcvi._kernels.compiler.jit import kernel, scalar
from mcvi._kernels.draws.threefry import MOST_ATTEMPTS, threefry, unit_interval

# Elements that try again together.
_RUN = 256


def repeated_attempts(attempt: Any, constants: int) -> Any:
    """Return a kernel that replaces nan by ``attempt(u, v, constants of i)``, with fresh uniforms until it is none.

    `first` is the address of ``out[0]``; attempt number `k` of an element takes the two words of ``slot + k``.
    Rejected elements are gathered into runs, whose attempts vectorise. After `MOST_ATTEMPTS` an element stays nan.
    """

    @scalar
    def run(u: Any, v: Any, columns: Any, draws: Any) -> None:
        for i in range(draws.size):
            draws[i] = attempt(u[i], v[i], column(columns, i, constants))

    @scalar
    def words(key0: Any, key1: Any, slot: Any, first: int, index: Any, u: Any, v: Any) -> None:
        for i in range(u.size):
            a, b = threefry(key0, key1, np.uint64(first + index[i]), slot)
            u[i], v[i] = unit_interval(a), unit_interval(b)

    @kernel
    def repair(key0: Any, key1: Any, slot: Any, first: int, table: Any, out: Any) -> None:
        length = table.shape[1]
        index, columns = np.empty(_RUN, np.int64), np.empty((constants, _RUN))
        u, v, draws = np.empty(_RUN), np.empty(_RUN), np.empty(_RUN)
        i = 0
        while i < out.size:
            pending = 0
            while i < out.size and pending < _RUN:
                if out[i] != out[i]:
                    index[pending] = i
                    pending += 1
                i += 1
            for k in range(MOST_ATTEMPTS):
                if pending == 0:
                    break
                words(key0, key1, slot + np.uint64(k), first, index[:pending], u[:pending], v[:pending])
                for j in range(pending):
                    set_column(columns, j, column(table, index[j] % length, constants))
                run(u[:pending], v[:pending], columns, draws[:pending])
                rejected = 0
                for j in range(pending):
                    if draws[j] == draws[j]:
                        out[index[j]] = draws[j]
                    else:
                        index[rejected] = index[j]
                        rejected += 1
                pending = rejected

    return repair
