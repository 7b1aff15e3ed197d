"""What goes in: the batch is checked, and whatever stands in its place is brought to its shape."""

from numbers import Real
from typing import Any

import numpy as np

from ..layers.arguments import DTYPES, conversion
from ..network import Network


def check_input(network: Network, x: np.ndarray) -> np.ndarray:
    """`x`, if the network can take it as a batch.

    Raises
    ------
    TypeError
        x is not a NumPy array.
    ValueError
        x is not floating-point, not in the dtype of the network, lacks the batch axis, does not fit the layers,
        or holds a NaN or an infinity.
    """
    if not isinstance(x, np.ndarray) or isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"x takes a NumPy array of shape (N, ...), and {type(x).__name__} came; use np.asarray.")
    if (x.shape, x.dtype) not in network.known_inputs:
        _check_kind(network, x)
        network.known_inputs.add((x.shape, x.dtype))
    if not np.isfinite(x).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ValueError(f"x must be finite, and x[{_listed(where)}] is {x[where]}.")
    return x


def _check_kind(network: Network, x: np.ndarray) -> None:
    """The checks that ask for nothing but the shape and the dtype of x."""
    if x.dtype not in DTYPES:
        raise ValueError(f"x takes {network.dtype} values, and {x.dtype} came; {conversion(x.dtype, network.dtype)}.")
    if x.dtype != network.dtype and any(layer.dtype for layer in network):  # without arrays it takes both
        raise ValueError(
            f"The network computes in {network.dtype}, and x is {x.dtype}; use x.astype(np.{network.dtype}) "
            f"or network.astype(np.{x.dtype})."
        )
    if network.input_shape is not None and x.shape[1:] != network.input_shape:
        advice = " Add the batch axis: x[None]." if x.shape == network.input_shape else ""
        raise ValueError(f"x takes the shape (N, {_listed(network.input_shape)}), and {x.shape} came.{advice}")
    network.output_shape(x.shape)


def activations(network: Network, x: np.ndarray) -> list[np.ndarray]:
    """All activations from x up, the last of them finite: what is explained must be a number.

    Raises
    ------
    TypeError, ValueError
        As `check_input`; or the output holds a NaN or an infinity.
    """
    a = network.forward(check_input(network, x))
    check_finite(network, a[-1])
    return a


def check_finite(network: Network, z: np.ndarray) -> None:
    """ValueError unless the output `z` of the network is finite."""
    if not np.isfinite(z).all():
        what = f"activations of layer {network.names[-1]}" if len(network) else "activations"
        raise ValueError(f"The {what} hold a NaN or an infinity; check the network's weights, or train it again.")


def like_input(x: np.ndarray, value: Any, name: str, *, also: str = "") -> np.ndarray:
    """Something to put in the place of x, such as a baseline, in the shape and dtype of x.

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

    Raises
    ------
    ValueError
        It is none of these, or not finite.

    >>> like_input(np.ones((2, 3)), np.array([1.0, 2.0, 3.0]), "baseline")
    array([[1., 2., 3.],
           [1., 2., 3.]])
    """
    if isinstance(value, np.ndarray) and (value.shape, value.dtype) == (x.shape, x.dtype) and np.isfinite(value).all():
        return value  # as it should be: what follows would take longer to say so
    number = (isinstance(value, Real) and not isinstance(value, bool)) or (
        isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "iuf"
    )
    array = isinstance(value, np.ndarray) and value.dtype.kind in "iuf"
    if not number and not (array and _broadcasts(value.shape, x.shape)):
        came = value.shape if array else f"an array of {value.dtype}" if isinstance(value, np.ndarray) else repr(value)
        raise ValueError(
            f"{name} takes a number, an array of {x.dtype} that broadcasts against one input {x.shape[1:]}, or one for "
            f"each sample {x.shape}{also}; {came} came."
        )
    if not number and value.dtype != x.dtype:
        raise ValueError(
            f"{name} takes an array of {x.dtype}, as x is, and {value.dtype} came; use {name}.astype(np.{x.dtype})."
        )
    if number:
        value = value.item() if isinstance(value, (np.generic, np.ndarray)) else value
        finite = abs(value) <= float(np.finfo(x.dtype).max)
    else:
        finite = np.isfinite(value).all()
    if not finite:
        came = f"{value!r} came" if number else "it holds a NaN or an infinity"
        raise ValueError(f"{name} must be finite in {x.dtype}, and {came}.")
    return np.broadcast_to(np.asarray(value, x.dtype), x.shape)


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether an array of this shape can be spread over the other."""
    return len(shape) <= len(to) and all(n in (1, m) for n, m in zip(shape[::-1], to[::-1]))  # noqa: B905


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
