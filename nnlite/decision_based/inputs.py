"""What goes in: the batch is checked, and whatever stands in its place is brought to its shape."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np

from ..batch import check_batch, check_network
from ..finite import check, is_finite
from ..layers.arguments import unmasked
from ..network import Network
from ..walk import LocalRule, Signal, activations_of, walk


def check_input(network: Network, x: np.ndarray) -> np.ndarray:
    """`x`, if the network can take it as a batch.

    Raises
    ------
    TypeError
        The network is not a Network, or x is not a NumPy array, or is a masked one.
    ValueError
        x is not floating-point, not in the dtype of the network, lacks the batch axis, does not fit the layers,
        or holds a NaN or an infinity.
    """
    check_network(network)
    check_batch(network, x)
    if not is_finite(x):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ValueError(f"x must be finite, and x[{', '.join(map(str, where))}] is {x[where]}.")
    return x


def activations(network: Network, x: np.ndarray) -> list[np.ndarray]:
    """All activations from x up, the last of them finite: what is explained must be a number.

    Raises TypeError or ValueError: as `check_input`; or the output holds a NaN or an infinity.
    """
    check_input(network, x)
    with np.errstate(all="ignore"):  # what is not finite in the end is said in words
        a = activations_of(network, x)
    check_finite(network, a[-1])
    return a


def walked(
    network: Network, x: np.ndarray, top: Signal, rules: Sequence[LocalRule], keep: bool = False
) -> tuple[list[np.ndarray], list[Any]]:
    """`walk` from an input that is checked, to an output that is finite. Errors as in `activations`."""
    check_input(network, x)
    with np.errstate(all="ignore"):
        a, R = walk(network, x, top, rules, keep)
    check_finite(network, a[-1])
    return a, R


def check_finite(network: Network, z: np.ndarray) -> None:
    """NotFinite, a ValueError, unless the output `z` of the network is finite."""
    if not is_finite(z):
        broken = next((layer for layer in network if not all(map(is_finite, layer.arrays.values()))), None)
        check(z, f"activations of layer {network.names[-1]}" if len(network) else "activations", broken)


def like_input(x: np.ndarray, value: Any, name: str, *, also: str = "") -> np.ndarray:
    """Something to put instead of x, such as a baseline, in the shape and dtype of x.

    Parameters
    ----------
    x
        The batch (N, ...).
    value
        A number; an array in the dtype of x that broadcasts against one input, such as (C, 1, 1) or (C, H, W); or one
        for each sample, (N, ...).
    name
        What the errors call it.
    also
        What else the option takes, for the error.

    Raises ValueError: it is something else, or not finite.

    >>> like_input(np.ones((2, 3)), np.array([1.0, 2.0, 3.0]), "baseline")
    array([[1., 2., 3.],
           [1., 2., 3.]])
    """
    value = unmasked(name, value)
    if isinstance(value, np.ndarray) and (value.shape, value.dtype) == (x.shape, x.dtype) and np.isfinite(value).all():
        return value  # as it should be: what follows would take longer to say so
    number = (isinstance(value, Real) and not isinstance(value, bool)) or (
        isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iuf"
    )
    array = isinstance(value, np.ndarray) and value.dtype.kind in "iuf"
    if not number and not (array and _broadcasts(value.shape, x.shape)):
        got = value.shape if array else f"an array of {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
        raise ValueError(
            f"{name} takes a number, an array of {x.dtype} that broadcasts against one input {x.shape[1:]}, or one for "
            f"each sample {x.shape}{also}; got {got}."
        )
    if not number and value.dtype != x.dtype:
        raise ValueError(
            f"{name} takes an array of {x.dtype}, as x is, got {value.dtype}; use {name}.astype(np.{x.dtype})."
        )
    if number:
        value = value.item() if isinstance(value, (np.generic, np.ndarray)) else value
        finite = abs(value) <= float(np.finfo(x.dtype).max)
    else:
        finite = np.isfinite(value).all()
    if not finite:
        got = repr(value) if number else "a NaN or an infinity"
        raise ValueError(f"{name} must be finite in {x.dtype}, got {got}.")
    return np.broadcast_to(np.asarray(value, x.dtype), x.shape)


def several_like_input(x: np.ndarray, value: Any, name: str) -> list[np.ndarray]:
    """One or several inputs to compare x with, in its shape: None (zero), what `like_input` takes, or a list of these.

    An array with the shape of x is one for each sample, never a stack of several: otherwise a stack of N would change
    its meaning with the size of the batch.

    >>> several_like_input(np.ones((2, 3)), [0, np.array([1.0, 2.0, 3.0])], "baseline")[1]
    array([[1., 2., 3.],
           [1., 2., 3.]])
    """
    if isinstance(value, (list, tuple)) and not value:
        raise ValueError(f"{name} takes a list of one or more, got an empty one.")
    each = value if isinstance(value, (list, tuple)) else [0 if value is None else value]
    also = ", or a list of these to average over (list(stack) for a stack)"
    return [like_input(x, one, name, also=also) for one in each]


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of this shape can be spread over the other."""
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape[::-1], to[::-1]))  # noqa: B905
