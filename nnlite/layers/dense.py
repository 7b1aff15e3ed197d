"""The dense (fully connected, linear) layer."""

from dataclasses import dataclass
from math import prod

import numpy as np

from .arguments import Shape, parameter
from .layer import Layer


@dataclass(frozen=True, eq=False, repr=False)
class Dense(Layer):
    """z_k = Σ_j a_j w_jk + b_k.

    Shapes: a (N, J), W (J, K), b (K,) or None, z (N, K). `W[j, k]` is the slides' w_jk (PyTorch's `nn.Linear`
    holds the transpose). With more axes, a (N, ..., J) and z (N, ..., K): the same at each place of those between.

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
        self.check(a, dz)
        return dz @ self.W.T  # da_j = Σ_k w_jk dz_k

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check(a, dz)
        if a.ndim > 2:  # each place counts as a sample
            a, dz = a.reshape(-1, a.shape[-1]), dz.reshape(-1, dz.shape[-1])
        dW = {"W": a.T @ dz}
        return dW if self.b is None else dW | {"b": dz.sum(axis=0)}

    def bias_like(self, z: np.ndarray) -> np.ndarray | float:
        return 0.0 if self.b is None else self.b

    def output_shape(self, shape: Shape) -> Shape:
        J, K = self.W.shape
        if len(shape) < 2 or shape[-1] != J:
            advice = "Put Flatten() before it." if len(shape) > 2 and prod(shape[1:]) == J else ""
            raise self.refuse(shape, f"(N, {J})" if len(shape) < 3 else f"(N, ..., {J})", advice)
        return *shape[:-1], K
