"""What strokes and letters share: samples of an alphabet, each symbol in one of its styles, written by one hand."""

from typing import Any

import numpy as np

from .draws import Draws, draw
from .hand import Hand
from .pen import centre_by_mass, half_widths, pen_path, scale_to_box
from .raster import SIDE, depth
from .samples import count, given_labels
from .styles import Style


def write(
    alphabet: tuple[tuple[Style, ...], ...], what: str, n: int, seed: int, start: int, labels: Any, hand: Hand
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Write n symbols of an alphabet; arguments that are not named here, results and errors are those of `strokes`.

    alphabet: the styles of each symbol.
    what: what one symbol is, for the errors: "digit".

    Returns (images, labels, strokes).
    """
    n, seed, start = count("n", n, each=8 * SIDE * SIDE), count("seed", seed), count("start", start)
    symbols = given_labels(labels, n, start, what, len(alphabet))
    if not isinstance(hand, Hand):
        raise TypeError(f"hand: expected a Hand, got {type(hand).__name__}: try Hand() or CLEAN_HAND")
    most_points = max(len(style.controls) for styles in alphabet for style in styles)
    draws = draw(seed, start, n, most_points, hand.jitter_shape)
    grey = np.zeros((n, SIDE, SIDE), np.uint8)
    pen = np.full((n, SIDE, SIDE), -1, np.int8)
    for symbol, styles in enumerate(alphabet):
        of_symbol = np.flatnonzero(symbols == symbol)
        chosen = _choose(styles, draws.style[of_symbol])
        for number, style in enumerate(styles):
            samples = of_symbol[chosen == number]
            if len(samples):
                grey[samples], pen[samples] = _draw(style, draws.of(samples), hand)
    return np.divide(grey[:, None], 255, dtype=np.float32), symbols, pen


def _choose(styles: tuple[Style, ...], u: np.ndarray) -> np.ndarray:
    """The style of each sample: number k with a probability in proportion to its weight."""
    weights = np.cumsum([style.weight for style in styles])
    return np.searchsorted(weights[:-1] / weights[-1], u, side="right")


def _draw(style: Style, draws: Draws, hand: Hand) -> tuple[np.ndarray, np.ndarray]:
    """Draw samples of one style: grey levels and pen strokes, both (N, 28, 28)."""
    path = pen_path(style, draws, hand)
    pen, widths = half_widths(style.room, path.shape[1], draws, hand)
    first, stroke = style.segments
    path = scale_to_box(path, pen, draws, hand)
    path = centre_by_mass(path, widths, first, draws, hand)
    edge = 1 + 2 * hand.blur  # pixels over which the ink fades from full to none
    inside = depth(path, widths, first, stroke, reach=edge / 2)
    ink = np.clip(inside.max(axis=0) / np.float32(edge) + np.float32(0.5), 0, 1)
    grey = (ink * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    return grey, np.where(grey > 0, inside.argmax(axis=0), -1).astype(np.int8)
