"""Machine code, and where it is kept: compiled for one signature, and read from disk by the next process.

Numba keeps machine code as long as the *file* of the function is the same. What is compiled here takes pieces of other
files in (the pointers of driver.py), so its stamp is a digest over the whole folder. There is no public way to say so:
where a version of Numba has other insides, every process compiles again, with a warning.
"""

import functools
import hashlib
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..kernels.dispatch import safe_cache, warn_that_nothing_is_kept

OPTIONS: dict[str, Any] = {"error_model": "numpy"}
"""The floating-point rules are IEEE's: a division by zero is one, and no error."""


@functools.cache
def digest() -> str:
    """Of all files in this folder."""
    files = sorted(Path(__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()


@functools.cache
def _kept_by_folder() -> Any:
    """Numba's cache of a function, with the digest in place of its file's stamp; None where there is none."""
    try:
        from numba.core.caching import CompileResultCacheImpl
        from numba.core.ccallback import CFunc  # noqa: F401 (it is used with the cache, or not at all)

        base: Any = safe_cache()
    except ImportError:
        warnings.warn(
            "This version of Numba cannot keep what nnlite compiles; every process compiles again.", stacklevel=2
        )
        return None

    class ByFolder(CompileResultCacheImpl):
        def __init__(self, function: Callable) -> None:
            super().__init__(function)
            self._locator.get_source_stamp = digest

    class Cache(base):
        _impl_class = ByFolder

    return Cache


def _cache(function: Callable) -> Any:
    kept = _kept_by_folder()
    try:
        return kept and kept(function)
    except RuntimeError:  # Numba found no folder in which it may write
        warn_that_nothing_is_kept("Numba found no folder in which it can keep compiled code")
        return None


def c_function(function: Callable, signature: Any) -> Any:
    """A function that is called by its `address`."""
    from numba import cfunc
    from numba.core import sigutils

    cache = _cache(function)
    if cache is None:
        return cfunc(signature, **OPTIONS)(function)
    from numba.core.ccallback import CFunc

    made: Any = CFunc(function, sigutils.normalize_signature(signature), {}, dict(OPTIONS))
    made._cache = cache
    made.compile()
    return made


def python_function(function: Callable) -> Callable:
    """A function that Python calls with arrays; it lets other threads run."""
    from numba import njit

    made, cache = njit(nogil=True, **OPTIONS)(function), _cache(function)
    if cache is not None:
        made._cache = cache
    return made
