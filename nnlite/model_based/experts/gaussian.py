"""The Gaussian expert: one mean and one full covariance."""

from dataclasses import dataclass, field
from math import log, pi
from typing import ClassVar

import numpy as np
from scipy.linalg import cho_solve, eigh

from ...kernels.blas import one_blas_thread
from ...layers.arguments import Shape
from .expert import Expert, above_zero, data

FLOOR = 1e-3
"""The least variance in any direction, by default: a standard deviation of 0.03, for pixels in [0, 1]."""


@dataclass(frozen=True, eq=False, repr=False)
class Gaussian(Expert):
    """log p(x) = −½ (x − μ)ᵀ Σ⁻¹ (x − μ) − ½ log |2π Σ|, gradient −Σ⁻¹ (x − μ).

    Shapes: mean μ (D,), covariance Σ (D, D).

    Raises ValueError: the arrays do not fit each other, or Σ is not symmetric or not positive definite.
    Source: Montavon, Samek and Müller 2018, sec. 3.2.

    >>> expert = Gaussian(np.zeros(2), np.eye(2))
    >>> expert(np.array([[3.0, 4.0]]))
    (array([-14.33787707]), array([[-3., -4.]]))
    """

    mean: np.ndarray
    covariance: np.ndarray
    shape: Shape = ()
    _root: np.ndarray = field(init=False, repr=False)  # L with Σ = L Lᵀ
    _precision: np.ndarray = field(init=False, repr=False)
    _constant: float = field(init=False, repr=False)

    name: ClassVar[str] = "gaussian"

    def __post_init__(self) -> None:
        D = len(np.atleast_1d(self.mean))
        self._settle({"mean": (D,), "covariance": (D, D)})
        if np.abs(self.covariance - self.covariance.T).max() > 1e-9 * np.abs(self.covariance).max():
            raise ValueError("Gaussian: covariance must be symmetric.")
        try:
            with one_blas_thread():  # on several threads the last bits differ from call to call
                L = np.linalg.cholesky(self.covariance)
                precision = cho_solve((L, True), np.eye(D))
        except np.linalg.LinAlgError:
            raise ValueError("Gaussian: covariance must be positive definite; fit with a floor above 0.") from None
        object.__setattr__(self, "_root", L)
        object.__setattr__(self, "_precision", precision)
        object.__setattr__(self, "_constant", -D / 2 * log(2 * pi) - np.log(np.diag(L)).sum())

    @classmethod
    def fit(cls, x: np.ndarray, *, floor: float = FLOOR) -> "Gaussian":
        """The most likely Gaussian among those whose variance is at least `floor` in every direction.

        μ = mean of x;  Σ = Σ_i max(λ_i, floor) u_i u_iᵀ, with the eigenvalues λ_i and eigenvectors u_i of the data's
        covariance. So pixels that are always black do not make it singular.

        Raises TypeError or ValueError: x is not (N, ...) of two samples or more, float32 or float64; holds a NaN, an
        infinity or a number above 1e100; or floor is not above 0.

        >>> expert = Gaussian.fit(np.array([[0.0, 1.0], [2.0, 1.0]]), floor=0.25)
        >>> expert.mean, expert.covariance
        (array([1., 1.]), array([[1.  , 0.  ], [0.  , 0.25]]))
        """
        x, shape = data("Gaussian.fit", x)
        floor = above_zero("Gaussian.fit", "floor", floor)
        mean = x.mean(axis=0)
        Y = x - mean
        values, U = eigh(Y.T @ Y / len(x))
        covariance = (U * np.maximum(values, floor)) @ U.T
        return cls(mean, (covariance + covariance.T) / 2, shape)

    def _evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gradient = -(x - self.mean) @ self._precision
        value = self._constant + ((x - self.mean) * gradient).sum(axis=1) / 2
        return value, gradient

    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """x = μ + L e with Σ = L Lᵀ and e ~ N(0, I)."""
        return self.mean + rng.standard_normal((n, len(self.mean))) @ self._root.T
