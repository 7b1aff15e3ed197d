"""The networks that generators consist of, with fresh weights (He et al. 2015, eq. 10: variance 2 / inputs)."""

import numpy as np

from ...layers import ConvTranspose2d, Dropout, Flatten, LeakyReLU, ReLU, Reshape, Sigmoid
from ...network import Network
from ...training.initial import dense, he, zeros

CODE = 16
"""How many numbers a code has."""

IMAGE = (1, 28, 28)


def encoder(rng: np.random.Generator) -> Network:
    """784-256-(16 + 16): an image becomes the mean and the log variance of its code."""
    return Network([Flatten(), dense(rng, 784, 256), ReLU(), dense(rng, 256, 2 * CODE)], input_shape=IMAGE)


def decoder(rng: np.random.Generator) -> Network:
    """16-128-256-784, sigmoid: a code becomes an image."""
    return Network(
        [
            dense(rng, CODE, 128), ReLU(), dense(rng, 128, 256), ReLU(), dense(rng, 256, 784),
            Reshape(IMAGE), Sigmoid(),
        ],
        input_shape=(CODE,),
    )  # fmt: skip


def convolutional_decoder(rng: np.random.Generator) -> Network:
    """16 numbers become 32 maps of 7 × 7, then 16 of 14 × 14, then the image: two transposed convolutions, stride 2.

    Source: after Radford et al. 2016, "Unsupervised representation learning with deep convolutional generative
    adversarial networks", fig. 1; smaller, and without batch normalization.
    """
    return Network(
        [
            dense(rng, CODE, 32 * 7 * 7), ReLU(), Reshape((32, 7, 7)),
            _transposed(rng, 32, 16), ReLU(), _transposed(rng, 16, 1), Sigmoid(),
        ],
        input_shape=(CODE,),
    )  # fmt: skip


def discriminator(rng: np.random.Generator) -> Network:
    """784-256-128-1, leaky, with dropout: the score that an image is real."""
    return Network(
        [
            Flatten(), dense(rng, 784, 256), LeakyReLU(0.2), Dropout(0.3),
            dense(rng, 256, 128), LeakyReLU(0.2), Dropout(0.3), dense(rng, 128, 1),
        ],
        input_shape=IMAGE,
    )  # fmt: skip


def _transposed(rng: np.random.Generator, channels: int, filters: int) -> ConvTranspose2d:
    # Each pixel above is reached by 2 × 2 of the 4 × 4 weights of every map below.
    return ConvTranspose2d(he(rng, (channels, filters, 4, 4), 4 * channels), zeros(filters), stride=2, padding=1)
