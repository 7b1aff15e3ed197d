"""Layers that move numbers or leave them alone: nothing is computed."""

from dataclasses import dataclass
from math import prod

import numpy as np

from .arguments import Shape, sizes
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class _Reshaping(Layer):
    """The same numbers in another shape; the way back gives them the old one."""

    linear = reshapes = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        above = self.check(a)
        return a.reshape(above)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check_above(a, dz)
        return dz.reshape(a.shape)


@dataclass(frozen=True, eq=False, repr=False)
class Flatten(_Reshaping):
    """Each sample as one vector, in row-major order: (N, C, H, W) becomes (N, C · H · W).

    >>> Flatten().output_shape((2, 1, 28, 28))
    (2, 784)
    """

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise self.refuse(shape, "(N, ...)", "Add the batch axis: x[None].")
        return shape[0], prod(shape[1:])


@dataclass(frozen=True, eq=False, repr=False)
class Reshape(_Reshaping):
    """Each sample in the given shape (without the batch axis), in row-major order. PyTorch's `nn.Unflatten(1, shape)`.

    >>> Reshape((1, 8, 8)).output_shape((2, 64))
    (2, 1, 8, 8)
    """

    shape: Shape

    def __post_init__(self) -> None:
        self._set(shape=sizes("Reshape", "shape", self.shape))

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2 or prod(shape[1:]) != prod(self.shape):
            raise self.refuse(shape, f"(N, ...) with {prod(self.shape)} numbers a sample")
        return shape[0], *self.shape

    def __repr__(self) -> str:
        return f"Reshape({list(self.shape)})"


@dataclass(frozen=True, eq=False, repr=False)
class Identity(Layer):
    """z = a. It stands where a layer was taken out, so that the others keep their places."""

    linear = pointwise = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return a

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check_above(a, dz)
        return dz
