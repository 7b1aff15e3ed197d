"""The nonlinearities that act on each element separately: each is its f and its slope f′. (ReLU is in activations.py.)

None of them overflows, however large |a| is. (One file, for each is a few lines.)
"""

from dataclasses import dataclass

import numpy as np

from .arguments import Shape, number, parameter, unmasked
from .layer import Layer


class Pointwise(Layer):
    """z = f(a); da = f′(a) dz, element by element."""

    pointwise = True

    def f(self, a: np.ndarray) -> np.ndarray:
        """f(a)."""
        raise NotImplementedError

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        """f′(a)."""
        raise NotImplementedError

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return self.f(a)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return dz * self.slope_at(a).astype(a.dtype, copy=False)


@dataclass(frozen=True, eq=False, repr=False)
class LeakyReLU(Pointwise):
    """z = a where a > 0, else slope · a; ∂z/∂a = 1 where a > 0, else slope. PyTorch's `nn.LeakyReLU`.

    Source: Maas et al. 2013, eq. 2.

    >>> LeakyReLU(0.1).forward(np.array([-1.0, 2.0]))
    array([-0.1,  2. ])
    """

    slope: float = 0.01

    def __post_init__(self) -> None:
        self._set(slope=number("LeakyReLU", "slope", self.slope))

    def f(self, a: np.ndarray) -> np.ndarray:
        return np.where(a > 0, a, a * a.dtype.type(self.slope))

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        return np.where(a > 0, 1, self.slope)


@dataclass(frozen=True, eq=False, repr=False)
class PReLU(Pointwise):
    """z = a where a > 0, else slope · a, with a slope that is trained: one for all, or one for each channel (axis 1).

    Shapes: slope a number, (1,) or (C,); a and z (N, ...), or (N, C, ...) with a slope for each channel. PyTorch's
    `nn.PReLU`.

    Source: He et al. 2015, "Delving deep into rectifiers", eq. 1.

    >>> PReLU([0.5, 0.0]).forward(np.array([[-1.0, -1.0], [2.0, 2.0]]))
    array([[-0.5, -0. ],
           [ 2. ,  2. ]])
    """

    slope: np.ndarray
    trained = ("slope",)

    def __post_init__(self) -> None:
        slope = parameter("PReLU", "slope", np.atleast_1d(unmasked("slope", self.slope)), ndim=1)
        if not len(slope):
            raise ValueError("PReLU: slope takes a number, or one for each channel, got none.")
        self._set(slope=slope)

    def f(self, a: np.ndarray) -> np.ndarray:
        return np.where(a > 0, a, a * self._along(a))

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        return np.where(a > 0, 1, self._along(a))

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check(a, dz)
        axes = tuple(axis for axis in range(a.ndim) if axis != 1 or len(self.slope) == 1)
        return {"slope": (dz * np.minimum(a, 0)).sum(axis=axes).reshape(self.slope.shape)}

    def output_shape(self, shape: Shape) -> Shape:
        channels = len(self.slope)
        if channels > 1 and (len(shape) < 2 or shape[1] != channels):
            raise self.refuse(shape, f"(N, {channels}, ...)")
        return shape

    def _along(self, a: np.ndarray) -> np.ndarray:
        return self.slope.reshape(-1, *(1,) * (a.ndim - 2))


@dataclass(frozen=True, eq=False, repr=False)
class Tanh(Pointwise):
    """z = tanh(a); ∂z/∂a = 1 − z².

    Source: LeCun et al. 1998, appendix A.

    >>> Tanh().forward(np.array([0.0]))
    array([0.])
    """

    def f(self, a: np.ndarray) -> np.ndarray:
        return np.tanh(a)

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        return 1 - np.tanh(a) ** 2


@dataclass(frozen=True, eq=False, repr=False)
class Sigmoid(Pointwise):
    """z = 1 / (1 + e^(−a)); ∂z/∂a = z (1 − z).

    Source: Bishop 2006, "Pattern recognition and machine learning", eq. 4.59 and 4.88.

    >>> Sigmoid().forward(np.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """

    nonnegative = True

    def f(self, a: np.ndarray) -> np.ndarray:
        return _logistic(a)

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        z = _logistic(a)
        return z * (1 - z)


@dataclass(frozen=True, eq=False, repr=False)
class ReLU6(Pointwise):
    """z = min(max(0, a), 6); ∂z/∂a = 1 where 0 < a < 6, else 0. PyTorch's `nn.ReLU6`.

    Source: Krizhevsky 2010, "Convolutional deep belief networks on CIFAR-10", sec. 2.

    >>> ReLU6().forward(np.array([-1.0, 2.0, 7.0]))
    array([0., 2., 6.])
    """

    nonnegative = True

    def f(self, a: np.ndarray) -> np.ndarray:
        return np.clip(a, 0, 6)

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        return (a > 0) & (a < 6)


@dataclass(frozen=True, eq=False, repr=False)
class Hardsigmoid(Pointwise):
    """z = min(max(0, a + 3), 6) / 6; ∂z/∂a = 1/6 where |a| < 3, else 0. PyTorch's `nn.Hardsigmoid`.

    Source: Howard et al. 2019, "Searching for MobileNetV3", sec. 5.2.

    >>> Hardsigmoid().forward(np.array([-3.0, 0.0, 4.0]))
    array([0. , 0.5, 1. ])
    """

    nonnegative = True

    def f(self, a: np.ndarray) -> np.ndarray:
        return np.clip(a + 3, 0, 6) / 6

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        return (np.abs(a) < 3) / 6


