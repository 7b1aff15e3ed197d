"""Max pooling: the largest of each window, and the signal to where it stands.

Where the windows are 2 × 2, side by side, the loops are long and without a branch, so they become SIMD. A NaN is larger
than any number. Of equal numbers the first wins, in row-major order.
"""

from ..driver import Part, Place, Program
from ..pointers import at, number
from .sizes import Sizes


@Part
def largest(t, a, z, _, __):  # type: ignore[no-untyped-def]
    channels, height, width, oh, ow = t[1], t[2], t[3], t[4], t[5]
    rows, cols = at(t, 6), at(t, 6 + 2 * oh)
    for c in range(channels):
        plane, to = at(a, c * height * width), at(z, c * oh * ow)
        for y in range(oh):
            for x in range(ow):
                best = plane[rows[2 * y] * width + cols[2 * x]]
                for row in range(rows[2 * y], rows[2 * y + 1]):
                    for col in range(cols[2 * x], cols[2 * x + 1]):
                        value = plane[row * width + col]
                        best = value if (value > best) | (value != value) else best
                to[y * ow + x] = best


@Part
def to_the_largest(t, a, z, dz, da):  # type: ignore[no-untyped-def]
    """t[0]: only where the largest is above 0, as a ReLU below lets through. The first that equals it gets dz."""
    gated, channels, height, width, oh, ow = t[0], t[1], t[2], t[3], t[4], t[5]
    rows, cols, zero = at(t, 6), at(t, 6 + 2 * oh), number(da, 0)
    for i in range(channels * height * width):
        da[i] = zero
    for c in range(channels):
        plane, to = at(a, c * height * width), at(da, c * height * width)
        for y in range(oh):
            for x in range(ow):
                m, left = z[(c * oh + y) * ow + x], dz[(c * oh + y) * ow + x]
                left = left if (not gated) | (m > 0) else zero
                if left != 0:
                    for row in range(rows[2 * y], rows[2 * y + 1]):
                        for col in range(cols[2 * x], cols[2 * x + 1]):
                            value = plane[row * width + col]
                            if (value == m) | (value != value):
                                to[row * width + col] += left
                                left = zero


@Part
def largest_of_pairs(t, a, z, larger, _):  # type: ignore[no-untyped-def]
    """Of two rows the larger numbers, then of all neighbours among these."""
    channels, height, width, oh, ow = t[1], t[2], t[3], t[4], t[5]
    both, to = 2 * ow, larger
    for c in range(channels):
        top = at(a, c * height * width)
        for _ in range(oh):
            bottom = at(top, width)
            for x in range(both):
                to[x] = top[x] if (top[x] >= bottom[x]) | (top[x] != top[x]) else bottom[x]  # a NaN wins
            to, top = at(to, both), at(top, 2 * width)
    for i in range(channels * oh * ow):
        p, q = larger[2 * i], larger[2 * i + 1]
        z[i] = p if (p >= q) | (p != p) else q


@Part
def to_the_largest_of_pairs(t, a, z, dz, da):  # type: ignore[no-untyped-def]
    """The first that equals the largest takes g, and leaves zero for the others."""
    gated, channels, height, width, oh, ow = t[0], t[1], t[2], t[3], t[4], t[5]
    zero = number(da, 0)
    if height > 2 * oh or width > 2 * ow:
        for i in range(channels * height * width):
            da[i] = zero
    m, given = z, dz
    for c in range(channels):
        top, to_top = at(a, c * height * width), at(da, c * height * width)
        for _ in range(oh):
            bottom, to_bottom = at(top, width), at(to_top, width)
            for x in range(ow):
                g = given[x] if (not gated) | (m[x] > 0) else zero
                to_top[2 * x] = g if top[2 * x] == m[x] else zero
                g = zero if top[2 * x] == m[x] else g
                to_top[2 * x + 1] = g if top[2 * x + 1] == m[x] else zero
                g = zero if top[2 * x + 1] == m[x] else g
                to_bottom[2 * x] = g if bottom[2 * x] == m[x] else zero
                to_bottom[2 * x + 1] = zero if bottom[2 * x] == m[x] else g
                if (not gated) & (m[x] != m[x]):  # a NaN, which equals nothing: g was left for the last
                    to_bottom[2 * x + 1] = zero
                    if top[2 * x] != top[2 * x]:
                        to_top[2 * x] = given[x]
                    elif top[2 * x + 1] != top[2 * x + 1]:
                        to_top[2 * x + 1] = given[x]
                    else:
                        to_bottom[2 * x + (bottom[2 * x] == bottom[2 * x])] = given[x]
            m, given = at(m, ow), at(given, ow)
            top, to_top = at(top, 2 * width), at(to_top, 2 * width)


def forward(program: Program, of: Sizes, a: Place, weights: Place, z: Place, work: Place) -> None:
    """z = the largest of each window"""
    program.add(largest_of_pairs if _are_pairs(of) else largest, _fields(of), a, z, work)


def backward(program: Program, of: Sizes, gated: bool, a: Place, z: Place, dz: Place, da: Place) -> None:
    """dz to the largest of each window; with `gated` only where it is above 0, as a ReLU below lets through."""
    program.add(to_the_largest_of_pairs if _are_pairs(of) else to_the_largest, _fields(of, gated), a, z, dz, da)


def _are_pairs(of: Sizes) -> bool:
    """Whether the windows are 2 × 2, side by side; they are whole: a row of layers has no ceil_mode."""
    return of.at is not None and (of.at.size, of.at.stride, of.at.padding) == ((2, 2), (2, 2), (0, 0))


def _fields(of: Sizes, gated: bool = False) -> list[int]:
    return [gated, *of.below, *of.above[1:], *of.spans(0), *of.spans(1)]
