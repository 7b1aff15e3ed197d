"""How a network runs: which of its layers run as one, and which each for itself.

A plan is chosen once for a network and the shape of its input, by shapes and kinds alone, so that the same input gives
the same bits whatever came before. `network.plan(shape)` shows it. Under the NumPy backend there is none: every layer
runs its own forward and backward.
"""

from collections.abc import Callable, Sequence
from operator import is_
from typing import Any, NamedTuple

import numpy as np

from .kernels import backend, flat, pooling
from .kernels.row import Kind, Mode
from .layers import AvgPool2d, Conv2d, ConvTranspose2d, Dense, Flatten, Identity, Layer, MaxPool2d, ReLU
from .layers.arguments import DTYPES, Shape
from .rows import KINDS, Row, Run, can_hold, windows

Rule = Callable[[Layer, np.ndarray, np.ndarray, Any], Any]

MODES: dict[Any, Mode] = {}
"""The rules without options that a row knows, with how it runs them; a rule joins where it is defined.

A rule with options has a method `in_row(layer) -> (mode, ε)` instead, or None where a row cannot run it.
"""

FITS: dict[Mode | None, set[Kind]] = {
    Mode.EXACT: set(Kind), Mode.PASS: {Kind.RELU, Kind.SAME}, Mode.POSITIVE: {Kind.RELU}, Mode.GUIDED: {Kind.RELU},
    Mode.EPSILON: {Kind.DENSE, Kind.CONV, Kind.MEAN},
}  # fmt: skip
"""What each mode can be asked of."""

REMEMBERED = 16
"""For how many lists of rules a plan remembers how a row runs them."""


class Part(NamedTuple):
    """The layers from `start` to before `stop`: a row, or (row=None) one layer that runs for itself, and why."""

    start: int
    stop: int
    row: Row | None
    why: str


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
        self.layers, self.dtype = tuple(layers), dtype
        self.parts = _parts(layers, [shape[1:] for shape in shapes], dtype)
        self._modes: dict[tuple[int, ...], tuple[Sequence[Rule], Any]] = {}

    @property
    def has_rows(self) -> bool:
        """Whether any layers run as one."""
        return any(part.row is not None for part in self.parts)

    def modes(self, part: Part, rules: Sequence[Rule]) -> tuple[np.ndarray, np.ndarray] | None:
        """How a row runs these rules of its layers: (modes, ε); None where it cannot."""
        key = (part.start, *map(id, rules))
        known = self._modes.get(key)
        if known is None:
            if len(self._modes) >= REMEMBERED:
                self._modes.clear()
            # The rules are kept with the answer: their ids stay theirs.
            known = self._modes[key] = rules, _modes(self.layers[part.start : part.stop], rules, self.dtype)
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


def _modes(layers: Sequence[Layer], rules: Sequence[Rule], dtype: np.dtype) -> tuple[np.ndarray, np.ndarray] | None:
    told = [_told(rule, layer) for rule, layer in zip(rules, layers, strict=True)]
    if not all(KINDS[type(layer)] in FITS.get(mode, ()) for (mode, _), layer in zip(told, layers, strict=True)):
        return None
    modes, epsilons = zip(*told, strict=True)
    return np.array(modes, np.int64), np.array(epsilons, dtype)


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
            lines.append((names[l], repr(layers[l]), place, _kernel(layers[l], shapes[l]), why))
    widths = [max((len(line[i]) for line in lines), default=0) for i in range(5)]
    return "\n".join("  ".join(f"{v:<{w}}" for v, w in zip(line, widths, strict=True)).rstrip() for line in lines)


def _kernel(layer: Layer, below: Shape) -> str:
    """What runs this layer, in a few words."""
    if backend() == "numpy":
        return "NumPy"
    if isinstance(layer, Conv2d):
        how = "shifted copies" if flat.fits(windows(layer, below[1:])) else "windows, gathered"
        return f"{how}, and a matrix product"
    if isinstance(layer, MaxPool2d):
        return "2 × 2 side by side" if pooling.are_pairs(layer.windows(below)) else "window by window"
    if isinstance(layer, (AvgPool2d, ConvTranspose2d)):
        return "window by window"
    return {Dense: "a matrix product", ReLU: "one pass", Flatten: "nothing to do", Identity: "nothing to do"}.get(
        type(layer), "NumPy"
    )
