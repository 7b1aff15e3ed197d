"""Dropout, and the masks that are drawn from it."""

from dataclasses import dataclass

import numpy as np

from .arguments import Shape, as_array, frozen, generator, number, parameter
from .layer import Layer
from .shape import Identity


@dataclass(frozen=True, eq=False, repr=False)
class Dropout(Identity):
    """z = a. Each activation is dropped with probability p only in a draw, which is another network.

    `network.sample(rng, shape)` puts the Mask of `draw` in its place: training and Monte Carlo dropout run on such
    draws, everything else on the plain network (PyTorch's `.eval()`).

    Source: Srivastava et al. 2014, sec. 4 (with the scale at training time, as PyTorch has it).

    >>> Dropout(0.5).draw(np.random.default_rng(0), (1, 4)).m
    array([[2., 0., 0., 0.]])
    """

    p: float = 0.5

    def __post_init__(self) -> None:
        p = number(type(self).__name__, "p", self.p)
        if not 0 <= p < 1:
            raise ValueError(f"{type(self).__name__}: p takes a probability from 0 up to, but not, 1, got {self.p!r}.")
        self._set(p=p)

    def draw(self, rng: np.random.Generator | int, shape: Shape, dtype: np.dtype | type = np.float64) -> "Mask":
        """A mask of this shape: 1 / (1 − p) with probability 1 − p, else 0. `rng` is a Generator or a seed."""
        keep = generator("Dropout.draw", "rng", rng).random(shape) >= self.p
        return Mask(frozen((keep / (1 - self.p)).astype(dtype)))


@dataclass(frozen=True, eq=False, repr=False)
class Dropout2d(Dropout):
    """z = a. In a draw each channel (a feature map, all of it) is dropped with probability p: m is (N, C, 1, 1).

    Neighbours in a map say nearly the same, so that a dropped pixel is hardly missed; a dropped map is.

    Source: Tompson et al. 2015, "Efficient object localization using convolutional networks", sec. 3.2.

    >>> Dropout2d(0.5).draw(np.random.default_rng(0), (1, 4, 8, 8)).m.ravel()
    array([2., 0., 0., 0.])
    """

    def draw(self, rng: np.random.Generator | int, shape: Shape, dtype: np.dtype | type = np.float64) -> "Mask":
        return super().draw(rng, _by_channel(shape), dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Mask(Layer):
    """z = a ⊙ m: one draw of a Dropout or Dropout2d, held fixed.

    Shapes: m (N, ...) with the axes of a, or (N, C, 1, 1) for a (N, C, H, W); an m with N = 1 serves every sample of a
    batch.
    """

    m: np.ndarray
    linear = pointwise = True

    def __post_init__(self) -> None:
        self._set(m=parameter("Mask", "m", m := as_array("m", self.m), max(1, m.ndim)))

    @property
    def batch(self) -> int:
        return len(self.m)

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return a * self.m

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return dz * self.m

    def output_shape(self, shape: Shape) -> Shape:
        n, *rest = self.m.shape
        if tuple(rest) not in (shape[1:], _by_channel(shape)[1:]) or n not in (1, *shape[:1]):
            expected = ", ".join(map(str, ("N" if n == 1 else n, *rest)))
            raise self.refuse(shape, f"({expected})", "A draw serves the shape that it was drawn for.")
        return shape


def _by_channel(shape: Shape) -> Shape:
    """(N, C, H, W) as (N, C, 1, 1)."""
    return (*shape[:2], *(1 for _ in shape[2:]))
