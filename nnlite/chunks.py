"""A batch in chunks of samples: what one chunk needs stays in the cache, and the chunks run side by side.

    [ 256 samples ]  ->  [ 64 ] [ 64 ] [ 64 ] [ 64 ]  ->  NNLITE_THREADS threads  ->  [ 256 maps ]

NNLITE_THREADS=1, 2, ... says how many chunks run at once; without it, one on each core that the process may use. The
variable is read whenever a batch is cut. How it is cut depends on shapes alone, and within a chunk BLAS runs on one
thread: the results are the same bits, whatever the number.

Samples so large that few fit into the cache are cut only where NNLITE_MEMORY demands it, and the chunks run one after
the other (BLAS's own threads serve them). Not cut: a batch that is one chunk anyway; a draw with a mask for each
sample; layers of your own, which may do what they like.
"""

import functools
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from .kernels import backend
from .layers import KINDS, Mask
from .memory import fitting

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

    from .network import Network

CHUNK = 2**20
"""About how many numbers all activations of a chunk hold together."""

LEAST = 8
"""A chunk has at least so many samples."""

OWN = frozenset(KINDS.values())


def threads() -> int:
    """How many chunks run at once: NNLITE_THREADS, or the number of cores that this process may use.

    Raises
    ------
    ValueError
        NNLITE_THREADS is not a whole number above 0.

    >>> threads() >= 1
    True
    """
    chosen = os.environ.get("NNLITE_THREADS", "")
    if not chosen:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not (chosen.isascii() and chosen.isdigit() and int(chosen) > 0):
        raise ValueError(f"NNLITE_THREADS is {chosen!r}; set it to a whole number above 0, such as 2, or unset it.")
    return int(chosen)


def in_chunks(
    compute: Callable[[np.ndarray, Any], np.ndarray], network: "Network", x: np.ndarray, target: Any = None
) -> np.ndarray:
    """compute(x, target), where `compute` gives something for each sample that depends on that sample alone.

    Where a chunk raises an error, the whole batch is computed at once: its error is the right one.
    """
    parts = slices(network, x)
    targets = _targets(target, len(x), parts) if len(parts) > 1 else None
    if targets is None:
        return compute(x, target)
    if network.room(x[parts[0]].shape) > CHUNK * x.itemsize:
        return np.concatenate([compute(x[part], one) for part, one in zip(parts, targets, strict=True)])
    at_once, errors = threads(), np.geterr()

    def one(part: slice, target: Any) -> np.ndarray:
        with np.errstate(**errors):
            return compute(x[part], target)

    contexts = [copy_context() for _ in parts]
    try:
        with _blas(backend()).limit(limits=1, user_api="blas"):
            if at_once == 1:
                return np.concatenate(list(map(one, parts, targets)))
            with ThreadPoolExecutor(min(at_once, len(parts))) as pool:
                runs = (context.run for context in contexts)
                done = pool.map(lambda run, *given: run(one, *given), runs, parts, targets)
                return np.concatenate(list(done))
    except Exception:
        return compute(x, target)


def slices(network: "Network", x: Any) -> list[slice]:
    """Where a batch is cut: chunks of about the same size, one chunk where it stays whole."""
    n = len(x) if isinstance(x, np.ndarray) and x.ndim > 1 else 0
    if n < 2 or not all(type(layer) in OWN for layer in network):
        return [slice(0, n)]
    if any(isinstance(layer, Mask) and len(layer.m) > 1 for layer in network):
        return [slice(0, n)]
    room = max(1, network.room((1, *x.shape[1:])))
    fit = CHUNK * x.itemsize // room
    if fit < LEAST or n < 2 * LEAST:
        fit = fitting(2 * room, n)
    count = -(-n // fit)
    edges = [n * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]


def _targets(target: Any, n: int, parts: list[slice]) -> list[Any] | None:
    """What is explained in each chunk; None where `target` is neither for all samples nor one for each."""
    many = isinstance(target, (list, tuple)) or np.ndim(target) > 0
    if not many or (len(target) == 2 and isinstance(target[0], str)):  # a class, or a neuron
        return [target] * len(parts)
    sliced = isinstance(target, (list, tuple, np.ndarray)) and len(target) == n
    return [target[part] for part in parts] if sliced else None


@functools.cache
def _blas(backend: str) -> "ThreadpoolController":
    """The BLAS libraries that a backend uses, all of them loaded."""
    from threadpoolctl import ThreadpoolController  # here: it takes a while to import

    if backend == "numba":
        import scipy.linalg.cython_blas  # noqa: F401 (the BLAS of what Numba compiles)
    return ThreadpoolController()
