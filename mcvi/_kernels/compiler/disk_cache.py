"""The disk cache of compiled code: one file for each kernel, types of arguments and processor.

Numba's own cache stamps an entry with the file that defines the function, so that a changed helper in another file is
served the old machine code, and it never finds again a kernel that closes over compiled functions. Here a file begins
with the `fingerprint` of what its code is made from, and a digest of the rest: what is stale or damaged is not used but
compiled again and replaced.
"""

import hashlib
import os
import pickle
import re
import sys
import uuid
from functools import cached_property
from pathlib import Path
from typing import Any
from warnings import warn

from numba.core.caching import CompileResultCacheImpl
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from mcvi._kernels.compiler.fingerprint import UnknownValueError, fingerprint, name

_DIGEST = hashlib.sha256().digest_size


class DiskCache:
    """The cache of one Numba dispatcher: it loads and saves the machine code for each tuple of argument types."""

    #: True once the disk has refused a file: nothing more is written in this process.
    refused = False

    def __init__(self, dispatcher: Any) -> None:
        self._dispatcher = dispatcher

    # Found when first needed: an import of the package looks at no folder.
    @cached_property
    def _folder(self) -> Path | None:
        """The folder that Numba would use: NUMBA_CACHE_DIR, beside the source, or the user's; None for no folder."""
        try:
            return Path(CompileResultCacheImpl(self._dispatcher.py_func).locator.get_cache_path())
        except (RuntimeError, OSError, TypeError) as error:  # nowhere to write; no source file
            if isinstance(error, RuntimeError):
                self._give_up(error)
            return None

    @property
    def cache_path(self) -> str | None:
        """The folder, for Numba's statistics."""
        return None if self._folder is None else str(self._folder)

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        """Return compiled code, or None if there is none that is fresh and whole."""
        target_context.refresh()
        try:
            path = self._path(signature, target_context.codegen())
            if path is None:
                return None
            contents = path.read_bytes()
            stamp, check, payload = contents[:_DIGEST], contents[_DIGEST : 2 * _DIGEST], contents[2 * _DIGEST :]
            if stamp != fingerprint(self._dispatcher) or check != hashlib.sha256(payload).digest():
                return None
            # Numba's own format. The folder is trusted as the package beside it is: both hold code that is run.
            return CompileResult._rebuild(target_context, *pickle.loads(payload))
        except (OSError, UnknownValueError, AttributeError, ImportError, pickle.PickleError):
            return None

    def save_overload(self, signature: Any, compiled: Any) -> None:
        """Write compiled code to its file, in one step, so that no other process reads half of it."""
        if DiskCache.refused or compiled.lifted or compiled.library.has_dynamic_globals:
            return
        try:
            stamp = fingerprint(self._dispatcher)
            path = self._path(signature, compiled.codegen)
            if path is None:
                return
            payload = dumps(compiled._reduce())
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:16]}")
            try:
                temporary.write_bytes(stamp + hashlib.sha256(payload).digest() + payload)
                os.replace(temporary, path)
            finally:
                temporary.unlink(missing_ok=True)
        except UnknownValueError:
            return
        except OSError as error:
            self._give_up(error)

    def _path(self, signature: Any, codegen: Any) -> Path | None:
        folder = self._folder
        if folder is None:
            return None
        function = self._dispatcher.py_func
        key = name(self._dispatcher), str(signature), codegen.magic_tuple(), sys.implementation.cache_tag
        readable = re.sub(r"[^\w.]", "", f"{function.__module__}.{function.__qualname__}")
        return folder / f"{readable}-{hashlib.sha256(repr(key).encode()).hexdigest()[:20]}.nbc"

    @staticmethod
    def _give_up(error: Exception) -> None:
        if not DiskCache.refused:
            DiskCache.refused = True
            warn(
                f"compiled code cannot be kept on disk ({error}); each process compiles it again. "
                "Set NUMBA_CACHE_DIR to a folder that can be written to.",
                RuntimeWarning,
                stacklevel=2,
            )

    def enable(self) -> None:
        """Do nothing: the cache is always on."""

    def disable(self) -> None:
        """Do nothing: the cache is always on."""

    def flush(self) -> None:
        """Do nothing: a stale file is replaced."""
