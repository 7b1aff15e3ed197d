"""The graph of an ONNX file as a row of layers with wires, in three passes.

1. What depends on no input is computed, by onnx's own reference evaluator.
2. Down from the output: arithmetic that is a pointwise layer of one activation, such as x · σ(x), is found by what it
   computes on a line of numbers, however it is written.
3. Up from the input: each node that is left becomes layers. Sizes are computed on the way; where they depend on the
   number of samples, for two such numbers.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from math import log, prod
from typing import Any

import numpy as np

from .. import layers as ours
from ..layers import Layer
from ..layers.arguments import Shape
from ..layers.blocks import SHORT
from ..memory import claim
from ..network import Network
from ..printed import plain
from .onnx_file import Model, import_onnx
from .row import Activation, Row, Unsupported

COMPUTED = re.findall(
    r"\w+",
    "Abs Add And Cast Ceil Concat Constant ConstantOfShape Div Equal Exp Expand Flatten Floor Gather Greater Identity "
    "Less Log Max Min Mod Mul Neg Not Or Pow Range Reciprocal ReduceProd Reshape Shape Size Slice Split Sqrt Squeeze "
    "Sub Tile Transpose Unsqueeze Where",
)
"""What is computed where it depends on no activation: sizes, and simple arithmetic."""

LAST = ("Add", "Clip", "Div", "Max", "Min", "Mul", "Where")
ARITHMETIC = {*LAST, "Abs", "Erf", "Exp", "Greater", "HardSigmoid", "Less", "Log", "Neg", "Pow", "Reciprocal", "Relu"}
ARITHMETIC |= {"Sigmoid", "Softplus", "Sqrt", "Sub", "Tanh"}
"""What a pointwise layer may end with, and be written with."""

POINTWISE = [
    ours.ReLU(),
    ours.ReLU6(),
    ours.Hardsigmoid(),
    ours.Hardswish(),
    ours.SiLU(),
    ours.GELU(),
    ours.GELU("tanh"),
]
LINE, MOST = np.linspace(-12, 12, 97)[None], 16
"""Where these are compared, 0, ±3 and 6 among it; and in how many nodes they are looked for."""


@dataclass(frozen=True, eq=False)
class Known:
    """Numbers that depend on no activation: once, or for each of the row's numbers of samples."""

    values: Sequence[np.ndarray]

    @property
    def one(self) -> np.ndarray:
        """The numbers, whatever the number of samples is."""
        if not all(np.array_equal(value, self.values[0]) for value in self.values):
            raise Unsupported("it depends on the number of samples")
        return self.values[0]


