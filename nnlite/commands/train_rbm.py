"""What `nnlite train` does for the expert that is trained step by step, the Gaussian-RBM."""

import argparse
import sys
from pathlib import Path
from typing import Any

from ..model_based.experts import rbm, recipes
from ..model_based.generators import recipes as clean


def train(options: argparse.Namespace, given: dict[str, Any], checkpoint: Path) -> str:
    """Train by the expert's recipe with what is given instead, and write it; the quality in words."""
    held_out, _ = clean.digits(clean.HELD_OUT_DIGITS, held_out=True)
    expert, history = rbm.train(
        recipes.digits(),
        **{**recipes.OPTIONS["rbm"], **given},
        held_out=held_out,
        checkpoint=checkpoint,
        resume=options.resume,
        progress=sys.stderr.isatty(),
    )
    expert.save(options.out)
    last = history[-1]
    seconds = sum(epoch["seconds"] for epoch in history)
    return (
        f"rbm on strokes, {len(held_out)} held-out digits: squared error of a pixel "
        f"{last['held_out_reconstruction']:.4f}, log p {last['held_out_margin']:.1f} nats above that of their pixels "
        f"mixed, {seconds:.0f} s"
    )
