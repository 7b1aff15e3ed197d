"""Layers that lay numbers on another grid, each axis separately: padding, enlarging, and means over bins."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from ..kernels.windows import Pair
from .arguments import Shape, flag, is_integer, is_one_of, pair
from .layer import Layer

PADDING = {"zero": "constant", "reflect": "reflect", "replicate": "edge"}
"""The modes of a Pad, and how NumPy calls them."""


class _Resampling(Layer):
    """Along one axis after the other, z[i] = Σ_t weight_t[i] · a[index_t[i]]."""

    linear = True

    def taps(self, axis: int, n: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        """(index_t, weight_t) along an axis of n numbers; none where the axis stays as it is."""
        raise NotImplementedError

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        for axis, n in enumerate(a.shape[1:], 1):
            terms = [np.take(a, index, axis) * _along(axis, weight, a) for index, weight in self.taps(axis, n)]
            a = reduce(np.add, terms) if terms else a
        return a

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        for axis, n in enumerate(a.shape[1:], 1):
            terms = [_collected(dz * _along(axis, weight, dz), axis, index, n) for index, weight in self.taps(axis, n)]
            dz = reduce(np.add, terms) if terms else dz
        return dz


@dataclass(frozen=True, eq=False, repr=False)
class Pad(_Resampling):
    """z is a with `before` and `after` more numbers at the ends of each axis: zeros, or numbers of a again.

    mode "zero": 0;  "reflect": a mirrored at its first and last number, which is not repeated;  "replicate": its first
    and last number.  da_j = Σ dz_k over all places k that hold a_j. PyTorch's `F.pad`, `nn.ZeroPad2d`,
    `nn.ReflectionPad2d` and `nn.ReplicationPad2d`.

    Shapes: before and after have an integer for each axis of a but the first: (channels, rows, columns) for images
    (N, C, H, W). `after` is `before` unless given.

    Source: Goodfellow et al. 2016, "Deep learning", sec. 9.5 (zero padding).

    >>> Pad((0, 1), (0, 2), mode="replicate").forward(np.array([[[1.0, 2.0]]]))
    array([[[1., 1., 2., 2., 2.]]])
    """

    before: Shape
    after: Shape | None = None
    mode: str = "zero"
    moves = True

    def __post_init__(self) -> None:
        before, after = (
            self._widths("before", self.before),
            self._widths("after", self.before if self.after is None else self.after),
        )
        if len(before) != len(after):
            raise ValueError(f"Pad: before and after take as many integers as each other, got {before} and {after}.")
        if not is_one_of(self.mode, PADDING):
            raise ValueError(f"Pad: mode takes {', '.join(map(repr, PADDING))}, got {self.mode!r}.")
        self._set(before=before, after=after)

    def _widths(self, name: str, value: Shape) -> Shape:
        if not isinstance(value, (tuple, list)) or not value or not all(is_integer(n) and n >= 0 for n in value):
            raise ValueError(f"Pad: {name} takes an integer from 0 for each axis but the first, got {value!r}.")
        return tuple(map(int, value))

    def taps(self, axis: int, n: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        widths = self._at[axis - 1]
        if not any(widths):
            return ()
        index = np.pad(np.arange(n), widths, PADDING["replicate" if self.mode == "zero" else self.mode])  # type: ignore[call-overload]
        return [(index, np.pad(np.ones(n), widths, PADDING[self.mode]))]  # type: ignore[call-overload]

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return np.pad(a, [(0, 0), *self._at], PADDING[self.mode])  # type: ignore[call-overload]

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1 + len(self._at) or min(shape[1:]) < 1:
            raise self.refuse(shape, f"(N, ...) with {len(self._at)} axes behind N")
        if self.mode == "reflect" and any(max(widths) >= n for widths, n in zip(self._at, shape[1:], strict=True)):
            raise self.refuse(shape, "axes longer than what is reflected")
        return shape[0], *(n + sum(widths) for widths, n in zip(self._at, shape[1:], strict=True))

    @property
    def _at(self) -> list[tuple[int, int]]:
        return list(zip(self.before, self.after or (), strict=True))


class _OfImages(_Resampling):
    """Along rows and columns; what Upsample and AdaptiveAvgPool2d share."""

    def sizes(self, shape: Shape) -> Pair:
        """The rows and columns above images of this shape (N, C, H, W)."""
        raise NotImplementedError

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4 or min(shape[2:]) < 1:
            raise self.refuse(shape, "(N, C, H, W)", "Add the batch axis: x[None]." if len(shape) == 3 else "")
        return *shape[:2], *self.sizes(shape)


@dataclass(frozen=True, eq=False, repr=False)
class Upsample(_OfImages):
    """z is a with `factor` times as many rows and columns.

    mode "nearest": z[n, c, y, x] = a[n, c, ⌊y / f⌋, ⌊x / f⌋].  mode "bilinear": along each axis, where output i lies at
    s = (i + ½) / f − ½ among the inputs, (1 − λ) a[⌊s⌋] + λ a[⌊s⌋ + 1] with λ = s − ⌊s⌋; s is kept within the first and
    the last input. With align_corners s = i (n − 1) / (f n − 1): the corners stay where they are. PyTorch's
    `nn.Upsample`.

    Shapes: factor an integer or (rows, columns); a (N, C, H, W), z (N, C, f H, f W).

    Source: Odena et al. 2016, "Deconvolution and checkerboard artifacts", Distill.

    >>> Upsample((1, 2), "bilinear").forward(np.array([[[[0.0, 4.0]]]]))
    array([[[[0., 1., 3., 4.]]]])
    """

    factor: int | Pair
    mode: str = "nearest"
    align_corners: bool = False

    def __post_init__(self) -> None:
        if self.mode not in ("nearest", "bilinear"):
            raise ValueError(f"Upsample: mode takes 'nearest' or 'bilinear', got {self.mode!r}.")
        corners = flag("Upsample", "align_corners", self.align_corners)
        if corners and self.mode == "nearest":
            raise ValueError("Upsample: align_corners is an option of mode='bilinear', got it with mode='nearest'.")
        self._set(factor=pair("Upsample", "factor", self.factor, 1), align_corners=corners)

    def sizes(self, shape: Shape) -> Pair:
        (f, g), (H, W) = self.factor, shape[2:]  # type: ignore[misc]
        return f * H, g * W

    def taps(self, axis: int, n: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        f = self.factor[axis - 2] if axis > 1 else 1  # type: ignore[index]
        if f == 1:
            return ()
        i = np.arange(f * n)
        if self.mode == "nearest":
            return [(i // f, np.ones(f * n))]
        s = i * (n - 1) / (f * n - 1) if self.align_corners else np.clip((i + 0.5) / f - 0.5, 0, n - 1)
        low = s.astype(int)
        return [(low, 1 - (s - low)), (np.minimum(low + 1, n - 1), s - low)]


@dataclass(frozen=True, eq=False, repr=False)
class AdaptiveAvgPool2d(_OfImages):
    """z has `size` rows and columns: the means over bins that cover the image, whatever its own size is.

    Along an axis of n numbers bin i of m goes from ⌊i n / m⌋ to ⌈(i + 1) n / m⌉, which is not in it; where m does not
    divide n, neighbours overlap. PyTorch's `nn.AdaptiveAvgPool2d`. (To one pixel: GlobalAvgPool.)

    Shapes: size an integer or (rows, columns); a (N, C, H, W), z (N, C, *size).

    Source: He et al. 2014, "Spatial pyramid pooling in deep convolutional networks for visual recognition", sec. 2.2.

    >>> AdaptiveAvgPool2d((1, 2)).forward(np.array([[[[1.0, 2.0, 6.0]]]]))
    array([[[[1.5, 4. ]]]])
    """

    size: int | Pair

    def __post_init__(self) -> None:
        self._set(size=pair("AdaptiveAvgPool2d", "size", self.size, 1))

    def sizes(self, shape: Shape) -> Pair:
        return self.size  # type: ignore[return-value]

    def taps(self, axis: int, n: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
        if axis == 1:
            return ()
        m = self.size[axis - 2]  # type: ignore[index]
        first, last = np.arange(m) * n // m, -(-np.arange(1, m + 1) * n // m)
        within = [first + t for t in range((last - first).max())]
        return [(np.minimum(i, n - 1), (i < last) / (last - first)) for i in within]


def _along(axis: int, weight: np.ndarray, a: np.ndarray) -> np.ndarray:
    """The weights in the dtype of a, along this axis of it."""
    return weight.astype(a.dtype).reshape(-1, *(1,) * (a.ndim - 1 - axis))


def _collected(dz: np.ndarray, axis: int, index: np.ndarray, n: int) -> np.ndarray:
    """Along an axis, each dz[i] added to da[index[i]]: the adjoint of np.take."""
    order = np.argsort(index, kind="stable")
    places, starts = np.unique(index[order], return_index=True)
    da = np.zeros((*dz.shape[:axis], n, *dz.shape[axis + 1 :]), dz.dtype)
    da[(slice(None),) * axis + (places,)] = np.add.reduceat(np.take(dz, order, axis), starts, axis)
    return da
