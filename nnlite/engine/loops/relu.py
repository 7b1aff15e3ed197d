"""ReLU: up, and the ways in which a method lets a signal through it."""

from ..driver import Part
from ..pointers import number


@Part
def forward(t, a, z, _, __):  # type: ignore[no-untyped-def]
    """z = max(0, a); a NaN stays one."""
    zero = number(a, 0)
    for i in range(t[0]):
        z[i] = a[i] if (a[i] > 0) | (a[i] != a[i]) else zero


@Part
def exact(t, dz, da, a, _):  # type: ignore[no-untyped-def]
    """dz where a > 0"""
    zero = number(a, 0)
    for i in range(t[0]):
        da[i] = dz[i] if a[i] > 0 else zero


@Part
def positive(t, dz, da, _, __):  # type: ignore[no-untyped-def]
    """max(0, dz)"""
    zero = number(dz, 0)
    for i in range(t[0]):
        da[i] = dz[i] if (dz[i] > 0) | (dz[i] != dz[i]) else zero


@Part
def guided(t, dz, da, a, _):  # type: ignore[no-untyped-def]
    """max(0, dz) where a > 0"""
    zero = number(a, 0)
    for i in range(t[0]):
        da[i] = dz[i] if (a[i] > 0) & (dz[i] > 0) else zero
