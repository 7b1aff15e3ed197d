"""Layers that move numbers or leave them alone: nothing is computed."""

from dataclasses import dataclass
from math import prod

import numpy as np

from .arguments import Shape, count, is_integer, sizes
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class _Reshaping(Layer):
    """The same numbers in another shape; the way back gives them the old one."""

    linear = reshapes = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        above = self.check(a)
        return a.reshape(above)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
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
class Permute(Layer):
    """Each sample with its axes in another order: z = a.transpose(0, *axes), as PyTorch's `x.permute(0, *axes)`.

    Shapes: axes names each axis of a but the first once, counted from 1.

    >>> Permute((2, 3, 1)).output_shape((2, 3, 28, 30))
    (2, 28, 30, 3)
    """

    axes: Shape
    linear = moves = True

    def __post_init__(self) -> None:
        axes = sizes("Permute", "axes", self.axes)
        if sorted(axes) != list(range(1, len(axes) + 1)):
            raise ValueError(f"Permute: axes takes each number from 1 to {len(axes)} once, got {axes}.")
        self._set(axes=axes)

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return np.ascontiguousarray(a.transpose(0, *self.axes))

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return np.ascontiguousarray(dz.transpose(np.argsort((0, *self.axes))))

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1 + len(self.axes):
            raise self.refuse(shape, f"(N, ...) with {len(self.axes)} axes behind N")
        return shape[0], *(shape[axis] for axis in self.axes)

    def __repr__(self) -> str:
        return f"Permute({list(self.axes)})"


@dataclass(frozen=True, eq=False, repr=False)
class Slice(Layer):
    """z = a[:, ..., start:stop:step] along one axis, counted from 1 (the channels); da is 0 elsewhere.

    start and stop as Python has them: negative ones count from the end, and a stop of None is the end.

    Shapes: a (N, ...); z as a, shorter along the axis.

    >>> Slice(2, step=2).forward(np.array([[[1.0, 2.0, 3.0]]]))
    array([[[1., 3.]]])
    """

    axis: int
    start: int = 0
    stop: int | None = None
    step: int = 1
    linear = moves = True

    def __post_init__(self) -> None:
        self._set(axis=count("Slice", "axis", self.axis), step=count("Slice", "step", self.step))
        for name, value in (("start", self.start), ("stop", self.stop)):
            if not is_integer(value) and (name, value) != ("stop", None):
                raise ValueError(f"Slice: {name} takes an integer, got {value!r}.")
            self._set(**{name: None if value is None else int(value)})

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return a[self._where].copy()

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        da = np.zeros_like(a)
        da[self._where] = dz
        return da

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) <= self.axis:
            raise self.refuse(shape, f"an input with an axis {self.axis}")
        kept = len(range(*self._where[-1].indices(shape[self.axis])))
        if not kept:
            raise self.refuse(shape, f"an axis {self.axis} of which something is left")
        return *shape[: self.axis], kept, *shape[self.axis + 1 :]

    @property
    def _where(self) -> tuple[slice, ...]:
        return (slice(None),) * self.axis + (slice(self.start, self.stop, self.step),)


@dataclass(frozen=True, eq=False, repr=False)
class Identity(Layer):
    """z = a. It stands where a layer was taken out, so that the others keep their places."""

    linear = pointwise = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return a

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return dz
