"""Which samples are drawn: how many, from which on, of which classes."""

from numbers import Integral
from typing import Any

import numpy as np

from ..memory import claim

MOST = 2**62
"""The last start: the indices of the samples after it are 64-bit integers."""


def count(name: str, value: Any, each: int = 0) -> int:
    """A whole number that is not negative, as Python's own; TypeError or ValueError otherwise.

    Samples of `each` bytes must fit into the budget of `memory` together.
    """
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name}: expected an integer, got {value!r} ({type(value).__name__})")
    if value < 0:
        raise ValueError(f"{name}: expected 0 or more, got {value}")
    claim(int(value) * each, f"{name}={value}")
    return int(value)


def given_labels(labels: Any, n: int, start: int, what: str = "digit", classes: int = 10) -> np.ndarray:
    """The label of each sample, (n,) int64: those given, or all classes in turn. `what` is one, for the errors."""
    if start > MOST:
        raise ValueError(f"start: expected at most {MOST}, got {start}")
    if labels is None:
        return (start + np.arange(n, dtype=np.int64)) % classes
    given = np.asarray(labels)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise TypeError(f"labels: expected integers, got {given.dtype}: round them, or give labels as integers")
    if given.shape not in ((), (n,)):
        raise ValueError(f"labels: expected one {what} or the shape ({n},), got the shape {given.shape}")
    if given.size and (given.min() < 0 or given.max() >= classes):
        raise ValueError(
            f"labels: expected a {what} from 0 to {classes - 1}, got values from {given.min()} to {given.max()}"
        )
    return np.broadcast_to(given, (n,)).astype(np.int64)
