"""What a caller may hand over as losses."""

from typing import Any

import numpy as np
from autograd.tracer import isbox

from mcvi._autograd import has_ended, value_of
from mcvi.stochastic._graph.trace import derivative_levels

__all__ = ["checked_losses"]


def checked_losses(sample_losses: Any, *, same_shape: bool = True) -> list[Any]:
    """Return the losses as a list of arrays, traced or not, all of one shape."""
    if not isinstance(sample_losses, (list, tuple)):
        raise TypeError(f"sample_losses must be a list or tuple of arrays; got {type(sample_losses).__name__}.")
    if not sample_losses:
        raise ValueError("sample_losses must hold at least one loss; got an empty list.")
    losses = [_checked(loss, index) for index, loss in enumerate(sample_losses)]
    shapes = [np.shape(value_of(loss)) for loss in losses]
    if same_shape and len(set(shapes)) > 1:
        odd = next(index for index, shape in enumerate(shapes) if shape != shapes[0])
        raise ValueError(
            f"sample_losses must have one shape, to be added element by element; got {shapes[0]} at index 0 and "
            f"{shapes[odd]} at index {odd}. Sum the axes that only some of them have."
        )
    return losses


def _checked(loss: Any, index: int) -> Any:
    held = value_of(loss)
    if not isbox(loss) and not isinstance(loss, (np.ndarray, np.generic, float, int)):
        raise TypeError(f"sample_losses must be arrays; got {type(loss).__name__} at index {index}.")
    array = np.asarray(held)
    if array.dtype == object:
        raise TypeError(
            f"sample_losses: the loss at index {index} is an array of objects: a plain np.where, np.stack or "
            "np.concatenate of traced values makes one and loses the gradient. Use the same function of autograd.numpy."
        )
    if array.dtype.kind not in "fiub":
        raise TypeError(f"sample_losses must be real numbers; got dtype {array.dtype} at index {index}.")
    if array.ndim == 0:
        raise ValueError(
            f"sample_losses must have dimensionality 1 or greater (the draws in front); got a scalar at index {index}. "
            "Use np.reshape(loss, (1,)) of autograd.numpy if it depends on all draws together."
        )
    if any(map(has_ended, derivative_levels(loss))):
        raise ValueError(
            f"sample_losses: the loss at index {index} was computed inside a derivative that has ended: "
            "create its nodes and call surrogate_loss inside the same function that is differentiated."
        )
    return loss
