"""What every method does at its ends: a Network goes in, finite numbers come out.

R = method(network, x)           all finite?  then nothing more happens
method(network, x) once more     watched: after every layer, up and down, until the first that is not finite
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np

from ..finite import WATCHED, NotFinite, check, sought
from .inputs import check_network

Method = TypeVar("Method", bound=Callable[..., Any])


def method(function: Method) -> Method:
    """function(network, ...), which takes nothing but a Network and gives nothing but finite numbers.

    The numbers are looked at once, in what the outermost such function returns: an array, or arrays in a sequence or
    a dataclass. Where one is a NaN or an infinity, the function runs again, watched, and the error names it and the
    first layer where the numbers left the finite range.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense
    >>> half = method(lambda network, x: network.output(x) / 2)
    >>> half(Network([Dense(np.eye(1))]), np.ones((1, 1)))
    array([[0.5]])
    """
    return takes_network(finite(function))


def takes_network(function: Method) -> Method:
    """function(network, ...), which takes nothing but a Network."""

    @wraps(function)
    def checked(network: Any, *given: Any, **options: Any) -> Any:
        check_network(network, function.__name__)
        return function(network, *given, **options)

    return cast(Method, checked)


def finite(function: Method) -> Method:
    """The function, which gives nothing but finite numbers: as `method`, but for what it takes."""

    @wraps(function)
    def checked(*given: Any, **options: Any) -> Any:
        if WATCHED.get() is not None:  # within another one, which looks itself
            return function(*given, **options)
        drawn = [(rng, rng.bit_generator.state) for rng in options.values() if isinstance(rng, np.random.Generator)]
        token = WATCHED.set(False)
        try:
            with np.errstate(all="ignore"):
                found = function(*given, **options)
            for values in _arrays(found):
                check(values, "values of its result (those of every layer are finite)")
            return found
        except NotFinite as error:
            first = error
        finally:
            WATCHED.reset(token)
        for rng, state in drawn:
            rng.bit_generator.state = state
        raise (sought(lambda: function(*given, **options)) or first).of(function.__name__)

    return cast(Method, checked)


def _arrays(found: Any) -> Iterator[np.ndarray]:
    """The arrays of floats in what a method returns."""
    if isinstance(found, np.ndarray):
        if found.dtype.kind == "f":
            yield found
    elif isinstance(found, (tuple, list)):
        for part in found:
            yield from _arrays(part)
    elif is_dataclass(found) and not isinstance(found, type):
        for field in fields(found):
            yield from _arrays(getattr(found, field.name))
