"""Generators: codes z from the standard normal become digits x = g(z), so that a search may move in code space.

    bound.py          the variational bound: reconstruction, divergence, the reparameterised draw
    adversarial.py    the two players' losses
    architectures.py  encoder, decoders, discriminators
    vae.py            the task of training a variational autoencoder
    gan.py            the task of training a decoder against a discriminator
    joined.py         the parameters of several networks by one name each
    recipes.py        how each shipped generator is trained
    training.py       from a recipe to a generator
    quality.py        what a generator is worth, in numbers
    generator.py      what comes out, and its file

Through(load("vae").decoder, f) is the objective f as a function of the code.

Source: slides, "Activation maximization in code space"; Montavon et al. 2018, sec. 3.3; Nguyen et al. 2016.
"""

import os

from ...datasets.folders import package_file
from ...disk import as_path
from ...layers.arguments import is_one_of
from .generator import Generator, load_file

NAMES = ("vae", "gan", "dcgan")
"""The generators that come with nnlite."""


def load(name: str | os.PathLike) -> Generator:
    """A generator by name, "vae", "gan" or "dcgan", or from a file that `Generator.save` wrote, in float32.

    Its `info` says how it was trained and how well it does.

    Raises ValueError: there is neither such a name nor such a file; or the file is damaged, or of another kind.

    >>> load("vae").sample(2).shape
    (2, 1, 28, 28)
    """
    if is_one_of(name, NAMES):
        return load_file(package_file(f"weights/{name}.npz"))
    if not as_path(name).is_file():
        raise ValueError(f"There is no generator {str(name)!r}, nor such a file; the names are {', '.join(NAMES)}.")
    return load_file(name)


__all__ = ["NAMES", "Generator", "load"]
