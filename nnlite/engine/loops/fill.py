"""Numbers that pass as they are, and zeros."""

from ..driver import Part
from ..pointers import number


@Part
def copy(t, a, z, _, __):  # type: ignore[no-untyped-def]
    for i in range(t[0]):
        z[i] = a[i]


@Part
def zero(t, z, _, __, ___):  # type: ignore[no-untyped-def]
    nothing = number(z, 0)
    for i in range(t[0]):
        z[i] = nothing
