"""Networks to and from PyTorch: the same layers, the same numbers.

from_torch   an nn.Module whose forward is a graph of layers becomes a Network
to_torch     a Network becomes an nn.Sequential, or a module with the same wires
load_torch   the weights in a .pt file, put into a module, become a Network

torch_trace.py and torch_graph.py find the layers and their wires; torch_layers.py, torch_shapes.py, torch_functions.py
and torch_attention.py hold what corresponds to what, torch_modules.py is the way back. PyTorch is imported only when
one of these functions is called: `pip install torch==2.13.0`.
"""

import copy
import os
import pickle
import warnings
import zipfile
from typing import Any

import numpy as np

from ..decision_based.method import takes_network
from ..disk import as_path
from ..layers.arguments import Shape
from ..network import Network
from . import torch_graph, torch_modules, torch_shapes, torch_trace
from .row import check_alike


def from_torch(module: Any, input_shape: Shape | None = None) -> Network:
    """The network that `module.eval()` computes, layer by layer.

    module: an nn.Sequential, nested ones too, or any nn.Module whose forward is a graph of the supported layers: a
        chain, or with branches that are added, multiplied and concatenated. torch.fx traces it, with its hooks, and
        with every argument after the first at its default. A module that is called several times becomes as many
        layers. nn.MultiheadAttention (of one activation) and nn.TransformerEncoder become the blocks of nnlite.layers,
        without the fused path that PyTorch may take in inference. What torch.compile or DataParallel made is unwrapped,
        with a warning that says so. It may be in training mode: what is converted is what it computes in evaluation
        mode. The module is left as it was.
    input_shape: the shape of one input without the batch axis. Needed where the forward asks for sizes, cuts into
        chunks, or adds a parameter. With it the layers are checked against each other, and the network against the
        module on one random input (of tokens where an Embedding is first): they may differ by 1e-4 of the largest
        output in float32, by 1e-10 in float64.

    Returns a `Network` in the dtype of the module. Its names are the paths of the submodules, such as "layer1.0.conv1";
    a function is called by its kind beside them, "layer1.0.add". `info["torch"]` says what is behind each layer.
    Raises ImportError: PyTorch is not installed; TypeError: `module` is not an nn.Module; ValueError: an operation has
    no counterpart, the forward has several inputs or outputs, or a layer reads what was changed in place; the message
    names it and lists what is supported. Or the network computes something else than the module on the random input, or
    the module is on the meta device.
    Source: PyTorch's documentation of torch.nn; the correspondence is tested to 1e-10 in float64.
    """
    return _converted(module, input_shape)


def _converted(module: Any, input_shape: Shape | None) -> Network:
    """`from_torch`; whatever called the function that calls this one is warned."""
    torch = torch_shapes.import_torch()
    if not isinstance(module, torch.nn.Module):
        advice = "; call it first" if callable(module) else ""
        raise TypeError(f"from_torch expected an nn.Module, got {type(module).__name__}{advice}.")
    while type(module).__name__ in WRAPPERS:
        inside = WRAPPERS[type(module).__name__]
        warnings.warn(f"from_torch converts module.{inside} of a {type(module).__name__}.", stacklevel=3)
        module = getattr(module, inside)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.is_meta:
            raise ValueError(f"from_torch: {name} is on the meta device and has no values; load the weights first.")
    row = torch_graph.row_of(module, input_shape)
    dtypes = {tensor.dtype for tensor in module.state_dict().values() if tensor.is_floating_point()} or {torch.float32}
    if len(dtypes) == 1:  # numbers in the forward, and what a norm without parameters was filled with, may have another
        dtype = torch.zeros(0, dtype=dtypes.pop()).numpy().dtype
        row.layers = [layer if layer.dtype in (None, dtype) else layer.astype(dtype) for layer in row.layers]
    info = {"torch": dict(zip(row.names, row.origins, strict=True))}
    network = Network(row.layers, row.names, input_shape, info, tuple(row.wires))
    if network.input_shape is not None:
        _compare(module, network)
    return network


WRAPPERS = {"OptimizedModule": "_orig_mod", "DataParallel": "module", "DistributedDataParallel": "module"}
"""The modules around a module, by the name of their class, and under which name they hold it."""


def _compare(module: Any, network: Network) -> None:
    """ValueError unless both give the same output for one random input."""
    torch = torch_shapes.import_torch()
    shape, rng = (1, *(network.input_shape or ())), np.random.default_rng(0)
    E = getattr(network[0], "E", None)
    x = rng.standard_normal(shape).astype(network.dtype) if E is None else rng.integers(0, len(E), shape)
    device = next((tensor.device for tensor in module.state_dict().values()), "cpu")
    with torch_trace.evaluating(module), torch.no_grad():
        theirs = module(torch.from_numpy(x).to(device)).cpu().numpy()
    check_alike(network, x, theirs, "from_torch", "module", "its forward does something that torch.fx does not see")


@takes_network
def to_torch(network: Network) -> Any:
    """The network as a module in evaluation mode, its layers under their names.

    network: any network but a draw of a Dropout (PyTorch has no layer for a fixed mask).

    Returns an nn.Sequential in the dtype of the network; where the network branches, a module that knows the wires. Its
    parameters are copies. In the names a dot becomes _, and one that nn.Module needs itself, such as forward, gets a _
    at its end.
    Raises ImportError: PyTorch is not installed; ValueError: a layer has no counterpart, or a BatchNorm stands where
    the number of axes is not known.
    Source: as `from_torch`.
    """
    return torch_modules.module(network)


def load_torch(path: str | os.PathLike, module: Any, input_shape: Shape | None = None) -> Network:
    """The network of `module` with the weights in a .pt file.

    The file is read with weights_only=True: tensors and plain containers, never code.

    path: what `torch.save(module.state_dict(), path)` wrote; a dictionary with such a one under "state_dict" or
        "model_state_dict" will do.
    module: the nn.Module that the weights belong to (it stays as it is), or a function that makes it.
    input_shape: as in `from_torch`.

    Raises FileNotFoundError: there is no such file; ValueError: the file holds more than weights or is damaged, its
    weights do not fit the module, or the module is not a graph of supported layers.
    Source: PyTorch's documentation of torch.load.
    """
    torch = torch_shapes.import_torch()
    if not as_path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    if isinstance(module, torch.nn.Module):
        module = copy.deepcopy(module)
    elif callable(module):
        module = module()
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"load_torch expected an nn.Module or a function that makes one, got {type(module).__name__}.")
    try:
        if zipfile.is_zipfile(path):  # torch.load does not look at the checksums
            with zipfile.ZipFile(path) as parts:
                if (damaged := parts.testzip()) is not None:
                    raise zipfile.BadZipFile(f"{damaged} is damaged")
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(
            f"{path}: this file holds more than weights (a whole module, perhaps), or is no .pt file; it was not "
            "executed. Write weights only: torch.save(module.state_dict(), path)."
        ) from None
    except Exception as error:  # torch, zipfile and pickle raise a dozen kinds for bytes that make no sense
        raise ValueError(f"{path}: expected a .pt file of weights; {_line(error)}") from None
    for key in ("state_dict", "model_state_dict"):
        if isinstance(weights, dict) and isinstance(weights.get(key), dict):
            weights = weights[key]
    named = isinstance(weights, dict) and all(isinstance(name, str) for name in weights)
    if not named or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise ValueError(
            f"{path}: expected a dictionary of tensors; write it with torch.save(module.state_dict(), path)."
        )
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path}: the weights do not fit the module; {_line(error)}") from None
    return _converted(module, input_shape)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
