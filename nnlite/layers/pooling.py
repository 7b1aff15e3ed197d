"""Max-pooling, average pooling, and the mean over the whole image."""

from dataclasses import dataclass
from math import prod

import numpy as np

from .. import kernels
from ..kernels.windows import Pair, Windows, windows
from .arguments import Shape, flag, frozen, pair
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class _Pooling(Layer):
    """What MaxPool2d and AvgPool2d share: their fields, checks and windows."""

    size: int | Pair
    stride: int | Pair | None = None
    padding: int | Pair = 0
    ceil_mode: bool = False

    def __post_init__(self) -> None:
        name = type(self).__name__
        size = pair(name, "size", self.size, 1)
        stride = size if self.stride is None else pair(name, "stride", self.stride, 1)
        padding = pair(name, "padding", self.padding, 0)
        if any(2 * p > k for p, k in zip(padding, size, strict=True)):
            raise ValueError(f"{name}: padding is at most half the window; size is {size}, padding {padding}.")
        self._set(size=size, stride=stride, padding=padding, ceil_mode=flag(name, "ceil_mode", self.ceil_mode))

    def windows(self, shape: Shape) -> Windows:
        """Where the windows lie on images of this shape (N, C, H, W)."""
        if len(shape) != 4:
            raise self.refuse(shape, "(N, C, H, W)", "Add the batch axis: x[None]." if len(shape) == 3 else "")
        at = windows(shape[2:], self.size, self.stride, self.padding, ceil_mode=self.ceil_mode)
        if min(at.output) < 1 or min(shape[2:]) < 1:
            raise self.refuse(shape, f"images that its window {self.size} fits into")
        return at

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape[:2], *self.windows(shape).output)


@dataclass(frozen=True, eq=False, repr=False)
class MaxPool2d(_Pooling):
    """z[n, c, y, x] = the largest activation in window (y, x); the first in row-major order where several tie.

    Options as PyTorch's `nn.MaxPool2d`: `stride` is `size` unless given, padding is absent from the maximum.

    Shapes: a (N, C, H, W), z (N, C, oh, ow) with oh = ⌊(H + 2 padding − size) / stride⌋ + 1 (⌈⌉ with ceil_mode).

    Source: Zeiler and Fergus 2013, sec. 2.1 (the winners are its "switches").

    >>> MaxPool2d(2).forward(np.array([[[[1.0, 5.0, 2.0, 2.0], [0.0, 3.0, 0.0, 1.0]]]]))
    array([[[[5., 2.]]]])
    """

    def winners(self, a: np.ndarray) -> np.ndarray:
        """Where the largest activation of each window lies: row · W + column, shape (N, C, oh, ow)."""
        self.check(a)
        return kernels.winners(a, self.windows(a.shape))

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return kernels.max_forward(a, self.windows(a.shape))

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return kernels.max_backward(a, dz, self.windows(a.shape))


@dataclass(frozen=True, eq=False, repr=False)
class AvgPool2d(_Pooling):
    """z[n, c, y, x] = the mean activation of window (y, x).

    Options as PyTorch's `nn.AvgPool2d`: `stride` is `size` unless given; padding counts as zeros in the mean, or
    with `count_include_pad=False` not at all.

    Shapes: as MaxPool2d.

    Source: LeCun et al. 1998, sec. II.B (subsampling, here without its trained coefficients).

    >>> AvgPool2d(2).forward(np.array([[[[1.0, 5.0], [0.0, 2.0]]]]))
    array([[[[2.]]]])
    """

    count_include_pad: bool = True
    linear = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(count_include_pad=flag("AvgPool2d", "count_include_pad", self.count_include_pad))

    def counts(self, at: Windows, dtype: np.dtype) -> np.ndarray:
        """By how many elements the sum of each window is divided: (oh, ow)."""
        per_axis = []
        for n, k, s, p, out in zip(at.input, at.size, at.stride, at.padding, at.output, strict=True):
            start = np.arange(out) * s - p
            low, high = (-p, n + p) if self.count_include_pad else (0, n)
            per_axis.append(np.minimum(start + k, high) - np.maximum(start, low))
        return frozen(np.outer(*per_axis).astype(dtype))

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        at = self.windows(a.shape)
        return kernels.mean_forward(a, self.counts(at, a.dtype), at)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        at = self.windows(a.shape)
        return kernels.mean_backward(dz, self.counts(at, a.dtype), at)


@dataclass(frozen=True, eq=False, repr=False)
class GlobalAvgPool(Layer):
    """z[n, c, 0, 0] = the mean of channel c over the whole image, as PyTorch's `nn.AdaptiveAvgPool2d(1)`.

    Shapes: a (N, C, H, W), z (N, C, 1, 1); a Flatten follows before a Dense.

    Source: Lin et al. 2013, "Network in network", sec. 3.2; Zhou et al. 2016, sec. 2.

    >>> GlobalAvgPool().forward(np.array([[[[1.0, 5.0], [0.0, 2.0]]]]))
    array([[[[2.]]]])
    """

    linear = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return a.mean(axis=(2, 3), keepdims=True)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return np.broadcast_to(dz / prod(a.shape[2:]), a.shape).copy()

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4 or min(shape[2:]) < 1:
            raise self.refuse(shape, "(N, C, H, W)", "Add the batch axis: x[None]." if len(shape) == 3 else "")
        return *shape[:2], 1, 1
