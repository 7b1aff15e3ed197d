"""Who feeds whom: which inputs j reach an output k, which outputs k an input j reaches, and where w_jk lies.

Every place is one number, counted in row-major order. page.js computes the same from the same few numbers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate, product
from math import prod
from typing import Any

import numpy as np

from ..layers import (
    Add,
    AvgPool2d,
    Concat,
    Constant,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    MaxPool2d,
    Multiply,
    Reshape,
    Softmax,
)
from ..layers.arguments import Shape

Link = tuple[int, int]
"""The other end of a connection, and the place of its weight in W."""


@dataclass(frozen=True)
class Geometry:
    """The connections of a layer.

    kind: "dense": every j feeds every k. "same": j feeds k = j. "windows": each k sees a window of an image. "join":
        branches meet; j counts the elements of the first branch, then those of the second, ...
    below, above: the shapes of one input and one output.
    size, stride, padding, dilation: of the windows.
    channels, filters: how many channels a window sees, and how many windows (filters) see those channels, in each
        group.
    transposed: whether the image with the windows on it lies above (a transposed convolution).
    branches: of a join: the shape of each branch.
    axis: of a Concat: the axis along which its branches lie behind each other, from 0; None at other joins.

    >>> Geometry("windows", (1, 1, 3), (1, 1, 2), (1, 2)).window(1)      # (j, place of w_jk)
    [(1, 0), (2, 1)]
    """

    kind: str
    below: Shape
    above: Shape
    size: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    padding: tuple[int, int] = (0, 0)
    dilation: tuple[int, int] = (1, 1)
    channels: int = 1
    filters: int = 1
    transposed: bool = False
    branches: tuple[Shape, ...] = ()
    axis: int | None = None

    def count(self, index: str) -> int:
        """How many inputs ("j") or outputs ("k") there are; 1 for a step without an index."""
        return {"j": prod(self.below), "k": prod(self.above), "": 1}[index]

    def window(self, k: int) -> list[Link]:
        """The inputs that feed k, in row-major order."""
        if self.kind == "same":
            return [(k, k)]
        if self.kind == "dense":
            K = prod(self.above)
            return [(j, j * K + k) for j in range(prod(self.below))]
        if self.kind == "join":
            return list(self._of_branches(k))
        return list(self._windows_over(k) if self.transposed else self._pixels_in(k))

    def fed(self, j: int) -> list[Link]:
        """The outputs that j feeds, in row-major order."""
        if self.kind == "same":
            return [(j, j)]
        if self.kind == "dense":
            K = prod(self.above)
            return [(k, j * K + k) for k in range(K)]
        if self.kind == "join":
            return list(self._met_by(j))
        return list(self._pixels_in(j) if self.transposed else self._windows_over(j))

    def place(self, index: str, n: int) -> dict[str, int]:
        """The place of element n of a step: both where j feeds k = j alone; at a join the first k that j feeds."""
        if self.kind == "same":
            return {"j": n, "k": n, "jk": n}
        if self.kind == "join" and index == "j":
            k, weight = self.fed(n)[0]
            return {"j": n, "k": k, "jk": weight}
        return {index: n}

    @property
    def first(self) -> list[int]:
        """The j at which each branch begins, and behind the last where they end."""
        return list(accumulate(map(prod, self.branches), initial=0))

    def branch(self, j: int) -> int:
        """The branch that j lies in."""
        return sum(j >= first for first in self.first[1:-1])

    def split(self, a_j: np.ndarray) -> tuple[np.ndarray, ...]:
        """The branches' parts of an array with one element for each j, as a batch of one each."""
        parts = zip(np.split(a_j, self.first[1:-1]), self.branches, strict=True)
        return tuple(part.reshape(1, *shape) for part, shape in parts)

    def _starts(self) -> list[int]:
        """Where each branch begins along the axis of a Concat."""
        return list(accumulate((0 if self.axis is None else s[self.axis] for s in self.branches), initial=0))

    def _of_branches(self, k: int) -> Iterator[Link]:
        """What feeds an output of a join: an element of each branch, or of the one that a Concat has there."""
        at = [int(i) for i in np.unravel_index(k, self.above)]
        for b, (shape, start) in enumerate(zip(self.branches, self._starts(), strict=False)):
            place = [
                i - start if axis == self.axis else i if size > 1 else 0
                for axis, (i, size) in enumerate(zip(at, shape, strict=True))
            ]
            if all(0 <= i < size for i, size in zip(place, shape, strict=True)):
                yield self.first[b] + int(np.ravel_multi_index(place, shape)), b * prod(self.above) + k

    def _met_by(self, j: int) -> Iterator[Link]:
        """The outputs of a join that an element of a branch feeds: several where it was spread, as a gate is."""
        b = self.branch(j)
        shape, start = self.branches[b], self._starts()[b]
        at = [int(i) for i in np.unravel_index(j - self.first[b], shape)]
        reach = [
            [i + start] if axis == self.axis else range(size) if shape[axis] == 1 else [i]
            for axis, (i, size) in enumerate(zip(at, self.above, strict=True))
        ]
        for place in product(*reach):
            k = int(np.ravel_multi_index(place, self.above))
            yield k, b * prod(self.above) + k

    @property
    def _image(self) -> Shape:
        return self.above if self.transposed else self.below

    @property
    def _windows(self) -> Shape:
        return self.below if self.transposed else self.above

    def _pixels_in(self, window: int) -> Iterator[Link]:
        """The pixels of a window; those in the padding do not exist."""
        (h, w), (oh, ow) = self._image[1:], self._windows[1:]
        filter, (y, x) = window // (oh * ow), divmod(window % (oh * ow), ow)
        group = filter // self.filters
        for c in range(self.channels):
            for i in range(self.size[0]):
                row = y * self.stride[0] - self.padding[0] + i * self.dilation[0]
                for m in range(self.size[1]):
                    column = x * self.stride[1] - self.padding[1] + m * self.dilation[1]
                    if 0 <= row < h and 0 <= column < w:
                        yield ((group * self.channels + c) * h + row) * w + column, self._weight(filter, c, i, m)

    def _windows_over(self, pixel: int) -> Iterator[Link]:
        """The windows that a pixel lies in."""
        (h, w), (oh, ow) = self._image[1:], self._windows[1:]
        channel, (row, column) = pixel // (h * w), divmod(pixel % (h * w), w)
        group, c = divmod(channel, self.channels)
        for f in range(self.filters):
            filter = group * self.filters + f
            for i in reversed(range(self.size[0])):
                y, off_y = divmod(row + self.padding[0] - i * self.dilation[0], self.stride[0])
                for m in reversed(range(self.size[1])):
                    x, off_x = divmod(column + self.padding[1] - m * self.dilation[1], self.stride[1])
                    if off_y == off_x == 0 and 0 <= y < oh and 0 <= x < ow:
                        yield (filter * oh + y) * ow + x, self._weight(filter, c, i, m)

    def _weight(self, filter: int, c: int, i: int, m: int) -> int:
        return ((filter * self.channels + c) * self.size[0] + i) * self.size[1] + m


