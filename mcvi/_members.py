"""The axes of an estimate along which its members have draws of their own, and what becomes of them."""

from typing import Any

import numpy as np

__all__ = ["axes_after", "axes_left", "axes_repeated", "listed_axes"]


def listed_axes(axis: Any, ndim: int) -> tuple[int, ...]:
    """Return axes as sorted numbers from 0; all of them for None."""
    listed = range(ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    for a in listed:
        if isinstance(a, (bool, np.bool_)) or not isinstance(a, (int, np.integer)):
            raise TypeError(f"axis must be None, an integer or a tuple of integers; got {a!r} ({type(a).__name__}).")
        if not -ndim <= a < ndim:
            raise ValueError(f"axis must be between {-ndim} and {ndim - 1}, for an estimate with {ndim} axes; got {a}.")
    return tuple(sorted({a % ndim for a in listed}))


def axes_left(gone: tuple[int, ...], ndim: int, independent: tuple[int, ...]) -> tuple[int, ...]:
    """Follow axes through a reduction over `gone`."""
    left = [a for a in range(ndim) if a not in gone]
    return tuple(new for new, a in enumerate(left) if a in independent)


def axes_after(index: Any, ndim: int, independent: tuple[int, ...]) -> tuple[int, ...]:
    """Follow axes through an index of whole numbers, slices, None and an ellipsis; any other may repeat a member."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if not all(_is_basic(part) for part in parts):
        return ()
    taken = sum(part is not None and part is not ... for part in parts)
    at = next((i for i, part in enumerate(parts) if part is ...), len(parts))
    parts[at : at + 1] = [slice(None)] * (ndim - taken)
    old, new, found = 0, 0, []
    for part in parts:
        if part is not None and isinstance(part, slice) and old in independent:
            found.append(new)
        new += part is None or isinstance(part, slice)
        old += part is not None
    return tuple(found)


def _is_basic(part: Any) -> bool:
    return part is None or part is ... or (isinstance(part, (int, np.integer, slice)) and not isinstance(part, bool))


def axes_repeated(shape: tuple[int, ...], wide: tuple[int, ...], independent: tuple[int, ...]) -> tuple[int, ...]:
    """Follow axes through a broadcast: a repeated axis holds the same draws again and again."""
    ahead = len(wide) - len(shape)
    return tuple(ahead + a for a in independent if shape[a] == wide[ahead + a])
