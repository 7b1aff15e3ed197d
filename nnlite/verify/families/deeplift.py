"""DeepLIFT with Rescale beside captum, whose max-pooling rule is lost next to an activation function."""

import warnings
from typing import Any

import numpy as np

from ...decision_based.deeplift import deeplift
from ...layers import MaxPool2d, Softmax
from ..case import Case, array
from ..libraries import load
from ..table import BUG, Comparison, impossible

BECAUSE = (
    "Where a max-pooling follows an activation function directly, captum's rule for it is lost: the activation's hook "
    "sees the signal before the pooling's hook has changed it, and the plain gradient takes its place."
)
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
    if not case.has(MaxPool2d):
        return row
    if case.overlapping:
        return impossible(
            "deeplift", "captum", convention, OVERLAPPING
        )  # fmt: skip
    return row.otherwise(
        BUG, BECAUSE, f"{convention}; captum sample by sample, with x.clone() before each max-pooling",
        ours, lambda: _apart(case, reference),
    )  # fmt: skip


def _captum(module: Any, case: Case, reference: np.ndarray, which: slice = slice(None)) -> np.ndarray:
    x = case.tensor()[which].requires_grad_()
    method = load("captum.attr").DeepLift(module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it sets hooks
        return array(method.attribute(x, baselines=case.tensor(reference)[which], target=case.labels[which]))


def _apart(case: Case, reference: np.ndarray) -> np.ndarray:
    """captum with a copy of the activations before each max-pooling, sample by sample.

    (Where a sample equals its reference captum takes the gradient of the batch's first sample.)
    """
    torch = load("torch")

    class Copy(torch.nn.Module):  # type: ignore[name-defined]
        def forward(self, x: Any) -> Any:
            return x.clone()

    modules = []
    for module in case.module:
        modules += [Copy(), module] if isinstance(module, torch.nn.MaxPool2d) else [module]
    apart = torch.nn.Sequential(*modules)
    return np.concatenate([_captum(apart, case, reference, slice(i, i + 1)) for i in range(len(case.x))])
