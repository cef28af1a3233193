"""What the library asks of autograd: is this traced, what is its value, take this derivative back."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, ClassVar

import numpy as np
from autograd.extend import Box
from autograd.tracer import TraceStack, trace_stack

__all__ = ["Box", "has_ended", "is_traced", "new_trace", "tracing", "unbroadcast", "value_of"]


class _Traces(TraceStack):  # type: ignore[misc]
    """The numbers of autograd's traces, none given twice.

    Autograd only asks that an inner trace has a larger number than the one around it. It counts those that are open, in
    one number for the whole process: threads that differentiate at once then mix up each other's traces, and an
    exception is never counted back. A number that only grows is right in every thread, and names a trace for ever.
    """

    numbers: ClassVar = count(trace_stack.top + 1)
    running: ClassVar = set(range(trace_stack.top + 1))

    @contextmanager
    def new_trace(self) -> Iterator[int]:
        number = next(self.numbers)
        self.running.add(number)
        try:
            yield number
        finally:
            self.running.discard(number)


trace_stack.__class__ = _Traces
new_trace = trace_stack.new_trace


def has_ended(level: float) -> bool:
    """Tell whether the derivative of a trace number is over."""
    return level not in _Traces.running


def is_traced(*values: Any) -> bool:
    """Tell whether autograd traces any of the values."""
    return not Box.types.isdisjoint(map(type, values))


def tracing() -> bool:
    """Tell whether a derivative is being taken at all."""
    return bool(_Traces.running)


def value_of(x: Any) -> Any:
    """Return what a traced value holds, through every level of nesting; anything else as it is."""
    while type(x) in Box.types:
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
