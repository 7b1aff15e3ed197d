"""From patch to patch: what each layer makes of a patch of changed activations, without the rest of the map.

    below: patch (#), what is cut out around it (+)      above: what the patch reaches (o)

    . . . . . . . .
    . + + + + + . .                                      . . . . . .
    . + + + + + . .         3 × 3 convolution            . o o o . .
    . + + # + + . .     ----------------------->         . o o o . .
    . + + + + + . .                                      . o o o . .
    . + + + + + . .                                      . . . . . .
    . . . . . . . .

Only layers that are known to be local have such a step. All patches of a layer have one size; where fewer outputs can
be reached, at the edge of the map or between strides, some outputs are computed again that did not change.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from .. import kernels
from ..kernels.windows import Pair
from ..layers import (
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    Layer,
    Mask,
    MaxPool2d,
    ReLU,
    Softmax,
)
from ..network import Network
from ..wiring import in_a_row
from .lowering import why_not

LOCAL = (Conv2d, ConvTranspose2d, MaxPool2d, AvgPool2d)
"""Layers whose output at a place depends on a window of the input. Not their subclasses."""

FEW_FILTERS = 64
"""Up to so many, a convolution's changes can be cheaper one at a time than its outputs by one matrix product."""


PAYS = 1 / 3
"""The least part of all products that must be saved: what is cut out and laid over costs time too."""


@dataclass(frozen=True, eq=False)
class Patches:
    """Where patches lie: in which sample's map (P,), from which row and column on (2, P), and one size for all."""

    sample: np.ndarray
    corner: np.ndarray
    size: Pair

    def __getitem__(self, now: slice) -> "Patches":
        """Some of them."""
        return Patches(self.sample[now], self.corner[:, now], self.size)

    def crop(self, a: np.ndarray, fill: float = 0.0) -> np.ndarray:
        """These parts of the maps (N, C, H, W): (P, C, *size), `fill` where they stick out."""
        return kernels.crop(a, self.sample, self.corner, self.size, fill)

    def of_changed(self, a: np.ndarray, patch: np.ndarray, at: "Patches", fill: float = 0.0) -> np.ndarray:
        """As `crop`, from maps that hold `patch` in the places `at`."""
        if at.size == self.size and np.array_equal(at.corner, self.corner):
            return patch
        return kernels.paste(self.crop(a, fill), patch, at.corner - self.corner)


Step = Callable[[np.ndarray, slice], np.ndarray]
"""step(patches below (P, C, h, w), which of all copies they are) -> patches above (P, K, h', w')."""


def plan(network: Network, a: Sequence[np.ndarray], at: Patches) -> tuple[list[Step], Patches, int]:
    """A step for each layer that goes patch by patch, where the last patches lie, and how many numbers a copy takes.

    There are none where they would not save a part of the products that pays.
    """
    start, steps, saved = at, list[Step](), 0
    least = numbers = 2 * a[0].shape[1] * prod(at.size)
    pooled = -1  # the pooling that a convolution has done with, and with the ReLU between the two
    row = in_a_row(network.wires)  # from where branches fork, whole copies go on
    for i, layer in enumerate(network.layers[:row]):
        below, above = a[i : i + 2]
        following = network.layers[i + 1 : row]
        free = i > pooled  # to go on with whole copies
        if free and at.size == below.shape[2:]:
            break
        planned = _step(layer, below, above, at, following)
        if planned is None or (free and planned[2] == below.shape[2:] and planned[1].size == above.shape[2:]):
            break
        before, (step, at, cut) = at, planned
        if not free:
            step, cut = _pass, (0, 0)
        elif isinstance(step, _Changes):
            step, distance = step.and_pooling(at, following)
            pooled = i + distance
        steps.append(step)
        by_input = isinstance(step, _Changes) or isinstance(layer, ConvTranspose2d)
        saved += _products(layer, below, above) - _weights(layer) * prod((before if by_input else at).size)
        numbers = max(numbers, below.shape[1] * (prod(before.size) + prod(cut)) + above.shape[1] * prod(at.size))
    if saved < PAYS * sum(map(_products, network, a, a[1:])):
        return [], start, least
    return steps, at, numbers


def _place_by_place(layer: Layer) -> bool:
    """Whether its output at a place of the map depends on the input at that place alone, whatever the place."""
    return (isinstance(layer, Softmax) and layer.axis == 1) or (layer.pointwise and not isinstance(layer, Mask))


def _products(layer: Layer, below: np.ndarray, above: np.ndarray) -> int:
    """How many products a layer takes for one sample: each place of a map takes each of its weights once."""
    return _weights(layer) * prod((below if isinstance(layer, ConvTranspose2d) else above).shape[2:])


