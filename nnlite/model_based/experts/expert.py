"""What every expert is: log p(x) and its gradient, for images or vectors; samples; a file."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import fields
from math import prod
from typing import Any, ClassVar

import numpy as np

from ... import storage
from ...layers.arguments import DTYPES, Shape, count, frozen, generator, number, parameter, sizes, unmasked

LARGEST = 1e100
"""Of what an expert is fit to and made of: sums of its squares are finite in float64."""


class Expert(ABC):
    """A density p(x) that says which inputs are likely. It is an objective: expert(x) = (log p(x), ∂log p/∂x).

    Everything is computed in float64 and given in the dtype of x.

    name: what kind of expert it is, as in `experts.NAMES`.
    normalised: whether log_density is log p(x) itself; else it is log p(x) up to a constant.
    shape: that of one sample of what it was fit to, by default (D,). x may have another shape with as many numbers.
    """

    name: ClassVar[str]
    normalised: ClassVar[bool] = True
    shape: Shape

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log p(x) (N,) and ∂log p/∂x in the shape of x, both in the dtype of x.

        Raises TypeError or ValueError: x is not an array (N, ...) of float32 or float64, does not have as many numbers
        a sample as what the expert was fit to, is not finite, or is so far away that log p(x) is not finite in its
        dtype.
        """
        flat = self._flat(x)
        with np.errstate(over="ignore", invalid="ignore"):
            value, gradient = self._evaluate(flat)
            value, gradient = value.astype(x.dtype), gradient.astype(x.dtype).reshape(x.shape)
        if not (np.isfinite(value).all() and np.isfinite(gradient).all()):
            raise ValueError(
                f"log p(x) holds a NaN or an infinity in {x.dtype}: x, up to {np.abs(x).max():.3g}, is too far from "
                f"what this {type(self).__name__} was fit to."
            )
        return value, gradient

    def log_density(self, x: np.ndarray) -> np.ndarray:
        """log p(x), (N,)."""
        return self(x)[0]

    def gradient(self, x: np.ndarray) -> np.ndarray:
        """∂log p/∂x, in the shape of x."""
        return self(x)[1]

    def sample(self, n: int, rng: np.random.Generator | int = 0) -> np.ndarray:
        """Draw n samples of p(x): (n, *shape), float32."""
        n, rng = count(f"{type(self).__name__}.sample", "n", n), generator("sample", "rng", rng)
        return self._draw(n, rng).reshape(n, *self.shape).astype(np.float32)

    def save(self, path: str | os.PathLike, *, info: Mapping[str, Any] | None = None) -> None:
        """Write the expert to one .npz, with what is known about it (JSON-able); `experts.load` reads it."""
        values = self._values()
        arrays = {name: value for name, value in values.items() if isinstance(value, np.ndarray)}
        settings = {name: value for name, value in values.items() if name not in arrays}
        storage.write(path, "expert", {"expert": self.name, "settings": settings, "info": dict(info or {})}, arrays)

    def __repr__(self) -> str:
        shown = [
            f"{name} {value.shape}" if isinstance(value, np.ndarray) else f"{name}={value}"
            for name, value in self._values().items()
            if name != "history"
        ]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _values(self) -> dict[str, Any]:
        """What the expert is made of, by name."""
        return {each.name: getattr(self, each.name) for each in fields(self) if each.init}  # type: ignore[arg-type]

    @abstractmethod
    def _evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log p(x) (N,) and its gradient (N, D) for x (N, D), float64."""

    @abstractmethod
    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """n samples (n, D)."""

    def _flat(self, x: np.ndarray) -> np.ndarray:
        """x as (N, D) float64."""
        who, D = type(self).__name__, prod(self.shape)
        check_batch(who, x)
        if prod(x.shape[1:]) != D:
            raise ValueError(
                f"This {who} was fit to samples of the shape {self.shape}, {D} numbers each; x has the shape "
                f"{x.shape}, {prod(x.shape[1:])} numbers per sample. Fit an expert to data of that shape."
            )
        return x.reshape(len(x), D).astype(np.float64)

    def _settle(self, shapes: Mapping[str, Shape], positive: tuple[str, ...] = ()) -> None:
        """Bring the fields to their one form: arrays float64, finite and read-only, numbers above 0, `shape` a tuple.

        For a frozen dataclass, after it was filled.
        """
        who = type(self).__name__
        for name, shape in shapes.items():
            array = parameter(who, name, getattr(self, name), len(shape), shape).astype(np.float64)
            if not (np.abs(array) <= LARGEST).all():  # a NaN fails too
                raise ValueError(f"{who}: {name} takes finite numbers up to {LARGEST:g}, and holds others.")
            object.__setattr__(self, name, frozen(array))
        for name in positive:
            object.__setattr__(self, name, above_zero(who, name, getattr(self, name)))
        D = shapes["mean"][-1]
        shape = (D,) if isinstance(self.shape, tuple) and not self.shape else sizes(who, "shape", self.shape)
        if prod(shape) != D:
            raise ValueError(f"{who}: shape takes one with {D} numbers, as the mean has, got {shape}.")
        object.__setattr__(self, "shape", shape)


def above_zero(who: str, name: str, value: Any) -> float:
    """A finite number above 0 as a float, or a ValueError that names it."""
    value = number(who, name, value)
    if value <= 0:
        raise ValueError(f"{who}: {name} takes a number above 0, got {value}.")
    return value


def check_batch(who: str, x: Any) -> None:
    """An error unless x is a finite array (N, ...) of float32 or float64."""
    if not isinstance(unmasked("x", x), np.ndarray):
        raise TypeError(f"{who}: x takes a NumPy array (N, ...), got {type(x).__name__}; use np.asarray.")
    if x.dtype not in DTYPES:
        raise ValueError(f"{who}: x takes float32 or float64, got {x.dtype}; use x.astype(np.float32).")
    if x.ndim < 2 or x.size == 0:
        raise ValueError(f"{who}: x takes (N, ...) with one sample or more, got {x.shape}.")
    if not np.isfinite(x).all():
        raise ValueError(f"{who}: x must be finite, got a NaN or an infinity.")


def data(who: str, x: Any) -> tuple[np.ndarray, Shape]:
    """What an expert is fit to: x as (N, D) float64, and the shape of one sample.

    Raises TypeError or ValueError: x is not a finite array (N, ...) of float32 or float64 with two samples or more, or
    so large that its squares are no longer finite.
    """
    check_batch(who, x)
    if len(x) < 2:
        raise ValueError(f"{who}: one sample has no spread; x takes two samples or more.")
    flat = x.reshape(len(x), -1).astype(np.float64)
    if max(flat.max(), -flat.min()) > LARGEST:
        raise ValueError(f"{who}: x takes numbers up to {LARGEST:g}, got {np.abs(flat).max():g}; scale them.")
    return flat, x.shape[1:]
