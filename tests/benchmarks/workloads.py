"""What every framework is given: the same networks, inputs and noise, from fixed seeds; and what it gives back."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np

from nnlite import models
from nnlite.datasets import strokes
from nnlite.layers import Flatten, GlobalAvgPool, Layer, MaxPool2d, ReLU
from nnlite.network import Network
from nnlite.training.initial import conv, dense
from nnlite.verify.case import Case

EPSILON = 1e-6
RATE, WEIGHT = 0.05, 0.001
"""Of activation maximization: Adam's rate, and λ of λ ‖x‖²."""
COMPARED_STEPS = 20
"""How many of its steps are compared: once p is near 1, Adam makes whole steps of gradients that are rounding."""
TRAINING_RATE = 1e-3
WHOLE = 64, 625
"""A whole training: the samples of a batch, and the steps of an epoch. 40,000 digits, as the shipped lenet saw."""
WINDOW = 5
DRAWS, LEVEL = 50, 0.15
"""Of SmoothGrad."""


@dataclass(frozen=True, eq=False)
class Work:
    """Something ready to run.

    Attributes
    ----------
    call
        What is timed. It gives an array (anything that np.asarray takes), or a tuple of them.
    units
        How many steps or positions a call works through; its time is divided by them.
    check
        What is compared between frameworks, where it is not what `call` gives.
    """

    call: Callable[[], Any]
    units: int = 1
    check: Callable[[], Any] | None = None

    def result(self) -> np.ndarray:
        """What is compared: one vector for each sample, or one for everything where a call gives several arrays."""
        found = (self.check or self.call)()
        if isinstance(found, tuple):
            return np.concatenate([np.ravel(part) for part in found])[None]
        found = np.asarray(found)
        return found.reshape(len(found), -1)


