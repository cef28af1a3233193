"""Sums over the last axis of a table: NumPy's own take 10 ns a row where rows are short."""

from typing import Any

from mcvi._kernels.compiler.jit import kernel


@kernel(sums=True)
def group_sums(x: Any, out: Any) -> None:
    """Set ``out[i]`` to the sum of the `i`-th of ``out.size`` equal groups of neighbours in `x`."""
    size = x.size // max(out.size, 1)
    for i in range(out.size):
        total = 0.0
        for j in range(size):
            total += x[i * size + j]
        out[i] = total
