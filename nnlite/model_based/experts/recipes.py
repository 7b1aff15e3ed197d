"""The experts of the lessons: fit on clean stroke digits when they are first wanted, then kept in the data folder."""

import os
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from ...datasets import CLEAN_HAND, data_folder, strokes
from ...kernels.blas import one_blas_thread
from ...layers.arguments import is_one_of
from . import rbm
from .expert import Expert
from .files import read
from .gaussian import Gaussian
from .mixture import MixturePPCA
from .ppca import PPCA

DIGITS, SEED = 20_000, 2
"""What the experts are fit to: so many digits of this seed, written by CLEAN_HAND."""

VERSION = 1
"""Raised whenever the same recipe gives another expert, so that those in the data folder are fit again."""

OPTIONS: dict[str, dict[str, Any]] = {
    "gaussian": {"floor": 1e-3},
    "ppca": {"q": 60},
    "mixture": {"K": 60, "q": 10, "floor": 1e-3, "tolerance": 0.5},
    "rbm": {"hidden": 256, "epochs": 8, "rate": 0.03, "k": 5},
}
"""How each expert is fit."""

NAMES = tuple(OPTIONS)

FIT: dict[str, Callable[..., Expert]] = {
    "gaussian": lambda x, progress, **options: Gaussian.fit(x, **options),
    "ppca": lambda x, progress, **options: PPCA.fit(x, **options),
    "mixture": MixturePPCA.fit,
    "rbm": lambda x, progress, **options: rbm.train(x, progress=progress, **options)[0],
}


def fitted(name: str, *, folder: str | os.PathLike | None = None, progress: bool = False) -> Expert:
    """An expert fit to 20,000 stroke digits written by CLEAN_HAND (seed 2), images (1, 28, 28) in [0, 1].

    It is fit when it is first asked for, in less than a minute, and kept as experts/NAME.npz in the data folder. A
    file that is damaged or of another recipe is replaced. BLAS runs on one thread meanwhile, for the same bits.

    The folder is by default $NNLITE_DATA, else ~/.cache/nnlite. A UserWarning says that the file could not be written,
    and that the expert will be fit again next time.

    Raises ValueError: there is no expert of that name: "gaussian", "ppca", "mixture" or "rbm".
    """
    if not is_one_of(name, NAMES):
        raise ValueError(f"There is no expert {name!r}; the names are {', '.join(NAMES)}.")
    place = data_folder(folder) / "experts" / f"{name}.npz"
    recipe = {"version": VERSION, "digits": DIGITS, "seed": SEED, "hand": repr(CLEAN_HAND), "options": OPTIONS[name]}
    try:
        expert, known = read(place)
        if known == recipe:
            return expert
    except (OSError, ValueError):
        pass  # the file is missing or damaged: fit it (again)
    with one_blas_thread():
        expert = FIT[name](digits(), progress=progress, **OPTIONS[name])
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        expert.save(place, info=recipe)
    except OSError as error:
        warnings.warn(
            f"The expert {name} could not be kept in {place.parent} ({error.strerror or error}), and will be fit again "
            "next time; set NNLITE_DATA to a folder that can be written to.",
            stacklevel=2,
        )
    return expert


def digits() -> np.ndarray:
    """The images that the experts are fit to, (20000, 1, 28, 28) float32."""
    return strokes(DIGITS, seed=SEED, hand=CLEAN_HAND)[0]
