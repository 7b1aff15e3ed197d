"""Backpropagation: the gradient in every parameter, from the walk back that carries every other signal too."""

from collections.abc import Sequence

import numpy as np

from ..network import Network, gradient_rule


def parameter_gradients(network: Network, a: Sequence[np.ndarray], dz: np.ndarray) -> dict[str, np.ndarray]:
    """∂L/∂w = Σ_k ∂L/∂a_k · ∂a_k/∂w for every parameter w of the layer below a_k; ∂L/∂a_k comes from the walk back.

    The walk ends above the lowest layer with parameters: further down nobody asks for the signal.

    Parameters
    ----------
    network
        The network.
    a
        All its activations, as `network.forward(x)` gives them.
    dz
        ∂L/∂a[L], the gradient of the loss in the output, in the shape of a[-1].

    Returns
    -------
    dict
        The gradient in every parameter, named and shaped as in `network.parameters`.

    Raises
    ------
    ValueError
        The activations or dz do not fit the network.

    Source: Rumelhart, Hinton and Williams 1986, "Learning representations by back-propagating errors", eq. 4 to 7.

    >>> from nnlite.layers import Dense, ReLU
    >>> network = Network([Dense(np.eye(2)), ReLU(), Dense(np.ones((2, 1)))])
    >>> a = network.forward(np.array([[3.0, -1.0]]))
    >>> parameter_gradients(network, a, np.array([[1.0]]))
    {'dense1.W': array([[ 3.,  0.],
           [-1.,  0.]]), 'dense2.W': array([[3.],
           [0.]])}
    """
    if len(a) != len(network) + 1:
        raise ValueError(
            f"{len(network)} layers have {len(network) + 1} activations, and {len(a)} came; give network.forward(x)."
        )
    lowest = next((i for i, layer in enumerate(network) if layer.parameters), None)
    if lowest is None:
        return {}
    above = network[lowest + 1 :]
    signals = above.walk_back(a[lowest + 1 :], dz, [gradient_rule] * len(above))
    return {
        f"{name}.{key}": gradient
        for name, layer, a_j, dz_k in zip(
            network.names[lowest:], network.layers[lowest:], a[lowest:-1], signals, strict=True
        )
        if layer.parameters
        for key, gradient in layer.gradients(a_j, dz_k).items()
    }
