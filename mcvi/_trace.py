"""What the library asks of autograd: is this traced, what is its value, take this derivative back."""

from typing import Any

import numpy as np
from autograd.extend import Box
from autograd.tracer import isbox, trace_stack

__all__ = ["Box", "is_traced", "tracing", "unbroadcast", "value_of"]


def is_traced(*values: Any) -> bool:
    """Tell whether autograd traces any of the values."""
    return any(isbox(value) for value in values)


def tracing() -> bool:
    """Tell whether a derivative is being taken at all."""
    return bool(trace_stack.top >= 0)


def value_of(x: Any) -> Any:
    """Return what a traced value holds, through every level of nesting; anything else as it is."""
    while isbox(x):
        x = x._value
    return x


def unbroadcast(gradient: Any, shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Sum a derivative over the axes along which an argument of `shape` was broadcast."""
    gradient = np.asarray(gradient)
    extra = gradient.ndim - len(shape)
    if extra > 0:
        gradient = gradient.sum(axis=tuple(range(extra)))
    stretched = tuple(i for i, size in enumerate(shape) if size == 1 and gradient.shape[i] != 1)
    if stretched:
        gradient = gradient.sum(axis=stretched, keepdims=True)
    return gradient if dtype is None else gradient.astype(dtype, copy=False)
