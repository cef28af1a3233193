"""Loops that apply a scalar function to every element of an array, and its name in compiled code."""

from collections.abc import Callable
from typing import Any

from numba import types
from numba.core.errors import TypingError
from numba.extending import overload

from mcvi._kernels.compiler.fingerprint import COMPILED_AS
from mcvi._kernels.compiler.jit import kernel


def unary(function: Any) -> Any:
    """Return a kernel that sets ``out[i] = function(x[i])``."""

    @kernel
    def apply(x: Any, out: Any) -> None:
        for i in range(x.size):
            out[i] = function(x[i])

    return apply


def binary(function: Any) -> Any:
    """Return a kernel that sets ``out[i] = function(x[i], y[i])``."""

    @kernel
    def apply(x: Any, y: Any, out: Any) -> None:
        for i in range(x.size):
            out[i] = function(x[i], y[i])

    return apply


def ternary(function: Any) -> Any:
    """Return a kernel that sets ``out[i] = function(x[i], y[i], z[i])``."""

    @kernel
    def apply(x: Any, y: Any, z: Any, out: Any) -> None:
        for i in range(x.size):
            out[i] = function(x[i], y[i], z[i])

    return apply


def _refuse_arrays(name: str, *arguments: Any) -> None:
    for argument in arguments:
        if not isinstance(argument, (types.Number, types.Boolean)):
            raise TypingError(
                f"{name} takes numbers in compiled code; got {argument}. Call it on each element, in a loop."
            )


def _public_name(public: Any) -> str:
    return ".".join(part for part in f"{public.__module__}.{public.__name__}".split(".") if not part.startswith("_"))


def spell_unary(public: Callable[[Any], Any], function: Any) -> None:
    """Let compiled code call the Python function `public`: it gets the scalar `function`, inlined."""
    name = _public_name(public)
    COMPILED_AS[public] = function

    # `inline` keeps the loop around the call from holding a call, which would keep it scalar.
    @overload(public, inline="always")
    def choose(x):  # type: ignore[no-untyped-def] # Numba compares the two signatures, annotations included
        _refuse_arrays(name, x)
        return lambda x: function(x)  # noqa: PLW0108 - a dispatcher is not accepted here


def spell_binary(public: Callable[[Any, Any], Any], function: Any) -> None:
    """Let compiled code call the Python function `public` of two numbers."""
    name = _public_name(public)
    COMPILED_AS[public] = function

    @overload(public, inline="always")
    def choose(x, y):  # type: ignore[no-untyped-def]
        _refuse_arrays(name, x, y)
        return lambda x, y: function(x, y)  # noqa: PLW0108


def spell_ternary(public: Callable[[Any, Any, Any], Any], function: Any) -> None:
    """Let compiled code call the Python function `public` of three numbers."""
    name = _public_name(public)
    COMPILED_AS[public] = function

    @overload(public, inline="always")
    def choose(x, y, z):  # type: ignore[no-untyped-def]
        _refuse_arrays(name, x, y, z)
        return lambda x, y, z: function(x, y, z)  # noqa: PLW0108
