"""A row of layers in words: as JSON for a file, and back; as a table; and the names that layers get by default."""

import json
from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from . import wiring
from .layers import KINDS, Layer
from .layers.arguments import Shape, frozen
from .printed import columns

if TYPE_CHECKING:
    from .network import Network


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

    Raises ValueError, KeyError or TypeError: the description does not make sense.
    """
    return [_layer(entry, arrays) for entry in entries]


def _layer(entry: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> Layer:
    if entry["kind"] not in KINDS:
        raise ValueError(f"layer {entry['name']!r} is of the kind {entry['kind']!r}; the kinds are {', '.join(KINDS)}.")
    own = {key: frozen(arrays[f"{entry['name']}.{key}"]) for key in entry["arrays"]}
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in entry["options"].items()}
    return KINDS[entry["kind"]](**own, **options)


def summary(network: "Network", input_shape: Shape | None) -> str:
    """Name, layer, shape of the output and number of parameters, line by line, with their total."""
    shapes = [()] * len(network) if input_shape is None else network.shapes((network.batch, *input_shape))[1:]
    rows: list[tuple[str, ...]] = [("name", "layer", "output", "parameters")]
    for name, layer, shape in zip(network.names, network, shapes, strict=True):
        output = "?" if input_shape is None else " × ".join(map(str, shape[1:]))
        rows.append((name, repr(layer), output, f"{_count(layer):,}"))
    rows.append(("", "", "", f"{sum(map(_count, network)):,}"))
    wired = wiring.names_of(network.wires, network.names)
    if wired:  # a column that a row without branches does not need
        reads = ["reads", *(", ".join(wired.get(name, [])) for name in network.names), ""]
        rows = [(row[0], row[1], read, *row[2:]) for row, read in zip(rows, reads, strict=True)]
    text = columns(rows, left=(0, 1, 2) if wired else (0, 1))
    if network.is_binary:
        text += f"\nThe score is the logit z below {network.names[-1]}; the class is 1 where z > 0, else 0."
    return text


def plan(network: "Network", shape: Shape) -> str:
    """What runs each layer for inputs of this shape: see `Network.plan`."""
    shapes = network.shapes(shape)
    how = [("by itself",)] * len(network) if network.program is None else network.program.plan(shapes)
    wired = wiring.names_of(network.wires, network.names)
    reads = [(", ".join(wired.get(name, [])),) if wired else () for name in network.names]
    rows = [(name, repr(layer), *r, *h) for name, layer, r, h in zip(network.names, network, reads, how, strict=True)]
    return columns(rows, left=range(6))


def shapes(network: "Network", shape: Shape) -> list[Shape]:
    """The shapes of all activations for an input of this shape, batch axis included."""
    found: list[Shape] = [tuple(shape)]
    for name, layer, wires in zip(network.names, network.layers, network.wires, strict=True):
        try:
            found.append(layer.output_shape(wiring.read(layer, wires, found, found[0][0])))
        except ValueError as error:
            raise ValueError(f"layer {name}: {error}") from None
    return found


def draw(network: "Network") -> str:
    """The network as a flow chart in Mermaid's language: see `Network.draw`.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, Residual
    >>> print(draw(Network([Residual([Dense(np.eye(2))])])))
    flowchart TD
        0([input])
        1["block1.dense1"]
        2["block1.add"]
        0 --> 1
        0 --> 2
        1 --> 2
    """
    boxes = ["    0([input])", *(f'    {l}["{_quoted(name)}"]' for l, name in enumerate(network.names, 1))]
    arrows = [f"    {i} --> {l}" for l, each in enumerate(network.wires, 1) for i in each]
    return "\n".join(["flowchart TD", *boxes, *arrows])


def _quoted(name: str) -> str:
    """A name within quotation marks in Mermaid's language, in which #quot; is one."""
    return name.replace("#", "#35;").replace('"', "#quot;")


def _count(layer: Layer) -> int:
    return sum(prod(value.shape) for value in layer.parameters.values())


def check_names(names: Sequence[str], layers: int) -> None:
    """ValueError unless there is a different name for each layer, and one that can be printed."""
    if len(names) != layers or len(set(names)) != len(names):
        raise ValueError(f"expected {layers} different names, one for each layer, got {names}.")
    for name in names:
        if not isinstance(name, str) or not 0 < len(name) < 256 or not name.isprintable():
            raise ValueError(f"Expected names of 1 to 255 characters that can be printed, got {name!r}; rename it.")


def check_dtypes(layers: Iterable[Layer]) -> None:
    """ValueError unless all layers with arrays have one dtype."""
    found = sorted({str(layer.dtype) for layer in layers if layer.dtype is not None})
    if len(found) > 1:
        raise ValueError(f"expected layers of one dtype, got {found}; bring them to one with astype.")


def json_able(info: dict[str, Any]) -> dict[str, Any]:
    """A copy of `info` as JSON gives it back; an error where it cannot."""
    if not isinstance(info, dict):
        raise TypeError(f"info: expected a dict of what JSON can hold, got {info!r}.")
    try:
        return json.loads(json.dumps(info))
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"info: expected what JSON can hold (text, numbers, lists, dicts), got {info} ({error})."
        ) from None
