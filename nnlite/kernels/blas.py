"""BLAS on one thread, so that the bits do not depend on the number of threads."""

import functools
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from .dispatch import backend

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

_lock, _undo = threading.Lock(), ExitStack()
_set: set[str] = set()
"""The backends whose BLAS runs on one thread now."""
_inside = 0


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Within, BLAS runs on one thread. The number belongs to the whole process.

    So the first thread to enter sets it, and the last to leave restores what was before: whatever a second one found
    there would be the 1 of the first.
    """
    global _inside
    with _lock:
        if backend() not in _set:
            _undo.enter_context(_libraries(backend()).limit(limits=1, user_api="blas"))
            _set.add(backend())
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if not _inside:
                _set.clear()
                _undo.close()


@functools.cache
def _libraries(backend: str) -> "ThreadpoolController":
    """The BLAS libraries that a backend uses, all of them loaded."""
    from threadpoolctl import ThreadpoolController  # here: it takes a while to import

    if backend == "numba":
        import scipy.linalg.cython_blas  # noqa: F401 (the BLAS of what Numba compiles)
    return ThreadpoolController()
