"""Many changed copies of a batch at once, covered, moved along a path, or noisy: how many, and what they explain."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..layers.arguments import kind_of, unmasked
from .target import Explained

BLOCK = 2**22
"""How many numbers the activations of the copies of one block may hold together."""


def copies_at_once(f: Explained) -> int:
    """How many copies of the batch run together. It depends on shapes alone, so the bits do not depend on more."""
    if f.network.batch > 1:
        return 1  # a draw with a mask for each sample takes the batch that it was drawn for
    return max(1, BLOCK // max(1, sum(a.size for a in f.a)))


def blocks_of_copies(f: Explained, n: int) -> Iterator[slice]:
    """Slices of n copies, each as many as run together: what is kept of a block bounds the memory, whatever n is."""
    block = copies_at_once(f)
    return (slice(first, min(n, first + block)) for first in range(0, n, block))


def given_copies(x: np.ndarray, value: Any, name: str) -> np.ndarray:
    """What a caller gives for each of n copies of the batch, such as the noise itself: (n, N, ...) in the dtype of x.

    Raises ValueError: it is no such array, or n is 0.
    """
    fits = isinstance(unmasked(name, value), np.ndarray) and value.shape[1:] == x.shape and len(value) > 0
    if not fits or value.dtype != x.dtype:
        shape = ", ".join(map(str, x.shape))
        raise ValueError(f"{name} takes an array (n, {shape}) of {x.dtype}, as x is; got {kind_of(value)}.")
    return value


def target_of_copies(f: Explained, copies: int) -> Any:
    """The same target for every copy: the classes once a copy, or the neuron."""
    return np.tile(f.target, copies) if isinstance(f.target, np.ndarray) else f.target
