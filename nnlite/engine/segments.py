"""Which of a network's layers run as one row, and which by themselves: for inputs of one shape.

Chosen by shapes and kinds alone, so that the same input gives the same bits whatever came before.
"""

from collections.abc import Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np

from .. import wiring
from ..kernels import flat, pooling
from ..layers import AvgPool2d, Conv2d, ConvTranspose2d, Dense, Flatten, Identity, Layer, MaxPool2d, ReLU
from ..layers.arguments import Shape
from ..network import Network
from . import lowering
from .layout import can_hold, can_stand_for, windows
from .operations import Kind
from .rows import Row, Ways

SHORTEST = 2
"""So many layers go down as one; one alone goes by its own rule."""


class Segment(NamedTuple):
    """The layers from `start` to before `stop`: a row, or (row=None) one layer that runs by itself, and why."""

    start: int
    stop: int
    row: Row | None
    why: str


class Descent(NamedTuple):
    """Layers of a segment that go down as one by these ways, or (ways=None) each by its own rule."""

    start: int
    stop: int
    ways: Ways | None


class Segments:
    """The segments of a network for inputs of one shape."""

    def __init__(self, network: Network, shapes: Sequence[Shape], dtype: np.dtype) -> None:
        self.layers, self.wires, self.dtype = network.layers, network.wires, dtype
        self.shapes = [tuple(shape[1:]) for shape in shapes]
        self.all = _segments(network, self.shapes, dtype)
        self.positive = lowering.nonnegative(self.layers, self.wires)

    def with_layers(self, layers: Sequence[Layer]) -> "Segments":
        """These segments for layers that differ in the values of their arrays alone, and are finite as they."""
        other = copy(self)
        other.layers = tuple(layers)
        other.all = [
            part if part.row is None else part._replace(row=part.row.with_layers(layers[part.start : part.stop]))
            for part in self.all
        ]
        return other

    def descents(self, rules: Sequence[Any]) -> tuple[list[list[Descent]], list[Any]]:
        """For each segment how these rules run it, from the top down; and what x must fulfil for that."""
        found = [self._way(l, rule) for l, rule in enumerate(rules)]
        checks = [
            (lowering.needs(rule), rule.rule, layer)
            for l, (rule, layer) in enumerate(zip(rules, self.layers, strict=True))
            if found[l] is not None and lowering.needs(rule) is not None and not self.positive[l]
        ]
        return [_descents(part, found) for part in self.all], checks

    def _way(self, l: int, rule: Any) -> lowering.Way | None:
        """How layer l goes down. What a rule needs of the input itself can be checked before anything runs."""
        below = self.wires[l]
        while len(below) == 1 and below[0] and lowering.KINDS.get(type(self.layers[below[0] - 1])) == Kind.SAME:
            below = self.wires[below[0] - 1]
        reads_x = below == (0,)
        checked = reads_x and lowering.needs(rule) is not None
        way = lowering.way(rule, self.layers[l], self.positive[l] or checked)
        stands = way is not None and all(
            can_stand_for(made, self.layers[l]) for _, terms in way.groups for _, made in terms
        )
        return way if stands else None


def _segments(network: Network, shapes: Sequence[Shape], dtype: np.dtype) -> list[Segment]:
    """Rows end at a fork and at a join: within one, each layer alone reads the one before it."""
    layers, wires, readers = network.layers, network.wires, wiring.readers(network.wires)
    why = [
        lowering.why_not(layer)
        or (can_hold(layer, shapes[below[0]], shapes[l + 1], dtype) if below else "it reads nothing")
        for l, (layer, below) in enumerate(zip(layers, wires, strict=True))
    ]
    segments: list[Segment] = []
    start = 0
    while start < len(layers):
        stop = start
        while (
            stop < len(layers)
            and not why[stop]
            and (stop == start or (wires[stop], readers[stop]) == ((stop,), [stop]))
        ):
            stop += 1
        working = sum(lowering.KINDS[type(layer)].name != "SAME" for layer in layers[start:stop])
        if working >= 2:
            places = [wires[start][0], *range(start + 1, stop + 1)]
            segments.append(Segment(start, stop, Row(layers[start:stop], [shapes[i] for i in places], dtype), ""))
        else:
            segments += [Segment(i, i + 1, None, "it stands alone") for i in range(start, stop)]
        if stop < len(layers) and why[stop]:
            segments.append(Segment(stop, stop + 1, None, why[stop]))
            stop += 1
        start = stop
    return segments


def _descents(segment: Segment, ways: Sequence[lowering.Way | None]) -> list[Descent]:
    own = ways[segment.start : segment.stop]
    if segment.row is None:
        return [Descent(0, 1, None)]
    descents, stop = [], len(own)
    while stop > 0:
        start = next((l + 1 for l in range(stop - 1, -1, -1) if (own[l] is None) != (own[stop - 1] is None)), 0)
        together = None
        if own[start] is not None and stop - start >= SHORTEST:
            modes, epsilons, groups = zip(*own[start:stop], strict=True)
            together = Ways(segment.row.between(start, stop), modes, epsilons, groups)
        descents.append(Descent(start, stop, together))
        stop = start
    return descents


def describe(segments: Sequence[Segment], network: Network, shapes: Sequence[Shape]) -> list[tuple[str, ...]]:
    """For each layer: whether it stands in a row, what runs it, and why not otherwise."""
    lines: list[tuple[str, ...]] = []
    number = 0
    for part in segments:
        number += part.row is not None
        place = "alone" if part.row is None else f"row {number}"
        for l in range(part.start, part.stop):
            why = f"({part.why})" if part.why else ""
            below = shapes[network.wires[l][0]] if network.wires[l] else ()
            lines.append((place, _kernel(network[l], below, part.row is not None), why))
    return lines


def _kernel(layer: Layer, below: Shape, in_row: bool) -> str:
    """What runs this layer, in a few words."""
    if isinstance(layer, Conv2d):
        shifts = flat.fits(windows(layer, below[1:]))
        how = "strips" if in_row else "shifted copies" if shifts else "windows, gathered"
        return f"{how}, and a matrix product"
    if isinstance(layer, MaxPool2d):
        return "2 × 2 side by side" if pooling.are_pairs(layer.windows(below)) else "window by window"
    if isinstance(layer, (AvgPool2d, ConvTranspose2d)):
        return "window by window"
    return {Dense: "a matrix product", ReLU: "one pass", Flatten: "nothing to do", Identity: "nothing to do"}.get(
        type(layer), "NumPy"
    )
