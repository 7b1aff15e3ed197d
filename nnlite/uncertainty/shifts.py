"""What a network for digits was not made for: turned digits, one digit fading into another, noise.

A measure of uncertainty should rise along each of these, and be larger beyond them: `auroc` says how well it tells
the strange from the usual.
"""

import math
from typing import Any

import numpy as np

from ..layers.arguments import as_array, count, generator, is_floats, kind_of, number, sizes


def rotated(x: np.ndarray, degrees: float) -> np.ndarray:
    """The pictures turned counter-clockwise about their middle, by bilinear interpolation; what comes in is black.

    Raises ValueError: x is not (N, C, H, W) in [0, 1] and floating-point, or the angle is not a finite number.

    >>> rotated(np.array([[[[1.0, 2.0], [3.0, 4.0]]]]) / 4, 90) * 4
    array([[[[2., 4.],
             [1., 3.]]]])
    """
    from scipy.ndimage import rotate  # here: it takes a while to import

    degrees = number("rotated", "degrees", degrees)
    return np.clip(rotate(_images(x), degrees, axes=(2, 3), reshape=False, order=1), 0, 1)


def blended(x0: np.ndarray, x1: np.ndarray, t: float) -> np.ndarray:
    """(1 − t) x⁰ + t x¹: x⁰ at t = 0, x¹ at t = 1.

    Raises ValueError: they are no arrays of one shape and dtype, float32 or float64, not finite, or t is not from 0 to
    1.

    >>> blended(np.array([0.0, 1.0]), np.array([1.0, 1.0]), 0.25)
    array([0.25, 1.  ])
    """
    t = number("blended", "t", t)
    for name, x in (("x0", x0), ("x1", x1)):
        if not is_floats("x", x) or not np.isfinite(x).all():
            raise ValueError(f"{name} takes a float32 or float64 array of finite numbers, got {kind_of(x)}.")
    if x0.shape != x1.shape or x0.dtype != x1.dtype:
        raise ValueError(
            f"Two arrays of one shape and dtype are blended; got {x0.shape} {x0.dtype}, {x1.shape} {x1.dtype}."
        )
    if not 0 <= t <= 1:
        raise ValueError(f"t takes a share from 0 to 1, got {t!r}.")
    return x0 * x0.dtype.type(1 - t) + x1 * x0.dtype.type(t)


def noise(n: int, rng: np.random.Generator | int = 0, *, shape: tuple[int, ...] = (1, 28, 28)) -> np.ndarray:
    """n pictures, every pixel of which is drawn from U(0, 1) on its own: (n, *shape) float32.

    Raises ValueError: n is not a positive integer, shape not one or more of them, or rng neither a Generator nor a
    seed.

    >>> noise(2).shape
    (2, 1, 28, 28)
    """
    shape = sizes("noise", "shape", shape)
    n = count("noise", "n", n, each=4 * math.prod(shape))
    return generator("noise", "rng", rng).random((n, *shape), dtype=np.float32)


def auroc(usual: np.ndarray, strange: np.ndarray) -> float:
    """P(strange > usual) + P(strange = usual) / 2, for one number drawn from each: the area under the ROC curve.

    1 where a threshold on the measure tells all the strange from all the usual, 0.5 where it tells nothing, below
    where it is larger for the usual. Both hold a measure of uncertainty: on samples like those of the training (N,),
    and on others (M,).

    Raises ValueError: one of them is not (N,), is empty, or holds a NaN.
    Source: Hanley and McNeil 1982, "The meaning and use of the area under a receiver operating characteristic (ROC)
    curve" (the area is the statistic of Wilcoxon, and of Mann and Whitney).

    >>> auroc(np.array([0.1, 0.2, 0.3]), np.array([0.2, 0.9]))
    0.75
    """
    usual, strange = _measure("usual", usual), _measure("strange", strange)
    from scipy.stats import rankdata  # here: it takes half a second to import

    ranks = rankdata(np.concatenate([usual, strange]))[len(usual) :]
    pairs = len(usual) * len(strange)
    return float((ranks.sum() - len(strange) * (len(strange) + 1) / 2) / pairs)


def _measure(name: str, values: Any) -> np.ndarray:
    values = as_array(name, values)
    if values.dtype.kind not in "iufb" or values.ndim != 1 or not len(values) or np.isnan(values).any():
        raise ValueError(f"{name} takes numbers (N,) without NaN, one or more, got the shape {values.shape}.")
    return values


def _images(x: np.ndarray) -> np.ndarray:
    if not is_floats("x", x) or x.ndim != 4:
        raise ValueError(f"x takes a float32 or float64 array (N, C, H, W), got {kind_of(x)}.")
    if not ((x >= 0) & (x <= 1)).all():  # a NaN fails too
        raise ValueError("x takes pixels from 0 to 1, and holds others; scale them.")
    return x
