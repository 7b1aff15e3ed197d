"""Training a classifier: gradient descent on the mean loss of its scores, the same bits for the same seed."""

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..layers import Dropout
from ..network import Network
from ..surgery import exchanged
from ..walk import activations_of
from . import loop
from .accuracy import accuracy
from .backpropagation import parameter_gradients
from .batchnorm import in_training, measured
from .divergence import diverged_loss
from .loop import Moment, Parameters
from .losses import cross_entropy
from .optimizers import AdamW, Memories, Optimizer
from .run import Data, LossFunction, TrainingRun
from .schedules import OneCycle, Schedule

OPTIMIZER = AdamW(weight_decay=0.05)
SCHEDULE = OneCycle(2e-3)


@dataclass(frozen=True)
class Epoch:
    """What was measured in one epoch.

    loss, accuracy: the means over the training samples, each measured just before the step that it took part in, with
    the dropout and the batch statistics of that step. held_out_accuracy: on the held-out samples after the epoch,
    without dropout and with measured statistics; None without such samples. seconds: by the clock on the wall,
    measuring included.
    """

    loss: float
    accuracy: float
    held_out_accuracy: float | None
    seconds: float


@dataclass(frozen=True, eq=False)
class Fit:
    """What came out of a training run: the trained network, and one Epoch of measurements for each epoch."""

    network: Network
    history: tuple[Epoch, ...]


def fit(
    network: Network,
    x: np.ndarray,
    labels: np.ndarray,
    *,
    held_out: Data | None = None,
    epochs: int = 8,
    batch_size: int = 64,
    optimizer: Optimizer = OPTIMIZER,
    schedule: Schedule = SCHEDULE,
    seed: int = 0,
    loss: LossFunction = cross_entropy,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    progress: bool = True,
    compile: bool = False,
) -> Fit:
    """w ← w − rate(t) · direction(∂L/∂w), a step for each batch, with the loss L = mean over the batch.

    Each epoch goes once through all samples, in an order drawn from (seed, epoch); the last batch may be smaller. Each
    step takes a draw of the network from (seed, epoch, step), which fixes masks for its Dropouts, and its BatchNorms
    normalize by the batch; in the network that `held_out` judges and in the one that is returned they have the mean and
    variance measured over all x, see `batchnorm.measured`. The loss takes the `class_scores`, from below a Softmax:
    (0, z) where the network ends in one output z and a Sigmoid. BLAS runs on one thread meanwhile, so that the weights
    do not depend on the number of threads: the same arguments give the same bits on one machine and backend.

    network: where training starts; it stays as it is.
    x: the training inputs (N, ...), in the network's dtype.
    labels: their classes (N,), integers from 0 to K − 1 for K scores.
    held_out: other inputs and labels, (x, labels): after each epoch the accuracy on them is measured.
    epochs, batch_size: how often to go through all samples, and how many of them each step takes.
    optimizer: SGD, Adam, AdamW, or anything with their `update`.
    schedule: Constant, Cosine, OneCycle, or any function (step, total) -> rate.
    seed: an integer from 0: decides the order of the samples and the dropout.
    loss: (scores, labels) -> (loss, ∂loss/∂scores). One that changes from epoch to epoch has `at(epoch)`, which gives
        the loss of epoch 0, 1, ...
    checkpoint: a file that is written after every epoch; an older checkpoint at that place is replaced.
    resume: go on from the checkpoint, to the same bits as without the interruption; if there is no checkpoint yet,
        start.
    progress: show a progress bar on the standard error.
    compile: run the steps on `network.compile()`: faster after some seconds, and other bits (the same to rounding).

    Returns a Fit: the trained network (with its Softmax, if it had one), and the history.
    Raises ValueError or TypeError: the data, the network and the settings do not fit together, or the checkpoint is
    damaged, or of a run with other settings; the message says what was expected, what was given, and what to do;
    FloatingPointError: the loss or a parameter is no longer finite. The message names the epoch, the step and the
    layer.
    Source: Bottou, Curtis and Nocedal 2018, "Optimization methods for large-scale machine learning", algorithm 4.1.

    >>> from nnlite.layers import Dense
    >>> rng = np.random.default_rng(0)
    >>> labels = np.arange(200) % 2
    >>> x = rng.normal(size=(200, 2)) + 4 * labels[:, None]  # two clouds
    >>> start = Network([Dense(np.zeros((2, 2)), np.zeros(2))])
    >>> result = fit(start, x, labels, schedule=OneCycle(0.1), progress=False)
    >>> [round(epoch.loss, 2) for epoch in result.history]
    [0.67, 0.45, 0.29, 0.21, 0.16, 0.12, 0.11, 0.1]
    """
    run = TrainingRun(network, x, labels, held_out, epochs, batch_size, optimizer, schedule, seed, loss, compile)
    task = _Classifier(run)
    state = loop.run(
        task, epochs=epochs, batch_size=batch_size, seed=seed, checkpoint=checkpoint, resume=resume, progress=progress
    )
    try:
        history = tuple(Epoch(**epoch) for epoch in state.history)
    except TypeError as error:  # only what was read from a checkpoint can be another
        raise ValueError(f"{checkpoint}: not a checkpoint that fit wrote ({error}).") from None
    return Fit(exchanged(network, dict(enumerate(task.trained(state.parameters)))), history)  # (compiled if it was)


class _Classifier:
    """The task of `fit`, for the loop."""

    def __init__(self, run: TrainingRun) -> None:
        self.run = run
        self.samples = len(run.x)
        self.network = in_training(run.network.to_scores())
        self.draws = any(isinstance(layer, Dropout) for layer in self.network)

    def start(self) -> Parameters:
        return self.run.network.parameters

    def settings(self) -> dict[str, Any]:
        return self.run.settings()

    def trained(self, parameters: Parameters) -> Network:
        """The network with these parameters, and with its BatchNorms measured in the batches of the first epoch."""
        run, order = self.run, loop.order(self.run.seed, 0, self.samples)
        batches = (run.x[order[i : i + run.batch_size]] for i in range(0, self.samples, run.batch_size))
        return measured(run.network.with_parameters(parameters), batches)

    def after_epoch(self, parameters: Parameters) -> dict[str, float | None]:
        held_out = self.run.held_out
        return {"held_out_accuracy": None if held_out is None else accuracy(self.trained(parameters), *held_out)}

    def step(
        self, parameters: Parameters, memories: Memories, rows: np.ndarray, at: Moment
    ) -> tuple[Parameters, Memories, dict[str, float]]:
        """One step of gradient descent. The loss and the hits are those before it."""
        run, network = self.run, self.network.with_parameters(parameters)
        batch, labels = run.x[rows], run.labels[rows]
        draw = network.sample(at.rng(), batch.shape) if self.draws else network
        a = activations_of(draw, batch)
        loss_of = run.loss.at(at.epoch) if hasattr(run.loss, "at") else run.loss
        scores = run.network.class_scores(a[-1])
        loss, dscores = loss_of(scores, labels)
        if not math.isfinite(loss):
            raise diverged_loss(draw, a, loss, str(at))
        dz = dscores[:, -a[-1].shape[1] :]  # all, or of the (0, z) of a binary network z alone
        gradients = parameter_gradients(draw, a, dz)
        changed, remembered = loop.updated(
            run.optimizer, network.parameters, gradients, memories, at.rate(run.schedule), at
        )
        hits = (scores.argmax(axis=1) == labels).sum()
        return changed, remembered, {"loss": float(loss) * len(rows), "accuracy": float(hits)}