@dataclass(frozen=True, eq=False, repr=False)
class Hardswish(Pointwise):
    """z = a · min(max(0, a + 3), 6) / 6; ∂z/∂a = 0 where a ≤ −3, 1 where a ≥ 3, else a / 3 + 1/2. `nn.Hardswish`.

    Source: Howard et al. 2019, "Searching for MobileNetV3", sec. 5.2.

    >>> Hardswish().forward(np.array([-3.0, 1.5, 4.0]))
    array([-0.   ,  1.125,  4.   ])
    """

    def f(self, a: np.ndarray) -> np.ndarray:
        return a * (np.clip(a + 3, 0, 6) / 6)

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        return np.where(a >= 3, 1, np.where(a <= -3, 0, a / 3 + 0.5))


@dataclass(frozen=True, eq=False, repr=False)
class SiLU(Pointwise):
    """z = a σ(a); ∂z/∂a = σ(a) (1 + a (1 − σ(a))), with σ the Sigmoid. PyTorch's `nn.SiLU`, also called swish.

    Source: Elfwing et al. 2018, "Sigmoid-weighted linear units for neural network function approximation", eq. 2 and 3.

    >>> SiLU().forward(np.array([-1.0, 0.0, 2.0])).round(6)
    array([-0.268941,  0.      ,  1.761594])
    """

    def f(self, a: np.ndarray) -> np.ndarray:
        return a * _logistic(a)

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        z = _logistic(a)
        return z * (1 + a * (1 - z))


@dataclass(frozen=True, eq=False, repr=False)
class GELU(Pointwise):
    """z = a Φ(a); ∂z/∂a = Φ(a) + a φ(a), with Φ the distribution of a standard normal variable and φ its density.

    With approximate="tanh": z = a (1 + tanh u) / 2 with u = √(2/π) (a + 0.044715 a³), and the slope of that. PyTorch's
    `nn.GELU`.

    Source: Hendrycks and Gimpel 2016, "Gaussian error linear units", sec. 2.

    >>> GELU().forward(np.array([-1.0, 0.0, 2.0])).round(6)
    array([-0.158655,  0.      ,  1.9545  ])
    """

    approximate: str = "none"

    def __post_init__(self) -> None:
        if self.approximate not in ("none", "tanh"):
            raise ValueError(f"GELU: approximate takes 'none' or 'tanh', got {self.approximate!r}.")

    def f(self, a: np.ndarray) -> np.ndarray:
        return a * self._weight(np.clip(a, -40, 40))  # beyond, Φ is 0 or 1 and φ is 0; here no power overflows

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        b = np.clip(a, -40, 40)
        weight = self._weight(b)
        if self.approximate == "tanh":
            density = 2 * weight * (1 - weight) * (ROOT_2_PI * (1 + 3 * CUBE * b * b))
        else:
            density = np.exp(-b * b / 2) * (ROOT_2_PI / 2)
        return weight + a * density

    def _weight(self, a: np.ndarray) -> np.ndarray:
        """Φ(a), or its approximation."""
        if self.approximate == "tanh":
            return (1 + np.tanh(ROOT_2_PI * (a + CUBE * a * a * a))) / 2
        from scipy.special import ndtr  # here: it takes a while to import

        return ndtr(a)


ROOT_2_PI, CUBE = float(np.sqrt(2 / np.pi)), 0.044715


@dataclass(frozen=True, eq=False, repr=False)
class ELU(Pointwise):
    """z = a where a > 0, else alpha (e^a − 1); ∂z/∂a = 1 where a > 0, else alpha e^a. PyTorch's `nn.ELU`.

    Source: Clevert et al. 2016, "Fast and accurate deep network learning by exponential linear units", sec. 3.

    >>> ELU().forward(np.array([-1000.0, 2.0]))
    array([-1.,  2.])
    """

    alpha: float = 1.0

    def __post_init__(self) -> None:
        self._set(alpha=number("ELU", "alpha", self.alpha))

    def f(self, a: np.ndarray) -> np.ndarray:
        return np.where(a > 0, a, self.alpha * np.expm1(np.minimum(a, 0)))

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        return np.where(a > 0, 1, self.alpha * np.exp(np.minimum(a, 0)))


@dataclass(frozen=True, eq=False, repr=False)
class Softplus(Pointwise):
    """z = log(1 + e^(beta a)) / beta, a smooth ReLU; ∂z/∂a = σ(beta a), with σ the Sigmoid. PyTorch's `nn.Softplus`.

    PyTorch gives a itself where beta a > 20; there the two differ by at most 2e-9 / beta.

    Source: Dugas et al. 2001, "Incorporating second-order functional knowledge for better option pricing", sec. 2.

    >>> Softplus().forward(np.array([-1000.0, 0.0, 40.0])).round(6)
    array([ 0.      ,  0.693147, 40.      ])
    """

    beta: float = 1.0
    nonnegative = True

    def __post_init__(self) -> None:
        self._set(beta=number("Softplus", "beta", self.beta))
        if self.beta <= 0:
            raise ValueError(f"Softplus: beta takes a number above 0, got {self.beta}.")

    def f(self, a: np.ndarray) -> np.ndarray:
        return np.logaddexp(0, self.beta * a) / self.beta

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        return _logistic(self.beta * a)


def _logistic(a: np.ndarray) -> np.ndarray:
    """1 / (1 + e^(−a)), as e^a / (1 + e^a) where a < 0: e^(−|a|) never overflows."""
    e = np.exp(-np.abs(a))
    return np.where(a < 0, e, 1) / (1 + e)
