"""Functions of numbers for compiled loops: compiled, checked by their names, and guarded by the support of a family."""

import builtins
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np
from numba.core.dispatcher import Dispatcher

from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.compiler.tuples import joined, replaced_if
from mcvi._kernels.functions.log_pmf import is_count
from mcvi.distributions._base.constraints import Constraint

__all__ = [
    "arguments",
    "compiled",
    "guarded_log_density",
    "guarded_score",
    "guarded_tails",
    "number_or_place",
    "require_arguments",
    "require_constraints",
    "require_fields",
    "require_function",
]


def compiled(function: Any) -> Any:
    """Return a function of numbers as one that compiled code inlines."""
    return function if isinstance(function, Dispatcher) else scalar(function)


def _plain(function: Any) -> Callable[..., Any]:
    return getattr(function, "py_func", function)


def arguments(function: Any) -> list[str]:
    """Return the names of the arguments of a function, compiled or not."""
    return list(inspect.signature(_plain(function)).parameters)


def require_arguments(function: Any, names: Sequence[str], what: str) -> None:
    """Check that a function takes exactly the arguments `names`, in their order."""
    found = arguments(function)
    if found != list(names):
        raise TypeError(f"{_named(function)}: {what} takes ({', '.join(names)}); got ({', '.join(found)}).")


def require_function(owner: str, what: str, function: Any) -> None:
    """Check that `function`, the argument `what` of `owner`, is one that can be compiled."""
    if not isinstance(function, FunctionType | Dispatcher):
        raise TypeError(f"{owner}: {what} must be a function of numbers; got {function!r}.")


def require_constraints(owner: str, parameters: Any) -> None:
    """Check that `parameters` says of each parameter, by its name, what it must be."""
    named = isinstance(parameters, Mapping) and all(isinstance(name, str) for name in parameters)
    if not (named and all(isinstance(rule, Constraint) for rule in parameters.values())):
        raise TypeError(
            f"{owner}: parameters must map names to constraints, as {{'scale': positive}}; got {parameters!r}."
        )


def require_fields(function: Any, fields: Sequence[str]) -> None:
    """Check the names that a function reads, so that a constant misspelt is an error on import.

    A name is known if it is a constant, global, builtin, or belongs to a module that the function uses.
    """
    plain = _plain(function)
    code: CodeType = plain.__code__
    around = plain.__globals__
    modules = [around[name] for name in code.co_names if isinstance(around.get(name), ModuleType)]
    for name in code.co_names:
        known = name in fields or name in around or hasattr(builtins, name)
        if not known and not any(hasattr(module, name) for module in modules):
            raise TypeError(f"{_named(function)}: no constant is called {name}; there are {', '.join(fields)}.")


def _named(function: Any) -> str:
    plain = _plain(function)
    return f"{plain.__module__}.{plain.__qualname__}"


# Guards. A support is known by its two ends, numbers or names, and by whether it holds whole numbers only.


def number_or_place(end: Any, names: Sequence[str]) -> Any:
    """Return the scalar function of a tuple that gives an end of the support: a number, or the member called so."""
    if isinstance(end, str):
        place = list(names).index(end)

        @scalar
        def of(values: Any) -> Any:
            return values[place]

    else:
        number = float(end)

        @scalar
        def of(values: Any) -> Any:
            return number

    return of


def _outside(support: Any, names: Sequence[str]) -> Any:
    """Return the scalar function ``(x, constants)`` that tells numbers outside the support; nan may be either."""
    low, high = number_or_place(support.low, names), number_or_place(support.high, names)
    if support.discrete:

        @scalar
        def outside(x: float, constants: Any) -> Any:
            return not (is_count(x) & (x <= high(constants)))

    elif support.closed:

        @scalar
        def outside(x: float, constants: Any) -> Any:
            return (x < low(constants)) | (x > high(constants))

    else:

        @scalar
        def outside(x: float, constants: Any) -> Any:
            return (x <= low(constants)) | (x >= high(constants))

    return outside


def _everywhere(support: Any) -> bool:
    return not support.discrete and support.low == -np.inf and support.high == np.inf


def guarded_log_density(support: Any, names: Sequence[str], log_density: Any) -> Any:
    """Return the log density with -inf outside the support.

    That of a continuous variable depends on it, or keeps its nan.
    """
    if _everywhere(support):
        return log_density
    outside, discrete = _outside(support, names), support.discrete

    @scalar
    def density(x: float, constants: Any) -> Any:
        inside = log_density(x, constants)
        inside = -np.inf if outside(x, constants) else inside
        # An answer that depends on a continuous x is nan where x is: there one choice less is one loop that is faster.
        return inside if not discrete or x == x else x

    return density


def guarded_score(support: Any, names: Sequence[str], score: Any) -> Any:
    """Return the score with 0 outside the support, and nan where `x` is nan.

    That of a discrete family gives the derivatives in the parameters; a 0 for the value is put in front of them.
    """
    if _everywhere(support):
        return score
    outside = _outside(support, names)

    @scalar
    def kept(x: float, constants: Any) -> Any:
        return replaced_if(x != x, replaced_if(outside(x, constants), score(x, constants), 0.0), x)

    if not support.discrete:
        return kept

    @scalar
    def of_counts(x: float, constants: Any) -> Any:
        return joined((0.0,), kept(x, constants))

    return of_counts


def guarded_tails(support: Any, names: Sequence[str], tails: Any, certain: float, impossible: float) -> Any:
    """Return `tails`, the lower and the upper one, with what is certain and impossible at the ends and beyond."""
    discrete = bool(support.discrete)
    low, high = number_or_place(support.low, names), number_or_place(support.high, names)

    @scalar
    def both(x: float, constants: Any) -> Any:
        lower, upper = tails(x, constants)
        # A count of 0 is possible; what lies at the end of an interval has no weight.
        below, above = (x < low(constants) if discrete else x <= low(constants)), x >= high(constants)
        lower = impossible if below else (certain if above else lower)
        upper = certain if below else (impossible if above else upper)
        return lower if x == x else x, upper if x == x else x

    return both
