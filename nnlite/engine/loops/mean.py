"""Mean pooling, and its way back."""

from ..driver import Part, Place, Program
from ..pointers import at, number
from .sizes import Sizes


@Part
def mean(t, a, z, counts, _):  # type: ignore[no-untyped-def]
    """z = Σ of the window / its count"""
    channels, height, width, oh, ow = t[0], t[1], t[2], t[3], t[4]
    rows, cols, zero = at(t, 5), at(t, 5 + 2 * oh), number(a, 0)
    for c in range(channels):
        plane, to = at(a, c * height * width), at(z, c * oh * ow)
        for y in range(oh):
            for x in range(ow):
                total = zero
                for row in range(rows[2 * y], rows[2 * y + 1]):
                    for col in range(cols[2 * x], cols[2 * x + 1]):
                        total += plane[row * width + col]
                to[y * ow + x] = total / counts[y * ow + x]


@Part
def mean_back(t, dz, da, counts, _):  # type: ignore[no-untyped-def]
    """dz / its count, to all of its window"""
    channels, height, width, oh, ow = t[0], t[1], t[2], t[3], t[4]
    rows, cols, zero = at(t, 5), at(t, 5 + 2 * oh), number(da, 0)
    for i in range(channels * height * width):
        da[i] = zero
    for c in range(channels):
        given, to = at(dz, c * oh * ow), at(da, c * height * width)
        for y in range(oh):
            for x in range(ow):
                share = given[y * ow + x] / counts[y * ow + x]
                for row in range(rows[2 * y], rows[2 * y + 1]):
                    for col in range(cols[2 * x], cols[2 * x + 1]):
                        to[row * width + col] += share


def forward(program: Program, of: Sizes, a: Place, weights: Place, z: Place, work: Place) -> None:
    """(It has no weights.)"""
    program.add(mean, _fields(of), a, z, program.numbers(*of.counts))


def backward(program: Program, of: Sizes, dz: Place, weights: Place, da: Place, work: Place) -> None:
    """(It has no weights.)"""
    program.add(mean_back, _fields(of), dz, da, program.numbers(*of.counts))


def _fields(of: Sizes) -> list[int]:
    return [*of.below, *of.above[1:], *of.spans(0), *of.spans(1)]
