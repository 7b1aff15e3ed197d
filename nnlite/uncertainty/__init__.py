"""How sure is the network? A family of networks instead of one: draws of a dropout, members of an ensemble.

draws.py         the draws of a dropout: a family of networks from one
prediction.py    what a family says: the mean, the entropies, how far its members agree; Monte Carlo dropout
evidential.py    one network whose scores are evidence: a Dirichlet over the probabilities, and the loss to train it
calibration.py   is it as often right as it says? The reliability diagram, its errors, two proper scores
temperature.py   one number that makes a network as sure as it may be
diagram.py       the reliability diagram, drawn
explanations.py  any method over a family: mean, spread, quantiles, signs, of the maps
panels.py        an explanation and how sure it is, as one picture
shifts.py        digits turned, blended, noise: where uncertainty should rise, and how well it tells them
"""

import warnings
from typing import Any

from .calibration import (
    Reliability,
    brier_score,
    expected_calibration_error,
    maximum_calibration_error,
    negative_log_likelihood,
    reliability,
)
from .diagram import reliability_diagram
from .draws import Networks, dropout_draws
from .evidential import Evidence, EvidentialLoss, evidence, evidential_loss
from .explanations import ExplanationDraws, explanations
from .panels import picture
from .prediction import Prediction, mc_dropout, predict
from .shifts import auroc, blended, noise, rotated
from .temperature import temperature


def __getattr__(name: str) -> Any:
    if name == "explain":  # as version 0.1 called it
        warnings.warn(
            "uncertainty.explain is now explanations; the old name goes with version 0.3.",
            DeprecationWarning,
            stacklevel=2,
        )
        return explanations
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "Evidence", "EvidentialLoss", "ExplanationDraws", "Networks", "Prediction", "Reliability", "auroc", "blended",
    "brier_score", "dropout_draws", "evidence", "evidential_loss", "expected_calibration_error", "explanations",
    "maximum_calibration_error", "mc_dropout", "negative_log_likelihood", "noise", "picture", "predict", "reliability",
    "reliability_diagram", "rotated", "temperature",
]  # fmt: skip
