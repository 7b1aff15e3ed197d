"""What a compiled loop does with pointers, beside p[i]. The names stand for intrinsics, made when a loop compiles."""

import functools
from collections.abc import Callable
from functools import cached_property
from types import FunctionType
from typing import Any


class Intrinsic:
    """A name that compiled code knows; `define` gives Numba its types and its instructions."""

    def __init__(self, define: Callable) -> None:
        self.__name__, self.__doc__ = define.__name__, define.__doc__
        self._define = define

    def __call__(self, *arguments: Any) -> Any:
        raise TypeError(f"expected a call of {self.__name__} in a compiled loop, got one from Python.")

    @cached_property
    def made(self) -> Any:
        from numba.extending import intrinsic

        return intrinsic(self._define)


@Intrinsic
def at(typing, p, k):  # type: ignore[no-untyped-def]
    """at(p, k) = p + k: the pointer k numbers on."""
    return p(p, k), lambda context, builder, signature, given: builder.gep(given[0], [given[1]])


@Intrinsic
def number(typing, p, value):  # type: ignore[no-untyped-def]
    """number(p, value): the value as one of the numbers that p points to."""
    return p.dtype(p, value), lambda context, builder, signature, given: context.cast(
        builder, given[1], signature.args[1], signature.return_type
    )


@Intrinsic
def integers(typing, p):  # type: ignore[no-untyped-def]
    """integers(p): the same pointer, to 64-bit integers."""
    from numba import types

    to = types.CPointer(types.int64)
    return to(p), lambda context, builder, signature, given: builder.bitcast(given[0], context.get_value_type(to))


@Intrinsic
def call(typing, address, arguments):  # type: ignore[no-untyped-def]
    """call(address, arguments): call the C function that lies there with this tuple; it gives nothing back."""
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils

    def instructions(context, builder, signature, given):  # type: ignore[no-untyped-def]
        values = cgutils.unpack_tuple(builder, given[1])
        function = ir.FunctionType(ir.VoidType(), [value.type for value in values])
        builder.call(builder.inttoptr(given[0], function.as_pointer()), values)
        return context.get_dummy_value()

    return types.void(address, arguments), instructions


def with_intrinsics(loop: Callable) -> Callable:
    """The same loop, with each `Intrinsic` that it names as Numba knows it."""
    names = {name: loop.__globals__.get(name) for name in loop.__code__.co_names}
    made = {name: value.made for name, value in names.items() if isinstance(value, Intrinsic)}
    return functools.update_wrapper(FunctionType(loop.__code__, {**loop.__globals__, **made}, loop.__name__), loop)