def _weights(layer: Layer) -> int:
    return layer.W.size if hasattr(layer, "W") else 0


def _step(
    layer: Layer, below: np.ndarray, above: np.ndarray, at: Patches, following: Sequence[Layer]
) -> tuple[Step, Patches, Pair] | None:
    """How a layer goes from patch to patch, where those above lie, and the size of what is cut out for it.

    None for a layer that is not known to be local, such as one whose forward somebody replaced.
    """
    if why_not(layer):
        return None
    if _place_by_place(layer):
        return lambda patch, now: layer.forward(patch), at, (0, 0)
    if type(layer) not in LOCAL:
        return None
    if isinstance(layer, ConvTranspose2d):
        return _transposed(layer, above, below, at)
    if isinstance(layer, Conv2d):
        reached, needed = _reach(at, above.shape[2:], layer.W.shape[2:], layer.stride, layer.padding, layer.dilation)
        if _few_changes(layer, at, reached) and _comparable(below, at) and np.isfinite(above).all():
            reached = _with_whole_windows(reached, above, following)
            return _Changes(layer, below, above, at, reached), reached, (0, 0)
        return _again(replace(layer, padding=0), below, at, needed), reached, needed.size
    if isinstance(layer, (MaxPool2d, AvgPool2d)):
        return _pooled(layer, above, below, at)
    return None


def _pooled(
    layer: MaxPool2d | AvgPool2d, above: np.ndarray, below: np.ndarray, at: Patches
) -> tuple[Step, Patches, Pair]:
    """As `_step`. Around the map there is nothing, or zeros, and a mean may be over fewer numbers than within."""
    reached, needed = _reach(at, above.shape[2:], layer.size, layer.stride, layer.padding)
    bare = replace(layer, padding=0, ceil_mode=False)
    if isinstance(layer, MaxPool2d):
        return _again(bare, below, at, needed, -np.inf), reached, needed.size
    step = _again(bare, below, at, needed)
    size, counts = np.prod(layer.size).astype(below.dtype), layer.counts(layer.windows(below.shape), below.dtype)
    if (counts == size).all():
        return step, reached, needed.size
    ratio, on_one_map = (size / counts)[None, None], replace(reached, sample=np.zeros_like(at.sample))
    return lambda patch, now: step(patch, now) * on_one_map[now].crop(ratio), reached, needed.size


def everything(at: Patches, a: np.ndarray) -> Patches:
    """Patches as large as the maps."""
    return Patches(at.sample, np.zeros_like(at.corner), a.shape[2:])


def _again(bare: Layer, below: np.ndarray, at: Patches, needed: Patches, fill: float = 0.0) -> Step:
    """The layer, without its padding, on all the inputs that the outputs need; `fill` lies around the map."""
    return lambda patch, now: bare.forward(needed[now].of_changed(below, patch, at[now], fill))


def _reach(
    at: Patches, out: Any, size: Any, stride: Any, padding: Any, dilation: Any = (1, 1)
) -> tuple[Patches, Patches]:
    """The outputs whose windows see something of the patches, and the inputs in all of their windows.

    Output y sees the inputs y s − p + i d, i = 0 ... k − 1: it sees one from `start` to `end` if
    ⌈(start + p − d (k − 1)) / s⌉ ≤ y ≤ ⌊(end + p) / s⌋. The most that a patch reaches is the size for all.
    """
    length, out, k, s, p, d = np.array((at.size, out, size, stride, padding, dilation))[:, :, None]
    first = (at.corner + (p - d * (k - 1) + s - 1)) // s  # rounded up
    last = (at.corner + (length - 1 + p)) // s
    reached = _within(at, first, last, out)
    seen = (np.array(reached.size)[:, None] - 1) * s + d * (k - 1) + 1
    return reached, Patches(at.sample, reached.corner * s - p, _pair(seen))


def _within(at: Patches, first: np.ndarray, last: np.ndarray, out: np.ndarray) -> Patches:
    """Patches of one size inside a map, which hold the places from `first` to `last` as far as these lie in the map."""
    first, last = np.maximum(first, 0), np.minimum(last, out - 1)
    most = np.maximum(1, (last - first).max(axis=1, keepdims=True) + 1)
    return Patches(at.sample, np.minimum(first, out - most), _pair(most))


def _pair(two: np.ndarray) -> Pair:
    rows, columns = two.ravel().tolist()
    return rows, columns


