"""The dense (fully connected, linear) layer."""

from dataclasses import dataclass

import numpy as np

from .arguments import Shape, parameter
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Layer):
    """z_k = Σ_j a_j w_jk + b_k.

    Shapes: a (N, J), W (J, K), b (K,) or None, z (N, K). `W[j, k]` is the slides' w_jk (PyTorch's `nn.Linear`
    holds the transpose).

    Source: slides, "Layer-wise Relevance Propagation", forward pass.

    >>> layer = Dense(np.array([[3.0, 0.5], [-1.0, 2.0]]), np.zeros(2))
    >>> layer.forward(np.array([[2.0, 1.0]]))
    array([[5., 3.]])
    """

    W: np.ndarray
    b: np.ndarray | None = None
    trained = ("W", "b")
    weighted = linear = True

    def __post_init__(self) -> None:
        W = parameter("Dense", "W", self.W, ndim=2)
        b = None if self.b is None else parameter("Dense", "b", self.b, 1, (W.shape[1],))
        if b is not None and b.dtype != W.dtype:
            raise ValueError(f"Dense: W is {W.dtype} and b is {b.dtype}; give both the same dtype.")
        self._set(W=W, b=b)

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        z = a @ self.W
        return z if self.b is None else z + self.b

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check_above(a, dz)
        return dz @ self.W.T  # da_j = Σ_k w_jk dz_k

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check_above(a, dz)
        dW = {"W": a.T @ dz}
        return dW if self.b is None else dW | {"b": dz.sum(axis=0)}

    def bias_like(self, z: np.ndarray) -> np.ndarray | float:
        return 0.0 if self.b is None else self.b

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 2 or shape[1] != self.W.shape[0]:
            advice = "Put Flatten() before it." if len(shape) > 2 else ""
            raise self.refuse(shape, f"(N, {self.W.shape[0]})", advice)
        return shape[0], self.W.shape[1]
