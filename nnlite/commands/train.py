"""train one of the lessons' networks

Without other options the network's own recipe is followed: `nnlite train --model lenet` reproduces the weights that
come with nnlite. After every epoch a checkpoint is written beside the output; a run that was stopped goes on with
--resume, to the very same weights.

examples:
  nnlite train --model lenet --out lenet.npz
  nnlite train --dataset mnist --model mlp --epochs 4 --seed 1 --out mlp.npz
  nnlite train --model lenet --out lenet.npz --resume
"""

import argparse
import math
import sys
from dataclasses import asdict, replace
from pathlib import Path

from .. import Network, models, training
from . import checks


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--model", required=True, choices=models.NAMES, help="the network")
    parser.add_argument("--dataset", choices=list(models.IMAGES), help="the digits (default: the recipe's)")
    parser.add_argument("--folder", help="where MNIST lies (default: $NNLITE_DATA, or ~/.cache/nnlite)")
    parser.add_argument("--epochs", type=int, help="how often through the digits (default: the recipe's)")
    parser.add_argument("--rate", type=float, help="the highest learning rate (default: the recipe's)")
    parser.add_argument("--seed", type=int, help="of the weights and the order of the digits (default: the recipe's)")
    parser.add_argument("--out", required=True, type=Path, help="the file for the trained network (.npz)")
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the checkpoint of a run that was stopped; start if there is none",
    )


def run(options: argparse.Namespace) -> None:
    """Train, and write the network with its measured accuracy."""
    checks.output(options.out, {".npz"})
    given = {name: getattr(options, name) for name in ("dataset", "epochs", "rate", "seed")}
    recipe = replace(models.RECIPES[options.model], **{key: value for key, value in given.items() if value is not None})
    for name, least in (("epochs", 1), ("seed", 0)):
        if getattr(recipe, name) < least:
            raise ValueError(f"--{name} takes an integer from {least}, and {getattr(recipe, name)} came.")
    if not 0 < recipe.rate < math.inf:
        raise ValueError(f"--rate takes a finite number above 0, such as 0.002, and {recipe.rate} came.")
    start = models.build(options.model, recipe.seed)
    if models.IMAGES[recipe.dataset] != start.input_shape:
        fitting = " or ".join(name for name, shape in models.IMAGES.items() if shape == start.input_shape)
        raise ValueError(
            f"{options.model} takes images of {start.input_shape}, and {recipe.dataset} has "
            f"{models.IMAGES[recipe.dataset]}; use --dataset {fitting}."
        )
    x, labels = models.digits(recipe.dataset, "train", options.folder)
    held_out = models.digits(recipe.dataset, "test", options.folder)
    checkpoint = options.out.with_name(f"{options.out.name}.checkpoint")
    fitted = training.fit(
        start,
        x,
        labels,
        held_out=held_out,
        epochs=recipe.epochs,
        batch_size=recipe.batch_size,
        optimizer=training.AdamW(weight_decay=recipe.weight_decay),
        schedule=training.OneCycle(recipe.rate),
        seed=recipe.seed,
        checkpoint=checkpoint,
        resume=options.resume,
        progress=sys.stderr.isatty(),
    )
    accuracy = fitted.history[-1].held_out_accuracy
    info = {"model": options.model, **asdict(recipe), "trained_on": len(x), "held_out": len(held_out[0])}
    network = Network(
        fitted.network.layers, fitted.network.names, start.input_shape, {**info, "held_out_accuracy": accuracy}
    )
    network.save(options.out)
    checkpoint.unlink(missing_ok=True)
    seconds = sum(epoch.seconds for epoch in fitted.history)
    print(
        f"{options.out}: {options.model} on {recipe.dataset}, {accuracy:.2%} of {len(held_out[0])} held-out digits, "
        f"{seconds:.0f} s"
    )
