"""What came of it: lines beside their targets, as text of 120 columns and as JSON."""

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from . import start
from .cases import Row, Size
from .frameworks import versions
from .growth import Growth
from .timing import Ratio, Times


@dataclass(frozen=True)
class Line:
    """nnlite beside one contestant.

    Attributes
    ----------
    label, threads, against
        What was measured, on how many threads, against whom.
    theirs, ours, unit
        Medians: "s" (of CPU time on one thread, else of wall time) or "B".
    ratio, wall
        theirs / ours, in what the medians are in, and in wall time.
    target
        What is to be reached, in words; "" where nothing was set.
    goal
        It as a ratio, where it is one.
    met
        Whether it is reached; None where nothing was set.
    off
        ‖ours − theirs‖ / ‖theirs‖ of the results.
    """

    label: str
    threads: int
    against: str
    theirs: float
    ours: float
    unit: str
    ratio: Ratio
    wall: Ratio | None = None
    target: str = ""
    goal: float | None = None
    met: bool | None = None
    off: float | None = None

    def __str__(self) -> str:
        mark = "" if self.met is None else "✓" if self.met else "✗"
        spread = f"{self.ratio.low:.3g} … {self.ratio.high:.3g}"
        wall = "" if self.wall is None else f"{self.wall.median:.3g}x"
        return (
            f"{self.label:<34}{self.threads:>2} {self.against:<19} {quantity(self.theirs, self.unit):>9} "
            f"{quantity(self.ours, self.unit):>9} {self.ratio.median:>7.3g}x {spread:>15} {wall:>7} {self.target:>6} "
            f"{mark}"
        ).rstrip()


HEAD = (
    f"{'':<34}{'':>2} {'against':<19} {'theirs':>9} {'nnlite':>9} {'ratio':>8} {'quartiles':>15} {'wall':>7} "
    f"{'target':>6}"
)

BUSY = "The machine is busy: CPU times on one thread hold, wall times and several threads tell little."
"""Said where the load is above 1. A thread that waits for another spins, for as long as that one is not scheduled."""


@dataclass
class Report:
    """Everything that was measured."""

    settings: dict[str, Any]
    machine: dict[str, Any] = field(default_factory=lambda: machine())
    versions: dict[str, str] = field(default_factory=versions)
    missing: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @property
    def summary(self) -> str:
        """How many targets are met."""
        set_ = [line for line in self.lines if line.met is not None]
        errors = f"; {len(self.errors)} rows could not be measured" if self.errors else ""
        met = f"{sum(bool(line.met) for line in set_)} of {len(set_)} targets met" if set_ else "No target was checked"
        return f"{met}{errors}."

    def facts(self) -> str:
        """Machine, versions, and who is missing, in a few lines."""
        machine = ", ".join(f"{name} {value}" for name, value in self.machine.items())
        found = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        absent = f"\nnot installed, left out: {', '.join(self.missing)}" if self.missing else ""
        busy = f"\n{BUSY}" if self.machine.get("load", 0) > 1 else ""
        return f"{machine}\n{found}{absent}{busy}"

    def json(self) -> str:
        """Everything, as JSON."""
        return json.dumps({**asdict(self), "summary": self.summary}, indent=1, ensure_ascii=False) + "\n"


def lines(row: Row, size: Size, threads: int, times: Mapping[str, Times], off: Mapping[str, float]) -> list[Line]:
    """A line for each contestant. Targets are for one thread."""
    kind = "cpu" if threads == 1 else "wall"
    ours, found = times["nnlite"], []
    for who, theirs in times.items():
        if who == "nnlite":
            continue
        mine, other = getattr(ours, kind), getattr(theirs, kind)
        ratio = Ratio.of(other, mine)
        goal = row.target(who, size) if threads == 1 else None
        target, met = ("", None) if goal is None else (f"{goal:g}x", ratio.median >= goal)
        found.append(
            Line(
                row.label(size), threads, who, float(np.median(other)), float(np.median(mine)), "s", ratio,
                Ratio.of(theirs.wall, ours.wall), target, goal, met, off[who],
            )
        )  # fmt: skip
    return found


def start_lines(runs: start.Runs) -> list[Line]:
    """From the imports to a first map, cold and warm, and the memory: a line for each contestant."""
    cold, warm = slice(0, 1), slice(1, None)
    found = []
    for label, key, which in (
        ("from import to a map, cold", "first", cold),
        ("from import to a map, warm", "first", warm),
        ("the second map", "second", warm),
    ):
        for who in _others(runs):
            ratio, theirs, ours = _beside(runs, who, f"{key} cpu", which)
            wall, _, _ = _beside(runs, who, f"{key} wall", which)
            under = who == "torch" and key == "first" and which == warm
            aim: tuple[Any, ...] = ("≤ 1 s", None, ours <= 1) if under else ()
            found.append(Line(label, 1, who, theirs, ours, "s", ratio, wall, *aim))
    for label, key in (("peak memory, one map", "peak"), ("peak memory, batch 256", "peak of a batch")):
        for who in _others(runs):
            ratio, theirs, ours = _beside(runs, who, key, warm)
            aim = ("2x", 2.0, ratio.median >= 2) if who == "torch" and key == "peak" else ()
            found.append(Line(label, 1, who, theirs, ours, "B", ratio, None, *aim))
    return found


def _others(runs: start.Runs) -> list[str]:
    return [who for who in runs if who != "nnlite"]


def _beside(runs: start.Runs, who: str, key: str, which: slice) -> tuple[Ratio, float, float]:
    """The ratio over some of the runs, and the medians of theirs and ours."""
    theirs, ours = (np.array([run[key] for run in runs[name][which]]) for name in (who, "nnlite"))
    return Ratio.of(theirs, ours), float(np.median(theirs)), float(np.median(ours))


def growth_text(found: Sequence[Growth]) -> str:
    """The exponents, a line each."""
    head = f"{'':<34}{'':>2} {'':<19} {'n':>13} {'at first':>10} {'at last':>10}   seconds = c · n^p"
    rows = [
        f"{g.title:<36} {g.who:<19} {f'{g.n[0]} … {g.n[-1]}':>13} {quantity(g.seconds[0], 's'):>10} "
        f"{quantity(g.seconds[-1], 's'):>10}   p = {g.exponent:.2f} ± {g.error:.2f}"
        for g in found
    ]
    return "\n".join([head, *rows])


def quantity(value: float, unit: str) -> str:
    """A number with its unit, in nine columns.

    >>> quantity(0.0123, "s"), quantity(12.3, "s"), quantity(5e8, "B")
    ('12.3 ms', '12.3 s', '477 MB')
    """
    if unit == "B":
        return f"{value / 2**20:.0f} MB"
    return f"{value:.3g} s" if value >= 1 else f"{1e3 * value:.3g} ms"


def machine() -> dict[str, Any]:
    """What the numbers depend on: processor, cores, memory, system, how busy; no names, no places."""
    facts: dict[str, Any] = {"processor": platform.machine(), "cores": os.cpu_count()}
    try:
        told = dict(line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if ":" in line)
        pairs = {key.strip(): value.strip() for key, value in told.items()}
        facts["processor"] = pairs.get("model name", facts["processor"])
        flags = pairs.get("flags", "").split()
        facts["vectors"] = next((name for name in ("avx512f", "avx2", "avx") if name in flags), "")
        facts["GB"] = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30)
        facts["load"] = round(os.getloadavg()[0], 2)
    except (OSError, ValueError):
        pass  # not Linux: what is known will do
    return {**facts, "system": platform.system(), "Python": platform.python_version()}
