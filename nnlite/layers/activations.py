"""The nonlinearities, applied to each element separately (Softmax: to each sample)."""

from dataclasses import dataclass

import numpy as np

from .. import kernels
from .arguments import Shape, number
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class ReLU(Layer):
    """z = max(0, a); ∂z/∂a = 1 where a > 0, else 0 (0 at a = 0, as in PyTorch).

    Source: slides, "Layer-wise Relevance Propagation", forward pass.

    >>> ReLU().forward(np.array([-1.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """

    pointwise = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return np.maximum(a, 0)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check_above(a, dz)
        return kernels.relu_backward(a, dz)


@dataclass(frozen=True, eq=False, repr=False)
class LeakyReLU(Layer):
    """z = a where a > 0, else slope · a; ∂z/∂a = 1 where a > 0, else slope. PyTorch's `nn.LeakyReLU`.

    Source: Maas et al. 2013, eq. 2.

    >>> LeakyReLU(0.1).forward(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    pointwise = True
    slope: float = 0.01

    def __post_init__(self) -> None:
        self._set(slope=number("LeakyReLU", "slope", self.slope))

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return np.where(a > 0, a, a * a.dtype.type(self.slope))

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check_above(a, dz)
        return np.where(a > 0, dz, dz * dz.dtype.type(self.slope))


@dataclass(frozen=True, eq=False, repr=False)
class Tanh(Layer):
    """z = tanh(a); ∂z/∂a = 1 − z².

    Source: LeCun et al. 1998, appendix A.

    >>> Tanh().forward(np.array([0.0]))
    array([0.])
    """

    pointwise = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return np.tanh(a)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check_above(a, dz)
        return dz * (1 - np.tanh(a) ** 2)


@dataclass(frozen=True, eq=False, repr=False)
class Sigmoid(Layer):
    """z = 1 / (1 + e^(−a)); ∂z/∂a = z (1 − z). Neither side overflows.

    Source: Bishop 2006, "Pattern recognition and machine learning", eq. 4.59 and 4.88.

    >>> Sigmoid().forward(np.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """

    pointwise = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return _logistic(a)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check_above(a, dz)
        z = _logistic(a)
        return dz * z * (1 - z)


@dataclass(frozen=True, eq=False, repr=False)
class Softmax(Layer):
    """z_k = e^(a_k) / Σ_i e^(a_i) over axis 1; da_k = z_k (dz_k − Σ_i z_i dz_i).

    At the end of a network it turns scores into probabilities; explanations start below it, at the scores.

    Shapes: a and z (N, K) or (N, K, H, W).

    Source: Bishop 2006, "Pattern recognition and machine learning", eq. 4.104 and 4.106.

    >>> Softmax().forward(np.array([[0.0, 0.0]]))
    array([[0.5, 0.5]])
    """

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return _softmax(a)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check_above(a, dz)
        z = _softmax(a)
        return z * (dz - (z * dz).sum(axis=1, keepdims=True))

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2:
            raise self.refuse(shape, "(N, K) or (N, K, H, W)")
        return shape


@dataclass(frozen=True, eq=False, repr=False)
class LogSoftmax(Softmax):
    """z_k = a_k − log Σ_i e^(a_i) over axis 1, the logarithm of a Softmax; da_k = dz_k − e^(z_k) Σ_i dz_i.

    It is computed from a − max a, so that nothing overflows. At the end of a network it is left out as a Softmax is.

    Shapes: a and z (N, K) or (N, K, H, W).

    Source: Goodfellow et al. 2016, "Deep learning", eq. 6.30 and 6.33.

    >>> LogSoftmax().forward(np.array([[0.0, 1000.0]]))
    array([[-1000.,     0.]])
    """

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        below = a - a.max(axis=1, keepdims=True)
        return below - np.log(np.exp(below).sum(axis=1, keepdims=True))

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check_above(a, dz)
        return dz - _softmax(a) * dz.sum(axis=1, keepdims=True)


def _logistic(a: np.ndarray) -> np.ndarray:
    """1 / (1 + e^(−a)), as e^a / (1 + e^a) where a < 0: e^(−|a|) never overflows."""
    e = np.exp(-np.abs(a))
    return np.where(a < 0, e, 1) / (1 + e)


def _softmax(a: np.ndarray) -> np.ndarray:
    """e^(a_k) / Σ_i e^(a_i) over axis 1, from a − max a, so that nothing overflows."""
    e = np.exp(a - a.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)
