"""The Gaussian-RBM: numbers x and binary hidden units h that switch directions in x on and off."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy.special import expit

from ...layers.arguments import Shape
from .expert import Expert

GIBBS_STEPS = 1000
"""The length of the chain behind each sample."""


@dataclass(frozen=True, eq=False, repr=False)
class GaussianRBM(Expert):
    """p(x, h) ∝ exp(−‖x − μ‖² / 2σ² + Σ_j h_j (c_j + w_jᵀ x)), h_j ∈ {0, 1}. Summed over all h,

    log p(x) = −‖x − μ‖² / 2σ² + Σ_j log(1 + exp(c_j + w_jᵀ x)) + a constant: minus the free energy of x,

    with the gradient −(x − μ) / σ² + Σ_j p(h_j = 1 | x) w_j. The constant, −log Z, is not known, and left out.

    Given x the hidden units are independent, p(h_j = 1 | x) = sigmoid(c_j + w_jᵀ x); given h, x ~ N(μ + σ² W h, σ² I).

    Shapes: mean μ (D,), W with the columns w_j (D, H), bias c (H,), noise σ² a number above 0. The samples' chains
    start from `chains` (M, D), where the Markov chains of the training ended, by default from μ.

    Raises ValueError: the arrays do not fit each other, or σ² ≤ 0.
    Source: Montavon, Samek and Müller 2018, sec. 3.2; Hinton 2012, "A practical guide to training restricted
    Boltzmann machines".

    >>> expert = GaussianRBM(np.zeros(2), np.array([[1.0], [0.0]]), np.zeros(1), noise=1.0)
    >>> expert(np.array([[0.0, 2.0]]))  # −2 + log 2
    (array([-1.30685282]), array([[ 0.5, -2. ]]))
    """

    mean: np.ndarray
    W: np.ndarray
    bias: np.ndarray
    noise: float
    shape: Shape = ()
    chains: np.ndarray | None = None

    name: ClassVar[str] = "rbm"
    normalised: ClassVar[bool] = False

    def __post_init__(self) -> None:
        D, H = len(np.atleast_1d(self.mean)), np.shape(np.atleast_1d(self.W))[-1]
        chains = {} if self.chains is None else {"chains": (max(1, len(np.atleast_1d(self.chains))), D)}
        self._settle({"mean": (D,), "W": (D, H), "bias": (H,), **chains}, positive=("noise",))

    def _evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away, total = x - self.mean, self.bias + x @ self.W
        value = np.logaddexp(0, total).sum(axis=1) - (away * away).sum(axis=1) / (2 * self.noise)
        return value, expit(total) @ self.W.T - away / self.noise

    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        """A chain of Gibbs sampling for each sample: p(x) in the limit of many steps."""
        x = rng.choice(self.mean[None] if self.chains is None else self.chains, size=n)
        for _ in range(GIBBS_STEPS):
            x = gibbs(x, self.mean, self.W, self.bias, self.noise, rng)
        return x


def gibbs(
    x: np.ndarray, mean: np.ndarray, W: np.ndarray, bias: np.ndarray, noise: float, rng: np.random.Generator
) -> np.ndarray:
    """One step of Gibbs sampling: h given x, then x given h; in the dtype of x."""
    p = expit(bias + x @ W)
    h = (rng.random(p.shape, p.dtype) < p).astype(x.dtype)
    return mean + noise * (h @ W.T) + noise**0.5 * rng.standard_normal(x.shape, x.dtype)
