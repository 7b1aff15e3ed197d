"""Mixture of probabilistic PCAs: K of them, each for a part of the data, found by EM."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.special import logsumexp
from tqdm import tqdm

from ...layers.arguments import Shape, count, flag, generator, number
from .expert import Expert, above_zero, data
from .low_rank import LowRank, best_fit
from .ppca import check_rank

FLOOR = 1e-3
"""The least σ² of a component, by default: a standard deviation of 0.03, for pixels in [0, 1]."""

BLOCK = 512
"""So many samples at once stay in the processor's cache."""

FEWEST = 1e-6
"""A component that all samples together leave less than this share of one sample keeps its μ, W, σ²."""


@dataclass(frozen=True, eq=False, repr=False)
class MixturePPCA(Expert):
    """p(x) = Σ_k π_k N(x; μ_k, W_k W_kᵀ + σ²_k I), gradient Σ_k r_k ∂log N(x; k)/∂x with r_k = p(k | x).

    Shapes: weights π (K,), mean μ (K, D), W (K, D, q) with 1 ≤ q < D, noise σ² (K,). `history` is the mean log p of the
    data after each step of EM.

    Raises ValueError: the arrays do not fit each other, q ≥ D, some σ² ≤ 0, or the weights are not weights (≥ 0, with
    sum 1).
    Source: Tipping and Bishop 1999, "Mixtures of probabilistic principal component analysers".

    >>> W = np.array([[[1.0], [0.0]]] * 2)
    >>> expert = MixturePPCA(np.full(2, 0.5), np.array([[-4.0, 0.0], [4.0, 0.0]]), W, np.ones(2))
    >>> expert.log_density(np.array([[0.0, 1.0]]))
    array([-6.68445066])
    """

    weights: np.ndarray
    mean: np.ndarray
    W: np.ndarray
    noise: np.ndarray
    shape: Shape = ()
    history: tuple[float, ...] = ()
    _law: LowRank = field(init=False, repr=False)

    name: ClassVar[str] = "mixture"

    def __post_init__(self) -> None:
        if np.ndim(self.W) != 3:
            raise ValueError(f"MixturePPCA: W takes (K, D, q), got {np.shape(self.W)}.")
        K, D, q = np.shape(self.W)
        self._settle({"weights": (K,), "mean": (K, D), "W": (K, D, q), "noise": (K,)})
        object.__setattr__(self, "history", tuple(self.history))
        check_rank("MixturePPCA", q, D)
        if (self.noise <= 0).any():
            raise ValueError(f"MixturePPCA: noise takes numbers above 0, and {self.noise.min()} is among them.")
        if (self.weights < 0).any() or abs(self.weights.sum() - 1) > 1e-9:
            raise ValueError(
                f"MixturePPCA: weights take numbers from 0 with the sum 1; the least is {self.weights.min()}, and "
                f"the sum {self.weights.sum()}."
            )
        object.__setattr__(self, "_law", LowRank(self.mean, self.W, self.noise))

    @classmethod
    def fit(
        cls,
        x: np.ndarray,
        *,
        K: int = 60,
        q: int = 10,
        floor: float = FLOOR,
        steps: int = 30,
        tolerance: float = 1e-3,
        rng: np.random.Generator | int = 0,
        progress: bool = False,
    ) -> "MixturePPCA":
        """EM: r_nk = p(k | x_n), then for each k the π_k = mean of r_nk, and the best μ_k, W_k, σ²_k for them.

        The likelihood is bounded by σ² ≥ floor. Each M-step is the maximum under that bound (`low_rank.best_fit`), so
        the mean log p of the data rises with every step. A component that no sample is left for keeps its place with
        the weight 0. EM starts from the clusters of k-means, and ends where the mean log p rises by less than the
        tolerance, from 0, or after so many steps. There are K ≤ N components with q < D directions in each.

        Raises TypeError or ValueError: x, floor: as in `Gaussian.fit`; or another option is out of its range.
        Source: Tipping and Bishop 1999, "Mixtures of probabilistic principal component analysers", the section on EM
        and its appendix; the floor is an addition.

        >>> x = np.array([[0.0, 0.0], [1.0, 0.0], [8.0, 8.0], [8.0, 9.0]])
        >>> expert = MixturePPCA.fit(x, K=2, q=1, floor=0.01)
        >>> expert.weights, expert.mean
        (array([0.5, 0.5]), array([[0.5, 0. ], [8. , 8.5]]))
        """
        who = "MixturePPCA.fit"
        x, shape = data(who, x)
        K, steps, floor = count(who, "K", K), count(who, "steps", steps), above_zero(who, "floor", floor)
        tolerance, rng = number(who, "tolerance", tolerance, least=0), generator(who, "rng", rng)
        check_rank(who, q, x.shape[1])
        N, D = x.shape
        if N < K:
            raise ValueError(f"{who}: K must be at most N = {N}, the number of samples, got {K}.")
        mean, W, noise = np.zeros((K, D)), np.zeros((K, D, q)), np.full(K, floor)
        r = np.eye(K)[clusters(x, K, rng)]
        history: list[float] = []
        for _ in tqdm(range(steps), unit="step", disable=not flag(who, "progress", progress)):
            weights = r.mean(axis=0)
            for k in np.flatnonzero(r.sum(axis=0) > FEWEST):
                mean[k], W[k], noise[k] = best_fit(x, r[:, k], q, floor)
            law = LowRank(mean, W, noise)
            parts = [_responsibilities(law, weights, x[i : i + BLOCK])[:2] for i in range(0, N, BLOCK)]
            total, r = (np.concatenate(part) for part in zip(*parts, strict=True))
            history.append(float(total.mean()))
            if len(history) > 1 and history[-1] - history[-2] < tolerance:
                break
        return cls(weights / weights.sum(), mean, W, noise, shape, tuple(history))

    def _evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        law = self._law
        value, r, y = _responsibilities(law, self.weights, x)
        return value, law.gradient(x, y, r)

    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        k = rng.choice(len(self.weights), size=n, p=self.weights)
        z, e = rng.standard_normal((n, self.W.shape[2])), rng.standard_normal((n, self.mean.shape[1]))
        return np.einsum("ndq,nq->nd", self.W[k], z) + self.mean[k] + np.sqrt(self.noise[k])[:, None] * e


def _responsibilities(law: LowRank, weights: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """log p(x) (N,), r_nk = π_k N(x_n; k) / p(x_n) (N, K), and what the law knows of x for its gradient."""
    joint, y = law.log_density(x)
    with np.errstate(divide="ignore"):  # log 0 = −∞ is right for a component without weight
        joint = joint + np.log(weights)
    total = logsumexp(joint, axis=1)
    return total, np.exp(joint - total[:, None]), y


def clusters(x: np.ndarray, K: int, rng: np.random.Generator, steps: int = 10) -> np.ndarray:
    """k-means from K samples drawn at random: the cluster of each sample (N,). An empty cluster keeps its centre.

    Source: Lloyd 1982, "Least squares quantization in PCM".
    """
    centres = x[rng.choice(len(x), size=K, replace=False)]
    for _ in range(steps):
        nearest = ((centres * centres).sum(axis=1) - 2 * x @ centres.T).argmin(axis=1)
        sizes = np.bincount(nearest, minlength=K)
        sums = np.eye(K)[nearest].T @ x
        centres = np.where(sizes[:, None] > 0, sums / np.maximum(sizes, 1)[:, None], centres)
    return nearest
