"""One small tree a step: evaluated here, evaluated again in the page, and printed as the formula.

A tree is nested lists, so that it goes into the page as it is:

    ["num", v, label]           a constant; its label is what the formula shows, such as γ
    ["sym", name, index]        an element of a recorded array: a_j, w_jk, R_k; without an index a single number
    ["add", x, y, ...]          ["sub", x, y]   ["mul", x, y, ...]   ["div", x, y]
    ["sum", "j", x]             Σ over the inputs j that feed k; with "k" over the outputs k that j feeds
    ["total", "k", x]           Σ over all outputs of the layer
    ["pos", x]  ["neg", x]      x⁺ = max(x, 0), x⁻ = min(x, 0)
    ["square", x]  ["root", x]  ["abs", x]
    ["stab", z, e]              z + e sgn z, with sgn 0 = +1
    ["share", x, y]             x / y; nothing (0) where y is zero, or so small that the quotient would overflow
    ["when", condition, x, y]   x where the condition holds, else y

with the conditions ["gt", x, y], ["ge", x, y], ["lt", x, y] and ["wins", name]: whether j holds the largest element of
the array in the window of k, the first in row-major order where several tie. page.js has the same table.
"""

from collections.abc import Callable, Iterator, Mapping
from math import isnan, sqrt
from typing import Any, Protocol

import numpy as np

from .geometry import Geometry

Tree = list[Any]
"""A formula: nested lists."""

Place = Mapping[str, int]
"""Where it is evaluated: j, k, and the place of w_jk among the weights, each counted in row-major order."""

MOST = np.finfo(np.float64).max * 2.0**-20
"""A share from here on is not distributed (`lrp.form` has the same margin)."""


class Layerful(Protocol):
    """What a tree is evaluated on: the recorded arrays by name, and who feeds whom."""

    @property
    def arrays(self) -> dict[str, np.ndarray]:
        """Every array by its name, such as a_j."""

    @property
    def geometry(self) -> Geometry:
        """The connections."""


# ------------------------------------------------------------------------------------------------- making trees


def num(value: float, label: str = "") -> Tree:
    """A constant."""
    return ["num", float(value), label]


def sym(name: str, index: str = "") -> Tree:
    """An element of a recorded array."""
    return ["sym", name, index]


def mul(*factors: Tree) -> Tree:
    """A product; factors of 1 go without saying.

    >>> mul(num(1), sym("s", "k"))
    ['sym', 's', 'k']
    """
    left = [factor for factor in factors if factor[:2] != ["num", 1.0]] or [num(1)]
    return left[0] if len(left) == 1 else ["mul", *left]


def add(*terms: Tree | None) -> Tree:
    """A sum of those terms that are there."""
    left = [term for term in terms if term is not None]
    return left[0] if len(left) == 1 else ["add", *left]


def array_name(symbol: Tree) -> str:
    """The name under which the array of a "sym" is recorded: as it is printed.

    >>> array_name(sym("w", "jk"))
    'w_jk'
    """
    return f"{symbol[1]}_{symbol[2]}" if symbol[2] else symbol[1]


def symbols(tree: Tree) -> Iterator[Tree]:
    """Every "sym" of a tree, from left to right."""
    if tree[0] == "sym":
        yield tree
    elif tree[0] == "wins":
        yield sym(tree[1], "j")
    else:
        for part in tree[1:]:
            if isinstance(part, list):
                yield from symbols(part)


# --------------------------------------------------------------------------------------------------- evaluating


def evaluate(tree: Tree, frame: Layerful, at: Place) -> tuple[float, float]:
    """The value of a tree at a place, and Σ |terms|: what its rounding is measured against.

    >>> class Neuron:
    ...     arrays = {"a_j": np.array([2.0, 1.0]), "w_jk": np.array([[3.0], [-1.0]])}
    ...     geometry = Geometry("dense", (2,), (1,))
    >>> evaluate(["sum", "j", mul(sym("a", "j"), sym("w", "jk"))], Neuron(), {"k": 0})
    (5.0, 7.0)
    """
    kind = tree[0]
    if kind == "num":
        return tree[1], abs(tree[1])
    if kind == "sym":
        value = element(tree, frame, at)
        return value, abs(value)
    if kind in ("sum", "total"):
        parts = [evaluate(tree[2], frame, place) for place in places(tree, frame, at)]
        return sum(v for v, _ in parts), sum(size for _, size in parts)
    if kind == "when":
        return evaluate(tree[2] if holds(tree[1], frame, at) else tree[3], frame, at)
    parts = [evaluate(part, frame, at) for part in tree[1:]]
    value = ARITHMETIC[kind](*(v for v, _ in parts))
    if kind in ("add", "sub"):
        return value, sum(size for _, size in parts)
    if kind == "div":
        return value, parts[0][1] / abs(parts[1][0])
    return value, abs(value)


def element(symbol: Tree, frame: Layerful, at: Place) -> float:
    """The element that a "sym" names; an array with one number a channel, or a single one, serves all their places."""
    values = frame.arrays[array_name(symbol)]
    index = symbol[2]
    if not index:
        return float(values)
    n = values.size if index == "jk" else frame.geometry.count(index)
    return float(values.flat[at[index] * values.size // n])


def places(tree: Tree, frame: Layerful, at: Place) -> list[Place]:
    """Where the terms of a "sum" or a "total" lie."""
    index = tree[1]
    if tree[0] == "total":
        return [{**at, index: i} for i in range(frame.geometry.count(index))]
    links = frame.geometry.window(at["k"]) if index == "j" else frame.geometry.fed(at["j"])
    return [{**at, index: other, "jk": weight} for other, weight in links]


def holds(condition: Tree, frame: Layerful, at: Place) -> bool:
    """Whether a condition holds at a place."""
    if condition[0] == "wins":
        return winner(condition[1], frame, at["k"]) == at["j"]
    x, y = (evaluate(part, frame, at)[0] for part in condition[1:])
    return {"gt": x > y, "ge": x >= y, "lt": x < y}[condition[0]]


def winner(name: str, frame: Layerful, k: int) -> int:
    """The first input of window k, in row-major order, that holds its largest element."""
    values = frame.arrays[f"{name}_j"]
    window = [j for j, _ in frame.geometry.window(k)]
    return max(window, key=lambda j: values.flat[j])  # max keeps the first of several


def _product(*factors: float) -> float:
    value = 1.0
    for factor in factors:
        value *= factor
    return value


def _share(x: float, y: float) -> float:
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        quotient = float(np.float64(x) / np.float64(y))
    return 0.0 if isnan(quotient) or abs(quotient) >= MOST else quotient


ARITHMETIC: dict[str, Callable[..., float]] = {
    "add": lambda *terms: sum(terms),
    "sub": lambda x, y: x - y,
    "mul": _product,
    "div": lambda x, y: x / y,
    "share": _share,
    "stab": lambda z, size: z + size if z >= 0 else z - size,
    "pos": lambda x: max(x, 0.0),
    "neg": lambda x: min(x, 0.0),
    "square": lambda x: x * x,
    "root": sqrt,
    "abs": abs,
}
