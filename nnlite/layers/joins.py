"""Layers where branches meet, and the one that reads nothing.

A join reads several activations: `forward` takes a tuple of them, `backward` gives a tuple of signals, one for each.
Which activations these are, the network's wires say.
"""

from dataclasses import dataclass
from functools import reduce
from typing import Any, ClassVar

import numpy as np

from .arguments import DTYPES, Shape, as_array, is_integer, kind_of, parameter
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class Join(Layer):
    """What all joins share: they take a tuple of arrays of one dtype, and give a tuple of signals."""

    reads: ClassVar[int | None] = None

    def _above(self, a: Any) -> Shape:
        if not isinstance(a, tuple) or not all(isinstance(x, np.ndarray) and x.dtype in DTYPES for x in a):
            got = ", ".join(map(kind_of, a)) if isinstance(a, tuple) else kind_of(a)
            raise TypeError(f"{self!r} takes a tuple of arrays, one for each branch that meets in it, got {got}.")
        if len({x.dtype for x in a}) > 1:
            raise ValueError(f"{self!r} takes arrays of one dtype, got {', '.join(map(kind_of, a))}; use astype.")
        return self.with_room(self.output_shape(tuple(x.shape for x in a)), a[0].dtype)


@dataclass(frozen=True, eq=False, repr=False)
class Add(Join):
    """z = Σ_b x_b, the sum of the branches: the end of a residual block.

    Shapes: x_b all alike, z as they. dx_b = dz for every branch.

    Source: He et al. 2016, "Deep residual learning for image recognition", eq. 1.

    >>> Add().forward((np.array([[2.0, 1.0]]), np.array([[-1.0, 3.0]])))
    array([[1., 4.]])
    """

    linear = True

    def forward(self, a: Any) -> np.ndarray:
        self.check(a)
        return reduce(np.add, a)

    def backward(self, a: Any, dz: np.ndarray) -> Any:
        self.check(a, dz)
        return (dz,) * len(a)

    def output_shape(self, shape: Any) -> Shape:
        if len(set(shape)) != 1:
            raise self.refuse(shape, "branches of one shape", "Bring them to one, with a 1 × 1 Conv2d for instance.")
        return shape[0]


@dataclass(frozen=True, eq=False, repr=False)
class Concat(Join):
    """z = x_1 ‖ … ‖ x_B, the branches behind each other along `axis`: by default their channels.

    Shapes: x_b alike but along the axis. dx_b is the slice of dz that came from branch b.

    Source: Huang et al. 2017, "Densely connected convolutional networks", eq. 2.

    >>> Concat().forward((np.array([[2.0, 1.0]]), np.array([[3.0]])))
    array([[2., 1., 3.]])
    """

    axis: int = 1
    linear = moves = True

    def __post_init__(self) -> None:
        if not is_integer(self.axis) or self.axis < 1:
            raise ValueError(f"Concat: axis takes an integer from 1 (axis 0 is the batch), got {self.axis!r}.")

    def forward(self, a: Any) -> np.ndarray:
        self.check(a)
        return np.concatenate(a, axis=self.axis)

    def backward(self, a: Any, dz: np.ndarray) -> Any:
        self.check(a, dz)
        ends = np.cumsum([x.shape[self.axis] for x in a])[:-1]
        return tuple(map(np.ascontiguousarray, np.split(dz, ends, axis=self.axis)))

    def output_shape(self, shape: Any) -> Shape:
        along = self.axis
        if not shape or len({(len(s), *s[:along], *s[along + 1 :]) for s in shape}) != 1 or len(shape[0]) <= along:
            raise self.refuse(shape, f"branches whose shapes differ along axis {along} alone")
        return *shape[0][:along], sum(s[along] for s in shape), *shape[0][along + 1 :]


@dataclass(frozen=True, eq=False, repr=False)
class Multiply(Join):
    """z = x ⊙ g, the product of two branches, such as maps and their gate.

    Shapes: x and g alike, or with a 1 where the other has more: a gate (N, C, 1, 1) on maps (N, C, H, W).
    dx = dz ⊙ g and dg = dz ⊙ x, summed where an axis was spread.

    Source: Hu et al. 2018, "Squeeze-and-excitation networks", eq. 4.

    >>> Multiply().forward((np.array([[2.0, 1.0]]), np.array([[0.5, 3.0]])))
    array([[1., 3.]])
    """

    reads: ClassVar[int | None] = 2

    def forward(self, a: Any) -> np.ndarray:
        self.check(a)
        return a[0] * a[1]

    def backward(self, a: Any, dz: np.ndarray) -> Any:
        self.check(a, dz)
        x, g = a
        return summed_to(dz * g, x.shape), summed_to(dz * x, g.shape)

    def output_shape(self, shape: Any) -> Shape:
        x, g = shape if len(shape) == 2 else ((), ())
        if not x or len(x) != len(g) or any(m != n and 1 not in (m, n) for m, n in zip(x, g, strict=True)):
            raise self.refuse(shape, "two branches of one shape, or with a 1 where the other has more")
        return tuple(n if m == 1 else m for m, n in zip(x, g, strict=True))


