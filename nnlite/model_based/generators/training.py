"""From a recipe to a generator: what `nnlite train --model vae`, gan and dcgan do."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from ...decision_based.method import takes_network
from ...kernels.blas import one_blas_thread
from ...layers.arguments import frozen
from ...network import Network
from ...training import loop
from ...training.accuracy import blocks
from ...training.optimizers import Adam
from ...training.schedules import Cosine, OneCycle
from . import architectures, recipes
from .bound import halves
from .gan import GANTask
from .generator import Generator
from .joined import taken
from .recipes import Recipe
from .vae import VAETask

ADVERSARIAL = Adam(beta1=0.5)
"""Radford et al. 2016, sec. 4: less memory of the gradient, since the other player changes it."""


def train(
    name: str,
    recipe: Recipe,
    *,
    teacher: Generator | None = None,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    progress: bool = True,
) -> tuple[Generator, tuple[Mapping[str, Any], ...]]:
    """Train a generator; the same recipe gives the same bits on one machine and backend.

    "vae" begins with fresh weights. "gan" is the teacher's decoder, taught on by a discriminator; "dcgan" a fresh
    convolutional decoder that first learns to reconstruct images from the teacher's codes of them. The teacher is a
    generator with an encoder, such as `load("vae")`. checkpoint, resume, progress: as in `nnlite.training.fit`.

    Returned are the generator, rounded as its file will give it back, and what each epoch measured. Its codes are the
    means over the training digits of each class of the encoder's mean (for "gan" and "dcgan": the teacher's encoder).

    Raises ValueError: the name is unknown, or the teacher is missing or has no encoder; or the checkpoint is of another
    run; FloatingPointError: training diverged.
    """
    x, labels = recipes.digits(recipe.digits)
    task = _task(name, recipe, teacher, x)
    state = loop.run(
        task,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        seed=recipe.seed,
        checkpoint=checkpoint,
        resume=resume,
        progress=progress,
    )
    decoder = task.decoder.with_parameters(taken(state.parameters, "decoder"))
    encoder = task.encoder.with_parameters(taken(state.parameters, "encoder"))
    with one_blas_thread():  # the same bits, whatever the number of threads
        codes = class_means(encoder, x, labels)
    own = encoder if name == "vae" else None
    info = {"model": name, **asdict(recipe)}
    return Generator(name, decoder, own, codes, info).rounded(), state.history


@takes_network
def class_means(encoder: Network, x: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The mean code of the images of each class, (10, d)."""
    means = np.concatenate([halves(encoder.forward(x[block])[-1])[0] for block in blocks(len(x))])
    return frozen(np.stack([means[labels == c].mean(axis=0, dtype=np.float64) for c in range(10)]).astype(x.dtype))


def _task(name: str, recipe: Recipe, teacher: Generator | None, x: np.ndarray) -> VAETask | GANTask:
    rng = np.random.default_rng(recipe.seed)
    settings = {"model": name, **asdict(recipe)}
    if name == "vae":
        held_out, _ = recipes.digits(recipes.HELD_OUT_DIGITS, held_out=True)
        encoder, decoder = architectures.encoder(rng), architectures.decoder(rng)
        return VAETask(encoder, decoder, x, held_out, Adam(), OneCycle(recipe.rate), settings)
    if name not in ("gan", "dcgan"):
        raise ValueError(f"There is no recipe for a generator {name!r}; the names are vae, gan and dcgan.")
    if teacher is None or teacher.encoder is None:
        raise ValueError(f'{name} learns from a generator with an encoder: give teacher=generators.load("vae").')
    decoder = teacher.decoder if name == "gan" else architectures.convolutional_decoder(rng)
    return GANTask(
        teacher.encoder,
        decoder,
        architectures.discriminator(rng),
        x,
        ADVERSARIAL,
        OneCycle(recipe.warm_rate),
        Cosine(recipe.rate),
        recipe.warmup,
        recipe.weight,
        settings,
    )
