"""An ONNX file read under checks: its graph, its numbers, its input. Nothing in it is executed.

Numbers may lie in other files of its folder (external data). Each tensor must hold what it declares, and all of them
together must fit into the budget of memory.
"""

import importlib
import os
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..disk import regular
from ..layers.arguments import Shape, sizes
from ..memory import TooLarge, claim
from ..printed import listed, plain

FLOATS: dict[int, Any] = {1: np.dtype(np.float32), 11: np.dtype(np.float64)}
KINDS = ("FLOAT", "DOUBLE", "INT64", "INT32", "INT16", "INT8", "UINT8", "BOOL")


@dataclass(frozen=True)
class Model:
    """What the output of a file depends on.

    `proto` is the model of those nodes alone, with all numbers inside; `shape` that of one input, without the batch
    axis; `batch` for how many samples the file was written, None for any number.
    """

    proto: Any
    constants: dict[str, np.ndarray]
    input: str
    shape: Shape
    batch: int | None
    dtype: np.dtype
    output: str
    opset: int


def import_onnx(part: str = "") -> Any:
    """The module onnx, or a part of it, or an ImportError that says how to install it."""
    try:
        return importlib.import_module(f"onnx{part}")
    except ImportError as error:
        raise ImportError(f"onnx is needed here and cannot be imported ({error}); pip install onnx.") from None


def read(path: str | os.PathLike, input_shape: Shape | None) -> Model:
    """The model in a file; ValueError, TooLarge or FileNotFoundError as `from_onnx`."""
    load = import_onnx().load_model_from_string
    path = regular(path, "an ONNX model")
    try:
        proto = load(path.read_bytes())
    except Exception as error:  # protobuf has its own kinds
        raise ValueError(f"expected an ONNX model, got another kind of file, or a part of one ({error}).") from None
    return _model(proto, path.parent.resolve(), input_shape)


def _model(proto: Any, folder: Path, input_shape: Shape | None) -> Model:
    graph, opsets = proto.graph, {each.domain.removeprefix("ai.onnx"): each.version for each in proto.opset_import}
    if not graph.node or "" not in opsets:
        raise ValueError("expected an ONNX model, got a file without a graph of ONNX's operators.")
    if proto.functions or graph.sparse_initializer:
        raise ValueError("functions of its own and sparse tensors are not supported; export it with functions inlined.")
    tensors = Tensors(folder)
    constants = {each.name: tensors.read(each, each.name) for each in graph.initializer}
    inputs = [each for each in graph.input if each.name not in constants]
    for what, found in (("input", inputs), ("output", graph.output)):
        if len(found) != 1:
            names = listed([each.name for each in found]) or "none"
            raise ValueError(f"expected a graph with one {what}, got {len(found)}: {names}; export it with one.")
    needed, nodes = {graph.output[0].name}, list[Any]()
    for node in reversed(graph.node):
        if needed.intersection(node.output) - {""}:
            nodes.append(node)
            needed.update(node.input)
            if not all(isinstance(name, str) for name in (node.name, *node.input, *node.output)):
                raise ValueError("expected an ONNX model, got one with names that are no text.")
            for each in node.attribute:
                if each.HasField("g") or each.graphs or each.HasField("sparse_tensor") or each.ref_attr_name:
                    raise ValueError(f"{node.op_type} {node.name}: loops and branches are not supported.")
                if each.HasField("t"):
                    tensors.read(each.t, node.name)
    del graph.node[:]
    graph.node.extend(nodes[::-1])
    return Model(proto, constants, inputs[0].name, *_input(inputs[0], input_shape), graph.output[0].name, opsets[""])


def _input(value: Any, given: Shape | None) -> tuple[Shape, int | None, np.dtype]:
    """The shape of one input, for how many samples the file was written, and the dtype."""
    declared = value.type.tensor_type
    dims = [each.dim_value if each.HasField("dim_value") else None for each in declared.shape.dim]
    said = [each.dim_param or each.dim_value or "?" for each in declared.shape.dim]
    shape = None if given is None else sizes("from_onnx", "input_shape", given)
    if declared.elem_type not in FLOATS:
        raise ValueError(f"its input {value.name} is not float32 or float64; export the model in one of them.")
    if shape is None and (len(dims) < 2 or None in dims[1:]):
        raise ValueError(f"its input {value.name} has the shape {said}; give input_shape, without the batch axis.")
    fits = len(dims) in (0, 1 + len(shape or dims[1:])) and all(
        d in (None, n) for d, n in zip(dims[1:], shape or dims[1:], strict=False)
    )
    if not fits:
        raise ValueError(f"its input {value.name} has the shape {said}, got input_shape={given}.")
    shape = shape or sizes("from_onnx", "the input's shape", tuple(dims[1:]))
    return shape, (dims or [None])[0], FLOATS[declared.elem_type]


class Tensors:
    """Reads the tensors of a model from `folder`, all within the budget together."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._held = folder, 0

    def read(self, tensor: Any, name: str) -> np.ndarray:
        """The numbers of a tensor; those in another file are put into it."""
        onnx, shape = import_onnx(), tuple(tensor.dims)
        kind = {number: name for name, number in onnx.TensorProto.DataType.items()}.get(tensor.data_type)
        if kind not in KINDS or min(shape, default=0) < 0:
            raise ValueError(f"tensor {name} is {kind} {shape}, which is not supported; convert the model to float32.")
        itemsize = onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize
        size = prod(shape) * itemsize
        self._held += size
        claim(self._held, "What its tensors declare")
        if tensor.data_location == tensor.EXTERNAL:
            self._put_inside(tensor, name, size)
        typed = getattr(tensor, onnx.helper.tensor_dtype_to_field(tensor.data_type))
        held = len(tensor.raw_data) if tensor.HasField("raw_data") else len(typed) * itemsize
        if held != size:
            raise ValueError(f"tensor {name} declares the shape {shape}, {size} bytes, and holds {held} bytes.")
        return onnx.numpy_helper.to_array(tensor)

    def _put_inside(self, tensor: Any, name: str, size: int) -> None:
        said = {each.key: each.value for each in tensor.external_data}
        place = (self._folder / said.get("location", "").replace("\0", "")).resolve()
        if not place.is_relative_to(self._folder):
            raise ValueError(
                f"tensor {name} lies outside of the file's folder, in {said['location']!r}; that is refused."
            )
        place = regular(place, "numbers of the model")
        where = [said.get("offset", "0"), said.get("length", str(size))]
        offset, length = (int(each) if each.isascii() and each.isdigit() and len(each) < 19 else -1 for each in where)
        if length != size or not 0 <= offset <= place.stat().st_size - length:
            raise ValueError(f"tensor {name} needs {size} bytes, and {place.name} has none at {where}.")
        with place.open("rb") as file:
            file.seek(offset)
            tensor.raw_data = file.read(length)
        tensor.data_location = tensor.DEFAULT
        del tensor.external_data[:]


def about(path: Any, error: Exception) -> Exception:
    """The same error, about this file, in one line that can be printed."""
    return (TooLarge if isinstance(error, TooLarge) else ValueError)(plain(f"{path}: {error}".replace("\n", " ")))
