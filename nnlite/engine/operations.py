"""The operations of a row by name: what a layer is, how it goes back, and what the signal at the top is."""

from enum import IntEnum

from ..layers import Layer

Groups = tuple[tuple[float, tuple[tuple[int, Layer], ...]], ...]
"""Of Mode.GROUPS: for each group κ and its terms. A term is the sign of the inputs that it is fed, 1 or -1, 0 for all,
and layer′, the layer with other weights.
"""


class Kind(IntEnum):
    """What a layer is."""

    SAME, DENSE, CONV, RELU, MAX, MEAN = range(6)


class Mode(IntEnum):
    """How a layer turns the signal above it into the signal below.

    EXACT     the backward pass
    PASS      R_j = R_k: a ReLU in LRP
    POSITIVE  R_j = max(0, R_k): a ReLU in DeConvNet
    GUIDED    R_j = max(0, R_k) where a_j > 0: a ReLU in guided backpropagation
    EPSILON   the four steps of LRP-ε: z, s = R / (z + ε sgn z), c, R_j = a_j c_j
    GROUPS    the four steps with κ R for R, by the same layer with other weights; summed over its groups
    """

    EXACT, PASS, POSITIVE, GUIDED, EPSILON, GROUPS = range(6)


class Start(IntEnum):
    """The signal at the top, where class c is chosen.

    ONE              1 at c, 0 elsewhere
    SCORE            z_c at c, 0 elsewhere
    LOG_PROBABILITY  [k = c] − p_k with p = softmax(z): the gradient of log p_c
    """

    ONE, SCORE, LOG_PROBABILITY = range(3)