def _with_whole_windows(at: Patches, a: np.ndarray, following: Sequence[Layer]) -> Patches:
    """Patches that end where the windows of the next pooling do, so that nothing must be cut out for it."""
    pool = next((layer for layer in following if not _place_by_place(layer)), None)
    if not isinstance(pool, (MaxPool2d, AvgPool2d)) or (np.array(pool.size) > np.array(pool.stride)).any():
        return at
    _, wide = _reach(at, pool.output_shape(a.shape)[2:], pool.size, pool.stride, pool.padding)
    end = wide.corner.max(axis=1) + wide.size
    return at if wide.corner.min() < 0 or (end > a.shape[2:]).any() else wide


def _few_changes(layer: Conv2d, at: Patches, reached: Patches) -> bool:
    """Whether it is less work to carry each change up than to compute the outputs again, by one matrix product."""
    plain = layer.stride == layer.dilation == (1, 1) and layer.groups == 1
    return plain and layer.filters <= FEW_FILTERS and 2 * prod(at.size) <= prod(reached.size)


def _comparable(a: np.ndarray, at: Patches) -> bool:
    """Whether no map is much smaller without what lies in a patch: z + W ∗ Δ has the rounding errors of both.

    Compared are the largest |a| of a map and the largest outside of each patch.
    """
    size = np.abs(a).max(axis=1)
    outside = np.zeros(len(at.sample), a.dtype)
    for axis, start, length in ((1, at.corner[0], at.size[0]), (2, at.corner[1], at.size[1])):
        largest = np.zeros((len(a), a.shape[axis + 1] + 2), a.dtype)
        largest[:, 1:-1] = size.max(axis=3 - axis)  # of each row, or column
        before = np.maximum.accumulate(largest, axis=1)[at.sample, start]
        behind = np.maximum.accumulate(largest[:, ::-1], axis=1)[:, ::-1][at.sample, start + length + 1]
        outside = np.maximum(outside, np.maximum(before, behind))
    return bool((outside >= size.max(axis=(1, 2))[at.sample] / 16).all())


@dataclass(frozen=True, eq=False)
class _Changes:
    """z + W ∗ (what has changed), for a convolution that few changes reach."""

    layer: Conv2d
    below: np.ndarray
    above: np.ndarray
    at: Patches
    reached: Patches
    pool: Pair = (1, 1)
    least: float = -np.inf

    def __call__(self, patch: np.ndarray, now: slice) -> np.ndarray:
        a, z = self.at[now], self.reached[now]
        return kernels.changed_convolution(
            self.below, self.above, self.layer.W, self.layer.padding,  # type: ignore[arg-type]
            patch, a.sample, a.corner, z.corner, z.size, self.pool, self.least,
        )  # fmt: skip

    def and_pooling(self, at: Patches, following: Sequence[Layer]) -> tuple["_Changes", int]:
        """With the max-pooling that follows, if its windows lie side by side and whole in the patches, and where it is.

        A ReLU between the two may run after the pooling, on fewer numbers: max(0, max a) = max max(0, a).
        """
        distance = next((i for i, layer in enumerate(following, 1) if type(layer) is not ReLU), 0)
        pool = following[distance - 1] if distance else None
        usual = not any(map(why_not, following[:distance]))
        if type(pool) is MaxPool2d and usual and pool.size == pool.stride and pool.padding == (0, 0):
            size = np.array(pool.size)[:, None]
            if not (at.corner % size).any() and not (np.array(at.size)[:, None] % size).any():
                return replace(self, pool=_pair(size), least=0.0 if distance > 1 else -np.inf), distance
        return self, 0


def _pass(patch: np.ndarray, now: slice) -> np.ndarray:
    return patch


def _transposed(
    layer: ConvTranspose2d, above: np.ndarray, below: np.ndarray, at: Patches
) -> tuple[Step, Patches, Pair]:
    """As `_step`. Input x goes to the outputs x s − p + i d, i = 0 ... k − 1."""
    kernel = layer.W.shape[2:]
    length, out, k, s, p, d = np.array((at.size, above.shape[2:], kernel, layer.stride, layer.padding, layer.dilation))[
        :, :, None
    ]
    reached = _within(at, at.corner * s - p, (at.corner + length - 1) * s - p + d * (k - 1), out)
    first = (reached.corner + p - d * (k - 1)) // s
    last = -((1 - np.array(reached.size)[:, None] - p - reached.corner) // s)
    needed = Patches(at.sample, first, _pair((last - first).max(axis=1) + 1))
    bare = replace(layer, padding=0, output_padding=0)
    before = reached.corner + p - first * s  # outputs of these inputs that lie before the patch

    def step(patch: np.ndarray, now: slice) -> np.ndarray:
        z = bare.forward(needed[now].of_changed(below, patch, at[now]))
        return kernels.crop(z, np.arange(len(z)), before[:, now], reached.size, 0.0)

    return step, reached, needed.size
