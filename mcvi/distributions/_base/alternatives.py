"""Families that take one parameter or another for the same thing: what is given is kept, the other is worked out."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from mcvi import _checks
from mcvi.distributions._base.page import Page

__all__ = ["Either", "Otherwise", "either", "keep_given", "otherwise"]


class Otherwise:
    """A field that is optional, and computed on first look where it was not given.

    It is the default of a dataclass field: as an attribute of the class it reads None, which `dataclass` takes for the
    default; an instance that was given the parameter holds it in its own dictionary, which comes first.
    """

    def __init__(self, convert: Callable[[Any], Any]) -> None:
        self._convert = convert

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return None
        computed = vars(instance).setdefault("_computed", {})
        if self._name not in computed:
            computed[self._name] = _read_only(instance._cast(self._convert(instance)))
        return computed[self._name]


def _read_only(value: Any) -> Any:
    """Return an array, which may be a table that the distribution works with, as a copy that cannot be written to."""
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    return value


def otherwise(convert: Callable[[Any], Any]) -> Any:
    """Return the default of an optional parameter: ``convert(distribution)``, from the one that was given instead."""
    return Otherwise(convert)


class Either:
    """A class attribute with a value for each of the parameters of which exactly one is given."""

    def __init__(self, pages: dict[str, Page]) -> None:
        self.pages = pages

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            return self.pages
        return next(page for name, page in self.pages.items() if name in vars(instance))


def either(**pages: Page) -> Any:
    """Return what a family gives as `_page` if exactly one of several parameters is given: a page for each."""
    return Either(pages)


def keep_given(distribution: Any, names: Iterable[str]) -> str:
    """Return which one of the parameters `names` was given, and forget the fields of the others."""
    held = vars(distribution)
    given = _checks.one_of(type(distribution).__name__, **{name: held[name] for name in names})
    for name in names:
        if name != given:
            del held[name]
    return given
