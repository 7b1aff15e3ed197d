"""The ten patterns of the textures: which paint lies at a point of the plane.

A pattern is a function (x, y, k, u, waves) -> paint (n, size, size): 0 is the first colour, 1 the second, 2 the third,
3 the fourth, and a number between two of them a mixture.

    x, y     (n, size, size): the point, in units of the pattern
    k        (n, 1, 1): pixels a unit, so that edges are one pixel wide
    u        (n, 1, 1): in [0, 1], what may vary, such as how wide a stripe is
    waves    (n, WAVES, 2, 1, 1): in [0, 1], directions and phases, for the clouds
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

WAVES = 10
Pattern = Callable[..., np.ndarray]


def _to_lattice(t: np.ndarray) -> np.ndarray:
    """The signed distance to the nearest integer, from −½ to ½."""
    return t - np.round(t)


def _inside(depth: np.ndarray, k: np.ndarray) -> np.ndarray:
    """1 inside, 0 outside, for a depth in units; the edge is one pixel wide."""
    return np.clip(depth * k + 0.5, 0, 1)


def _bands(t: np.ndarray, k: np.ndarray, u: np.ndarray) -> np.ndarray:
    """A band around every integer t, from 0.3 to 0.7 wide."""
    return _inside(0.15 + 0.2 * u - np.abs(_to_lattice(t)), k)


def stripes(x: np.ndarray, y: np.ndarray, k: np.ndarray, u: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Straight bands."""
    return _bands(x, k, u)


def waves(x: np.ndarray, y: np.ndarray, k: np.ndarray, u: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Bands that swing."""
    return _bands(x + (0.3 + 0.2 * u) * np.sin(2 / 3 * np.pi * y), k, 1 - u)


def zigzag(x: np.ndarray, y: np.ndarray, k: np.ndarray, u: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Bands that turn sharply."""
    return _bands(x + 2 * np.abs(_to_lattice(0.8 * y)), k, u)


def checks(x: np.ndarray, y: np.ndarray, k: np.ndarray, u: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Squares of two colours in turn."""
    a, b = (0.25 - np.abs(_to_lattice(t)) for t in (x, y))
    return _inside(np.sign(a * b) * np.minimum(np.abs(a), np.abs(b)), k)


def dots(x: np.ndarray, y: np.ndarray, k: np.ndarray, u: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Filled circles."""
    return _inside(0.2 + 0.15 * u - np.hypot(_to_lattice(x), _to_lattice(y)), k)


def bricks(x: np.ndarray, y: np.ndarray, k: np.ndarray, u: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Rows of rectangles, each moved half a brick against the row below, with mortar between them."""
    row = np.round(2 * y)
    column = np.round(x + row / 2)
    inside = np.minimum(0.5 - np.abs(x + row / 2 - column), 0.25 - np.abs(y - row / 2))
    burnt = np.abs(_to_lattice((12.9898 * row + 78.233 * column) * 0.3819))  # each brick a little otherwise
    return _inside(inside - 0.04 - 0.03 * u, k) * (1 + 1.2 * burnt)


def rings(x: np.ndarray, y: np.ndarray, k: np.ndarray, u: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Circles around common centres, three units apart."""
    r = np.hypot(*(3 * _to_lattice(t / 3) for t in (x, y)))
    return _bands(r, k, u)


def scales(x: np.ndarray, y: np.ndarray, k: np.ndarray, u: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Round tiles that hang over the row below, darker to their rims."""
    row = np.floor(2 * y)
    upper, lower = (np.hypot(_to_lattice(x + r / 2), y - r / 2) for r in (row, row + 1))
    front = _inside(0.5 - upper, k)
    r = front * upper + (1 - front) * lower
    return (2 + 2 * u) * r * r + _inside(r - 0.42, k) * front


def eyes(x: np.ndarray, y: np.ndarray, k: np.ndarray, u: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """Almonds with an iris and a pupil."""
    row = np.round(y / 0.8)
    x, y = _to_lattice(x + row / 2), y - 0.8 * row
    almond = 0.53 - np.hypot(x, np.abs(y) + 0.27)
    r = np.hypot(x, y)
    iris, pupil = (np.minimum(almond, radius - r) for radius in (0.2 + 0.05 * u, 0.09 + 0.03 * u))
    return _inside(almond, k) + _inside(iris, k) + _inside(pupil, k)


def clouds(x: np.ndarray, y: np.ndarray, k: np.ndarray, u: np.ndarray, waves: np.ndarray) -> np.ndarray:
    """A sum of waves in all directions, the shorter the weaker."""
    total = np.zeros_like(x)
    for i in range(WAVES):
        length = np.float32(2 ** (-i / 3))
        angle, phase = (2 * np.pi * waves[:, i, j] for j in (0, 1))
        total += length * np.sin((np.cos(angle) * x + np.sin(angle) * y) * (2 * np.pi / length) + phase)
    return np.clip(1 + 0.5 * total, 0, 2)


class Texture(NamedTuple):
    """A pattern and how large it is: from `least` to `most` pixels a unit."""

    pattern: Pattern
    least: float
    most: float


TEXTURES = (
    Texture(stripes, 4, 12),
    Texture(checks, 7, 18),
    Texture(dots, 6, 14),
    Texture(waves, 6, 11),
    Texture(zigzag, 7, 13),
    Texture(bricks, 10, 20),
    Texture(rings, 4, 8),
    Texture(scales, 9, 18),
    Texture(eyes, 13, 26),
    Texture(clouds, 12, 40),
)
"""The classes, 0 to 9."""
