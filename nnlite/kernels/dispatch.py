"""Which form of a kernel runs, and how the Numba form is compiled.

NNLITE_BACKEND=numpy|numba chooses; without it, Numba runs where it is installed. The variable is read at every
call, so a test or a reader can change it half-way.
"""

import functools
import importlib.util
import os
import warnings
from collections.abc import Callable
from typing import Any

BACKENDS = ("numpy", "numba")


@functools.cache
def _numba_is_installed() -> bool:
    return importlib.util.find_spec("numba") is not None


def backend() -> str:
    """The backend in force: the value of NNLITE_BACKEND, or "numba" where it is installed, or "numpy".

    Raises
    ------
    ValueError
        NNLITE_BACKEND is neither "numpy" nor "numba", or asks for Numba where it is not installed.

    >>> backend() in ("numpy", "numba")
    True
    """
    chosen = os.environ.get("NNLITE_BACKEND", "")
    if chosen not in ("", *BACKENDS):
        raise ValueError(f"NNLITE_BACKEND is {chosen!r}; set it to numpy or numba, or unset it.")
    if chosen == "numba" and not _numba_is_installed():
        raise ValueError("NNLITE_BACKEND is numba, but numba is not installed; install it or unset the variable.")
    return chosen or ("numba" if _numba_is_installed() else "numpy")


@functools.cache  # one warning a process, not one a kernel
def _warn_that_nothing_is_kept() -> None:
    warnings.warn(
        "Numba found no folder in which it can keep compiled code; every process compiles again. "
        "Set NUMBA_CACHE_DIR to a folder that can be written.",
        stacklevel=4,
    )


def compiled(loops: Callable) -> Callable:
    """Compile `loops` with Numba at its first call, and keep the machine code on disk for the next process.

    Nothing is imported or compiled before that call, so `import nnlite` stays fast. The floating-point rules are
    IEEE's: no fastmath, NaN and infinity come out as NumPy has them.
    """

    @functools.cache
    def machine_code() -> Callable:
        import numba

        try:
            return numba.njit(cache=True, nogil=True)(loops)
        except RuntimeError:  # Numba found no folder in which it may write
            _warn_that_nothing_is_kept()
            return numba.njit(nogil=True)(loops)

    @functools.wraps(loops)
    def call(*arguments: Any) -> Any:
        return machine_code()(*arguments)

    return call


def either(plain: Callable, fast: Callable) -> Callable:
    """One function from a kernel's two forms: it runs `fast` under the Numba backend, else `plain`."""

    @functools.wraps(plain)
    def kernel(*arguments: Any) -> Any:
        return (fast if backend() == "numba" else plain)(*arguments)

    return kernel
