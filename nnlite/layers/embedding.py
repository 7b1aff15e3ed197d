"""The layer that tokens go into."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from .arguments import Shape, kind_of, parameter
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class Embedding(Layer):
    """z_nt = E[token_nt]: a row of the table for each token, as Dense(E) would give for its one-hot vector.

    It stands first in a network, which then takes integers. `backward` goes to the one-hot vectors: Σ_d E_vd dz_ntd for
    every v of the vocabulary. Explanations begin above it and are given for each token: see `decision_based.tokens`.

    Shapes: E (V, D); a (N, T) integers from 0 to V − 1; z (N, T, D); backward (N, T, V).

    Source: Bengio et al. 2003, "A neural probabilistic language model", sec. 2.

    >>> Embedding([[1.0, 2.0], [3.0, 4.0]]).forward(np.array([[1, 0]]))
    array([[[3., 4.],
            [1., 2.]]])
    """

    E: np.ndarray
    trained = ("E",)

    def __post_init__(self) -> None:
        self._set(E=parameter("Embedding", "E", self.E, ndim=2))

    def _above(self, a: Any) -> Shape:
        if not isinstance(a, np.ndarray) or a.dtype.kind not in "iu":
            raise TypeError(f"{self!r} takes integers (N, T), got {kind_of(a)}.")
        above = self.output_shape(a.shape)
        if a.size and not 0 <= a.min() <= a.max() < len(self.E):
            raise ValueError(f"{self!r} takes tokens from 0 to {len(self.E) - 1}, got {a.min()} to {a.max()}.")
        return self.with_room(above, self.E.dtype)

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return self.E[a]

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return dz @ self.E.T

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check(a, dz)
        dE = np.zeros_like(self.E)
        np.add.at(dE, a, dz)
        return {"E": dE}

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 2:
            raise self.refuse(shape, "(N, T)", "Add the batch axis: x[None]." if len(shape) == 1 else "")
        return *shape, self.E.shape[1]
