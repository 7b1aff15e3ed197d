"""A picture of a digit, of any size, brought to a network's format the way MNIST was.

    read        PNG, JPEG or .npy as grey values in [0, 1]
    as_ink      light on dark: 1 is ink, 0 is paper
    to_format   the ink in a box of a given size, centred by mass

Source: LeCun et al. 1998, sec. III.A (20 × 20 box, centred by mass in 28 × 28).
"""

import os
from pathlib import Path

import numpy as np

FAINT = 0.2  # of the strongest ink: what is fainter is paper, shadow or compression noise


def read(path: str | os.PathLike) -> np.ndarray:
    """A picture as grey values (H, W), float64 in [0, 1].

    A photograph is turned upright as its camera noted; transparent pixels become white; a .npy holds integers from 0
    to 255 or numbers in [0, 1], as (H, W), (1, H, W), (H, W, 3) or (H, W, 4).

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It is not a picture, or its values are out of range.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: there is no such file.")
    pixels = _from_npy(path) if path.suffix.lower() == ".npy" else _from_image(path)
    if pixels.shape[2:] == (4,):
        opacity = pixels[..., 3:]
        pixels = pixels[..., :3] * opacity + 1 - opacity
    return pixels if pixels.ndim == 2 else pixels @ [0.299, 0.587, 0.114]  # ITU-R BT.601, as Pillow weighs them


def _from_image(path: Path) -> np.ndarray:
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            upright = ImageOps.exif_transpose(image)
            deep = upright.mode.startswith("I")
            pixels = np.asarray(upright if deep else upright.convert("RGBA"), np.float64)
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{path}: expected a PNG, JPEG or .npy picture ({error}).") from None
    return pixels / (65535 if deep else 255)


def _from_npy(path: Path) -> np.ndarray:
    try:
        pixels = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise ValueError(f"{path}: expected a .npy array of numbers ({error}).") from None
    if not isinstance(pixels, np.ndarray):
        raise ValueError(f"{path}: expected one array in a .npy file, and an .npz came.")
    if pixels.ndim == 3 and pixels.shape[0] == 1:
        pixels = pixels[0]
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,), (4,)) or 0 in pixels.shape:
        raise ValueError(f"{path}: expected (H, W), (1, H, W), (H, W, 3) or (H, W, 4), and {pixels.shape} came.")
    if pixels.dtype.kind not in "uifb":
        raise ValueError(f"{path}: expected numbers, and {pixels.dtype} came.")
    scale = 255 if pixels.dtype.kind in "ui" else 1
    pixels = pixels.astype(np.float64) / scale
    if not np.isfinite(pixels).all() or pixels.min() < 0 or pixels.max() > 1:
        raise ValueError(
            f"{path}: expected integers from 0 to 255 or numbers in [0, 1], and {pixels.min() * scale:g} to "
            f"{pixels.max() * scale:g} came."
        )
    return pixels


def as_ink(grey: np.ndarray, invert: bool | None = None) -> np.ndarray:
    """Ink on paper as (H, W) in [0, 1]: 0 is the paper, 1 the strongest ink.

    Parameters
    ----------
    grey
        (H, W) in [0, 1].
    invert
        True: the ink is dark on light paper. False: light on dark. None: found out. The paper is what the border
        shows (its median); the ink lies on whichever side of it reaches further.

    >>> as_ink(np.array([[1.0, 1.0, 1.0], [1.0, 0.2, 1.0], [1.0, 1.0, 1.0]]))[1]
    array([0., 1., 0.])
    """
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    paper = float(np.median(border))
    if invert is None:
        invert = paper - grey.min() > grey.max() - paper
    ink = np.clip(paper - grey if invert else grey - paper, 0, None)
    strongest = float(ink.max())
    return ink / strongest if strongest > 0 else ink


def to_format(grey: np.ndarray, size: tuple[int, int], box: int, invert: bool | None = None) -> np.ndarray:
    """The digit in a picture as the network expects it: in a box of `box` pixels, centred by mass.

    Parameters
    ----------
    grey
        (H, W) in [0, 1]. A picture that already has the size of the network's input keeps its place and its scale.
    size
        (height, width) of the network's input.
    box
        The digit's larger side, in pixels (20 of 28 for MNIST).
    invert
        As `as_ink`.

    Returns
    -------
    (height, width), float32 in [0, 1], light on dark.

    Raises
    ------
    ValueError
        The picture is blank.
    """
    from PIL import Image

    ink = as_ink(grey, invert)
    if grey.shape == tuple(size):
        return ink.astype(np.float32)
    if ink.max() == 0:
        raise ValueError("the picture is blank: every pixel is the same as its border; give one with a digit on it.")
    rows, cols = (np.flatnonzero((ink > FAINT).any(axis=axis)) for axis in (1, 0))
    digit = ink[rows[0] : rows[-1] + 1, cols[0] : cols[-1] + 1]
    digit = np.where(digit > FAINT, digit, 0)
    scale = box / max(digit.shape)
    height, width = (max(1, round(n * scale)) for n in digit.shape)
    small = Image.fromarray(digit.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return _centred(np.asarray(small), size)


def _centred(digit: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The digit on an empty picture, its centre of mass in the middle as nearly as whole pixels and its size allow."""
    canvas = np.zeros(size, np.float32)
    corner = []
    for axis in (0, 1):
        mass = digit.sum(axis=1 - axis)
        centre = (mass * np.arange(len(mass))).sum() / mass.sum()
        wanted = round((size[axis] - 1) / 2 - centre)
        corner.append(int(np.clip(wanted, 0, size[axis] - len(mass))))
    top, left = corner
    canvas[top : top + digit.shape[0], left : left + digit.shape[1]] = np.clip(digit, 0, 1)
    peak = canvas.max()
    return canvas / peak if peak > 0 else canvas
