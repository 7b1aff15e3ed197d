"""One style in many hands: where the pen goes, how wide it is there, and where the drawing stands in its image.

Everything is one elementwise formula after another over the samples, and every sum runs over the last axis of a
C-ordered array, so that a sample's bits do not depend on how many are drawn together. Arrays of the shape (N, M, 2)
are M points of N samples, x before y.
"""

import numpy as np

from .draws import WAVES, Draws
from .hand import BOX, Hand
from .styles import Style

CENTRE = 13.5  # the middle of 28 pixels that are counted from 0
NARROWING = 0.8  # a style's box is a square, a written digit is narrower than high
WAVE_PACE = 0.55  # spread of the waves' frequency, in turns across the digit
THINNEST = 0.6  # least half width in pixels, and least factor by which pressure thins it
WIDEST_PRESSURE = 1.5


def pen_path(style: Style, draws: Draws, hand: Hand) -> np.ndarray:
    """The path of the pen, (N, M, 2), around the origin and about 1 high."""
    stray = (hand.jitter * draws.care)[:, None, None] * draws.jitter[:, : len(style.controls)]
    path = style.trace(style.controls + stray, hand.smoothing)
    path = bend(path, draws, hand.warp)
    return lean(path - 0.5, draws, hand)


def bend(path: np.ndarray, draws: Draws, warp: float) -> np.ndarray:
    """Bend the plane with one slow wave after the other: q ← q + height · sin(2π (pace · q + phase))."""
    for wave in range(WAVES):
        pace = WAVE_PACE * draws.wave_pace[:, wave, None]
        height = warp * draws.wave_height[:, wave, None]
        turns = pace[..., 0] * path[..., 0] + pace[..., 1] * path[..., 1] + draws.wave_phase[:, wave, None]
        path = path + height * np.sin(2 * np.pi * turns)[..., None]
    return path


def lean(path: np.ndarray, draws: Draws, hand: Hand) -> np.ndarray:
    """Stretch, shear and rotate about the origin."""
    aspect = np.exp(hand.aspect * draws.aspect)[:, None]
    slant = (hand.slant_mean + hand.slant * draws.slant)[:, None]
    angle = np.deg2rad(hand.rotation * draws.rotation)[:, None]
    y = path[..., 1] / aspect
    x = path[..., 0] * aspect * NARROWING - slant * y
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack([cos * x - sin * y, sin * x + cos * y], axis=-1)


def half_widths(room: float, points: int, draws: Draws, hand: Hand) -> tuple[np.ndarray, np.ndarray]:
    """The half width of each sample's pen, (N,), and of its line at each point of the path, (N, M); in pixels.

    `room` is the style's: how much wider than the hand's widest pen the line may be.
    """
    widest = hand.pen_max * room
    pen = np.clip(hand.pen * np.exp(hand.pen_spread * draws.pen), min(THINNEST, widest), widest)
    along = np.linspace(0, 1, points)
    turns = (0.3 + 1.2 * draws.pressure_pace)[:, None] * along + draws.pressure_phase[:, None]
    pressure = 1 + hand.pressure * draws.pressure[:, None] * np.sin(2 * np.pi * turns)
    return pen, pen[:, None] * np.clip(pressure, THINNEST, WIDEST_PRESSURE)


def scale_to_box(path: np.ndarray, pen: np.ndarray, draws: Draws, hand: Hand) -> np.ndarray:
    """Scale the path to pixels, so that with the pen's width the larger side is about BOX."""
    extent = (path.max(axis=1) - path.min(axis=1)).max(axis=1)
    smallest, largest = hand.size
    side = BOX * (smallest + (largest - smallest) * draws.size)
    return path * ((side - 2 * pen) / extent)[:, None, None]


def centre_by_mass(path: np.ndarray, widths: np.ndarray, first: np.ndarray, draws: Draws, hand: Hand) -> np.ndarray:
    """Move the ink's centre of mass to the image's centre, and from there by the sample's own small shift.

    The mass of a segment is its area: length times mean width. `first` are the points that a segment leads away from.
    """
    start, end = path.take(first, axis=1), path.take(first + 1, axis=1)
    length = np.hypot(end[..., 0] - start[..., 0], end[..., 1] - start[..., 1])
    # The small constant keeps the mean defined for a path without length.
    mass = length * (widths.take(first, axis=1) + widths.take(first + 1, axis=1)) + 1e-6
    middle = (start + end) / 2
    centre = np.stack([(middle[..., axis] * mass).sum(axis=1) / mass.sum(axis=1) for axis in (0, 1)], axis=-1)
    shift = hand.shift * (2 * draws.shift - 1)
    return path + (CENTRE + shift - centre)[:, None]
