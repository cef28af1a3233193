"""The annotations of the public interface."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Array", "ArrayLike", "FloatArray", "Function", "LogDensity", "Progress", "RNGLike"]

Array: TypeAlias = NDArray[Any]
FloatArray: TypeAlias = NDArray[np.float64]
# An array of draws `(n, *batch_shape, *event_shape)` in, `(n, *batch_shape)` out.
Function: TypeAlias = Callable[[Any], Any]
LogDensity: TypeAlias = Callable[[Any], Any]
# Called with how many draws are done, and how many there are to do.
Progress: TypeAlias = Callable[[int, int], Any]
RNGLike: TypeAlias = (
    "int | Sequence[int] | np.random.SeedSequence | np.random.Generator | np.random.BitGenerator | Any | None"
)
