"""The gradient of the explained score in the input, and the maps made of it.

    signal at the top   1 at the explained score
    local rule          the layer's exact backward pass

A gradient says how the score would move if a pixel moved. It does not divide the score: Σ R ≠ f. (On the slides'
f(x, y) = x² + y² − 9 it points straight away from the origin, whatever the value of f.)
"""

import numpy as np

from ..network import Network
from ..walk import gradient_rule
from .method import method, takes_network
from .target import Target, explanation
from .tokens import slopes


@method
@slopes
def gradient(network: Network, x: np.ndarray, target: Target = None) -> np.ndarray:
    """g_i = ∂f_c / ∂x_i, exactly.

    network: any network; a Softmax at its end is left out, scores are explained.
    x: (N, ...) in the dtype of the network.
    target: the class c: one for all samples, one for each (N,), or None for the predicted class. Or a neuron, such as
        ("conv2", 7): see `target.explained`.

    Returns (N, ...), the shape of x.
    Raises TypeError or ValueError: x does not fit the network (shape, dtype, not finite), or a target is not a class.
    Source: Simonyan et al. 2013, "Deep inside convolutional networks", sec. 3.1; slides, "Saliency maps".

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[1.0, -2.0], [0.5, 3.0]]))])
    >>> gradient(net, np.array([[1.0, 1.0]]), target=1)
    array([[-2.,  3.]])
    """
    return explanation(network, x, target, lambda network: [gradient_rule] * len(network))


@takes_network
def saliency(network: Network, x: np.ndarray, target: Target = None) -> np.ndarray:
    """S = max over channels of |∂f_c / ∂x|.

    Parameters, Raises: as `gradient`.

    Returns (N, H, W) for images (N, C, H, W); for inputs without channels (N, J) the plain |∂f_c / ∂x|.
    Source: Simonyan et al. 2013, sec. 3.1 (the maximum over colour channels); slides, "Saliency maps".

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, Flatten
    >>> net = Network([Flatten(), Dense(np.array([[1.0], [-2.0], [0.5], [0.0]]))])
    >>> saliency(net, np.ones((1, 2, 1, 2)))     # two channels of two pixels
    array([[[1., 2.]]])
    """
    g = np.abs(gradient(network, x, target))
    return g.max(axis=1) if g.ndim == 4 else g


@method
def sensitivity(network: Network, x: np.ndarray, target: Target = None) -> np.ndarray:
    """R_i = (∂f_c / ∂x_i)².

    Parameters, Returns, Raises: as `gradient`. The sum is ‖∇f_c‖², not the score.

    Source: Montavon et al. 2018, "Methods for interpreting and understanding deep neural networks", eq. 2.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense
    >>> sensitivity(Network([Dense(np.array([[3.0], [-2.0]]))]), np.ones((1, 2)))
    array([[9., 4.]])
    """
    return gradient(network, x, target) ** 2


@method
def gradient_times_input(network: Network, x: np.ndarray, target: Target = None) -> np.ndarray:
    """R_i = x_i ∂f_c / ∂x_i.

    Parameters, Returns, Raises: as `gradient`. On a ReLU network it is LRP-0; without biases it sums
    to the score.

    Source: Shrikumar et al. 2016, "Not just a black box", sec. 2.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense
    >>> gradient_times_input(Network([Dense(np.array([[3.0], [-2.0]]))]), np.array([[2.0, 1.0]]))
    array([[ 6., -2.]])
    """
    return x * gradient(network, x, target)
