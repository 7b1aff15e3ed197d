"""ReLU, and the Softmax that turns scores into probabilities. (The other nonlinearities are in pointwise.py.)"""

from dataclasses import dataclass

import numpy as np

from .. import kernels
from .arguments import Shape, is_integer
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class ReLU(Layer):
    """z = max(0, a); ∂z/∂a = 1 where a > 0, else 0 (0 at a = 0, as in PyTorch).

    Source: slides, "Layer-wise Relevance Propagation", forward pass.

    >>> ReLU().forward(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """

    pointwise = nonnegative = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return np.maximum(a, 0)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return kernels.relu_backward(a, dz)


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Layer):
    """z_k = e^(a_k) / Σ_i e^(a_i) over one axis; da_k = z_k (dz_k − Σ_i z_i dz_i).

    At the end of a network it turns scores into probabilities; explanations start below it, at the scores. In attention
    it goes over the keys, the last axis: Softmax(-1).

    Shapes: a and z (N, K) or (N, K, H, W), the classes on axis 1; any with such an axis.

    Source: Bishop 2006, "Pattern recognition and machine learning", eq. 4.104 and 4.106.

    >>> Softmax().forward(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """

    axis: int = 1

    def __post_init__(self) -> None:
        if not is_integer(self.axis) or self.axis == 0:
            raise ValueError(f"{type(self).__name__}: axis takes an integer, not 0 (the batch), got {self.axis!r}.")

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return _softmax(a, self.axis)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        z = _softmax(a, self.axis)
        return z * (dz - (z * dz).sum(axis=self.axis, keepdims=True))

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2 or not -len(shape) < self.axis < len(shape):
            raise self.refuse(shape, f"(N, ...) with an axis {self.axis}")
        return shape


@dataclass(frozen=True, eq=False, repr=False)
class LogSoftmax(Softmax):
    """z_k = a_k − log Σ_i e^(a_i) over one axis, the logarithm of a Softmax; da_k = dz_k − e^(z_k) Σ_i dz_i.

    It is computed from a − max a, so that nothing overflows. At the end of a network it is left out as a Softmax is.

    Shapes: as for Softmax.

    Source: Goodfellow et al. 2016, "Deep learning", eq. 6.30 and 6.33.

    >>> LogSoftmax().forward(np.array([[0.0, 1000.0]]))
    array([[-1000.,     0.]])
    """

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        below = a - a.max(axis=self.axis, keepdims=True)
        return below - np.log(np.exp(below).sum(axis=self.axis, keepdims=True))

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return dz - _softmax(a, self.axis) * dz.sum(axis=self.axis, keepdims=True)


def _softmax(a: np.ndarray, axis: int) -> np.ndarray:
    """e^(a_k) / Σ_i e^(a_i) over an axis, from a − max a, so that nothing overflows."""
    e = np.exp(a - a.max(axis=axis, keepdims=True))
    return e / e.sum(axis=axis, keepdims=True)
