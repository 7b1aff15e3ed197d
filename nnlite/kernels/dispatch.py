"""Which backend is in force, and how the Numba form of a kernel is compiled."""

import contextlib
import functools
import importlib.util
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

BACKENDS = ("numpy", "numba")


_in_force = ""


def backend() -> str:
    """The backend in force.

    >>> backend() in BACKENDS
    True
    """
    return _in_force


def choose(name: str) -> str:
    """The backend from now on: "numpy", "numba", or "" for Numba where it is installed. Returns the one before.

    Raises ValueError: it is neither, or Numba is not installed.
    """
    global _in_force
    installed = importlib.util.find_spec("numba") is not None
    if name not in ("", *BACKENDS):
        raise ValueError(f"The backend is numpy or numba, got {name!r}; set NNLITE_BACKEND to one, or unset it.")
    if name == "numba" and not installed:
        raise ValueError("The backend is numba, and Numba is not installed; install it, or unset NNLITE_BACKEND.")
    before, _in_force = _in_force, name or ("numba" if installed else "numpy")
    return before


@functools.cache  # each of them once in a process, not once for every kernel
def _warn(happened: str) -> None:
    warnings.warn(happened, stacklevel=2)


def warn_that_nothing_is_kept(why: str) -> None:
    """One warning in a process that compiled code cannot be kept, and what to do."""
    _warn(f"{why}; every process compiles again. Set NUMBA_CACHE_DIR to a folder that can be written.")


@functools.cache
def safe_cache() -> type:
    """Numba's cache on disk, where a damaged file or a full disk is a warning: the code is then compiled anew."""
    from numba.core.caching import FunctionCache

    class Cache(FunctionCache):
        def load_overload(self, *key: Any) -> Any:
            try:
                return super().load_overload(*key)
            except Exception:  # whatever unpickling the bytes of a damaged file raises
                _warn(f"A file in {self.cache_path}, where Numba keeps compiled code, is damaged; it is made anew.")
                with contextlib.suppress(OSError):
                    self.flush()
                return None

        def save_overload(self, *compiled: Any) -> None:
            try:
                super().save_overload(*compiled)
            except Exception as error:
                why = getattr(error, "strerror", None) or error
                warn_that_nothing_is_kept(f"Numba cannot keep compiled code in {self.cache_path} ({why})")

    return Cache


def compiled(loops: Callable, **options: Any) -> Callable:
    """Compile `loops` with Numba at its first call, and keep the machine code on disk for the next process.

    Nothing is imported or compiled before that call, so `import nnlite` stays fast. From then on its file calls Numba's
    function itself, which takes the place of this one under its name. The floating-point rules are
    IEEE's: no fastmath, NaN and infinity come out as NumPy has them, and so does a division by zero.
    """
    options = {"nogil": True, "error_model": "numpy", **options}

    @functools.cache
    def machine_code() -> Callable:
        import numba

        own = _with_compiled_parts(loops)
        code = numba.njit(**options)(own)
        try:
            code._cache = safe_cache()(own)  # as njit(cache=True) does with Numba's
        except RuntimeError:
            warn_that_nothing_is_kept("Numba found no folder in which it can keep compiled code")
        if loops.__globals__.get(loops.__name__) is call:
            loops.__globals__[loops.__name__] = code
        return code

    @functools.wraps(loops)
    def call(*arguments: Any) -> Any:
        return machine_code()(*arguments)

    call.machine_code = machine_code  # type: ignore[attr-defined]
    return call


part = functools.partial(compiled, no_cpython_wrapper=True, no_cfunc_wrapper=True)
"""Compile a function that only compiled functions of its own file call: cheaper, for Python cannot call it."""


def _with_compiled_parts(loops: Callable) -> Callable:
    """The same function, with the compiled functions of its file that it calls as Numba knows them.

    (Numba keeps machine code by the file of a function: parts from another file would be kept when they change.)
    """
    known: dict[str, Any] = {name: loops.__globals__.get(name) for name in loops.__code__.co_names}
    parts = {name: part.machine_code() for name, part in known.items() if hasattr(part, "machine_code")}
    if not parts:
        return loops
    own = FunctionType(loops.__code__, {**loops.__globals__, **parts}, loops.__name__)
    return functools.update_wrapper(own, loops)
