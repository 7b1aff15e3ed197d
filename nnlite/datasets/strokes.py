"""Digits drawn by a pen, as many as are wanted: handwriting whose every stroke is known.

The strokes of each way to write a digit are data (data/strokes.json); a Hand moves their control points, bends, leans
and presses; the line is drawn into a 20-pixel box and centred by mass in 28 × 28 pixels, as in MNIST.
"""

from typing import Any

import numpy as np

from .hand import Hand
from .styles import load_styles
from .writing import write


def strokes(
    n: int, seed: int = 0, *, start: int = 0, labels: Any = None, with_strokes: bool = False, hand: Hand = Hand()
) -> tuple[np.ndarray, ...]:
    """Draw n digits.

    A pixel's ink is clip(depth / (1 + 2 blur) + 1/2, 0, 1), with the depth inside the line in pixels, rounded to one
    of 256 grey levels. Sample i depends on (seed, i), its label and the hand alone: strokes(10)[0][7] is
    strokes(1000)[0][7], and strokes(1, start=7)[0][0].

    n: how many samples.
    seed: which digits; 0 or more. Use another seed, or another range of samples, to test on.
    start: the index of the first sample.
    labels: the digits to draw, (n,), or one digit for all; by default sample i is a digit i % 10.
    with_strokes: also give the pen stroke that each pixel belongs to.
    hand: who writes; see Hand and CLEAN_HAND.

    Returns images (n, 1, 28, 28) float32 in [0, 1]; labels (n,) int64; with_strokes also the strokes (n, 28, 28) int8:
    the number of the pen stroke in which the pixel lies deepest, counted from 0 as the pen draws them, and -1 where
    the image is 0.
    Raises TypeError: n, seed, start or labels are not integers, or hand is not a Hand; ValueError: n, seed or start is
    negative, or labels have another shape or are not digits.
    Source: drawn for this project. No MNIST image was trained on; the stroke styles were designed while inspecting
    errors on half of the MNIST test set.

    >>> images, labels = strokes(20, seed=1)
    >>> images.shape, images.dtype, labels[8:13]
    ((20, 1, 28, 28), dtype('float32'), array([8, 9, 0, 1, 2]))
    >>> images, _, pen = strokes(1, labels=[5], start=2, with_strokes=True)
    >>> bool(((pen[0] >= 0) == (images[0, 0] > 0)).all())
    True
    """
    images, digits, pen = write(load_styles(), "digit", n, seed, start, labels, hand)
    return (images, digits, pen) if with_strokes else (images, digits)
