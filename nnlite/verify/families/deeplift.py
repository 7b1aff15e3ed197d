"""DeepLIFT with Rescale beside captum, which loses a rule where max-pooling or activation functions touch."""

import warnings
from itertools import pairwise
from typing import Any

import numpy as np

from ...decision_based.deeplift import deeplift, deeplift_rules
from ...decision_based.target import explained
from ...layers import (
    ELU,
    Dropout,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool2d,
    Multiply,
    ReLU,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from ...walk import gradient_rule
from ..case import ACTIVATIONS, Case, array
from ..libraries import load
from ..table import BUG, CONVENTION, Comparison, impossible

BECAUSE = (
    "Where max-pooling and activation functions follow each other directly, captum's rule for the upper one is lost: "
    "the hook of the lower one sees the signal before the upper one's has changed it, and the plain gradient takes its "
    "place."
)
APART = "sample by sample, with x.clone() between the layers"

WITH_RULE = (ReLU, ELU, LeakyReLU, Sigmoid, Tanh, Softplus)
WITHOUT_RULE: tuple[type[Layer], ...] = (Multiply, *(kind for kind in ACTIVATIONS if kind not in WITH_RULE))

OVERLAPPING = "captum unpools into one of the windows that overlap, where their contributions must add."


def comparisons(case: Case) -> list[Comparison]:
    """From black, and from noise.

    (Not from grey: there all positions of a pooling window tie up to rounding, and which of them is the reference's
    winner is chance, in either library.)
    """
    if case.has(Softmax):
        return [impossible("deeplift", "captum", "DeepLift", "DeepLIFT has no rule for a Softmax between layers.")]
    noise = np.random.default_rng(0).random(case.x.shape).astype(case.x.dtype)
    return [_row(case, "0", np.zeros_like(case.x)), _row(case, "noise", noise)]


def _row(case: Case, name: str, reference: np.ndarray) -> Comparison:
    def ours() -> np.ndarray:
        return deeplift(case.network, case.x, case.target, reference=reference)

    convention = f"DeepLift (Rescale), reference {name}"
    row = Comparison("deeplift", "captum", convention, lambda: _captum(case.module, case, reference), ours)
    if case.overlapping:
        return impossible("deeplift", "captum", convention, OVERLAPPING)
    without = sorted({type(layer).__name__ for layer in case.network if isinstance(layer, WITHOUT_RULE)})
    if not without and not case.has(MaxPool2d) and not _touching(case):
        return row
    if not without:
        return row.otherwise(BUG, BECAUSE, f"{convention}; captum {APART}", ours, lambda: _apart(case, reference))
    return row.otherwise(
        CONVENTION, f"captum has no rule for {', '.join(without)}: it takes the gradient, and Σ R is not f(x) − f(x′).",
        f"{convention}; nnlite the gradient there, captum {APART}",
        lambda: _gradient_there(case, reference), lambda: _apart(case, reference),
    )  # fmt: skip


def _gradient_there(case: Case, reference: np.ndarray) -> np.ndarray:
    """nnlite's DeepLIFT with the gradient wherever captum has no rule."""
    f = explained(case.network, case.x, case.target)
    rules = deeplift_rules(f.network, f.a, f.network.forward(reference))
    there = [
        gradient_rule if isinstance(layer, WITHOUT_RULE) else rule for layer, rule in zip(f.network, rules, strict=True)
    ]
    return f.network.walk_back(f.a, f.ones, there)[0] * (case.x - reference)


def _touching(case: Case) -> bool:
    """Whether two layers that have a rule follow each other (an Identity and a Dropout hand on x itself)."""
    layers = [layer for layer in case.network if not isinstance(layer, (Identity, Dropout))]
    return any(all(isinstance(layer, (MaxPool2d, *ACTIVATIONS)) for layer in pair) for pair in pairwise(layers))


def _captum(module: Any, case: Case, reference: np.ndarray, which: slice = slice(None)) -> np.ndarray:
    x = case.tensor()[which].requires_grad_()
    method = load("captum.attr").DeepLift(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it sets hooks
        return array(method.attribute(x, baselines=case.tensor(reference)[which], target=case.labels[which]))


def _apart(case: Case, reference: np.ndarray) -> np.ndarray:
    """captum with a copy of the activations between the layers, sample by sample.

    (Where a sample equals its reference captum takes the gradient of the batch's first sample.)
    """
    from ...interop.torch_modules import wired

    apart = wired(case.network)
    apart.read = load("torch").clone
    return np.concatenate([_captum(apart, case, reference, slice(i, i + 1)) for i in range(len(case.x))])
