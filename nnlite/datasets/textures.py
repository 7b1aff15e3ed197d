"""Coloured patterns, as many as are wanted: stripes, checks, dots, waves, zigzag, bricks, rings, scales, eyes, clouds.

Each sample has its own colours, angle, size, place and light.
"""

from typing import Any, NamedTuple

import numpy as np

from ..memory import claim
from .samples import count, given_labels
from .texture_patterns import TEXTURES, WAVES

TEXTURE_NAMES = tuple(texture.pattern.__name__ for texture in TEXTURES)
"""The names of the classes 0 to 9."""

BLOCK = 256  # samples that are drawn at a time
NOISE = 0.04


def textures(
    n: int, seed: int = 0, *, start: int = 0, labels: Any = None, size: int = 32
) -> tuple[np.ndarray, np.ndarray]:
    """Draw n textures.

    A pixel's colour is (1 + g · (place − middle)) · mixture of four colours by the paint at this pixel + noise, rounded
    to one of 256 levels. Sample i depends on (seed, i), its label and the size alone: textures(10)[0][7] is
    textures(1000)[0][7], and textures(1, start=7)[0][0].

    n: how many samples.
    seed: which textures; 0 or more. Use another seed, or another range of samples, to test on.
    start: the index of the first sample.
    labels: the classes to draw, (n,), or one for all; by default sample i is of class i % 10. TEXTURE_NAMES names them.
    size: height and width in pixels. A larger image shows more of the same pattern, around the same middle.

    Returns images (n, 3, size, size) float32 in [0, 1], the channels red, green, blue; labels (n,) int64.
    Raises TypeError: n, seed, start, size or labels are not integers; ValueError: n, seed, start or size is negative,
    size is 0, or labels have another shape or are not classes.
    Source: drawn for this project.

    >>> images, labels = textures(20, seed=1)
    >>> images.shape, images.dtype, labels[8:13]
    ((20, 3, 32, 32), dtype('float32'), array([8, 9, 0, 1, 2]))
    >>> TEXTURE_NAMES[labels[0]]
    'stripes'
    """
    seed, start, size = count("seed", seed), count("start", start), count("size", size)
    n = count("n", n, each=4 * 3 * size * size)
    if size == 0:
        raise ValueError("size: expected 1 or more, got 0")
    claim(size**2 * (12 * n + 80 * min(n, BLOCK)), f"{n} textures of {size} × {size} pixels")
    classes = given_labels(labels, n, start, "texture")
    images = np.empty((n, 3, size, size), np.float32)
    for label, texture in enumerate(TEXTURES):
        of_class = np.flatnonzero(classes == label)
        for first in range(0, len(of_class), BLOCK):
            rows = of_class[first : first + BLOCK]
            draws = _draw(seed, start + rows, size)
            x, y, k = _plane(draws, texture.least, texture.most, size)
            paint = texture.pattern(x, y, k, draws.vary, draws.waves)
            images[rows] = _lit(_mixed(paint, draws.colours), draws, size)
    return images, classes


class _Draws(NamedTuple):
    """The random numbers of N samples, each with the axes that it is used with; U uniform on [0, 1]."""

    angle: np.ndarray  # (N, 1, 1) U
    scale: np.ndarray  # (N, 1, 1) U
    vary: np.ndarray  # (N, 1, 1) U
    place: np.ndarray  # (N, 2, 1, 1) U
    bend: np.ndarray  # (N, 2, 1, 1) U
    light: np.ndarray  # (N, 3, 1, 1) U
    colours: np.ndarray  # (N, 4, 3) U
    waves: np.ndarray  # (N, WAVES, 2, 1, 1) U
    noise: np.ndarray  # (N, 3, size, size) normal


def _draw(seed: int, indices: np.ndarray, size: int) -> _Draws:
    """The random numbers of the samples with these indices, each from its own generator."""
    u = np.empty((len(indices), 10 + 12 + 2 * WAVES), np.float32)
    noise = np.empty((len(indices), 3, size, size), np.float32)
    for row, index in enumerate(indices):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(int(index),)))
        rng.random(out=u[row], dtype=np.float32)
        rng.standard_normal(out=noise[row], dtype=np.float32)
    one = u[..., None, None]
    return _Draws(
        angle=one[:, 0],
        scale=one[:, 1],
        vary=one[:, 2],
        place=one[:, 3:5],
        bend=one[:, 5:7],
        light=one[:, 7:10],
        colours=u[:, 10:22].reshape(-1, 4, 3),
        waves=one[:, 22:].reshape(-1, WAVES, 2, 1, 1),
        noise=noise,
    )


def _plane(draws: _Draws, least: float, most: float, size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each pixel lies in the plane of the pattern, x and y (N, size, size), and the pixels a unit (N, 1, 1)."""
    k = least * (most / least) ** draws.scale
    angle = 2 * np.pi * draws.angle
    column = np.arange(size, dtype=np.float32) - np.float32((size - 1) / 2)
    row = column[:, None]
    x = (np.cos(angle) * column + np.sin(angle) * row) / k + 6 * draws.place[:, 0]
    y = (np.cos(angle) * row - np.sin(angle) * column) / k + 6 * draws.place[:, 1]
    height, phase = draws.bend[:, 0], 2 * np.pi * draws.bend[:, 1]
    return x + 0.12 * height * np.sin(1.5 * y + phase), y + 0.12 * height * np.cos(1.5 * x + phase), k


def _mixed(paint: np.ndarray, u: np.ndarray) -> np.ndarray:
    """The paint in colours, (N, 3, size, size): each lighter or darker than the one before it, and of another hue.

    colour_i = l_i + s_i · (cos h_i, cos(h_i − 120°), cos(h_i − 240°)): lightness, saturation and hue.
    """
    thirds = np.float32(2 * np.pi / 3) * np.arange(3, dtype=np.float32)
    mixed = np.zeros((len(paint), 3, *paint.shape[1:]), np.float32)
    for i in range(4):
        if i == 0:
            lightness, hue = u[:, 0, :1], 2 * np.pi * u[:, 0, 1:2]
        else:
            lightness, hue = (lightness + 0.2 + 0.6 * u[:, i, :1]) % 1, hue + np.pi * (u[:, i, 1:2] - 0.5)
        colour = lightness + 0.5 * u[:, i, 2:] * np.cos(hue - thirds)
        mixed += np.maximum(0, 1 - np.abs(paint - i))[:, None] * colour[..., None, None]
    return mixed


def _lit(colour: np.ndarray, draws: _Draws, size: int) -> np.ndarray:
    """Under a light from one side, with noise, in 256 levels."""
    angle, slope, strength = 2 * np.pi * draws.light[:, 0], draws.light[:, 1], draws.light[:, 2]
    place = np.linspace(-1, 1, size, dtype=np.float32) if size > 1 else np.zeros(1, np.float32)
    light = (0.7 + 0.3 * strength) * (1 + 0.4 * slope * (np.cos(angle) * place + np.sin(angle) * place[:, None]))
    values = colour * light[:, None] + np.float32(NOISE) * draws.noise
    return np.round(np.clip(values, 0, 1) * 255) / np.float32(255)
