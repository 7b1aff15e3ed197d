"""Training: the loop of gradient descent, the same bits for the same seed."""

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..network import Network
from . import checkpoint as checkpoints
from .accuracy import accuracy
from .backpropagation import parameter_gradients
from .checkpoint import Epoch, State
from .divergence import check_update, diverged_loss
from .losses import cross_entropy
from .optimizers import AdamW, Memories, Optimizer
from .plan import Data, LossFunction, Plan
from .schedules import OneCycle, Schedule

OPTIMIZER = AdamW(weight_decay=0.05)
SCHEDULE = OneCycle(2e-3)


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
) -> Fit:
    """w ← w − rate(t) · direction(∂L/∂w), a step for each batch, with the loss L = mean over the batch.

    Each epoch goes once through all samples, in an order drawn from (seed, epoch); the last batch may be smaller. Each
    step takes a draw of the network from (seed, epoch, step), which fixes masks for its Dropouts. A Softmax at the
    end is left out for the loss, which takes scores. BLAS runs on one thread meanwhile, so that the weights do not
    depend on the number of threads: the same arguments give the same bits on one machine and backend.

    Parameters
    ----------
    network
        Where training starts; it stays as it is.
    x
        The training inputs (N, ...), in the network's dtype.
    labels
        Their classes (N,), integers from 0 to K − 1 for K scores.
    held_out
        Other inputs and labels, (x, labels): after each epoch the accuracy on them is measured.
    epochs, batch_size
        How often through the samples, and how many of them a step.
    optimizer
        SGD, Adam, AdamW, or anything with their `update`.
    schedule
        Constant, Cosine, OneCycle, or any function (step, total) -> rate.
    seed
        An integer from 0: decides the order of the samples and the dropout.
    loss
        (scores, labels) -> (loss, ∂loss/∂scores).
    checkpoint
        A file that is written after every epoch; an older checkpoint at that place is replaced.
    resume
        Go on from the checkpoint, to the same bits as without the interruption; where there is none yet, start.
    progress
        Show a progress bar on the standard error.

    Returns
    -------
    Fit
        The trained network (with its Softmax, if it had one), and the history.

    Raises
    ------
    ValueError, TypeError
        The data, the network and the settings do not fit together, or the checkpoint is damaged, or of a run with
        other settings; the message says what was expected, what came, and what to do.
    FloatingPointError
        The loss or a parameter is no longer finite. The message names the epoch, the step and the layer.

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
    plan = Plan(network, x, labels, held_out, epochs, batch_size, optimizer, schedule, seed, loss)
    place = None if checkpoint is None else Path(checkpoint)
    if place is not None:
        checkpoints.check_place(place)
    elif resume:
        raise ValueError("resume=True needs a checkpoint to go on from: fit(..., checkpoint=path, resume=True).")
    settings = {} if place is None else plan.settings()
    state = State(network.parameters, {})
    if place is not None and resume and place.exists():
        state = checkpoints.read(place, settings)
    done = len(state.history)
    bar = tqdm(total=epochs * plan.steps, initial=done * plan.steps, unit="step", disable=not progress)
    # What is not finite is found and explained below, better than by NumPy's warnings.
    with bar, threadpool_limits(1, user_api="blas"), np.errstate(all="ignore"):
        for epoch in range(done, epochs):
            state = _epoch(plan, state, epoch, bar)
            if place is not None:
                checkpoints.write(place, state, settings)
    return Fit(network.with_parameters(state.parameters), state.history)


def _epoch(plan: Plan, state: State, epoch: int, bar: tqdm) -> State:
    """The state after one more epoch."""
    started = time.perf_counter()
    network = plan.network.to_scores().with_parameters(state.parameters)
    memories = state.memories
    # The numbers after the epoch tell the order (0) from the draws (1 and up): [s, e] and [s, e, 0] are one seed.
    order = np.random.default_rng([plan.seed, epoch, 0]).permutation(len(plan.x))
    loss_sum, right = 0.0, 0
    for step in range(plan.steps):
        rows = order[step * plan.batch_size : (step + 1) * plan.batch_size]
        network, memories, loss, scores = _step(plan, network, memories, rows, epoch, step)
        loss_sum += loss * len(rows)
        right += int((scores.argmax(axis=1) == plan.labels[rows]).sum())
        bar.update()
    held_out = None if plan.held_out is None else accuracy(network, *plan.held_out)
    n, seconds = len(plan.x), time.perf_counter() - started
    measured = Epoch(loss_sum / n, right / n, held_out, seconds)
    shown = {"loss": f"{measured.loss:.4f}", "accuracy": f"{measured.accuracy:.2%}"}
    bar.set_postfix(shown if held_out is None else shown | {"held-out": f"{held_out:.2%}"})
    return State(network.parameters, memories, (*state.history, measured))


def _step(
    plan: Plan,
    network: Network,
    memories: Memories,
    rows: np.ndarray,
    epoch: int,
    step: int,
) -> tuple[Network, Memories, float, np.ndarray]:
    """One step of gradient descent: the next network and memories; the loss and the scores before it."""
    where = f"epoch {epoch + 1}, step {step + 1} of {plan.steps}"
    batch = plan.x[rows]
    draw = network.sample(np.random.default_rng([plan.seed, epoch, 1 + step]), batch.shape)
    a = draw.forward(batch)
    loss, dscores = plan.loss(a[-1], plan.labels[rows])
    if not math.isfinite(loss):
        raise diverged_loss(draw, a, loss, where)
    t = epoch * plan.steps + step
    rate = plan.schedule(t, plan.epochs * plan.steps)
    gradients, changed, remembered = parameter_gradients(draw, a, dscores), {}, {}
    for name, w in network.parameters.items():
        memory = memories.get(name, {})
        changed[name], remembered[name] = plan.optimizer.update(w, gradients[name], memory, rate, t + 1)
    check_update(changed, where)
    return network.with_parameters(changed), remembered, float(loss), a[-1]
