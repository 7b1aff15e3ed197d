"""A training run: what `fit` was asked to do, checked once, and its fingerprint for checkpoints."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .. import files, kernels
from ..batch import check_network
from ..layers.arguments import is_integer, unmasked
from ..network import Network
from .accuracy import blocks, class_count
from .batchnorm import in_training
from .losses import check_labels
from .optimizers import Optimizer, check_optimizer
from .schedules import Schedule

LossFunction = Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]]
"""loss(scores, labels) -> (loss, ∂loss/∂scores)."""

Data = tuple[np.ndarray, np.ndarray]
"""Inputs (N, ...) and their labels (N,)."""


@dataclass(frozen=True, eq=False)
class TrainingRun:
    """Everything that decides which weights come out; the parameters of `fit` by the same names.

    Raises ValueError or TypeError: something does not fit the network, or is out of its range; the message says what.
    """

    network: Network
    x: np.ndarray
    labels: np.ndarray
    held_out: Data | None
    epochs: int
    batch_size: int
    optimizer: Optimizer
    schedule: Schedule
    seed: int
    loss: LossFunction
    compile: bool = False

    def __post_init__(self) -> None:
        check_network(self.network, "fit")
        if not self.network.parameters:
            raise ValueError(f"{self.network!r} has no parameters: there is nothing to train.")
        for name, least in (("epochs", 1), ("batch_size", 1), ("seed", 0)):
            _check_integer(name, getattr(self, name), least)
        check_optimizer(self.optimizer)
        for name, example in (("schedule", "OneCycle(2e-3)"), ("loss", "cross_entropy")):
            if isinstance(getattr(self, name), type) or not callable(getattr(self, name)):
                raise TypeError(f"{name} takes a function such as {example}, got {getattr(self, name)!r}.")
        object.__setattr__(self, "labels", _check_data(self.network, self.x, self.labels))
        if self.held_out is not None:
            if not isinstance(self.held_out, (tuple, list)) or len(self.held_out) != 2:
                raise TypeError(f"held_out takes a pair (x, labels), got {type(self.held_out).__name__}.")
            x, labels = self.held_out
            object.__setattr__(self, "held_out", (x, _check_data(self.network, x, labels, "held_out ")))
        last = len(self.x) % self.batch_size or self.batch_size
        in_training(self.network).shapes((last, *self.x.shape[1:]))  # (a BatchNorm may need more samples)
        if self.compile:
            object.__setattr__(self, "network", self.network.compile())

    def settings(self) -> dict[str, Any]:
        """What must be the same for a run to go on from a checkpoint and reach the same bits: JSON-able."""
        architecture, arrays = files.description(self.network)
        return {
            "seed": int(self.seed),
            "epochs": int(self.epochs),
            "batch_size": int(self.batch_size),
            "optimizer": _name(self.optimizer),
            "schedule": _name(self.schedule),
            "loss": _name(self.loss),
            "backend": kernels.backend(),
            "compiled": self.network.program is not None,
            "network": fingerprint(*arrays.values(), text=json.dumps(architecture["layers"], default=repr)),
            "data": fingerprint(self.x, self.labels),
            "held_out": None if self.held_out is None else fingerprint(*self.held_out),
        }


def _check_integer(name: str, value: Any, least: int) -> None:
    if not is_integer(value):
        raise TypeError(f"{name} takes an integer, got {value!r}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")


def _check_data(network: Network, x: Any, labels: Any, what: str = "") -> np.ndarray:
    """The labels as an array, if x and they fit each other and the network."""
    if not isinstance(unmasked("x", x), np.ndarray):
        raise TypeError(f"{what}x takes a NumPy array, got {type(x).__name__}; use np.asarray.")
    if x.dtype != network.dtype:
        raise ValueError(
            f"{what}x must have the network's dtype {network.dtype}, got {x.dtype}; use x.astype(np.{network.dtype})."
        )
    if x.ndim < 2 or len(x) == 0:
        raise ValueError(f"{what}x takes (N, ...) with one sample or more, got {x.shape}.")
    classes = class_count(network, x)
    for block in blocks(len(x)):
        if not np.isfinite(x[block]).all():
            raise ValueError(f"{what}x must be finite, and has NaN or infinity in samples {block.start} and above.")
    return check_labels(labels, len(x), classes, f"{what}labels")


def _name(choice: Any) -> str:
    """A dataclass shows its numbers; the repr of a bare function would show an address instead of a name."""
    return f"{choice.__module__}.{choice.__qualname__}" if hasattr(choice, "__qualname__") else repr(choice)


def fingerprint(*arrays: np.ndarray, text: str = "") -> str:
    """A SHA-256 of the arrays, their shapes and dtypes, and the text: what tells one run's data from another's."""
    digest = hashlib.sha256(text.encode())
    for array in arrays:
        digest.update(f"{array.dtype.str} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