@lru_cache(maxsize=4)
def digits(samples: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Stroke digits (N, 1, 28, 28) in float32, and their labels."""
    x, labels = strokes(samples, seed=seed)
    return x, labels


def lenet(batch: int) -> Case:
    """The shipped lenet and a batch; the true classes are explained."""
    return Case.of("lenet", models.load("lenet"), *digits(batch))


def resnet(batch: int) -> Case:
    """The shipped resnet and a batch, every BatchNorm merged: captum merges none."""
    return Case.of("resnet", models.load("resnet").merged(), *digits(batch))


def padded(size: int) -> Case:
    """A small padded network on one image of size × size pixels."""
    rng = np.random.default_rng(0)
    layers: list[Layer] = [
        conv(rng, 1, 8, 3, padding=1), ReLU(), MaxPool2d(2), conv(rng, 8, 16, 3, padding=1), ReLU(), MaxPool2d(2),
        GlobalAvgPool(), Flatten(), dense(rng, 16, 10),
    ]  # fmt: skip
    return _random_image("padded", layers, (1, size, size), rng)


def deep(layers: int) -> Case:
    """So many padded convolutions with 16 channels, on one image of 28 × 28 pixels."""
    rng = np.random.default_rng(0)
    row: list[Layer] = [conv(rng, 1, 16, 3, padding=1), ReLU()]
    for _ in range(layers - 1):
        row += [conv(rng, 16, 16, 3, padding=1), ReLU()]
    return _random_image("deep", [*row, GlobalAvgPool(), Flatten(), dense(rng, 16, 10)], (1, 28, 28), rng)


def _random_image(name: str, layers: list[Layer], shape: tuple[int, ...], rng: np.random.Generator) -> Case:
    x = rng.random((1, *shape)).astype(np.float32)
    return Case.of(name, Network(layers, input_shape=shape), x, np.array([3]))


@lru_cache(maxsize=1)
def vgg16() -> Case:
    """VGG-16 with random weights and one random image."""
    from nnlite.verify.vgg16 import vgg16 as network

    x = np.random.default_rng(1).random((1, 3, 224, 224)).astype(np.float32)
    return Case.of("vgg16", network(), x, np.array([3]))


VGG_WINDOW = 16
VGG_PLACES = tuple((row, column) for row in (0, 4, 9, 13) for column in (3, 10))
"""The positions, in windows, at which the drops of VGG-16 are compared."""


def noises(x: np.ndarray) -> np.ndarray:
    """SmoothGrad's noise, (draws, N, ...)."""
    sigma = np.float32(LEVEL) * np.ptp(x, axis=(1, 2, 3), keepdims=True)
    return sigma * np.random.default_rng(0).standard_normal((DRAWS, *x.shape)).astype(np.float32)


def start_images(images: int) -> np.ndarray:
    """Where activation maximization begins: grey noise, an image a class."""
    return np.random.default_rng(2).random((images, 1, 28, 28)).astype(np.float32)


def training(batch: int, steps: int, epochs: int = 1) -> tuple[Network, np.ndarray, np.ndarray, np.ndarray]:
    """A fresh lenet, digits, labels, and the samples of each step, as `fit` draws them with seed 0.

    Each epoch has so many steps: the samples are (epochs · steps, batch).
    """
    samples = batch * steps
    order = [np.random.default_rng([0, epoch, 0]).permutation(samples) for epoch in range(epochs)]
    return models.build("lenet"), *digits(samples, seed=2), np.concatenate(order).reshape(-1, batch)


def feature_maps(channels: int, size: int, samples: int = 1) -> np.ndarray:
    """Activations with both signs, (samples, channels, size, size)."""
    return np.random.default_rng(0).standard_normal((samples, channels, size, size), np.float32)


def filters(channels: int) -> np.ndarray:
    """Weights (channels, channels, 3, 3)."""
    scale = np.float32(np.sqrt(2 / (9 * channels)))
    return scale * np.random.default_rng(1).standard_normal((channels, channels, 3, 3), np.float32)


@dataclass(frozen=True)
class Convolution:
    """A convolution of a real network, at the size of its image, padded by half a window.

    `goals` are how many times as fast as torch it is to be, up and down.
    """

    channels: int
    filters: int
    size: int
    window: int
    stride: int = 1
    groups: int = 1
    goals: tuple[float, float] = (0.7, 0.7)

    @property
    def padding(self) -> int:
        """Half a window."""
        return self.window // 2

    @property
    def title(self) -> str:
        """Such as "3→64, 7×7/2"; dw: depthwise."""
        of = f"dw {self.channels}" if self.groups > 1 else f"{self.channels}→{self.filters}"
        return f"{of}, {self.window}×{self.window}/{self.stride}"

    def arrays(self, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """a, W, and the gradient in z."""
        a = feature_maps(self.channels, size)
        dz = feature_maps(self.filters, (size + 2 * self.padding - self.window) // self.stride + 1)
        shape = self.filters, self.channels // self.groups, self.window, self.window
        return a, np.random.default_rng(1).standard_normal(shape, np.float32), dz


CONVOLUTIONS = {
    "stem": Convolution(3, 64, 224, 7, 2, goals=(0.6, 0.7)),
    "64": Convolution(64, 64, 56, 3),
    "64-stride": Convolution(64, 128, 56, 3, 2),
    "128": Convolution(128, 128, 28, 3),
    "256": Convolution(256, 256, 14, 3),
    "512": Convolution(512, 512, 7, 3),
    "pixels-64-stride": Convolution(64, 128, 56, 1, 2, goals=(0.75, 0.75)),
    "pixels-144": Convolution(144, 24, 56, 1, goals=(0.75, 0.75)),
    "pixels-112": Convolution(112, 672, 14, 1, goals=(0.75, 0.75)),
    "depthwise-96": Convolution(96, 96, 112, 3, 2, 96, (0.75, 0.75)),
    "depthwise-672": Convolution(672, 672, 14, 5, 2, 672, (0.5, 0.6)),
}
"""Of ResNet, MobileNet and EfficientNet, by the end of their rows' keys."""


def convolutions(side: Callable[..., Work]) -> dict[str, Callable[..., Work]]:
    """The rows of CONVOLUTIONS, up and down, by one side's way to make their work."""
    ways = {"up": False, "down": True}
    return {
        f"conv-{way}-{name}": partial(side, of, down) for name, of in CONVOLUTIONS.items() for way, down in ways.items()
    }
