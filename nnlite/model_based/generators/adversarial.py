"""The two players' losses, as functions of the discriminator's scores.

D(x) = sigmoid(d) is the probability, in the discriminator's eyes, that x is real; d is its score.
"""

import numpy as np
from scipy.special import expit

from ...layers.arguments import DTYPES, kind_of


def discriminator_loss(real: np.ndarray, fake: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """L = −1/N Σ log D(x) − 1/M Σ log(1 − D(g(z))), and its gradients (D − 1) / N and D / M in the two.

    Shapes: the scores of real images (N, 1), of fake ones (M, 1).

    Raises ValueError: the scores are not (N, 1), float32 or float64.
    Source: Goodfellow et al. 2014, "Generative adversarial nets", eq. 1 and algorithm 1.

    >>> discriminator_loss(np.array([[0.0]]), np.array([[0.0]]))
    (1.3862943611198906, array([[-0.5]]), array([[0.5]]))
    """
    from_real, dreal = generator_loss(real)
    from_fake, dfake = generator_loss(-fake)
    return from_real + from_fake, dreal, -dfake


def generator_loss(fake: np.ndarray) -> tuple[float, np.ndarray]:
    """L = −1/N Σ log D(g(z)), the non-saturating loss, and its gradient (D − 1) / N in the scores (N, 1).

    Where the discriminator is sure that images are generated, log(1 − D) is flat and −log D is steep.

    Raises ValueError: the scores are not (N, 1), float32 or float64.
    Source: Goodfellow et al. 2014, sec. 3.

    >>> generator_loss(np.array([[0.0]]))
    (0.6931471805599453, array([[-0.5]]))
    """
    if not isinstance(fake, np.ndarray) or fake.dtype not in DTYPES or fake.shape[1:] != (1,) or len(fake) == 0:
        raise ValueError(f"A discriminator's scores are a float32 or float64 array (N, 1), got {kind_of(fake)}.")
    # −log sigmoid(d) = log(1 + e^(−d)), without overflow
    loss = np.logaddexp(0, -fake).mean(dtype=np.float64)
    return float(loss), (expit(fake) - 1) / len(fake)
