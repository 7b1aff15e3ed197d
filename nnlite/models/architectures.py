"""The networks of the lessons, with fresh weights."""

from collections.abc import Callable, Sequence

import numpy as np

from ..layers import AvgPool2d, Dense, Dropout, Flatten, GlobalAvgPool, Layer, MaxPool2d, ReLU, Residual
from ..layers.arguments import frozen, generator, is_one_of
from ..network import Network
from ..training.initial import batchnorm, conv, dense


def mlp(rng: np.random.Generator) -> list[Layer]:
    """784-300-100-10: dense layers only (as in LeCun et al. 1998, sec. III.C)."""
    return [Flatten(), dense(rng, 784, 300), ReLU(), dense(rng, 300, 100), ReLU(), dense(rng, 100, 10)]


def lenet(rng: np.random.Generator) -> list[Layer]:
    """1-8-16 channels, 5 × 5, max-pooling, 64, 10 (after LeCun et al. 1998, fig. 2)."""
    return _lenet(rng, MaxPool2d(2))


def lenet_avg(rng: np.random.Generator) -> list[Layer]:
    """As lenet, with average pooling."""
    return _lenet(rng, AvgPool2d(2))


def cam_net(rng: np.random.Generator) -> list[Layer]:
    """Three 3 × 3 convolutions, the mean of each of 32 feature maps, one dense layer (Zhou et al. 2016, sec. 2)."""
    return [
        conv(rng, 1, 16, 3, padding=1), ReLU(), MaxPool2d(2),
        conv(rng, 16, 32, 3, padding=1), ReLU(), MaxPool2d(2),
        conv(rng, 32, 32, 3, padding=1), ReLU(),
        GlobalAvgPool(), Flatten(), dense(rng, 32, 10),
    ]  # fmt: skip


def tiny(rng: np.random.Generator) -> list[Layer]:
    """64-16-10 on 8 × 8 digits: every number of it fits on a page."""
    return [Flatten(), dense(rng, 64, 16), ReLU(), dense(rng, 16, 10)]


def lenet_dropout(rng: np.random.Generator) -> list[Layer]:
    """As lenet, with a dropout before each dense layer: its draws are what Monte Carlo dropout averages."""
    *below, flatten, dense1, relu, dense2 = lenet(rng)
    return [*below, Dropout(0.25), flatten, dense1, relu, Dropout(0.5), dense2]


def lenet_evidential(rng: np.random.Generator) -> list[Layer]:
    """As lenet, and its scores are evidence: W of the last layer starts at a tenth, and b at 2.

    Every class so starts with evidence for every digit. Without it, the ReLU that turns scores into evidence is soon 0
    for all digits in some classes, and these never learn.
    """
    *below, top = lenet(rng)
    W, b = top.parameters["W"] / np.float32(10), np.full(10, 2, np.float32)
    return [*below, Dense(frozen(W), frozen(b))]


def colour_net(rng: np.random.Generator) -> list[Layer]:
    """3-20-48-48-64 channels, padded, so that its convolutions take colour images of any size; then as cam_net."""
    return [
        conv(rng, 3, 20, 5, padding=2), ReLU(), AvgPool2d(2),
        conv(rng, 20, 48, 3, padding=1), ReLU(), AvgPool2d(2),
        conv(rng, 48, 48, 3, padding=1), ReLU(), AvgPool2d(2),
        conv(rng, 48, 64, 3, padding=1), ReLU(),
        GlobalAvgPool(), Flatten(), dense(rng, 64, 10),
    ]  # fmt: skip


def resnet(rng: np.random.Generator) -> list[Layer | Residual]:
    """A convolution, then residual blocks with BatchNorm of 16 and 32 channels (after He et al. 2016, fig. 3)."""
    return [
        *_conv_batchnorm(rng, 1, 16, 3), ReLU(), MaxPool2d(2),
        *_block(rng, 16, 16), *_block(rng, 16, 32),
        GlobalAvgPool(), Flatten(), dense(rng, 32, 10),
    ]  # fmt: skip


def colour_resnet(rng: np.random.Generator) -> list[Layer | Residual]:
    """As resnet, for colour: three blocks, of 24, 48 and 48 channels."""
    return [
        *_conv_batchnorm(rng, 3, 24, 3), ReLU(), MaxPool2d(2),
        *_block(rng, 24, 24), *_block(rng, 24, 48), *_block(rng, 48, 48, stride=2),
        GlobalAvgPool(), Flatten(), dense(rng, 48, 10),
    ]  # fmt: skip


def _block(rng: np.random.Generator, channels: int, filters: int, stride: int = 0) -> list[Layer | Residual]:
    """Two convolutions beside a skip; where it has more channels or a stride, at half the size, with a projection."""
    stride = stride or (1 if filters == channels else 2)
    path = [*_conv_batchnorm(rng, channels, filters, 3, stride), ReLU(), *_conv_batchnorm(rng, filters, filters, 3)]
    shortcut = _conv_batchnorm(rng, channels, filters, 1, stride) if stride > 1 else []
    return [Residual(path, shortcut), ReLU()]


def _conv_batchnorm(rng: np.random.Generator, channels: int, filters: int, size: int, stride: int = 1) -> list[Layer]:
    return [conv(rng, channels, filters, size, size // 2, stride, bias=False), batchnorm(filters)]


def _lenet(rng: np.random.Generator, pool: Layer) -> list[Layer]:
    return [
        conv(rng, 1, 8, 5), ReLU(), pool,
        conv(rng, 8, 16, 5), ReLU(), pool,
        Flatten(), dense(rng, 256, 64), ReLU(), dense(rng, 64, 10),
    ]  # fmt: skip


BUILDERS: dict[str, Callable[[np.random.Generator], Sequence[Layer | Residual]]] = {
    builder.__name__: builder
    for builder in (
        mlp, lenet, lenet_avg, cam_net, tiny, lenet_dropout, lenet_evidential, colour_net, resnet, colour_resnet,
    )
}  # fmt: skip

INPUTS = dict.fromkeys(BUILDERS, (1, 28, 28)) | {
    "tiny": (1, 8, 8),
    "colour_net": (3, 32, 32),
    "colour_resnet": (3, 32, 32),
}


def build(name: str, seed: int = 0) -> Network:
    """A network by name with fresh weights (He et al. 2015, eq. 10: variance 2 / inputs; biases 0), in float32.

    Raises ValueError: there is no network of that name.

    >>> build("tiny")
    Network(4 layers: flatten1, dense1, relu1, dense2)
    """
    if not is_one_of(name, BUILDERS):
        raise ValueError(f"There is no network {name!r}; the names are {', '.join(BUILDERS)}.")
    return Network(BUILDERS[name](generator("build", "seed", seed)), input_shape=INPUTS[name])
