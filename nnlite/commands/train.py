"""Without other options the model's own recipe is followed: `nnlite train --model lenet` trains as the weights that
come with nnlite were trained, to their accuracy (not to their bits: data/README.md). After every epoch a checkpoint is
written beside the output; a run that was stopped goes on with --resume, to the very same weights. The generators (vae,
gan, dcgan) and the rbm learn from strokes of a clean hand; gan and dcgan begin at the vae that comes with nnlite.

examples:
  nnlite train --model lenet --out lenet.npz
  nnlite train --dataset mnist --model mlp --epochs 4 --seed 1 --out mlp.npz
  nnlite train --model lenet --out lenet.npz --resume
  nnlite train --model vae --out vae.npz
"""

import argparse
import math

from .. import models
from ..model_based import generators
from . import checks, train_classifier, train_generator, train_rbm
from .options import declare, given


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    names = (*models.NAMES, *generators.NAMES, "rbm")
    parser.add_argument("--model", required=True, choices=names, help="the network, generator or expert")
    parser.add_argument("--dataset", choices=list(models.IMAGES), help="the digits (default: the recipe's)")
    declare(parser, "--folder")
    parser.add_argument("--epochs", type=int, help="how often through the digits (default: the recipe's)")
    parser.add_argument("--rate", type=float, help="the highest learning rate (default: the recipe's)")
    parser.add_argument("--seed", type=int, help="of the weights and the order of the digits (default: the recipe's)")
    declare(parser, "--no-compile")
    declare(parser, "--out", required=True, help="the file for the trained network (.npz)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the checkpoint of a run that was stopped; if there is no checkpoint, start",
    )


def run(options: argparse.Namespace) -> None:
    """Train, and write the model with its measured quality."""
    checks.output(options.out, {".npz"})
    least = {"epochs": 1, "seed": 0}
    for name, value in given(options, *least).items():
        if value < least[name]:
            raise ValueError(f"--{name} takes an integer from {least[name]}, got {value}.")
    if options.rate is not None and not 0 < options.rate < math.inf:
        raise ValueError(f"--rate takes a finite number above 0, such as 0.002, got {options.rate}.")
    if options.model in models.NAMES:
        train = train_classifier.train
    else:
        train = train_generator.train if options.model in generators.NAMES else train_rbm.train
        for name in given(options, "dataset", "folder"):
            raise ValueError(
                f"--{name} is for classifiers ({', '.join(models.NAMES)}); {options.model} learns from "
                f"strokes of a clean hand: leave out --{name}."
            )
    chosen = given(options, "dataset", "epochs", "rate", "seed")
    checkpoint = options.out.with_name(f"{options.out.name}.checkpoint")
    quality = train(options, chosen, checkpoint)
    checkpoint.unlink(missing_ok=True)
    print(f"{options.out}: {quality}")
