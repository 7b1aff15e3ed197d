"""Where numbers leave the finite range: the error that names the place, and how a network that is watched finds it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from .layers import Layer
    from .network import Network

WATCHED: ContextVar[bool] = ContextVar("watched", default=False)
"""Whether a network runs layer by layer and looks at each of its numbers, to find the first that is not finite."""


class NotFinite(ValueError):
    """Numbers that left the finite range: `place` and `advice` make the message, with the method, where it is known."""

    def __init__(self, place: str, advice: str, method: str = "") -> None:
        super().__init__(place, advice, method)
        self.place, self.advice, self.method = place, advice, method

    def __str__(self) -> str:
        return f"{self.method + ': the' if self.method else 'The'} {self.place} hold a NaN or an infinity{self.advice}"

    def of(self, method: str) -> "NotFinite":
        """The same, said of a method."""
        return NotFinite(self.place, self.advice, method)


def is_finite(values: np.ndarray) -> bool:
    """Whether no number is a NaN or an infinity.

    One pass without a copy: a sum of squares is finite only if every number is. It may overflow without, which then
    takes the second look.
    """
    return isfinite(np.vdot(values, values)) or bool(np.isfinite(values).all())


def check(values: np.ndarray, place: str, layer: "Layer | None" = None) -> None:
    """NotFinite unless the values are finite; `layer` is the one that made them."""
    if not is_finite(values):
        raise NotFinite(place, _advice(values.dtype, layer))


def check_activations(network: "Network", a: Sequence[np.ndarray]) -> None:
    """NotFinite that names the first layer whose activations are not finite."""
    for name, layer, above in zip(network.names, network.layers, a[1:], strict=True):
        check(above, f"activations of layer {name}", layer)


def _advice(dtype: np.dtype, layer: "Layer | None") -> str:
    if layer is not None and not all(map(is_finite, layer.arrays.values())):
        return "; check the network's weights, or train it again."
    wider = 'compute in float64 (network.astype("float64"), x.astype("float64")), or ' if dtype == np.float32 else ""
    return f": {dtype} overflows there; {wider}use smaller weights, inputs or options."


def watched(network: "Network", rules: Sequence[Callable[..., Any]]) -> list[Callable[..., Any]]:
    """The rules of a walk, each of which looks at the signal that it gives."""

    def look(rule: Callable[..., Any], name: str) -> Callable[..., Any]:
        def watching(layer: Any, *given: Any) -> Any:
            below = rule(layer, *given)
            for values in _arrays(below):
                check(values, f"signals below layer {name}", layer)
            return below

        return watching

    return [look(*pair) for pair in zip(rules, network.names, strict=True)]


def _arrays(signals: Any) -> Iterator[np.ndarray]:
    """An array, or those in a tuple, a signal for each branch, or in a pair of signals."""
    if isinstance(signals, np.ndarray):
        yield signals
    else:
        for each in signals:
            yield from _arrays(each)


@contextmanager
def watching() -> Iterator[None]:
    """Within it, every network looks at each of its numbers."""
    token = WATCHED.set(True)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        WATCHED.reset(token)
