"""The lessons' networks by name: how they are built, what they were trained on, and their weights.

architectures.py    the five networks, with fresh weights
recipes.py          what each was trained on, and how
"""

from ..datasets.folders import package_file
from ..network import Network
from ..network import load as load_file
from .architectures import BUILDERS, build
from .recipes import HELD_OUT_DIGITS, HELD_OUT_SEED, IMAGES, RECIPES, Recipe, digits

NAMES = tuple(BUILDERS)
"""The names that `load` and `build` know."""


def load(name: str) -> Network:
    """A trained network by name: "mlp", "lenet", "lenet_avg", "cam_net" (28 × 28 digits) or "tiny" (8 × 8 digits).

    Returns
    -------
    The network in float32; `network.info` says how it was trained and how well it does.

    Raises
    ------
    ValueError
        There is no network of that name.

    >>> load("tiny").output_shape((1, 1, 8, 8))
    (1, 10)
    """
    if name not in NAMES:
        raise ValueError(f"There is no network {name!r}; the names are {', '.join(NAMES)}.")
    return load_file(package_file(f"weights/{name}.npz"))


__all__ = ["HELD_OUT_DIGITS", "HELD_OUT_SEED", "IMAGES", "NAMES", "RECIPES", "Recipe", "build", "digits", "load"]
