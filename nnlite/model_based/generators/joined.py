"""The parameters of several networks under one roof: "encoder.dense1.W", "decoder.dense1.W", ..."""

from collections.abc import Mapping
from typing import TypeVar

Value = TypeVar("Value")


def join(**parts: Mapping[str, Value]) -> dict[str, Value]:
    """All entries of the parts, each under its part's name and a dot.

    >>> join(a={"W": 1}, b={"W": 2})
    {'a.W': 1, 'b.W': 2}
    """
    return {f"{name}.{key}": value for name, entries in parts.items() for key, value in entries.items()}


def taken(joined: Mapping[str, Value], name: str) -> dict[str, Value]:
    """The entries of one part, by their own names.

    >>> taken({"a.W": 1, "b.W": 2}, "b")
    {'W': 2}
    """
    return {key.removeprefix(f"{name}."): value for key, value in joined.items() if key.startswith(f"{name}.")}
