"""Probabilistic PCA: an image is a mean, q directions with normal lengths, and white noise."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from ...layers.arguments import Shape, count
from .expert import Expert, above_zero, data
from .low_rank import LowRank, best_fit

FLOOR = 1e-6


@dataclass(frozen=True, eq=False, repr=False)
class PPCA(Expert):
    """x = W z + μ + e with z ~ N(0, I) of q numbers and e ~ N(0, σ² I), so p(x) = N(x; μ, W Wᵀ + σ² I).

    Shapes: mean μ (D,), W (D, q) with 1 ≤ q < D, noise σ² a number above 0.

    Raises ValueError: the arrays do not fit each other, q ≥ D, or σ² ≤ 0.
    Source: Tipping and Bishop 1999, "Probabilistic principal component analysis".

    >>> expert = PPCA(np.zeros(2), np.array([[1.0], [0.0]]), noise=1.0)  # variances 2 and 1
    >>> expert(np.array([[2.0, 1.0]]))
    (array([-3.68445066]), array([[-1., -1.]]))
    """

    mean: np.ndarray
    W: np.ndarray
    noise: float
    shape: Shape = ()
    _law: LowRank = field(init=False, repr=False)

    name: ClassVar[str] = "ppca"

    def __post_init__(self) -> None:
        D, q = len(np.atleast_1d(self.mean)), np.shape(np.atleast_1d(self.W))[-1]
        self._settle({"mean": (D,), "W": (D, q)}, positive=("noise",))
        check_rank("PPCA", q, D)
        object.__setattr__(self, "_law", LowRank(self.mean[None], self.W[None], np.array([self.noise])))

    @classmethod
    def fit(cls, x: np.ndarray, *, q: int = 60, floor: float = FLOOR) -> "PPCA":
        """The most likely PPCA with q directions and σ² ≥ floor, in closed form: see `low_rank.best_fit`.

        The floor matters only where q directions explain the data fully.

        Raises TypeError or ValueError: x, floor: as in `Gaussian.fit`; or q is not from 1 to D − 1.
        Source: Tipping and Bishop 1999, the maximum of the likelihood in closed form.

        >>> PPCA.fit(np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]]), q=1).noise
        0.5
        """
        x, shape = data("PPCA.fit", x)
        check_rank("PPCA.fit", q, x.shape[1])
        floor = above_zero("PPCA.fit", "floor", floor)
        return cls(*best_fit(x, np.ones(len(x)), q, floor), shape)

    def _evaluate(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        law = self._law
        value, y = law.log_density(x)
        return value[:, 0], law.gradient(x, y, np.ones_like(value))

    def _draw(self, n: int, rng: np.random.Generator) -> np.ndarray:
        z, e = rng.standard_normal((n, self.W.shape[1])), rng.standard_normal((n, len(self.mean)))
        return z @ self.W.T + self.mean + np.sqrt(self.noise) * e


def check_rank(who: str, q: int, D: int) -> None:
    """ValueError unless 1 ≤ q < D."""
    if count(who, "q", q) >= D:
        raise ValueError(f"{who}: q must be below D = {D}, the numbers of one sample, got {q}.")
