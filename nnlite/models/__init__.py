"""The lessons' networks by name: how they are built, what they were trained on, and their weights.

architectures.py    the networks, with fresh weights
recipes.py          what each was trained on, and how
"""

from ..datasets.folders import package_file
from ..files import load as load_file
from ..layers.arguments import is_one_of
from ..network import Network
from .architectures import BUILDERS, build
from .recipes import HALF, HELD_OUT_DIGITS, HELD_OUT_SEED, IMAGES, LOSSES, RECIPES, Recipe, digits

NAMES = tuple(BUILDERS)
"""The names that `load` and `build` know."""

VERIFIED = ("mlp", "lenet", "lenet_avg", "cam_net", "tiny")
"""Those whose every map is compared with the frameworks' own."""

MEMBERS = ("lenet", "lenet-1", "lenet-2", "lenet-3", "lenet-4")
"""Five lenets that differ in the seed of their training alone: `load` knows them, `ensemble` loads all."""


def load(name: str) -> Network:
    """A trained network by name: "mlp", "lenet", "lenet_avg", "cam_net" (28 × 28 digits), "tiny" (8 × 8 digits), ...

    In float32; `network.info` says how it was trained and how well it does.

    Raises ValueError: there is no network of that name.

    >>> load("tiny").output_shape((1, 1, 8, 8))
    (1, 10)
    """
    if not is_one_of(name, NAMES + MEMBERS):
        raise ValueError(f"There is no network {name!r}; the names are {', '.join(NAMES + MEMBERS[1:])}.")
    return load_file(package_file(f"weights/{name}.npz"))


def ensemble() -> tuple[Network, ...]:
    """The five networks of MEMBERS: one architecture and recipe, five seeds.

    Source: Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using deep ensembles".
    """
    return tuple(map(load, MEMBERS))


__all__ = [
    "HALF",
    "HELD_OUT_DIGITS",
    "HELD_OUT_SEED",
    "IMAGES",
    "LOSSES",
    "MEMBERS",
    "NAMES",
    "RECIPES",
    "VERIFIED",
    "Recipe",
    "build",
    "digits",
    "ensemble",
    "load",
]
