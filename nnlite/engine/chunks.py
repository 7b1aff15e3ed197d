"""A batch in chunks of samples: what one chunk needs stays in the cache, and the chunks run side by side.

    [ 256 samples ]  ->  [ 64 ] [ 64 ] [ 64 ] [ 64 ]  ->  NNLITE_THREADS threads  ->  [ 256 maps ]

NNLITE_THREADS=1, 2, ... says how many chunks run at once; without it, one on each core that the process may use. The
variable is read whenever a batch is cut. How it is cut depends on shapes alone, and within a chunk BLAS runs on one
thread: the results are the same bits, whatever the number.

Not cut: a batch that is one chunk anyway; samples so large that few fit into the cache (BLAS's own threads serve them);
a draw with a mask for each sample; a BatchNorm in training; layers of your own, which may do what they like.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from ..kernels.blas import one_blas_thread
from ..layers import KINDS
from . import lowering

if TYPE_CHECKING:
    from ..network import Network

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
    compute: Callable[[np.ndarray, Any], tuple[list[np.ndarray], list[np.ndarray]]],
    network: "Network",
    x: np.ndarray,
    top: Any,
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """compute(x, top), the output and the signal on x, chunk by chunk; each sample's depends on that sample alone.

    Where a chunk raises an error, the whole batch is computed at once: its error is the right one.
    """
    if len(x) < 2 * LEAST:
        return compute(x, top)
    parts = slices(network, x)
    tops = [None if top is None else lowering.cut(top, part, len(x)) for part in parts] if len(parts) > 1 else []
    if not tops or (top is not None and tops[0] is None):
        return compute(x, top)
    at_once, errors = threads(), np.geterr()

    def one(part: slice, its_top: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
        with np.errstate(**errors):
            return compute(x[part], its_top)

    contexts = [copy_context() for _ in parts]
    try:
        with one_blas_thread():
            if at_once == 1:
                done = list(map(one, parts, tops))
            else:
                with ThreadPoolExecutor(min(at_once, len(parts))) as pool:
                    runs = (context.run for context in contexts)
                    done = list(pool.map(lambda run, *given: run(one, *given), runs, parts, tops))
    except Exception:
        return compute(x, top)
    a, R = ([np.concatenate(each) for each in zip(*side, strict=True)] for side in zip(*done, strict=True))
    return a, R


def slices(network: "Network", x: Any) -> list[slice]:
    """Where a batch is cut: chunks of about the same size, one chunk where it stays whole."""
    n = len(x)
    if network.batch > 1 or not all(type(layer) in OWN for layer in network):
        return [slice(0, n)]  # (a layer takes the batch as a whole; one of the user's own may do what it likes)
    fit = CHUNK // max(1, sum(map(prod, network.shapes((1, *x.shape[1:])))))
    if fit < LEAST:
        return [slice(0, n)]
    count = -(-n // fit)
    edges = [n * i // count for i in range(count + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]
