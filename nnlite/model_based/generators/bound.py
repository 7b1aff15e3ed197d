"""The variational bound: log p(x) ≥ E_q [log p(x|z)] − KL(q(z|x) ‖ p(z)), its two pieces and their gradients.

The code of x is drawn from q(z|x) = N(μ, σ²), which the encoder gives; p(z) = N(0, 1); and p(x|z) is one Bernoulli law
a pixel, whose mean is the decoder's output sigmoid(s).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from ...layers import Layer
from ...layers.arguments import Shape, is_floats, kind_of, parameter


def reconstruction(scores: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """−log p(x|z) = Σ_i [log(1 + e^(s_i)) − x_i s_i];   its gradient in s_i is sigmoid(s_i) − x_i.

    The binary cross-entropy of each image in nats (N,), and its gradient (N, ...), from the scores s (N, ...), the
    decoder's output before its sigmoid, and the images x, in their shape and dtype.

    Raises ValueError: shapes or dtypes differ, or a pixel lies outside [0, 1] or is not a number.
    Source: Kingma and Welling 2014, "Auto-encoding variational Bayes", appendix C.1.

    >>> reconstruction(np.array([[0.0, 0.0]]), np.array([[1.0, 0.5]]))
    (array([1.38629436]), array([[-0.5,  0. ]]))
    """
    _check(scores, "scores")
    _check(x, "x")
    if x.shape != scores.shape or x.dtype != scores.dtype:
        raise ValueError(f"x takes the shape and dtype of the scores, {scores.shape} {scores.dtype}; got {kind_of(x)}.")
    if not (x.min() >= 0 and x.max() <= 1):  # a NaN fails both
        raise ValueError(f"x takes pixels from 0 to 1, and they go from {x.min()} to {x.max()}; scale them.")
    # without overflow, and without the difference of log(1 + e^s) and x s where both are large
    size = np.abs(scores)
    return _summed(np.where(scores > 0, 1 - x, x) * size + np.log1p(np.exp(-size))), expit(scores) - x


def divergence(code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σ_i [μ_i² + σ_i² − 1 − log σ_i²];   its gradient: μ, and ½ (σ² − 1) in log σ².

    In nats (N,), with the gradient (N, 2d), for what the encoder gives: the means μ, then the log variances log σ².

    Raises ValueError: the code is not (N, 2d).
    Source: Kingma and Welling 2014, appendix B.

    >>> divergence(np.array([[2.0, 0.0]]))
    (array([2.]), array([[2., 0.]]))
    """
    mean, log_variance = halves(code)
    variance = np.exp(log_variance)
    value = _summed(mean * mean + (np.expm1(log_variance) - log_variance)) / 2  # σ² − 1 to all digits near σ = 1
    return value, np.concatenate([mean, (variance - 1) / 2], axis=1)


def vae_loss(code: np.ndarray, scores: np.ndarray, x: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """L = 1/N Σ_n [−log p(x_n|z_n) + KL_n], minus the bound, with one draw z_n for each image.

    The scores are what the decoder gives for z = Reparameterisation(noise).forward(code), before its sigmoid. Returned
    are the loss in nats an image; the gradient of its divergence in the code (the reconstruction's comes on top: it
    goes down from the scores through the decoder and the Reparameterisation); and its gradient in the scores.

    Raises ValueError: as the pieces; or the code and x differ in length or dtype.
    Source: Kingma and Welling 2014, eq. 10 with one draw.

    >>> loss, dcode, dscores = vae_loss(np.array([[2.0, 0.0]]), np.array([[0.0]]), np.array([[1.0]]))
    >>> round(loss, 4), dcode, dscores
    (2.6931, array([[2., 0.]]), array([[-0.5]]))
    """
    bits, dscores = reconstruction(scores, x)
    nats, dcode = divergence(code)
    if len(code) != len(x) or code.dtype != x.dtype:
        raise ValueError(f"The code and x must be of the same samples and dtype; got {kind_of(code)} and {kind_of(x)}.")
    loss = (bits + nats).mean(dtype=np.float64)
    return float(loss), dcode / len(x), dscores / len(x)


@dataclass(frozen=True, eq=False, repr=False)
class Reparameterisation(Layer):
    """z = μ + σ ε: a draw of the code as a function of its law, with the noise ε held fixed.

    ∂z/∂μ = 1, ∂z/∂(log σ²) = ½ σ ε.

    Shapes: noise ε (N, d) from the standard normal; a (N, 2d): μ and log σ²; z (N, d).

    Source: Kingma and Welling 2014, sec. 2.4 and eq. 10.

    >>> Reparameterisation(np.array([[-1.0]])).forward(np.array([[2.0, 0.0]]))
    array([[1.]])
    """

    noise: np.ndarray

    def __post_init__(self) -> None:
        self._set(noise=parameter("Reparameterisation", "noise", self.noise, 2))

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        mean, log_variance = halves(a)
        return mean + np.exp(log_variance / 2) * self.noise

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        sigma = np.exp(halves(a)[1] / 2)
        return np.concatenate([dz, dz * sigma * self.noise / 2], axis=1)

    def output_shape(self, shape: Shape) -> Shape:
        samples, size = self.noise.shape
        if tuple(shape) != (samples, 2 * size):
            raise self.refuse(shape, f"({samples}, {2 * size})", "The noise was drawn for this shape.")
        return samples, size


def noise_for(code: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """ε (N, d) from the standard normal, in the dtype of the code (N, 2d)."""
    return rng.standard_normal((len(code), code.shape[1] // 2)).astype(code.dtype)


def halves(code: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the log variance (N, d) in what an encoder gives (N, 2d)."""
    _check(code, "code")
    if code.ndim != 2 or code.shape[1] % 2:
        raise ValueError(f"code takes (N, 2d): d means, then d log variances; got {kind_of(code)}.")
    return code[:, : code.shape[1] // 2], code[:, code.shape[1] // 2 :]


def _summed(array: np.ndarray) -> np.ndarray:
    return array.sum(axis=tuple(range(1, array.ndim)))


def _check(array: np.ndarray, name: str) -> None:
    if not is_floats(name, array) or array.ndim < 2 or array.size == 0:
        raise ValueError(
            f"{name} takes a float32 or float64 array (N, ...) with one sample or more, got {kind_of(array)}."
        )
