"""Batch normalization in its inference form: a fixed scale and shift a channel."""

from dataclasses import dataclass, replace

import numpy as np

from .arguments import Shape, number, parameter
from .conv2d import Conv2d, ConvTranspose2d
from .dense import Dense
from .layer import Layer

Linear = Dense | Conv2d | ConvTranspose2d
"""What a BatchNorm can be merged into."""


@dataclass(frozen=True, eq=False, repr=False)
class BatchNorm(Layer):
    """z = γ (a − μ) / √(σ² + eps) + β, channel by channel, with the stored mean μ and variance σ².

    PyTorch's `nn.BatchNorm1d` and `nn.BatchNorm2d` after `.eval()`: `weight` is gamma, `bias` beta, `running_mean`
    mean, `running_var` var. The channels are axis 1.

    Shapes: gamma, beta, mean, var (C,); a and z (N, C) or (N, C, H, W).

    Source: Ioffe and Szegedy 2015, algorithm 2, line 11.

    >>> layer = BatchNorm(gamma=[2.0], beta=[1.0], mean=[3.0], var=[4.0], eps=0.0)
    >>> layer.forward(np.array([[5.0]]))
    array([[3.]])
    """

    gamma: np.ndarray
    beta: np.ndarray
    mean: np.ndarray
    var: np.ndarray
    eps: float = 1e-5
    trained = ("gamma", "beta")
    linear = pointwise = True

    def __post_init__(self) -> None:
        gamma = parameter("BatchNorm", "gamma", self.gamma, ndim=1)
        others = {
            name: parameter("BatchNorm", name, getattr(self, name), 1, gamma.shape) for name in ("beta", "mean", "var")
        }
        if any(value.dtype != gamma.dtype for value in others.values()):
            found = ", ".join(f"{name} {value.dtype}" for name, value in {"gamma": gamma, **others}.items())
            raise ValueError(f"BatchNorm: gamma, beta, mean and var must have the same dtype; they are {found}.")
        eps = number("BatchNorm", "eps", self.eps)
        if np.any(others["var"] + gamma.dtype.type(eps) <= 0):
            raise ValueError(f"BatchNorm: var + eps must be positive, and the least is {others['var'].min()} + {eps}.")
        self._set(gamma=gamma, eps=eps, **others)

    @property
    def scale(self) -> np.ndarray:
        """γ / √(σ² + eps): what each channel is multiplied by."""
        return self.gamma / np.sqrt(self.var + self.gamma.dtype.type(self.eps))

    @property
    def shift(self) -> np.ndarray:
        """β − μ γ / √(σ² + eps): what is then added."""
        return self.beta - self.mean * self.scale

    def bias_like(self, z: np.ndarray) -> np.ndarray | float:
        return _along_channels(self.shift, z)

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return a * _along_channels(self.scale, a) + self.bias_like(a)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check_above(a, dz)
        return dz * _along_channels(self.scale, a)

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check_above(a, dz)
        sigma = np.sqrt(self.var + self.var.dtype.type(self.eps))
        normalized = (a - _along_channels(self.mean, a)) / _along_channels(sigma, a)
        others = tuple(axis for axis in range(a.ndim) if axis != 1)
        return {"gamma": (dz * normalized).sum(axis=others), "beta": dz.sum(axis=others)}

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) not in (2, 4) or shape[1] != len(self.gamma):
            raise self.refuse(shape, f"(N, {len(self.gamma)}) or (N, {len(self.gamma)}, H, W)")
        return shape

    def merge(self, before: Layer) -> Linear:
        """The layer `before` with this one folded in: merge(before).forward(a) = self.forward(before.forward(a)).

        Raises
        ------
        TypeError
            `before` is not a Dense, a Conv2d or a ConvTranspose2d.
        ValueError
            `before` does not give this layer's number of channels, or is of another dtype.
        """
        if not isinstance(before, Linear):
            raise TypeError(
                f"BatchNorm merges into a Dense, a Conv2d or a ConvTranspose2d directly before it, not into {before!r}."
            )
        outputs = before.W.shape[1] if isinstance(before, Dense) else before.filters
        if outputs != len(self.gamma):
            raise ValueError(f"{self!r} has {len(self.gamma)} channels, and {before!r} gives {outputs}.")
        if before.dtype != self.dtype:
            raise ValueError(f"{self!r} is {self.dtype} and {before!r} {before.dtype}; bring them to one with astype.")
        b = self.shift if before.b is None else before.b * self.scale + self.shift
        scale = self.scale
        if isinstance(before, Conv2d):
            scale = scale[:, None, None, None]
        elif isinstance(before, ConvTranspose2d):  # W[c, k of c's group]
            each = scale.reshape(before.groups, -1)
            scale = np.repeat(each, before.channels // before.groups, axis=0)[:, :, None, None]
        return replace(before, W=before.W * scale, b=b)


def _along_channels(values: np.ndarray, a: np.ndarray) -> np.ndarray:
    """(C,) with as many axes as `a`, the channels on axis 1."""
    return values.reshape(1, -1, *(1,) * (a.ndim - 2))
