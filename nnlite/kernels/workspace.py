"""Memory that a kernel needs only while it runs: kept, one piece a thread and purpose, for the next call.

Fresh memory costs the operating system a page fault for every 4 KB: on small images more than the work itself.
Nothing that a kernel returns lies here.
"""

import threading
from math import prod

import numpy as np

KEPT_BYTES = 8 * 2**20  # a larger piece is fresh memory, and given back

LINE = 64
"""Bytes of a cache line: a vector that lies across two of them takes twice as long to read."""

_kept = threading.local()


def aligned(shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array that begins with a cache line; what NumPy gives begins anywhere.

    >>> aligned((2, 3), np.dtype(np.float32)).ctypes.data % LINE
    0
    """
    size = prod(shape) * dtype.itemsize
    memory = np.empty(size + LINE, np.uint8)
    first = -memory.__array_interface__["data"][0] % LINE
    return memory[first : first + size].view(dtype).reshape(shape)


def workspace(purpose: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
    """An uninitialised array, to be used until the same thread asks for the same purpose again.

    >>> workspace("columns", (2, 3), np.dtype(np.float32)).shape
    (2, 3)
    """
    size = prod(shape) * dtype.itemsize
    if size > KEPT_BYTES:
        return aligned(shape, dtype)
    piece = _kept.__dict__.get(purpose)
    if piece is None or piece.nbytes < size:
        piece = _kept.__dict__[purpose] = aligned((size,), np.dtype(np.uint8))
    return piece[:size].view(dtype).reshape(shape)
