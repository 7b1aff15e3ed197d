"""How often a network is right."""

from collections.abc import Iterator

import numpy as np

from ..network import Network
from .losses import check_labels

BLOCK = 1000  # samples that run at a time: bounds the memory, whatever the size of the data set


def accuracy(network: Network, x: np.ndarray, labels: np.ndarray) -> float:
    """The share of samples whose highest score is that of their label: 1/N Σ_n [argmax_k z_nk = label n].

    Parameters
    ----------
    network
        The network; its `class_scores` are the z_nk.
    x
        The inputs (N, ...), in the network's dtype.
    labels
        The true classes (N,), integers from 0 to K − 1.

    Returns
    -------
    float
        From 0 to 1.

    Raises
    ------
    ValueError
        There are no samples, the labels do not fit them, or the network cannot take them.
    FloatingPointError
        A score is not a number, so that there is no highest one.

    >>> from nnlite.layers import Dense
    >>> accuracy(Network([Dense(np.eye(2))]), np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0]))
    0.5
    """
    if len(x) == 0 or len(labels) != len(x):
        raise ValueError(f"accuracy takes one sample or more and a label for each; got {len(x)} and {len(labels)}.")
    right = 0
    for block in blocks(len(x)):
        scores = network.class_scores(network.scores(x[block]))
        undefined = np.isnan(scores).any(axis=1)
        if undefined.any():
            raise FloatingPointError(
                f"The scores of sample {block.start + undefined.argmax()} are not numbers; "
                "check this input, and the parameters of the network."
            )
        right += int((scores.argmax(axis=1) == check_labels(labels[block], *scores.shape)).sum())
    return right / len(x)


def blocks(samples: int) -> Iterator[slice]:
    """Slices of BLOCK samples each; the last may be shorter."""
    return (slice(start, start + BLOCK) for start in range(0, samples, BLOCK))
