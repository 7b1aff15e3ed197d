"""What is explained: the input is checked, the class is chosen, and the signal at the top is made."""

from typing import Any

import numpy as np

from ..layers.arguments import DTYPES
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
        The scores are not (N, K) or not finite, or a target is not an integer from 0 to K - 1.

    >>> scores = np.array([[0.2, 0.9, 0.1], [3.0, 1.0, 2.0]])
    >>> explained_class(scores), explained_class(scores, 2)
    (array([1, 0]), array([2, 2]))
    """
    if scores.ndim != 2:
        raise ValueError(f"A network is explained by its scores (N, K), and this one gives {scores.shape}.")
    n, classes = scores.shape
    if not np.isfinite(scores).all():
        raise ValueError("The scores hold a NaN or an infinity; check the network's weights, or train it again.")
    if target is None:
        return scores.argmax(axis=1)
    chosen = np.asarray(target)
    if chosen.dtype.kind not in "iu" or chosen.shape not in ((), (n,)):
        raise ValueError(f"target takes a class, {n} integers (a class for each sample) or None, and {target!r} came.")
    if chosen.size and not 0 <= chosen.min() <= chosen.max() < classes:
        raise ValueError(f"target takes classes from 0 to {classes - 1}, and {target!r} came.")
    return np.broadcast_to(chosen, (n,)).astype(np.int64)


def one_at(scores: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """1 at the explained class of each sample, 0 elsewhere: (N, K), in the dtype of the scores."""
    top = np.zeros_like(scores)
    top[np.arange(len(scores)), classes] = 1
    return top


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
