"""Alignment of the axes of a node's log probability with those of a loss: from the left."""

from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import value_of

__all__ = ["extra_axes", "spread", "summed_to"]


def extra_axes(shape: tuple[int, ...], loss_shape: tuple[int, ...], owner: str) -> tuple[int, ...]:
    """Return the axes of a node's log probability over which it is summed to meet a loss: those that the loss lacks.

    A loss of one element depends on all draws together: everything is summed. Equal shapes are independent plates.
    """
    if shape == loss_shape:
        return ()
    if all(size == 1 for size in loss_shape):
        return tuple(range(len(shape)))
    if shape[: len(loss_shape)] == loss_shape:
        return tuple(range(len(loss_shape), len(shape)))
    remedy = (
        "sum the loss over the axes that the node lacks"
        if loss_shape[: len(shape)] == shape
        else "give both the same leading axes (draws, then plates)"
    )
    raise ValueError(
        f"{owner}: its log probability has shape {shape} and the loss that depends on it {loss_shape}; "
        f"their axes do not align from the left: {remedy}."
    )


def summed_to(log_prob: Any, loss_shape: tuple[int, ...], owner: str) -> Any:
    """Sum a log probability over the axes that a loss lacks."""
    shape = np.shape(value_of(log_prob))
    axes = extra_axes(shape, loss_shape, owner)
    if not axes:
        return log_prob
    total = anp.sum(log_prob, axis=axes)
    return anp.reshape(total, loss_shape) if len(axes) == len(shape) and loss_shape else total


def spread(weights: Any, shape: tuple[int, ...]) -> Any:
    """Repeat weights shaped like a loss along the axes of a log probability that were summed: a view, not a copy."""
    weights = np.asarray(weights)
    if weights.shape == shape:
        return weights
    if weights.size == 1:
        return np.broadcast_to(weights.reshape((1,) * len(shape)), shape)
    return np.broadcast_to(weights.reshape(weights.shape + (1,) * (len(shape) - weights.ndim)), shape)
