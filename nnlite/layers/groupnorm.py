"""Normalization of each sample by its own mean and variance, over groups of channels and all places."""

from dataclasses import dataclass
from math import prod

import numpy as np

from .arguments import Shape, count, number, parameter
from .layer import Layer


class _Normalization(Layer):
    """What GroupNorm and InstanceNorm share; `groups_of` says how many groups there are."""

    gamma: np.ndarray
    beta: np.ndarray
    eps: float
    trained = ("gamma", "beta")

    def groups_of(self) -> int:
        """How many groups the channels are in."""
        raise NotImplementedError

    def __post_init__(self) -> None:
        name = type(self).__name__
        gamma = parameter(name, "gamma", self.gamma, ndim=1)
        beta = parameter(name, "beta", self.beta, 1, gamma.shape)
        if beta.dtype != gamma.dtype:
            raise ValueError(f"{name}: gamma is {gamma.dtype} and beta is {beta.dtype}; give both the same dtype.")
        eps = number(name, "eps", self.eps)
        if eps <= 0:
            raise ValueError(f"{name}: eps takes a number above 0, got {eps}.")
        self._set(gamma=gamma, beta=beta, eps=eps)

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        n, _ = self._normalized(a)
        return (n * self._by_group(self.gamma) + self._by_group(self.beta)).reshape(a.shape)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        n, sigma = self._normalized(a)
        dn = dz.reshape(n.shape) * self._by_group(self.gamma)
        da = (dn - _mean(dn) - n * _mean(dn * n)) / sigma
        return da.reshape(a.shape)

    def gradients(self, a: np.ndarray, dz: np.ndarray) -> dict[str, np.ndarray]:
        self.check(a, dz)
        n, _ = self._normalized(a)
        dz = dz.reshape(n.shape)
        sums = {"gamma": (dz * n).sum(axis=(0, 3)), "beta": dz.sum(axis=(0, 3))}
        return {name: value.reshape(-1) for name, value in sums.items()}

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) < 2 or shape[1] != len(self.gamma):
            raise self.refuse(shape, f"(N, {len(self.gamma)}, ...)")
        if 0 in shape[1:]:
            raise self.refuse(shape, "at least one number in each group")
        return shape

    def _normalized(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(a − μ) / σ and σ = √(v + eps), as (N, groups, channels of one, places)."""
        groups = self.groups_of()
        a = a.reshape(len(a), groups, len(self.gamma) // groups, prod(a.shape[2:]))
        a = a - _mean(a)
        sigma = np.sqrt(_mean(a * a) + a.dtype.type(self.eps))
        return a / sigma, sigma

    def _by_group(self, values: np.ndarray) -> np.ndarray:
        return values.reshape(self.groups_of(), -1, 1)


@dataclass(frozen=True, eq=False, repr=False)
class GroupNorm(_Normalization):
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

    def groups_of(self) -> int:
        return self.groups


@dataclass(frozen=True, eq=False, repr=False)
class InstanceNorm(_Normalization):
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

    def groups_of(self) -> int:
        return len(self.gamma)


def _mean(a: np.ndarray) -> np.ndarray:
    """Over each group of each sample."""
    return a.mean(axis=(2, 3), keepdims=True)
