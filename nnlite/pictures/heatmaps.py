"""Pictures of relevance: red raises the score, blue lowers it, white is zero; limits symmetric about zero."""

from numbers import Real
from types import NoneType
from typing import Any

import numpy as np

from ..layers.arguments import as_array, is_number, kind_of

COLOURS = ("#08306b", "#2171b5", "#6baed6", "#c6dbef", "#ffffff", "#fdcab5", "#fb7050", "#cb181d", "#67000d")
"""From the strongest blue over white to the strongest red, evenly spaced."""

MISSING = "#808080"
"""A grey that is on no scale: where R is NaN."""


def plane(R: np.ndarray) -> np.ndarray:
    """One map as (H, W) float64: colour channels are summed, a batch axis of one is dropped.

    Raises ValueError: R does not hold real numbers, or is not (H, W), (1, H, W), (3, H, W) or (1, C, H, W). A batch is
    refused, not added up.

    >>> plane(np.ones((3, 2, 2)))
    array([[3., 3.],
           [3., 3.]])
    """
    R = as_array("R", R)
    if R.dtype.kind not in "biuf":
        raise ValueError(f"A heatmap shows real numbers; got {R.dtype}.")
    R = R.astype(np.float64)  # of an int8 map |−128| is no int8, and a sum in float16 is soon infinite
    if R.ndim == 2:
        return R
    if (R.ndim == 3 and len(R) in (1, 3)) or (R.ndim == 4 and len(R) == 1):
        return R.reshape(-1, *R.shape[-2:]).sum(axis=0)
    raise ValueError(
        f"A heatmap shows one sample, (H, W), (1, H, W), (3, H, W) or (1, C, H, W), got {R.shape}; "
        "choose one of the batch: R[0]."
    )


def colours(R: np.ndarray, limit: float | None = None) -> np.ndarray:
    """A map as coloured pixels.

    R: (H, W), (1, H, W), (3, H, W) or (1, C, H, W); channels are summed.
    limit: the value of the strongest red, and −limit of the strongest blue; by default the largest finite |R|. What is
        stronger, or infinite, has the strongest colour; a NaN is MISSING, a grey.

    Returns (H, W, 3) uint8.
    Raises ValueError: as `plane`; or the limit is not above 0.

    >>> colours(np.array([[-1.0, 0.0, 1.0]])).tolist()
    [[[8, 48, 107], [255, 255, 255], [103, 0, 13]]]
    """
    R = plane(R)
    limit = _limit(R) if limit is None else limit
    if not is_number(limit) or limit <= 0:
        raise ValueError(f"limit takes a number above 0; got {limit!r}.")
    *anchors, missing = np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in (*COLOURS, MISSING)])
    at, share = np.linspace(-1, 1, len(COLOURS)), np.clip(R, -limit, limit) / limit
    scale = np.stack([np.interp(share, at, channel) for channel in np.transpose(anchors)], axis=-1)
    return np.where(np.isnan(R)[..., None], missing, scale.round()).astype(np.uint8)


def image(x: np.ndarray, ax: Any, *, title: str = "") -> Any:
    """Draw a picture on a Matplotlib axes: x is (1, H, W), grey, or (3, H, W), red, green and blue, in [0, 1].

    Returns the axes.
    Raises ValueError or TypeError: x is no such picture, or ax is no axes.
    """
    x = _picture("x", x)
    axes(ax).imshow(x[0] if len(x) == 1 else np.moveaxis(x, 0, -1).clip(0, 1), cmap="gray", vmin=0, vmax=1)
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
    return ax


def heatmap(
    R: np.ndarray,
    ax: Any = None,
    *,
    score: float | None = None,
    title: str | None = None,
    over: np.ndarray | None = None,
) -> Any:
    """Draw a map on a Matplotlib axes, with its colour bar.

    R: (H, W), (1, H, W), (3, H, W) or (1, C, H, W); channels are summed. NaN and infinities as for `colours`.
    ax: the axes; by default new ones.
    score: the explained score; with Σ R it stands in the title.
    title: stands above them.
    over: the picture (C, H, W) in [0, 1] that the map is of: it lies in pale grey under the map, whose opacity is √(|R|
        / max |R|).

    Returns the axes.
    """
    import matplotlib.pyplot as plt

    R = plane(R)
    if not isinstance(score, (Real, NoneType)):
        raise TypeError(f"score takes a number, got {kind_of(score)}.")
    limit = _limit(R)
    ax = plt.subplots(figsize=(4, 3.6))[1] if ax is None else axes(ax)
    shown, opacity = np.clip(R, -limit, limit), None
    if over is not None:
        ax.imshow(0.6 + 0.4 * _picture("over", over).mean(axis=0), cmap="gray", vmin=0, vmax=1)
        opacity = np.sqrt(np.nan_to_num(np.abs(shown), nan=limit) / limit)
    drawn = ax.imshow(shown, cmap=colormap(), vmin=-limit, vmax=limit, alpha=opacity)
    with np.errstate(invalid="ignore"):  # ∞ − ∞
        sums = f"Σ R = {R.sum():.4g}" if score is None else f"score {score:.4g}    Σ R = {R.sum():.4g}"
    ax.set_title(sums if title is None else f"{title}\n{sums}", fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.figure.colorbar(drawn, ax=ax, fraction=0.046, pad=0.04)
    return ax


def _picture(name: str, x: Any) -> np.ndarray:
    if not isinstance(x, np.ndarray) or x.ndim != 3 or len(x) not in (1, 3) or x.dtype.kind not in "biuf":
        raise ValueError(f"{name} takes a picture (1, H, W) or (3, H, W) of numbers, got {kind_of(x)}.")
    return x


def axes(ax: Any) -> Any:
    """The axes that are given; TypeError for anything else."""
    from matplotlib.axes import Axes

    if not isinstance(ax, Axes):
        raise TypeError(f"ax takes a Matplotlib axes, got {type(ax).__name__}; see plt.subplots.")
    return ax


def colormap() -> Any:
    """COLOURS as a Matplotlib colour map; MISSING where there is no number."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("relevance", COLOURS).with_extremes(bad=MISSING)


def _limit(R: np.ndarray) -> float:
    """The largest finite |R|, or 1 where all are zero."""
    return float(np.abs(R).max(initial=0, where=np.isfinite(R))) or 1.0
