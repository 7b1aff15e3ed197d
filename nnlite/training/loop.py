"""The loop that every training shares: epochs, shuffled batches, checkpoints; the same bits for the same seed.

What is trained, a classifier, an autoencoder, two networks against each other, is a Task: its parameters, and what one
step makes of them.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..disk import as_path
from ..kernels.blas import one_blas_thread
from . import checkpoint as checkpoints
from .checkpoint import State
from .divergence import check_update
from .optimizers import Memories, Optimizer
from .schedules import Schedule

Parameters = Mapping[str, np.ndarray]

KEPT = 2**25 - 2**16
"""Bytes, a little less than the largest piece that glibc's malloc learns from: freed once, it keeps twice as much.

Otherwise a step gives its arrays back to the system, and the next gets them page by page: of a step of resnet that was
a sixth of the time.
"""


@dataclass(frozen=True)
class Moment:
    """Where a run stands: this step of this epoch (both counted from 0), of so many."""

    seed: int
    epoch: int
    step: int
    epochs: int
    steps: int

    @property
    def t(self) -> int:
        """The steps done before this one, in all epochs."""
        return self.epoch * self.steps + self.step

    def rng(self) -> np.random.Generator:
        """The random numbers of this step: drawn anew from (seed, epoch, step), so they need no state."""
        # The last number tells the order of an epoch (0) from its steps (1 and up): [s, e] and [s, e, 0] are one seed.
        return np.random.default_rng([self.seed, self.epoch, 1 + self.step])

    def rate(self, schedule: Schedule) -> float:
        """The learning rate of this step."""
        return schedule(self.t, self.epochs * self.steps)

    def __str__(self) -> str:
        return f"epoch {self.epoch + 1}, step {self.step + 1} of {self.steps}"


class Task(Protocol):
    """What `run` needs to know of what it trains."""

    samples: int
    """How many training samples there are."""

    def start(self) -> Parameters:
        """The parameters before the first step, by name."""
        ...

    def step(
        self, parameters: Parameters, memories: Memories, rows: np.ndarray, at: Moment
    ) -> tuple[Parameters, Memories, dict[str, float]]:
        """One step on the samples of these rows: parameters, memories, and what was measured, summed over the rows."""
        ...

    def after_epoch(self, parameters: Parameters) -> dict[str, float | None]:
        """What is measured after an epoch, such as the held-out accuracy."""
        ...

    def settings(self) -> dict[str, Any]:
        """What must be the same for a run to go on from a checkpoint and reach the same bits: JSON-able."""
        ...


def updated(
    optimizer: Optimizer, parameters: Parameters, gradients: Parameters, memories: Memories, rate: float, at: Moment
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
    """The parameters and the optimizer's memories after one update of each.

    Raises FloatingPointError: a parameter is no longer finite.
    """
    changed, remembered = {}, {}
    for name, w in parameters.items():
        changed[name], remembered[name] = optimizer.update(w, gradients[name], memories.get(name, {}), rate, at.t + 1)
    check_update(changed, str(at))
    return changed, remembered


def order(seed: int, epoch: int, samples: int) -> np.ndarray:
    """The rows of all samples in the order of this epoch."""
    return np.random.default_rng([seed, epoch, 0]).permutation(samples)


def run(
    task: Task,
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    checkpoint: str | os.PathLike | None = None,
    resume: bool = False,
    progress: bool = True,
) -> State:
    """Train for some epochs, each once through all samples in an order drawn from (seed, epoch).

    The last batch may be smaller. BLAS runs on one thread meanwhile, so that the parameters do not depend on the
    number of threads. After every epoch the checkpoint is written, if one is wanted.

    Returns a State: the parameters and memories after the last epoch; the history: for each epoch the means of what the
    steps measured, what `after_epoch` measured, and the seconds.
    Raises ValueError: the checkpoint is damaged or of a run with other settings, or `resume` comes without one;
    FloatingPointError: the task's steps met a number that is not finite.
    """
    place = None if checkpoint is None else as_path(checkpoint)
    if place is not None:
        checkpoints.check(place)
    elif resume:
        raise ValueError("resume=True needs a checkpoint to go on from: give checkpoint=path too.")
    settings = {} if place is None else task.settings()
    start = task.start()
    state = State(start, {})
    if place is not None and resume and place.exists():
        state = checkpoints.read(place, settings, start)
    np.empty(KEPT, np.uint8)
    done, steps = len(state.history), -(-task.samples // batch_size)
    from tqdm import tqdm  # here: it takes a while to import

    bar = tqdm(total=epochs * steps, initial=done * steps, unit="step", disable=not progress)
    # What is not finite is found and explained by the steps, better than by NumPy's warnings.
    with bar, one_blas_thread(), np.errstate(all="ignore"):
        for epoch in range(done, epochs):
            state = _epoch(task, state, Moment(seed, epoch, 0, epochs, steps), batch_size, bar)
            if place is not None:
                checkpoints.write(place, state, settings)
    return state


def _epoch(task: Task, state: State, at: Moment, batch_size: int, bar: Any) -> State:
    """The state after one more epoch."""
    started = time.perf_counter()
    parameters, memories = state.parameters, state.memories
    rows_of_epoch = order(at.seed, at.epoch, task.samples)
    sums: dict[str, float] = {}
    for step in range(at.steps):
        rows = rows_of_epoch[step * batch_size : (step + 1) * batch_size]
        moment = Moment(at.seed, at.epoch, step, at.epochs, at.steps)
        parameters, memories, measured = task.step(parameters, memories, rows, moment)
        sums = {name: sums.get(name, 0) + value for name, value in measured.items()}
        bar.update()
    epoch: dict[str, float | None] = {name: float(value / task.samples) for name, value in sums.items()}
    epoch |= task.after_epoch(parameters)
    bar.set_postfix({name.replace("_", "-"): f"{value:.4g}" for name, value in epoch.items() if value is not None})
    return State(parameters, memories, (*state.history, {**epoch, "seconds": time.perf_counter() - started}))
