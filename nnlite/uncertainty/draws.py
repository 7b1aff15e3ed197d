"""A family of networks, f_1 ... f_T, instead of one: the draws of a dropout. An ensemble is already a family."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..decision_based.method import method
from ..layers import Dropout, Mask
from ..layers.arguments import count, generator
from ..network import Network

OBJECT = 2**11
"""About the bytes of a draw without its masks."""

Networks = Sequence[Network]
"""f_1 ... f_T: the draws of one network, or the members of an ensemble."""


@method
def dropout_draws(network: Network, draws: int = 50, *, rng: np.random.Generator | int = 0) -> tuple[Network, ...]:
    """f_t = the network with masks m_t ~ Bernoulli(1 − p) / (1 − p) instead of its Dropouts, t = 1 ... T.

    The masks of a draw serve every sample: a draw is a plain network, which every method can explain, and all samples
    of a batch meet the same one. The draws share all layers but the masks. With the same seed the first T of more draws
    are these T draws.

    Raises ValueError: the network has no Dropout that drops anything or does not know its input's shape, or T is not a
    positive integer, or so many draws do not fit into NNLITE_MEMORY.
    Source: Gal and Ghahramani 2016, "Dropout as a Bayesian approximation: representing model uncertainty in deep
    learning", sec. 4.

    >>> from nnlite.layers import Dense, Dropout
    >>> net = Network([Dropout(0.5), Dense(np.ones((2, 1)))], input_shape=(2,))
    >>> [float(f.scores(np.array([[1.0, 10.0]]))[0, 0]) for f in dropout_draws(net, 4)]
    [2.0, 0.0, 22.0, 22.0]
    """
    rng = generator("dropout_draws", "rng", rng)
    if not any(isinstance(layer, Dropout) and layer.p > 0 for layer in network):
        raise ValueError(
            f"dropout_draws takes a network with a Dropout(p > 0), and {network!r} has none: all its draws would be "
            'the same. Train one with a Dropout, such as models.load("lenet_dropout"), or use an ensemble.'
        )
    if network.input_shape is None:
        raise ValueError(
            "dropout_draws takes a network that knows the shape of its input; build it with "
            "Network(layers, input_shape=(C, H, W))."
        )
    first = network.sample(rng, network.input_shape)
    size = OBJECT + sum(layer.m.nbytes for layer in first if isinstance(layer, Mask))
    draws = count("dropout_draws", "draws", draws, each=size)
    return (first, *(network.sample(rng, network.input_shape) for _ in range(draws - 1)))


def family(networks: Any) -> tuple[Network, ...]:
    """The networks as a tuple, if there is one or more; else a TypeError or ValueError that says what to give."""
    advice = "such as dropout_draws(network) or models.ensemble()"
    if isinstance(networks, Network):
        raise TypeError(f"networks takes a sequence of networks, {advice}, got one network.")
    try:
        members = tuple(networks)
    except TypeError:
        raise TypeError(f"networks takes a sequence of networks, {advice}, got {networks!r}.") from None
    for member in members:
        if not isinstance(member, Network):
            raise TypeError(f"networks takes a sequence of networks, {advice}, and a {type(member).__name__} in it.")
    if not members:
        raise ValueError(f"networks takes one network or more, {advice}, got none.")
    return members
