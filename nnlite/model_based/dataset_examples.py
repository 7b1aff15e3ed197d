"""The images of a data set that excite a neuron most: what does occur, beside what a search has made up."""

from dataclasses import dataclass

import numpy as np

from ..decision_based.inputs import activations
from ..decision_based.method import takes_network
from ..layers.arguments import check_callable, count, unmasked
from ..network import Network
from .objectives import Objective

CHUNK = 256
"""How many images pass through the network at once."""


@dataclass(frozen=True, eq=False)
class Examples:
    """The images with the highest values, the highest first; of several with the same value the first comes first.

    Their places in the data set, and what they cause: (n,) each, or (K, n) for K channels.
    """

    index: np.ndarray
    value: np.ndarray


def dataset_examples(f: Objective, images: np.ndarray, n: int = 1) -> Examples:
    """The n images x (N, ...) with the highest f(x), for an objective that sees each alone, such as a Score.

    Raises TypeError or ValueError: the images do not fit f, or there are fewer than n.
    Source: Olah et al. 2017, "Feature visualization", sec. "Why visualize by optimization?".

    >>> best = dataset_examples(lambda x: (x.sum(axis=1), np.ones_like(x)), np.array([[1.0], [3.0], [2.0]]), n=2)
    >>> best.index, best.value
    (array([1, 2]), array([3., 2.]))
    """
    check_callable("f", f, "Score(network, 3)")
    best = _highest(np.concatenate([f(some)[0] for some in _chunks(images, n)])[:, None], n)
    return Examples(best.index[0], best.value[0])


@takes_network
def channel_examples(network: Network, images: np.ndarray, layer: str, n: int = 1) -> Examples:
    """The same for all K channels of a layer in one pass: row k is that of f = Score(network, (layer, k))."""
    part = network.up_to(layer)
    tops = (activations(part, some)[-1] for some in _chunks(images, n))
    return _highest(np.concatenate([top.sum(axis=tuple(range(2, top.ndim))) for top in tops]), n)


def _chunks(images: np.ndarray, n: int) -> list[np.ndarray]:
    if not isinstance(unmasked("images", images), np.ndarray):
        raise TypeError(f"images takes a NumPy array (N, ...), got {type(images).__name__}; use np.asarray.")
    if count("examples", "n", n) > len(images):
        raise ValueError(f"{n} examples need as many images, got {len(images)}.")
    return [images[start : start + CHUNK] for start in range(0, len(images), CHUNK)]


def _highest(values: np.ndarray, n: int) -> Examples:
    """Of values (N, K) the n highest of each column, as (K, n)."""
    index = np.argsort(-values, axis=0, kind="stable")[:n].T
    return Examples(index, np.take_along_axis(values.T, index, axis=1))
