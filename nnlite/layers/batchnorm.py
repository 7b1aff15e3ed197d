"""Batch normalization: by a stored mean and variance, and in training by those of the batch."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from .. import kernels
from .arguments import Shape, frozen, number, parameter
from .conv2d import Conv2d, ConvTranspose2d
from .dense import Dense
from .layer import Layer

Linear = Dense | Conv2d | ConvTranspose2d
"""What a BatchNorm can be merged into."""


@dataclass(frozen=True, eq=False, repr=False)
class BatchNorm(Layer):
    """z = γ (a − μ) / √(σ² + eps) + β, channel by channel, with the stored mean μ and variance σ².

    PyTorch's `nn.BatchNorm1d` and `nn.BatchNorm2d` after `.eval()`: `weight` is gamma, `bias` beta, `running_mean`
    mean, `running_var` var. The channels are axis 1. `training.fit` runs its steps with `in_training()` in its place.

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
        arrays = _channel_arrays(self, "beta", "mean", "var")
        eps = number("BatchNorm", "eps", self.eps)
        var = arrays["var"]
        if np.any(var + var.dtype.type(eps) <= 0):
            raise ValueError(f"BatchNorm: var + eps must be positive, and the least is {var.min()} + {eps}.")
        self._set(eps=eps, **arrays)

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
        z = a * _along_channels(self.scale, a)
        z += self.bias_like(a)
        return z

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return dz * _along_channels(self.scale, a)

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check(a, dz)
        others = _all_but_channels(a)
        return {"gamma": (dz * self.normalized(a)).sum(axis=others), "beta": dz.sum(axis=others)}

    def output_shape(self, shape: Shape) -> Shape:
        return _check_channels(self, shape)

    def normalized(self, a: np.ndarray) -> np.ndarray:
        """(a − μ) / √(σ² + eps)."""
        sigma = np.sqrt(self.var + self.var.dtype.type(self.eps))
        n = a - _along_channels(self.mean, a)
        n /= _along_channels(sigma, a)
        return n

    def in_training(self) -> "BatchNormInTraining":
        """This layer as it stands in training: with the mean and variance of each batch in place of its own."""
        return BatchNormInTraining(self.gamma, self.beta, self.eps)

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


@dataclass(frozen=True, eq=False, repr=False)
class BatchNormInTraining(Layer):
    """z = γ n + β,   n = (a − μ) / √(σ² + eps), with the mean μ and the variance σ² of the batch `a` itself.

    ∂L/∂a = γ / √(σ² + eps) · (∂L/∂z − mean(∂L/∂z) − n · mean(n ∂L/∂z)): the batch moves μ and σ² too. Each mean, and σ²
    as a mean of squares (not divided by one less), goes over all axes but the channels, axis 1.

    PyTorch's `nn.BatchNorm1d` and `nn.BatchNorm2d` in `.train()`, without running averages: `training.fit` measures
    mean and variance after the steps. Each output depends on the whole batch, which is therefore never cut.

    Shapes: gamma, beta (C,); a and z (N, C) or (N, C, H, W), with two numbers or more in each channel.

    Source: Ioffe and Szegedy 2015, algorithm 1, and the gradients below it.

    >>> layer = BatchNormInTraining(gamma=[2.0], beta=[1.0], eps=0.0)
    >>> layer.forward(np.array([[5.0], [7.0]]))
    array([[-1.],
           [ 3.]])
    """

    gamma: np.ndarray
    beta: np.ndarray
    eps: float = 1e-5
    trained = ("gamma", "beta")

    def __post_init__(self) -> None:
        self._set(eps=number("BatchNormInTraining", "eps", self.eps), **_channel_arrays(self, "beta"))

    @property
    def batch(self) -> int:
        return 2

    def of(self, a: np.ndarray) -> BatchNorm:
        """The BatchNorm with the mean and variance of this batch, which does the same to it."""
        mean, var = kernels.moments(_by_channel(a))
        return BatchNorm(self.gamma, self.beta, frozen(mean.astype(a.dtype)), frozen(var.astype(a.dtype)), self.eps)

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        return self.of(a).forward(a)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        (mean, sigma, sums, products), m = self._sums(a, dz), a.size // a.shape[1]
        scale = self.gamma / sigma
        below = kernels.blend(
            _by_channel(a), _by_channel(dz), mean, scale, -scale * products / (sigma * m), -scale * sums / m
        )
        return below.reshape(a.shape)

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check(a, dz)
        _, _, sums, products = self._sums(a, dz)
        return {"gamma": products.astype(a.dtype), "beta": sums.astype(a.dtype)}

    def _sums(self, a: np.ndarray, dz: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """μ, √(σ² + eps), Σ dz and Σ n dz of each channel, in float64."""
        mean, var = kernels.moments(_by_channel(a))
        sigma = np.sqrt(var + self.eps)
        return mean, sigma, *kernels.products(_by_channel(a), _by_channel(dz), mean, 1 / sigma)

    def output_shape(self, shape: Shape) -> Shape:
        _check_channels(self, shape)
        if shape[0] * prod(shape[2:]) < 2:
            advice = (
                "One has no variance: choose a batch_size that leaves no batch of a single sample, the last included."
            )
            raise self.refuse(shape, "two numbers or more in each channel", advice)
        return shape


def _channel_arrays(layer: BatchNorm | BatchNormInTraining, *others: str) -> dict[str, np.ndarray]:
    """gamma and the others as they should be: (C,), and of one dtype."""
    kind = type(layer).__name__
    gamma = parameter(kind, "gamma", layer.gamma, ndim=1)
    arrays = {"gamma": gamma, **{name: parameter(kind, name, getattr(layer, name), 1, gamma.shape) for name in others}}
    if any(value.dtype != gamma.dtype for value in arrays.values()):
        found = ", ".join(f"{name} {value.dtype}" for name, value in arrays.items())
        raise ValueError(f"{kind}: its arrays must have the same dtype; they are {found}.")
    return arrays


def _check_channels(layer: BatchNorm | BatchNormInTraining, shape: Shape) -> Shape:
    channels = len(layer.gamma)
    if len(shape) not in (2, 4) or shape[1] != channels:
        raise layer.refuse(shape, f"(N, {channels}) or (N, {channels}, H, W)")
    return shape


def _all_but_channels(a: np.ndarray) -> tuple[int, ...]:
    """The axes that a mean or a sum for each channel goes over."""
    return tuple(axis for axis in range(a.ndim) if axis != 1)


def _by_channel(a: np.ndarray) -> np.ndarray:
    """(N, C, H, W) or (N, C) as (N, C, P)."""
    return a.reshape(*a.shape[:2], prod(a.shape[2:]))


def _along_channels(values: np.ndarray, a: np.ndarray) -> np.ndarray:
    """(C,) with as many axes as `a`, the channels on axis 1."""
    return values.reshape(1, -1, *(1,) * (a.ndim - 2))
