"""The layers of a row in numbers: whether a row can hold them, and where their windows, activations and weights lie."""

from collections.abc import Sequence
from math import prod

import numpy as np

from ..kernels.windows import Windows
from ..kernels.windows import windows as windows_of
from ..layers import AvgPool2d, Conv2d, Dense, GlobalAvgPool, Layer, MaxPool2d
from ..layers.arguments import Shape
from .loops import convolution
from .loops.sizes import Sizes
from .lowering import KINDS
from .operations import Kind

MOST_NUMBERS = 2**18
"""In the columns of one convolution, an activation, or an array of weights: more would not stay in the cache."""


def can_hold(layer: Layer, below: Shape, above: Shape, dtype: np.dtype) -> str:
    """Why a row cannot hold this layer; empty where it can."""
    if type(layer) not in KINDS:
        return f"a row knows no {type(layer).__name__}"
    if layer.dtype is not None and layer.dtype != dtype:
        return f"its weights are {layer.dtype}"
    if max(len(below), len(above)) > 3:
        return "it has more axes than (C, H, W)"
    if isinstance(layer, Dense) and len(below) > 1:
        return "it works on the last of several axes"
    if isinstance(layer, Conv2d):
        if layer.groups != 1:
            return "it has groups"
        if _columns(layer, below, above) > MOST_NUMBERS:
            return "its columns are too large for the cache"
    if isinstance(layer, (MaxPool2d, AvgPool2d)) and layer.ceil_mode:
        return "its windows may stick out"
    if (
        max(prod(below), prod(above)) > MOST_NUMBERS
        or sum(value.size for value in layer.arrays.values()) > MOST_NUMBERS
    ):
        return "it is too large for the cache"
    return "" if is_finite(layer) else "a weight is not finite"


def is_finite(layer: Layer) -> bool:
    """Whether all its numbers are."""
    return all(np.isfinite(value).all() for value in layer.arrays.values())


def can_stand_for(other: Layer, layer: Layer) -> bool:
    """Whether it is this layer of a row with other weights, and finite ones."""
    if isinstance(layer, Dense) and isinstance(other, Dense):
        alike = other.W.shape == layer.W.shape
    elif isinstance(layer, Conv2d) and isinstance(other, Conv2d):
        alike = (other.W.shape, other._at) == (layer.W.shape, layer._at)
    else:
        return False
    return alike and other.dtype == layer.dtype and is_finite(other)


def windows(layer: Layer, below: Shape) -> Windows:
    """Where the windows of a convolution or a pooling lie, on images (C, H, W)."""
    if isinstance(layer, Conv2d):
        return windows_of(below[1:], layer.W.shape[2:], *layer._at[:3])
    if isinstance(layer, GlobalAvgPool):
        return Windows(below[1:], below[1:], (1, 1), (0, 0), (1, 1), (1, 1))  # type: ignore[arg-type]
    return layer.windows((1, *below))  # type: ignore[attr-defined]


def _columns(layer: Conv2d, below: Shape, above: Shape) -> int:
    """How many numbers its columns hold, with what lies beside them."""
    return convolution.room(Sizes(_three(below), _three(above), windows(layer, below)))


def starts_of(kinds: Sequence[Kind], sizes: Sequence[int]) -> tuple[list[int], int]:
    """How many numbers of a sample lie before each activation (-1: it is the input), and how many there are."""
    starts, end = [-1], 0
    for kind, size in zip(kinds, sizes[1:], strict=True):
        starts.append(starts[-1] if kind == Kind.SAME else end)
        end += 0 if kind == Kind.SAME else size
    return starts, end


def sizes_of(layers: Sequence[Layer], shapes: Sequence[Shape], dtype: np.dtype) -> list[Sizes]:
    """What the loops of each layer are told: its shapes, its windows, and where its weights lie."""
    found, weights = [], 0
    for layer, below, above in zip(layers, shapes, shapes[1:], strict=False):
        of = Sizes(_three(below), _three(above))
        if isinstance(layer, (Conv2d, MaxPool2d, AvgPool2d, GlobalAvgPool)):
            of = of._replace(at=windows(layer, below))
        if isinstance(layer, (Conv2d, Dense)):
            of = of._replace(W=weights, b=weights + layer.W.size)
            weights += sum(map(len, weights_of(layer, dtype)))
        elif isinstance(layer, AvgPool2d):
            of = of._replace(counts=tuple(layer.counts(of.at, dtype).ravel().tolist()))  # type: ignore[arg-type]
        elif isinstance(layer, GlobalAvgPool):
            of = of._replace(counts=(prod(below[1:]),))
        found.append(of)
    return found


def _three(shape: Shape) -> tuple[int, int, int]:
    return (*shape, 1, 1, 1)[:3]  # type: ignore[return-value]


def weights_of(layer: Layer, dtype: np.dtype) -> list[np.ndarray]:
    """The weights of a layer, flat, and its bias, zeros where it has none; nothing of a layer without weights."""
    if not isinstance(layer, (Conv2d, Dense)):
        return []
    filters = len(layer.W) if isinstance(layer, Conv2d) else layer.W.shape[1]
    return [layer.W.reshape(-1), np.zeros(filters, dtype) if layer.b is None else layer.b]


def behind_each_other(pieces: Sequence[np.ndarray], dtype: np.dtype) -> np.ndarray:
    """All pieces in one array."""
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype)
