"""Operations missing in Numba: bit casts, maxima that vectorise, masks of comparisons, columns as tuples, addresses.

`numba.np.arrayobj` is imported where it is used: that takes a tenth of a second, which an import of the package can do
without.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic


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
        kind = context.get_value_type(signature.return_type)
        function = builder.module.declare_intrinsic("llvm.maximum", [kind], fnty=ir.FunctionType(kind, [kind, kind]))
        return builder.call(function, args)

    return a(a, a), codegen


@intrinsic
def mask_above(typing_context: Any, x: Any, start: Any, sign: Any, floor: Any) -> Any:
    """Return 64 bits: bit `i` tells whether ``sign * x[start + i] > floor``; of an array `floor`, ``floor[start + i]``.

    Arrays are flat and contiguous.
    """
    floors = isinstance(floor, types.Array)
    for array in (x, floor) if floors else (x,):
        if array.layout != "C" or array.ndim != 1 or array.dtype != types.float64:
            raise TypeError(f"mask_above takes flat, contiguous arrays of float64; got {array}.")

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        from numba.np.arrayobj import make_array

        array, start, sign, limit = args
        double, word = ir.DoubleType(), ir.IntType(64)
        vector = ir.VectorType(double, 64)

        def repeated(number: Any) -> Any:
            first = builder.insert_element(ir.Constant(vector, ir.Undefined), number, ir.Constant(ir.IntType(32), 0))
            everywhere = ir.Constant(ir.VectorType(ir.IntType(32), 64), [0] * 64)
            return builder.shuffle_vector(first, first, everywhere)

        def loaded(kind: Any, array: Any) -> Any:
            pointer = builder.gep(make_array(kind)(context, builder, array).data, [start])
            return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=8)

        values = builder.fmul(repeated(sign), loaded(x, array))
        above = builder.fcmp_ordered(">", values, loaded(floor, limit) if floors else repeated(limit))
        return builder.bitcast(above, word)

    return types.uint64(x, types.intp, types.float64, floor if floors else types.float64), codegen


@intrinsic
def lowest_bit(typing_context: Any, bits: Any) -> Any:
    """Return the place of the lowest 1 among 64 bits, not all 0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.uint64), codegen


def _item_pointer(context: Any, builder: Any, table: Any, value: Any, row: int, column_index: Any) -> Any:
    from numba.np.arrayobj import make_array

    array = make_array(table)(context, builder, value)
    row_index = context.get_constant(types.intp, row)
    return cgutils.get_item_pointer(context, builder, table, array, [row_index, column_index])


@intrinsic(prefer_literal=True)
def column(typing_context: Any, table: Any, j: Any, rows: Any) -> Any:
    """Return ``(table[0, j], ..., table[rows - 1, j])`` as a tuple; `rows` is a constant at compile time."""
    count = rows.literal_value

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        from numba.np.arrayobj import load_item

        index = context.cast(builder, args[1], signature.args[1], types.intp)
        pointers = [_item_pointer(context, builder, table, args[0], row, index) for row in range(count)]
        values = [load_item(context, builder, table, pointer) for pointer in pointers]
        return context.make_tuple(builder, signature.return_type, values)

    return types.UniTuple(table.dtype, count)(table, j, rows), codegen


@intrinsic
def set_column(typing_context: Any, table: Any, j: Any, values: Any) -> Any:
    """Set ``table[0, j], table[1, j], ...`` to the members of a tuple."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        from numba.np.arrayobj import store_item

        index = context.cast(builder, args[1], signature.args[1], types.intp)
        for row, value in enumerate(cgutils.unpack_tuple(builder, args[2], len(values))):
            pointer = _item_pointer(context, builder, table, args[0], row, index)
            store_item(context, builder, table, context.cast(builder, value, values.types[row], table.dtype), pointer)
        return context.get_dummy_value()

    return types.void(table, j, values), codegen


def _converted(context: Any, builder: Any, value: Any, given: Any, taken: Any) -> Any:
    if given == taken or not isinstance(taken, types.BaseTuple):
        return context.cast(builder, value, given, taken)
    members = zip(cgutils.unpack_tuple(builder, value, len(given)), given, taken, strict=True)
    return context.make_tuple(builder, taken, [_converted(context, builder, *member) for member in members])


def call_by_address(signature: Any) -> Any:
    """Return ``call(address, arguments)``, which calls a compiled function of a signature that returns nothing.

    A function that is called by its name is optimised again with each caller: a second of compilation for a long one.
    Arguments are converted to the types of the signature: an array to one that is only read.
    """

    @intrinsic
    def call(typing_context: Any, address: Any, arguments: Any) -> Any:
        if len(arguments) != len(signature.args):
            raise TypeError(f"the function takes {signature.args}; got {tuple(arguments)}.")

        def codegen(context: Any, builder: Any, _: Any, args: Any) -> Any:
            convention = context.call_conv
            kind = convention.get_function_type(types.none, signature.args)
            function = builder.inttoptr(args[0], kind.as_pointer())
            values = [
                _converted(context, builder, value, given, taken)
                for value, given, taken in zip(
                    cgutils.unpack_tuple(builder, args[1], len(signature.args)), arguments, signature.args, strict=True
                )
            ]
            status, _result = convention.call_function(builder, function, types.none, signature.args, values)
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return context.get_dummy_value()

        return types.void(types.uintp, arguments), codegen

    return call
