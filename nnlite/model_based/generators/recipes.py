"""How each shipped generator is trained: `nnlite train --model vae` (gan, dcgan) follows its recipe."""

from dataclasses import dataclass

import numpy as np

from ... import datasets
from ...layers.arguments import count, integer, number

TRAINING_SEED, HELD_OUT_SEED = 0, 1
HELD_OUT_DIGITS = 2000


@dataclass(frozen=True)
class Recipe:
    """How a generator is trained: Adam, in batches.

    epochs: how often through the digits, the warmup included.
    rate: the highest learning rate: of the one cycle of the vae; of the cosine of both players of a gan.
    seed: of the weights, the order of the digits and the noise.
    digits: how many strokes of a clean hand to learn from.
    weight: a gan's: of the reconstruction beside the contest.
    warmup, warm_rate: a gan's: the epochs of reconstruction alone before the contest, and their highest rate.

    Raises ValueError: a number is out of its range.
    """

    epochs: int
    rate: float
    seed: int = 0
    batch_size: int = 128
    digits: int = 20_000
    weight: float = 0.01
    warmup: int = 0
    warm_rate: float = 3e-3

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "digits"):
            count("Recipe", name, getattr(self, name))
        for name in ("seed", "warmup"):
            integer("Recipe", name, getattr(self, name))
        if self.digits < 10:
            raise ValueError(f"Recipe: digits takes 10 or more, one of each class, got {self.digits}.")
        if self.warmup >= self.epochs:
            raise ValueError(f"Recipe: epochs must be more than the warmup of {self.warmup}, got {self.epochs}.")
        for name in ("rate", "warm_rate"):
            number("Recipe", name, getattr(self, name), above=0)
        if number("Recipe", "weight", self.weight) < 0:
            raise ValueError(f"Recipe: weight must be from 0, got {self.weight}.")


RECIPES: dict[str, Recipe] = {
    "vae": Recipe(epochs=25, rate=3e-3),
    "gan": Recipe(epochs=30, rate=2e-3, weight=0.004),
    "dcgan": Recipe(epochs=18, rate=2e-3, warmup=6),
}
"""The recipe of each shipped generator."""


def digits(n: int, *, held_out: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """The strokes of a clean hand that generators learn from, or others held out: images (n, 1, 28, 28) and labels.

    >>> digits(3)[1]
    array([0, 1, 2])
    """
    seed = HELD_OUT_SEED if held_out else TRAINING_SEED
    images, labels = datasets.strokes(n, seed=seed, hand=datasets.CLEAN_HAND)
    return images, labels
