"""Networks from ONNX files and to them: the same layers, the same numbers.

from_onnx   the graph in a file becomes a Network
to_onnx     a Network becomes a file

onnx_file.py reads a file under checks, onnx_graph.py finds the layers and their wires, onnx_operators.py says what
corresponds to what, onnx_layers.py is the way back. onnx is imported only when one of these functions is called:
`pip install onnx`. No runtime is needed.
"""

import importlib
import os
import warnings
from contextlib import suppress
from typing import Any

import numpy as np

from .. import disk
from ..decision_based.method import takes_network
from ..layers.arguments import Shape, sizes
from ..network import Network
from . import onnx_file
from .row import check_alike


def from_onnx(path: str | os.PathLike, input_shape: Shape | None = None) -> Network:
    """The network that the graph in an ONNX file computes, operator by operator.

    Afterwards both compute one random input: the network, and the file by onnx's own reference evaluator, or where that
    cannot, by ONNX Runtime, where that is installed. They may differ by 1e-4 of the largest output in float32, by 1e-10
    in float64. Where neither can, a warning says so.

    Parameters
    ----------
    path
        The file. It has one input, float32 or float64, and one output, and is a graph of operators of image networks
        and perceptrons, as both exporters of PyTorch write them. Numbers in other files (external data) must lie in its
        folder. Nothing in it is executed.
    input_shape
        The shape of one input without the batch axis; needed where the file leaves it open.

    Returns
    -------
    A `Network` in the dtype of the input, its layers called as the nodes. An activation function that is written as
    arithmetic, such as x · σ(x), becomes its layer; numbers that are added to or multiply what a layer with weights
    gives go into that layer. `info["onnx"]` says what is behind each layer. A file that was written for a fixed number
    of samples gives a network for any number.

    Raises
    ------
    ImportError
        onnx is not installed.
    FileNotFoundError
        There is no such file, or no such file of external data.
    ValueError
        It is no ONNX file, or needs more memory than NNLITE_MEMORY allows (`TooLarge`); an operator has no counterpart,
        the message names its node and lists what is supported; or the network computes something else than the file.

    Source: ONNX's documentation of its operators.
    """
    from .onnx_graph import Graph
    from .onnx_operators import OPERATORS

    try:
        model = onnx_file.read(path, input_shape)
        network = Graph(model, OPERATORS).network()
        network.check_room(shape := (model.batch or 2, *model.shape))
        x = np.random.default_rng(0).standard_normal(shape).astype(model.dtype)
        theirs = _evaluated(model.proto, {model.input: x})
        if theirs is None:
            warnings.warn(
                "from_onnx: nothing here can compute the file, so its numbers were not compared.", stacklevel=2
            )
        else:
            check_alike(network, x, theirs, "from_onnx", "file", "an operator does something that was not seen")
    except ValueError as error:
        raise onnx_file.about(path, error) from None
    return network


def _evaluated(proto: Any, feeds: dict[str, np.ndarray]) -> np.ndarray | None:
    """What the file computes; None where nothing that is installed can."""
    with suppress(Exception), np.errstate(all="ignore"):  # an operator that the reference has not, or not whole
        return onnx_file.import_onnx(".reference").ReferenceEvaluator(proto).run(None, feeds)[0]
    with suppress(Exception):  # it is not installed, or computes in float32 alone
        make = importlib.import_module("onnxruntime").InferenceSession
        return make(proto.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, feeds)[0]
    return None


@takes_network
def to_onnx(network: Network, path: str | os.PathLike, input_shape: Shape | None = None) -> None:
    """Write the network as an ONNX model (opset 22), its layers under their names.

    Parameters
    ----------
    network
        Any network of the library's own layers, float32 or float64. A Dropout2d is written as a Dropout. Options such
        as a slope are float32 in an ONNX file, whatever the weights are.
    path
        The file, which is written whole or not at all.
    input_shape
        The shape of one input without the batch axis; that of the network unless given.

    Raises
    ------
    ImportError
        onnx is not installed.
    ValueError
        No input_shape is known, a layer is not of the library's own, or the model is above 2 GB, which is the most that
        an ONNX file holds.
    OSError
        The file cannot be written.

    Source: as `from_onnx`; the scores are compared with those of ONNX Runtime, to 1e-5 in float32.
    """
    from . import onnx_layers

    disk.check_place(path)
    shape = network.input_shape if input_shape is None else input_shape
    if shape is None:
        raise ValueError("to_onnx needs the shape of one input; give input_shape.")
    model = onnx_layers.model(network, sizes("to_onnx", "input_shape", shape))
    if model.ByteSize() >= 2**31:
        raise ValueError("to_onnx: the model is above 2 GB, and an ONNX file holds no more.")
    disk.write_bytes(path, model.SerializeToString())
