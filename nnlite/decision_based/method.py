"""What every method does at its ends: a Network goes in, finite numbers come out.

R = method(network, x)           all finite?  then nothing more happens
method(network, x) once more     watched: after every layer, up and down, until the first that is not finite
"""

from collections.abc import Callable, Iterable
from dataclasses import fields, is_dataclass
from functools import wraps
from itertools import chain
from typing import Any, TypeVar, cast

import numpy as np

from ..batch import check_network
from ..finite import WATCHED, NotFinite, check, is_finite, watching
from .tokens import embedded, per_token

Function = TypeVar("Function", bound=Callable[..., Any])


def method(function: Function) -> Function:
    """function(network, ...), which takes nothing but a Network and gives nothing but finite numbers.

    The numbers are looked at once, in what the function returns: an array, or arrays in a sequence or a dataclass.
    Where one is a NaN or an infinity, the function runs again, watched, and the error names it and the first layer
    where the numbers left the finite range.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense
    >>> half = method(lambda network, x: network.output(x) / 2)
    >>> half(Network([Dense(np.eye(1))]), np.ones((1, 1)))
    array([[0.5]])
    """
    return _checked(function, True)


def finite(function: Function) -> Function:
    """The function, which gives nothing but finite numbers: as `method`, but for what it takes."""
    return _checked(function, False)


def takes_network(function: Function) -> Function:
    """function(network, ...), which takes nothing but a Network; an error of a method within it bears its name."""

    @wraps(function)
    def checked(network: Any, *given: Any, **options: Any) -> Any:
        check_network(network, function.__name__)
        try:
            return function(network, *given, **options)
        except NotFinite as error:
            raise error.of(function.__name__) from None

    return cast(Function, checked)


def _checked(function: Function, network: bool) -> Function:
    name = function.__qualname__.removesuffix(".__call__")

    @wraps(function)
    def checked(*given: Any, **options: Any) -> Any:
        if network:
            of: Any = given[0] if given else options.get("network")
            check_network(of, name)
            if of.takes_tokens and (len(given) > 1 or "x" in options):
                given, options = given[1:], {key: value for key, value in options.items() if key != "network"}
                above, e = embedded(of, given[0] if given else options.pop("x"))
                return per_token(checked(above, e, *given[1:], **options), e, getattr(function, "slopes", False))
        if WATCHED.get():  # within another one, which names itself
            return function(*given, **options)
        drawn = [(rng, rng.bit_generator.state) for rng in options.values() if isinstance(rng, np.random.Generator)]
        try:
            found = function(*given, **options)
            if all(map(is_finite, _arrays(found))):
                return found
        except NotFinite as error:
            if error.method:  # another one, within, has found the place
                raise error.of(name) from None
        except (FloatingPointError, RuntimeWarning):  # NumPy has been told to raise
            pass
        for rng, state in drawn:
            rng.bit_generator.state = state
        try:
            with watching():
                found = function(*given, **options)
            for values in _arrays(found):
                check(values, "values of its result (those of every layer are finite)")
        except NotFinite as error:
            raise error.of(name) from None
        return found

    return cast(Function, checked)


def _arrays(found: Any) -> Iterable[np.ndarray]:
    """The arrays of floats in what a method returns."""
    if isinstance(found, np.ndarray):
        return (found,) if found.dtype.kind == "f" else ()
    if is_dataclass(found):
        found = [getattr(found, field.name) for field in fields(found)]
    return chain.from_iterable(map(_arrays, found)) if isinstance(found, (tuple, list)) else ()
