"""Digits drawn by a pen, as many as are wanted: handwriting whose every stroke is known.

The strokes of each way to write a digit are data (data/strokes.json); a Hand moves their control points, bends, leans
and presses; the line is drawn into a 20-pixel box and centred by mass in 28 × 28 pixels, as in MNIST.
"""

from numbers import Integral
from typing import Any

import numpy as np

from .draws import Draws, draw
from .hand import Hand
from .pen import centre_by_mass, half_widths, pen_path, scale_to_box
from .raster import SIDE, depth
from .styles import Style, load_styles


def strokes(
    n: int,
    seed: int = 0,
    *,
    start: int = 0,
    labels: Any = None,
    with_strokes: bool = False,
    hand: Hand = Hand(),
) -> tuple[np.ndarray, ...]:
    """Draw n digits.

    A pixel's ink is clip(depth / (1 + 2 blur) + 1/2, 0, 1), with the depth inside the line in pixels, rounded to one
    of 256 grey levels. Sample i depends on (seed, i), its label and the hand alone: strokes(10)[0][7] is
    strokes(1000)[0][7], and strokes(1, start=7)[0][0].

    Parameters
    ----------
    n
        How many samples.
    seed
        Which digits; 0 or more. Use another seed, or another range of samples, to test on.
    start
        The index of the first sample.
    labels
        The digits to draw, (n,), or one digit for all; by default sample i is a digit i % 10.
    with_strokes
        Also give the pen stroke that each pixel belongs to.
    hand
        Who writes; see Hand and CLEAN_HAND.

    Returns
    -------
    images
        (n, 1, 28, 28) float32 in [0, 1].
    labels
        (n,) int64.
    strokes
        Only with_strokes, (n, 28, 28) int8: the number of the pen stroke in which the pixel lies deepest, counted
        from 0 as the pen draws them, and -1 where the image is 0.

    Raises
    ------
    TypeError
        n, seed, start or labels are not integers, or hand is not a Hand.
    ValueError
        n, seed or start is negative, or labels have another shape or are not digits.

    Source: drawn for this project. No MNIST image was trained on; the stroke styles were designed while inspecting
    errors on half of the MNIST test set.

    >>> images, labels = strokes(20, seed=1)
    >>> images.shape, images.dtype, labels[8:13]
    ((20, 1, 28, 28), dtype('float32'), array([8, 9, 0, 1, 2]))
    >>> images, _, pen = strokes(1, labels=[5], start=2, with_strokes=True)
    >>> bool(((pen[0] >= 0) == (images[0, 0] > 0)).all())
    True
    """
    n, seed, start = _count("n", n), _count("seed", seed), _count("start", start)
    digits = _labels(labels, n, start)
    if not isinstance(hand, Hand):
        raise TypeError(f"hand: expected a Hand, got {type(hand).__name__}: try Hand() or CLEAN_HAND")
    styles = load_styles()
    most_points = max(len(style.controls) for of_digit in styles for style in of_digit)
    draws = draw(seed, start, n, most_points, hand.jitter_shape)
    grey = np.zeros((n, SIDE, SIDE), np.uint8)
    pen = np.full((n, SIDE, SIDE), -1, np.int8)
    for digit in range(10):
        of_digit = np.flatnonzero(digits == digit)
        chosen = _choose(styles[digit], draws.style[of_digit])
        for number, style in enumerate(styles[digit]):
            samples = of_digit[chosen == number]
            if len(samples):
                grey[samples], pen[samples] = _write(digit, style, draws.of(samples), hand)
    images = np.divide(grey[:, None], 255, dtype=np.float32)
    return (images, digits, pen) if with_strokes else (images, digits)


def _choose(styles: tuple[Style, ...], u: np.ndarray) -> np.ndarray:
    """The style of each sample: number k with a probability in proportion to its weight."""
    weights = np.cumsum([style.weight for style in styles])
    return np.searchsorted(weights[:-1] / weights[-1], u, side="right")


def _write(digit: int, style: Style, draws: Draws, hand: Hand) -> tuple[np.ndarray, np.ndarray]:
    """Draw samples of one style: grey levels and pen strokes, both (N, 28, 28)."""
    path = pen_path(style, draws, hand)
    pen, widths = half_widths(digit, path.shape[1], draws, hand)
    first, stroke = style.segments
    path = scale_to_box(path, pen, draws, hand)
    path = centre_by_mass(path, widths, first, draws, hand)
    edge = 1 + 2 * hand.blur  # pixels over which the ink fades from full to none
    inside = depth(path, widths, first, stroke, reach=edge / 2)
    ink = np.clip(inside.max(axis=0) / np.float32(edge) + np.float32(0.5), 0, 1)
    grey = (ink * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return grey, np.where(grey > 0, inside.argmax(axis=0), -1).astype(np.int8)


def _count(name: str, value: Any) -> int:
    """A whole number that is not negative."""
    if not isinstance(value, Integral) or isinstance(value, bool):
        raise TypeError(f"{name}: expected an integer, got {value!r} ({type(value).__name__})")
    if value < 0:
        raise ValueError(f"{name}: expected 0 or more, got {value}")
    return int(value)


def _labels(labels: Any, n: int, start: int) -> np.ndarray:
    """The label of each sample, (n,) int64."""
    if labels is None:
        return (start + np.arange(n, dtype=np.int64)) % 10
    given = np.asarray(labels)
    if given.size and not np.issubdtype(given.dtype, np.integer):
        raise TypeError(f"labels: expected integers, got {given.dtype}: round them, or give labels as digits")
    if given.shape not in ((), (n,)):
        raise ValueError(f"labels: expected one digit or the shape ({n},), got the shape {given.shape}")
    if given.size and (given.min() < 0 or given.max() > 9):
        raise ValueError(f"labels: expected digits 0 to 9, got values from {given.min()} to {given.max()}")
    return np.broadcast_to(given, (n,)).astype(np.int64)
