"""The exact backward pass with one change: a rule of its own on every ReLU.

    gradient                 R_j = R_k        where a_j > 0
    DeConvNet                R_j = max(0, R_k)
    guided backpropagation   R_j = max(0, R_k) where a_j > 0

On everything else the three are one: transposed weights without bias, the switches of max-pooling, and the derivative
of any other nonlinearity (LeakyReLU, tanh, sigmoid), for which the papers give no rule.
"""

from ..layers import ReLU
from ..network import Network
from ..walk import LocalRule, gradient_rule


def rules_for(network: Network, relu: LocalRule) -> list[LocalRule]:
    """One rule for each layer, bottom to top: `relu` on every ReLU, the exact backward pass on all others.

    >>> rules_for(Network([ReLU()]), gradient_rule) == [gradient_rule]
    True
    """
    return [relu if isinstance(layer, ReLU) else gradient_rule for layer in network]
