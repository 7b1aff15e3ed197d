"""How much memory one request may take: NNLITE_MEMORY, asked by everything whose size comes from outside.

A picture, a file, a network of a given input, the draws of a perturbation: before any of them is made, its size is
compared with the budget. A request that cannot be divided is refused with the number that it wanted (`claim`); one that
can be divided is done in chunks (`fitting`).
"""

import os
import re
import sys

DEFAULT = "4G"
UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}


class TooLarge(ValueError):
    """It needs more memory than NNLITE_MEMORY allows."""


def budget() -> int:
    """NNLITE_MEMORY in bytes: a number with K, M or G (4G where it is not set). It is read at every call.

    Raises ValueError: NNLITE_MEMORY is not such a number, or 0.

    >>> budget() > 0
    True
    """
    said = os.environ.get("NNLITE_MEMORY") or DEFAULT
    found = re.fullmatch(r"(\d{1,12})([KMG]?)B?", said.strip().upper(), re.ASCII)
    size = int(found[1]) * UNITS[found[2]] if found else 0
    if not size:
        raise ValueError(f"NNLITE_MEMORY is {said!r}; expected a size such as 500M or 4G. Set it so, or unset it.")
    return size


def claim(size: int, what: str) -> None:
    """Refuse what needs more than the budget, before anything is made.

    Parameters
    ----------
    size
        The bytes that it needs at its largest.
    what
        What needs them, as the beginning of a sentence: "photo.png (13000 × 13000)".

    Raises TooLarge: `size` is above the budget.

    >>> claim(1000, "A small picture")
    >>> claim(2**50, "A picture of 2²⁴ × 2²⁴ pixels")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    nnlite.memory.TooLarge: A picture of 2²⁴ × 2²⁴ pixels needs 1048576.0G of memory, and NNLITE_MEMORY allows 4.0G; ...
    """
    if size > budget():
        raise TooLarge(
            f"{what} needs {readable(size)} of memory, and NNLITE_MEMORY allows {readable(budget())}; use something "
            "smaller, or set NNLITE_MEMORY higher."
        )


def fitting(each: int, most: int) -> int:
    """How many things of `each` bytes fit into a quarter of the budget together: at least 1, at most `most`.

    (A quarter: what is computed from them takes room, too.)

    >>> fitting(each=8, most=100)
    100
    """
    return max(1, min(most, budget() // 4 // max(1, each)))


def readable(size: int) -> str:
    """A number of bytes for people.

    >>> readable(300), readable(3 * 2**20), readable(2**4000)
    ('300 bytes', '3.0M', 'more than 2⁶³ bytes')
    """
    if size > sys.maxsize:  # more than can be addressed, and perhaps more than a float can hold
        return "more than 2⁶³ bytes"
    unit = next((unit for unit in "GMK" if size >= UNITS[unit]), "")
    return f"{size / UNITS[unit]:.1f}{unit}" if unit else f"{size} bytes"
