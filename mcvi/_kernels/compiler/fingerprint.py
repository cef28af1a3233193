"""A digest of everything that the machine code of a function is made from.

Numba compiles the bytecode of a function and of each compiled function that it reaches, and freezes the values of the
globals and closure cells that they read. So does the digest: it changes with any of these, and with nothing else. A
comment or an unrelated family leaves it alone.
"""

import dis
import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numba
import numpy as np
from numba import types
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic
from numba.core.typing.templates import Signature

#: The compiled functions that stand for Python functions in compiled code: known to Numba's typing alone.
COMPILED_AS: dict[Callable[..., Any], Any] = {}

# Numba knows these by name, and its own version is a part of the digest.
_LIBRARIES = {"builtins", "math", "cmath", "operator", "numpy", "numba"}


class UnknownValueError(TypeError):
    """A value that compiled code reads, but whose meaning cannot be told from its contents."""


def fingerprint(dispatcher: Any) -> bytes:
    """Return the SHA-256 of what a compiled function is made from.

    Raises
    ------
    UnknownValueError
        The function reads a value whose meaning cannot be digested: an object of some class, a function that only an
        `overload` of Numba makes compiled.
    """
    digest = hashlib.sha256(_compiler())
    for part in _described(dispatcher, {}, frozenset()):
        digest.update(part.encode())
        digest.update(b"\0")
    return digest.digest()


def name(value: object) -> str:
    """Return what a value is called: the same for a function after its body has changed."""
    if isinstance(value, Dispatcher):
        return name(value.py_func)
    if isinstance(value, (FunctionType, _Intrinsic)):
        function: Any = value._defn if isinstance(value, _Intrinsic) else value
        inner = (name(cell.cell_contents) for cell in function.__closure__ or ())
        return f"{function.__module__}.{function.__qualname__}({', '.join(inner)})"
    if isinstance(value, tuple):
        return f"({', '.join(map(name, value))})"
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    return repr(value) if isinstance(value, (bool, int, float, str, Signature)) else type(value).__qualname__


@cache
def _compiler() -> bytes:
    """Return a digest of Numba's version and of this folder, whose intrinsics write machine code themselves."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.digest()


def _described(value: Any, seen: dict[Any, int], names: frozenset[str]) -> Iterator[str]:
    """Yield words that tell a value from all others; `names` are those that the function which reads it uses."""
    if isinstance(value, Dispatcher):
        options = {key: sorted(o) if isinstance(o, (set, frozenset)) else o for key, o in value.targetoptions.items()}
        yield repr(sorted(options.items(), key=lambda option: option[0]))
        yield from _of_function(value.py_func, seen)
    elif isinstance(value, _Intrinsic) and value._defn.__module__.startswith(f"{__package__}."):
        yield value._defn.__qualname__
        for cell in value._defn.__closure__ or ():
            yield from _described(cell.cell_contents, seen, names)
    elif isinstance(value, ModuleType):
        yield value.__name__
        if value.__name__.partition(".")[0] not in _LIBRARIES:
            for key in sorted(names & vars(value).keys()):
                yield key
                yield from _described(vars(value)[key], seen, names)
    elif isinstance(value, tuple):
        yield f"{type(value).__qualname__} of {len(value)}"
        for member in value:
            yield from _described(member, seen, names)
    elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
        yield f"array {value.dtype.str} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    elif isinstance(value, (bool, int, float, complex, str, bytes, type(None), np.generic)):
        yield f"{type(value).__qualname__} {value!r}"
    elif isinstance(value, (types.Type, Signature, np.dtype)):
        yield str(value)
    elif isinstance(value, FunctionType) and value in COMPILED_AS:
        yield from _described(COMPILED_AS[value], seen, names)
    elif isinstance(value, (FunctionType, BuiltinFunctionType, np.ufunc, type)) and _is_of_a_library(value):
        yield f"{getattr(value, '__module__', None)} {value.__name__}"
    elif isinstance(value, type) and issubclass(value, tuple) and hasattr(value, "_fields"):
        yield f"{value.__qualname__} {value._fields}"
        yield from _described(tuple(getattr(value, "_field_defaults", {}).items()), seen, names)
    else:
        raise UnknownValueError(f"compiled code reads a value of type {type(value).__name__}.")


def _is_of_a_library(value: Any) -> bool:
    module = getattr(value, "__module__", None) or "numpy"  # a ufunc has none
    return module.partition(".")[0] in _LIBRARIES


def _of_function(function: Any, seen: dict[Any, int]) -> Iterator[str]:
    if function in seen:
        yield f"function {seen[function]}"
        return
    seen[function] = len(seen)
    code, read, attributes = _bytecode(function)
    yield code
    for key in sorted(read & function.__globals__.keys()):
        yield key
        yield from _described(function.__globals__[key], seen, attributes)
    for value in (*(cell.cell_contents for cell in function.__closure__ or ()), *(function.__defaults__ or ())):
        yield from _described(value, seen, attributes)


@cache
def _bytecode(function: Any) -> tuple[str, frozenset[str], frozenset[str]]:
    """Return the bytecode with its constants but the docstring, the globals that it reads, and all names in it."""
    codes, words, read, names = [function.__code__], [], set(), set()
    for code in codes:
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        constants = [c for c in code.co_consts if not isinstance(c, CodeType) and c != function.__doc__]
        kept = [sorted(map(repr, c)) if isinstance(c, frozenset) else repr(c) for c in constants]
        variables = code.co_varnames, code.co_freevars, code.co_cellvars, code.co_names
        counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags
        words.append(repr((code.co_code.hex(), kept, variables, counts, code.co_exceptiontable.hex())))
        read |= {i.argval for i in dis.get_instructions(code) if i.opname in {"LOAD_GLOBAL", "LOAD_NAME"}}
        names |= set(code.co_names)
    return "\n".join(words), frozenset(read), frozenset(names)
