"""Networks in files: one .npz with the architecture as JSON, the arrays, a version and a checksum."""

import os
from typing import Any

import numpy as np

from . import architecture, storage, wiring
from .network import Network


def save(network: Network, path: str | os.PathLike, *, half: bool = False) -> None:
    """Write a network to one .npz.

    With `half` the arrays are rounded to float16 in the file, for half its size; `load` gives them in float32.

    Raises ValueError: with half: a weight is too large for float16.
    """
    header, arrays = description(network)
    if half:
        with np.errstate(over="ignore"):
            arrays = {name: value.astype(np.float16) for name, value in arrays.items()}
        large = [name for name, value in arrays.items() if not np.isfinite(value).all()]
        if large:
            raise ValueError(f"{path}: {', '.join(large)} hold numbers that float16 cannot; save with half=False.")
    storage.write(path, "network", header, arrays)


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
        return from_description(header, {name: _single(value) for name, value in arrays.items()})
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def description(network: Network) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """What a file holds: the architecture (JSON-able), and the arrays by layer.name."""
    header, arrays = architecture.describe(network.names, network.layers)
    described = {"layers": header, "input_shape": network.input_shape, "info": network.info}
    wires = wiring.names_of(network.wires, network.names)
    return described | ({"wires": wires} if wires else {}), arrays


def from_description(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Network:
    """The network that `description` described; ValueError where it does not make sense."""
    try:
        names = [entry["name"] for entry in header["layers"]]
        shape = header["input_shape"]
        layers = architecture.rebuild(header["layers"], arrays)
        return Network(layers, names, None if shape is None else tuple(shape), header["info"], header.get("wires"))
    except (KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"the architecture is not one that nnlite wrote ({type(error).__name__}: {error})") from None


def _single(value: np.ndarray) -> np.ndarray:
    """An array kept in float16 as float32."""
    return value.astype(np.float32) if value.dtype == np.float16 else value
