"""Backpropagation: the gradient in every parameter, from the walk back that carries every other signal too."""

from collections.abc import Sequence

import numpy as np

from .. import kernels, wiring
from ..batch import check_network
from ..layers import Layer, MaxPool2d, ReLU
from ..layers.arguments import kind_of
from ..network import Network
from ..walk import LocalRule, gradient_rule


def parameter_gradients(network: Network, a: Sequence[np.ndarray], dz: np.ndarray) -> dict[str, np.ndarray]:
    """∂L/∂w = Σ_k ∂L/∂a_k · ∂a_k/∂w for every parameter w of the layer below a_k; ∂L/∂a_k comes from the walk back.

    The walk ends above the lowest layer with parameters: further down nobody asks for the signal.

    From all activations a, as `network.forward(x)` gives them, and dz = ∂L/∂a[L], in the shape of a[-1]. The gradients
    are named and shaped as in `network.parameters`.

    Raises TypeError or ValueError: it is not a Network, or the activations or dz do not fit it.
    Source: Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors", eq. 4 to 7.

    >>> from nnlite.layers import Dense, ReLU
    >>> network = Network([Dense(np.eye(2)), ReLU(), Dense(np.ones((2, 1)))])
    >>> a = network.forward(np.array([[3.0, -1.0]]))
    >>> parameter_gradients(network, a, np.array([[1.0]]))
    {'dense1.W': array([[ 3.,  0.],
           [-1.,  0.]]), 'dense2.W': array([[3.],
           [0.]])}
    """
    check_network(network, "parameter_gradients")
    got = len(a) if isinstance(a, (list, tuple)) else kind_of(a)
    if got != len(network) + 1:
        raise ValueError(f"{len(network)} layers have {len(network) + 1} activations, got {got}; give forward(x).")
    lowest = next((i for i, layer in enumerate(network) if layer.parameters), None)
    if lowest is None:
        return {}
    signals = network.walk_back(a, dz, _rules(network), down_to=lowest + 1)
    return {
        f"{network.names[l]}.{key}": gradient
        for l, layer in enumerate(network)
        if layer.parameters
        for key, gradient in layer.gradients(network.read(l, a), signals[l + 1]).items()
    }


def _rules(network: Network) -> list[LocalRule]:
    """The backward pass of every layer; where a max-pooling stands on a ReLU, the ReLU's gate is passed above both.

    The largest of max(0, a) is above 0 exactly where the ReLU lets its winner through, and above the pooling there are
    fewer numbers to look at: the signal below is the same, bit for bit.
    """
    rules: list[LocalRule] = [gradient_rule] * len(network)
    readers = wiring.readers(network.wires)
    for l in range(len(network) - 1):
        if type(network[l]) is ReLU and type(network[l + 1]) is MaxPool2d and readers[l + 1] == [l + 1]:
            rules[l : l + 2] = _through, _gated
    return rules


def _gated(layer: Layer, a_j: np.ndarray, a_k: np.ndarray, R_k: np.ndarray) -> np.ndarray:
    layer.check(a_j, R_k)
    return layer.backward(a_j, kernels.relu_backward(a_k, R_k))


def _through(layer: Layer, a_j: np.ndarray, a_k: np.ndarray, R_k: np.ndarray) -> np.ndarray:
    return R_k
