"""A row of layers as the compiled kernel wants it: one table, one array of weights; and what may stand in it.

The layers say everything; this file only writes it down. plan.py chooses which layers run as a row.
"""

from collections.abc import Sequence
from copy import copy
from functools import cached_property
from math import prod
from typing import Any, NamedTuple

import numpy as np

from .kernels import row as kernel
from .kernels.row import Field, Kind, Start
from .kernels.windows import Windows, output_size
from .kernels.workspace import LINE, aligned, workspace
from .layers import (
    AvgPool2d,
    Conv2d,
    Dense,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    MaxPool2d,
    ReLU,
    Reshape,
)
from .layers.arguments import Shape

KINDS: dict[type[Layer], Kind] = {
    Dense: Kind.DENSE, Conv2d: Kind.CONV, ReLU: Kind.RELU, MaxPool2d: Kind.MAX, AvgPool2d: Kind.MEAN,
    GlobalAvgPool: Kind.MEAN, Flatten: Kind.SAME, Reshape: Kind.SAME, Identity: Kind.SAME, Dropout: Kind.SAME,
    Dropout2d: Kind.SAME,
}  # fmt: skip
"""The layers that a row can hold; a Dropout that is not drawn passes everything."""

MOST_NUMBERS = 2**18
"""In the columns of one convolution, an activation, or an array of weights: more would not stay in the cache."""

Groups = tuple[tuple[float, Layer], ...]
"""The (κ, layer′) of Mode.GROUPS: layer′ is the layer with other weights."""


class Ways(NamedTuple):
    """How the layers of a row turn the signal above them into the signal below, as the kernel `down` wants it."""

    modes: np.ndarray
    epsilons: np.ndarray
    kappas: np.ndarray
    changed: np.ndarray


