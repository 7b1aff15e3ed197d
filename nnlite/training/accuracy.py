"""How often a network is right."""

from collections.abc import Iterator

import numpy as np

from ..batch import check_batch, check_network
from ..network import Network
from .losses import check_labels

BLOCK = 1000  # samples that run at a time: bounds the memory, whatever the size of the data set


def accuracy(network: Network, x: np.ndarray, labels: np.ndarray) -> float:
    """The share of samples whose highest score is that of their label: 1/N Σ_n [argmax_k z_nk = label n].

    The z_nk are the network's `class_scores`, the labels (N,) the true classes, integers from 0 to K − 1.

    Raises TypeError or ValueError: it is not a Network, there are no samples, the labels do not fit them, or the
    network cannot take them; FloatingPointError: a score is not a number, so that there is no highest one.

    >>> from nnlite.layers import Dense
    >>> accuracy(Network([Dense(np.eye(2))]), np.array([[1.0, 0.0], [0.0, 1.0]]), np.array([0, 0]))
    0.5
    """
    check_network(network, "accuracy")
    check_batch(network, x)
    if len(x) == 0:
        raise ValueError("accuracy: expected one sample or more, got none.")
    labels = check_labels(labels, len(x), class_count(network, x))
    right = 0
    for block in blocks(len(x)):
        scores = network.class_scores(network.scores(x[block]))
        undefined = np.isnan(scores).any(axis=1)
        if undefined.any():
            raise FloatingPointError(
                f"The scores of sample {block.start + undefined.argmax()} are not numbers; "
                "check this input, and the parameters of the network."
            )
        right += int((scores.argmax(axis=1) == labels[block]).sum())
    return right / len(x)


def class_count(network: Network, x: np.ndarray) -> int:
    """K, the number of `class_scores` for a sample of x; ValueError unless the network's output is (N, K)."""
    output = network.output_shape((1, *x.shape[1:]))
    if len(output) != 2:
        raise ValueError(
            f"expected a network that gives scores (N, K), got one that gives {output}; put Flatten() last."
        )
    return network.class_scores(np.empty((0, output[1]))).shape[1]


def blocks(samples: int) -> Iterator[slice]:
    """Slices of BLOCK samples each; the last may be shorter."""
    return (slice(start, start + BLOCK) for start in range(0, samples, BLOCK))
