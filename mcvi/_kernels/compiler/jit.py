"""The one place that sets Numba options, and the salt that keeps its disk cache honest.

`scalar` compiles a function of numbers, to be inlined into a kernel; `kernel` compiles a loop over arrays.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba.core.dispatcher import Dispatcher
from numba.core.extending import _Intrinsic

# Compiled code may live in these parts of the package only: their sources are the salt of the disk cache.
COMPILED_SOURCES = ("_kernels", "distributions")

# `contract` alone lets the compiler fuse a multiply with an add. `reassoc` would fold away the magic-constant
# rounding of the range reductions; `nnan` and `ninf` (so `True`) turn a log-sum-exp of -inf into nan.
_STRICT = frozenset({"contract"})
# For loops that only sum and take maxima, so that they vectorise. Still no `nnan`, no `ninf`.
_SUMMING = frozenset({"contract", "reassoc", "nsz", "arcp"})


@cache
def package_digest() -> str:
    """Return the SHA-256 of every source file that may hold compiled code."""
    root = Path(__file__).parents[2]
    digest = hashlib.sha256()
    for part in COMPILED_SOURCES:
        for path in sorted((root / part).rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def scalar(function: Callable[..., Any]) -> Any:
    """Compile a function of numbers that every caller inlines.

    A division that may raise, or a call that is not inlined, keeps the calling loop from vectorising.
    """
    return numba.njit(function, fastmath=set(_STRICT), error_model="numpy", forceinline=True, nogil=True)


def kernel(function: Callable[..., Any] | None = None, *, sums: bool = False) -> Any:
    """Compile a loop over arrays: releases the GIL, never parallel, cached on disk.

    Parameters
    ----------
    function
        A module-level function, or one made by a factory from scalar functions, numbers and strings.
    sums
        Allow sums to be reordered; only for loops that sum and take maxima, never around a range reduction.
    """
    if function is None:
        return lambda f: kernel(f, sums=sums)
    if not _is_salted(function):
        raise ImportError(
            f"{function.__module__}: kernels live in {COMPILED_SOURCES}; the cache salt covers only these."
        )
    options: dict[str, Any] = {
        "fastmath": set(_SUMMING if sums else _STRICT),
        "error_model": "numpy",
        "nogil": True,
    }
    if not all(_is_salted(inner) for inner in _inlined(function)):
        # A family of the user's own: what its sources say today is not known to the salt.
        return numba.njit(function, **options)
    try:
        # The one place that caches: nothing is loaded or saved before the next line has set the key.
        dispatcher = numba.njit(function, cache=True, **options)
        _salt(dispatcher, function, sums)
    except (AttributeError, RuntimeError):
        # Numba's internals moved: no cache rather than a stale one. Or no folder can be written to: no cache.
        dispatcher = numba.njit(function, **options)
    return dispatcher


def address(dispatcher: Any, signature: Any) -> int:
    """Return where the compiled code of a kernel for one signature stands, in this process."""
    dispatcher.compile(signature.args)
    compiled = dispatcher.overloads[signature.args]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)  # type: ignore[no-any-return]


def _salt(dispatcher: Any, function: Callable[..., Any], sums: bool) -> None:
    """Make the cache entry depend on the whole package and on what a factory closed over.

    Numba stamps an entry with the defining file alone, so that an upgrade which changes a helper elsewhere is served
    the old machine code; it leaves the options out of the key; and it keys a closure over another compiled
    function by that function's per-process identity, so that such a kernel would never be found again.
    """
    disk_cache = dispatcher._cache
    cache_file = disk_cache._cache_file
    cache_file._source_stamp = (cache_file._source_stamp, package_digest())
    key = (
        function.__module__,
        function.__qualname__,
        sums,
        *(_name(cell.cell_contents) for cell in function.__closure__ or ()),
    )

    def index_key(sig: Any, codegen: Any) -> tuple[Any, ...]:
        return (sig, codegen.magic_tuple(), key)

    def save(key: Any, data: Any) -> None:
        # Numba numbers the files of one function, so that two processes that compile at once may write different code
        # under one number. Named by their keys, they can at worst lose an entry of the index: compiled again next time.
        name = f"{stem}.{hashlib.sha256(repr(key).encode()).hexdigest()[:16]}.nbc"
        save_data(name, data)
        save_index({**load_index(), key: name})

    # These raise AttributeError where Numba has renamed what they stand for.
    stem = cache_file._index_name.removesuffix(".nbi")
    load_index, save_index, save_data = cache_file._load_index, cache_file._save_index, cache_file._save_data
    disk_cache._index_key, cache_file.save  # noqa: B018
    disk_cache._index_key, cache_file.save = index_key, save


def _is_salted(function: Callable[..., Any]) -> bool:
    return function.__module__.startswith(tuple(f"mcvi.{part}." for part in COMPILED_SOURCES))


def _inlined(function: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Yield the compiled functions that a function closes over, and those that they close over."""
    for cell in function.__closure__ or ():
        if isinstance(cell.cell_contents, Dispatcher):
            inner = cell.cell_contents.py_func
            yield inner
            yield from _inlined(inner)


def _name(value: object) -> str:
    if isinstance(value, Dispatcher):
        function = value.py_func
        inner = [_name(cell.cell_contents) for cell in function.__closure__ or ()]
        return f"{function.__module__}.{function.__qualname__}({', '.join(inner)})"
    if isinstance(value, _Intrinsic):
        inner = [str(cell.cell_contents) for cell in value._defn.__closure__ or ()]
        return f"{value._defn.__qualname__}({', '.join(inner)})"
    if isinstance(value, (bool, int, float, str, type(None))):
        return repr(value)
    if isinstance(value, type) and issubclass(value, tuple):  # a NamedTuple of constants
        return f"{value.__module__}.{value.__qualname__}({', '.join(value._fields)})"  # type: ignore[attr-defined]
    if isinstance(value, tuple):
        return f"({', '.join(map(_name, value))})"
    raise TypeError(f"a kernel may close over compiled functions, numbers and strings; got {type(value).__name__}.")
