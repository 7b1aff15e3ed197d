"""A network: layers in a row. Forward gives every activation; walk_back carries any signal down again."""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import replace
from functools import cached_property
from typing import Any, overload

import numpy as np

from . import architecture, storage
from .chunks import in_chunks
from .kernels import backend
from .layers import BatchNorm, Conv2d, Dense, Dropout, Identity, Layer, Mask, Softmax
from .layers.arguments import Shape, float_dtype, sizes
from .plan import MODES, Activations, Part, Piece, Plan, describe, is_input
from .rows import Mode, Row, Run, Ways, is_finite

Rule = Callable[[Layer, np.ndarray, np.ndarray, Any], Any]
"""rule(layer, a_j, a_k, R_k) -> R_j: how one layer turns the signal above it into the signal below."""


def gradient_rule(layer: Layer, a_j: np.ndarray, a_k: np.ndarray, R_k: np.ndarray) -> np.ndarray:
    """R_j = Σ_k (∂a_k / ∂a_j) R_k: the layer's exact backward pass, as a rule."""
    return layer.backward(a_j, R_k)


MODES[gradient_rule] = Mode.EXACT


def layer_by_layer(
    layers: Sequence[Layer], a: Sequence[np.ndarray], R: Any, rules: Sequence[Rule], start: int, stop: int
) -> list[Any]:
    """R[l] = rule_l(layer_l, a[l], a[l + 1], R[l + 1]) from l = stop − 1 down to start, with R[stop] = `R`."""
    signals = [R]
    for l in reversed(range(start, stop)):
        rule = rules[l]
        signals.append(rule(layers[l], a[l], a[l + 1], signals[-1]))
    return signals[:0:-1]


