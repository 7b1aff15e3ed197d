"""Parts, the programs that are made of them, and the driver that runs a program."""

import functools
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from .cache import c_function, python_function
from .pointers import call, with_intrinsics

# ------------------------------------------------------------------------------------------------------ a program


INPUT, ABOVE, ACTIVATIONS, SIGNALS, TOP, OUT, WORK, WEIGHTS, CHANGED, NUMBERS, CLASSES = range(11)
"""The arrays that a program runs on; each holds numbers of one sample, or of all of them behind each other.

INPUT, ABOVE            x, and the activation at the top
ACTIVATIONS, SIGNALS    what lies between, up and down
TOP, OUT                the signal at the top, and the signal on the input
WORK                    what a layer needs while it runs
WEIGHTS, CHANGED        the weights, and those that a rule has changed
NUMBERS                 the program's own constants
CLASSES                 the chosen class, a 64-bit integer
"""


class Place(NamedTuple):
    """Where numbers lie: behind the `start` numbers of a sample before them; and how many a sample has here."""

    base: int
    start: int = 0
    size: int = 0

    def after(self, numbers: int) -> "Place":
        """The place so many numbers on (in what is not one of many samples)."""
        return Place(self.base, self.start + numbers)


NOTHING = Place(NUMBERS)
"""The place of a part that needs fewer than four."""

PLACES = 4


class Part:
    """A loop `part(t, a, b, c, d)` over raw pointers: `t` to integers that the program holds, four to numbers.

    It is compiled when a program first asks for its address, for each dtype by itself.
    """

    def __init__(self, loop: Callable) -> None:
        self.__name__, self.__qualname__, self.__module__, self.__doc__ = (
            loop.__name__, loop.__qualname__, loop.__module__, loop.__doc__
        )  # fmt: skip
        self._loop = loop
        self._made: dict[np.dtype, Any] = {}

    def address(self, dtype: np.dtype) -> int:
        """Where its machine code lies in this process, for good."""
        if dtype not in self._made:
            with _one_at_a_time:
                if dtype not in self._made:
                    self._made[dtype] = self._compile(dtype)
        return self._made[dtype].address

    def _compile(self, dtype: np.dtype) -> Any:
        from numba import from_dtype, types

        numbers = types.CPointer(from_dtype(dtype))
        signature = types.void(types.CPointer(types.int64), *[numbers] * PLACES)
        return c_function(with_intrinsics(self._loop), signature)

    def __reduce__(self) -> str:
        return self._loop.__qualname__  # a part is known by its name, also in another process


_one_at_a_time = threading.RLock()


class Program:
    """Lines that run one after the other, for each sample: a part, its integers, and its places."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype = dtype
        self._lines: list[tuple[Part, int, tuple[Place, ...]]] = []
        self._fields: list[Any] = []
        self._numbers: list[Any] = []

    def add(self, part: Part, fields: Sequence[Any], *places: Place) -> None:
        """One line more. Its integers may be what has an `address`: a part or a function of BLAS, to be called."""
        self._lines.append((part, len(self._fields), (*places, *[NOTHING] * (PLACES - len(places)))))
        self._fields += fields

    def numbers(self, *values: Any) -> Place:
        """Where these constants lie."""
        self._numbers += values
        return Place(NUMBERS, len(self._numbers) - len(values))

    def run(self, n: int, own: Mapping[int, np.ndarray], shared: Mapping[int, np.ndarray]) -> None:
        """Run it for n samples: `own` are the arrays that hold numbers of each sample, `shared` those of one."""
        lines, fields, blank = self._ready
        arrays, many = blank.copy(), 0
        for base, array in shared.items():
            arrays[base] = array
        for base, array in own.items():
            many |= 1 << base
            arrays[base] = array.reshape(-1)  # all of one type: for another the driver would be compiled again
        _driver()(lines, fields, n, many, *arrays)

    @cached_property
    def _ready(self) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
        """The program as the driver takes it: [part, first integer, base, start, size, base, ...] line by line.

        And its integers, and the arrays that it brings: its numbers, and empty ones where a run brings none.
        """
        lines = np.empty((len(self._lines), 2 + 3 * PLACES), np.int64)
        for line, (part, first, places) in zip(lines, self._lines, strict=True):
            line[:] = [part.address(self.dtype), first, *(number for place in places for number in place)]
        fields = [field.address(self.dtype) if hasattr(field, "address") else field for field in self._fields]
        blank = [*[np.empty(0, self.dtype)] * NUMBERS, np.array(self._numbers, self.dtype), np.empty(0, np.int64)]
        return lines, np.array(fields, np.int64), blank

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_ready"}  # addresses of this process


@functools.cache
def _driver() -> Callable:
    return python_function(with_intrinsics(_drive))


def _drive(  # type: ignore[no-untyped-def]
    lines, fields, n, many, x, above, activations, signals, top, out, work, weights, changed, numbers, classes
):
    at, count, step = np.empty(11, np.int64), np.empty(11, np.int64), np.empty(11, np.int64)
    at[0], at[1], at[2], at[3] = x.ctypes.data, above.ctypes.data, activations.ctypes.data, signals.ctypes.data
    at[4], at[5], at[6], at[7] = top.ctypes.data, out.ctypes.data, work.ctypes.data, weights.ctypes.data
    at[8], at[9], at[10] = changed.ctypes.data, numbers.ctypes.data, classes.ctypes.data
    for base in range(11):
        size = 8 if base == 10 else x.itemsize
        count[base], step[base] = (n * size, size) if many >> base & 1 else (size, 0)
    t = fields.ctypes.data
    for i in range(n):
        for l in range(len(lines)):
            p = lines[l]
            a = at[p[2]] + p[3] * count[p[2]] + i * p[4] * step[p[2]]
            b = at[p[5]] + p[6] * count[p[5]] + i * p[7] * step[p[5]]
            c = at[p[8]] + p[9] * count[p[8]] + i * p[10] * step[p[8]]
            d = at[p[11]] + p[12] * count[p[11]] + i * p[13] * step[p[11]]
            call(p[0], (t + 8 * p[1], a, b, c, d))