def geometry(layer: Layer, below: Any, above: Shape) -> Geometry:
    """The connections of a layer between one input and one output (shapes without the batch axis).

    `below` is a tuple of shapes where branches meet, and empty at a Constant.

    Raises ValueError: they are none of those that a Geometry can say.

    >>> geometry(GlobalAvgPool(), (1, 2, 2), (1, 1, 1)).window(0)
    [(0, 0), (1, 1), (2, 2), (3, 3)]
    """
    at: Any = layer
    if isinstance(layer, Dense) and len(below) == 1:
        return Geometry("dense", below, above)
    if isinstance(layer, (Conv2d, ConvTranspose2d)):
        filters, channels = len(at.W) // at.groups, at.W.shape[1]
        windows = (at.W.shape[2:], at.stride, at.padding, at.dilation, channels, filters)
        return Geometry("windows", below, above, *windows, transposed=isinstance(layer, ConvTranspose2d))
    if isinstance(layer, (MaxPool2d, AvgPool2d)):
        return Geometry("windows", below, above, at.size, at.stride, at.padding)
    if isinstance(layer, GlobalAvgPool):
        return Geometry("windows", below, above, below[1:], below[1:])
    if isinstance(layer, (Add, Concat, Multiply, Constant)):
        axis = at.axis - 1 if isinstance(layer, Concat) else None
        return Geometry("join", (sum(map(prod, below)),), above, branches=tuple(below), axis=axis)
    if layer.pointwise or isinstance(layer, (Flatten, Reshape, Softmax)):
        return Geometry("same", below, above)
    raise ValueError(f"{layer!r} cannot be stepped through: its inputs feed its outputs in no pattern shown here.")
