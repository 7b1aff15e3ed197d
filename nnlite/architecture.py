"""A row of layers in words: as JSON for a file, and back; as a table; and the names that layers get by default."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from .layers import KINDS, Layer
from .layers.arguments import Shape, frozen
from .printed import columns


def describe(names: Sequence[str], layers: Sequence[Layer]) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """What a file holds: kind and options of each layer (JSON-able), and the arrays by layer.name."""
    entries = [
        {"name": name, "kind": type(layer).__name__, "options": layer.options, "arrays": sorted(layer.arrays)}
        for name, layer in zip(names, layers, strict=True)
    ]
    arrays = {
        f"{name}.{key}": value for name, layer in zip(names, layers, strict=True) for key, value in layer.arrays.items()
    }
    return entries, arrays


def rebuild(entries: Iterable[Mapping[str, Any]], arrays: Mapping[str, np.ndarray]) -> list[Layer]:
    """The layers that `describe` described. Only the kinds in nnlite.layers.KINDS can come out.

    Raises
    ------
    ValueError, KeyError, TypeError
        The description does not make sense.
    """
    return [_layer(entry, arrays) for entry in entries]


def _layer(entry: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Layer:
    if entry["kind"] not in KINDS:
        raise ValueError(f"layer {entry['name']!r} is of the kind {entry['kind']!r}; the kinds are {', '.join(KINDS)}.")
    own = {key: frozen(arrays[f"{entry['name']}.{key}"]) for key in entry["arrays"]}
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in entry["options"].items()}
    return KINDS[entry["kind"]](**own, **options)


def table(names: Sequence[str], layers: Sequence[Layer], shapes: Sequence[Shape | None]) -> str:
    """Name, layer, shape of the output and number of parameters, line by line, with their total."""
    rows = [("name", "layer", "output", "parameters")]
    for name, layer, shape in zip(names, layers, shapes, strict=True):
        output = "?" if shape is None else " × ".join(map(str, shape[1:]))
        rows.append((name, repr(layer), output, f"{_count(layer):,}"))
    rows.append(("", "", "", f"{sum(map(_count, layers)):,}"))
    return columns(rows, left=(0, 1))


def default_names(layers: Iterable[Layer]) -> tuple[str, ...]:
    """conv1, relu1, pool1, conv2, ...: kind and number."""
    short = {
        "Conv2d": "conv", "ConvTranspose2d": "convtranspose", "MaxPool2d": "pool", "AvgPool2d": "pool",
        "Dropout2d": "dropout",
    }  # fmt: skip
    counts: Counter[str] = Counter()
    names = []
    for layer in layers:
        kind = short.get(type(layer).__name__, type(layer).__name__.lower())
        counts[kind] += 1
        names.append(f"{kind}{counts[kind]}")
    return tuple(names)


def _count(layer: Layer) -> int:
    return sum(prod(value.shape) for value in layer.parameters.values())


def check_names(names: Sequence[str], layers: int) -> None:
    """ValueError unless there is a different name for each layer, and one that can be printed."""
    if len(names) != layers or len(set(names)) != len(names):
        raise ValueError(f"expected {layers} different names, one for each layer, got {names}.")
    for name in names:
        if not isinstance(name, str) or not 0 < len(name) < 256 or not name.isprintable():
            raise ValueError(f"Expected names of 1 to 255 characters that can be printed, got {name!r}; rename it.")
