"""The exact backward pass with one change: another rule on every ReLU.

    gradient                 R_j = R_k        where a_j > 0
    DeConvNet                R_j = max(0, R_k)
    guided backpropagation   R_j = max(0, R_k) where a_j > 0
    leaking, for a search    R_j = max(0, R_k) where the gradient leaves nothing of a sample, else the gradient

On everything else the four are one: transposed weights without bias, the switches of max-pooling, and the derivative
of any other nonlinearity (LeakyReLU, tanh, sigmoid), for which the papers give no rule.
"""

import numpy as np

from ..layers import Layer, ReLU
from ..network import Network
from ..walk import LocalRule, gradient_rule


def with_relu_rule(network: Network, relu: LocalRule) -> list[LocalRule]:
    """One rule for each layer, bottom to top: `relu` on every ReLU, the exact backward pass on all others.

    >>> with_relu_rule(Network([ReLU()]), gradient_rule) == [gradient_rule]
    True
    """
    return [relu if isinstance(layer, ReLU) else gradient_rule for layer in network]


def leaking_rule(layer: Layer, a_j: np.ndarray, a_k: np.ndarray, R_k: np.ndarray) -> np.ndarray:
    """R_j of a ReLU: the gradient; of a sample whose every R_k ends at a closed ReLU, max(0, R_k).

    What would raise a closed neuron passes, what would lower it further does not.

    Source: the redirected gradient of a ReLU in Lucid, the library of Olah et al. 2017, "Feature visualization",
    Distill. There it ends after 16 steps; what it changes is 0 otherwise.

    >>> leaking_rule(ReLU(), np.array([[-1.0, -2.0], [-1.0, 2.0]]), np.zeros((2, 2)), np.array([[3.0, -3.0]] * 2))
    array([[ 3.,  0.],
           [ 0., -3.]])
    """
    R_j = gradient_rule(layer, a_j, a_k, R_k)
    blocked = ~R_j.any(axis=tuple(range(1, R_j.ndim)), keepdims=True)
    return np.where(blocked, np.maximum(0, R_k), R_j) if blocked.any() else R_j
