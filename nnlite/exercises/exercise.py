"""What an exercise is: a question, the answer, hints in order, and the mistakes that are usually made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Mistake:
    """A wrong answer that is often given, and what to say to somebody who gives it.

    Attributes
    ----------
    answer
        The wrong answer, in the form of the right one.
    advice
        What is wrong with it, in a sentence or two.
    """

    answer: Callable[..., Any]
    advice: str


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes
    ----------
    name
        As `check` takes it.
    lesson
        The number of its lesson.
    question
        What is asked, in a sentence or two; what a function is given and what it returns.
    answer
        The answer: a function of what `cases` hold. Its source is the solution that a learner may look at.
    cases
        cases() -> the arguments to try, a tuple each. An answer that is a value and not a function has one case, ().
    hints
        From a nudge to nearly the answer.
    mistakes
        Three or more wrong answers that are usually given.
    value
        Whether the learner gives the value itself, and not a function.
    """

    name: str
    lesson: int
    question: str
    answer: Callable[..., Any]
    hints: Sequence[str]
    mistakes: Sequence[Mistake]
    cases: Callable[[], Sequence[tuple[Any, ...]]] = lambda: [()]
    value: bool = False
