"""Networks made of a network: without its Softmax, merged, drawn, in another dtype, with other parameters, a part.

Each is a new network; a compiled one gives compiled ones. `Network` has them as methods.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy, deepcopy
from dataclasses import replace
from itertools import count, islice
from typing import TYPE_CHECKING, Any

import numpy as np

from . import wiring
from .layers import BatchNorm, Constant, Dropout, Identity, Layer, Softmax
from .layers.arguments import Shape, float_dtype, generator
from .printed import listed

if TYPE_CHECKING:
    from .network import Network


def part(network: Network, which: slice) -> Network:
    """The layers of a slice as a network: neighbours, with their names.

    Raises ValueError: the slice leaves layers out, or cuts more than one wire.
    """
    start, stop, step = which.indices(len(network))
    if step != 1:
        raise ValueError("A slice of a network takes neighbouring layers: network[start:stop].")
    for cut in (start, max(start, stop)):
        crossing = wiring.crossing(network.wires, cut)
        if any(i != cut for i, _ in crossing):
            places = ("input", *network.names)
            raise ValueError(
                f"A slice is cut where one wire crosses, and before {network.names[cut]} there are "
                f"{listed([f'{places[i]} -> {network.names[l]}' for i, l in crossing])}; cut elsewhere, or take "
                f"up_to(name)."
            )
    return _of(network, range(start, stop), start)


def up_to(network: Network, name: str) -> Network:
    """The layers that the layer of this name depends on, and itself, with their names."""
    top = network.index(name)
    needed = {top + 1}  # activations
    for l in reversed(range(top + 1)):
        if l + 1 in needed:
            needed.update(network.wires[l])
    if 0 not in needed:
        raise ValueError(f"Layer {name} is made of a Constant alone: nothing there depends on the input.")
    return _of(network, [l for l in range(top + 1) if l + 1 in needed], 0)


def above(network: Network, at: int, a: Sequence[np.ndarray]) -> Network:
    """The layers above activation `at`, as a network that reads it.

    Where more than one wire crosses, what else they read is held at its value in a: each a `Constant` of this batch.
    """
    held = sorted({i for i, _ in wiring.crossing(network.wires, at)} - {at})
    if not held:
        return network[at:]
    kept, names = range(at, len(network)), network.names[at:]
    free = (name for n in count(1) if (name := f"held{n}") not in names)
    new = {at: 0, **{i: n for n, i in enumerate(held, 1)}, **{l + 1: n for n, l in enumerate(kept, len(held) + 1)}}
    layers = [*(Constant(a[i]) for i in held), *network.layers[at:]]
    names = (*islice(free, len(held)), *names)
    wires = ((),) * len(held) + tuple(tuple(new[i] for i in network.wires[l]) for l in kept)
    return _as_prepared(network, type(network)(layers, names, None, network.info, wires))


def _of(network: Network, kept: Sequence[int], start: int) -> Network:
    """Some layers of a network, activation `start` being their input."""
    places = {start: 0, **{l + 1: new for new, l in enumerate(kept, 1)}}
    layers, names = [network.layers[l] for l in kept], [network.names[l] for l in kept]
    wires = tuple(tuple(places[i] for i in network.wires[l]) for l in kept)
    shape = network.input_shape if start == 0 else None
    return _as_prepared(network, type(network)(layers, names, shape, network.info, wires))


def to_scores(network: Network) -> Network:
    """The network without the Softmax or LogSoftmax at its end, or the Sigmoid after its one output."""
    last = network.layers[-1] if network.layers else None
    ends = network.is_binary or (isinstance(last, Softmax) and last.axis in (1, -1))
    return network[:-1] if ends else network


def merged(network: Network) -> Network:
    """The network with every BatchNorm folded into the linear layer directly before it.

    Linear are Dense, Conv2d and ConvTranspose2d; of several BatchNorms in a row all are folded. An Identity stands in
    place of each, so that all layers keep their positions and names.
    """
    layers, readers = list(network.layers), wiring.readers(network.wires)
    into: dict[int, int] = {}  # activation -> the layer with weights that a BatchNorm on it can be folded into
    for i, layer in enumerate(network.layers):
        if layer.weighted:
            into[i + 1] = i
        elif isinstance(layer, BatchNorm) and network.wires[i][0] in into and len(readers[network.wires[i][0]]) == 1:
            into[i + 1] = below = into[network.wires[i][0]]
            layers[below], layers[i] = layer.merge(layers[below]), Identity()
    return network if tuple(layers) == network.layers else with_layers(network, layers)


def sample(network: Network, rng: np.random.Generator | int, shape: Shape) -> Network:
    """A draw: the network with a fixed mask in place of every Dropout.

    Parameters
    ----------
    network
        Any network.
    rng
        A Generator or a seed.
    shape
        The shape of the input. With its batch axis (N, ...) each sample gets its own masks; without (as
        `input_shape`), or with N = 1, one draw serves every sample.
    """
    rng = generator("sample", "rng", rng)
    if not any(isinstance(layer, Dropout) for layer in network):
        return network
    shapes = network.shapes((1, *shape) if tuple(shape) == network.input_shape else shape)
    layers = [
        layer.draw(rng, shapes[wires[0]], network.dtype) if isinstance(layer, Dropout) else layer
        for layer, wires in zip(network, network.wires, strict=True)
    ]
    return _with_values(network, layers)


def astype(network: Network, dtype: Any) -> Network:
    """The network in float32 or float64."""
    float_dtype(dtype, "astype")
    return with_layers(network, [layer.astype(dtype) for layer in network])


def with_parameters(network: Network, parameters: Mapping[str, np.ndarray]) -> Network:
    """The network with other values for some of its `parameters`, by the same names.

    Raises ValueError: there is no such parameter, or it has another shape.
    """
    present = network.parameters
    unknown = set(parameters) - set(present)
    if unknown:
        raise ValueError(f"There are no parameters {sorted(unknown)}; the parameters are {list(present)}.")
    for name, value in parameters.items():
        if np.shape(value) != present[name].shape:
            raise ValueError(f"{name}: expected the shape {present[name].shape}, got {np.shape(value)}.")
    layers = []
    for name, layer in zip(network.names, network, strict=True):
        own = {key: parameters[f"{name}.{key}"] for key in layer.parameters if f"{name}.{key}" in parameters}
        layers.append(replace(layer, **own) if own else layer)
    alike = all(getattr(value, "dtype", None) == present[name].dtype for name, value in parameters.items())
    return _with_values(network, layers) if alike else with_layers(network, layers)


def exchanged(network: Network, layers: Mapping[int, Layer]) -> Network:
    """The network with other layers at some positions, which turn the same shapes into the same shapes."""
    return _with_values(network, [layers.get(l, layer) for l, layer in enumerate(network)]) if layers else network


def with_layers(network: Network, layers: Iterable[Layer]) -> Network:
    """The network with other layers in the same places: its names, wires, input_shape and info."""
    return _as_prepared(network, type(network)(layers, network.names, network.input_shape, network.info, network.wires))


def _with_values(network: Network, layers: Iterable[Layer]) -> Network:
    """A network that differs in the values of arrays alone: its names and shapes need no other check."""
    other = copy(network)
    kept = {name: network.__dict__[name] for name in ("names", "wires", "input_shape")}
    other.__dict__ = {**kept, "info": deepcopy(network.info), "layers": tuple(layers)}
    return other if network.program is None else network.program.like(other)


def _as_prepared(network: Network, other: Network) -> Network:
    return other if network.program is None else other.compile()
