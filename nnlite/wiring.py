"""Wires: which activations each layer reads. 0 is the input, l + 1 what layer l gives.

A row without branches has ((0,), (1,), (2,), ...). A join reads several, a Constant none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from .layers import Dropout, Identity, Layer, Mask
from .layers.arguments import is_integer
from .printed import listed

Wires = tuple[tuple[int, ...], ...]


def read(layer: Layer, wires: Sequence[int], values: Sequence[Any], n: Any) -> Any:
    """What a layer reads of the values on its wires: one, for a join a tuple, without wires n."""
    if layer.reads == 1:
        return values[wires[0]]
    return tuple([values[i] for i in wires]) if wires else n


def reader(layer: Layer, wires: Sequence[int]) -> Callable[[Sequence[Any]], Any]:
    """What takes, from all activations, those that a layer reads: see `read`."""
    return itemgetter(*wires) if layer.reads == 1 else lambda a: read(layer, wires, a, len(a[0]))


def origin(layers: Sequence[Layer], wires: Wires, i: int) -> int:
    """The activation that i was before Dropout, Identity and Mask, which leave each number in its place."""
    while i and isinstance(layers[i - 1], (Dropout, Identity, Mask)):
        i = wires[i - 1][0]
    return i


def readers(wires: Wires) -> list[list[int]]:
    """For each activation the layers that read it."""
    found: list[list[int]] = [[] for _ in range(len(wires) + 1)]
    for l, each in enumerate(wires):
        for i in dict.fromkeys(each):
            found[i].append(l)
    return found


def last_read(wires: Wires) -> list[list[int]]:
    """For each layer the activations, without x, that no layer above it reads."""
    ends = [by[-1] if by else -1 for by in readers(wires)]
    return [[i for i in each if i and ends[i] == l] for l, each in enumerate(wires)]


def in_a_row(wires: Wires) -> int:
    """How many layers from the lowest up follow each other, each alone reading the one before it."""
    by = readers(wires)
    return next((l for l, each in enumerate(wires) if each != (l,) or by[l] != [l]), len(wires))


def crossing(wires: Wires, cut: int) -> list[tuple[int, int]]:
    """The wires from activations up to `cut` to layers from there on: (activation, layer)."""
    return [(i, l) for l in range(cut, len(wires)) for i in wires[l] if i <= cut]


def of(given: Any, names: Sequence[str], default: Sequence[tuple[int, ...]]) -> Wires:
    """The wires that {name: (names...)} describes, "input" being x; those of layers it leaves out are the default.

    Wires by position are brought to tuples of Python's integers.

    Raises TypeError or ValueError: it is no such mapping, or there is no layer of a name.
    """
    if isinstance(given, tuple) and len(given) == len(names):
        return tuple(_positions(each, len(names)) for each in given)
    given = {} if given is None else given
    if not isinstance(given, Mapping):
        raise TypeError(f"wires: expected a dict {{name: (names, ...)}}, got {given!r}.")
    places = {"input": 0, **{name: l + 1 for l, name in enumerate(names)}}
    for name, each in given.items():
        unknown = [one for one in (name, *_several(each)) if one not in places] or ["input"] * (name == "input")
        if unknown:
            what = "no layer, it is x" if unknown == ["input"] else "no layer of this network"
            raise ValueError(f"wires: {unknown[0]!r} is {what}; the layers are {listed(names)}.")
    return tuple(
        tuple(places[one] for one in _several(given[name])) if name in given else default[l]
        for l, name in enumerate(names)
    )


def _positions(each: Any, layers: int) -> tuple[int, ...]:
    if not isinstance(each, (tuple, list)) or not all(is_integer(i) and 0 <= i <= layers for i in each):
        raise ValueError(
            f"wires: expected for each layer the activations that it reads, integers from 0 to {layers}, got {each!r}."
        )
    return tuple(map(int, each))


def _several(each: Any) -> tuple[str, ...]:
    each = (each,) if isinstance(each, str) else each
    if not isinstance(each, (tuple, list)) or not all(isinstance(one, str) for one in each):
        raise TypeError(f"wires: expected the names of what a layer reads, such as ('relu1', 'conv3'), got {each!r}.")
    return tuple(each)


def names_of(wires: Wires, names: Sequence[str]) -> dict[str, list[str]]:
    """The wires by name, of the layers that do not just read the one before: what `of` takes."""
    places = ("input", *names)
    return {names[l]: [places[i] for i in each] for l, each in enumerate(wires) if each != (l,)}


def check(layers: Sequence[Layer], names: Sequence[str], wires: Wires) -> None:
    """ValueError unless each layer reads as many activations as it takes, from below, and each is read by a layer."""
    if "input" in names and any(each != (l,) for l, each in enumerate(wires)):
        raise ValueError('wires: "input" is x where layers branch, and one is called so; give it another name.')
    places = ("input", *names)
    for l, (layer, each) in enumerate(zip(layers, wires, strict=True)):
        above = next((i for i in each if i > l), None)
        if above is not None:
            raise ValueError(_upside_down(names, wires, l, above))
        if len(each) != layer.reads and (layer.reads is not None or not each):
            number = {None: "one activation or more", 1: "one activation"}.get(
                layer.reads, f"{layer.reads} activations"
            )
            got = listed([places[i] for i in each]) or "none"
            advice = " Let them meet in an Add, Concat or Multiply." if layer.reads == 1 and len(each) > 1 else ""
            raise ValueError(f"layer {names[l]}: {layer!r} reads {number}, and is wired to {got}.{advice}")
    unread = [places[i] for i, by in enumerate(readers(wires)[:-1]) if not by]
    if unread:
        raise ValueError(
            f"Nothing reads {listed(unread)}: a dead end. Wire it to a layer above, or leave it out; the output is "
            f"that of the last layer, {names[-1]}."
        )


def _upside_down(names: Sequence[str], wires: Wires, l: int, above: int) -> str:
    """What to say of a layer that reads one from above: whether there is a cycle, by name."""
    reader, queue = {above - 1: l}, [above - 1]  # from the layer that is read down its own wires
    for now in queue:
        for i in wires[now]:
            if i and i - 1 not in reader:
                reader[i - 1] = now
                queue.append(i - 1)
    if l in reader:
        way = [l, reader[l]]
        while way[-1] != l:
            way.append(reader[way[-1]])
        cycle = listed([names[i] for i in way], " -> ")
        return f"wires: {names[l]} reads {names[above - 1]}, which depends on {names[l]}: the cycle {cycle}."
    return (
        f"wires: {names[l]} reads {names[above - 1]}, which stands above it; a layer reads what stands below. Put "
        f"{names[above - 1]} before {names[l]}."
    )
