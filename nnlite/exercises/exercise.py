"""What an exercise is: a function whose docstring asks and gives hints, and whose body is the answer."""

import copy
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np


@dataclass(eq=False)
class Exercise:
    """One exercise.

    answer: the answer: a function of what `cases` hold, or of nothing where the learner gives a value. Its docstring is
        the question (what a function is given and what it returns), and below it the hints by number: from a nudge to
        nearly the answer. Its body is the solution that a learner may look at.
    cases: the arguments to try, a tuple each.
    mistakes: mistakes(answer, *case) -> three or more wrong results that are usually given, each by what is said to
        somebody who gives it: what is wrong with it, in a sentence or two. `answer` is the right result.
    """

    answer: Callable[..., Any]
    cases: Sequence[tuple[Any, ...]] = ((),)
    mistakes: Callable[..., Mapping[str, Any]] = lambda answer, *case: {}

    def __call__(self, *case: Any) -> Any:
        """The right answer."""
        return self.answer(*case)

    def wrong(self, case: tuple[Any, ...]) -> Mapping[str, Any]:
        """The usual mistakes in a case."""
        with np.errstate(all="ignore"):
            return self.mistakes(self(*copy.deepcopy(case)), *copy.deepcopy(case))

    @property
    def name(self) -> str:
        """As `check` takes it."""
        return self.answer.__name__

    @property
    def lesson(self) -> int:
        """The number of its lesson, the last of its file's name."""
        return int(self.answer.__module__[-2:])

    @property
    def value(self) -> bool:
        """Whether the learner gives the value itself, and not a function."""
        return not inspect.signature(self.answer).parameters

    @property
    def question(self) -> str:
        """What is asked, in a sentence or two."""
        return self._asked()[0]

    @property
    def hints(self) -> list[str]:
        """From a nudge to nearly the answer."""
        return self._asked()[1:]

    @property
    def solution(self) -> str:
        """The answer as code, without the question."""
        source = textwrap.dedent(inspect.getsource(self.answer))
        return re.sub(r'.*?^(def .*?)\s*""".*?"""', r"\1", source, count=1, flags=re.M | re.S).rstrip()

    def _asked(self) -> list[str]:
        parts = re.split(r"\n\s*\d+\. ", self.answer.__doc__ or "")
        return [" ".join(part.split()) for part in parts]


Cases = Iterable[tuple[Any, ...]]


def exercise(cases: Cases | Callable[[np.random.Generator], Cases] = ((),)) -> Callable[[Callable[..., Any]], Exercise]:
    """A function as an exercise; without `cases` the learner gives its value. `cases` may ask for random numbers."""
    chosen = cases(np.random.default_rng(0)) if callable(cases) else cases
    return lambda answer: Exercise(answer, tuple(chosen))


def seeded(*sizes: Any) -> list[tuple[np.random.Generator, Any]]:
    """For each case its own random numbers, from seed 0 on, and its sizes."""
    return [(np.random.default_rng(seed), size) for seed, size in enumerate(sizes)]


@cache
def edited(exercise: Exercise, *changes: tuple[str, str]) -> Callable[..., Any]:
    """The answer as somebody writes it who makes a mistake: (right, wrong) code in some places.

    >>> from nnlite.exercises.lesson05 import positions
    >>> positions(7, 3, 2), edited(positions, (" + 1", ""))(7, 3, 2)
    (3, 2)
    """
    code, known = exercise.solution, dict(vars(sys.modules[exercise.answer.__module__]))
    for right, wrong in changes:
        if right not in code:
            raise ValueError(f"{exercise.name}: there is no {right!r} in the answer.")
        code = code.replace(right, wrong)
    exec(code, known)
    return known[exercise.name]
