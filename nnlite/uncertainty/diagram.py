"""The reliability diagram, drawn: accuracy against confidence; a calibrated network follows the diagonal."""

from typing import Any

import numpy as np

from .. import pictures
from .calibration import Reliability

RIGHT, SURE, UNSURE = "#2171b5", "#fb7050", "#fdcab5"


def reliability_diagram(found: Reliability, ax: Any = None, *, title: str | None = None) -> Any:
    """Draw acc(B_m) as bars, the gap to conf(B_m) on top of them, and below how many samples a bin holds.

    On the Matplotlib axes `ax`, by default new ones, which are returned. The title stands above the ECE.

    Raises TypeError: found is not what `reliability` gives, or ax is no axes.
    Source: Guo et al. 2017, "On calibration of modern neural networks", fig. 1.
    """
    import matplotlib.pyplot as plt

    if not isinstance(found, Reliability):
        raise TypeError(f"found takes what reliability gives, got {type(found).__name__}.")
    ax = plt.subplots(figsize=(3.6, 3.6), layout="constrained")[1] if ax is None else pictures.axes(ax)
    bins = len(found.counts)
    held = found.counts > 0
    middle, width = ((np.arange(bins) + 0.5) / bins)[held], 0.92 / bins
    accuracy, gaps, share = found.accuracy[held], found.gaps[held], found.counts[held] / found.counts.sum()
    ax.bar(middle, accuracy, width, color=RIGHT, label="right")
    ax.bar(middle, np.maximum(0, gaps), width, accuracy, color=SURE, label="too sure")
    ax.bar(middle, np.minimum(0, gaps), width, accuracy, color=UNSURE, label="not sure enough")
    ax.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle="--")
    ax.bar(middle, share * 0.25, width, -0.3, color="0.6", label="share of the samples")
    for x, part in zip(middle, share, strict=True):
        if part >= 0.05:
            ax.text(x, -0.29 + part * 0.25, f"{part:.0%}", ha="center", va="bottom", fontsize=6)
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set(xlim=(0, 1), ylim=(-0.3, 1), xlabel="confidence", ylabel="accuracy", yticks=np.linspace(0, 1, 6))
    error = f"ECE {found.expected_error:.2%}"
    ax.set_title(error if title is None else f"{title}\n{error}", fontsize=10)
    return ax
