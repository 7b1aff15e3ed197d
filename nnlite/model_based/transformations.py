"""Transformations drawn anew for every step of a search: what survives them is robust.

A transformation is a law for drawing a layer; the layer is linear in x, and its backward pass is the exact adjoint.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ..layers import Layer
from ..layers.arguments import Shape, integer, number
from ..network import Network
from .objectives import Objective, Through, drawn
from .warp import ImageLayer, Warp


class Transformation(Protocol):
    """A law for drawing a layer."""

    def draw(self, rng: np.random.Generator, shape: Shape) -> Layer:
        """A layer for inputs of this shape (N, C, H, W)."""
        ...


@dataclass(frozen=True)
class Jitter:
    """The image moved by up to `pixels` in each direction; what leaves at one side comes in at the other.

    Source: Mordvintsev et al. 2015; Olah et al. 2017, "Feature visualization", sec. "Transformation robustness".

    >>> Jitter(1).draw(np.random.default_rng(0), (1, 1, 4, 4))
    Shift(rows=1)
    """

    pixels: int

    def __post_init__(self) -> None:
        integer("Jitter", "pixels", self.pixels)

    def draw(self, rng: np.random.Generator, shape: Shape) -> Layer:
        rows, columns = rng.integers(-self.pixels, self.pixels + 1, size=2)
        return Shift(int(rows), int(columns))


@dataclass(frozen=True, eq=False, repr=False)
class Shift(ImageLayer):
    """z[n, c, y, x] = a[n, c, (y − rows) mod H, (x − columns) mod W]."""

    rows: int = 0
    columns: int = 0

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return np.roll(a, (self.rows, self.columns), axis=(2, 3))

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return np.roll(dz, (-self.rows, -self.columns), axis=(2, 3))


@dataclass(frozen=True)
class Rotation:
    """The image turned about its centre by up to `degrees` either way.

    Source: Olah et al. 2017, "Feature visualization", sec. "Transformation robustness".

    >>> Rotation(10).draw(np.random.default_rng(0), (1, 1, 4, 4))
    Warp(degrees=2.739233746429086)
    """

    degrees: float

    def __post_init__(self) -> None:
        if not 0 <= number("Rotation", "degrees", self.degrees) <= 180:
            raise ValueError(f"Rotation: degrees takes a number from 0 to 180, got {self.degrees}.")

    def draw(self, rng: np.random.Generator, shape: Shape) -> Layer:
        return Warp(degrees=float(rng.uniform(-self.degrees, self.degrees)))


@dataclass(frozen=True)
class Scaling:
    """The image enlarged about its centre by a factor from 1 − `share` to 1 + `share`; its size stays.

    Source: as `Rotation`.

    >>> Scaling(0.1).draw(np.random.default_rng(0), (1, 1, 4, 4))
    Warp(factor=1.027392337464291)
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 <= number("Scaling", "share", self.share) < 1:
            raise ValueError(f"Scaling: share takes a number from 0 up to, but not, 1, got {self.share}.")

    def draw(self, rng: np.random.Generator, shape: Shape) -> Layer:
        return Warp(factor=float(rng.uniform(1 - self.share, 1 + self.share)))


@dataclass(frozen=True, eq=False)
class Robust:
    """f of x transformed at random: each draw is f(τ(x)) with τ = the transformations, one after the other."""

    transformations: Sequence[Transformation]
    f: Objective

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """f of x as it is."""
        return self.f(x)

    def draw(self, rng: np.random.Generator) -> Objective:
        """The objective of one step."""
        return _Drawn(self.transformations, drawn(self.f, rng), int(rng.integers(2**63)))


@dataclass(frozen=True, eq=False)
class _Drawn:
    transformations: Sequence[Transformation]
    f: Objective
    seed: int

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rng, layers, shape = np.random.default_rng(self.seed), [], x.shape
        for transformation in self.transformations:
            layers.append(transformation.draw(rng, shape))
            shape = layers[-1].output_shape(shape)
        return Through(Network(layers), self.f)(x)
