"""A function that autograd does not know, as one step of the graph."""

from collections.abc import Callable
from typing import Any

import numpy as np

from mcvi import _checks
from mcvi._autograd import once_differentiable

__all__ = ["with_gradient"]


def with_gradient(f: Callable[..., Any], vjp: Callable[..., Any]) -> Callable[..., Any]:
    r"""Return `f` as a function that autograd can differentiate, by the caller's own derivative.

    A function written in JAX, Stan, C, or compiled by Numba, becomes one step of a loss. Where only score-function
    estimators are used its derivative is never asked for.

    Parameters
    ----------
    f : callable
        ``f(*arrays)`` returns one array of floats. It is called with plain arrays.
    vjp : callable
        ``vjp(g, answer, *arrays)`` returns :math:`\sum g \, \partial f / \partial x` for the arguments: one array
        shaped like the argument, or a tuple with one for each (None where there is no derivative). `g` is shaped like
        `answer`, which is what `f` returned. Called with plain arrays.

    Returns
    -------
    callable
        Of the same positional arguments. It has first derivatives only, and pickles if `f` and `vjp` do.

    Raises
    ------
    ValueError
        `vjp` returns another number of derivatives than there are arguments, or one of another shape.
    NotImplementedError
        A second derivative is taken, or the derivative in an argument for which `vjp` returned None.

    Examples
    --------
    >>> import numpy as np
    >>> from autograd import grad
    >>> from mcvi.stochastic import with_gradient
    >>> square_sum = with_gradient(lambda x: np.sum(x**2), lambda g, answer, x: g * 2 * x)
    >>> grad(square_sum)(np.array([1.0, 3.0]))
    array([2., 6.])
    """
    return ForeignFunction(f, vjp)


class ForeignFunction:
    """A function with the caller's own derivative."""

    def __init__(self, f: Callable[..., Any], vjp: Callable[..., Any]) -> None:
        self.f, self.vjp = _checks.function(f, "f"), _checks.function(vjp, "vjp")
        self.__name__, self.__doc__ = getattr(f, "__name__", repr(f)), getattr(f, "__doc__", None)

    def __call__(self, *arrays: Any) -> Any:
        return _step(*arrays, function=self)

    def __repr__(self) -> str:
        return f"with_gradient({self.__name__})"


def _pull_back(g: Any, argnums: Any, answer: Any, *arrays: Any, function: ForeignFunction) -> list[Any]:
    parts = function.vjp(g, answer, *arrays)
    parts = parts if isinstance(parts, (tuple, list)) else (parts,)
    if len(parts) != len(arrays):
        raise ValueError(
            f"vjp of {function.__name__} must return a derivative for each of the {len(arrays)} arguments; "
            f"got {len(parts)}."
        )
    return [_derivative(parts[argnum], argnum, arrays[argnum], function.__name__) for argnum in argnums]


def _derivative(part: Any, argnum: int, array: Any, name: str) -> Any:
    if part is None:
        raise NotImplementedError(f"vjp of {name} returned None for argument {argnum}, whose derivative is needed.")
    part = np.asarray(part, np.float64)
    if part.shape != np.shape(array):
        raise ValueError(
            f"vjp of {name} returned shape {part.shape} for argument {argnum}; expected {np.shape(array)}."
        )
    return part


@once_differentiable(_pull_back, "{function.__name__} has a first derivative only: its vjp cannot be differentiated.")
def _step(*arrays: Any, function: ForeignFunction) -> Any:
    answer = np.asarray(function.f(*arrays))
    if answer.dtype.kind != "f":
        answer = _checks.real_array(answer, f"what {function.__name__} returned")
    return answer if answer.ndim else answer[()]
