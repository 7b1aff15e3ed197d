"""Gradient ascent on an input: x ← x + a step along ∂f/∂x, brought back to where x may be."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from ..layers.arguments import count, flag, generator, is_floats, kind_of, number
from ..training.optimizers import Adam, Memory, Optimizer, check_optimizer
from .objectives import Objective, drawn

Projection = Callable[[np.ndarray], np.ndarray]
"""What brings x back to where it may be after a step."""


@dataclass(frozen=True, eq=False)
class Ascent:
    """What came out of a search; the results of all that search have its fields, and more.

    x: where it ended, (N, ...).
    start: where it began, (N, ...), already brought to where x may be.
    values: what was climbed, before every step and after the last: (steps + 1, N). Where it is random, each of another
        draw.
    trajectory: x before every step and after the last, (steps + 1, N, ...), where it was asked for; else None.
    """

    x: np.ndarray
    start: np.ndarray
    values: np.ndarray
    trajectory: np.ndarray | None


def ascend(
    f: Objective,
    start: np.ndarray,
    *,
    steps: int = 200,
    rate: float = 0.05,
    optimizer: Optimizer = Adam(),
    project: Projection | None = None,
    rng: np.random.Generator | int = 0,
    keep: bool = False,
    progress: bool = False,
) -> Ascent:
    """x_(t+1) = project(x_t + rate · direction(∂f/∂x at x_t)), each sample of the batch separately.

    f: the objective. A random one (with `draw(rng)`) is drawn anew for every step.
    start: x_0 (N, ...), float32 or float64.
    steps, rate: how many steps, and how long.
    optimizer: Adam, SGD, or anything with their `update`; it descends −f.
    project: for example `box(0, 1)`. Applied to the start and after every step.
    rng: for what f draws.
    keep, progress: keep every x on the way; show a progress bar on the standard error.

    Raises TypeError or ValueError: an argument is not what is expected, or x does not fit f; FloatingPointError: the
    search diverged: f, its gradient or x is no longer finite. The message names the step and the sample.
    Source: Montavon et al. 2018, sec. 3.1; Kingma and Ba 2015 (Adam).

    >>> from nnlite.model_based.objectives import SquaredDistance, weighted
    >>> f = weighted((-1, SquaredDistance(np.array([0.25, 2.0]))))
    >>> ascend(f, np.zeros((1, 2)), steps=300, project=box(0, 1)).x.round(3)
    array([[0.25, 1.  ]])
    """
    if not is_floats("start", start) or start.ndim < 2 or len(start) == 0:
        raise ValueError(
            f"start takes a float32 or float64 array (N, ...) with one sample or more, got {kind_of(start)}."
        )
    keep, progress = flag("ascend", "keep", keep), flag("ascend", "progress", progress)
    each = start.itemsize * len(start) + (start.nbytes if keep else 0)
    steps, rate = count("ascend", "steps", steps, each=each), number("ascend", "rate", rate, above=0)
    check_optimizer(optimizer)
    rng = generator("ascend", "rng", rng)
    bring = project or (lambda x: x)
    if not np.isfinite(start).all():
        raise ValueError("start must be finite, got a NaN or an infinity.")
    x = first = bring(start.copy())
    memory: Memory = {}
    values, path = [], [first]
    with np.errstate(all="ignore"):
        for t in tqdm(range(1, steps + 1), unit="step", disable=not progress):
            where = f"step {t} of {steps}"
            value, gradient = _evaluated(drawn(f, rng), x, where)
            moved, memory = optimizer.update(x, -gradient, memory, rate, t)
            x = bring(_finite(moved, "x", where))
            values.append(value)
            if keep:
                path.append(x)
    values.append(_evaluated(drawn(f, rng), x, "the end")[0])
    return Ascent(x, first, np.stack(values), np.stack(path) if keep else None)


def moved(found: Any) -> np.ndarray:
    """Whether each x of a search differs from its start at all: (N,) booleans.

    `found` is what a search gives: an Ascent, a Visualization, a Prototype, a Dream or an Inversion.

    >>> flat = ascend(lambda x: (0 * x[:, 0], 0 * x), np.ones((1, 2)))
    >>> moved(flat)
    array([False])
    """
    return (found.x != found.start).any(axis=tuple(range(1, found.x.ndim)))


def box(low: float = 0.0, high: float = 1.0) -> Projection:
    """x ↦ min(max(x, low), high): the projection onto the box [low, high].

    Raises ValueError: low and high are no finite numbers, or low is not below high.

    >>> box(0, 1)(np.array([-1.0, 0.5, 3.0]))
    array([0. , 0.5, 1. ])
    """
    low, high = number("box", "low", low), number("box", "high", high)
    if low >= high:
        raise ValueError(f"box takes low below high, got {low} and {high}.")
    return lambda x: x.clip(x.dtype.type(low), x.dtype.type(high))


def _evaluated(f: Objective, x: np.ndarray, where: str) -> tuple[np.ndarray, np.ndarray]:
    try:
        value, gradient = f(x)
    except ValueError as error:
        if "NaN or an infinity" not in str(error):  # said by a network whose output is not finite
            raise
        raise FloatingPointError(f"The search diverged at {where}: {error}") from None
    if value.shape != x.shape[:1] or gradient.shape != x.shape or gradient.dtype != x.dtype:
        raise ValueError(
            f"An objective gives a number for each sample, {x.shape[:1]}, and a gradient like x, {x.shape} {x.dtype}; "
            f"got {value.shape} and {gradient.shape} {gradient.dtype}."
        )
    return _finite(value, "f", where), _finite(gradient, "the gradient", where)


def _finite(array: np.ndarray, what: str, where: str) -> np.ndarray:
    if not np.isfinite(array).all():
        sample = int(np.argwhere(~np.isfinite(array))[0][0])
        raise FloatingPointError(
            f"The search diverged at {where}: {what} of sample {sample} is not finite. Lower the rate, or the weights "
            "of the terms."
        )
    return array
