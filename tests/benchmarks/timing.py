"""Interleaved rounds: every contestant in turn, round after round, so that a slow minute of the machine hits all.

First the results are compared; only equal ones are timed. A ratio is taken within each round and then the median over
the rounds, with the quartiles as its spread.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from nnlite.verify.table import differences

from .cases import Row, Size
from .frameworks import FAMILIES, Process, contestants, library, missing

ROUND = 0.05
"""How many seconds a contestant's turn lasts at least, where 200 calls fill them."""

Processes = Mapping[str, Process]
"""By family."""


class Unequal(ValueError):
    """The results differ: there is nothing to time."""


@dataclass(frozen=True)
class Times:
    """Seconds a call of one contestant, a number a round."""

    cpu: np.ndarray
    wall: np.ndarray


@dataclass(frozen=True)
class Ratio:
    """theirs / ours, over the rounds: the median and the quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, theirs: np.ndarray, ours: np.ndarray) -> "Ratio":
        """The ratio round by round.

        >>> Ratio.of(np.array([2.0, 4.0, 6.0]), np.array([1.0, 1.0, 2.0]))
        Ratio(median=3.0, low=2.5, high=3.5)
        """
        low, median, high = np.quantile(theirs / ours, (0.25, 0.5, 0.75))
        return cls(float(median), float(low), float(high))


@contextmanager
def processes(threads: int) -> Iterator[Processes]:
    """A process for each family that is installed."""
    absent = missing()
    families = dict.fromkeys(family for name, (family, _) in FAMILIES.items() if name not in absent)
    with ExitStack() as stack:
        yield {family: stack.enter_context(Process(family, threads)) for family in families}


def check(row: str, results: Mapping[str, np.ndarray], tolerance: float) -> dict[str, float]:
    """How far each result is from nnlite's, ‖ours − theirs‖ / ‖theirs‖.

    Raises
    ------
    Unequal
        One of them is further off than the tolerance.
    """
    off = {who: differences(results["nnlite"], result)[2] for who, result in results.items() if who != "nnlite"}
    wrong = [f"{who} by {l2:.1e}" for who, l2 in off.items() if not l2 <= tolerance]
    if wrong:
        raise Unequal(f"{row}: the results differ from {', '.join(wrong)}; at most {tolerance:g} was expected.")
    return off


def measure(
    row: Row, size: Size, running: Processes, rounds: int, who: Sequence[str] | None = None
) -> tuple[dict[str, Times], dict[str, float]]:
    """The times of each contestant at one size, and how far its result is from nnlite's.

    Raises
    ------
    Unequal
        The results differ.
    Failed
        A framework raised an error.
    """
    who = contestants(row.key) if who is None else [name for name in who if name in contestants(row.key)]
    process = {name: running[FAMILIES[library(name)][0]] for name in who}
    calls, results = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for name in who:
            place = Path(folder) / "result.npy"
            answer = process[name].ask(do="prepare", who=name, row=row.key, size=dict(size), save=str(place))
            calls[name] = int(np.clip(round(ROUND / answer["seconds"]), 1, 200))
            results[name] = np.load(place)
    off = check(row.label(size), results, row.tolerance)
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in who}
    for i in range(rounds):
        for name in [*who[i % len(who) :], *who[: i % len(who)]]:  # another begins each round
            answer = process[name].ask(do="time", who=name, calls=calls[name])
            found[name].append((answer["cpu"], answer["wall"]))
    for one in {id(p): p for p in process.values()}.values():
        one.ask(do="forget")
    return {name: Times(*np.array(times).T) for name, times in found.items()}, off
