"""Networks to and from PyTorch: the same layers, the same numbers.

from_torch   an nn.Module whose forward is a chain of layers becomes a Network
to_torch     a Network becomes an nn.Sequential
load_torch   the weights in a .pt file, put into a module, become a Network

torch_chain.py finds the chain, torch_layers.py holds what corresponds to what. PyTorch is imported only when one of
these functions is called: `pip install torch==2.13.0`.
"""

import copy
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

from ..layers.arguments import Shape
from ..network import Network
from . import torch_chain, torch_layers


def from_torch(module: Any, input_shape: Shape | None = None) -> Network:
    """The network that `module.eval()` computes, layer by layer.

    Parameters
    ----------
    module
        An nn.Sequential, nested ones too, or any nn.Module whose forward is a chain of the supported layers; torch.fx
        traces it. It may be in training mode: what is converted is what it computes in evaluation mode. The module is
        left as it was.
    input_shape
        The shape of one input without the batch axis. Needed for an AdaptiveAvgPool2d to more than one pixel; with
        it the layers are checked against each other at once.

    Returns
    -------
    A `Network` in the dtype of the module. `info["torch"]` names the module behind each layer. A Dropout2d becomes a
    Dropout: on the plain network both do nothing, but a draw masks single numbers, not channels.

    Raises
    ------
    ImportError
        PyTorch is not installed.
    TypeError
        `module` is not an nn.Module.
    ValueError
        An operation has no counterpart, or the forward is no chain (a residual connection, a branch); the message
        names it and lists what is supported.

    Source: PyTorch's documentation of torch.nn; the correspondence is tested to 1e-10 in float64.
    """
    torch = torch_layers.import_torch()
    if not isinstance(module, torch.nn.Module):
        advice = "; call it first" if callable(module) else ""
        raise TypeError(f"from_torch takes an nn.Module, and {type(module).__name__} came{advice}.")
    layers, origins = torch_chain.layers_of(module, input_shape)
    network = Network(layers, input_shape=input_shape)
    return Network(layers, input_shape=input_shape, info={"torch": dict(zip(network.names, origins, strict=True))})


def to_torch(network: Network) -> Any:
    """The network as an nn.Sequential in evaluation mode, its layers under their names.

    Parameters
    ----------
    network
        Any network but a draw of a Dropout (PyTorch has no layer for a fixed mask).

    Returns
    -------
    nn.Sequential in the dtype of the network. Its parameters are copies.

    Raises
    ------
    ImportError
        PyTorch is not installed.
    ValueError
        A layer has no counterpart, or a BatchNorm stands where the number of axes is not known.

    Source: as `from_torch`.
    """
    torch_layers.import_torch()
    return torch_layers.sequential(network)


def load_torch(path: str | os.PathLike, module: Any, input_shape: Shape | None = None) -> Network:
    """The network of `module` with the weights in a .pt file.

    The file is read with weights_only=True: tensors and plain containers, never code.

    Parameters
    ----------
    path
        What `torch.save(module.state_dict(), path)` wrote; a dictionary with such a one under "state_dict" or
        "model_state_dict" will do.
    module
        The nn.Module that the weights belong to (it stays as it is), or a function that makes it.
    input_shape
        As in `from_torch`.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file holds more than weights or is damaged, its weights do not fit the module, or the module is not a
        chain of supported layers.

    Source: PyTorch's documentation of torch.load.
    """
    torch = torch_layers.import_torch()
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    if isinstance(module, torch.nn.Module):
        module = copy.deepcopy(module)
    elif callable(module):
        module = module()
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"load_torch takes an nn.Module or a function that makes one; {type(module).__name__} came.")
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
    except (RuntimeError, EOFError, OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: expected a .pt file of weights; {_line(error)}") from None
    for key in ("state_dict", "model_state_dict"):
        if isinstance(weights, dict) and isinstance(weights.get(key), dict):
            weights = weights[key]
    if not isinstance(weights, dict) or not all(isinstance(value, torch.Tensor) for value in weights.values()):
        raise ValueError(
            f"{path}: expected a dictionary of tensors; write it with torch.save(module.state_dict(), path)."
        )
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f"{path}: the weights do not fit the module; {_line(error)}") from None
    return from_torch(module, input_shape)


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
