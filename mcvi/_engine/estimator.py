"""What every estimator asks first and does last: is something differentiated, and from columns to an `Estimate`."""

from typing import Any

from mcvi._autograd import is_traced
from mcvi._engine.draws import Draws
from mcvi._typing import FloatArray
from mcvi.distributions import Distribution
from mcvi.estimate import Estimate

__all__ = ["differentiating", "estimate_of"]


def differentiating(q: Any, z: Any, *functions: Any) -> bool:
    """Tell what can be told before the first draw; a traced value inside a user's function shows when it is called."""
    if is_traced(z) or (isinstance(q, Distribution) and q.is_traced):
        return True
    for function in functions:
        owner = getattr(function, "__self__", None)
        if isinstance(owner, Distribution) and owner.is_traced:
            return True
    return False


def estimate_of(
    draws: Draws,
    value: FloatArray,
    standard_error: FloatArray,
    *,
    bias: FloatArray | None = None,
    ess: FloatArray | None = None,
    tail: Any = None,
    shape: tuple[int, ...] | None = None,
    method: str,
) -> Estimate:
    """Give the columns the shape of the batch, and the results the dtype of `q`."""
    wanted, dtype = draws.batch_shape if shape is None else shape, draws.dtype

    def shaped(columns: Any) -> Any:
        if columns is None:
            return None
        columns = columns.astype(dtype, copy=False)
        # A small n has no microsecond to spare for reshaping an array of one number.
        return columns[0] if wanted == () else columns.reshape(wanted)

    return Estimate(
        value=shaped(value),
        standard_error=shaped(standard_error),
        n=draws.n,
        bias=shaped(bias),
        ess=shaped(ess),
        method=method,
        key=draws.key,
        tail=tail,
    )
