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


def _transposed(rng: Random) -> list[Layer]:
    up = ConvTranspose2d(rng.normal(size=(2, 3, 3, 3)) * 0.3, rng.normal(size=3) * 0.3, stride=2, padding=1)
    return [dense(rng, 8, 18), ReLU(), Reshape((2, 3, 3)), up, ReLU(), Dropout(0.5), Flatten(), dense(rng, 75, 3)]


EXAMPLES: dict[str, tuple[Shape, Callable[[Random], list[Layer]]]] = {
    "dense": ((12,), lambda r: [dense(r, 12, 8), ReLU(), dense(r, 8, 6), ReLU(), dense(r, 6, 4)]),
    "single_neuron": ((2,), lambda r: [Dense(np.array([[1.0], [-1.0]]), np.array([-1.0]))]),
    "one_pixel": ((1, 1, 1), lambda r: [conv(r, 1, 3, 1), ReLU(), Flatten(), dense(r, 3, 2)]),
    "no_biases": ((2, 8, 8), lambda r: [
        conv(r, 2, 4, 3, bias=False), ReLU(), MaxPool2d(2), Flatten(), dense(r, 36, 3, bias=False),
    ]),
    "padding": ((2, 7, 6), lambda r: [
        conv(r, 2, 4, 3, padding=1), ReLU(), conv(r, 4, 4, 3, padding=2), ReLU(), MaxPool2d(2), Flatten(),
        dense(r, 64, 3),
    ]),
    "strides": ((1, 9, 8), lambda r: [
        conv(r, 1, 4, 3, stride=2, padding=1), ReLU(), conv(r, 4, 4, 2, stride=2), ReLU(), Flatten(), dense(r, 16, 3),
    ]),
    "dilation": ((1, 8, 8), lambda r: [
        conv(r, 1, 4, 3, dilation=2), ReLU(), conv(r, 4, 4, 2, dilation=2), ReLU(), Flatten(), dense(r, 16, 3),
    ]),
    "groups": ((4, 6, 6), lambda r: [
        conv(r, 4, 6, 3, groups=2), ReLU(), conv(r, 6, 6, 3, groups=6), ReLU(), Flatten(), dense(r, 24, 3),
    ]),
    "average_pooling": ((1, 8, 8), lambda r: [
        conv(r, 1, 4, 3), ReLU(), AvgPool2d(2), conv(r, 4, 4, 2), ReLU(), AvgPool2d(3, stride=1, padding=1), Flatten(),
        dense(r, 16, 3),
    ]),
    "global_pooling": ((1, 8, 8), lambda r: [
        conv(r, 1, 4, 3), ReLU(), conv(r, 4, 5, 3), ReLU(), GlobalAvgPool(), Flatten(), dense(r, 5, 3),
    ]),
    "overlapping_pools": ((1, 8, 8), lambda r: [
        conv(r, 1, 4, 3), ReLU(), MaxPool2d(3, stride=2, padding=1), Flatten(), dense(r, 36, 3),
    ]),
    "batchnorm": ((1, 8, 8), lambda r: [
        conv(r, 1, 4, 3, bias=False), norm(r, 4), ReLU(), MaxPool2d(2), Flatten(), dense(r, 36, 8), norm(r, 8), ReLU(),
        dense(r, 8, 3),
    ]),
    "batchnorm_alone": ((2, 6, 6), lambda r: [
        norm(r, 2), conv(r, 2, 4, 3), ReLU(), norm(r, 4), Flatten(), dense(r, 64, 3),
    ]),
    "leaky_relu": ((1, 8, 8), lambda r: [
        conv(r, 1, 4, 3), LeakyReLU(0.1), MaxPool2d(2), Flatten(), dense(r, 36, 8), LeakyReLU(0.2), dense(r, 8, 3),
    ]),
    "smooth": ((1, 8, 8), lambda r: [
        conv(r, 1, 4, 3), Tanh(), AvgPool2d(2), Flatten(), dense(r, 36, 8), Sigmoid(), dense(r, 8, 3), Softmax(),
    ]),
    "transposed": ((8,), _transposed),
    "decoder": ((2, 3, 3), lambda r: [
        ConvTranspose2d(r.normal(size=(2, 3, 3, 3)) * 0.3, stride=2), norm(r, 3), norm(r, 3), ReLU(), Flatten(),
        dense(r, 147, 3),
    ]),
    "pool_before_relu": ((1, 8, 8), lambda r: [conv(r, 1, 4, 3), MaxPool2d(2), ReLU(), Flatten(), dense(r, 36, 3)]),
    "sigmoid_between": ((6,), lambda r: [dense(r, 6, 8), ReLU(), Sigmoid(), dense(r, 8, 3)]),
}  # fmt: skip
"""The input shape and the layers of each, by name."""


def example(name: str, samples: int = 3) -> tuple[Network, np.ndarray]:
    """The example of this name in float64, and inputs for it.

    >>> network, x = example("padding")
    >>> x.shape, network.output_shape(x.shape)
    ((3, 2, 7, 6), (3, 3))
    """
    rng = np.random.default_rng(list(EXAMPLES).index(name))
    shape, build = EXAMPLES[name]
    layers = build(rng)
    x = rng.random((samples, *shape))
    return Network(layers, input_shape=shape), np.where(rng.random(x.shape) < 0.2, 0.0, x)
