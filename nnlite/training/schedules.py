"""The schedules: which learning rate at which step.

A schedule is called with the step, 0, 1, ..., and the number of steps in all; any such function is one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import cos, pi

from ..layers.arguments import is_number

Schedule = Callable[[int, int], float]
"""schedule(step, total) -> rate, for step = 0 ... total − 1. A checkpoint tells one from another by its repr."""


@dataclass(frozen=True)
class ConstantRate:
    """rate(step) = rate.

    Raises ValueError: the rate is not above 0, or not finite.

    >>> ConstantRate(0.1)(step=5, total=10)
    0.1
    """

    rate: float

    def __post_init__(self) -> None:
        _check_positive("ConstantRate: rate", self.rate)

    def __call__(self, step: int, total: int) -> float:
        _check_step(step, total)
        return float(self.rate)


@dataclass(frozen=True)
class Cosine:
    """rate(step) = final + (rate − final) / 2 · (1 + cos(π step / total)).

    PyTorch's `CosineAnnealingLR` with T_max = total: the rate comes close to `final`, and would reach it one step
    after the last.

    Raises ValueError: rate, at step 0, is not above 0; final, where it goes, not from 0; or one is not finite.
    Source: Loshchilov and Hutter 2017, "SGDR", eq. 5, without restarts.

    >>> [round(Cosine(1.0)(step, 4), 3) for step in range(4)]
    [1.0, 0.854, 0.5, 0.146]
    """

    rate: float
    final: float = 0.0

    def __post_init__(self) -> None:
        _check_positive("Cosine: rate", self.rate)
        if not is_number(self.final) or self.final < 0:
            raise ValueError(f"Cosine: final takes a finite number from 0, got {self.final!r}.")

    def __call__(self, step: int, total: int) -> float:
        _check_step(step, total)
        return _between(self.rate, self.final, step / total)


@dataclass(frozen=True)
class OneCycle:
    """Up along half a cosine, from rate · start to rate, then down along another to rate · start · final.

    up:    rate(step) from rate · start at step 0 to rate at step warmup · total − 1
    down:  rate(step) from there to rate · start · final at step total − 1

    PyTorch's `OneCycleLR` with `max_lr` = rate, `pct_start` = warmup, `div_factor` = 1 / start, `final_div_factor` =
    1 / final, and `cycle_momentum=False` (the momentum stays as it is).

    rate: the highest learning rate, above 0.
    warmup: which part of the steps goes up, from 0 to 1.
    start: the first rate, as a part of the highest, above 0.
    final: the last rate, as a part of the first, above 0.

    Raises ValueError: a number is out of its range.
    Source: Smith and Topin 2018, "Super-convergence", sec. 3, with cosines instead of straight lines.

    >>> [round(OneCycle(1.0, warmup=0.5)(step, 6), 3) for step in range(6)]
    [0.04, 0.52, 1.0, 0.75, 0.25, 0.0]
    """

    rate: float
    warmup: float = 0.3
    start: float = 1 / 25
    final: float = 1e-4

    def __post_init__(self) -> None:
        for name in ("rate", "start", "final"):
            _check_positive(f"OneCycle: {name}", getattr(self, name))
        if not is_number(self.warmup) or not 0 <= self.warmup <= 1:
            raise ValueError(f"OneCycle: warmup takes a part of the steps, 0 to 1, got {self.warmup!r}.")

    def __call__(self, step: int, total: int) -> float:
        _check_step(step, total)
        first = self.rate * self.start
        top, last = self.warmup * total - 1, total - 1  # top need not be a whole step, nor be above 0
        if step < top:
            return _between(first, self.rate, step / top)
        if step == top or top == last:
            return float(self.rate)
        return _between(self.rate, first * self.final, (step - top) / (last - top))


def _between(first: float, last: float, part: float) -> float:
    """Half a cosine from `first` (part = 0) to `last` (part = 1)."""
    return float(last + (first - last) / 2 * (1 + cos(pi * part)))


def _check_positive(what: str, value: float) -> None:
    if not is_number(value) or value <= 0:
        raise ValueError(f"{what} takes a finite number above 0, got {value!r}.")


def _check_step(step: int, total: int) -> None:
    if not 0 <= step < total:
        raise ValueError(f"A schedule takes a step from 0 to total − 1 = {total - 1}, got step {step}.")
