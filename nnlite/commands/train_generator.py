"""What `nnlite train` does for a generator."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from .. import models
from ..model_based import generators
from ..model_based.generators import quality, recipes, training


def train(options: argparse.Namespace, given: dict[str, Any], checkpoint: Path) -> str:
    """Train by the recipe with what is given instead, and write the generator; the quality in words."""
    recipe = replace(recipes.RECIPES[options.model], **given)
    teacher = None if options.model == "vae" else generators.load("vae")
    g, history = training.train(
        options.model,
        recipe,
        teacher=teacher,
        checkpoint=checkpoint,
        resume=options.resume,
        progress=sys.stderr.isatty(),
    )
    g = quality.measured(g, models.load("lenet"))
    g.save(options.out)
    seconds = sum(epoch["seconds"] for epoch in history)
    return f"{options.model} on strokes, {_in_words(g.info)}, {seconds:.0f} s"


def _in_words(info: dict[str, Any]) -> str:
    drawn = info["samples"]
    present = sum(n > 0 for n in drawn["classes"])
    words = (
        f"lenet is sure (p > {drawn['sure_above']:g}) of {drawn['sure']:.1%} of {sum(drawn['classes'])} samples, "
        f"{present} classes, {drawn['entropy']:.2f} bits"
    )
    if "held_out" not in info:
        return words
    held = info["held_out"]
    return (
        f"bound {held['bound']:.2f} nats an image (reconstruction {held['reconstruction']:.2f}, divergence "
        f"{held['divergence']:.2f}) on {held['digits']} held-out digits, {words}"
    )
