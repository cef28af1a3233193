"""Parameters in dicts, lists, tuples and arrays: as a flat list of arrays, and back."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from mcvi import _checks
from mcvi._autograd import is_traced

__all__ = ["flattened"]


def flattened(params: Any, path: str = "params") -> tuple[list[Any], Callable[[list[Any]], Any]]:
    """Return the arrays of a nest, each float64 or float32, and the function that puts others in their places."""
    if isinstance(params, dict):
        parts = [flattened(params[name], f"{path}[{name!r}]") for name in params]
        names = list(params)

        def filled(values: list[Any]) -> Any:
            same_kind = copy.copy(params)  # an OrderedDict, or a dict whose entries are attributes
            for name, value in zip(names, values, strict=True):
                same_kind[name] = value
            return same_kind

        return _joined(parts, filled)
    if isinstance(params, tuple) and hasattr(params, "_fields"):
        named = type(params)
        parts = [flattened(value, f"{path}.{name}") for name, value in zip(named._fields, params, strict=True)]
        return _joined(parts, lambda values: named(*values))
    if isinstance(params, (list, tuple)):
        kind = type(params)
        parts = [flattened(value, f"{path}[{index}]") for index, value in enumerate(params)]
        return _joined(parts, kind)
    if is_traced(params):
        raise NotImplementedError(
            f"value_and_grad: {path} is traced: second derivatives are not available here; "
            "differentiate a surrogate_loss with autograd instead."
        )
    if params is None or isinstance(params, (str, bytes)):
        raise TypeError(
            f"value_and_grad: {path} must be an array, a number, or a dict or list of them; got {params!r}."
        )
    array = np.asarray(_checks.real_array(params, f"value_and_grad: {path}"))
    return [array], lambda values: values[0]


def _joined(parts: list[Any], build: Callable[[list[Any]], Any]) -> tuple[list[Any], Callable[[list[Any]], Any]]:
    arrays = [array for part, _ in parts for array in part]

    def restore(values: list[Any]) -> Any:
        rest, built = list(values), []
        for part, inner in parts:
            built.append(inner(rest[: len(part)]))
            rest = rest[len(part) :]
        return build(built)

    return arrays, restore
