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
from .frameworks import FAST, PLAIN, library, versions
from .growth import Growth
from .timing import Ratio, Times


@dataclass(frozen=True)
class Side:
    """nnlite beside a contestant, by default or compiled.

    Attributes
    ----------
    value
        nnlite's median, in the unit of the line.
    ratio, wall
        theirs / nnlite's, in what the medians are in, and in wall time.
    target
        What is to be reached, in words; "" where nothing was set.
    goal
        It as a ratio, where it is one.
    met
        Whether it is reached; None where nothing was set.
    """

    value: float
    ratio: Ratio
    wall: Ratio | None = None
    target: str = ""
    goal: float | None = None
    met: bool | None = None

    def text(self, unit: str) -> str:
        """The median, the ratio, half its quartiles' distance in percent, and the target."""
        spread = f"±{50 * (self.ratio.high - self.ratio.low) / self.ratio.median:.0f}%"
        mark = "" if self.met is None else "✓" if self.met else "✗"
        return f" {quantity(self.value, unit):>7} {self.ratio.median:>6.3g}x{spread:>4} {self.target + mark:>7}"


@dataclass(frozen=True)
class Line:
    """nnlite, by default and compiled, beside one contestant.

    Attributes
    ----------
    label, threads, against
        What was measured, on how many threads, against whom.
    theirs, unit
        Their median: "s" (of CPU time on one thread, else of wall time) or "B".
    plain, fast
        nnlite's: layer by layer, and on `network.compile()` (None where that is the same).
    off
        ‖ours − theirs‖ / ‖theirs‖ of the results.
    """

    label: str
    threads: int
    against: str
    theirs: float
    unit: str
    plain: Side
    fast: Side | None = None
    off: float | None = None

    @property
    def sides(self) -> list[Side]:
        """Those that were measured."""
        return [self.plain] if self.fast is None else [self.plain, self.fast]

    def __str__(self) -> str:
        sides = "".join(side.text(self.unit) for side in self.sides)
        return f"{self.label:<34} {self.against:<19} {quantity(self.theirs, self.unit):>7}{sides}".rstrip()


HEAD = f"{'':<34} {'against':<19} {'theirs':>7} " + " ".join(
    f"{name:>7} {'ratio':>7}{'':>4} {'target':>7}" for name in ("plain", "fast")
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
        set_ = [side for line in self.lines for side in line.sides if side.met is not None]
        errors = f"; {len(self.errors)} rows could not be measured" if self.errors else ""
        met = f"{sum(bool(side.met) for side in set_)} of {len(set_)} targets met" if set_ else "No target was checked"
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

    def side(who: str, ours: str) -> Side | None:
        if ours not in times:
            return None
        goal = row.target(who, size, ours == PLAIN) if threads == 1 else None
        mine, theirs = times[ours], times[who]
        ratio = Ratio.of(getattr(theirs, kind), getattr(mine, kind))
        target, met = ("", None) if goal is None else (f"{goal:g}x", ratio.median >= goal)
        return Side(
            float(np.median(getattr(mine, kind))), ratio, Ratio.of(theirs.wall, mine.wall), target, goal, met
        )  # fmt: skip

    return [
        Line(
            row.label(size), threads, who, float(np.median(getattr(times[who], kind))), "s",
            side(who, PLAIN), side(who, FAST), off[who],  # type: ignore[arg-type]
        )
        for who in times if library(who) != PLAIN
    ]  # fmt: skip


def start_lines(runs: start.Runs, commands: Mapping[str, float] | None = None) -> list[Line]:
    """From the imports to a first map, cold and warm, the memory, and the commands: a line for each contestant."""
    cold, warm = slice(0, 1), slice(1, None)
    found = []
    for label, key, which in (
        ("from import to a map, cold", "first", cold),
        ("from import to a map, warm", "first", warm),
        ("the second map", "second", warm),
    ):
        for who in _others(runs):
            aims: dict[str, Any] = {}
            if who == "torch" and key == "first":
                aims = {PLAIN: ("≤1.5x", 1 / 1.5), FAST: ("≤7 s", 7.0)} if which == cold else {PLAIN: ("≤1 s", 1.0)}
            found.append(_line(runs, label, who, f"{key} cpu", f"{key} wall", which, "s", aims))
    for label, key in (("peak memory, one map", "peak"), ("peak memory, batch 256", "peak of a batch")):
        for who in _others(runs):
            aims = {PLAIN: ("2x", 2.0)} if who == "torch" and key == "peak" else {}
            found.append(_line(runs, label, who, key, "", warm, "B", aims))
    for command, seconds in (commands or {}).items():
        most = start.COMMANDS[command][1]
        ratio = Ratio.of(np.array([most]), np.array([seconds]))
        side = Side(seconds, ratio, None, f"≤{most:g} s", None, seconds <= most)
        found.append(Line(f"nnlite {command}, cold", 1, "at most", most, "s", side))
    return found


def _others(runs: start.Runs) -> list[str]:
    return [who for who in runs if library(who) != PLAIN]


def _line(
    runs: start.Runs, label: str, who: str, key: str, wall: str, which: slice, unit: str, aims: Mapping[str, Any]
) -> Line:
    """A contestant over some of the runs."""

    def values(name: str, key: str) -> np.ndarray:
        return np.array([run[key] for run in runs[name][which]])

    def side(ours: str) -> Side | None:
        if ours not in runs:
            return None
        ratio, value = Ratio.of(values(who, key), values(ours, key)), float(np.median(values(ours, key)))
        target, least = aims.get(ours, ("", None))
        seconds = target.endswith(" s")
        met = None if least is None else value <= least if seconds else ratio.median >= least
        goal = None if seconds else least
        return Side(value, ratio, Ratio.of(values(who, wall), values(ours, wall)) if wall else None, target, goal, met)

    theirs = float(np.median(values(who, key)))
    return Line(label, 1, who, theirs, unit, side(PLAIN), side(FAST))  # type: ignore[arg-type]


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
    """A number with its unit, in seven columns.

    >>> quantity(0.0123, "s"), quantity(12.3, "s"), quantity(2.16e-5, "s"), quantity(5e8, "B")
    ('12.3 ms', '12.3 s', '21.6 µs', '477 MB')
    """
    if unit == "B":
        return f"{value / 2**20:.0f} MB"
    scale, name = (1, "s") if value >= 0.9995 else (1e3, "ms") if value >= 9.995e-4 else (1e6, "µs")
    number = scale * value
    return f"{number:.0f} {name}" if number >= 999.5 else f"{number:.3g} {name}"


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
