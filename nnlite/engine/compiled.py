"""The program of a compiled network: it holds what it prepared, so nothing else remembers anything.

    run      up, the signal at the top, and down: `walk.walk`
    up       every activation:                    `walk.activations_of`
    output   the last activation alone:           `walk.scores_of`
    covered  the output of covered copies:        `walk.scores_of_covered`

A network that runs as one row goes up and down in one call for each sample. Where it does not, its segments follow each
other, and what is not the library's own runs by its own forward, backward and rule.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from copy import copy, deepcopy
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import finite
from ..decision_based.target import given_class
from ..kernels import backend
from ..layers.arguments import DTYPES, Shape
from ..walk import layer_forward
from . import lowering
from .chunks import in_chunks
from .incremental import of_covered
from .layout import is_finite
from .rows import Run
from .segments import Segments, describe

if TYPE_CHECKING:
    from ..network import Network

REMEMBERED = 64
"""How many things a program remembers: lists of rules, mostly."""


def compiled(network: Network) -> Network:
    """The same network with a program."""
    return network if network.program is not None else _with_program(network, Program(network))


def _with_program(plain: Network, program: Program) -> Network:
    network = copy(plain)
    kept = {name: plain.__dict__[name] for name in ("layers", "names", "wires", "input_shape")}
    network.__dict__ = {**kept, "info": deepcopy(plain.info), "program": program}
    return network


class Program:
    """What a compiled network is asked in place of its layers."""

    def __init__(self, network: Network, alike: dict[Hashable, Segments] | None = None) -> None:
        self.plain = network
        self.layers = network.layers
        self._segments: dict[tuple[Shape, np.dtype], Segments] = {}
        self._alike: dict[Hashable, Segments] = {} if alike is None else alike
        self._known: dict[Hashable, Any] = {}

    def like(self, plain: Network) -> Network:
        """A network with other arrays, as after a step of training, or with masks for Dropouts, compiled.

        Segments of a network with the same kinds of layers serve it too.
        """
        return _with_program(plain, Program(plain, self._alike))

    def __reduce__(self) -> Any:
        return Program, (self.plain,)  # what is remembered holds addresses of this process

    def prepared(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """make(), made once for each of the last keys; made anew where the key cannot be one, such as a list."""
        try:
            found = self._known.get(key)
        except TypeError:
            return make()
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known.setdefault(key, make())  # one for all threads
        return found

    # ------------------------------------------------------------------------------------ what walk.py asks

    def run(self, x: np.ndarray, top: Any, rules: Sequence[Any], keep: bool) -> tuple[list[np.ndarray], list[Any]]:
        """Every activation and every signal; with keep=False only a[-1] and R[0]."""
        segments = self._for(x)
        if segments is None:
            a = self.plain.forward(x)
            return a, self.plain.walk_back(a, top(a[-1]), rules)
        key = x.shape[1:], x.dtype, tuple(rules)
        descents, checks, own = self.prepared(key, lambda: self._lowered(segments, rules))
        for need, rule, layer in checks:
            need(x, rule, layer)
        if keep or not own:
            return self._walk(segments, descents, x, top, rules, keep)
        z, R = in_chunks(partial(self._ends, segments, descents, rules), self.plain, x, top)
        return [x, *z], R

    def up(self, x: np.ndarray) -> list[np.ndarray]:
        """Every activation."""
        segments = self._for(x)
        return self.plain.forward(x) if segments is None else self._up(segments, x)[0]

    def output(self, x: np.ndarray) -> np.ndarray:
        """The last activation alone."""
        segments = self._for(x)
        if segments is None:
            return self.plain.output(x)
        return in_chunks(lambda part, _: ([self._output(segments, part)], []), self.plain, x, None)[0][0]

    def covered(
        self, x: np.ndarray, filled: np.ndarray, rows: Sequence[slice], columns: Sequence[slice], memory: int
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """The output for every covered copy of one sample, where only what a window can reach runs again."""
        yield from of_covered(self.plain, self.up(x), filled, rows, columns, memory, self._rest)

    def plan(self, shapes: Sequence[Shape]) -> list[tuple[str, ...]]:
        """What runs each layer, for activations of these shapes: see `Network.plan`."""
        if backend() != "numba":
            return [("alone", "NumPy", "")] * len(self.layers)
        return describe(Segments(self.plain, shapes, self.plain.dtype).all, self.plain, shapes)

    # ------------------------------------------------------------------------------------ how

    def _rest(self, start: int) -> Network:
        """The layers from `start` on, compiled."""
        return self.prepared(("rest", start), lambda: compiled(self.plain[start:]))

    def _for(self, x: Any) -> Segments | None:
        """The segments for this input; None where every layer runs by itself."""
        if x.ndim < 2 or x.dtype not in DTYPES or backend() != "numba" or finite.WATCHED.get():
            return None
        key = x.shape[1:], x.dtype
        found = self._segments.get(key)
        if found is None:
            try:
                shapes = self.plain.shapes(x.shape)
            except ValueError:  # x does not fit: the layer that it does not fit says so
                return None
            kinds = (*key, self.plain.wires, tuple((type(layer), is_finite(layer)) for layer in self.layers))
            first = self._alike.get(kinds)
            if first is None:
                first = self._alike.setdefault(kinds, Segments(self.plain, shapes, x.dtype))
            found = self._segments.setdefault(key, first.with_layers(self.layers))
        return found

    def _lowered(self, segments: Segments, rules: Sequence[Any]) -> tuple[Any, Any, bool]:
        """The ways down, what x must fulfil, and whether all rules treat each sample separately."""
        descents, checks = segments.descents(rules)
        return descents, checks, all(lowering.is_separate(rule) for rule in rules)

    def _ends(
        self, segments: Segments, descents: Any, rules: Sequence[Any], x: np.ndarray, top: Any
    ) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """The output and the signal on x; in one call for each sample where one row runs all layers."""
        row, start = segments.all[0].row if len(segments.all) == 1 else None, lowering.start(top)
        ways = descents[0][0].ways if row is not None and len(descents[0]) == 1 else None
        if row is None or start is None or ways is None or len(row.shapes[-1]) != 1 or not row.size_above:
            a, R = self._walk(segments, descents, x, top, rules, keep=False)
            return a[-1:], R[:1]
        at_top, target = start
        n = len(x)
        classes = np.full(n, -1, np.int64) if target is None else given_class(n, row.size_above, target)
        R_x, scores = row.through(x, classes, at_top, ways)
        return [scores], [R_x]

    def _walk(
        self, segments: Segments, descents: Any, x: np.ndarray, top: Any, rules: Sequence[Any], keep: bool
    ) -> tuple[list[np.ndarray], list[Any]]:
        """Up, the signal at the top, and down, segment by segment."""
        a, runs = self._up(segments, x)
        wires = self.plain.wires
        signals: list[Any] = [None] * len(self.layers) + [top(a[-1])]

        def add(i: int, r: Any) -> None:
            signals[i] = r if signals[i] is None else signals[i] + r

        for segment, pieces, run in zip(segments.all[::-1], descents[::-1], runs[::-1], strict=True):
            for piece in pieces:
                start, stop = segment.start + piece.start, segment.start + piece.stop
                R = signals[stop]
                is_signal = isinstance(R, np.ndarray) and (R.shape, R.dtype) == (a[stop].shape, x.dtype)
                if run is not None and piece.ways is not None and is_signal:
                    own = run.between(piece.start, piece.stop)
                    lowest, *signals[start + 1 : start + 1 + (stop - start - 1) * keep] = own.row.down(
                        own, R, piece.ways, keep
                    )
                    add(wires[start][0], lowest)
                else:
                    for l in reversed(range(start, stop)):
                        below = rules[l](self.layers[l], self.plain.read(l, a), a[l + 1], signals[l + 1])
                        for i, r in zip(wires[l], (below,) if self.layers[l].reads == 1 else below, strict=True):
                            add(i, r)
                if not keep:
                    signals[start + 1 : stop + 1] = [None] * (stop - start)
        return a, signals if keep else signals[:1]

    def _up(self, segments: Segments, x: np.ndarray) -> tuple[list[np.ndarray], list[Any]]:
        a: list[np.ndarray] = [x]
        runs: list[Run | None] = []
        for segment in segments.all:
            if segment.row is None:
                a.append(layer_forward(self.plain, segment.start, self.plain.read(segment.start, a)))
                runs.append(None)
            else:
                run = segment.row.up(a[self.plain.wires[segment.start][0]])
                runs.append(run)
                a.extend(run.above)
        return a, runs

    def _output(self, segments: Segments, x: np.ndarray) -> np.ndarray:
        a: list[Any] = [x] + [None] * len(self.layers)
        for start, stop, row, _ in segments.all:
            below = self.plain.read(start, a)
            a[stop] = layer_forward(self.plain, start, below) if row is None else row.output(below)
            for i in chain.from_iterable(self.plain.last_read[start:stop]):
                a[i] = None
        return a[-1]
