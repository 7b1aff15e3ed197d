"""Small networks with seeded weights, one for each thing that libraries get wrong: `nnlite verify --model padding`.

Padding, strides, dilation, groups, average pooling, BatchNorm, other activations, layers that touch, no biases, a
single neuron, one pixel. Inputs lie in [0, 1], with zeros among them; weights and biases have both signs.
"""

from collections.abc import Callable

import numpy as np

from ..layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Layer,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Reshape,
    Sigmoid,
    Softmax,
    Tanh,
)
from ..network import Network

Random = np.random.Generator
Shape = tuple[int, ...]


def dense(rng: Random, inputs: int, outputs: int, bias: bool = True) -> Dense:
    """A Dense with random weights and biases of both signs."""
    W = rng.normal(size=(inputs, outputs)) / np.sqrt(inputs)
    return Dense(W, rng.normal(size=outputs) * 0.3 if bias else None)


def conv(rng: Random, channels: int, filters: int, size: int, bias: bool = True, **options: int) -> Conv2d:
    """A Conv2d with random weights and biases of both signs."""
    shape = (filters, channels // options.get("groups", 1), size, size)
    W = rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))
    return Conv2d(W, rng.normal(size=filters) * 0.3 if bias else None, **options)


def norm(rng: Random, channels: int) -> BatchNorm:
    """A BatchNorm with random statistics, scales and shifts."""
    scale, shift, mean = rng.uniform(0.5, 1.5, channels), rng.normal(size=channels) * 0.3, rng.normal(size=channels)
    return BatchNorm(scale, shift, mean * 0.3, rng.uniform(0.5, 2, channels))


def _dense(rng: Random) -> tuple[list[Layer], Shape]:
    return [dense(rng, 12, 8), ReLU(), dense(rng, 8, 6), ReLU(), dense(rng, 6, 4)], (12,)


def _single_neuron(rng: Random) -> tuple[list[Layer], Shape]:
    return [Dense(np.array([[1.0], [-1.0]]), np.array([-1.0]))], (2,)


def _one_pixel(rng: Random) -> tuple[list[Layer], Shape]:
    return [conv(rng, 1, 3, 1), ReLU(), Flatten(), dense(rng, 3, 2)], (1, 1, 1)


def _no_biases(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 2, 4, 3, bias=False), ReLU(), MaxPool2d(2), Flatten(), dense(rng, 36, 3, bias=False),
    ], (2, 8, 8)  # fmt: skip


def _padding(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 2, 4, 3, padding=1), ReLU(), conv(rng, 4, 4, 3, padding=2), ReLU(), MaxPool2d(2), Flatten(),
        dense(rng, 64, 3),
    ], (2, 7, 6)  # fmt: skip


def _strides(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 1, 4, 3, stride=2, padding=1), ReLU(), conv(rng, 4, 4, 2, stride=2), ReLU(), Flatten(),
        dense(rng, 16, 3),
    ], (1, 9, 8)  # fmt: skip


def _dilation(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 1, 4, 3, dilation=2), ReLU(), conv(rng, 4, 4, 2, dilation=2), ReLU(), Flatten(), dense(rng, 16, 3),
    ], (1, 8, 8)  # fmt: skip


def _groups(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 4, 6, 3, groups=2), ReLU(), conv(rng, 6, 6, 3, groups=6), ReLU(), Flatten(), dense(rng, 24, 3),
    ], (4, 6, 6)  # fmt: skip


def _average_pooling(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 1, 4, 3), ReLU(), AvgPool2d(2), conv(rng, 4, 4, 2), ReLU(), AvgPool2d(3, stride=1, padding=1),
        Flatten(), dense(rng, 16, 3),
    ], (1, 8, 8)  # fmt: skip


def _global_pooling(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 1, 4, 3), ReLU(), conv(rng, 4, 5, 3), ReLU(), GlobalAvgPool(), Flatten(), dense(rng, 5, 3),
    ], (1, 8, 8)  # fmt: skip


def _overlapping_pools(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 1, 4, 3), ReLU(), MaxPool2d(3, stride=2, padding=1), Flatten(), dense(rng, 36, 3),
    ], (1, 8, 8)  # fmt: skip


def _batchnorm(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 1, 4, 3, bias=False), norm(rng, 4), ReLU(), MaxPool2d(2), Flatten(), dense(rng, 36, 8), norm(rng, 8),
        ReLU(), dense(rng, 8, 3),
    ], (1, 8, 8)  # fmt: skip


def _batchnorm_alone(rng: Random) -> tuple[list[Layer], Shape]:
    return [norm(rng, 2), conv(rng, 2, 4, 3), ReLU(), norm(rng, 4), Flatten(), dense(rng, 64, 3)], (2, 6, 6)


def _leaky_relu(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 1, 4, 3), LeakyReLU(0.1), MaxPool2d(2), Flatten(), dense(rng, 36, 8), LeakyReLU(0.2),
        dense(rng, 8, 3),
    ], (1, 8, 8)  # fmt: skip


def _smooth(rng: Random) -> tuple[list[Layer], Shape]:
    return [
        conv(rng, 1, 4, 3), Tanh(), AvgPool2d(2), Flatten(), dense(rng, 36, 8), Sigmoid(), dense(rng, 8, 3), Softmax(),
    ], (1, 8, 8)  # fmt: skip


def _transposed(rng: Random) -> tuple[list[Layer], Shape]:
    up = ConvTranspose2d(rng.normal(size=(2, 3, 3, 3)) * 0.3, rng.normal(size=3) * 0.3, stride=2, padding=1)
    return [
        dense(rng, 8, 18), ReLU(), Reshape((2, 3, 3)), up, ReLU(), Dropout(0.5), Flatten(), dense(rng, 75, 3),
    ], (8,)  # fmt: skip


def _decoder(rng: Random) -> tuple[list[Layer], Shape]:
    up = ConvTranspose2d(rng.normal(size=(2, 3, 3, 3)) * 0.3, stride=2)
    return [up, norm(rng, 3), norm(rng, 3), ReLU(), Flatten(), dense(rng, 147, 3)], (2, 3, 3)


def _pool_before_relu(rng: Random) -> tuple[list[Layer], Shape]:
    return [conv(rng, 1, 4, 3), MaxPool2d(2), ReLU(), Flatten(), dense(rng, 36, 3)], (1, 8, 8)


def _sigmoid_between(rng: Random) -> tuple[list[Layer], Shape]:
    return [dense(rng, 6, 8), ReLU(), Sigmoid(), dense(rng, 8, 3)], (6,)


EXAMPLES: dict[str, Callable[[Random], tuple[list[Layer], Shape]]] = {
    build.__name__[1:]: build
    for build in (
        _dense, _single_neuron, _one_pixel, _no_biases, _padding, _strides, _dilation, _groups, _average_pooling,
        _global_pooling, _overlapping_pools, _batchnorm, _batchnorm_alone, _leaky_relu, _smooth, _transposed,
        _decoder, _pool_before_relu, _sigmoid_between,
    )
}  # fmt: skip
"""The layers and the input shape of each, by name."""


def example(name: str, samples: int = 3) -> tuple[Network, np.ndarray]:
    """The example of this name in float64, and inputs for it.

    >>> network, x = example("padding")
    >>> x.shape, network.output_shape(x.shape)
    ((3, 2, 7, 6), (3, 3))
    """
    rng = np.random.default_rng(list(EXAMPLES).index(name))
    layers, shape = EXAMPLES[name](rng)
    x = rng.random((samples, *shape))
    return Network(layers, input_shape=shape), np.where(rng.random(x.shape) < 0.2, 0.0, x)
