"""What is explained: the input is checked, the class or the neuron is chosen, and the signal at the top is made."""

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from ..layers.arguments import DTYPES
from ..network import Network, gradient_rule


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
    if not isinstance(x, np.ndarray):
        raise TypeError(f"x takes a NumPy array of shape (N, ...), and {type(x).__name__} came; use np.asarray.")
    if x.dtype not in DTYPES:
        raise ValueError(
            f"x takes {network.dtype} values, and {x.dtype} came; bring pixels to [0, 1], such as "
            f"(x / 255).astype(np.{network.dtype})."
        )
    if x.dtype != network.dtype:
        raise ValueError(
            f"The network computes in {network.dtype}, and x is {x.dtype}; use x.astype(np.{network.dtype}) "
            f"or network.astype(np.{x.dtype})."
        )
    if network.input_shape is not None and x.shape[1:] != network.input_shape:
        advice = " Add the batch axis: x[None]." if x.shape == network.input_shape else ""
        raise ValueError(f"x takes the shape (N, {_listed(network.input_shape)}), and {x.shape} came.{advice}")
    network.output_shape(x.shape)
    if not np.isfinite(x).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(x))[0])
        raise ValueError(f"x must be finite, and x[{_listed(where)}] is {x[where]}.")
    return x


def activations(network: Network, x: np.ndarray) -> list[np.ndarray]:
    """All activations from x up, the last of them finite: what is explained must be a number.

    Raises
    ------
    TypeError, ValueError
        As `check_input`; or the output holds a NaN or an infinity.
    """
    a = network.forward(check_input(network, x))
    if not np.isfinite(a[-1]).all():
        what = f"activations of layer {network.names[-1]}" if len(network) else "activations"
        raise ValueError(f"The {what} hold a NaN or an infinity; check the network's weights, or train it again.")
    return a


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


def explained_class(scores: np.ndarray, target: Any = None) -> np.ndarray:
    """The class that is explained for each sample: (N,) integers.

    Parameters
    ----------
    scores
        (N, K): the scores of the classes.
    target
        A class for all samples, one for each (N,), or None: the class that the network predicts.

    Raises
    ------
    ValueError
        The scores are not (N, K), or a target is not an integer from 0 to K - 1.

    >>> scores = np.array([[0.2, 0.9, 0.1], [3.0, 1.0, 2.0]])
    >>> explained_class(scores), explained_class(scores, 2)
    (array([1, 0]), array([2, 2]))
    """
    if scores.ndim != 2:
        raise ValueError(f"A network is explained by its scores (N, K), and this one gives {scores.shape}.")
    n, classes = scores.shape
    if target is None:
        return scores.argmax(axis=1)
    try:
        chosen = np.asarray(target)
    except ValueError:  # ragged, such as [[1], [2, 3]]
        chosen = np.asarray(None)
    if chosen.dtype.kind not in "iu" or chosen.shape not in ((), (n,)):
        raise ValueError(f"target takes a class, {n} integers (a class for each sample) or None, and {target!r} came.")
    if chosen.size and not 0 <= chosen.min() <= chosen.max() < classes:
        raise ValueError(f"target takes classes from 0 to {classes - 1}, and {target!r} came.")
    return np.broadcast_to(chosen, (n,)).astype(np.int64)


@dataclass(frozen=True, eq=False)
class Explained:
    """Something that a network computes, and that a method explains: f = Σ of the activations at the chosen places.

    Attributes
    ----------
    network
        The layers from the input to where the explained activation lies.
    a
        All activations of these layers, a[0] = x.
    ones
        1 at the chosen places, 0 elsewhere, in the shape of a[-1].
    target
        The choice, fixed: the class of each sample (N,), or the neuron as it was given.
    """

    network: Network
    a: list[np.ndarray]
    ones: np.ndarray
    target: Any

    @property
    def score(self) -> np.ndarray:
        """f for each sample: (N,)."""
        return (self.ones * self.a[-1]).sum(axis=tuple(range(1, self.ones.ndim)))

    def gradient(self, at: int = 0) -> np.ndarray:
        """∂f / ∂a[at]: the walk back from the top, as far as that activation."""
        above = self.network[at:]
        return above.walk_back(self.a[at:], self.ones, [gradient_rule] * len(above))[0]


def explained(network: Network, x: np.ndarray, target: Any = None) -> Explained:
    """The score or the neuron that `target` names, ready to be walked back from.

    Parameters
    ----------
    network, x
        Any network and a batch for it. A Softmax at its end is left out: scores are explained.
    target
        A class for all samples, one for each (N,), or None: the predicted class. Or a neuron, (layer, index): the
        activation above the layer of that name at an index such as 7 (for a feature map: the sum of the map) or
        (7, 3, 4) (one place in it).

    Raises
    ------
    TypeError, ValueError
        x does not fit the network; the target is not a class, or there is no such layer or neuron; what it names, or
        anything beside it, is a NaN or an infinity.

    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.array([[1.0, -2.0]])), ReLU(), Dense(np.array([[1.0], [1.0]]))])
    >>> explained(net, np.array([[3.0]])).score, explained(net, np.array([[3.0]]), ("dense1", 1)).score
    (array([3.]), array([-6.]))
    """
    if isinstance(target, (tuple, list)) and len(target) == 2 and isinstance(target[0], str):
        part = network[: network.index(target[0]) + 1]
        a = activations(part, x)
        return Explained(part, a, _at_neuron(a[-1], *target), target)
    network = network.to_scores()
    a = activations(network, x)
    classes = explained_class(a[-1], target)
    ones = np.zeros_like(a[-1])
    ones[np.arange(len(ones)), classes] = 1
    return Explained(network, a, ones, classes)


def _at_neuron(a: np.ndarray, layer: str, index: Any) -> np.ndarray:
    """1 at the index of every sample: a whole feature map, or one place."""
    place = tuple(index) if isinstance(index, (tuple, list)) else (index,)
    whole = all(isinstance(i, (int, np.integer)) and not isinstance(i, bool) for i in place)
    if not whole or len(place) not in (1, a.ndim - 1) or any(not 0 <= i < n for i, n in zip(place, a.shape[1:])):  # noqa: B905
        raise ValueError(
            f"target takes a neuron of layer {layer}, whose output is {a.shape[1:]}: an index below {a.shape[1]}, or "
            f"one for each axis; {index!r} came."
        )
    ones = np.zeros_like(a)
    ones[(slice(None), *place)] = 1
    return ones


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
