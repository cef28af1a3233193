"""The warnings of an estimator, which point at the line of the user that called it."""

import sys
from types import FrameType
from typing import Any
from warnings import warn

import numpy as np

from mcvi._typing import FloatArray
from mcvi.accumulate import NonFinite
from mcvi.estimate import NonFiniteWarning, ZeroWeightWarning

__all__ = ["warn_of_non_finite", "warn_of_zero_weights"]


def warn_of_non_finite(non_finite: dict[str, NonFinite], values: int) -> None:
    """Warn, once, of all functions some of whose `values` values were nan or +inf."""
    sentences = [
        f"{name} was nan or +inf {found.count} times in {values} values; first at draw {found.first}, "
        f"{_described(found.draw)}."
        for name, found in non_finite.items()
        if found.count
    ]
    if sentences:
        warn(" ".join(sentences), NonFiniteWarning, stacklevel=_outside())


def _described(draw: Any) -> str:
    """Return a draw in words: an array, or arrays by the names of their nodes."""
    held = draw if isinstance(draw, dict) else {"z": draw}
    return ", ".join(f"{name} = {np.array2string(z, threshold=8).removesuffix('.')}" for name, z in held.items())


def warn_of_zero_weights(log_largest: FloatArray, n: int) -> None:
    """Warn if some member of the batch has no draw with a weight above zero."""
    if (log_largest.item() if log_largest.size == 1 else log_largest.min(initial=np.inf)) == -np.inf:
        warn(
            f"all {n} draws have zero weight: q and log_p may not share support.",
            ZeroWeightWarning,
            stacklevel=_outside(),
        )


def _outside() -> int:
    """Return the stack level of the caller outside the package."""
    level = 1
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "mcvi":
        level, frame = level + 1, frame.f_back
    return level
