"""What each shipped network was trained on, and how: `nnlite train --model NAME` follows its recipe."""

import os
from dataclasses import dataclass

import numpy as np

from .. import datasets
from ..layers.arguments import is_one_of
from ..training.run import LossFunction
from ..uncertainty.evidential import EvidentialLoss

TRAINING_SEED, HELD_OUT_SEED = 0, 1
TRAINING_DIGITS, HELD_OUT_DIGITS = 40_000, 10_000
TRAINING_TEXTURES, HELD_OUT_TEXTURES = 12_000, 4_000
Digits = tuple[np.ndarray, np.ndarray]

IMAGES: dict[str, tuple[int, ...]] = {
    "strokes": (1, 28, 28),
    "uci": (1, 8, 8),
    "mnist": (1, 28, 28),
    "textures": (3, 32, 32),
}
"""The data sets that networks are trained on, and the shape of one image."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained: AdamW, one-cycle rate, on a data set of IMAGES.

    Its digits or textures fill a box that is so many pixels high and wide.
    """

    dataset: str = "strokes"
    epochs: int = 8
    rate: float = 2e-3
    weight_decay: float = 0.05
    batch_size: int = 64
    seed: int = 0
    box: int = 20


RECIPES: dict[str, Recipe] = {
    "mlp": Recipe(),
    "lenet": Recipe(),
    "lenet_avg": Recipe(),
    "cam_net": Recipe(rate=1e-2, weight_decay=0.01),
    "tiny": Recipe(dataset="uci", epochs=100, rate=1e-2, batch_size=32, box=8),
    "lenet_dropout": Recipe(),
    "lenet_evidential": Recipe(),
    "colour_net": Recipe(dataset="textures", epochs=6, rate=4e-3, weight_decay=0.01, batch_size=32, box=32),
    "resnet": Recipe(epochs=5, rate=1e-2),
    "colour_resnet": Recipe(dataset="textures", epochs=6, rate=1e-2, batch_size=32, box=32),
}
"""The recipe of each shipped network."""

LOSSES: dict[str, LossFunction] = {"lenet_evidential": EvidentialLoss()}
"""The losses that are not the cross-entropy: models whose scores mean something else."""

HALF = ("resnet", "colour_resnet")
"""Those whose file has float16 numbers, for half its size."""


def digits(dataset: str, split: str, folder: str | os.PathLike | None = None) -> Digits:
    """The images that networks are trained ("train") or judged ("test") on, (N, C, H, W), and their labels (N,).

    "strokes" are 40,000 digits of seed 0 to train on and 10,000 of seed 1 held out, "textures" 12,000 and 4,000 in the
    same way; "uci" and "mnist" have their own splits.

    Raises
    ------
    ValueError
        There is no such data set or split.
    FileNotFoundError
        The files of MNIST are not there.
    """
    if not is_one_of(split, ("train", "test")):
        raise ValueError(f'split takes "train" or "test", got {split!r}.')
    train = split == "train"
    seed = TRAINING_SEED if train else HELD_OUT_SEED
    if dataset == "strokes":
        images, labels = datasets.strokes(TRAINING_DIGITS if train else HELD_OUT_DIGITS, seed=seed)
        return images, labels
    if dataset == "textures":
        return datasets.textures(TRAINING_TEXTURES if train else HELD_OUT_TEXTURES, seed=seed)
    if dataset == "uci":
        return datasets.uci(split)
    if dataset == "mnist":
        return datasets.mnist(split, folder)
    raise ValueError(f"There is no data set {dataset!r}; the names are strokes, textures, uci and mnist.")
