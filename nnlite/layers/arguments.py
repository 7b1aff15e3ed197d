"""What a layer may be made of: each argument is brought to its one form, or refused with a ValueError that names it."""

import sys
from collections.abc import Container
from math import inf, isfinite
from numbers import Real
from typing import Any

import numpy as np

from ..kernels.settled import is_settled
from ..memory import claim

DTYPES = (np.dtype(np.float32), np.dtype(np.float64))
Shape = tuple[int, ...]


def frozen(array: np.ndarray) -> np.ndarray:
    """The same array, made read-only. For an array that nobody else holds."""
    array.flags.writeable = False
    return array


def float_dtype(dtype: Any, what: str) -> np.dtype:
    """`dtype` as a NumPy dtype; ValueError unless it is float32 or float64."""
    if np.dtype(dtype) not in DTYPES:
        raise ValueError(f"{what} takes float32 or float64, got {np.dtype(dtype)}.")
    return np.dtype(dtype)


def conversion(dtype: np.dtype, wanted: Any) -> str:
    """What to do with an input of a dtype that nothing is computed in.

    >>> conversion(np.dtype("float16"), "float32"), conversion(np.dtype("uint8"), "float32")
    ('use x.astype(np.float32)', 'bring pixels to [0, 1], such as (x / 255).astype(np.float32)')
    """
    if dtype.kind in "fb":  # float16, another byte order, more digits; or yes and no
        return f"use x.astype(np.{wanted})"
    return (
        f"bring pixels to [0, 1], such as (x / 255).astype(np.{wanted})" if dtype.kind in "ui" else "use real numbers"
    )


def unmasked(name: str, value: Any) -> Any:
    """The value; TypeError for a masked array, whose mask no computation here would heed."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name}: expected a plain array, got a masked one; fill in what is masked: {name}.filled(0).")
    return value


def as_array(name: str, value: Any) -> np.ndarray:
    """The value as an array; ValueError for nested lists of different lengths, TypeError for a masked array."""
    try:
        return np.asarray(unmasked(name, value))
    except ValueError:
        raise ValueError(f"{name}: expected an array, got rows of different lengths, {value!r}.") from None


def is_floats(name: str, value: Any) -> bool:
    """Whether it is an array of float32 or float64; TypeError for a masked one."""
    return isinstance(unmasked(name, value), np.ndarray) and value.dtype in DTYPES


def kind_of(value: Any) -> str:
    """What a value is, for an error: the shape and the dtype of an array, the type of anything else.

    >>> kind_of(np.zeros((2, 3))), kind_of([0.0])
    ('(2, 3) float64', 'list')
    """
    return f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__


def parameter(owner: str, name: str, value: Any, ndim: int, shape: Shape | None = None) -> np.ndarray:
    """A read-only float array with `ndim` axes (and, where given, `shape`), or a ValueError that names it.

    Integers and lists become float64, as in NumPy. An array that somebody may still write to is copied.
    """
    array = value if type(value) is np.ndarray else as_array(name, value)
    if array.dtype.kind in "iub":
        array = array.astype(np.float64)
    if array.dtype not in DTYPES:
        raise ValueError(f"{owner}: {name} takes float32 or float64, got {array.dtype}.")
    if array.ndim != ndim or (shape is not None and array.shape != shape):
        expected = f"the shape {shape}" if shape is not None else f"{ndim} axes"
        raise ValueError(f"{owner}: {name} takes {expected}, got the shape {array.shape}.")
    return array if array.flags.c_contiguous and is_settled(array) else frozen(array.copy())


def sizes(owner: str, name: str, value: Any) -> Shape:
    """One or more positive integers as a tuple, or a ValueError that names them."""
    if not isinstance(value, (tuple, list)) or not value or not all(_is_size(n) for n in value):
        raise ValueError(f"{owner}: {name} takes one or more positive integers, got {value!r}.")
    return tuple(int(n) for n in value)


def is_integer(value: Any) -> bool:
    """Whether it is an integer, Python's or NumPy's; True and False do not count."""
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether it is a finite real number, Python's or NumPy's; True and False do not count."""
    return isinstance(value, Real) and not isinstance(value, bool) and isfinite(value)


def is_one_of(value: Any, names: Container[str]) -> bool:
    """Whether it is one of these strings; whatever is no string is not, an array or a list either."""
    return isinstance(value, str) and value in names


def check_callable(name: str, value: Any, example: str) -> None:
    """TypeError unless it can be called; `example` is one that can."""
    if not callable(value):
        raise TypeError(f"{name} takes a function such as {example}, got {kind_of(value)}.")


def _is_size(value: Any) -> bool:
    return bool(is_integer(value) and value > 0)


def number(owner: str, name: str, value: Any, *, above: float = -inf, least: float = -inf) -> float:
    """A finite number as a float, more than `above` and at least `least`, or a ValueError that names it."""
    if not is_number(value):
        raise ValueError(f"{owner}: {name} must be a finite number, got {value!r}.")
    value = float(value)
    if value <= above:
        raise ValueError(f"{owner}: {name} must be above {above:g}, got {value}.")
    if value < least:
        raise ValueError(f"{owner}: {name} takes a number from {least:g}, got {value}.")
    return value


def integer(owner: str, name: str, value: Any, least: int = 0) -> int:
    """An integer from `least` as Python's own, or a ValueError that names it."""
    if not is_integer(value) or value < least:
        raise ValueError(f"{owner}: {name} takes an integer from {least}, got {value!r}.")
    return int(value)


def count(owner: str, name: str, value: Any, each: int = 0) -> int:
    """A positive integer as Python's own, or a ValueError that names it.

    Where each of so many things takes `each` bytes, all of them must fit into the budget of `memory`. From 2⁶³ on
    nothing can be counted, whatever it takes.
    """
    if not _is_size(value):
        raise ValueError(f"{owner}: {name} takes a positive integer, got {value!r}.")
    if value > sys.maxsize:
        raise ValueError(f"{owner}: {name} takes a positive integer below 2⁶³; got {value!r}.")
    claim(int(value) * each, f"{owner} with {name}={value}")
    return int(value)


def generator(owner: str, name: str, value: Any) -> np.random.Generator:
    """A Generator: the one that is given, or the one of a seed; ValueError for anything else."""
    if isinstance(value, np.random.Generator):
        return value
    if not is_integer(value) or value < 0:
        raise ValueError(f"{owner}: {name} takes a seed (an integer from 0) or a Generator, got {value!r}.")
    return np.random.default_rng(value)


def flag(owner: str, name: str, value: Any) -> bool:
    """True or False, or a ValueError that names it."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{owner}: {name} takes True or False, got {value!r}.")
    return bool(value)


def pair(owner: str, name: str, value: Any, least: int) -> tuple[int, int]:
    """An int, or two of them, as (rows, columns); ValueError below `least`."""
    two = tuple(value) if isinstance(value, (tuple, list)) else (value, value)
    if len(two) != 2 or not all(map(is_integer, two)):
        raise ValueError(f"{owner}: {name} takes an integer or a pair of integers, got {value!r}.")
    if min(two) < least:
        raise ValueError(f"{owner}: {name} must be at least {least}, got {value!r}.")
    return int(two[0]), int(two[1])
