"""Layers laid one after the other with their wires: what a graph from outside becomes, whatever framework it is of."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..layers import Constant, Identity, Layer, Reshape, Slice
from ..layers.arguments import Shape
from ..network import Network

TOLERANCE = {"float32": 1e-4, "float64": 1e-10}


class Unsupported(ValueError):
    """Something that has no counterpart; the caller adds where it stands and what is supported."""


@dataclass(frozen=True)
class Activation:
    """Activation `at` of the row; its shape (1, ...) and its number of axes where they are known."""

    at: int
    shape: Shape | None = None
    known_axes: int | None = None

    @property
    def axes(self) -> int | None:
        """The number of axes, with that of the samples."""
        return self.known_axes if self.shape is None else len(self.shape)


class Row:
    """The layers laid so far, what each reads, its name, and what is behind it."""

    def __init__(self, input_shape: Shape | None) -> None:
        self.layers: list[Layer] = []
        self.wires: list[tuple[int, ...]] = []
        self.names: list[str] = []
        self.origins: list[str] = []
        self._input = Activation(0, None if input_shape is None else (1, *input_shape))
        self.shapes: list[Shape | None] = [self._input.shape]
        """Of each activation, where it is known."""
        self._where = ""

    def lay(self, layer: Layer, *below: Activation) -> Activation:
        """One layer more, which reads these activations; what it gives."""
        shape: Any = tuple(x.shape for x in below)
        if isinstance(layer, Constant):
            shape = layer.value.shape
        elif None in shape:
            shape = None
        else:
            shape = layer.output_shape(shape[0] if layer.reads == 1 else shape)
        self.layers.append(layer)
        self.wires.append(tuple(x.at for x in below))
        self.names.append(self._name(layer))
        self.origins.append(self._where)
        self.shapes.append(shape)
        return Activation(len(self.layers), shape)

    def _name(self, layer: Layer) -> str:
        raise NotImplementedError

    def join(self, layer: Layer, values: Iterable[Activation | np.ndarray], whole: bool = False) -> Activation:
        """A join of activations and numbers: each of these is a Constant, `whole` in the shape of the activations."""
        values = list(values)
        like = next(value for value in values if isinstance(value, Activation))
        below = [value if isinstance(value, Activation) else self._constant(value, like, whole) for value in values]
        return self.lay(layer, *below)

    def _constant(self, numbers: np.ndarray, like: Activation, whole: bool) -> Activation:
        if like.axes is None or (whole and like.shape is None):
            raise Unsupported("a number or a parameter beside activations needs their shape; give input_shape")
        numbers = numbers.reshape((1,) * (like.axes - numbers.ndim) + numbers.shape)
        if whole and np.broadcast_shapes(numbers.shape, like.shape or ()) == like.shape:
            numbers = np.broadcast_to(numbers, like.shape)
        if len(numbers) != 1 or (whole and numbers.shape != like.shape):
            raise Unsupported(f"numbers of shape {numbers.shape} do not go with activations of shape {like.shape}")
        return self.lay(Constant(numbers))


def axis_of(x: Activation, dim: Any) -> int:
    """The axis, counted from the samples; it is not theirs."""
    if isinstance(dim, int) and dim < 0 and x.axes is not None:
        dim += x.axes
    if not isinstance(dim, int) or dim < 1:
        raise Unsupported(f"dim={dim} has no counterpart; an axis from 1 has")
    return dim


def length(x: Activation, axis: int) -> int:
    """How many numbers lie along an axis."""
    if x.shape is None or axis >= len(x.shape):
        raise Unsupported("it needs the size of the input; give input_shape")
    return x.shape[axis]


def indexed(x: Activation, index: Sequence[Any]) -> list[Layer]:
    """x[:, 1:, ::2] as Slices; an integer takes its axis away."""
    if not all(isinstance(each, (int, slice)) for each in index) or index[0] != slice(None):
        raise Unsupported("such an index has no counterpart; slices and integers behind the axis of the samples have")
    layers: list[Layer] = []
    for axis, each in enumerate(index):
        cut = slice(each, each + 1 or None) if isinstance(each, int) else each
        if cut != slice(None):
            layers.append(Slice(axis, cut.start or 0, cut.stop, cut.step or 1))
    gone = [axis for axis, each in enumerate(index) if isinstance(each, int)]
    if gone:
        layers.append(Reshape(tuple(length(x, axis) for axis in range(1, x.axes or 2) if axis not in gone)))
    return layers or [Identity()]


def check_alike(network: Network, x: np.ndarray, theirs: np.ndarray, who: str, source: str, why: str) -> None:
    """ValueError unless the network computes for x what its source computed, to rounding."""
    with np.errstate(all="ignore"):  # what is not finite is compared, too
        ours = network.output(x)
        if ours.shape != theirs.shape:
            raise ValueError(f"{who}: the {source} gives {theirs.shape} for {len(x)} inputs, its layers {ours.shape}.")
        difference, largest = np.abs(ours - theirs).max(), np.abs(theirs).max()
    if not difference <= TOLERANCE[str(network.dtype)] * largest and not np.array_equal(ours, theirs, equal_nan=True):
        raise ValueError(
            f"{who}: on a random input the layers give other scores than the {source}, by {difference:.3g} where "
            f"the largest is {largest:.3g}; {why}."
        )
