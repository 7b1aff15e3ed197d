"""Convolution by strips: what one column of the windows reads, and nothing else.

    image              strip 0     strip 1     windows of 2 × 2: element (i, j) of all of them
    0  1  2  3         0 1  2      1  2  3     is strip j from row i on
    4  5  6  7         4 5  6      5  6  7
    8  9 10 11         8 9 10      9 10 11     (1, 0):  4 5 6 8 9 10

So a column is one long copy, and the product writes straight to where the activation lies. Padding and strides are
done with in the strips (at stride 2, one strip for the even rows and one for the odd): a program holds, for each strip,
the piece of the image that it takes. The way back adds the columns to the strips and the strips to the image.
"""

from math import prod
from typing import NamedTuple

from ..driver import Part, Place, Program
from ..pointers import at, number
from .product import product
from .sizes import Sizes


@Part
def to_strips(t, a, strips, _, __):  # type: ignore[no-untyped-def]
    """strips[c, phase, j, q, x] = a[c, q s + phase − p, x s − p + j d], zero outside the image."""
    channels, image, strip, ow, down, right, padded, pieces = t[0], t[1], t[2], t[3], t[4], t[5], t[6], t[7]
    one = number(a, min(1, ow))  # the compiler cannot know it: it would call memcpy for every few numbers
    if padded:
        zero = number(a, 0)
        for i in range(channels * strip):
            strips[i] = zero
    for piece in range(8, 8 + 4 * pieces, 4):
        for c in range(channels):
            to, of = at(strips, t[piece] + c * strip), at(a, t[piece + 1] + c * image)
            n = t[piece + 3]
            for _ in range(t[piece + 2]):
                if right == 1:
                    for x in range(n):
                        to[x] = of[x] * one
                else:
                    for x in range(n):
                        to[x] = of[x * right]
                to, of = at(to, ow), at(of, down)


@Part
def from_strips(t, strips, da, _, __):  # type: ignore[no-untyped-def]
    """The transpose of `to_strips`: every number is added where it was read."""
    channels, image, strip, ow, down, right, pieces = t[0], t[1], t[2], t[3], t[4], t[5], t[7]
    zero = number(da, 0)
    for i in range(channels * image):
        da[i] = zero
    for piece in range(8, 8 + 4 * pieces, 4):
        for c in range(channels):
            of, to = at(strips, t[piece] + c * strip), at(da, t[piece + 1] + c * image)
            n = t[piece + 3]
            for _ in range(t[piece + 2]):
                if right == 1:
                    for x in range(n):
                        to[x] += of[x]
                else:
                    for x in range(n):
                        to[x * right] += of[x]
                of, to = at(of, ow), at(to, down)


@Part
def to_columns(t, strips, columns, _, __):  # type: ignore[no-untyped-def]
    """columns[c, i, j] is strip j of (c, i), from the row on in which element (i, j) of the first window stands."""
    channels, kh, kw, f, strip, size = t[0], t[1], t[2], t[3], t[4], t[5]
    column = columns
    for c in range(channels):
        for i in range(kh):
            of = at(strips, c * strip + t[6 + i])
            for _ in range(kw):
                for x in range(f):
                    column[x] = of[x]
                of, column = at(of, size), at(column, f)


@Part
def from_columns(t, columns, strips, _, __):  # type: ignore[no-untyped-def]
    """The transpose of `to_columns`."""
    channels, kh, kw, f, strip, size = t[0], t[1], t[2], t[3], t[4], t[5]
    zero = number(strips, 0)
    for i in range(channels * strip):
        strips[i] = zero
    column = columns
    for c in range(channels):
        for i in range(kh):
            to = at(strips, c * strip + t[6 + i])
            for _ in range(kw):
                for x in range(f):
                    to[x] += column[x]
                to, column = at(to, size), at(column, f)


@Part
def add_to_planes(t, z, b, _, __):  # type: ignore[no-untyped-def]
    """z[k, ...] += b_k"""
    f = t[1]
    for k in range(t[0]):
        plane, bias = at(z, k * f), b[k]
        for i in range(f):
            plane[i] += bias


class Strips(NamedTuple):
    """Where the numbers of an image lie in its strips, and those of the strips in the columns.

    A piece is the part of a strip that lies inside the image: where it begins in the strips and in the image, its rows
    and their length. `rows` and `firsts` say where element (i, 0) of the first window stands in the strips.
    """

    numbers: int
    size: int
    pieces: list[tuple[int, int, int, int]]
    firsts: list[int]


def strips(of: Sizes) -> Strips:
    """The strips of one channel."""
    assert of.at is not None
    (_, height, width), (_, _, ow), (kh, kw) = of.below, of.above, of.at.size
    (sh, sw), (ph, pw), (dh, dw) = of.at.stride, of.at.padding, of.at.dilation
    n_rows = -(-(height + 2 * ph) // sh)
    pieces = []
    for phase in range(sh):
        for j in range(kw):
            above, shift = ph - phase, j * dw - pw
            q, x = max(0, -(-above // sh)), max(0, -(shift // sw))
            rows, n = -(-(height + above) // sh) - q, min(ow, (width - 1 - shift) // sw + 1) - x
            if rows > 0 and n > 0:
                start = ((phase * kw + j) * n_rows + q) * ow + x
                pieces.append((start, (q * sh - above) * width + shift + x * sw, rows, n))
    firsts = [((i * dh % sh) * kw * n_rows + i * dh // sh) * ow for i in range(kh)]
    return Strips(sh * kw * n_rows * ow, n_rows * ow, pieces, firsts)


def room(of: Sizes) -> int:
    """How many numbers of work a convolution needs: its columns and its strips."""
    return prod(_filters(of)[1:]) + of.below[0] * strips(of).numbers


def forward(program: Program, of: Sizes, a: Place, weights: Place, z: Place, work: Place) -> None:
    """z = W @ columns + b"""
    n_filters, T, f = _filters(of)
    in_image, in_strips = _fields(of)
    program.add(to_strips, in_image, a, work.after(T * f))
    program.add(to_columns, in_strips, work.after(T * f), work)
    product(program, n_filters, T, f, weights.after(of.W), work, z)
    program.add(add_to_planes, [n_filters, f], z, weights.after(of.b))


def backward(program: Program, of: Sizes, dz: Place, weights: Place, da: Place, work: Place) -> None:
    """columns = Wᵀ @ dz, and da their sum where they were read."""
    n_filters, T, f = _filters(of)
    in_image, in_strips = _fields(of)
    product(program, T, n_filters, f, weights.after(of.W), dz, work, transposed=True)
    program.add(from_columns, in_strips, work, work.after(T * f))
    program.add(from_strips, in_image, work.after(T * f), da)


def _filters(of: Sizes) -> tuple[int, int, int]:
    """Filters, elements of a window, windows."""
    assert of.at is not None
    return of.above[0], of.below[0] * prod(of.at.size), prod(of.above[1:])


def _fields(of: Sizes) -> tuple[list[int], list[int]]:
    """The integers of the parts: between image and strips, and between strips and columns."""
    assert of.at is not None
    (channels, height, width), (_, oh, ow), own = of.below, of.above, strips(of)
    (sh, sw), padded = of.at.stride, any(of.at.padding)
    image = [channels, height * width, own.numbers, ow, sh * width, sw, padded, len(own.pieces)]
    return [*image, *sum(own.pieces, ())], [channels, *of.at.size, oh * ow, own.numbers, own.size, *own.firsts]
