"""A row of layers as a program of the engine: where its activations and signals lie, and what runs between them.

The layers say everything; this file only writes it down, by the functions of loops/. segments.py chooses which layers
run as a row.
"""

from collections.abc import Callable, Sequence
from copy import copy
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from ..kernels.workspace import LINE, aligned, workspace
from ..layers import Layer
from ..layers.arguments import Shape
from .driver import (
    ABOVE,
    ACTIVATIONS,
    CHANGED,
    CLASSES,
    INPUT,
    OUT,
    SIGNALS,
    TOP,
    WEIGHTS,
    WORK,
    Part,
    Place,
    Program,
)
from .layout import behind_each_other, sizes_of, starts_of, weights_of
from .loops import convolution, dense, fill, lrp, mean, pooling, relu, top
from .lowering import KINDS
from .operations import Groups, Kind, Mode, Start

FORWARD = {
    Kind.DENSE: dense.forward, Kind.CONV: convolution.forward, Kind.MAX: pooling.forward, Kind.MEAN: mean.forward,
}  # fmt: skip
BACKWARD = {Kind.DENSE: dense.backward, Kind.CONV: convolution.backward, Kind.MEAN: mean.backward}
GATES: dict[Mode, Part] = {
    Mode.EXACT: relu.exact, Mode.PASS: fill.copy, Mode.POSITIVE: relu.positive, Mode.GUIDED: relu.guided,
}  # fmt: skip
AT_TOP: dict[Start, Part] = {Start.ONE: top.one, Start.SCORE: top.score, Start.LOG_PROBABILITY: top.log_probability}


class Ways:
    """How the layers of a row turn the signal above them into the signal below: by a mode, an ε and groups for each.

    `changed` holds the weights of the groups, `groups` for each layer κ and where they lie; `programs` those that walk
    down by these ways.
    """

    def __init__(self, row: "Row", modes: Sequence[Mode], epsilons: Sequence[float], groups: Sequence[Groups]) -> None:
        self.modes, self.epsilons = tuple(modes), tuple(epsilons)
        self.groups: list[list[lrp.PlacedGroup]] = []
        self.programs: dict[Any, Program] = {}
        pieces: list[np.ndarray] = []
        for of, own in zip(row.sizes, groups, strict=True):
            self.groups.append([])
            for kappa, terms in own:
                placed = []
                for sign, layer in terms:
                    placed.append((sign, Place(CHANGED, sum(map(len, pieces)) - of.W)))
                    pieces += weights_of(layer, row.dtype)
                self.groups[-1].append((kappa, placed))
        self.changed = behind_each_other(pieces, row.dtype)


