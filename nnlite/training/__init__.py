"""Training: how the networks that are explained here came to be.

loop.py              epochs, shuffled batches, checkpoints: what every training shares
fit.py               a classifier
run.py               what a run was asked to do, checked; its fingerprint
backpropagation.py   the gradient in every parameter, from the walk back
batchnorm.py         BatchNorm by the batch in the steps, by measured statistics after them
losses.py            softmax and cross-entropy
optimizers.py        SGD, Adam, AdamW
schedules.py         Constant, Cosine, OneCycle: the learning rate at each step
accuracy.py          how often a network is right
checkpoint.py        what a stopped run needs to go on
divergence.py        what to say when the numbers are no longer finite
gradient_check.py    is the backward pass the derivative of the forward pass?
"""

from .accuracy import accuracy
from .backpropagation import parameter_gradients
from .fit import Epoch, Fit, fit
from .gradient_check import gradient_check
from .losses import cross_entropy, log_softmax, softmax
from .optimizers import SGD, Adam, AdamW, Optimizer
from .schedules import Constant, Cosine, OneCycle, Schedule

__all__ = [
    "SGD", "Adam", "AdamW", "Constant", "Cosine", "Epoch", "Fit", "OneCycle", "Optimizer", "Schedule", "accuracy",
    "cross_entropy", "fit", "gradient_check", "log_softmax", "parameter_gradients", "softmax",
]  # fmt: skip
