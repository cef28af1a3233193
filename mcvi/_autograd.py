"""Everything that the library asks of autograd, and the one place that changes anything in it.

`import mcvi` changes autograd for the whole process in four ways:

- Traces of derivatives get numbers that only grow (`_Traces`), so that threads may differentiate at once.
- Whole numbers and truth values can be traced by node classes of our own (`trace_whole_numbers`). Every other trace
  still refuses them, with autograd's own error.
- Classes of our own that derive from its `ArrayBox`, the stochastic tensors, are registered as its boxes.
- Values of node classes of our own are held by boxes of our own (`box_values`). Every other trace has autograd's boxes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, ClassVar

import numpy as np
from autograd import numpy as anp
from autograd.extend import Box, defjvp, defjvp_argnums, defvjp, defvjp_argnums, primitive
from autograd.numpy.numpy_boxes import ArrayBox
from autograd.tracer import TraceStack, trace_stack

__all__ = [
    "Box",
    "box_values",
    "differentiable",
    "has_ended",
    "is_traced",
    "masked_product",
    "new_trace",
    "once_differentiable",
    "trace_whole_numbers",
    "tracing",
    "unbroadcast",
    "value_of",
    "where",
]


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


def box_values(node_class: type, box_class: type) -> None:
    """Let boxes of a class of our own, made from `ArrayBox`, hold the values of a node class of our own."""

    def box(value: Any, trace: Any, node: Any) -> Any:
        return (box_class if type(node) is node_class else ArrayBox)(value, trace, node)

    for kind, made in list(Box.type_mappings.items()):
        if made is ArrayBox:
            Box.type_mappings[kind] = box
    Box.types.add(box_class)
    Box.type_mappings[box_class] = box


def trace_whole_numbers(node_class: type, box_class: type = ArrayBox) -> None:
    """Let nodes of a class of our own hold single integers and Booleans, which autograd does not trace."""

    def box(value: Any, trace: Any, node: Any) -> Any:
        if type(node) is not node_class:
            raise KeyError(type(value))  # autograd's answer to a type that it does not know; it words the error
        return box_class(value, trace, node)

    for kind in (bool, int, np.bool_, np.int8, np.int16, np.int32, np.int64, np.uint8, np.uint32, np.uint64):
        Box.type_mappings.setdefault(kind, box)


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


def unbroadcast(gradient: Any, shape: tuple[int, ...], leading: int = 0) -> Any:
    """Sum a derivative, traced or not, over the axes along which an argument of `shape` was broadcast.

    The first `leading` axes are kept: they count draws, each with a derivative of its own.
    """
    if not is_traced(gradient):
        gradient = np.asarray(gradient)
    extra = gradient.ndim - leading - len(shape)
    if extra > 0:
        gradient = gradient.sum(axis=tuple(range(leading, leading + extra)))
    stretched = tuple(leading + i for i, size in enumerate(shape) if size == 1 and gradient.shape[leading + i] != 1)
    if stretched:
        gradient = gradient.sum(axis=stretched, keepdims=True)
    return gradient if is_traced(gradient) else gradient[()]


def masked_product(g: Any, derivative: Any) -> Any:
    """Return ``g * derivative``, and 0 where `g` is 0: there a derivative that is not finite does not matter."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.where(g == 0, 0.0, g * derivative)


def where(condition: Any, a: Any, b: Any) -> Any:
    """Choose between `a` and `b`, all three of which may broadcast; autograd's own has derivatives for equal shapes."""
    wide = np.zeros(np.broadcast_shapes(np.shape(condition), np.shape(a), np.shape(b)))
    return anp.where(condition, a + wide, b + wide)


def differentiable(*derivatives: Callable[..., Any]) -> Callable[[Callable[..., Any]], Any]:
    """Make a primitive of a function of arguments that broadcast, with derivatives that can be differentiated again.

    Parameters
    ----------
    derivatives
        One for each argument: ``derivative(answer, *arguments)``, made of what autograd can trace, of a shape that
        broadcasts to that of the answer. One that raises refuses the derivative.
    """

    def backward(argnum: int, derivative: Callable[..., Any]) -> Any:
        def vjp(answer: Any, *arguments: Any) -> Any:
            shape = np.shape(value_of(arguments[argnum]))
            return lambda g: unbroadcast(g * derivative(answer, *arguments), shape)

        return vjp

    def forward(derivative: Callable[..., Any]) -> Any:
        return lambda g, answer, *arguments: g * derivative(answer, *arguments)

    def decorate(f: Callable[..., Any]) -> Any:
        step = primitive(f)
        defvjp(step, *(backward(argnum, derivative) for argnum, derivative in enumerate(derivatives)))
        defjvp(step, *map(forward, derivatives))
        return step

    return decorate


def once_differentiable(pull_back: Callable[..., Any], refusal: str) -> Callable[[Callable[..., Any]], Any]:
    """Make a primitive of a function with a hand-written derivative, which cannot be differentiated again.

    Parameters
    ----------
    pull_back
        ``pull_back(g, argnums, answer, *arguments, **options)`` for a function ``f(*arguments, **options)``; like it
        called with plain arrays. It returns the sum of ``g * d answer / d argument`` over the answer for each of the
        argument numbers, or that product before it is summed over the axes along which the argument was broadcast.
    refusal
        The sentence of the `NotImplementedError` that a second derivative raises; the options fill its fields.
    """

    @primitive
    def first_derivative(g: Any, argnums: Any, answer: Any, *arguments: Any, **options: Any) -> tuple[Any, ...]:
        parts = pull_back(g, argnums, answer, *arguments, **options)
        return tuple(
            unbroadcast(part, np.shape(arguments[argnum])) for argnum, part in zip(argnums, parts, strict=True)
        )

    def refuse(*arguments: Any) -> Any:
        raise NotImplementedError(refusal.format(**arguments[-1]))

    defvjp_argnums(first_derivative, refuse)
    defjvp_argnums(first_derivative, refuse)

    def vjp(argnums: Any, answer: Any, arguments: Any, options: Any) -> Any:
        return lambda g: first_derivative(g, argnums, answer, *arguments, **options)

    def decorate(f: Callable[..., Any]) -> Any:
        step = primitive(f)
        defvjp_argnums(step, vjp)
        return step

    return decorate
