"""Two numbers side by side: a comparison, how far it is off, and the verdict.

    absolute   max |ours − theirs|
    relative   max |ours − theirs| / max |theirs|, sample by sample, the largest of them
    L2         ‖ours − theirs‖ / ‖theirs‖, likewise

In float64 the relative difference decides; in float32, where single winners of ReLU and pooling flip between any two
orders of summation, the L2 norm.
"""

import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from . import libraries

AGREES = "agrees"
CONVENTION = "differs by convention"
BUG = "differs by a bug of the library"
NOT_COMPARABLE = "not comparable"
MISSING = "not installed"
DIFFERS = "differs, unexplained"
FAILED = "failed"

TOLERANCES = {"torch": 1e-10, "zennit": 1e-10, "captum": 1e-6, "lxt": 1e-10}
"""The largest relative difference in float64 that still agrees."""

TOLERANCE_FLOAT32 = 5e-3
"""The largest L2 difference in float32 that still agrees."""

ROUNDING = 16
"""What is within so many eps of the numbers that were subtracted is their rounding."""

Compute = Callable[[], np.ndarray]


@dataclass(frozen=True)
class Comparison:
    """A method here and its counterpart there, not yet computed.

    method: nnlite's name of it.
    library: "torch", "captum", "zennit" or "lxt".
    convention: what the library was asked for, and what nnlite.
    theirs, ours: the maps (N, ...).
    differs: CONVENTION or BUG where the two are known to differ; then `under` is nnlite's number under the library's
        convention (or the library's without its bug), and that must agree.
    because: why they differ, or why they cannot be compared (NOT_COMPARABLE: nothing is computed).
    tolerance: instead of the library's, with the reason in `convention`.
    subtracted: how large the numbers are whose difference the maps are: what is below their rounding is no difference.
    """

    method: str
    library: str
    convention: str
    theirs: Compute
    ours: Compute
    differs: str = ""
    because: str = ""
    under: "Comparison | None" = None
    tolerance: float | None = None
    subtracted: Compute | None = None

    @property
    def key(self) -> str:
        """What identifies it."""
        return f"{self.method} | {self.library} | {self.convention}"

    def otherwise(
        self, differs: str, because: str, convention: str, ours: Compute, theirs: Compute | None = None
    ) -> "Comparison":
        """This comparison, known to differ, and under it the one that agrees."""
        under = replace(
            self, convention=convention, ours=ours, theirs=theirs or self.theirs, differs="", because="", under=None
        )
        return replace(self, differs=differs, because=because, under=under)


def impossible(method: str, library: str, convention: str, because: str) -> Comparison:
    """A row that says why there is nothing to compare."""

    def nothing() -> np.ndarray:
        raise AssertionError("not comparable")

    return Comparison(method, library, convention, nothing, nothing, NOT_COMPARABLE, because)


@dataclass(frozen=True)
class Row:
    """A comparison, computed.

    absolute, relative, l2: the differences; None where nothing was computed, or where the shapes differ.
    verdict: one of the words above.
    expected: whether that is as it should be.
    seconds: of theirs and of ours.
    """

    method: str
    library: str
    version: str
    convention: str
    absolute: float | None
    relative: float | None
    l2: float | None
    tolerance: float | None
    verdict: str
    because: str
    expected: bool
    seconds: tuple[float, float] | None = None


def compare(comparisons: Iterable[Comparison], *, tell: Callable[[Row], None] | None = None) -> list[Row]:
    """The rows of these comparisons; `tell` gets each as it is done. No error of a library stops the rest.

    TypeError for anything but Comparisons.
    """
    rows: list[Row] = []
    for comparison in comparisons if isinstance(comparisons, Iterable) else [comparisons]:
        if not isinstance(comparison, Comparison):
            raise TypeError(f"compare: expected Comparisons, got {comparison!r}; `comparisons(case)` gives them.")
        for row in _rows(comparison):
            rows.append(row)
            if tell is not None:
                tell(row)
    return rows


def flattened(comparisons: Iterable[Comparison]) -> Iterator[Comparison]:
    """Every comparison, and after one that differs the one under the library's convention."""
    for comparison in comparisons:
        yield comparison
        if comparison.under is not None:
            yield from flattened([comparison.under])


def _rows(comparison: Comparison) -> list[Row]:
    row = compute(comparison)
    if comparison.under is None:
        return [row]
    below = _rows(comparison.under)
    explained = row.verdict in (CONVENTION, BUG)
    return [replace(row, expected=below[0].expected) if explained else row, *below]


def compute(comparison: Comparison) -> Row:
    """One row: both maps, their difference, the verdict. A known difference is as expected only with its `under`."""
    c = comparison
    blank = Row(
        c.method, c.library, libraries.version_of(c.library), c.convention, None, None, None, None, "", c.because, True
    )
    if (install := libraries.missing(c.library)) is not None:
        return replace(blank, verdict=MISSING, because=install)
    if c.differs == NOT_COMPARABLE:
        return replace(blank, verdict=NOT_COMPARABLE)
    try:
        started = time.perf_counter()
        theirs = c.theirs()
        between = time.perf_counter()
        ours = c.ours()
        seconds = between - started, time.perf_counter() - between
    except Exception as error:  # a library may raise anything; the other rows go on
        where = traceback.extract_tb(error.__traceback__)[-1]
        said = " ".join(str(error).split())
        because = f"{type(error).__name__} in {where.name}: {said}"
        return replace(blank, verdict=FAILED, because=because, expected=False)
    absolute, relative, l2 = differences(ours, theirs, 0 if c.subtracted is None else c.subtracted())
    single = ours.dtype == np.float32
    tolerance = TOLERANCE_FLOAT32 if single else c.tolerance or TOLERANCES[c.library]
    agrees = (l2 if single else relative) <= tolerance
    verdict = AGREES if agrees else c.differs or DIFFERS
    because = "" if agrees else c.because
    if ours.shape != theirs.shape:
        because = " ".join(filter(None, [because, f"(Shapes: here {ours.shape}, there {theirs.shape}.)"]))
        return replace(blank, tolerance=tolerance, seconds=seconds, verdict=verdict, because=because, expected=False)
    found = replace(blank, absolute=absolute, relative=relative, l2=l2, tolerance=tolerance, seconds=seconds)
    return replace(found, verdict=verdict, because=because, expected=agrees)


def differences(ours: np.ndarray, theirs: np.ndarray, subtracted: Any = 0) -> tuple[float, float, float]:
    """The absolute, the relative and the L2 difference; infinite where shapes differ or one of them is not finite.

    Where the maps are differences of numbers as large as `subtracted`, what these round to is 0.

    >>> differences(np.array([[1.0, 2.5]]), np.array([[1.0, 2.0]]))[:2]
    (0.5, 0.25)
    """
    if ours.shape != theirs.shape or not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return np.inf, np.inf, np.inf
    off = np.abs(ours.astype(np.float64) - theirs)
    off = np.where(off <= ROUNDING * np.finfo(ours.dtype).eps * subtracted, 0, off).reshape(len(off), -1)
    theirs = theirs.reshape(off.shape).astype(np.float64)
    if not off.any():
        return 0.0, 0.0, 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = off.max(axis=1) / np.abs(theirs).max(axis=1)
        l2 = np.sqrt((off**2).sum(axis=1)) / np.sqrt((theirs**2).sum(axis=1))
    return float(off.max()), float(np.nan_to_num(relative, nan=0).max()), float(np.nan_to_num(l2, nan=0).max())
