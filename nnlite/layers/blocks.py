"""Blocks: what expands into several layers and their wires when a network is made.

    Residual(path, shortcut)    shortcut(x) + path(x)
    Branches(paths, join)       join(path_1(x), path_2(x), ...)

A network stays one flat row. Each block gives its layers a path as their name: "block1.conv2", "block1.add".
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .joins import Add
from .layer import Layer

SHORT = {
    "Conv2d": "conv", "ConvTranspose2d": "convtranspose", "MaxPool2d": "pool", "AvgPool2d": "pool",
    "AdaptiveAvgPool2d": "pool", "Dropout2d": "dropout", "ReLU6": "relu6_", "Residual": "block",
    "TransformerBlock": "block", "SelfAttention": "attention",
}  # fmt: skip
"""What kinds are called in names, where that is not the kind itself."""


class Row:
    """Layers in a flat row while it is laid: with the default name of each, and the activations that it reads.

    Activation 0 is the input, l + 1 what layer l gives.
    """

    def __init__(self, items: Iterable[Any]) -> None:
        self.layers: list[Layer] = []
        self.names: list[str] = []
        self.wires: list[tuple[int, ...]] = []
        self._counts: dict[str, Counter[str]] = {}
        try:
            self.lay(items, 0)
        except RecursionError:
            raise ValueError("Blocks stand in blocks too deep, or one within itself; nest them less.") from None

    def lay(self, items: Iterable[Any], entry: int, within: str = "") -> int:
        """Layers, networks and blocks one after the other, the first reading activation `entry`: what they end in.

        `within` is the path of the block that they stand in, with its dot.
        """
        if not isinstance(items, Iterable):
            where = within[:-1] or "Network"
            raise TypeError(f"{where}: expected a sequence of layers, blocks and networks, got {items!r}.")
        for item in items:
            if isinstance(item, Layer):
                entry = self.add(item, (entry,) if item.reads != 0 else (), self.name(item, within))
            elif isinstance(item, Block):
                entry = item.lay(self, entry, f"{self.name(item, within)}.")
            elif hasattr(item, "layers") and hasattr(item, "wires"):  # a Network, which is taken apart
                place = [entry]
                for layer, wires in zip(item.layers, item.wires, strict=True):
                    place.append(self.add(layer, tuple(place[i] for i in wires), self.name(layer, within)))
                entry = place[-1]
            else:
                raise _stranger(item)
        return entry

    def add(self, layer: Layer, reads: tuple[int, ...], name: str) -> int:
        """One layer more; the activation that it gives."""
        if not isinstance(layer, Layer):
            raise _stranger(layer)
        self.layers.append(layer)
        self.names.append(name)
        self.wires.append(reads)
        return len(self.layers)

    def name(self, item: Any, within: str) -> str:
        """Kind and number: conv1, relu1, conv2, ..., counted in each block separately."""
        kind = SHORT.get(type(item).__name__, type(item).__name__.lower())
        counts = self._counts.setdefault(within, Counter())
        counts[kind] += 1
        return f"{within}{kind}{counts[kind]}"


def _stranger(item: Any) -> TypeError:
    return TypeError(f"A network consists of nnlite.layers, blocks and networks, got {item!r}.")


class Block:
    """What expands into several layers: `lay` puts them into a row."""

    def lay(self, row: Row, entry: int, within: str) -> int:
        """Lay the layers, which read activation `entry`, under the path `within`; the activation that they end in."""
        raise NotImplementedError


@dataclass(frozen=True)
class Residual(Block):
    """shortcut(x) + path(x); without a shortcut x + path(x).

    Parameters
    ----------
    path, shortcut
        Layers, networks and blocks, one after the other.

    Source: He et al. 2016, "Deep residual learning for image recognition", fig. 2.

    >>> import numpy as np
    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, ReLU
    >>> network = Network([Residual([Dense(np.eye(2)), ReLU()])])
    >>> network.names, network(np.array([[2.0, -1.0]]))
    (('block1.dense1', 'block1.relu1', 'block1.add'), array([[ 4., -1.]]))
    """

    path: Sequence[Any]
    shortcut: Sequence[Any] = ()

    def lay(self, row: Row, entry: int, within: str) -> int:
        path = row.lay(self.path, entry, within)
        return row.add(Add(), (row.lay(self.shortcut, entry, within), path), f"{within}add")


@dataclass(frozen=True)
class Branches(Block):
    """join(path_1(x), path_2(x), ...): paths that read the same activation and meet in a join.

    Parameters
    ----------
    paths
        Each a sequence of layers, networks and blocks; an empty one is x itself.
    join
        Add(), Concat(), Multiply(), or a join of your own.

    >>> import numpy as np
    >>> from nnlite import Network
    >>> from nnlite.layers import Concat, Dense, ReLU
    >>> Network([Branches([[Dense(np.eye(2)), ReLU()], []], Concat())])(np.array([[2.0, -1.0]]))
    array([[ 2.,  0.,  2., -1.]])
    """

    paths: Sequence[Sequence[Any]]
    join: Layer

    def lay(self, row: Row, entry: int, within: str) -> int:
        ends = tuple([row.lay(path, entry, within) for path in self.paths])
        return row.add(self.join, ends, f"{within}{type(self.join).__name__.lower()}")
