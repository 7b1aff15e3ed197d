"""Guided backpropagation: the gradient, without whatever is negative on its way.

    signal at the top   1 at the explained score
    local rule          the layer's exact backward pass; a ReLU passes max(0, R) where its input is positive

It joins the gradient (a ReLU passes where a > 0) and DeConvNet (a ReLU passes what is positive). Like them it does not
divide the score: Σ R ≠ f.
"""

import numpy as np

from ..layers import Layer
from ..network import Network
from .method import method
from .relu_rules import with_relu_rule
from .target import Target, explanation
from .tokens import slopes


def guided_rule(layer: Layer, a_j: np.ndarray, a_k: np.ndarray, R_k: np.ndarray) -> np.ndarray:
    """R_j = max(0, R_k) where a_j > 0, else 0: the rule of guided backpropagation on a ReLU."""
    return np.where((a_j > 0) & (R_k > 0), R_k, R_k.dtype.type(0))


@method
@slopes
def guided_backpropagation(network: Network, x: np.ndarray, target: Target = None) -> np.ndarray:
    """R_j = Σ_k w_jk R_k on linear layers, R_j = [a_j > 0] max(0, R_k) on ReLUs, from 1 at f_c.

    Where no weight is negative nothing is cut off, and it is the gradient. Other nonlinearities than ReLU keep their
    exact backward pass.

    network, x, target: as for `gradient`.

    Returns (N, ...), the shape of x.
    Raises TypeError or ValueError: x does not fit the network (shape, dtype, not finite), or a target is not a class or
    a neuron.
    Source: Springenberg et al. 2014, "Striving for simplicity: the all convolutional net", sec. 3.4 and fig. 1.

    >>> from nnlite.layers import Dense, ReLU
    >>> up, down = np.array([[1.0, 1.0], [2.0, -1.0]]), np.array([[3.0], [-1.0]])
    >>> net = Network([Dense(up), ReLU(), Dense(down)])
    >>> guided_backpropagation(net, np.array([[2.0, 1.0]]))     # the gradient is [[2., 7.]]
    array([[3., 6.]])
    """
    return explanation(network, x, target, lambda network: with_relu_rule(network, guided_rule))