class Graph(Row):
    """The row that is laid for a model; `values` is what each name in the file stands for."""

    node: Any

    def __init__(self, model: Model, operators: Mapping[str, Any]) -> None:
        super().__init__(model.shape)
        self.model, self._operators = model, operators
        self._nodes, self._at, self._held = list(model.proto.graph.node), 0, 0
        self._batches = (2, 3) if model.batch is None else (model.batch,)
        self._values: dict[str, Any] = {name: Known([value]) for name, value in model.constants.items()}
        self._values |= {"": None, model.input: self._input}
        self._uses = Counter([model.output])
        self._of = list[int]()
        self.alone = set[int]()
        """For each layer its node; and the activations that only one node reads."""

    def network(self) -> Network:
        """The layers that the output depends on, in the dtype of the input."""
        for at, node in enumerate(self._nodes):
            reads = [self._values.get(name, self._input) for name in node.input]
            if node.op_type in COMPUTED and self._input not in reads:
                self._do(at, None)
        steps, makers = [], {name: at for at, node in enumerate(self._nodes) for name in node.output}
        for at, node in reversed(list(enumerate(self._nodes))):
            if node.output[0] not in self._values and any(self._uses[name] for name in node.output):
                steps.append((at, found := self._pointwise(node, makers)))
                self._uses.update(node.input if found is None else found[1:])
        for at, found in reversed(steps):
            self._do(at, found)
        return self._finished()

    def _do(self, at: int, found: tuple[Layer, str] | None) -> None:
        """One node further; `found` is the layer that it ends, and what that reads."""
        self._at, self.node = at, (node := self._nodes[at])
        self._where = f"{node.op_type} {node.name}".strip()
        try:
            given = [self._values[name] for name in (found[1:] if found else node.input)]
            results = [self.lay(found[0], *given)] if found else self._taken(node, given)
        except KeyError as error:
            raise ValueError(f"{self._where}: it needs {error}, and nothing gives that.") from None
        except Unsupported as error:
            raise ValueError(f"{self._where}: {error}. Supported are {', '.join(self._operators)}.") from None
        except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as error:  # odd attributes, too
            raise ValueError(f"{self._where}: {error}") from None
        for name, value in zip(node.output, results, strict=False):
            self._values[name] = value
            if isinstance(value, Activation) and value.at == len(self.layers) and self._uses[name] == 1:
                self.alone.add(value.at)

    def _taken(self, node: Any, given: list[Any]) -> Sequence[Any]:
        kind = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
        reads = [isinstance(each, Activation) for each in given]
        if kind in COMPUTED and (kind in ("Shape", "Size") or not any(reads)):
            return self._computed(given)
        if kind not in self._operators:
            raise Unsupported(f"{kind} has no counterpart")
        if kind not in ("Add", "Sub", "Mul", "Div", "Sum", "Concat") and reads != [True] + [False] * (len(given) - 1):
            raise Unsupported("it has a counterpart where what it reads first depends on the input, and that alone")
        at = {each.name: import_onnx(".helper").get_attribute_value(each) for each in node.attribute}
        at = {name: each.decode() if isinstance(each, bytes) else each for name, each in at.items()}
        found = self._operators[kind](self, at, *given)
        return found if isinstance(found, tuple) else (self.chain(found, given[0]),)

    # ---------------------------------------------------------------------------------------------------- layers

    def lay(self, layer: Layer, *below: Activation) -> Activation:
        above = super().lay(layer, *below)
        self._of.append(self._at)
        return above

    def _name(self, layer: Layer) -> str:
        return ""  # they are named at the end, when it is known which are left

    def chain(self, found: Any, x: Activation) -> Activation:
        """What a list of layers makes of x; an activation is that itself."""
        return reduce(lambda below, layer: self.lay(layer, below), found, x) if isinstance(found, list) else found

    def below(self, x: Activation) -> tuple[Layer | None, Activation]:
        """The layer that gives x and what it reads; None and x where that is not one activation."""
        if not x.at or len(self.wires[x.at - 1]) != 1:
            return None, x
        (at,) = self.wires[x.at - 1]
        return self.layers[x.at - 1], Activation(at, self.shapes[at])

    def reshaped(self, x: Activation, shape: Shape) -> Activation:
        """x in another shape: there and back is where it came from; there, normed, and back is a GroupNorm."""
        layer: Any
        layer, below = self.below(x)
        if layer is not None and layer.reshapes and below.shape == (1, *shape):
            return below
        grouped, first = self.below(below)
        back = isinstance(layer, ours.InstanceNorm) and isinstance(grouped, ours.Reshape) and first.shape == (1, *shape)
        if back and shape[0] % len(layer.gamma) == 0:
            gamma, beta = (np.repeat(each, shape[0] // len(layer.gamma)) for each in (layer.gamma, layer.beta))
            return self.lay(ours.GroupNorm(len(layer.gamma), gamma, beta, layer.eps), first)
        return self.lay(ours.Reshape(shape), x)

    def _finished(self) -> Network:
        output = self._values.get(self.model.output)
        kept = {output.at} if isinstance(output, Activation) else set()
        for at in range(len(self.layers), 0, -1):
            kept.update(self.wires[at - 1] if at in kept else ())
        if 0 not in kept or len(kept) < 2:
            raise ValueError("its output must be made of its input, by one operator or more.")
        order = sorted(kept - {0})
        new = {at: n for n, at in enumerate([0, *order])}
        layers, names = [self.layers[at - 1] for at in order], self._named(order)
        layers = [each if each.dtype is None else each.astype(self.model.dtype) for each in layers]
        info = {"onnx": {name: self.origins[at - 1] for name, at in zip(names, order, strict=True)}}
        wires = tuple(tuple(new[i] for i in self.wires[at - 1]) for at in order)
        return Network(layers, names, self.model.shape, info, wires)

    def _named(self, order: Sequence[int]) -> list[str]:
        """Each layer by its node; one that only brings the others of that node their input has its kind behind it."""
        nodes, taken, names = Counter(self._of[at - 1] for at in order), Counter(["input"]), []
        for at in order:
            layer, of = self.layers[at - 1], self._of[at - 1]
            kind = SHORT.get(type(layer).__name__, type(layer).__name__.lower())
            helps = nodes[of] > 1 and (layer.moves or layer.reshapes or layer.reads == 0)
            first = name = (plain(self._nodes[of].name)[:200] or kind) + f".{kind}" * helps
            while taken[name]:
                name = f"{first}_{taken[first]}"
                taken[first] += 1
            taken[name] += 1
            names.append(name)
        return names

    # --------------------------------------------------------------------------------------------------- numbers

    def decimal(self, value: float) -> float:
        """A number in float32 as its shortest decimal, 0.1 for 0.10000000149; in a float64 file the number itself."""
        return float(str(np.float32(value))) if self.model.dtype == np.float32 else float(value)

    def numbers(self, value: Known, like: Activation) -> np.ndarray:
        """Numbers that meet an activation, the same for each sample."""
        counted = zip(value.values, self._batches, strict=False)
        return Known(
            [v[:1] if v.ndim == like.axes and len(v) == n and np.all(v == v[:1]) else v for v, n in counted]
        ).one

    def shape_above(self, given: Sequence[Any]) -> Shape:
        """The shape, without the samples, that the node makes of an activation."""
        above = [value.shape for value in self._computed(given)[0].values]
        if [shape[:1] for shape in above] != [(n,) for n in self._batches] or len({shape[1:] for shape in above}) > 1:
            raise Unsupported("it puts several samples into one row")
        return above[0][1:]

    def _computed(self, given: Sequence[Any]) -> list[Known]:
        """What the node gives, where that depends on numbers and on the shapes of activations."""
        zero, results = self.model.dtype.type(0), []
        sized = any(isinstance(each, Activation) or (each and len(each.values) > 1) for each in given)
        for i, n in enumerate(self._batches if sized else [1]):
            values = [
                np.broadcast_to(zero, (n, *(each.shape or ())[1:])) if isinstance(each, Activation)
                else each and each.values[i % len(each.values)] for each in given
            ]  # fmt: skip
            feeds = {name: value for name, value in zip(self.node.input, values, strict=True) if value is not None}
            self._claim(feeds)
            results.append(self._evaluated([self.node], feeds, list(self.node.output)))
        return [Known(values) for values in zip(*results, strict=True)]

    def _claim(self, feeds: dict[str, np.ndarray]) -> None:
        """ValueError where what the node gives has a size that is not known, or for which there is no memory."""
        onnx, dtype_of = import_onnx(), import_onnx(".helper").np_dtype_to_tensor_dtype
        kinds = {name: onnx.helper.make_tensor_type_proto(dtype_of(v.dtype), v.shape) for name, v in feeds.items()}
        data = {name: onnx.numpy_helper.from_array(v) for name, v in feeds.items() if v.size < 2**16}
        try:
            opset = [onnx.helper.make_opsetid("", self.model.opset)]
            schema = onnx.defs.get_schema(self.node.op_type, self.model.opset, "")
            above = onnx.shape_inference.infer_node_outputs(schema, self.node, kinds, data, opset_imports=opset)
            shapes = [each.tensor_type.shape.dim for each in above.values()]
        except Exception as error:  # onnx has its own kinds
            raise Unsupported(f"its sizes make no sense ({_line(error)})") from None
        if not all(dim.HasField("dim_value") for shape in shapes for dim in shape):
            raise Unsupported("it gives an unknown number of numbers")
        self._held += sum(8 * prod(dim.dim_value for dim in shape) for shape in shapes)
        claim(self._held, "What is computed of its sizes and numbers")

    def _evaluated(self, nodes: list[Any], feeds: dict[str, np.ndarray], wanted: list[str]) -> list[np.ndarray]:
        value_info = import_onnx(".helper").make_tensor_value_info
        ends = [[value_info(name, 1, None) for name in names] for names in (feeds, wanted)]
        try:
            graph = import_onnx(".helper").make_graph(nodes, "part", *ends)
            run = import_onnx(".reference").ReferenceEvaluator(graph, opsets={"": self.model.opset}).run
            with np.errstate(all="ignore"):
                return [np.asarray(each) for each in run(wanted, feeds)]
        except Exception as error:  # whatever the numbers in the file make go wrong
            raise Unsupported(f"it cannot be computed ({_line(error)})") from None

    def _pointwise(self, last: Any, makers: dict[str, int]) -> tuple[Layer, str] | None:
        """The pointwise layer of one activation that a node and those below it compute, and the name of that."""
        inside: list[Any] = []
        numbers: dict[str, np.ndarray] = {}
        reads = {last.output[0]}
        while last.op_type in LAST and len(inside) < MOST and reads:
            latest = max(reads, key=lambda name: makers.get(name, -1))
            node = self._nodes[makers[latest]] if latest in makers else last
            known = [name for name in node.input if name and isinstance(self._values.get(name), Known)]
            if (
                latest not in makers
                or node.op_type not in ARITHMETIC
                or any(self._values[n].one.size != 1 for n in known)
            ):
                break
            inside.insert(0, node)
            numbers |= {name: self._values[name].one.reshape(()).astype(np.float64) for name in known}
            reads = (reads - {latest}) | (set(node.input) - set(known) - {""})
            if len(reads) == 1 and (layer := self._same(inside, numbers | dict.fromkeys(reads, LINE))):
                return layer, *reads
        return None

    def _same(self, inside: list[Any], feeds: dict[str, np.ndarray]) -> Layer | None:
        """The pointwise layer that computes the same on the line of numbers."""
        try:
            (y,) = self._evaluated(inside, feeds, [inside[-1].output[0]])
        except Unsupported:
            return None
        at_0 = float(y[LINE == 0][0]) if y.shape == LINE.shape else 0.0
        soft = [ours.Softplus(self.decimal(log(2) / at_0))] if at_0 > 0 else []
        return next(
            (each for each in POINTWISE + soft if np.allclose(each.forward(LINE), y, rtol=1e-5, atol=1e-5)), None
        )


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
