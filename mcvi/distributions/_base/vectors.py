"""Parameters whose last axes belong to the event: their shapes, and a batch of them as tables."""

from math import prod
from typing import Any

import numpy as np

from mcvi._autograd import value_of, where
from mcvi._typing import Array, FloatArray

__all__ = ["Members", "batch_of", "event_value", "matrix_of"]


def event_value(distribution: Any, value: Any) -> Any:
    """Check that the last axes of `value` are those of an event; a batch in front of them may broadcast."""
    shape, event = np.shape(value_of(value)), distribution.event_shape
    if shape[len(shape) - len(event) :] != event or len(shape) < len(event):
        expected = ", ".join(["...", *map(str, event)])
        raise ValueError(f"{type(distribution).__name__}: value must have shape ({expected}); got {shape}.")
    return value


def matrix_of(diagonal: Any, others: Any = 0.0) -> Any:
    """Return ``(..., d, d)`` matrices with diagonals ``(..., d)`` and other entries as given, traced or not."""
    # A choice and not a product with the identity: 0 * inf would be nan.
    return where(np.eye(np.shape(value_of(diagonal))[-1], dtype=bool), diagonal[..., None], others)


def batch_of(owner: str, **batches: tuple[tuple[int, ...], tuple[int, ...]]) -> tuple[int, ...]:
    """Return the shape to which the batches of the parameters broadcast.

    Each is given as ``name=(shape, event)``: the shape of the parameter, and the part of it that is the event.
    """
    sizes = {event[-1] for _, event in batches.values() if event}
    try:
        if len(sizes) > 1:
            raise ValueError
        return np.broadcast_shapes(*(shape[: len(shape) - len(event)] for shape, event in batches.values()))
    except ValueError:
        listing = ", ".join(f"{name} {shape}" for name, (shape, _) in batches.items())
        raise ValueError(
            f"{owner}: the parameters must have the same d and batches that broadcast; got shapes {listing}."
        ) from None


class Members:
    """Values and parameters as the flat tables that a kernel walks: `(rows, members, d)` and one table per parameter.

    A parameter that several members share is stored once; its index says which members take which row.
    """

    def __init__(self, value: Any, batch: tuple[int, ...], event_axes: int = 1) -> None:
        value = np.asarray(value, np.float64)
        event = value.shape[-event_axes:]
        lead = value.shape[: value.ndim - event_axes]
        #: What the log density of `value` is shaped like.
        self.shape = np.broadcast_shapes(lead, batch)
        #: The batch, with axes of length 1 stretched to those of `value`.
        self.batch = self.shape[len(self.shape) - len(batch) :]
        members = prod(self.batch)
        rows = prod(self.shape[: len(self.shape) - len(batch)])
        stretched = np.broadcast_to(value, (*self.shape, *event))
        self.value: FloatArray = np.ascontiguousarray(stretched).reshape(rows, members, *event)

    def table(self, parameter: Any, event_axes: int) -> tuple[FloatArray, Array]:
        """Return a parameter as a table of its distinct rows, and for each member the row that it takes."""
        parameter = np.ascontiguousarray(parameter, np.float64)
        batch = parameter.shape[: parameter.ndim - event_axes]
        distinct = prod(batch)
        index = np.broadcast_to(np.arange(distinct).reshape(batch), self.batch).reshape(-1)
        return parameter.reshape(distinct, *parameter.shape[parameter.ndim - event_axes :]), index
