"""The name that the heatmaps of `nnlite.pictures` had in version 0.1. It works until 0.3."""

import warnings
from typing import Any

from . import pictures

__all__ = ["COLOURS", "MISSING", "axes", "colormap", "colours", "heatmap", "image", "plane"]  # noqa: F822


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    warnings.warn(
        f"nnlite.plots.{name} is now nnlite.pictures.{name}; the old name goes with version 0.3.",
        DeprecationWarning,
        stacklevel=2,
    )
    return getattr(pictures, name)
