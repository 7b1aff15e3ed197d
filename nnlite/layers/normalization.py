"""Normalization of each sample by its own mean and variance: over groups of channels, or the features of a token."""

from dataclasses import dataclass
from math import prod
from typing import Any, ClassVar

import numpy as np

from .arguments import Shape, count, number, parameter
from .layer import Layer


class _Normalization(Layer):
    """z = γ n + β, n = (a − μ) / σ: what all of them share. `rows` says over which numbers μ and σ go."""

    gamma: np.ndarray
    beta: np.ndarray
    eps: float
    trained: ClassVar[tuple[str, ...]] = ("gamma", "beta")
    axes: ClassVar[int | None] = 1
    """How many axes gamma has; None for any number."""
    centred: ClassVar[bool] = True
    """Whether μ is taken away."""

    def rows(self, shape: Shape) -> tuple[int, int, int, int]:
        """The shape of a as (samples, groups, channels, places); μ and σ go over the last two axes."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        name = type(self).__name__
        gamma = parameter(name, "gamma", self.gamma, ndim=self.axes or max(1, np.ndim(self.gamma)))
        for key in self.trained[1:]:
            beta = parameter(name, key, getattr(self, key), gamma.ndim, gamma.shape)
            if beta.dtype != gamma.dtype:
                raise ValueError(f"{name}: gamma is {gamma.dtype} and beta is {beta.dtype}; give both the same dtype.")
            self._set(beta=beta)
        eps = number(name, "eps", self.eps)
        if eps <= 0:
            raise ValueError(f"{name}: eps takes a number above 0, got {eps}.")
        self._set(gamma=gamma, eps=eps)

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        n, _ = self._normalized(a)
        return self._scaled(n).reshape(a.shape)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        n, sigma = self._normalized(a)
        dn = dz.reshape(n.shape) * self._by_group(self.gamma)
        return ((self._centre(dn) - n * _mean(dn * n)) / sigma).reshape(a.shape)

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check(a, dz)
        n, _ = self._normalized(a)
        dz = dz.reshape(n.shape)
        sums = {"gamma": (dz * n).sum(axis=(0, 3)), "beta": dz.sum(axis=(0, 3))}
        return {name: sums[name].reshape(self.gamma.shape) for name in self.trained}

    def held(self, a: np.ndarray) -> Layer:
        return Held(self, self._normalized(a)[1])

    def _normalized(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """n = (a − μ) / σ and σ = √(v + eps), in the shape of `rows`."""
        a = self._centre(a.reshape(self.rows(a.shape)))
        sigma = np.sqrt(_mean(a * a) + a.dtype.type(self.eps))
        return a / sigma, sigma

    def _centre(self, a: np.ndarray) -> np.ndarray:
        return a - _mean(a) if self.centred else a

    def _scaled(self, n: np.ndarray) -> np.ndarray:
        z = n * self._by_group(self.gamma)
        return z + self._by_group(self.beta) if len(self.trained) > 1 else z

    def _by_group(self, values: np.ndarray) -> np.ndarray:
        return values.reshape(self.rows((1, *values.shape))[1], -1, 1)


def _mean(a: np.ndarray) -> np.ndarray:
    """Over each group of each sample."""
    return a.mean(axis=(2, 3), keepdims=True)


class _ByChannel(_Normalization):
    """Over groups of channels (axis 1) and all their places."""

    @property
    def in_groups(self) -> int:
        """How many groups the channels are in."""
        raise NotImplementedError

    def rows(self, shape: Shape) -> tuple[int, int, int, int]:
        return shape[0], self.in_groups, shape[1] // self.in_groups, prod(shape[2:])

    def bias_like(self, z: np.ndarray) -> np.ndarray:
        return self.beta.reshape(-1, *[1] * (z.ndim - 2))

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2 or shape[1] != len(self.gamma):
            raise self.refuse(shape, f"(N, {len(self.gamma)}, ...)")
        if 0 in shape[1:]:
            raise self.refuse(shape, "at least one number in each group")
        return shape


@dataclass(frozen=True, eq=False, repr=False)
class GroupNorm(_ByChannel):
    """z = γ n + β with n = (a − μ) / √(v + eps): μ and v, the mean of (a − μ)², over one sample's group of channels.

    The channels (axis 1) are in `groups` groups of neighbours; μ and v go over the channels of a group and all its
    places, γ and β are given for each channel. With g = γ ⊙ dz and means over the group:
    da = (g − mean g − n ⊙ mean (g ⊙ n)) / √(v + eps). PyTorch's `nn.GroupNorm`.

    Shapes: gamma, beta (C,), where groups divides C; a and z (N, C, ...) with any axes behind.

    Source: Wu and He 2018, "Group normalization", eq. 1 to 7.

    >>> layer = GroupNorm(1, gamma=[1.0, 1.0], beta=[0.0, 5.0], eps=1e-12)
    >>> layer.forward(np.array([[1.0, 3.0]]))
    array([[-1.,  6.]])
    """

    groups: int
    gamma: np.ndarray
    beta: np.ndarray
    eps: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set(groups=count("GroupNorm", "groups", self.groups))
        if len(self.gamma) % self.groups:
            raise ValueError(f"GroupNorm: groups={self.groups} must divide the {len(self.gamma)} channels of gamma.")

    @property
    def in_groups(self) -> int:
        return self.groups


@dataclass(frozen=True, eq=False, repr=False)
class InstanceNorm(_ByChannel):
    """z = γ n + β with n = (a − μ) / √(v + eps): μ and v over the places of one channel of one sample.

    A GroupNorm in which each channel is a group. PyTorch's `nn.InstanceNorm2d` without running statistics.

    Shapes: gamma, beta (C,); a and z (N, C, ...) with any axes behind.

    Source: Ulyanov et al. 2016, "Instance normalization: the missing ingredient for fast stylization", eq. 2.

    >>> InstanceNorm([2.0], [1.0], eps=1e-12).forward(np.array([[[1.0, 3.0]]]))
    array([[[-1.,  3.]]])
    """

    gamma: np.ndarray
    beta: np.ndarray
    eps: float = 1e-5

    @property
    def in_groups(self) -> int:
        return len(self.gamma)


class _ByToken(_Normalization):
    """Over the last axes, those of gamma: the features of each token."""

    axes = None

    def rows(self, shape: Shape) -> tuple[int, int, int, int]:
        return prod(shape[: len(shape) - self.gamma.ndim]), 1, self.gamma.size, 1

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) <= self.gamma.ndim or shape[-self.gamma.ndim :] != self.gamma.shape:
            raise self.refuse(shape, f"(N, ..., {', '.join(map(str, self.gamma.shape))})")
        return shape


@dataclass(frozen=True, eq=False, repr=False)
class LayerNorm(_ByToken):
    """z = γ n + β with n = (a − μ) / √(v + eps): μ and v, the mean of (a − μ)², over the features of one token.

    With g = γ ⊙ dz and means over the features: da = (g − mean g − n ⊙ mean (g ⊙ n)) / √(v + eps). PyTorch's
    `nn.LayerNorm`.

    Shapes: gamma, beta (D,), a and z (N, ..., D); with gamma (C, H, W) over all numbers of each sample, and so on.

    Source: Ba et al. 2016, "Layer normalization", eq. 3 and 4.

    >>> LayerNorm([1.0, 1.0], [0.0, 5.0], eps=1e-12).forward(np.array([[3.0, 1.0]]))
    array([[1., 4.]])
    """

    gamma: np.ndarray
    beta: np.ndarray
    eps: float = 1e-5

    def bias_like(self, z: np.ndarray) -> np.ndarray:
        return self.beta


@dataclass(frozen=True, eq=False, repr=False)
class RMSNorm(_ByToken):
    """z = γ ⊙ a / √(mean a² + eps): a LayerNorm that takes no mean away and adds nothing.

    With n = a / √(mean a² + eps) and g = γ ⊙ dz: da = (g − n ⊙ mean (g ⊙ n)) / √(mean a² + eps). PyTorch's
    `nn.RMSNorm`.

    Shapes: gamma (D,), a and z (N, ..., D).

    Source: Zhang and Sennrich 2019, "Root mean square layer normalization", eq. 4.

    >>> RMSNorm([5.0, 5.0], eps=1e-12).forward(np.array([[3.0, 4.0]])).round(6)
    array([[4.242641, 5.656854]])
    """

    gamma: np.ndarray
    eps: float = 1e-5
    trained = ("gamma",)
    centred = False


@dataclass(frozen=True, eq=False, repr=False)
class Held(Layer):
    """A normalization whose σ is held at one input's: z = γ (a − μ(a)) / σ + β, linear in a.

    da = c − mean c with c = γ ⊙ dz / σ (c itself where no mean is taken away).
    """

    norm: Any
    sigma: np.ndarray
    linear = True

    def forward(self, a: np.ndarray) -> np.ndarray:
        norm = self.norm
        return norm._scaled(norm._centre(a.reshape(norm.rows(a.shape))) / self.sigma).reshape(a.shape)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        norm = self.norm
        c = dz.reshape(norm.rows(dz.shape)) * norm._by_group(norm.gamma) / self.sigma
        return norm._centre(c).reshape(a.shape)

    def bias_like(self, z: np.ndarray) -> np.ndarray | float:
        return self.norm.bias_like(z)
