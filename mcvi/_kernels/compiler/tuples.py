"""Arithmetic on tuples of numbers, member by member, which Numba cannot spell for tuples of any length."""

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

__all__ = ["combined", "counted", "joined", "replaced_if", "scaled"]


def _members(context: Any, builder: Any, value: Any, kind: Any) -> list[Any]:
    """Return the members of a tuple as floats."""
    unpacked = zip(cgutils.unpack_tuple(builder, value, len(kind)), kind.types, strict=True)
    return [context.cast(builder, member, own, types.float64) for member, own in unpacked]


def _tuple_of(length: int, member: Callable[..., Any]) -> Callable[..., Any]:
    """Return the code that makes a tuple of ``member(context, builder, signature, args)``, a list."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return context.make_tuple(builder, signature.return_type, member(context, builder, signature, args))

    return codegen


@intrinsic(prefer_literal=True)
def counted(typing_context: Any, function: Any, values: Any, count: Any) -> Any:
    """Return the tuple `values`, which `function` gave, if it has `count` numbers; compiling fails if it has not."""
    members = list(values) if isinstance(values, types.BaseTuple) else [values]
    numbers = all(isinstance(member, (types.Number, types.Boolean)) for member in members)
    if not (isinstance(values, types.BaseTuple) and numbers and len(members) == count.literal_value):
        plain = function.dispatcher.py_func
        found = str(len(members)) if isinstance(values, types.BaseTuple) and numbers else str(values)
        name = f"{plain.__module__}.{plain.__qualname__}"
        raise TypeError(f"{name} must return a tuple of numbers, {count.literal_value} of them; got {found}.")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return args[1]

    return values(function, values, count), codegen


@intrinsic
def joined(typing_context: Any, first: Any, second: Any) -> Any:
    """Return one tuple of the members of two, which may be records or empty."""

    def member(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return [*_members(context, builder, args[0], first), *_members(context, builder, args[1], second)]

    length = len(first) + len(second)
    return types.UniTuple(types.float64, length)(first, second), _tuple_of(length, member)


@intrinsic
def replaced_if(typing_context: Any, condition: Any, values: Any, number: Any) -> Any:
    """Return the tuple `values`; where the condition holds, one as long of `number` alone."""

    def member(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        other = context.cast(builder, args[2], number, types.float64)
        return [builder.select(args[0], other, value) for value in _members(context, builder, args[1], values)]

    result = types.UniTuple(types.float64, len(values))
    return result(types.boolean, values, number), _tuple_of(len(values), member)


@intrinsic
def scaled(typing_context: Any, values: Any, factor: Any) -> Any:
    """Return ``factor * value`` for each member of a tuple."""

    def member(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        by = context.cast(builder, args[1], factor, types.float64)
        return [builder.fmul(by, value) for value in _members(context, builder, args[0], values)]

    return types.UniTuple(types.float64, len(values))(values, factor), _tuple_of(len(values), member)


@intrinsic
def combined(typing_context: Any, values: Any, factor: Any, others: Any, weight: Any) -> Any:
    """Return ``factor * value + weight * other`` for the members of two tuples of one length."""
    if len(values) != len(others):
        raise TypeError(f"the tuples must have one length; got {len(values)} and {len(others)}.")

    def member(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        by, weighted = (context.cast(builder, args[i], signature.args[i], types.float64) for i in (1, 3))
        pairs = zip(
            _members(context, builder, args[0], values), _members(context, builder, args[2], others), strict=True
        )
        return [builder.fadd(builder.fmul(by, value), builder.fmul(weighted, other)) for value, other in pairs]

    result = types.UniTuple(types.float64, len(values))
    return result(values, factor, others, weight), _tuple_of(len(values), member)
