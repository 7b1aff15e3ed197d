"""Exercises that check themselves.

    from nnlite.exercises import check, hint, solution

    check("shares", mine)       right, or where it is wrong first and what nnlite has there
    hint("shares")              the first hint; hint("shares", 2) the first two
    solution("shares")          the answer, as code

exercise.py    what an exercise is: a function, with its question and hints as docstring
verdict.py     how an answer is judged
lessonNN.py    the exercises of a lesson
"""

import importlib
import pkgutil
from functools import lru_cache
from typing import Any

from ..layers.arguments import is_integer, is_one_of
from .exercise import Exercise
from .verdict import Verdict, judge


@lru_cache(maxsize=1)
def exercises() -> dict[str, Exercise]:
    """Every exercise by its name, in the order of the lessons."""
    files = sorted(info.name for info in pkgutil.iter_modules(__path__) if info.name.startswith("lesson"))
    found = (one for file in files for one in vars(importlib.import_module(f"{__name__}.{file}")).values())
    return {one.name: one for one in found if isinstance(one, Exercise)}


def check(name: str, mine: Any) -> Verdict:
    """Is this answer right?

    name: the exercise, as its lesson names it.
    mine: a function, or the value that is asked for.

    Returns a Verdict, true if it is right. Printed, it says where the answer is wrong first, what nnlite has there, and
    which usual mistake it looks like.
    Raises ValueError: there is no exercise of that name.

    >>> check("z_of_one_neuron", 5)
    z_of_one_neuron: you have 5, nnlite has 4.
    You left out the bias: z is the weighted sum plus b.
    Stuck? hint("z_of_one_neuron") gives the first of 2 hints.
    """
    return judge(_named(name), mine)


class Text(str):
    """Text that a Python prompt and a notebook show line by line, and not as one line with \\n in it."""

    def __repr__(self) -> str:
        return str(self)


def hint(name: str, n: int = 1) -> Text:
    """The first n hints to an exercise.

    Raises ValueError: there is no exercise of that name, or it has not so many hints.

    >>> hint("z_of_one_neuron", 2)
    1. z = Σ_j a_j w_j + b: multiply each input with its weight, add up, add the bias.
    2. The two products are 6 and −1.
    """
    hints = _named(name).hints
    if not is_integer(n) or not 1 <= n <= len(hints):
        raise ValueError(f"{name} has {len(hints)} hints: n takes 1 to {len(hints)}, got {n!r}.")
    return Text("\n".join(f"{i}. {text}" for i, text in enumerate(hints[:n], 1)))


def solution(name: str) -> Text:
    """The answer to an exercise, as code.

    Raises ValueError: there is no exercise of that name.

    >>> solution("z_of_one_neuron")
    def z_of_one_neuron() -> float:
        return 2.0 * 3.0 + 1.0 * -1.0 + -1.0
    """
    return Text(_named(name).solution)


def _named(name: str) -> Exercise:
    if not is_one_of(name, exercises()):
        raise ValueError(f"There is no exercise {name!r}; the names are {', '.join(exercises())}.")
    return exercises()[name]


__all__ = ["Exercise", "Verdict", "check", "exercises", "hint", "solution"]
