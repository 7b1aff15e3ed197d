"""Classes: what the scores of a network say, where they are one for each class, and where there is one logit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .layers import Dense, Identity, Layer, Mask, Sigmoid

if TYPE_CHECKING:
    from .network import Network


def is_binary(network: Network) -> bool:
    """Whether it ends in one output, the logit z, and a Sigmoid: σ(z) is the probability of class 1.

    That there is one output, the input_shape says, or a Dense with one neuron before the Sigmoid.
    """
    if not network.layers or not isinstance(network.layers[-1], Sigmoid):
        return False
    if network.input_shape is not None:
        return network.output_shape((network.batch, *network.input_shape))[1:] == (1,)
    above = len(network) - 1
    below: Layer = network.layers[above]
    while isinstance(below, (Sigmoid, Identity, Mask)) and network.wires[above][0]:
        above = network.wires[above][0] - 1
        below = network.layers[above]
    return isinstance(below, Dense) and below.W.shape[1] == 1


def class_scores(network: Network, z: np.ndarray) -> np.ndarray:
    """One score for each class (N, K), from the scores z: z itself, or (0, z) of a binary network.

    softmax turns them into probabilities: softmax(0, z) = (1 − σ(z), σ(z)).

    Raises ValueError: the network has one output and no Sigmoid after it: it has no classes.

    >>> from nnlite import Network
    >>> class_scores(Network([Dense(np.array([[1.0], [-1.0]])), Sigmoid()]), np.array([[-3.0]]))
    array([[ 0., -3.]])
    """
    if z.shape[1:] != (1,):
        return z
    if not network.is_binary:
        raise ValueError(
            "The network has one output and no Sigmoid after it, so it has no classes; network.scores(x) is what it "
            "computes. For two classes put Sigmoid() last."
        )
    return np.concatenate((np.zeros_like(z), z), axis=1)


def predicted(scores: np.ndarray) -> np.ndarray:
    """The class with the highest score for each sample, (N,) integers.

    Raises ValueError: a score is NaN: there is no highest one.
    """
    if np.isnan(scores).any():
        raise ValueError("The scores hold a NaN; check that the input is finite, and the network's weights too.")
    return scores.argmax(axis=1)
