"""Where a search begins: random noise, a random image of the class, or the mean image of the class; the same in codes.

The images are those of the user, or digits that the stroke generator draws.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from ..datasets import strokes
from ..layers.arguments import DTYPES, Shape, frozen, is_one_of, kind_of, unmasked
from ..network import Network
from .generators import Generator

STARTS = ("noise", "image", "mean")
"""The names of the starts: the slides' three."""

Images = tuple[np.ndarray, np.ndarray]
DIGITS = 2000


def started(
    start: Any,
    classes: np.ndarray,
    network: Network,
    rng: np.random.Generator,
    *,
    images: Images | None = None,
    low: float = 0.0,
    high: float = 1.0,
) -> np.ndarray:
    """x_0 for each class: (N, ...) in the shape and dtype of the network's inputs.

    "noise" is uniform in [low, high], "image" a random image of the class, "mean" its mean image, from the images
    (x, labels), by default the first 2,000 stroke digits of seed 0; or the start is an array, (N, ...) or one input for
    all.

    Raises ValueError: there is no such start, no image of a class, or the images or the array are of another size or
    not finite; or the given images leave [low, high].

    >>> from nnlite.layers import Flatten
    >>> network = Network([Flatten()], input_shape=(1, 28, 28))
    >>> x = started("mean", np.array([4, 9]), network, np.random.default_rng(0))
    >>> x.shape, x.dtype
    ((2, 1, 28, 28), dtype('float32'))
    """
    shape, dtype = network.input_shape or (), network.dtype
    if isinstance(start, np.ndarray):
        return _given(start, (len(classes), *shape), dtype)
    if _known(start) == "noise":
        return rng.uniform(low, high, (len(classes), *shape)).astype(dtype)
    if images is not None:
        x, _ = _pair(images)
        if x.size and (x.min() < x.dtype.type(low) or x.max() > x.dtype.type(high)):
            raise ValueError(
                f"images takes pixels from {low:g} to {high:g}, got {x.min()} to {x.max()}; bring them there, "
                "or give the search their low and high."
            )
    return _of_classes(start, classes, shape, images, rng).astype(dtype)


def started_codes(
    start: Any, classes: np.ndarray, generator: Generator, rng: np.random.Generator, *, images: Images | None = None
) -> np.ndarray:
    """z_0 for each class: (N, d).

    "mean" is the mean code of the class, "noise" a code from the standard normal, "image" the code of a random image of
    the class; or the start is an array, (N, d) or one code (d,) for all.

    Raises ValueError: there is no such start, no mean code of a class, or no encoder for "image"; or the array is of
    another size.
    """
    dtype = generator.decoder.dtype
    if isinstance(start, np.ndarray):
        return _given(start, (len(classes), generator.size), dtype)
    if _known(start) == "noise":
        return rng.standard_normal((len(classes), generator.size)).astype(dtype)
    if start == "image":
        shape = generator.decoder.output_shape((1, generator.size))[1:]
        return generator.encode(_of_classes(start, classes, shape, images, rng).astype(dtype))
    if classes.max() >= len(generator.codes):
        raise ValueError(
            f"The generator has mean codes of the classes 0 to {len(generator.codes) - 1}, got class {classes.max()}; "
            'start from "noise", or from a code.'
        )
    return generator.codes[classes]


def _known(start: Any) -> str:
    if not is_one_of(start, STARTS):
        raise ValueError(f"start takes one of {', '.join(STARTS)}, or an array; got {start!r}.")
    return start


def _given(start: np.ndarray, shape: Shape, dtype: np.dtype) -> np.ndarray:
    start = unmasked("start", start)
    if start.dtype != dtype or start.shape not in (shape, shape[1:]) or not np.isfinite(start).all():
        finite = "" if start.dtype.kind != "f" or np.isfinite(start).all() else " with a NaN or an infinity"
        raise ValueError(
            f"start takes an array of {dtype} in the shape {shape} or {shape[1:]}, of finite numbers; "
            f"got {start.shape} {start.dtype}{finite}."
        )
    return np.broadcast_to(start, shape).copy()


def _of_classes(
    start: str, classes: np.ndarray, shape: Shape, images: Images | None, rng: np.random.Generator
) -> np.ndarray:
    """A random image of each class, or its mean."""
    x, labels = _digits() if images is None else _pair(images)
    if x.shape[1:] != tuple(shape):
        whose = "the stroke digits are" if images is None else "the images are"
        raise ValueError(
            f"start={start!r} takes images of {tuple(shape)}, and {whose} {x.shape[1:]}; give images=(x, labels) of "
            "that size."
        )
    found = []
    for c in classes:
        of_class = np.flatnonzero(labels == c)
        if not len(of_class):
            raise ValueError(f"start={start!r} takes images of every class, got none of class {c}.")
        found.append(x[rng.choice(of_class)] if start == "image" else x[of_class].mean(axis=0))
    return np.stack(found)


def _pair(images: Any) -> Images:
    fits = isinstance(images, (tuple, list)) and len(images) == 2
    if not fits or not all(isinstance(unmasked("images", array), np.ndarray) for array in images):
        raise ValueError("images takes two arrays: x (N, C, H, W) and labels (N,).")
    x, labels = images
    if x.dtype not in DTYPES or labels.dtype.kind not in "iu" or labels.shape != x.shape[:1]:
        raise ValueError(
            "images takes x (N, C, H, W) in float32 or float64 and N integer labels; "
            f"got {kind_of(x)} and {kind_of(labels)}."
        )
    if not np.isfinite(x).all():
        raise ValueError("images takes finite pixels, and there is a NaN or an infinity among them.")
    return x, labels


@lru_cache(maxsize=1)
def _digits() -> Images:
    x, labels = strokes(DIGITS)
    return frozen(x), frozen(labels)
