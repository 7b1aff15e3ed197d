"""What `nnlite train` does for a classifier."""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from .. import Network, load, models, training


def train(options: argparse.Namespace, given: dict[str, Any], checkpoint: Path) -> str:
    """Train by the recipe with what is given instead, and write the network; the quality in words."""
    recipe = replace(models.RECIPES[options.model], **given)
    start = models.build(options.model, recipe.seed)
    if models.IMAGES[recipe.dataset] != start.input_shape:
        fitting = " or ".join(name for name, shape in models.IMAGES.items() if shape == start.input_shape)
        raise ValueError(
            f"{options.model} takes images of {start.input_shape}, and {recipe.dataset} has "
            f"{models.IMAGES[recipe.dataset]}; use --dataset {fitting}."
        )
    x, labels = models.digits(recipe.dataset, "train", options.folder)
    held_out = models.digits(recipe.dataset, "test", options.folder)
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
        loss=models.LOSSES.get(options.model, training.cross_entropy),
        checkpoint=checkpoint,
        resume=options.resume,
        progress=sys.stderr.isatty(),
        compile=options.compile,
    )
    trained, accuracy, half = fitted.network, fitted.history[-1].held_out_accuracy, options.model in models.HALF
    if half:  # what is said of the network is said of what its file holds
        trained.save(options.out, half=True)
        trained = load(options.out)
        accuracy = training.accuracy(trained, *held_out)
    info = {"model": options.model, **asdict(recipe), "trained_on": len(x), "held_out": len(held_out[0])}
    network = Network(
        trained.layers,
        trained.names,
        start.input_shape,
        {**info, "held_out_accuracy": accuracy},
        trained.wires,
    )
    network.save(options.out, half=half)
    seconds = sum(epoch.seconds for epoch in fitted.history)
    what = "textures" if recipe.dataset == "textures" else "digits"
    return f"{options.model} on {recipe.dataset}, {accuracy:.2%} of {len(held_out[0])} held-out {what}, {seconds:.0f} s"
