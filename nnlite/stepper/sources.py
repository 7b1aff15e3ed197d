"""The code that computes a step, found in the running program: a reference cannot fall behind the code."""

import inspect
import textwrap
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from .. import __file__ as package


class Source(NamedTuple):
    """Some lines of nnlite's own code.

    file: its path, such as nnlite/layers/dense.py.
    first: the number of the first line.
    line: the number of the line that computes.
    code: the lines.
    """

    file: str
    first: int
    line: int
    code: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@cache
def source(of: Any, mark: str = "return") -> Source:
    """The code of a function; of a class, the method in which `mark` stands.

    The line that computes is the last one that holds the mark.

    >>> from nnlite.layers import Dense
    >>> str(source(Dense.backward)).partition(":")[0], source(Dense.backward).code[-1].strip()
    ('nnlite/layers/dense.py', 'return dz @ self.W.T  # da_j = Σ_k w_jk dz_k')
    """
    of = inspect.unwrap(of)  # what a decorator stands around
    lines, first = inspect.getsourcelines(of)
    first = max(first, 1)
    marked = max((i for i, line in enumerate(lines) if mark in line), default=0)
    if inspect.isclass(of):
        begin, end = _method_around(lines, marked)
        lines, first, marked = lines[begin:end], first + begin, marked - begin
    file = Path(inspect.getsourcefile(of) or "?").resolve()
    root = Path(package).resolve().parents[1]
    name = file.relative_to(root) if file.is_relative_to(root) else file
    code = textwrap.dedent("".join(lines)).rstrip("\n").split("\n")
    return Source(name.as_posix(), first, first + marked, tuple(code))


def _method_around(lines: list[str], at: int) -> tuple[int, int]:
    """Where the method that holds a line of a class begins and ends."""
    starts = [i for i, line in enumerate(lines) if line.startswith("    def ")]
    begin = max(i for i in starts if i <= at)
    end = next((i for i in range(begin + 1, len(lines)) if lines[i].strip() and not lines[i].startswith(" " * 5)), None)
    return begin, len(lines) if end is None else end
