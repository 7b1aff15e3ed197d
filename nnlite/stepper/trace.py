"""A trace: every number of one walk, layer by layer, and the formula of each."""

from collections.abc import Iterator
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

    symbol, index: its name, such as s and k: s_k.
    tree: what each of its elements is: see expressions.py.
    vector: the same for all elements at once, as it is written with matrices.
    words: what it is, in a few words.
    sources: the code that computes it.
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


class Given(NamedTuple):
    """What a branch that meets in a join was given: from which layer it comes, and Σ of its signal.

    `largest` is max |x_b / z| at an Add under LRP, as in the ledger: far above 1 the branches cancel there.
    """

    layer: str
    signal: float
    largest: float | None


@dataclass(frozen=True, eq=False)
class Frame:
    """One layer of the walk.

    layer: its name in the network.
    kind, rule: what it is, and the rule that the walk applied, in one line each.
    geometry: who feeds whom.
    arrays: every array by its name, such as a_j, without the batch axis.
    steps: what was computed, in order; the last one is the signal below.
    above, below: the names of the signal above and below.
    layout: the shape in which the inputs are drawn: that of the image, where a Flatten lies directly below.
    reads: the names of what it reads: one, at a join one for each branch; "input" is x.
    books: where the relevance went; None for a method that divides nothing.
    branches: what each branch was given, at a join.
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
    reads: tuple[str, ...]
    books: Books | None = None
    branches: tuple[Given, ...] = ()

    def place(self, index: str, n: int) -> Place:
        """The place of element n of a step: see `Geometry.place`."""
        return self.geometry.place(index, n)

    def value(self, step: Formula, n: int = 0) -> float:
        """What the formula of a step gives for its element n."""
        return evaluate(step.tree, self, self.place(step.index, n))[0]

    @property
    def strengths(self) -> np.ndarray:
        """How much each input matters: |R_j| where the score is divided, else |a_j R_j|."""
        signal = self.arrays[self.below]
        if self.books is None and "a_j" in self.arrays:
            signal = signal * self.arrays["a_j"]
        return np.abs(signal).ravel()

    def strongest_input(self, k: int) -> int:
        """Of the inputs that feed k, the one that matters most."""
        strength = self.strengths
        return max((j for j, _ in self.geometry.window(k)), key=lambda j: strength[j], default=0)

    def path_below(self, k: int) -> Iterator[tuple[str, int, float]]:
        """Where a path through output k goes on: what is read, its strongest element there, and how strong that is."""
        at, strength = self.geometry, self.strengths
        for b, name in enumerate(self.reads):
            feeding = [j for j, _ in at.window(k) if not at.branches or at.branch(j) == b]
            if feeding:
                j = max(feeding, key=lambda j: strength[j])
                yield name, j - (at.first[b] if at.branches else 0), float(strength[j])

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

    method, formula: its name, and what it computes in one line.
    x: the input (1, ...).
    R: the result, in the shape of x: bit for bit what the method itself gives in float64.
    explained: what is explained, in words.
    score, predicted: the explained score; the class that the network predicts (None where there are no classes).
    frames: the layers, from the top down.
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
    """One layer as the walk passed it: what the functions that write the steps are given.

    At a join a_j and R_j are the branches' behind each other: see `behind_each_other`.
    """

    layer: Any
    rule: Any
    a_j: np.ndarray
    a_k: np.ndarray
    R_k: np.ndarray
    R_j: np.ndarray
    step: Any
    geometry: Geometry


def behind_each_other(values: Any) -> np.ndarray:
    """What a batch of one holds; of a tuple, an array for each branch, all elements in a row.

    >>> behind_each_other((np.array([[1.0, 2.0]]), np.array([[[3.0]]])))
    array([1., 2., 3.])
    """
    if not isinstance(values, tuple):
        return values[0]
    return np.concatenate([np.zeros(0), *(each[0].ravel() for each in values)])


class Written(NamedTuple):
    """The arrays and the steps of a layer, as they were written down."""

    arrays: dict[str, np.ndarray]
    steps: list[Formula]
