"""Training: how the networks that are explained here came to be.

loop.py              epochs, shuffled batches, checkpoints: what every training shares
fit.py               a classifier
run.py               what a run was asked to do, checked; its fingerprint
backpropagation.py   the gradient in every parameter, from the walk back
batchnorm.py         BatchNorm by the batch in the steps, by measured statistics after them
losses.py            softmax and cross-entropy
optimizers.py        SGD, Adam, AdamW
schedules.py         ConstantRate, Cosine, OneCycle: the learning rate at each step
accuracy.py          how often a network is right
checkpoint.py        what a stopped run needs to go on
divergence.py        what to say when the numbers are no longer finite
gradient_check.py    is the backward pass the derivative of the forward pass?
"""

import warnings
from typing import Any

from .accuracy import accuracy
from .backpropagation import parameter_gradients
from .fit import Epoch, Fit, fit
from .gradient_check import gradient_check
from .losses import cross_entropy, log_softmax, softmax
from .optimizers import SGD, Adam, AdamW, Optimizer
from .schedules import ConstantRate, Cosine, OneCycle, Schedule


def __getattr__(name: str) -> Any:
    if name == "Constant":  # as version 0.1 called it; nnlite.layers has a Constant too
        warnings.warn(
            "training.Constant is now training.ConstantRate; the old name goes with version 0.3.",
            DeprecationWarning,
            stacklevel=2,
        )
        return ConstantRate
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = [
    "SGD", "Adam", "AdamW", "ConstantRate", "Cosine", "Epoch", "Fit", "OneCycle", "Optimizer", "Schedule", "accuracy",
    "cross_entropy", "fit", "gradient_check", "log_softmax", "parameter_gradients", "softmax",
]  # fmt: skip
