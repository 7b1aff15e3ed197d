"""Gaussians whose covariance is a few directions and white noise: C = W Wᵀ + σ² I. Densities, gradients, the best fit.

With M = Wᵀ W + σ² I, only q × q, the matrices of the density follow without one of D × D (Woodbury's identity):

    C⁻¹ = (I − W M⁻¹ Wᵀ) / σ²        log |C| = log |M| + (D − q) log σ²

Source: Tipping and Bishop 1999, "Probabilistic principal component analysis"; the same, "Mixtures of probabilistic
principal component analysers".
"""

from math import log, pi

import numpy as np
from scipy.linalg import eigh, solve_triangular


class LowRank:
    """K Gaussians N(μ_k, W_k W_kᵀ + σ²_k I) together.

    Shapes: mean (K, D), W (K, D, q), noise σ² (K,).
    """

    def __init__(self, mean: np.ndarray, W: np.ndarray, noise: np.ndarray) -> None:
        K, D, q = W.shape
        M = np.swapaxes(W, 1, 2) @ W + noise[:, None, None] * np.eye(q)
        L = np.linalg.cholesky(M)  # M = L Lᵀ, so that W M⁻¹ Wᵀ = A Aᵀ with A = W L⁻ᵀ
        A = np.stack([solve_triangular(L[k], W[k].T, lower=True) for k in range(K)])  # Aᵀ: (K, q, D)
        self.centre, self.noise, self.rows = mean.mean(axis=0), noise, A.reshape(K * q, D)
        self.mean = mean - self.centre  # distances from the middle of all lose fewer digits
        self.projected_mean = np.einsum("kqd,kd->kq", A, self.mean)
        log_C = 2 * np.log(np.diagonal(L, axis1=1, axis2=2)).sum(axis=1) + (D - q) * np.log(noise)
        self.constant = -(D * log(2 * pi) + log_C) / 2

    def log_density(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """log N(x; k) = −½ (D log 2π + log |C_k| + (x − μ_k)ᵀ C_k⁻¹ (x − μ_k)), (N, K); and Aᵀ(x − μ), (N, K, q)."""
        x = x - self.centre
        distance = (x * x).sum(axis=1)[:, None] - 2 * x @ self.mean.T + (self.mean * self.mean).sum(axis=1)
        y = (x @ self.rows.T).reshape(len(x), *self.projected_mean.shape) - self.projected_mean
        inside = np.einsum("nkq,nkq->nk", y, y)
        return self.constant - (distance - inside) / (2 * self.noise), y

    def gradient(self, x: np.ndarray, y: np.ndarray, r: np.ndarray) -> np.ndarray:
        """Σ_k r_k ∂log N(x; k)/∂x = −Σ_k r_k (x − μ_k − A_k y_k) / σ²_k, (N, D).

        Shapes: x (N, D), y (N, K, q) from log_density, r (N, K).
        """
        r = r / self.noise
        along = (r[:, :, None] * y).reshape(len(x), -1) @ self.rows
        return along + r @ self.mean - r.sum(axis=1)[:, None] * (x - self.centre)


def best_fit(x: np.ndarray, r: np.ndarray, q: int, floor: float) -> tuple[np.ndarray, np.ndarray, float]:
    """The μ, W, σ² that maximise Σ_n r_n log N(x_n; μ, W Wᵀ + σ² I) under σ² ≥ floor, in closed form.

    μ = Σ r x / Σ r;  S = Σ r (x − μ)(x − μ)ᵀ / Σ r, with the eigenvalues λ_1 ≥ λ_2 ≥ ... and eigenvectors u_i:

        σ² = max(mean of λ_(q+1), ..., λ_D;  floor)        W = (u_1 √(λ_1 − σ²)⁺, ..., u_q √(λ_q − σ²)⁺)

    Without the floor it is the maximum of Tipping and Bishop. With it, it is the maximum among all that keep it: in σ²
    the likelihood only falls beyond the mean of the eigenvalues that the noise must explain, and a direction whose λ
    lies below σ² is explained best by the noise alone.

    Shapes: x (N, D), r (N,) from 0; μ (D,), W (D, q).

    Source: Tipping and Bishop 1999, the maximum of the likelihood in closed form; the floor is an addition.
    """
    total = r.sum()
    mean = r @ x / total
    held = r > total * 1e-18  # what the others would add lies below rounding
    Y = np.sqrt(r[held] / total)[:, None] * (x[held] - mean)
    few = len(Y) < Y.shape[1]
    S = Y @ Y.T if few else Y.T @ Y  # both have the same eigenvalues above 0; the smaller is cheaper
    size = min(q, len(S))
    values, vectors = eigh(S, subset_by_index=[len(S) - size, len(S) - 1])
    noise = max((np.trace(S) - values.sum()) / (Y.shape[1] - q), floor)
    above = values > noise
    lengths = np.sqrt(values[above] - noise)
    W = np.zeros((Y.shape[1], q))
    directions = vectors[:, above]
    if few:
        directions = Y.T @ directions / np.sqrt(values[above])
    W[:, : above.sum()] = (directions * lengths)[:, ::-1]
    return mean, W, float(noise)
