"""Is an answer right? If not: where it is wrong first, what nnlite has there, and the mistake it looks like."""

import copy
import reprlib
import traceback
from dataclasses import dataclass
from typing import Any

import numpy as np

from .exercise import Exercise

TOLERANCE = 1e-7
"""How far an answer may lie from nnlite's, as a part of the largest number in it."""

ROUNDED = 5e-3
"""A number computed by hand that lies no farther than this is right but for its digits: it is told so."""

NOTHING = "nothing is there yet"


@dataclass(frozen=True)
class Verdict:
    """What `check` says: true if the answer is right; printed, it says why not."""

    right: bool
    says: str

    def __bool__(self) -> bool:
        return self.right

    def __repr__(self) -> str:
        return self.says


def judge(exercise: Exercise, mine: Any) -> Verdict:
    """The verdict on an answer."""
    if not exercise.value and not callable(mine):
        return _wrong(exercise, f"this exercise takes a function, got {type(mine).__name__}")
    if exercise.value and callable(mine):
        return _wrong(exercise, "this exercise takes the result itself, got a function; call it first")
    for number, case in enumerate(exercise.cases, 1):
        trouble = _trouble(exercise, mine, case)
        if trouble:
            where = "" if trouble == NOTHING or len(exercise.cases) == 1 else f"case {number}: "
            return _wrong(exercise, where + trouble, _diagnosis(exercise, mine))
    return Verdict(True, f"{exercise.name}: right.")


def difference(mine: Any, right: Any, tolerance: float = TOLERANCE) -> str | None:
    """Where the first is not the second, in words; None where they agree."""
    if isinstance(right, (tuple, list)):
        results = list(mine) if isinstance(mine, np.ndarray) and mine.ndim else mine
        if not isinstance(results, (tuple, list)) or len(results) != len(right):
            return f"expected {len(right)} results, got {_kind(mine)}"
        parts = (difference(m, r, tolerance) for m, r in zip(results, right, strict=True))
        return next((f"result {i}: {said}" for i, said in enumerate(parts, 1) if said), None)
    if isinstance(right, str):
        same = isinstance(mine, str) and mine == right
        return None if same else f"you have {_kind(mine)}, nnlite has {right!r}"
    ours = np.asarray(right, dtype=np.float64)
    wanted = f"an array of shape {ours.shape}" if ours.ndim else "a number"
    theirs = _numbers(mine)
    if theirs is None or theirs.shape != ours.shape:
        return f"expected {wanted}, got {_kind(mine)}"
    size = np.abs(ours[np.isfinite(ours)]).max(initial=1e-300)
    off = ~np.isclose(theirs, ours, rtol=0, atol=tolerance * size, equal_nan=True)
    if not off.any():
        return None
    index = tuple(int(i) for i in np.argwhere(off)[0])
    place = f"at index {index if len(index) > 1 else index[0]} " if index else ""
    many = f" ({off.sum()} of {off.size} numbers differ)" if off.size > 1 else ""
    return f"{place}you have {theirs[index]:.6g}, nnlite has {ours[index]:.6g}{many}"


def _trouble(exercise: Exercise, mine: Any, case: tuple[Any, ...]) -> str | None:
    right = exercise.answer(*copy.deepcopy(case))
    if exercise.value:
        return NOTHING if mine is None else difference(mine, right)
    given = copy.deepcopy(case)
    try:
        result = mine(*given)
    except NotImplementedError:
        return NOTHING
    except Exception as error:  # whatever a learner's code raises is told, not thrown
        return f"your function stopped with {type(error).__name__}: {error}{_place(mine, error)}"
    if result is None and right is not None:
        return "your function returns nothing; does it end with return?"
    if any(difference(g, c) for g, c in zip(given, case, strict=True) if isinstance(c, np.ndarray)):
        return "your function changes the array that it is given; work on a copy"
    return difference(result, right)


def _diagnosis(exercise: Exercise, mine: Any) -> str:
    """The advice for the first usual mistake that gives the same results as this answer."""
    if exercise.value and difference(mine, exercise.answer(), ROUNDED) is None:
        return "You rounded. Give more digits, or leave it to Python: np.log(4) instead of 1.386."
    fitting: list[str] | None = None
    for case in exercise.cases:
        try:
            result = mine if exercise.value else mine(*copy.deepcopy(case))
        except Exception:  # it has been told already
            return ""
        if result is None:
            return ""
        same = [says for says, wrong in exercise.wrong(case).items() if not difference(result, wrong)]
        fitting = same if fitting is None else [says for says in fitting if says in same]
    return fitting[0] if fitting else ""


def _wrong(exercise: Exercise, says: str, advice: str = "") -> Verdict:
    stuck = f'Stuck? hint("{exercise.name}") gives the first of {len(exercise.hints)} hints.'
    return Verdict(False, "\n".join(filter(None, (f"{exercise.name}: {says}.", advice, stuck))))


def _numbers(value: Any) -> np.ndarray | None:
    """As real numbers; None where it is something else."""
    try:
        return None if np.iscomplexobj(value) else np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def _place(mine: Any, error: Exception) -> str:
    """The line of the learner's function that stopped."""
    file = getattr(getattr(mine, "__code__", None), "co_filename", None)
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    return f", in line {lines[-1].lineno}: {lines[-1].line}" if lines and lines[-1].line else ""


def _kind(value: Any) -> str:
    if isinstance(value, np.ndarray) and value.ndim:
        return f"an array of shape {value.shape}" + ("" if value.dtype.kind in "biuf" else f", {value.dtype}")
    return reprlib.repr(value.item() if isinstance(value, (np.generic, np.ndarray)) else value)
