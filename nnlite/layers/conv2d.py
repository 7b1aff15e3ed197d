"""Convolution over images, and its transpose."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .. import kernels
from ..kernels.windows import Pair, windows
from .arguments import Shape, is_integer, pair, parameter
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class _Convolution(Layer):
    """What Conv2d and ConvTranspose2d share: their fields and checks."""

    W: np.ndarray
    b: np.ndarray | None = None
    stride: int | Pair = 1
    padding: int | Pair = 0
    dilation: int | Pair = 1
    groups: int = 1
    trained = ("W", "b")
    weighted = linear = True

    @property
    def filters(self) -> int:
        """How many channels lie above."""
        raise NotImplementedError

    @property
    def channels(self) -> int:
        """How many channels lie below."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        name = type(self).__name__
        groups = self.groups
        if not is_integer(groups) or groups < 1:
            raise ValueError(f"{name}: groups takes an integer from 1, got {groups!r}.")
        self._set(
            W=parameter(name, "W", self.W, ndim=4), groups=int(groups),
            stride=pair(name, "stride", self.stride, 1),
            padding=pair(name, "padding", self.padding, 0),
            dilation=pair(name, "dilation", self.dilation, 1),
        )  # fmt: skip
        if self.W.size == 0:
            raise ValueError(f"{name}: every axis of W has at least one element, and W is {self.W.shape}.")
        if len(self.W) % groups:
            raise ValueError(f"{name}: groups={groups} must divide W's first axis, and W is {self.W.shape}.")
        b = None if self.b is None else parameter(name, "b", self.b, 1, (self.filters,))
        if b is not None and b.dtype != self.W.dtype:
            raise ValueError(f"{name}: W is {self.W.dtype} and b is {b.dtype}; give both the same dtype.")
        self._set(b=b)

    def bias_like(self, z: np.ndarray) -> np.ndarray | float:
        return 0.0 if self.b is None else self.b[:, None, None]

    def _with_bias(self, z: np.ndarray) -> np.ndarray:
        if self.b is not None:
            z += self.bias_like(z)  # in place: the kernel made z, and nobody else holds it
        return z

    def _bias_gradient(self, dz: np.ndarray) -> dict[str, np.ndarray]:
        return {} if self.b is None else {"b": np.einsum("nkyx->k", dz)}

    @cached_property
    def _at(self) -> tuple[Pair, Pair, Pair, int]:
        return self.stride, self.padding, self.dilation, self.groups  # type: ignore[return-value]

    def _check_image(self, shape: Shape) -> None:
        if len(shape) != 4 or shape[1] != self.channels:
            advice = "Add the batch axis: x[None]." if len(shape) == 3 and shape[0] == self.channels else ""
            raise self.refuse(shape, f"(N, {self.channels}, H, W)", advice)
        if min(shape[2:]) < 1:
            raise self.refuse(shape, "images of at least one pixel")


@dataclass(frozen=True, eq=False, repr=False)
class Conv2d(_Convolution):
    """z[n, k, y, x] = Σ_{c i j} W[k, c, i, j] · a[n, c, y s − p + i d, x s − p + j d] + b[k].

    s is `stride`, p `padding` (zeros around the image), d `dilation`, each an integer or (rows, columns). With
    `groups`, filter k sees only the channels of its group. All as PyTorch's `nn.Conv2d`.

    Shapes: a (N, C, H, W), W (K, C / groups, kh, kw), b (K,) or None, z (N, K, oh, ow) with
    oh = ⌊(H + 2 p − d (kh − 1) − 1) / s⌋ + 1.

    Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", relationship 6 and 15.

    >>> edge = Conv2d(np.array([[[[-1.0, 1.0]]]]))
    >>> edge.forward(np.array([[[[0.0, 0.0, 5.0, 5.0]]]]))
    array([[[[0., 5., 0.]]]])
    """

    @property
    def filters(self) -> int:
        return self.W.shape[0]

    @property
    def channels(self) -> int:
        return self.W.shape[1] * self.groups

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return kernels.forward(a, self.W, self.b, *self._at)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return kernels.backward_input(dz, self.W, a.shape[2:], *self._at)

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check(a, dz)
        return {"W": kernels.backward_weights(a, dz, self.W.shape[2:], *self._at), **self._bias_gradient(dz)}

    def output_shape(self, shape: Shape) -> Shape:
        self._check_image(shape)
        size = windows(shape[2:], self.W.shape[2:], self.stride, self.padding, self.dilation).output
        if min(size) < 1:
            raise self.refuse(shape, f"images that its {self.W.shape[2]} × {self.W.shape[3]} window fits into")
        return shape[0], self.filters, *size


@dataclass(frozen=True, eq=False, repr=False)
class ConvTranspose2d(_Convolution):
    """z[n, k, y s − p + i d, x s − p + j d] += W[c, k, i, j] · a[n, c, y, x], then + b[k]: a convolution backwards.

    Its forward is the backward pass of a Conv2d with the same W, and the other way round. Options as PyTorch's
    `nn.ConvTranspose2d`; `output_padding` adds rows and columns at the bottom and the right.

    Shapes: a (N, C, H, W), W (C, K / groups, kh, kw), b (K,) or None, z (N, K, oh, ow) with
    oh = (H − 1) s − 2 p + d (kh − 1) + output_padding + 1.

    Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning", relationship 14.

    >>> ConvTranspose2d(np.ones((1, 1, 2, 2)), stride=2).forward(np.array([[[[1.0, 2.0]]]]))
    array([[[[1., 1., 2., 2.],
             [1., 1., 2., 2.]]]])
    """

    output_padding: int | Pair = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        extra = pair("ConvTranspose2d", "output_padding", self.output_padding, 0)
        if any(o >= max(s, d) for o, s, d in zip(extra, *self._at[0:3:2], strict=True)):
            raise ValueError(
                f"ConvTranspose2d: output_padding must be smaller than stride or dilation; output_padding is {extra}, "
                f"stride {self.stride}, dilation {self.dilation}."
            )
        self._set(output_padding=extra)

    @property
    def filters(self) -> int:
        return self.W.shape[1] * self.groups

    @property
    def channels(self) -> int:
        return self.W.shape[0]

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        size = self.output_shape(a.shape)[2:]
        return self._with_bias(kernels.backward_input(a, self.W, (size[0], size[1]), *self._at))

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return self._crop(kernels.forward(dz, self.W, None, *self._at), a.shape)

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check(a, dz)
        return {"W": kernels.backward_weights(dz, a, self.W.shape[2:], *self._at), **self._bias_gradient(dz)}

    def output_shape(self, shape: Shape) -> Shape:
        self._check_image(shape)
        stride, padding, dilation, _ = self._at
        extra: Pair = self.output_padding  # type: ignore[assignment]
        size = tuple(
            (shape[2 + i] - 1) * stride[i] - 2 * padding[i] + dilation[i] * (self.W.shape[2 + i] - 1) + extra[i] + 1
            for i in (0, 1)
        )
        if min(size) < 1:
            raise self.refuse(shape, "images that leave at least one pixel after padding is cut off")
        return shape[0], self.filters, *size

    @staticmethod
    def _crop(a: np.ndarray, shape: Shape) -> np.ndarray:
        """With output_padding one more window can fit than there were inputs: those were never used."""
        return np.ascontiguousarray(a[:, :, : shape[2], : shape[3]])
