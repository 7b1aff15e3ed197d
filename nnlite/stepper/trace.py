"""A trace: every number of one walk, layer by layer, and the formula of each."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..layers.arguments import Shape, is_one_of
from .expressions import Place, Tree, array_name, evaluate, sym
from .geometry import Geometry
from .sources import Source


@dataclass(frozen=True)
class Formula:
    """One array that a layer computes on the walk.

    Attributes
    ----------
    symbol, index
        Its name, such as s and k: s_k.
    tree
        What each of its elements is: see expressions.py.
    vector
        The same for all elements at once, as it is written with matrices.
    words
        What it is, in a few words.
    sources
        The code that computes it.
    """

    symbol: str
    index: str
    tree: Tree
    vector: str
    words: str
    sources: tuple[Source, ...]

    @property
    def name(self) -> str:
        """The name of the array, such as s_k."""
        return array_name(sym(self.symbol, self.index))


class Books(NamedTuple):
    """Σ R_k = inputs + bias + ε + dropped, for the layers of LRP."""

    above: float
    inputs: float
    bias: float
    stabilizer: float
    dropped: float


@dataclass(frozen=True, eq=False)
class Frame:
    """One layer of the walk.

    Attributes
    ----------
    layer
        Its name in the network.
    kind, rule
        What it is, and the rule that the walk applied, in one line each.
    geometry
        Who feeds whom.
    arrays
        Every array by its name, such as a_j, without the batch axis.
    steps
        What was computed, in order; the last one is the signal below.
    above, below
        The names of the signal above and below.
    layout
        The shape in which the inputs are drawn: that of the image, where a Flatten lies directly below.
    books
        Where the relevance went; None for a method that divides nothing.
    """

    layer: str
    kind: str
    rule: str
    geometry: Geometry
    arrays: dict[str, np.ndarray]
    steps: tuple[Formula, ...]
    above: str
    below: str
    layout: Shape
    books: Books | None = None

    def place(self, index: str, n: int) -> Place:
        """The place of element n of a step: on layers where j feeds k = j alone, both are n."""
        if self.geometry.kind == "same":
            return {"j": n, "k": n, "jk": n}
        return {index: n}

    def value(self, step: Formula, n: int = 0) -> float:
        """What the formula of a step gives for its element n."""
        return evaluate(step.tree, self, self.place(step.index, n))[0]

    def strongest_input(self, k: int) -> int:
        """Of the inputs that feed k, the one that matters most: by |R_j| where the score is divided, else |a_j R_j|."""
        signal = self.arrays[self.below]
        if self.books is None and "a_j" in self.arrays:
            signal = signal * self.arrays["a_j"]
        strength = np.abs(signal).ravel()
        return max((j for j, _ in self.geometry.window(k)), key=lambda j: strength[j], default=0)

    def error(self) -> float:
        """The largest difference of a recorded number to its formula, as a part of Σ |terms|."""
        worst = 0.0
        for step in self.steps:
            for n, recorded in enumerate(self.arrays[step.name].flat):
                value, size = evaluate(step.tree, self, self.place(step.index, n))
                if value != recorded:
                    worst = max(worst, abs(value - recorded) / size if size else np.inf)
        return worst


@dataclass(frozen=True, eq=False)
class Trace:
    """The walk of one method on one input.

    Attributes
    ----------
    method, formula
        Its name, and what it computes in one line.
    x
        The input (1, ...).
    R
        The result, in the shape of x: bit for bit what the method itself gives in float64.
    explained
        What is explained, in words.
    score, predicted
        The explained score; the class that the network predicts (None where there are no classes).
    frames
        The layers, from the top down.
    """

    method: str
    formula: str
    x: np.ndarray
    R: np.ndarray
    explained: str
    score: float
    predicted: int | None
    frames: tuple[Frame, ...] = field(repr=False)

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the frames, from the top down."""
        return tuple(frame.layer for frame in self.frames)

    def frame(self, layer: str) -> Frame:
        """The frame of the layer with this name."""
        if not is_one_of(layer, self.layers):
            raise ValueError(f"There is no layer {layer!r} on this walk; the layers are {', '.join(self.layers)}.")
        return self.frames[self.layers.index(layer)]

    def error(self) -> float:
        """The largest difference of any recorded number to its formula, as a part of Σ |terms|."""
        return max((frame.error() for frame in self.frames), default=0.0)


class Recorded(NamedTuple):
    """One layer as the walk passed it: what the functions that write the steps are given."""

    layer: Any
    rule: Any
    a_j: np.ndarray
    a_k: np.ndarray
    R_k: np.ndarray
    R_j: np.ndarray
    step: Any
    geometry: Geometry


class Written(NamedTuple):
    """The arrays and the steps of a layer, as they were written down."""

    arrays: dict[str, np.ndarray]
    steps: list[Formula]
