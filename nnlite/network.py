"""A network: a row of layers with wires. Forward gives every activation; walk_back carries any signal down again."""

import os
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any, overload

import numpy as np

from . import architecture, classes, finite, surgery, wiring
from .batch import check_batch
from .layers import Embedding, Layer
from .layers.arguments import Shape, is_one_of, sizes
from .layers.blocks import Block, Row
from .memory import claim
from .printed import plain
from .walk import LARGE, LocalRule, scores_of


class Network:
    """Layers in a row, each a pure function; a network is one too, and never changes.

    Parameters
    ----------
    layers
        The layers from input to output: each reads the one before it. A Network among them is taken apart into its
        layers; a block, such as `Residual`, expands into its layers and their wires.
    names
        A name for each layer; by default kind and number, in a block behind its path: conv1, relu1, block1.conv1, ...
    input_shape
        The shape of one input without the batch axis, such as (1, 28, 28). Optional; with it the layers are checked
        against each other at once, and images can be brought to the network's format.
    info
        What is known about the network (its training, its accuracy): JSON-able, kept with it in a file.
    wires
        Which activations a layer reads, where it is not the one before it: {"add": ("relu1", "conv3")}, "input" being
        x. Or by position, for every layer: ((0,), (1,), (1, 2)), 0 being x and l + 1 what layer l gives.

    Raises ValueError: the layers do not fit together, have several dtypes, two names are the same, or a wire leads
    nowhere.

    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.eye(2)), ReLU(), Dense(np.ones((2, 1)))])
    >>> net.names
    ('dense1', 'relu1', 'dense2')
    >>> net(np.array([[3.0, -1.0]]))
    array([[3.]])
    """

    program: Any = None
    """What `compile` prepared; None where every layer runs by itself."""

    def __init__(
        self,
        layers: Iterable["Layer | Block | Network"],
        names: Sequence[str] | None = None,
        input_shape: Shape | None = None,
        info: dict[str, Any] | None = None,
        wires: wiring.Wires | Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        row = Row(layers)
        self.layers: tuple[Layer, ...] = tuple(row.layers)
        self.names: tuple[str, ...] = tuple(row.names if names is None else names)
        self.info: dict[str, Any] = architecture.json_able({} if info is None else info)
        architecture.check_dtypes(self.layers)
        architecture.check_names(self.names, len(self.layers))
        self.wires: wiring.Wires = wiring.of(wires, self.names, row.wires)
        wiring.check(self.layers, self.names, self.wires)
        self.input_shape: Shape | None = None if input_shape is None else sizes("Network", "input_shape", input_shape)
        if self.input_shape is not None:
            self.check_room((self.batch, *self.input_shape))

    # ------------------------------------------------------------------------------------ up and down the row

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        """Every activation: a[0] = x, a[l + 1] = what layer l makes of a[l], a[L] = the output.

        Raises TypeError or ValueError: x is no NumPy array, or has a dtype or a shape that the network cannot take; the
        message names the layer.
        """
        check_batch(self, x)
        if x.nbytes > LARGE:
            self.check_room(x.shape)
        a = [x]
        try:
            for layer, read in zip(self.layers, self.reads, strict=True):
                a.append(layer.forward(read(a)))
        except ValueError as error:
            raise ValueError(f"layer {self.names[len(a) - 1]}: {error}") from None
        if finite.WATCHED.get():
            finite.check_activations(self, a)
        return a

    def read(self, l: int, a: Sequence[np.ndarray]) -> Any:
        """What layer l reads of all activations: one, for a join a tuple, for a Constant the number of samples."""
        return self.reads[l](a)

    def walk_back(self, a: Sequence[np.ndarray], R: Any, rules: Sequence[LocalRule], *, down_to: int = 0) -> list[Any]:
        """Every signal, from R[0] on the input to R[L] = `R` at the top.

        R[l] = rule_l(layer_l, a[l], a[l + 1], R[l + 1]); where several layers read one activation, their signals add

        Parameters
        ----------
        a
            All activations of this network, as `forward` gives them.
        R
            The signal at the top, in the shape of a[-1] (or whatever the topmost rule takes).
        rules
            One for each layer, bottom to top.
        down_to
            Where the walk ends: below R[down_to] every signal is None.
        """
        if not len(a) - 1 == len(rules) == len(self.layers):
            raise ValueError(
                f"expected {len(self.layers)} rules and {len(self.layers) + 1} activations for {len(self.layers)} "
                f"layers, got {len(rules)} and {len(a)}."
            )
        rules = finite.watched(self, rules) if finite.WATCHED.get() else rules
        signals: list[Any] = [None] * len(self.layers) + [R]
        for l in reversed(range(down_to, len(self.layers))):
            below = rules[l](self.layers[l], self.reads[l](a), a[l + 1], signals[l + 1])
            for i, r in zip(self.wires[l], (below,) if self.layers[l].reads == 1 else below, strict=True):
                signals[i] = r if signals[i] is None else signals[i] + r
        return [None] * down_to + signals[down_to:]

    def output(self, x: np.ndarray) -> np.ndarray:
        """The last activation alone: forward(x)[-1], without keeping the others."""
        check_batch(self, x)
        return scores_of(self, x)

    def scores(self, x: np.ndarray) -> np.ndarray:
        """The scores of the classes (N, K): the output of `to_scores()`."""
        return self.to_scores().output(x)

    __call__ = scores

    def class_scores(self, z: np.ndarray) -> np.ndarray:
        """One score for each class (N, K), from the scores z: z itself, or (0, z) of a binary network."""
        return classes.class_scores(self, z)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class with the highest score for each sample, (N,) integers; of a binary network [z > 0].

        Raises ValueError: a score is NaN, so that there is no highest one; or the network has no classes (see
        `class_scores`).
        """
        return classes.predicted(self.class_scores(self.scores(x)))

    is_binary = cached_property(classes.is_binary)
    takes_tokens = cached_property(lambda self: bool(self.layers) and isinstance(self.layers[0], Embedding))

    # ------------------------------------------------------------------------------------ networks from this one

    def compile(self) -> "Network":
        """The same network, prepared: whole rows of layers run as one program. The numbers are the same to rounding.

        It takes some seconds at the first use and pays where a network is asked thousands of times. What is not the
        library's own, a layer class or a rule of yours, runs plainly inside it: `plan` says which, and why.
        """
        from .engine import compiled  # here, and nowhere else: nothing but compile knows the engine

        return compiled(self)

    def to_scores(self) -> "Network":
        """This network without the Softmax or LogSoftmax at its end, or the Sigmoid after its one output."""
        return self._to_scores

    def merged(self) -> "Network":
        """This network with every BatchNorm folded into the linear layer directly before it: see surgery.py."""
        return self._merged

    _to_scores = cached_property(surgery.to_scores)
    _merged = cached_property(surgery.merged)

    def sample(self, rng: np.random.Generator | int, shape: Shape) -> "Network":
        """A draw: this network with a fixed mask in place of every Dropout; see `surgery.sample`."""
        return surgery.sample(self, rng, shape)

    def astype(self, dtype: Any) -> "Network":
        """This network in float32 or float64."""
        return surgery.astype(self, dtype)

    def with_parameters(self, parameters: Mapping[str, np.ndarray]) -> "Network":
        """This network with other values for some of its `parameters`, by the same names."""
        return surgery.with_parameters(self, parameters)

    def prepared(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """make(): what a method prepares for this network. A compiled network makes it once for each key."""
        return make() if self.program is None else self.program.prepared(key, make)

    # ------------------------------------------------------------------------------------ a row of layers

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    @overload
    def __getitem__(self, which: slice) -> "Network": ...

    @overload
    def __getitem__(self, which: int | str) -> Layer: ...

    def __getitem__(self, which: slice | int | str) -> "Network | Layer":
        """network[0] and network["conv1"] are layers; network[:3], cut where one wire crosses, is a network."""
        if isinstance(which, slice):
            return surgery.part(self, which)
        return self.layers[self.index(which) if isinstance(which, str) else which]

    def index(self, name: str) -> int:
        """The position of the layer with this name."""
        if not is_one_of(name, self.names):
            raise ValueError(f"There is no layer {name!r}; the layers are {', '.join(self.names)}.")
        return self.names.index(name)

    @cached_property
    def dtype(self) -> np.dtype:
        """The dtype of the weights (float32 for a network without any)."""
        return next((layer.dtype for layer in self.layers if layer.dtype is not None), np.dtype(np.float32))

    @cached_property
    def batch(self) -> int:
        """How many samples fit: as many as the masks of a draw were drawn for; 1 where each is treated separately."""
        return max((layer.batch for layer in self.layers), default=1)

    reads = cached_property(lambda self: tuple(map(wiring.reader, self.layers, self.wires)))
    last_read = cached_property(lambda self: wiring.last_read(self.wires))

    def up_to(self, name: str) -> "Network":
        """The layers from the input to the layer with this name: those that it depends on, and itself."""
        return surgery.up_to(self, name)

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """What training changes: the arrays by layer.name, such as "conv1.W"."""
        return {
            f"{name}.{key}": value
            for name, layer in zip(self.names, self.layers, strict=True)
            for key, value in layer.parameters.items()
        }

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of the output for an input of this shape, batch axis included."""
        return self.shapes(shape)[-1]

    def shapes(self, shape: Shape) -> list[Shape]:
        """The shapes of all activations for an input of this shape, batch axis included."""
        return architecture.shapes(self, shape)

    def plan(self, shape: Shape) -> str:
        """What runs each layer for inputs of this shape (N, ...): a line for each layer.

        >>> from nnlite.layers import Dense, ReLU
        >>> print(Network([Dense(np.eye(2)), ReLU()]).plan((1, 2)))
        dense1  Dense(W[2, 2])  by itself
        relu1   ReLU()          by itself
        """
        return architecture.plan(self, shape)

    def draw(self) -> str:
        """The network as a flow chart in Mermaid's language, which code hosts and notebooks draw."""
        return architecture.draw(self)

    def summary(self, input_shape: Shape | None = None) -> str:
        """A table of the layers: name, layer, shape of the output, number of parameters.

        `input_shape` is the shape of one input without the batch axis; the network's own where it knows it.
        """
        return architecture.summary(self, input_shape or self.input_shape)

    def check_room(self, shape: Shape) -> None:
        """ValueError where explaining an input of this shape, batch axis included, needs more memory than there is."""
        size = 2 * sum(map(prod, self.shapes(shape))) * self.dtype.itemsize
        claim(size, f"Explaining an input of the shape {shape}")

    def __getstate__(self) -> dict[str, Any]:
        """What a copy or a pickle takes along: all but what was remembered; a compiled network stays one."""
        kept = ("layers", "names", "wires", "input_shape", "info", "program")
        return {name: self.__dict__[name] for name in kept if name in self.__dict__}

    def __repr__(self) -> str:
        return plain(f"Network({len(self)} layers: {', '.join(self.names)})")

    def save(self, path: str | os.PathLike, *, half: bool = False) -> None:
        """Write the network to one .npz: see `files.save`."""
        from .files import save  # here: files.py makes networks

        save(self, path, half=half)
