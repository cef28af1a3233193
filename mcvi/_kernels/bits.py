"""What Numba cannot spell: bit casts, a maximum that vectorises, and tuples taken out of columns."""

from typing import Any

from numba import types
from numba.extending import intrinsic, overload


@intrinsic
def float_of_bits(typing_context: Any, bits: Any) -> Any:
    """Reinterpret the 64 bits of an integer as a float64."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.float64))

    return types.float64(bits), codegen


@intrinsic
def bits_of_float(typing_context: Any, x: Any) -> Any:
    """Reinterpret a float64 as a signed 64-bit integer."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], context.get_value_type(types.int64))

    return types.int64(types.float64), codegen


@intrinsic
def maximum(typing_context: Any, a: Any, b: Any) -> Any:
    """Return the larger of two floats; nan if either is (unlike `max`, this vectorises)."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        function = builder.module.declare_intrinsic("llvm.maximum", [context.get_value_type(signature.return_type)])
        return builder.call(function, args)

    return a(a, a), codegen


def column(columns: Any, j: int) -> Any:  # pragma: no cover - compiled through the overload
    """Return ``tuple(c[j] for c in columns)`` for a tuple of arrays."""
    return tuple(c[j] for c in columns)


@overload(column, inline="always")
def _column(columns: Any, j: Any) -> Any:
    k = len(columns)
    if k == 1:
        return lambda columns, j: (columns[0][j],)
    if k == 2:
        return lambda columns, j: (columns[0][j], columns[1][j])
    if k == 3:
        return lambda columns, j: (columns[0][j], columns[1][j], columns[2][j])
    if k == 4:
        return lambda columns, j: (columns[0][j], columns[1][j], columns[2][j], columns[3][j])
    return None
