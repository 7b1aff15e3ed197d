"""The comparison as text, as JSON and as a page that needs nothing else."""

import html
import json
import math
import platform
from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from .._version import __version__
from ..templates import filled
from . import libraries
from .case import Case
from .table import AGREES, BUG, CONVENTION, DIFFERS, FAILED, MISSING, NOT_COMPARABLE, TOLERANCE_FLOAT32, TOLERANCES, Row

VERDICTS = (AGREES, CONVENTION, BUG, NOT_COMPARABLE, MISSING, DIFFERS, FAILED)


@dataclass(frozen=True)
class Report:
    """All rows, and what was compared.

    network, layers, dtype, samples: what was explained.
    versions: of nnlite, Python, NumPy and the libraries.
    rows: the comparisons.
    """

    network: str
    layers: str
    dtype: str
    samples: int
    versions: dict[str, str]
    rows: tuple[Row, ...]

    @classmethod
    def of(cls, case: Case, rows: list[Row]) -> "Report":
        """The report of a case."""
        layers = ", ".join(map(repr, case.network.layers))
        return cls(case.name, layers, str(case.x.dtype), len(case.x), versions(), tuple(rows))

    @property
    def as_expected(self) -> bool:
        """Whether something was checked, and every verdict is as it should be."""
        return self.checked and all(row.expected for row in self.rows)

    @property
    def checked(self) -> bool:
        """Whether any row was computed on both sides."""
        return any(row.verdict not in (NOT_COMPARABLE, MISSING) for row in self.rows)

    @property
    def summary(self) -> str:
        """How many rows have which verdict, in one line."""
        counts = Counter(row.verdict for row in self.rows)
        parts = ", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS if counts[verdict])
        absent = {row.library: row.because for row in self.rows if row.verdict == MISSING}
        advice = "".join(f" For {library}: {install}." for library, install in absent.items())
        unexpected = sum(not row.expected for row in self.rows)
        verdict = f"{unexpected} NOT as expected." if unexpected else "All as expected."
        return f"{len(self.rows)} rows: {parts}. {verdict if self.checked else 'Nothing was checked.'}{advice}"

    def text(self) -> str:
        """The table for the terminal."""
        return "\n".join([HEAD, *map(line, self.rows), self.summary])

    def json(self) -> str:
        """Everything, as JSON; what is not finite becomes null."""
        rows = [{key: _finite(value) for key, value in asdict(row).items()} for row in self.rows]
        content = {**asdict(self), "rows": rows, "as_expected": self.as_expected, "summary": self.summary}
        return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def page(self) -> str:
        """The table as HTML."""
        facts = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        return filled(
            __package__,
            "page.html",
            network=html.escape(self.network),
            layers=html.escape(self.layers),
            facts=html.escape(facts),
            dtype=self.dtype,
            samples=self.samples,
            tolerance=html.escape(tolerances(self.dtype)),
            summary=html.escape(self.summary),
            state="good" if self.as_expected else "bad",
            rows="".join(map(_html, self.rows)),
        )


def versions() -> dict[str, str]:
    """Of nnlite, Python, NumPy and the libraries that are there."""
    found = {"nnlite": __version__, "Python": platform.python_version(), "NumPy": np.__version__}
    return found | {name: version for name in libraries.INSTALL if (version := libraries.version_of(name))}


def tolerances(dtype: str) -> str:
    """When two maps agree, in one line."""
    if dtype == "float32":
        return f"agrees: ‖ours − theirs‖ ≤ {TOLERANCE_FLOAT32:g} ‖theirs‖ for every sample"
    each = ", ".join(f"{name} {value:g}" for name, value in TOLERANCES.items())
    return f"agrees: max |ours − theirs| ≤ tolerance · max |theirs| for every sample; tolerance: {each}"


HEAD = f"{'method':<30} {'library':<17} {'max |Δ|':>8} {'relative':>8} {'L2':>8}  {'verdict':<31}  convention"


def line(row: Row) -> str:
    """A row on the terminal; the reason stands on a second line."""
    numbers = " ".join(f"{_short(value):>8}" for value in (row.absolute, row.relative, row.l2))
    mark = "" if row.expected else "!! "
    text = (
        f"{row.method:<30} {f'{row.library} {row.version}':<17} {numbers}  {mark + row.verdict:<31}  {row.convention}"
    )
    return f"{text}\n{'':<31}{row.because}" if row.because and row.verdict != MISSING else text


def _short(value: float | None) -> str:
    if value is None:
        return "-"
    return "0" if value == 0 else f"{value:.1e}"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _html(row: Row) -> str:
    state = {AGREES: "good", CONVENTION: "known", BUG: "known"}.get(row.verdict, "none") if row.expected else "bad"
    numbers = "".join(f"<td class=n>{_short(value)}</td>" for value in (row.absolute, row.relative, row.l2))
    seconds = "<td></td>" if row.seconds is None else f"<td class=n>{row.seconds[0]:.3f} / {row.seconds[1]:.3f}</td>"
    why = f"<div class=why>{html.escape(row.because)}</div>" if row.because else ""
    return (
        f"<tr class={state}><td><code>{html.escape(row.method)}</code></td><td>{row.library} {row.version}</td>"
        f"<td>{html.escape(row.convention)}{why}</td>{numbers}<td>{html.escape(row.verdict)}</td>{seconds}</tr>"
    )
