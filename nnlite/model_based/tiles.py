"""An objective on a large image, tile by tile: the same value and gradient in the memory of one tile.

A tile owns some of a layer's activations, and is computed from the pixels that these see.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..decision_based.method import takes_network
from ..kernels.windows import Pair
from ..layers import Add, AvgPool2d, Concat, Conv2d, Layer, Mask, MaxPool2d, Multiply
from ..layers.arguments import Shape
from ..network import Network
from .objectives import Objective, Through


class Sight(NamedTuple):
    """Activation k sees the pixels k · stride + first ... k · stride + first + size − 1, padding included.

    Each is a pair, (rows, columns).
    """

    size: Pair = (1, 1)
    stride: Pair = (1, 1)
    first: Pair = (0, 0)


@takes_network
def sight(network: Network) -> Sight:
    """What the activations above the network see: size ← size + (k − 1) s,   first ← first − p s,   then s ← s · s_l.

    k is the window of layer l (of a dilated convolution, with its gaps), p its padding, s_l its stride.

    Raises ValueError: a layer does not see one window at each place, such as a Dense or a ConvTranspose2d.
    Source: Dumoulin and Visin 2016, "A guide to convolution arithmetic for deep learning" (the window of one layer).

    >>> from nnlite.layers import ReLU
    >>> sight(Network([Conv2d(np.ones((1, 1, 5, 5)), padding=2), ReLU(), MaxPool2d(2)]))
    Sight(size=(6, 6), stride=(2, 2), first=(-2, -2))
    """
    seen = [Sight()]  # by each activation
    for name, layer, wires in zip(network.names, network.layers, network.wires, strict=True):
        below = [seen[i] for i in wires]
        meet = isinstance(layer, (Add, Multiply)) or (isinstance(layer, Concat) and layer.axis == 1)
        if meet and len({each.stride for each in below}) == 1:
            seen.append(_all(below))
            continue
        window = _window(layer, name)
        size, stride, first = map(list, below[0])
        for axis, (k, step, padding) in enumerate(window):
            size[axis] += (k - 1) * stride[axis]
            first[axis] -= padding * stride[axis]
            stride[axis] *= step
        seen.append(Sight((size[0], size[1]), (stride[0], stride[1]), (first[0], first[1])))
    return seen[-1]


def _all(branches: Sequence[Sight]) -> Sight:
    """What branches see together, where they meet at one stride."""
    first = [min(each.first[axis] for each in branches) for axis in (0, 1)]
    ends = [max(each.first[axis] + each.size[axis] for each in branches) for axis in (0, 1)]
    return Sight((ends[0] - first[0], ends[1] - first[1]), branches[0].stride, (first[0], first[1]))


def _window(layer: Layer, name: str) -> list[tuple[int, int, int]]:
    """(window, stride, padding) for rows and for columns."""
    if layer.pointwise and not isinstance(layer, Mask):
        return []
    if isinstance(layer, Conv2d):
        window = [d * (k - 1) + 1 for d, k in zip(layer.dilation, layer.W.shape[2:], strict=True)]  # type: ignore[arg-type]
    elif isinstance(layer, (AvgPool2d, MaxPool2d)):
        window = list(layer.size)  # type: ignore[arg-type]
    else:
        raise ValueError(
            f"layer {name}: {layer!r} does not see one window at each place, so an image cannot be cut into tiles for "
            "it; take tile=None, or a layer below it."
        )
    return list(zip(window, layer.stride, layer.padding, strict=True))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Selected:
    """f of some of the activations, a[where]; the gradient is 0 at the others.

    >>> from nnlite.model_based.objectives import squared_norm
    >>> Selected(np.s_[:, 1:2], squared_norm)(np.array([[3.0, 4.0]]))
    (array([16.]), array([[0., 8.]]))
    """

    where: tuple[slice, ...]
    f: Objective

    def __call__(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = self.f(a[self.where])
        everywhere = np.zeros_like(a)
        everywhere[self.where] = gradient
        return value, everywhere


def without_padding(of: Sight, shape: Shape, outputs: Shape) -> tuple[slice, slice]:
    """The rows and columns of the activations that see no padding, in images of this shape (N, C, H, W).

    ⌈−first / s⌉ ... ⌊(H − size − first) / s⌋; all of them if none is such.

    >>> without_padding(Sight((6, 6), (2, 2), (-2, -2)), (1, 1, 10, 5), (1, 1, 5, 2))
    (slice(1, 4, None), slice(0, 2, None))
    """
    rows, columns = (
        _within(-(first // stride), min((n - size - first) // stride + 1, m), m)
        for n, m, size, stride, first in zip(shape[2:], outputs[2:], of.size, of.stride, of.first, strict=True)
    )
    return rows, columns


def _within(low: int, high: int, m: int) -> slice:
    return slice(low, high) if low < high else slice(0, m)


@dataclass(frozen=True, eq=False)
class Tiled:
    """Through(network, Selected(where, f)) by tiles, for an f that is a sum over the places, such as squared_norm.

    f(x) = Σ_tiles f(the activations that the tile owns); the gradient is the sum of theirs. Nothing is approximated. A
    tile is about that many pixels high and wide, without what it sees beyond its borders; `where` are the samples,
    channels, rows and columns of the activations.
    """

    network: Network
    f: Objective
    tile: int
    where: tuple[slice, ...]

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        of = sight(self.network)
        outputs = self.network.output_shape(x.shape)[2:]
        rows, columns = (
            _cut(n, slice(*part.indices(m)), size, stride, first, self.tile)
            for n, m, part, size, stride, first in zip(
                x.shape[2:], outputs, self.where[2:], of.size, of.stride, of.first, strict=True
            )
        )
        value, gradient = np.zeros(len(x), x.dtype), np.zeros_like(x)
        for seen_rows, own_rows in rows:
            for seen_columns, own_columns in columns:
                seen = (slice(None), slice(None), seen_rows, seen_columns)
                own = Selected((*self.where[:2], own_rows, own_columns), self.f)
                of_tile, its_gradient = Through(self.network, own)(np.ascontiguousarray(x[seen]))
                value += of_tile
                gradient[seen] += its_gradient
        return value, gradient


def _cut(n: int, part: slice, size: int, stride: int, first: int, tile: int) -> list[tuple[slice, slice]]:
    """One axis of n pixels: the pixels that each tile sees, and which activations there, of those in part, it owns.

    What is seen begins at a multiple of the stride, so that the windows of every layer lie where they lay.
    """
    tiles, step = [], max(1, tile // stride)
    for low in range(part.start, part.stop, step):
        high = min(low + step, part.stop)
        begin = min(max(0, low + first // stride), (n - 1) // stride)
        end = min(n, max((high - 1) * stride + first + size, begin * stride + 1))
        tiles.append((slice(begin * stride, end), slice(low - begin, high - begin)))
    return tiles
