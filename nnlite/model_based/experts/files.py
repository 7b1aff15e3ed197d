"""Experts in files: one .npz each, checked when it is read."""

import os
from typing import Any

from ... import storage
from .expert import Expert
from .gaussian import Gaussian
from .gaussian_rbm import GaussianRBM
from .mixture import MixturePPCA
from .ppca import PPCA

KINDS: dict[str, type[Expert]] = {kind.name: kind for kind in (Gaussian, PPCA, MixturePPCA, GaussianRBM)}
"""The experts by their names."""


def load(path: str | os.PathLike) -> Expert:
    """The expert in a file that `Expert.save` wrote.

    Raises FileNotFoundError: there is no such file; ValueError: the file is truncated, altered, of another kind or from
    a newer nnlite; the message says which.
    """
    return read(path)[0]


def read(path: str | os.PathLike) -> tuple[Expert, dict[str, Any]]:
    """The expert in a file, and what was kept there about it; errors as `load`."""
    header, arrays = storage.read(path, "expert")
    try:
        return KINDS[header["expert"]](**header["settings"], **arrays), dict(header["info"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not an expert that nnlite wrote ({type(error).__name__}: {error})") from None