@dataclass(frozen=True, eq=False, repr=False)
class MatMul(Join):
    """z = x y, or x yᵀ with `transposed`: the product of two branches over their last two axes.

    Attention's scores are queries times keys, transposed; its context is probabilities times values.

    Shapes: x (N, ..., T, J), y (N, ..., J, K), transposed (N, ..., K, J); z (N, ..., T, K). dx = dz yᵀ and dy = xᵀ dz;
    transposed dx = dz y and dy = dzᵀ x.

    Source: Vaswani et al. 2017, "Attention is all you need", eq. 1.

    >>> MatMul(transposed=True).forward((np.array([[[1.0, 2.0]]]), np.array([[[3.0, 4.0]]])))
    array([[[11.]]])
    """

    transposed: bool = False
    reads: ClassVar[int | None] = 2

    def forward(self, a: Any) -> np.ndarray:
        self.check(a)
        x, y = a
        return x @ (y.swapaxes(-1, -2) if self.transposed else y)

    def backward(self, a: Any, dz: np.ndarray) -> Any:
        self.check(a, dz)
        x, y = a
        if self.transposed:
            return dz @ y, dz.swapaxes(-1, -2) @ x
        return dz @ y.swapaxes(-1, -2), x.swapaxes(-1, -2) @ dz

    def output_shape(self, shape: Any) -> Shape:
        x, y = shape if len(shape) == 2 else ((), ())
        j, k = (y[-1:], y[-2:-1]) if self.transposed else (y[-2:-1], y[-1:])
        if not 3 <= len(x) == len(y) or x[:-2] != y[:-2] or x[-1:] != j:
            expected = "(N, ..., T, J) and " + ("(N, ..., K, J)" if self.transposed else "(N, ..., J, K)")
            raise self.refuse(shape, expected)
        return *x[:-1], *k


def summed_to(values: np.ndarray, shape: Shape) -> np.ndarray:
    """The sum over the axes along which an array of this shape was spread: the adjoint of broadcasting."""
    spread = tuple(i for i, (m, n) in enumerate(zip(values.shape, shape, strict=True)) if m != n)
    return values.sum(axis=spread, keepdims=True) if spread else values


@dataclass(frozen=True, eq=False, repr=False)
class Constant(Layer):
    """z = value for every sample, whatever the input: a learned start, a position, what was measured once.

    It reads nothing: `forward` is told the number of samples.

    Shapes: value (1, ...), the same for all samples, or (N, ...), one for each; z (N, ...).

    >>> Constant([[2.0, 1.0]]).forward(2)
    array([[2., 1.],
           [2., 1.]])
    """

    value: np.ndarray
    trained = ("value",)
    reads = 0

    def __post_init__(self) -> None:
        self._set(value=parameter("Constant", "value", value := as_array("value", self.value), max(2, value.ndim)))

    @property
    def batch(self) -> int:
        return len(self.value)

    def _above(self, a: Any) -> Shape:
        if not is_integer(a):
            raise TypeError(f"{self!r} reads nothing and takes the number of samples, got {kind_of(a)}.")
        return self.output_shape(a)

    def forward(self, a: Any) -> np.ndarray:
        return np.broadcast_to(self.value, self.check(a))

    def backward(self, a: Any, dz: np.ndarray) -> Any:
        self.check(a, dz)
        return ()

    def gradients(self, a: Any, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check(a, dz)
        return {"value": dz.sum(axis=0, keepdims=True) if len(self.value) == 1 else dz}

    def bias_like(self, z: np.ndarray) -> np.ndarray | float:
        return self.value

    def output_shape(self, shape: Any) -> Shape:
        n = len(self.value)
        if n not in (1, shape):
            raise self.refuse(shape, f"{n} samples", "It was made for so many.")
        return (shape, *self.value.shape[1:])
