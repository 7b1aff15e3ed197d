"""A picture of a digit, of any size, brought to a network's format the way MNIST was.

    as_ink      light on dark: 1 is ink, 0 is paper
    to_format   the ink in a box of a given size, centred by mass
    filling     a picture in colour, whose middle fills a given size

Source: LeCun et al. 1998, sec. III.A (20 × 20 box, centred by mass in 28 × 28).
"""

from typing import Any

import numpy as np

from ..layers.arguments import count, flag, kind_of, pair
from ..memory import claim
from .reading import FLAT

HALF = 0.5  # of white: a picture of the network's size that does not reach it is in other units, such as 0 and 1 of 255
FAINT = 0.3  # of the strongest ink: what is fainter is paper, shadow or compression noise
SPECK = 0.1  # of the ink of the largest connected part: what has less is dust


def as_ink(grey: np.ndarray, invert: bool | None = None) -> np.ndarray:
    """Ink on paper as (H, W) in [0, 1]: 0 is the paper, 1 the strongest ink.

    grey: (H, W) in [0, 1].
    invert: True: the ink is dark on light paper. False: light on dark. None: found out. The ink lies on whichever side
        of the paper the picture reaches further.

    Raises ValueError: the picture is blank, or no array of finite numbers (H, W).

    >>> as_ink(np.array([[1.0, 1.0, 1.0], [1.0, 0.2, 1.0], [1.0, 1.0, 1.0]]))[1].round(6)
    array([0., 1., 0.])
    """
    grey = _numbers("grey", grey, 2)
    darker = paper(grey) - grey
    invert = bool(darker.max() > -darker.min()) if invert is None else flag("as_ink", "invert", invert)
    ink = np.clip(darker if invert else -darker, 0, None)
    strongest = float(ink.max())
    if strongest < FLAT:
        raise ValueError("the picture is blank: every pixel is like its border; give one with a digit on it.")
    return ink / strongest


def paper(grey: np.ndarray) -> np.ndarray:
    """The brightness of the paper at every pixel, (H, W): c₀ + c₁ x + c₂ y + c₃ x² + c₄ x y + c₅ y².

    A photographed sheet is lighter on one side. The surface fits the border by least absolute deviations, found as
    least squares with the weights 1 / |deviation|; like a median, it pays no heed to ink on some of the border.
    """
    grey = _numbers("grey", grey, 2)
    height, width = grey.shape
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)
    inside = np.zeros(grey.shape, bool)
    inside[1:-1, 1:-1] = True
    border, values = terms[~inside], grey[~inside]
    c = np.array([np.median(values), 0, 0, 0, 0, 0])
    for _ in range(20):
        root = 1 / np.sqrt(np.maximum(np.abs(border @ c - values), 1e-3))
        c = np.linalg.lstsq(border * root[:, None], values * root, rcond=None)[0]
    return terms @ c


def to_format(grey: np.ndarray, size: tuple[int, int], box: int, invert: bool | None = None) -> np.ndarray:
    """The digit in a picture as the network expects it: in a box of `box` pixels, centred by mass.

    grey: (H, W) in [0, 1]. A picture that already has the size of the network's input keeps its place and its scale,
        and on a black border every value, unless its strongest ink is not even half as bright as white.
    size: (height, width) of the network's input.
    box: the digit's larger side, in pixels (20 of 28 for MNIST).
    invert: as `as_ink`.

    Returns (height, width), float32 in [0, 1], light on dark.
    Raises ValueError: the picture is blank, or no array of finite numbers (H, W); size or box are no positive integers.
    """
    ink, size = as_ink(grey, invert), pair("to_format", "size", size, 1)
    if grey.shape != tuple(size):
        return in_box(_without_specks(ink), size, box)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    as_it_is = not invert and np.median(border) == 0 and grey.max() >= HALF
    return (grey if as_it_is else ink).astype(np.float32)


def filling(colours: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The middle of a picture (C, h, w), as large as its proportions allow, scaled to `size`: (C, height, width).

    A picture of that size keeps every value.

    Raises ValueError: it is no array of finite numbers (C, h, w), or size is not a pair of positive integers.

    >>> filling(np.array([[[0.0, 1.0, 1.0, 0.0]]]), (1, 1))
    array([[[1.]]], dtype=float32)
    """
    from PIL import Image

    colours, size = _numbers("colours", colours, 3), pair("filling", "size", size, 1)
    (h, w), (height, width) = colours.shape[1:], size
    claim(4 * len(colours) * height * width, f"A picture of {height} × {width} pixels")
    scale = min(h / height, w / width)
    left, top = (w - scale * width) / 2, (h - scale * height) / 2
    box = (left, top, left + scale * width, top + scale * height)
    planes = map(Image.fromarray, colours.astype(np.float32))
    scaled = [np.asarray(plane.resize((width, height), Image.Resampling.BILINEAR, box)) for plane in planes]
    return np.stack(scaled).clip(0, 1)


def _numbers(name: str, values: Any, axes: int) -> np.ndarray:
    """An array of finite numbers, or a ValueError that names it."""
    masked = isinstance(values, np.ma.MaskedArray)
    if masked or not isinstance(values, np.ndarray) or values.ndim != axes or values.dtype.kind not in "biuf":
        got = "a masked " * masked + kind_of(values)
        raise ValueError(f"{name} takes an array of numbers with {axes} axes, got {got}.")
    if not values.size or not np.isfinite(values).all():
        raise ValueError(f"{name} takes finite numbers, got {values.shape} with NaN, infinity or nothing in it.")
    return np.asarray(values)


def _without_specks(ink: np.ndarray) -> np.ndarray:
    """The ink without what is fainter than FAINT, and without small parts that are connected to nothing."""
    from scipy import ndimage

    parts, n = ndimage.label(ink > FAINT, np.ones((3, 3)))
    mass = ndimage.sum_labels(ink, parts, np.arange(1, n + 1))
    large = np.concatenate([[False], mass > SPECK * mass.max()])
    return np.where(large[parts], ink, 0)


def in_box(ink: np.ndarray, size: tuple[int, int], box: int) -> np.ndarray:
    """What is not 0, scaled into a box of `box` pixels, on an empty picture with its centre of mass in the middle.

    The middle is met as nearly as whole pixels and the size allow.

    Raises ValueError: the picture is blank, or no array of finite numbers (H, W); size or box are no positive integers,
    or the box is larger.
    """
    from PIL import Image

    ink, size, box = _numbers("ink", ink, 2), pair("in_box", "size", size, 1), count("in_box", "box", box)
    if box > min(size):
        raise ValueError(f"in_box: box takes at most the smaller side of size {size}, got {box}.")
    if not ink.any():
        raise ValueError("the picture is blank: every pixel is 0; give one with a digit on it.")
    rows, cols = (np.flatnonzero(ink.any(axis=axis)) for axis in (1, 0))
    digit = ink[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    scale = box / max(digit.shape)
    height, width = (max(1, round(n * scale)) for n in digit.shape)
    resized = Image.fromarray(digit.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    small = np.clip(np.asarray(resized), 0, 1)
    corner = []
    for axis in (0, 1):
        mass = small.sum(axis=1 - axis)
        centre = (mass * np.arange(len(mass))).sum() / mass.sum()
        wanted = round((size[axis] - 1) / 2 - centre)
        corner.append(int(np.clip(wanted, 0, size[axis] - len(mass))))
    top, left = corner
    canvas = np.zeros(size, np.float32)
    canvas[top : top + height, left : left + width] = small / small.max()
    return canvas
