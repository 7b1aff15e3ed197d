"""Many changed copies of a batch at once, covered, moved along a path, or noisy: how many, and what they explain."""

from typing import Any

import numpy as np

from ..layers import Mask
from .target import Explained

BLOCK = 2**22
"""How many numbers the activations of the copies of one block may hold together."""


def copies_at_once(f: Explained) -> int:
    """How many copies of the batch run together. It depends on shapes alone, so the bits do not depend on more."""
    if any(isinstance(layer, Mask) and len(layer.m) > 1 for layer in f.network):
        return 1  # a draw with a mask for each sample takes the batch that it was drawn for
    return max(1, BLOCK // max(1, sum(a.size for a in f.a)))


def target_of_copies(f: Explained, copies: int) -> Any:
    """The same target for every copy: the classes once a copy, or the neuron."""
    return np.tile(f.target, copies) if isinstance(f.target, np.ndarray) else f.target
