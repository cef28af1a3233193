"""The value of a stochastic node: a sample or the mean, with or without a derivative."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from mcvi import _checks

__all__ = ["MeanValue", "NoValueTypeSetError", "SampleValue", "ValueType", "get_current_value_type", "value_type"]


@dataclass(frozen=True)
class ValueType:
    """The common part of `SampleValue` and `MeanValue`."""

    stop_gradient: bool = False


@dataclass(frozen=True)
class MeanValue(ValueType):
    """The node holds the mean of its distribution; derivatives pass through it unless `stop_gradient`."""


@dataclass(frozen=True, init=False)
class SampleValue(ValueType):
    """The node holds draws.

    Parameters
    ----------
    shape : int or tuple of ints
        The axes of draws in front: ``()`` is one draw without an axis, ``n`` (or ``(n,)``) is n draws, ``(a, b)`` is a
        * b.
    stop_gradient : bool
        Whether no derivative passes through the draws, even where the family has one.
    """

    shape: tuple[int, ...] = ()

    def __init__(self, shape: int | tuple[int, ...] = (), stop_gradient: bool = False) -> None:
        sizes = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
        sizes = tuple(_checks.draw_count(size, "SampleValue: shape") for size in sizes)
        object.__setattr__(self, "shape", sizes)
        object.__setattr__(self, "stop_gradient", stop_gradient)


class NoValueTypeSetError(ValueError):
    """`get_current_value_type` was called outside `value_type`."""


# A context variable: each thread and each coroutine has its own, and leaving the context restores it, exception or not.
_current: ContextVar[ValueType | None] = ContextVar("mcvi_value_type", default=None)


@contextmanager
def value_type(dist_value_type: ValueType) -> Iterator[None]:
    """Set what the stochastic nodes created in the context hold, unless they say themselves.

    Examples
    --------
    >>> from mcvi.distributions import Normal
    >>> from mcvi.stochastic import SampleValue, StochasticTensor, value_type
    >>> with value_type(SampleValue(100)):
    ...     z = StochasticTensor(Normal(0.0, 1.0), rng=0)
    >>> z.shape
    (100,)
    """
    if not isinstance(dist_value_type, ValueType):
        raise TypeError(f"value_type must be a SampleValue or a MeanValue; got {type(dist_value_type).__name__}.")
    token = _current.set(dist_value_type)
    try:
        yield
    finally:
        _current.reset(token)


def get_current_value_type() -> ValueType:
    """Return the value type set by `value_type`; `NoValueTypeSetError` outside it."""
    current = _current.get()
    if current is None:
        raise NoValueTypeSetError(
            "No value type currently set: create the node inside mcvi.stochastic.value_type(...)."
        )
    return current


def set_value_type() -> ValueType | None:
    """Return the value type set by `value_type`, or None."""
    return _current.get()
