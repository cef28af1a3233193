"""The annotations of the public interface."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "ArrayLike", "FloatArray", "Function", "LogDensity", "Parameter", "Progress", "RNGLike"]

Array: TypeAlias = NDArray[Any]
FloatArray: TypeAlias = NDArray[np.float64]
# An array of draws `(n, *batch_shape, *event_shape)` in, `(n, *batch_shape)` out.
Function: TypeAlias = Callable[[Any], Any]
LogDensity: TypeAlias = Callable[[Any], Any]
# Called with how many draws are done, and how many there are to do.
Progress: TypeAlias = Callable[[int, int], Any]

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    RNGLike: TypeAlias = (
        int | Sequence[int] | np.random.SeedSequence | np.random.Generator | np.random.BitGenerator | Any | None
    )
    Parameter: TypeAlias = Any
else:
    # Type checkers know these in full; signatures and `help` show their names.

    class ArrayLike:
        """An array, or what numpy makes one of: a number, a list of numbers, ..."""

    class RNGLike:
        """A seed, a Generator or what numpy makes one of, a key of JAX, or None for fresh draws."""

    class Parameter:
        """A parameter of a distribution: a number or an array_like of numbers, traced by autograd or not.

        For type checkers it is Any, because a family computes with its parameters.
        """

    for _name in (ArrayLike, RNGLike, Parameter):
        _name.__module__ = "builtins"  # else signatures would show the path of this private module
    del _name
