"""A picture's file as grey values or colours: PNG, JPEG or .npy, of any size."""

import os
import warnings
from pathlib import Path

import numpy as np

from ..disk import read_npy, regular
from ..layers.arguments import count
from ..memory import TooLarge, claim

LARGE = 400  # pixels: a longer side is made about this long, by whole blocks
FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP")  # no others: Pillow runs Ghostscript for an EPS
BYTES = 4 + 4 * 8  # of a pixel: decoded to RGBA, and its four numbers in float64
FLAT = 1 / 512  # half of one of 256 grey levels: a weaker contrast is no picture
GREY = np.array([0.299, 0.587, 0.114])  # of red, green and blue: ITU-R BT.601, as Pillow weighs them


def read(path: str | os.PathLike) -> np.ndarray:
    """A picture as grey values (H, W), float64 in [0, 1]; a large one is made smaller by the means of blocks.

    A photograph is turned upright as its camera noted; transparent pixels become white (black where nothing could be
    seen on white); a .npy holds integers from 0 to 255 or numbers in [0, 1], as (H, W), (H, W, 3), (H, W, 4) or
    (3, H, W), with axes of one before or behind them.

    Raises FileNotFoundError: there is no such file; ValueError: it is not a picture, or its values are out of range.
    """
    pixels = _pixels(path, LARGE)
    return pixels if pixels.ndim == 2 else _opaque(pixels[..., :3] @ GREY[:, None], pixels[..., 3:])[..., 0]


def read_colours(path: str | os.PathLike, large: int = LARGE) -> np.ndarray:
    """A picture as red, green and blue (H, W, 3), float64 in [0, 1]; a grey one has three times the same.

    Its longer side is made about `large` pixels long where it is longer, by the means of blocks. Else as `read`.

    Raises FileNotFoundError: there is no such file; ValueError: it is not a picture, or its values are out of range;
    large is not a positive integer.
    """
    large = count("read_colours", "large", large)
    pixels = _pixels(path, large)
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else _opaque(pixels[..., :3], pixels[..., 3:])


def _opaque(values: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Grey values or colours on white, or on black where nothing could be seen on white."""
    if opacity.size == 0:
        return values
    on_white = values * opacity + 1 - opacity
    return on_white if np.ptp(on_white) > FLAT else values * opacity


def _pixels(path: str | os.PathLike, large: int) -> np.ndarray:
    """(H, W), (H, W, 3) or (H, W, 4) in [0, 1]."""
    path = regular(path, "a PNG, JPEG or .npy picture")
    pixels, scale = (_from_npy if path.suffix.lower() == ".npy" else _from_image)(path)
    made = _smaller(pixels, large)
    made /= scale
    return made


def _from_image(path: Path) -> tuple[np.ndarray, int]:
    """The pixels, in RGBA if they are not deeper than that, and the value that stands for 1."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # some cameras have 100 megapixels
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                claim(width * height * BYTES, f"{path} ({width} × {height} pixels)")
                image.verify()  # the checksums of a PNG, which decoding does not look at
            with Image.open(path, formats=FORMATS) as image:
                upright = ImageOps.exif_transpose(image)
                deep = upright.mode.startswith("I")
                return np.asarray(upright if deep else upright.convert("RGBA")), 65535 if deep else 255
    except TooLarge:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        why = str(error).rstrip(".")
        raise ValueError(
            f"{path}: expected a PNG, JPEG or .npy picture, and it cannot be read ({why}); save it as PNG or JPEG."
        ) from None


def _from_npy(path: Path) -> tuple[np.ndarray, int]:
    """The pixels, and the value that stands for 1."""
    pixels = read_npy(path, more=8)  # in float64
    shape = pixels.shape
    while pixels.ndim > 2 and len(pixels) == 1:
        pixels = pixels[0]
    if pixels.ndim == 3 and len(pixels) == 3 and pixels.shape[2] not in (3, 4):
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if pixels.ndim not in (2, 3) or pixels.shape[2:] not in ((), (3,), (4,)) or 0 in pixels.shape:
        raise ValueError(f"{path}: expected one picture as (H, W), (H, W, 3) or (H, W, 4), got {shape}.")
    if pixels.dtype.kind not in "uifb":
        raise ValueError(f"{path}: expected numbers, got {pixels.dtype}.")
    if not np.isfinite(pixels).all():
        raise ValueError(f"{path}: expected finite numbers, got NaN or infinity.")
    low, high = pixels.min(), pixels.max()
    scale = 255 if pixels.dtype.kind in "ui" and high > 1 else 1  # a 0/1 picture is black and white
    if low < 0 or high > scale:
        raise ValueError(
            f"{path}: expected integers from 0 to 255 or fractions from 0 to 1, got {pixels.dtype} from {low:g} to "
            f"{high:g}; divide by the largest possible value."
        )
    return pixels, scale


def _smaller(pixels: np.ndarray, large: int) -> np.ndarray:
    """The means of k × k blocks, so that the longer side has about `large` pixels; noise gets smaller, too."""
    height, width = pixels.shape[:2]
    k = min(height, width, max(height, width) // large)
    if k < 2:
        return pixels.astype(np.float64)
    blocks = pixels[: height // k * k, : width // k * k].reshape(height // k, k, width // k, k, *pixels.shape[2:])
    return blocks.mean(axis=(1, 3), dtype=np.float64)