class Row:
    """Layers that follow each other and run as one (each of them one that `can_hold` lets in).

    Attributes
    ----------
    layers
        The layers.
    shapes
        The shapes below and above each of them, without the batch axis.
    sizes
        Each of them in numbers.
    """

    def __init__(self, layers: Sequence[Layer], shapes: Sequence[Shape], dtype: np.dtype) -> None:
        self.layers, self.shapes, self.dtype = tuple(layers), tuple(shapes), dtype
        self.kinds = [KINDS[type(layer)] for layer in self.layers]
        self.sizes = sizes_of(self.layers, self.shapes, dtype)
        sizes = list(map(prod, self.shapes))
        self.size, self.size_above = sizes[0], sizes[-1]
        self.starts, self.numbers = starts_of(self.kinds, sizes)
        self.inner = self.numbers - self.size_above if self.starts[-1] >= 0 else 0
        convolutions = (
            convolution.room(of) for of, kind in zip(self.sizes, self.kinds, strict=True) if kind == Kind.CONV
        )
        self.work = 5 * max(sizes) + max(convolutions, default=0)
        self._room = -(-self.numbers * dtype.itemsize // LINE) * LINE // dtype.itemsize  # whole lines of the cache
        self._places = [self._place(start, size) for start, size in zip(self.starts, sizes, strict=True)]
        self._views = list(zip(self.starts, sizes, self.shapes, strict=True))[1:]
        self._programs: dict[Any, Program] = {}

    def _place(self, start: int, size: int) -> tuple[Place, Place]:
        """Where an activation lies, and where the signal on it."""
        if start < 0:
            own = INPUT, OUT
        elif start == self.starts[-1]:
            own, start = (ABOVE, TOP), 0
        else:
            own = ACTIVATIONS, SIGNALS
        return Place(own[0], max(0, start), size), Place(own[1], max(0, start), size)

    def with_layers(self, layers: Sequence[Layer]) -> "Row":
        """This row for layers that differ from its own in the values of their weights alone."""
        row = copy(self)
        row.layers = tuple(layers)
        for made in ("weights", "_between"):  # of the other layers
            row.__dict__.pop(made, None)
        return row

    @cached_property
    def weights(self) -> np.ndarray:
        """All weights and biases behind each other, as `sizes` says."""
        return behind_each_other(
            [piece for layer in self.layers for piece in weights_of(layer, self.dtype)], self.dtype
        )

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

    # ------------------------------------------------------------------------------------------------ the programs

    def _write_up(self, program: Program) -> None:
        places = [activation for activation, _ in self._places]
        for kind, of, a, z in zip(self.kinds, self.sizes, places, places[1:], strict=False):
            if kind == Kind.RELU:
                program.add(relu.forward, [of.size], a, z)
            elif kind != Kind.SAME:
                FORWARD[kind](program, of, a, Place(WEIGHTS), z, Place(WORK))

    def _write_down(self, program: Program, ways: Ways, keep: bool) -> None:
        """From the signal at the top to the one on the input; with `keep` every signal comes to its place."""
        gated, dz, work = False, self._places[-1][1], Place(WORK)
        for l in range(len(self.layers) - 1, -1, -1):
            kind, mode, of = self.kinds[l], ways.modes[l], self.sizes[l]
            if kind == Kind.SAME or (kind == Kind.RELU and not keep and (mode == Mode.PASS or gated)):
                gated = False
                continue  # the signal passes as it is, in its place
            (a, da), (z, _) = self._places[l : l + 2]
            if kind == Kind.RELU:
                program.add(GATES[mode], [of.size], dz, da, a)
            elif kind == Kind.MAX:  # and the ReLU below it in the same pass
                gated = l > 0 and not keep and (self.kinds[l - 1], ways.modes[l - 1]) == (Kind.RELU, Mode.EXACT)
                pooling.backward(program, of, gated, a, z, dz, da)
            elif mode == Mode.EPSILON:
                lrp.epsilon(program, of, BACKWARD[kind], ways.epsilons[l], a, z, dz, da, work)
            elif mode == Mode.GROUPS:
                lrp.groups(
                    program, of, FORWARD[kind], BACKWARD[kind], ways.epsilons[l], ways.groups[l], a, dz, da, work
                )
            else:
                BACKWARD[kind](program, of, dz, Place(WEIGHTS), da, work)
            dz = da
        if dz.base != OUT:
            program.add(fill.copy, [self.size], dz, Place(OUT, 0, self.size))

    def _write_through(self, program: Program, ways: Ways, start: Start) -> None:
        (z, dz), classes = self._places[-1], Place(CLASSES, 0, 1)
        self._write_up(program)
        program.add(top.choose, [self.size_above], z, classes)
        program.add(AT_TOP[start], [self.size_above], z, classes, dz)
        self._write_down(program, ways, keep=False)

    def _program(self, known: dict[Any, Program], key: Any, write: Callable[..., None], *given: Any) -> Program:
        if key not in known:
            program = Program(self.dtype)
            write(program, *given)
            known[key] = program  # whole, for other threads
        return known[key]

    # ---------------------------------------------------------------------------------------------------- their runs

    def output(self, x: np.ndarray) -> np.ndarray:
        """The activation at the top; nothing else is kept."""
        out = np.empty((len(x), *self.shapes[-1]), self.dtype)
        self._program(self._programs, "up", self._write_up).run(
            len(x), {INPUT: self._flat(x, self.size), ABOVE: out}, self._shared(ACTIVATIONS)
        )
        return out

    def up(self, x: np.ndarray) -> "Run":
        """All activations above x, one for each layer."""
        run = Run(self, x, aligned((self.numbers * len(x),), self.dtype))
        self._program(self._programs, "up", self._write_up).run(len(x), run.own(), self._shared())
        return run

    def down(self, a: "Run", R: np.ndarray, ways: Ways, keep: bool) -> list[np.ndarray]:
        """The signal on x, or with `keep` all of them, from x up to below R."""
        n, out, R = len(a.x), np.empty(a.x.shape, self.dtype), self._flat(R, self.size_above)
        own = {**a.own(), TOP: R, OUT: out}
        shared = self._shared() if keep else self._shared(SIGNALS)
        shared[CHANGED] = ways.changed
        if keep:
            own[SIGNALS] = memory = aligned((self.numbers * n,), self.dtype)
            memory[self.inner * n :] = R.reshape(-1) if self.starts[-1] >= 0 else 0  # for layers that only reshape it
        self._program(ways.programs, ("down", keep), self._write_down, ways, keep).run(n, own, shared)
        return [out, *self.views(out, memory)[:-1]] if keep else [out]

    def through(self, x: np.ndarray, classes: np.ndarray, start: Start, ways: Ways) -> tuple[np.ndarray, np.ndarray]:
        """The signal on x and the scores, up and down in one. A class of -1 becomes, in its place, the predicted one.

        classes: (N,) 64-bit integers, which are written to.
        """
        out, scores = np.empty(x.shape, self.dtype), np.empty((len(x), self.size_above), self.dtype)
        own = {INPUT: self._flat(x, self.size), ABOVE: scores, OUT: out, CLASSES: classes}
        shared = self._shared(ACTIVATIONS, SIGNALS)
        shared[TOP], shared[CHANGED] = shared[SIGNALS][self.inner :], ways.changed
        self._program(ways.programs, start, self._write_through, ways, start).run(len(x), own, shared)
        return out, scores

    def views(self, x: np.ndarray, memory: np.ndarray) -> list[np.ndarray]:
        """What lies in the memory, one array above each layer."""
        n = len(x)
        return [
            x.reshape(n, *shape) if start < 0 else memory[start * n : (start + size) * n].reshape(n, *shape)
            for start, size, shape in self._views
        ]

    def _shared(self, *bases: int) -> dict[int, np.ndarray]:
        """Of one sample: room for these, for the work behind them, and the weights."""
        memory = workspace("row", (len(bases) * self._room + self.work,), self.dtype)
        shared = {WEIGHTS: self.weights, WORK: memory[len(bases) * self._room :]}
        for i, base in enumerate(bases):
            shared[base] = memory[i * self._room :]
        return shared

    def _flat(self, a: np.ndarray, size: int) -> np.ndarray:
        """(N, size), contiguous (the parts look at no shape), and one that can be written (another type to Numba)."""
        a = np.ascontiguousarray(a, self.dtype) if a.flags.writeable else np.array(a, self.dtype, order="C")
        return a.reshape(len(a), size)


class Run:
    """The activations of one row above x, and the memory that they lie in."""

    def __init__(self, row: Row, x: np.ndarray, memory: np.ndarray) -> None:
        self.row, self.x, self.memory = row, x, memory
        self.above = row.views(x, memory)

    def own(self) -> dict[int, np.ndarray]:
        """Of each sample: its input, and its activations."""
        row, n = self.row, len(self.x)
        x, above = row._flat(self.x, row.size), self.memory[row.inner * n :]
        return {INPUT: x, ACTIVATIONS: self.memory, ABOVE: above}

    def between(self, start: int, stop: int) -> "Run":
        """The run of the layers from `start` to before `stop`: the same numbers."""
        row = self.row.between(start, stop)
        if row is self.row:
            return self
        first = self.row.starts[start]
        used = 0 if first < 0 else first + prod(self.row.shapes[start])
        return Run(row, [self.x, *self.above][start], self.memory[used * len(self.x) :])
