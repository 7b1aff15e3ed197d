"""Is an answer right? If not: where it is wrong first, what nnlite has there, and the mistake it looks like."""

import copy
from dataclasses import dataclass
from typing import Any

import numpy as np

from .exercise import Exercise

TOLERANCE = 1e-7
"""How far an answer may lie from nnlite's, as a part of the largest number in it."""


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
        return _wrong(exercise, f"this exercise takes a function, and {type(mine).__name__} came")
    if exercise.value and callable(mine):
        return _wrong(exercise, "this exercise takes the result itself, and a function came; call it first")
    for number, case in enumerate(exercise.cases(), 1):
        trouble = _trouble(exercise, mine, case)
        if trouble:
            where = "" if exercise.value or len(exercise.cases()) == 1 else f"case {number}: "
            return _wrong(exercise, where + trouble, _diagnosis(exercise, mine))
    return Verdict(True, f"{exercise.name}: right.")


def difference(mine: Any, right: Any) -> str | None:
    """Where the first is not the second, in words; None where they agree."""
    if isinstance(right, (tuple, list)):
        mine = list(mine) if isinstance(mine, np.ndarray) and mine.ndim else mine
        if not isinstance(mine, (tuple, list)) or len(mine) != len(right):
            return f"expected {len(right)} results, and {_kind(mine)} came"
        parts = (difference(m, r) for m, r in zip(mine, right, strict=True))
        return next((f"result {i}: {said}" for i, said in enumerate(parts, 1) if said), None)
    if isinstance(right, (str, bool, np.bool_)) or right is None:
        return None if mine == right else f"you have {mine!r}, nnlite has {right!r}"
    try:
        ours, theirs = np.asarray(right, dtype=np.float64), np.asarray(mine, dtype=np.float64)
    except (TypeError, ValueError):
        return f"expected {'a number' if np.ndim(right) == 0 else 'an array'}, and {_kind(mine)} came"
    if theirs.shape != ours.shape:
        return f"expected the shape {ours.shape}, and {theirs.shape} came"
    size = np.abs(ours[np.isfinite(ours)]).max(initial=1e-300)
    off = ~np.isclose(theirs, ours, rtol=0, atol=TOLERANCE * size, equal_nan=True)
    if not off.any():
        return None
    index = tuple(int(i) for i in np.argwhere(off)[0])
    place = f"at index {index if len(index) > 1 else index[0]} " if index else ""
    many = f" ({off.sum()} of {off.size} numbers differ)" if off.size > 1 else ""
    return f"{place}you have {theirs[index]:.6g}, nnlite has {ours[index]:.6g}{many}"


def _trouble(exercise: Exercise, mine: Any, case: tuple[Any, ...]) -> str | None:
    right = exercise.answer(*copy.deepcopy(case))
    if exercise.value:
        return "nothing is there yet" if mine is None else difference(mine, right)
    given = copy.deepcopy(case)
    try:
        result = mine(*given)
    except NotImplementedError:
        return "nothing is there yet"
    except Exception as error:  # whatever a learner's code raises is told, not thrown
        return f"your function stopped with {type(error).__name__}: {error}"
    if result is None and right is not None:
        return "your function returns nothing; does it end with return?"
    if any(difference(g, c) for g, c in zip(given, case, strict=True) if isinstance(c, np.ndarray)):
        return "your function changes the array that it is given; work on a copy"
    return difference(result, right)


def _diagnosis(exercise: Exercise, mine: Any) -> str:
    """The advice for the first usual mistake that gives the same results as this answer."""
    for mistake in exercise.mistakes:
        for case in exercise.cases():
            wrong = mistake.answer(*copy.deepcopy(case))
            try:
                result = mine if exercise.value else mine(*copy.deepcopy(case))
            except Exception:  # it has been told already
                return ""
            if result is None or difference(result, wrong):
                break
        else:
            return mistake.advice
    return ""


def _wrong(exercise: Exercise, says: str, advice: str = "") -> Verdict:
    stuck = f'Stuck? hint("{exercise.name}") has {len(exercise.hints)} hints.'
    return Verdict(False, "\n".join(filter(None, (f"{exercise.name}: {says}.", advice, stuck))))


def _kind(value: Any) -> str:
    return f"an array of shape {value.shape}" if isinstance(value, np.ndarray) else f"{value!r}"
