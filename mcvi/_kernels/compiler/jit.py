"""The one place that sets Numba options.

`scalar` compiles a function of numbers, to be inlined into a kernel; `kernel` compiles a loop over arrays, and keeps
its machine code on disk.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
from numba import config

# `contract` alone lets the compiler fuse a multiply with an add. `reassoc` would fold away the magic-constant
# rounding of the range reductions; `nnan` and `ninf` (so `True`) turn a log-sum-exp of -inf into nan.
_STRICT = frozenset({"contract"})
# For loops that only sum and take maxima, so that they vectorise. Still no `nnan`, no `ninf`.
_SUMMING = frozenset({"contract", "reassoc", "nsz", "arcp"})


def scalar(function: Callable[..., Any] | None = None, *, inline: bool = True) -> Any:
    """Compile a function of numbers that every caller inlines.

    A division that may raise, or a call that is not inlined, keeps the calling loop from vectorising. A function with
    loops of its own is not worth it: `inline=False` compiles it once, which saves seconds wherever it is called.
    """
    if function is None:
        return lambda f: scalar(f, inline=inline)
    return _compiled(function, fastmath=set(_STRICT), forceinline=inline)


def kernel(function: Callable[..., Any] | None = None, *, sums: bool = False) -> Any:
    """Compile a loop over arrays: releases the GIL, never parallel, kept on disk.

    Parameters
    ----------
    function
        A module-level function, or one made by a factory from scalar functions, numbers and strings.
    sums
        Allow sums to be reordered; only for loops that sum and take maxima, never around a range reduction.
    """
    if function is None:
        return lambda f: kernel(f, sums=sums)
    dispatcher = _compiled(function, fastmath=set(_SUMMING if sums else _STRICT))
    try:
        from mcvi._kernels.compiler.disk_cache import DiskCache

        dispatcher._cache  # noqa: B018 - raises AttributeError where Numba has renamed it
    except (ImportError, AttributeError):
        return dispatcher  # Numba's internals moved: no cache rather than a stale one.
    dispatcher._cache = DiskCache(dispatcher)
    return dispatcher


def address(dispatcher: Any, signature: Any) -> int:
    """Return where the compiled code of a kernel for one signature stands, in this process."""
    dispatcher.compile(signature.args)
    compiled = dispatcher.overloads[signature.args]
    return compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name)  # type: ignore[no-any-return]


def _compiled(function: Callable[..., Any], **options: Any) -> Any:
    if not config.DISABLE_JIT:
        return numba.njit(function, error_model="numpy", nogil=True, **options)
    # NUMBA_DISABLE_JIT is for a user's own functions: kernels call instructions that Python does not have.
    with _compiling():
        dispatcher = numba.njit(function, error_model="numpy", nogil=True, **options)
    compile_one = dispatcher.compile

    def compile_all_the_same(signature: Any) -> Any:
        with _compiling():
            return compile_one(signature)

    dispatcher.compile = compile_all_the_same
    return dispatcher


@contextmanager
def _compiling() -> Iterator[None]:
    held, config.DISABLE_JIT = config.DISABLE_JIT, 0
    try:
        yield
    finally:
        config.DISABLE_JIT = held