class Row:
    """Layers that follow each other and run as one (each of them one that `can_hold` lets in).

    Attributes
    ----------
    layers
        The layers.
    shapes
        The shapes below and above each of them, without the batch axis.
    table
        A line of `Field` for each layer.
    """

    def __init__(self, layers: Sequence[Layer], shapes: Sequence[Shape], dtype: np.dtype) -> None:
        self.layers, self.shapes, self.dtype = tuple(layers), tuple(shapes), dtype
        starts, self.numbers = _starts(self.layers, self.shapes)
        self.table, self.counts, self.work = _table(self.layers, self.shapes, starts, dtype)
        sizes = [prod(shape) for shape in self.shapes]
        self.size, self.size_above = sizes[0], sizes[-1]
        self._nothing = np.empty((0, 0), dtype)
        self._places = list(zip(starts, sizes, self.shapes, strict=True))[1:]

    def with_layers(self, layers: Sequence[Layer]) -> "Row":
        """This row for layers that differ from its own in the values of their weights alone."""
        row = copy(self)
        row.layers = tuple(layers)
        for made in ("weights", "_between"):  # of the other layers
            row.__dict__.pop(made, None)
        return row

    @cached_property
    def weights(self) -> np.ndarray:
        """All weights and biases behind each other, as the table says."""
        return self._behind_each_other(self.layers)

    def _behind_each_other(self, layers: Sequence[Layer]) -> np.ndarray:
        pieces = [piece for layer in layers for piece in _weights(layer, self.dtype)]
        return np.concatenate(pieces) if pieces else np.zeros(0, self.dtype)

    def ways(self, modes: Sequence[int], epsilons: Sequence[float], groups: Sequence[Groups]) -> Ways:
        """The ways of these modes, one a layer, with the ε and the groups of the layers that have some."""
        most = max(map(len, groups))
        full = [
            [*own, *[(0.0, layer)] * (most - len(own))] for layer, own in zip(self.layers, groups, strict=True)
        ]  # κ = 0: there is no such group
        kappas = np.array([[kappa for kappa, _ in own] for own in full], self.dtype)
        changed = np.empty((most, len(self.weights)), self.dtype)
        for g in range(most):
            changed[g] = self._behind_each_other([own[g][1] for own in full])
        return Ways(np.array(modes, np.int64), np.array(epsilons, self.dtype), kappas, changed)

    def between(self, start: int, stop: int) -> "Row":
        """The layers from `start` to before `stop` as a row of their own."""
        if (start, stop) not in self._between:
            whole = (start, stop) == (0, len(self.layers))
            part = self.layers[start:stop], self.shapes[start : stop + 1], self.dtype
            self._between[start, stop] = self if whole else Row(*part)
        return self._between[start, stop]

    @cached_property
    def _between(self) -> dict[tuple[int, int], "Row"]:
        return {}

    def output(self, x: np.ndarray) -> np.ndarray:
        """The activation at the top; nothing else is kept."""
        out = np.empty((len(x), *self.shapes[-1]), self.dtype)
        memory = workspace("activations", (self.numbers,), self.dtype)
        self._up(x, memory, out.reshape(len(x), self.size_above), keep=False)
        return out

    def up(self, x: np.ndarray) -> "Run":
        """All activations above x, one for each layer."""
        memory = aligned((self.numbers * len(x),), self.dtype)
        self._up(x, memory, self._nothing, keep=True)
        return Run(self, x, memory)

    def down(self, a: "Run", R: np.ndarray, ways: Ways, keep: bool) -> list[np.ndarray]:
        """The signal on x, or with `keep` all of them, from x up to below R."""
        x, n = a.x, len(a.x)
        out = np.empty(x.shape, self.dtype)
        size = self.numbers * n if keep else self.numbers
        memory = aligned((size,), self.dtype) if keep else workspace("signals", (size,), self.dtype)
        kernel.down(
            _flat(x, self.size), a.memory, _flat(R, self.size_above), memory, out.reshape(n, self.size), self.table,
            *ways, self.weights, self.counts, workspace("row", (self.work,), self.dtype), keep,
        )  # fmt: skip
        return [out, *self.views(out, memory, n)[:-1]] if keep else [out]

    def through(self, x: np.ndarray, classes: np.ndarray, start: Start, ways: Ways) -> tuple[np.ndarray, np.ndarray]:
        """The signal on x and the scores, up and down in one. A class of -1 becomes the one with the highest score."""
        n, room = len(x), -(-self.numbers * self.dtype.itemsize // LINE) * LINE // self.dtype.itemsize
        out, scores = np.empty(x.shape, self.dtype), np.empty((n, self.size_above), self.dtype)
        memory = workspace("through", (2 * room + self.work,), self.dtype)
        kernel.through(
            _flat(x, self.size), classes, int(start), scores, memory[:room], memory[room : 2 * room],
            out.reshape(n, self.size), self.table, *ways, self.weights, self.counts, memory[2 * room :],
        )  # fmt: skip
        return out, scores

    def views(self, x: np.ndarray, memory: np.ndarray, n: int) -> list[np.ndarray]:
        """What lies in the memory, one array above each layer."""
        return [
            x.reshape(n, *shape) if start < 0 else memory[start * n : (start + size) * n].reshape(n, *shape)
            for start, size, shape in self._places
        ]

    def _up(self, x: np.ndarray, memory: np.ndarray, out: np.ndarray, keep: bool) -> None:
        work = workspace("row", (self.work,), self.dtype)
        kernel.up(_flat(x, self.size), memory, out, self.table, self.weights, self.counts, work, keep)


class Run:
    """The activations of one row above x, and the memory that they lie in."""

    def __init__(self, row: Row, x: np.ndarray, memory: np.ndarray) -> None:
        self.row, self.x, self.memory = row, x, memory
        self.above = row.views(x, memory, len(x))

    def between(self, start: int, stop: int) -> "Run":
        """The run of the layers from `start` to before `stop`: the same numbers."""
        row = self.row.between(start, stop)
        if row is self.row:
            return self
        first = self.row.table[start, Field.IN]
        used = 0 if first < 0 else first + prod(self.row.shapes[start])
        return Run(row, [self.x, *self.above][start], self.memory[used * len(self.x) :])


def can_hold(layer: Layer, below: Shape, above: Shape, dtype: np.dtype) -> str:
    """Why a row cannot hold this layer; empty where it can."""
    if type(layer) not in KINDS:
        return f"a row knows no {type(layer).__name__}"
    if layer.dtype not in (None, dtype):
        return f"its weights are {layer.dtype}"
    if max(len(below), len(above)) > 3:
        return "it has more axes than (C, H, W)"
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
        stride, padding, dilation, _ = layer._at
        output = tuple(map(output_size, below[1:], layer.W.shape[2:], stride, padding, dilation))
        return Windows(below[1:], layer.W.shape[2:], stride, padding, dilation, output)  # type: ignore[arg-type]
    if isinstance(layer, GlobalAvgPool):
        return Windows(below[1:], below[1:], (1, 1), (0, 0), (1, 1), (1, 1))  # type: ignore[arg-type]
    return layer.windows((1, *below))  # type: ignore[attr-defined]


def _columns(layer: Conv2d, below: Shape, above: Shape) -> int:
    """How many numbers its columns hold, with what lies beside them."""
    return _strips(layer, below) + layer.W[0].size * prod(above[1:])


def _strips(layer: Conv2d, below: Shape) -> int:
    """How many numbers its strips hold: a number of rows for each channel, phase and column of the windows."""
    at = windows(layer, below)
    rows = -(-at.padded[0] // at.stride[0])
    return below[0] * at.stride[0] * at.size[1] * rows * at.output[1]


def _starts(layers: Sequence[Layer], shapes: Sequence[Shape]) -> tuple[list[int], int]:
    """How many numbers of a sample lie before each activation (-1: it is the input), and how many there are."""
    starts, end = [-1], 0
    for layer, above in zip(layers, shapes[1:], strict=True):
        if KINDS[type(layer)] == Kind.SAME:
            starts.append(starts[-1])
        else:
            starts.append(end)
            end += prod(above)
    return starts, end


def _table(
    layers: Sequence[Layer], shapes: Sequence[Shape], starts: Sequence[int], dtype: np.dtype
) -> tuple[np.ndarray, np.ndarray, int]:
    """The table, the divisors of the mean poolings, and how many numbers a sample needs beside its activations."""
    table = np.zeros((len(layers), len(Field)), np.int64)
    counts: list[np.ndarray] = []
    weights, work = 0, 0
    for line, layer, below, above, start, end in zip(
        table, layers, shapes, shapes[1:], starts, starts[1:], strict=False
    ):
        given: dict[Field, Any] = {Field.KIND: KINDS[type(layer)], Field.IN: start, Field.OUT: end}
        given |= zip((Field.C, Field.H, Field.W), (*below, 1, 1), strict=False)
        given |= zip((Field.K, Field.OH, Field.OW), (*above, 1, 1), strict=False)
        if isinstance(layer, (Conv2d, MaxPool2d, AvgPool2d, GlobalAvgPool)):
            at = windows(layer, below)
            given |= zip(
                (Field.KH, Field.KW, Field.SH, Field.SW, Field.PH, Field.PW, Field.DH, Field.DW),
                (*at.size, *at.stride, *at.padding, *at.dilation), strict=True,
            )  # fmt: skip
        if isinstance(layer, Conv2d):
            given[Field.STRIPS] = _strips(layer, below)
            work = max(work, _columns(layer, below, above))
        if isinstance(layer, (Conv2d, Dense)):
            given |= {Field.WEIGHTS: weights, Field.BIAS: weights + layer.W.size}
            weights += layer.W.size + prod(above[:1])
        elif isinstance(layer, (AvgPool2d, GlobalAvgPool)):
            given[Field.BIAS] = sum(map(len, counts))
            one = layer.counts(at, dtype) if isinstance(layer, AvgPool2d) else np.full(1, prod(below[1:]), dtype)
            counts.append(one.reshape(-1))
        for field, value in given.items():
            line[field] = value
    largest = max(map(prod, shapes))
    return table, np.concatenate([np.zeros(0, dtype), *counts]), 3 * largest + work


def _weights(layer: Layer, dtype: np.dtype) -> list[np.ndarray]:
    if not isinstance(layer, (Conv2d, Dense)):
        return []
    filters = len(layer.W) if isinstance(layer, Conv2d) else layer.W.shape[1]
    return [layer.W.reshape(-1), np.zeros(filters, dtype) if layer.b is None else layer.b]


def _flat(a: np.ndarray, size: int) -> np.ndarray:
    """(N, size), contiguous, and one that can be written: for others Numba would compile the row a second time."""
    return (np.ascontiguousarray(a) if a.flags.writeable else a.copy()).reshape(len(a), size)
