"""Letters in the hands that write the stroke digits: what a network for digits has never seen.

The pen, the hands and the random numbers are those of `strokes`; only what is written differs (data/letters.json).
"""

from functools import lru_cache
from typing import Any

import numpy as np

from .hand import Hand
from .styles import Style, read_styles
from .writing import write

LETTERS = "ACEFHKMNRTUWXY"
"""The letters, in the order of their labels. Left out: B D G I J L O P Q S V Z, each a digit in many a hand."""


def letters(
    n: int, seed: int = 0, *, start: int = 0, labels: Any = None, hand: Hand = Hand()
) -> tuple[np.ndarray, np.ndarray]:
    """Draw n capital letters.

    Sample i depends on (seed, i), its label and the hand alone. It is written by the hand that writes sample i of
    `strokes` with that seed: the same slant, pen, pressure and care.

    n, seed, start, hand: as for `strokes`.
    labels: the letters to draw as indices into LETTERS, (n,), or one for all; by default sample i is letter i % 14.

    Returns images (n, 1, 28, 28) float32 in [0, 1]; labels (n,) int64, indices into LETTERS.
    Raises TypeError: n, seed, start or labels are not integers, or hand is not a Hand; ValueError: n, seed or start is
    negative, or labels have another shape or are not indices into LETTERS.
    Source: drawn for this project.

    >>> images, labels = letters(3, labels=LETTERS.index("K"))
    >>> images.shape, images.dtype, labels
    ((3, 1, 28, 28), dtype('float32'), array([5, 5, 5]))
    """
    images, indices, _ = write(_alphabet(), "letter's index", n, seed, start, labels, hand)
    return images, indices


@lru_cache(maxsize=1)
def _alphabet() -> tuple[tuple[Style, ...], ...]:
    styles = read_styles("letters.json", "letters")
    return tuple(styles[letter] for letter in LETTERS)
