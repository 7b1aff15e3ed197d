"""How a network runs: which of its layers run as one, and which each for itself.

A plan is chosen once for a network and the shape of its input, by shapes and kinds alone, so that the same input gives
the same bits whatever came before; a network with other values in the same layers, as after a step of training, keeps
it. `network.plan(shape)` shows it. Under the NumPy backend there is none: every layer runs its own forward and
backward.
"""

from collections.abc import Callable, Sequence
from copy import copy
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from .kernels import backend, flat, pooling
from .layers import AvgPool2d, Conv2d, ConvTranspose2d, Dense, Flatten, Identity, Layer, MaxPool2d, ReLU
from .layers.arguments import DTYPES, Shape
from .rows import KINDS, Groups, Kind, Mode, Row, Run, Ways, can_hold, can_stand_for, windows

Rule = Callable[[Layer, np.ndarray, np.ndarray, Any], Any]

MODES: dict[Any, Mode] = {}
"""The rules without options that a row knows, with how it runs them; a rule joins where it is defined.

A rule with options has a method `in_row(layer) -> (mode, ε)` instead, or None where a row cannot run it. Where the
mode is GROUPS it has a method `in_groups(layer, a_j, a_k)` too, which gives them, or None where a row cannot run those.
"""

FITS: dict[Mode | None, set[Kind]] = {
    Mode.EXACT: set(Kind), Mode.PASS: {Kind.RELU, Kind.SAME}, Mode.POSITIVE: {Kind.RELU}, Mode.GUIDED: {Kind.RELU},
    Mode.EPSILON: {Kind.DENSE, Kind.CONV, Kind.MEAN}, Mode.GROUPS: {Kind.DENSE, Kind.CONV},
}  # fmt: skip
"""What each mode can be asked of."""

REMEMBERED = 32
"""How many answers a plan remembers, one or two for a list of rules."""

SHORTEST = 2
"""So many layers go down as one; one alone goes by its own rule."""


class Part(NamedTuple):
    """The layers from `start` to before `stop`: a row, or (row=None) one layer that runs for itself, and why."""

    start: int
    stop: int
    row: Row | None
    why: str


class Piece(NamedTuple):
    """Layers of a part that go down as one by these ways, or (ways=None) each by its own rule."""

    start: int
    stop: int
    ways: Ways | None


class Activations(list[np.ndarray]):
    """The list of all activations, and what the rows of the plan need to walk back: it is still just the list."""

    def __init__(self, x: np.ndarray) -> None:
        super().__init__([x])
        self.runs: dict[int, Run] = {}

    def run(self, part: Part) -> Run | None:
        """The run of this part, if it was run and its activations are still those in the list."""
        run = self.runs.get(part.start)
        if run is None or run.row is not part.row or self[part.start] is not run.x:
            return None
        own = self[part.start + 1 : part.stop + 1]
        return run if len(own) == len(run.above) and all(map(is_, own, run.above)) else None


class Plan:
    """The parts of a network for inputs of one shape."""

    def __init__(self, layers: Sequence[Layer], shapes: Sequence[Shape], dtype: np.dtype) -> None:
        self.parts = _parts(layers, [shape[1:] for shape in shapes], dtype)
        self._made: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def with_layers(self, layers: Sequence[Layer]) -> "Plan":
        """This plan for layers that differ from its own in the values of their arrays alone, and are finite as they."""
        plan = copy(self)
        plan._made = {}
        plan.parts = [
            part if part.row is None else part._replace(row=part.row.with_layers(layers[part.start : part.stop]))
            for part in self.parts
        ]
        return plan

    def pieces(self, row: Row, rules: Sequence[Rule], a: Sequence[np.ndarray]) -> list[Piece]:
        """How a row runs these rules of its layers, on these activations: piece by piece, from the top down.

        It is remembered by the rules, and by the groups that those with Mode.GROUPS have on these activations.
        """
        ids = (id(row), *map(id, rules))
        told, asked = self._once(ids, rules, lambda: _told_by(rules, row.layers))
        groups = {l: rules[l].in_groups(row.layers[l], a[l], a[l + 1]) for l in asked}
        known = tuple(own and tuple((kappa, id(layer)) for kappa, layer in own) for own in groups.values())
        return self._once((*ids, known), (rules, groups), lambda: _pieces(row, told, groups))

    def whole(self, rules: Sequence[Rule], x: np.ndarray) -> tuple[Row, Ways] | None:
        """The row that runs all layers by these rules, and its ways, where that can be told before the way up."""
        row = self.parts[0].row if len(self.parts) == 1 else None
        if row is None:
            return None
        ids, rules = (id(row), *map(id, rules)), tuple(rules)
        told, asked = self._once(ids, rules, lambda: _told_by(rules, row.layers))
        positive = bool(asked) and x.size > 0 and x.min() >= 0
        return self._once((*ids, positive), rules, lambda: _whole(row, rules, told, asked, positive))

    def _once(self, key: tuple[Any, ...], kept: Any, make: Callable[[], Any]) -> Any:
        """What was made for this key. `kept` is kept with it, so that the ids in the key stay those of its objects."""
        known = self._made.get(key)
        if known is None:
            if len(self._made) >= REMEMBERED:
                self._made.clear()
            known = self._made[key] = kept, make()
        return known[1]


