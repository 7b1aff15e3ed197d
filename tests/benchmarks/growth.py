"""How cost grows: seconds = c · n^p along one axis. p is the slope of a line through log seconds over log n.

p < 1: what a call costs anyway is still being spread over more work. p = 1: twice the work, twice the time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from .cases import Row, Size
from .timing import Processes, measure


@dataclass(frozen=True)
class Axis:
    """What grows.

    Attributes
    ----------
    key, title
        Its name, and what the table says.
    row
        What is measured: the key of a row.
    sizes
        n, and the size of the row at it.
    tolerance
        As in a row.
    """

    key: str
    title: str
    row: str
    sizes: Mapping[int, Size]
    tolerance: float = 1e-3

    @property
    def as_row(self) -> Row:
        """The row that is measured."""
        sizes = tuple(self.sizes.values())
        return Row(self.row, self.title, sizes, sizes[0], {}, self.tolerance)


@dataclass(frozen=True)
class Growth:
    """The CPU seconds of one contestant along an axis, the exponent, and its standard error."""

    axis: str
    title: str
    who: str
    n: tuple[int, ...]
    seconds: tuple[float, ...]
    exponent: float
    error: float


AXES = (
    Axis(
        "growth-batch", "LRP-ε, lenet, batch", "lrp-epsilon",
        {n: {"batch": n} for n in (1, 4, 16, 64, 256)},
    ),
    Axis(
        "growth-image", "LRP-ε, image of n × n pixels", "lrp-epsilon-of-image",
        {n: {"size": n} for n in (28, 56, 112, 224)},
    ),
    Axis(
        "growth-layers", "LRP-ε, layers of 16 channels", "lrp-epsilon-of-depth",
        {n: {"layers": n} for n in (2, 4, 8, 12)},
    ),
    Axis(
        "growth-windows", "occlusion, windows", "occlusion",
        {(-(-23 // stride) + 1) ** 2: {"stride": stride} for stride in (5, 4, 3, 2, 1)},
    ),
    Axis(
        "growth-steps", "integrated gradients, steps", "integrated-gradients",
        {n: {"steps": n} for n in (8, 16, 32, 64, 128, 256)},
    ),
)  # fmt: skip

AGAINST = ("nnlite", "nnlite compiled", "torch by hand", "captum")
"""Whose growth is measured, where they have a side of the row."""


def exponent(n: Sequence[float], seconds: Sequence[float]) -> tuple[float, float]:
    """p of seconds = c · n^p by least squares on the logarithms, and its standard error.

    >>> exponent([1, 2, 4], [3.0, 12.0, 48.0])
    (2.0, 0.0)
    """
    line = stats.linregress(np.log(n), np.log(seconds))
    return float(line.slope), float(line.stderr)


def grow(axis: Axis, running: Processes, rounds: int) -> list[Growth]:
    """The growth of each contestant along the axis; the errors are those of `measure`."""
    seconds: dict[str, list[float]] = {}
    for size in axis.sizes.values():
        times, _ = measure(axis.as_row, size, running, rounds, AGAINST)
        for who, found in times.items():
            seconds.setdefault(who, []).append(float(np.median(found.cpu)))
    n = tuple(axis.sizes)
    return [Growth(axis.key, axis.title, who, n, tuple(s), *exponent(n, s)) for who, s in seconds.items()]


def chosen(only: str = "") -> list[Axis]:
    """The axes whose key holds `only`."""
    return [axis for axis in AXES if only in axis.key]
