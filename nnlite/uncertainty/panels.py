"""An explanation and how sure it is, as one picture.

Three things are said by one colour: its depth, how much a pixel matters to the networks; red or blue, whether it speaks
for the class or against it on the mean; and the fading of red and blue to grey, that they do not agree which.
"""

from typing import Any

import numpy as np

from .. import pictures
from ..layers.arguments import is_integer
from .explanations import ExplanationDraws

DEEPEST = 0.75
"""Where on the scale of `pictures.colours` the deepest colour lies; beyond it red, blue and grey are nearly black."""

MOST = 0.99
"""This share of the pixels is no stronger than the deepest colour: one glaring pixel leaves the others theirs."""


def certainty_colours(mean: np.ndarray, std: np.ndarray, agreement: np.ndarray, limit: float) -> np.ndarray:
    """A map and its uncertainty as coloured pixels.

        strength = √(R̄² + σ²),   sure = max(0, 2 agreement − 1)
        colour = sure · (red or blue of that strength, by the sign of R̄) + (1 − sure) · grey of the same lightness

    √(R̄² + σ²) is the root mean square of the R_t: it is large where the networks find much, though it cancels in R̄.
    Agreement is ½ where the signs of the R_t are as good as drawn by a coin.

    Maps (H, W), as `ExplanationDraws` has them, become (H, W, 3) uint8. A strength of `limit` or more has the deepest
    colour.

    >>> one = np.ones((1, 1))
    >>> certainty_colours(one, 0 * one, one, 1.0)[0, 0], certainty_colours(one, 0 * one, one / 2, 1.0)[0, 0]
    (array([203,  24,  29], dtype=uint8), array([78, 78, 78], dtype=uint8))
    """
    mean, std, agreement = (np.asarray(M, np.float64) for M in (mean, std, agreement))
    strength = np.minimum(np.hypot(mean, std), limit)
    colour = pictures.colours(np.where(mean < 0, -strength, strength), limit / DEEPEST).astype(np.float64)
    grey = (colour @ pictures.GREY)[..., None]
    sure = np.nan_to_num(np.clip(2 * agreement - 1, 0, 1))[..., None]
    return (sure * colour + (1 - sure) * grey).round().astype(np.uint8)


def picture(R: ExplanationDraws, x: np.ndarray, sample: int = 0, *, title: str | None = None) -> Any:
    """Where the explanation is sure, large; beside it the mean, σ, the 5 % and the 95 % quantile.

    A Matplotlib figure. The digit's outline is drawn over each map; the four small ones share one colour scale. R has
    maps (T, N, H, W) or (T, N, C, H, W), whose channels are summed, map by map, of the batch x (N, C, H, W).

    Raises TypeError or ValueError: R are no explanations, the maps are not of pictures, x is not a batch of as many
    pictures or not finite, or there is no such sample.
    """
    import matplotlib.pyplot as plt

    R, ink = _one(R, x, sample)
    mean, std, low, high = (M[0] for M in (R.mean, R.std, R.intersection(), R.union()))
    figure = plt.figure(figsize=(11.8, 6.1), layout="constrained")
    halves: Any = figure.subfigures(1, 2, width_ratios=(1, 1.1))
    left, right = halves
    ax, legend = left.subplots(2, 1, height_ratios=(4.6, 1))
    strength = np.hypot(mean, std)
    limit = float(np.quantile(strength, MOST)) or float(strength.max()) or 1.0  # where few pixels count, the largest
    ax.imshow(certainty_colours(mean, std, R.agreement[0], limit))
    _finish(ax, ink, "Where the networks agree, and where they do not")
    _legend(legend)
    small = (
        (mean, "mean of the maps"),
        (std, "standard deviation of the maps"),
        (low, "5 % quantile (intersection):\nred here is red in nearly all networks"),
        (high, "95 % quantile (union):\nblue here is blue in nearly all networks"),
    )
    scale = max(float(np.abs(M).max()) for M, _ in small) or 1.0
    panels = right.subplots(2, 2)
    for panel, (M, name) in zip(panels.flat, small, strict=True):
        image = panel.imshow(M, cmap=pictures.colormap(), vmin=-scale, vmax=scale)
        _finish(panel, ink, name)
    right.colorbar(image, ax=panels, fraction=0.04, pad=0.02)
    if title is not None:
        figure.suptitle(title, fontsize=12)
    return figure


def _one(R: ExplanationDraws, x: np.ndarray, sample: int) -> tuple[ExplanationDraws, np.ndarray]:
    """The sample's own maps (T, 1, H, W), and its ink (H, W)."""
    if not isinstance(R, ExplanationDraws):
        raise TypeError(f"R takes ExplanationDraws, as explanations gives them, got {type(R).__name__}.")
    if not isinstance(x, np.ndarray):
        raise TypeError(f"x takes a NumPy array (N, C, H, W), got {type(x).__name__}; use np.asarray.")
    if R.maps.ndim not in (4, 5) or x.ndim != 4 or len(x) != R.maps.shape[1] or x.shape[2:] != R.maps.shape[-2:]:
        raise ValueError(
            f"picture takes maps (T, N, H, W) or (T, N, C, H, W) of a batch x (N, C, H, W), got {R.maps.shape} with x "
            f"{np.shape(x)}; a map of a hidden layer, or of another size, has no outline to be drawn over."
        )
    if not np.isfinite(x).all():
        raise ValueError("x must be finite, got a NaN or an infinity.")
    if not is_integer(sample) or not 0 <= sample < len(x):
        raise ValueError(f"sample takes an integer from 0 to {len(x) - 1}, got {sample!r}.")
    maps = R.maps[:, sample : sample + 1]
    return ExplanationDraws(maps.sum(axis=2) if maps.ndim == 5 else maps, R.target), x[sample].mean(axis=0)


def _finish(ax: Any, ink: np.ndarray, title: str) -> None:
    if ink.min() < ink.max():
        ax.contour(ink, [(ink.min() + ink.max()) / 2], colors="black", linewidths=0.8, alpha=0.6)
    ax.set_title(title, fontsize=9.5)
    ax.set_xticks([])
    ax.set_yticks([])


def _legend(ax: Any) -> None:
    """All colours: to the sides how much a pixel matters, and which way; upwards how many networks say so."""
    relevance, agreement = np.meshgrid(np.linspace(-1, 1, 101), np.linspace(1, 0.5, 41))
    colours = certainty_colours(relevance, 0 * relevance, agreement, 1.0)
    ax.imshow(colours, extent=(-1, 1, 50, 100), aspect="auto", interpolation="nearest")
    ax.set_xticks([-1, 0, 1], ["lowers the\nscore much", "does\nnothing", "raises the\nscore much"])
    ax.set_yticks([50, 75, 100], ["50 %", "75 %", "100 %"])
    ax.set_ylabel("networks\nthat agree", fontsize=9)
    ax.tick_params(labelsize=9)