def _parts(layers: Sequence[Layer], shapes: Sequence[Shape], dtype: np.dtype) -> list[Part]:
    why = [can_hold(*each, dtype) for each in zip(layers, shapes, shapes[1:], strict=False)]
    parts: list[Part] = []
    start = 0
    while start < len(layers):
        stop = next((i for i in range(start, len(layers)) if why[i]), len(layers))
        working = sum(KINDS[type(layer)].name != "SAME" for layer in layers[start:stop])
        if working >= 2:
            parts.append(Part(start, stop, Row(layers[start:stop], shapes[start : stop + 1], dtype), ""))
        else:
            parts += [Part(i, i + 1, None, "it stands alone") for i in range(start, stop)]
        if stop < len(layers):
            parts.append(Part(stop, stop + 1, None, why[stop]))
        start = stop + 1
    return parts


def _told_by(rules: Sequence[Rule], layers: Sequence[Layer]) -> tuple[list[tuple[Any, float]], list[int]]:
    """The mode and ε of each rule, and which of them are to be asked for their groups."""
    told = [_told(*each) for each in zip(rules, layers, strict=True)]
    return told, [l for l, (mode, _) in enumerate(told) if mode == Mode.GROUPS]


def _pieces(row: Row, told: Sequence[tuple[Any, float]], answers: dict[int, Groups | None]) -> list[Piece]:
    groups = [answers.get(l, ()) for l in range(len(row.layers))]
    known = [
        KINDS[type(layer)] in FITS.get(mode, ()) and own is not None and all(can_stand_for(o, layer) for _, o in own)
        for (mode, _), layer, own in zip(told, row.layers, groups, strict=True)
    ]
    pieces, stop = [], len(row.layers)
    while stop > 0:
        start = next((l + 1 for l in range(stop - 1, -1, -1) if known[l] != known[stop - 1]), 0)
        ways = None
        if known[start] and stop - start >= SHORTEST:
            modes, epsilons = zip(*told[start:stop], strict=True)
            own = [each or () for each in groups[start:stop]]
            ways = row.between(start, stop).ways(modes, epsilons, own)
        pieces.append(Piece(start, stop, ways))
        stop = start
    return pieces


def _whole(
    row: Row, rules: Sequence[Any], told: Sequence[tuple[Any, float]], asked: Sequence[int], positive: bool
) -> tuple[Row, Ways] | None:
    """`positive` says that no number of the input is below 0. Above a ReLU none is, and there a rule knows its groups.

    (Whatever the numbers are then, the groups are the same: see `Rule.one_input`.)
    """
    groups: dict[int, Groups | None] = {}
    for l, layer in enumerate(row.layers):
        if l in asked:
            if not positive:
                return None
            below, above = (np.ones((1, *shape), row.dtype) for shape in row.shapes[l : l + 2])
            groups[l] = rules[l].in_groups(layer, below, above)
        kind = KINDS[type(layer)]
        positive = kind == Kind.RELU or (positive and kind in (Kind.SAME, Kind.MAX, Kind.MEAN))
    pieces = _pieces(row, told, groups)
    return (row, pieces[0].ways) if len(pieces) == 1 and pieces[0].ways is not None else None


def _told(rule: Any, layer: Layer) -> tuple[Mode | None, float]:
    if hasattr(rule, "in_row"):
        return rule.in_row(layer) or (None, 0.0)
    return (MODES.get(rule) if callable(rule) and rule.__hash__ else None), 0.0


def is_input(x: Any) -> bool:
    """Whether a plan can be made for it at all; what is wrong with it the layers say."""
    return isinstance(x, np.ndarray) and x.ndim > 1 and x.dtype in DTYPES


def describe(parts: Sequence[Part], names: Sequence[str], layers: Sequence[Layer], shapes: Sequence[Shape]) -> str:
    """A line for each layer: its name, what it is, whether it stands in a row, what runs it, and why not otherwise."""
    lines, number = [], 0
    for part in parts:
        number += part.row is not None
        place = "alone" if part.row is None else f"row {number}"
        for l in range(part.start, part.stop):
            why = f"({part.why})" if part.why else ""
            lines.append((names[l], repr(layers[l]), place, _kernel(layers[l], shapes[l], part.row is not None), why))
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(5)]
    return "\n".join("  ".join(f"{v:<{w}}" for v, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _kernel(layer: Layer, below: Shape, in_row: bool) -> str:
    """What runs this layer, in a few words."""
    if backend() == "numpy":
        return "NumPy"
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
