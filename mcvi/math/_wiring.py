"""Wrap a function of numbers for arrays, for traced values and for numbers in compiled code."""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from mcvi._autograd import differentiable
from mcvi._kernels.compiler import maps

__all__ = ["elementwise", "refused"]

_LOOPS = (maps.unary, maps.binary, maps.ternary)


def elementwise(scalar: Any, name: str, *derivatives: Callable[..., Any]) -> Any:
    """Return `scalar` as an elementwise function of arrays that broadcast.

    ``derivatives[i](answer, *arguments)`` is the partial derivative in argument i, traceable.
    """
    # The loop is made when the function is first called, so that the import stays light.
    loop = cache(lambda: _LOOPS[len(derivatives) - 1](scalar))

    @differentiable(*derivatives)
    def apply(*arguments: Any) -> Any:
        arrays = [_operand(x, name) for x in arguments]
        if len(arrays) > 1:
            arrays = list(np.broadcast_arrays(*arrays))
        dtype = np.result_type(*arrays)
        out = np.empty(arrays[0].shape, dtype)
        loop()(*(np.ascontiguousarray(a, dtype).reshape(-1) for a in arrays), out.reshape(-1))
        return out[()]

    return apply


def _operand(x: Any, name: str) -> Any:
    array = np.asarray(x)
    if array.dtype == np.float64 or array.dtype == np.float32:
        return array
    if array.dtype.kind not in "fiub":
        remedy = " If it was made from traced values, build it with autograd.numpy." if array.dtype == object else ""
        raise TypeError(f"{name}: the argument must be real numbers; got dtype {array.dtype}.{remedy}")
    return array.astype(np.float64)


def refused(sentence: str) -> Callable[..., Any]:
    """Return the derivative of a function that has none here."""

    def derivative(*_: Any) -> Any:
        raise NotImplementedError(sentence)

    return derivative
