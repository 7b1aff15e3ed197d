"""Fresh weights: normal with the variance 2 / inputs, so that a ReLU network keeps the size of its activations."""

import numpy as np

from ..layers import BatchNorm, Conv2d, Dense
from ..layers.arguments import Shape, frozen


def he(rng: np.random.Generator, shape: Shape, inputs: int) -> np.ndarray:
    """w ~ N(0, 2 / inputs), in float32: `inputs` is how many numbers an output adds up.

    Source: He et al. 2015, "Delving deep into rectifiers", eq. 10.
    """
    return frozen((rng.standard_normal(shape) * np.sqrt(2 / inputs)).astype(np.float32))


def zeros(n: int) -> np.ndarray:
    """Biases to begin with, in float32."""
    return frozen(np.zeros(n, np.float32))


def dense(rng: np.random.Generator, inputs: int, outputs: int) -> Dense:
    """A Dense with fresh weights."""
    return Dense(he(rng, (inputs, outputs), inputs), zeros(outputs))


def conv(
    rng: np.random.Generator,
    channels: int,
    filters: int,
    size: int,
    padding: int = 0,
    stride: int = 1,
    bias: bool = True,
) -> Conv2d:
    """A Conv2d with fresh weights."""
    W = he(rng, (filters, channels, size, size), channels * size * size)
    return Conv2d(W, zeros(filters) if bias else None, stride, padding)


def batchnorm(channels: int) -> BatchNorm:
    """A BatchNorm that changes nothing yet: γ = 1, β = 0, μ = 0, σ² = 1."""
    one = frozen(np.ones(channels, np.float32))
    return BatchNorm(one, zeros(channels), zeros(channels), one)