class Network:
    """Layers in a row, each a pure function; a network is one too, and never changes.

    Parameters
    ----------
    layers
        The layers from input to output. A Network among them is taken apart into its layers.
    names
        A name for each layer; by default kind and number: conv1, relu1, pool1, conv2, ...
    input_shape
        The shape of one input without the batch axis, such as (1, 28, 28). Optional; with it the layers are checked
        against each other at once, and images can be brought to the network's format.
    info
        What is known about the network (its training, its accuracy): JSON-able, kept with it in a file.

    Raises
    ------
    ValueError
        The layers do not fit together, have several dtypes, or two names are the same.

    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.eye(2)), ReLU(), Dense(np.ones((2, 1)))])
    >>> net.names
    ('dense1', 'relu1', 'dense2')
    >>> net.scores(np.array([[3.0, -1.0]]))
    array([[3.]])
    """

    def __init__(
        self,
        layers: Iterable["Layer | Network"],
        names: Sequence[str] | None = None,
        input_shape: Shape | None = None,
        info: dict[str, Any] | None = None,
    ) -> None:
        self.layers: tuple[Layer, ...] = tuple(_flat(layers))
        self.names: tuple[str, ...] = architecture.default_names(self.layers) if names is None else tuple(names)
        self.info: dict[str, Any] = _json_able({} if info is None else info)
        dtypes = {layer.dtype for layer in self.layers if layer.dtype is not None}
        if len(dtypes) > 1:
            found = sorted(map(str, dtypes))
            raise ValueError(f"The layers have several dtypes: {found}; bring them to one with astype.")
        if len(self.names) != len(self.layers) or len(set(self.names)) != len(self.names):
            raise ValueError(f"{len(self.layers)} layers need as many different names, and {self.names} came.")
        if not all(isinstance(name, str) for name in self.names):
            raise ValueError(f"The names of layers are strings, and {self.names} came.")
        self.input_shape: Shape | None = None if input_shape is None else sizes("Network", "input_shape", input_shape)
        if self.input_shape is not None:
            self.output_shape((self._batch, *self.input_shape))

    # ------------------------------------------------------------------------------------ up and down the row

    def forward(self, x: np.ndarray) -> list[np.ndarray]:
        """Every activation: a[0] = x, a[l] = what layer l - 1 makes of a[l - 1], a[L] = the output.

        Raises
        ------
        ValueError
            x has a shape or dtype that a layer cannot take; the message names the layer.
        """
        plan = self._plan(x)
        a = Activations(x)
        for part in self._layer_by_layer if plan is None else plan.parts:
            if part.row is None:
                a.append(self._one(part.start, a[-1]))
            else:
                a.runs[part.start] = part.row.up(a[-1])
                a.extend(a.runs[part.start].above)
        return a

    def output(self, x: np.ndarray) -> np.ndarray:
        """The last activation alone: forward(x)[-1], without keeping the others."""
        return in_chunks(lambda x, _: self._output(x), self, x)

    def _output(self, x: np.ndarray) -> np.ndarray:
        plan = self._plan(x)
        for part in self._layer_by_layer if plan is None else plan.parts:
            x = self._one(part.start, x) if part.row is None else part.row.output(x)
        return x

    def _one(self, i: int, a: np.ndarray) -> np.ndarray:
        try:
            return self.layers[i].forward(a)
        except ValueError as error:
            raise ValueError(f"layer {self.names[i]}: {error}") from None

    def walk_back(self, a: Sequence[np.ndarray], R: Any, rules: Sequence[Rule]) -> list[Any]:
        """Every signal, from R[0] on the input to R[L] = `R` at the top.

        R[l] = rule_l(layer_l, a[l], a[l + 1], R[l + 1])

        Parameters
        ----------
        a
            All activations of this network, as `forward` gives them.
        R
            The signal at the top, in the shape of a[-1] (or whatever the topmost rule takes).
        rules
            One for each layer, bottom to top.
        """
        return self._walk(a, R, rules, keep=True)

    def to_input(self, a: Sequence[np.ndarray], R: Any, rules: Sequence[Rule]) -> Any:
        """The signal on the input alone: walk_back(a, R, rules)[0], without keeping the others."""
        return self._walk(a, R, rules, keep=False)[0]

    def _walk(self, a: Sequence[np.ndarray], R: Any, rules: Sequence[Rule], keep: bool) -> list[Any]:
        if not len(a) - 1 == len(rules) == len(self.layers):
            raise ValueError(
                f"{len(self.layers)} layers need {len(self.layers)} rules and {len(self.layers) + 1} activations; "
                f"{len(rules)} rules and {len(a)} activations came."
            )
        plan = self._plan(a[0]) if isinstance(a, Activations) else None
        signals = [R]
        for part in reversed(self._layer_by_layer if plan is None else plan.parts):
            run = a.run(part) if part.row is not None and isinstance(a, Activations) else None
            for piece in _pieces(plan, part, run, a, rules):
                start, stop, R = part.start + piece.start, part.start + piece.stop, signals[0]
                is_signal = isinstance(R, np.ndarray) and (R.shape, R.dtype) == (a[stop].shape, a[0].dtype)
                if run is not None and piece.ways is not None and is_signal:
                    own = run.between(piece.start, piece.stop)
                    below = own.row.down(own, R, piece.ways, keep)
                else:
                    below = layer_by_layer(self.layers, a, R, rules, start, stop)
                signals = [*below, *signals] if keep else below[:1]
        return signals

    def in_one(self, x: np.ndarray, rules: Sequence[Rule]) -> tuple[Row, Ways] | None:
        """The row that runs all layers, up and then down by these rules, and its ways; None where there is none.

        `Row.through` then does in one call what `forward` and `to_input` do in two.
        """
        plan = self._plan(x)
        return None if plan is None else plan.whole(rules, x)

    def _plan(self, x: Any) -> Plan | None:
        """The plan for this input; None where every layer runs for itself."""
        if not is_input(x) or backend() != "numba":
            return None
        key = x.shape[1:], x.dtype
        plan = self._plans.get(key)
        if plan is None:
            try:
                plan = self._plans.setdefault(key, self._new_plan(x))  # one, for all threads
            except ValueError:  # x does not fit: the layer that it does not fit says so
                return None
        return plan

    def _new_plan(self, x: np.ndarray) -> Plan:
        """A plan made for this network, or made before for one that differs in values alone."""
        key = tuple(map(type, self.layers)), x.shape[1:], x.dtype
        finite = all(map(is_finite, self.layers))
        if finite and key in self._shared_plans:
            return self._shared_plans[key].with_layers(self.layers)
        plan = Plan(self.layers, self.shapes(x.shape), x.dtype)
        if finite:
            self._shared_plans[key] = plan
        return plan

    @cached_property
    def known_inputs(self) -> set[tuple[Shape, np.dtype]]:
        """The shapes and dtypes of inputs that have been checked, and fit."""
        return set()

    @cached_property
    def _layer_by_layer(self) -> list[Part]:
        return [Part(i, i + 1, None, "") for i in range(len(self.layers))]

    @cached_property
    def _plans(self) -> dict[tuple[Shape, np.dtype], Plan]:
        return {}

    @cached_property
    def _shared_plans(self) -> dict[tuple[tuple[type[Layer], ...], Shape, np.dtype], Plan]:
        """Of all networks that `_with_values` made of one."""
        return {}

    def scores(self, x: np.ndarray) -> np.ndarray:
        """The scores of the classes (N, K): the output, before a Softmax at the end."""
        return self.to_scores().output(x)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """The class with the highest score for each sample: (N,) integers.

        Raises
        ------
        ValueError
            A score is NaN: there is no highest one.
        """
        scores = self.scores(x)
        if np.isnan(scores).any():
            raise ValueError("The scores hold a NaN; check that the input is finite, and the network's weights too.")
        return scores.argmax(axis=1)

    # ------------------------------------------------------------------------------------ networks from this one

    def to_scores(self) -> "Network":
        """This network without a Softmax at its end."""
        return self._without_softmax if self.layers and isinstance(self.layers[-1], Softmax) else self

    @cached_property
    def _without_softmax(self) -> "Network":
        return self[:-1]

    def sample(self, rng: np.random.Generator, shape: Shape) -> "Network":
        """A draw: this network with a fixed mask in the place of every Dropout.

        Parameters
        ----------
        rng
            Where the randomness comes from.
        shape
            The shape of the input. With its batch axis (N, ...) each sample gets masks of its own; without (as
            `input_shape`), or with N = 1, one draw serves every sample.
        """
        if not any(isinstance(layer, Dropout) for layer in self.layers):
            return self
        shape = (1, *shape) if tuple(shape) == self.input_shape else tuple(shape)
        layers: list[Layer] = []
        for layer in self.layers:
            layers.append(layer.draw(rng, shape, self.dtype) if isinstance(layer, Dropout) else layer)
            shape = layer.output_shape(shape)
        return self._with_values(layers)

    def merged(self) -> "Network":
        """This network with every BatchNorm folded into the Dense or Conv2d directly before it.

        An Identity takes the place of the BatchNorm, so that all layers keep their positions and names.
        """
        return self._merged if any(isinstance(layer, BatchNorm) for layer in self.layers) else self

    @cached_property
    def _merged(self) -> "Network":
        layers = list(self.layers)
        for i in range(1, len(layers)):
            before, layer = layers[i - 1 : i + 1]
            if isinstance(layer, BatchNorm) and isinstance(before, (Dense, Conv2d)):
                layers[i - 1 : i + 1] = layer.merge(before), Identity()
        return self._with(layers)

    def astype(self, dtype: Any) -> "Network":
        """This network in float32 or float64."""
        float_dtype(dtype, "astype")
        return self._with([layer.astype(dtype) for layer in self.layers])

    def with_parameters(self, parameters: Mapping[str, np.ndarray]) -> "Network":
        """This network with other values for some of its `parameters`, by the same names."""
        present = self.parameters
        unknown = set(parameters) - set(present)
        if unknown:
            raise ValueError(f"There are no parameters {sorted(unknown)}; the parameters are {list(present)}.")
        for name, value in parameters.items():
            if np.shape(value) != present[name].shape:
                raise ValueError(f"{name} has the shape {present[name].shape}, and {np.shape(value)} came.")
        layers = []
        for name, layer in zip(self.names, self.layers, strict=True):
            own = {key: parameters[f"{name}.{key}"] for key in layer.parameters if f"{name}.{key}" in parameters}
            layers.append(replace(layer, **own) if own else layer)
        alike = all(getattr(value, "dtype", None) == present[name].dtype for name, value in parameters.items())
        return self._with_values(layers) if alike else self._with(layers)

    def _with_values(self, layers: Sequence[Layer]) -> "Network":
        """A network that differs in the values of arrays alone: its names and shapes need no other check."""
        network = copy(self)
        network.__dict__ = {
            "layers": tuple(layers), "names": self.names, "input_shape": self.input_shape,
            "info": deepcopy(self.info), "_shared_plans": self._shared_plans,
        }  # fmt: skip
        return network

    def _with(self, layers: Iterable[Layer]) -> "Network":
        return Network(layers, self.names, self.input_shape, self.info)

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
        """network[0] and network["conv1"] are layers; network[:3] is the network of the first three."""
        if isinstance(which, slice):
            start, _, step = which.indices(len(self.layers))
            if step != 1:
                raise ValueError("A slice of a network takes neighbouring layers: network[start:stop].")
            return Network(self.layers[which], self.names[which], self.input_shape if start == 0 else None, self.info)
        return self.layers[self.index(which) if isinstance(which, str) else which]

    def part(self, start: int, stop: int) -> "Network":
        """network[start:stop], made once: what is found out about it, such as its plan, is there at the next call."""
        if (start, stop) not in self._parts:
            self._parts[start, stop] = self[start:stop]
        return self._parts[start, stop]

    @cached_property
    def _parts(self) -> dict[tuple[int, int], "Network"]:
        return {}

    def index(self, name: str) -> int:
        """The position of the layer with this name."""
        if name not in self.names:
            raise ValueError(f"There is no layer {name!r}; the layers are {', '.join(self.names)}.")
        return self.names.index(name)

    @cached_property
    def dtype(self) -> np.dtype:
        """The dtype of the weights (float32 for a network without any)."""
        return next((layer.dtype for layer in self.layers if layer.dtype is not None), np.dtype(np.float32))

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

    @property
    def _batch(self) -> int:
        """How many samples to check the layers with: one, or as many as the masks of a draw were drawn for."""
        return max((len(layer.m) for layer in self.layers if isinstance(layer, Mask)), default=1)

    def shapes(self, shape: Shape) -> list[Shape]:
        """The shapes of all activations for an input of this shape, batch axis included."""
        shapes = [tuple(shape)]
        for name, layer in zip(self.names, self.layers, strict=True):
            try:
                shapes.append(layer.output_shape(shapes[-1]))
            except ValueError as error:
                raise ValueError(f"layer {name}: {error}") from None
        return shapes

    def plan(self, shape: Shape) -> str:
        """What runs each layer for inputs of this shape (N, ...): a line a layer, with the layers that run as one.

        >>> from nnlite.layers import Dense, ReLU, Tanh
        >>> net = Network([Dense(np.eye(2)), ReLU(), Dense(np.ones((2, 3))), Tanh()])
        >>> print(net.plan((1, 2)))  # doctest: +SKIP
        dense1  Dense(W[2, 2])  row 1  a matrix product
        relu1   ReLU()          row 1  one pass
        dense2  Dense(W[2, 3])  row 1  a matrix product
        tanh1   Tanh()          alone  NumPy             (a row knows no Tanh)
        """
        shapes = self.shapes(shape)
        parts = self._layer_by_layer if backend() != "numba" else Plan(self.layers, shapes, self.dtype).parts
        return describe(parts, self.names, self.layers, shapes)

    def summary(self, input_shape: Shape | None = None) -> str:
        """A table of the layers: name, layer, shape of the output, number of parameters.

        Parameters
        ----------
        input_shape
            The shape of one input without the batch axis; the network's own where it knows it.
        """
        input_shape = input_shape or self.input_shape
        known = None if input_shape is None else self.shapes((self._batch, *input_shape))[1:]
        return architecture.table(self.names, self.layers, known or [None] * len(self))

    def __repr__(self) -> str:
        return f"Network({len(self)} layers: {', '.join(self.names)})"

    # ------------------------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike, *, half: bool = False) -> None:
        """Write the network to one .npz: the architecture as JSON, the arrays, a version and a checksum.

        With `half` the arrays are rounded to float16 in the file, for half its size; `load` gives them in float32.

        Raises
        ------
        ValueError
            With half: a weight is too large for float16.
        """
        header, arrays = self.description()
        if half:
            with np.errstate(over="ignore"):
                arrays = {name: value.astype(np.float16) for name, value in arrays.items()}
            large = [name for name, value in arrays.items() if not np.isfinite(value).all()]
            if large:
                raise ValueError(f"{path}: {', '.join(large)} hold numbers that float16 cannot; save with half=False.")
        storage.write(path, "network", header, arrays)

    def description(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """What a file holds: the architecture (JSON-able), and the arrays by layer.name."""
        header, arrays = architecture.describe(self.names, self.layers)
        return {"layers": header, "input_shape": self.input_shape, "info": self.info}, arrays

    @classmethod
    def from_description(cls, header: dict[str, Any], arrays: dict[str, np.ndarray]) -> "Network":
        """The network that `description` described; ValueError where it does not make sense."""
        try:
            names = [entry["name"] for entry in header["layers"]]
            shape = header["input_shape"]
            layers = architecture.rebuild(header["layers"], arrays)
            return cls(layers, names, None if shape is None else tuple(shape), header["info"])
        except (KeyError, TypeError, AttributeError, OverflowError) as error:
            raise ValueError(
                f"the architecture is not one that nnlite wrote ({type(error).__name__}: {error})"
            ) from None


def load(path: str | os.PathLike) -> Network:
    """The network in a file that `Network.save` wrote.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file is truncated, altered, of another kind or from a newer nnlite; the message says which. Nothing from
        the file is ever executed.
    """
    header, arrays = storage.read(path, "network")
    try:
        return Network.from_description(header, {name: _single(value) for name, value in arrays.items()})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _pieces(
    plan: Plan | None, part: Part, run: Run | None, a: Sequence[np.ndarray], rules: Sequence[Rule]
) -> list[Piece]:
    """The layers of a part, in the pieces that go down as one, from the top down."""
    if plan is None or run is None:
        return [Piece(0, part.stop - part.start, None)]
    return plan.pieces(run.row, rules[part.start : part.stop], a[part.start : part.stop + 1])


def _single(value: np.ndarray) -> np.ndarray:
    """An array kept in float16 as float32."""
    return value.astype(np.float32) if value.dtype == np.float16 else value


def _flat(layers: Iterable["Layer | Network"]) -> Iterator[Layer]:
    for layer in layers:
        if isinstance(layer, Network):
            yield from layer.layers
        elif isinstance(layer, Layer):
            yield layer
        else:
            raise TypeError(f"A network consists of nnlite.layers and networks, and {layer!r} came.")


def _json_able(info: dict[str, Any]) -> dict[str, Any]:
    """A copy of `info` as JSON gives it back; an error where it cannot."""
    if not isinstance(info, dict):
        raise TypeError(f"info takes a dict of what JSON can hold, and {info!r} came.")
    try:
        return json.loads(json.dumps(info))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"info takes what JSON can hold (text, numbers, lists, dicts), and {info} came ({error})."
        ) from None
