"""Convolutions with one channel a group: no product of matrices in them, so they have short loops of their own.

The padded channel is dealt out into s × s phases, and every element of a window becomes one shifted read of a phase:

    padded row, stride 2       0 1 2 3 4 5 6 7 8        phase 0:  0 2 4 6 8        phase 1:  1 3 5 7 ·
    a window of 3 reads        0 1 2                    element 0: phase 0 from 0  (0 2 4 6)
                                   2 3 4                element 1: phase 1 from 0  (1 3 5 7)
                                       4 5 6   ...      element 2: phase 0 from 1  (2 4 6 8)

Phases are planes of one width, read as one long row: sums += w · plane[shift:], four elements of the window in one
pass, the length rounded up to LANES. What was read across the edge of a plane is cut off. The way back is the same:
the gradient lies in a plane with zeros behind each of its rows, and each phase of the image is a sum of shifted reads
of it. So there and back are one loop, with other tables.

Shapes: as in convolution.py, with W (C · multiplier, 1, kh, kw).
"""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from .dispatch import compiled, part
from .windows import Windows, phases
from .workspace import workspace

LANES = 32
"""A length is a multiple of it: a loop is nothing but full vectors."""


class Tables(NamedTuple):
    """For one channel: runs of numbers to copy (from, to, how many), and what is summed (weight, read from)."""

    planes: int  # how many numbers
    length: int  # of a sum
    into: np.ndarray  # from the channel to the planes, every `step` numbers one
    terms: np.ndarray
    term_ends: np.ndarray  # for each sum
    out: np.ndarray  # from the sum to the result, every `step_out` numbers one
    out_ends: np.ndarray  # for each sum
    steps: np.ndarray


@lru_cache(maxsize=256)
def _tables(at: Windows, multiplier: int, back: bool) -> Tables:
    ((height, width), every, every_read, _), taps = phases(at), prod(at.size)
    (h, w), (oh, ow), (sh, sw), (ph, pw) = at.input, at.output, at.stride, at.padding
    area, windows = height * width, [(y * width, y * ow, ow) for y in range(oh)]
    reads = every_read.tolist()
    phase, shift = [r // area for r in reads], [r % area for r in reads]
    image = [  # its rows, by phases: (phase, place in the phase, place in the image, how many)
        ((y + ph) % sh * sw + (x + pw) % sw, (y + ph) // sh * width + (x + pw) // sw, y * w + x, -(-(w - x) // sw))
        for y in range(h)
        for x in range(min(sw, w))
    ]
    if back:
        lead, length = max(shift), -(-area // LANES) * LANES
        one = lead + length
        into = [(m * oh * ow + z, m * one + lead + place, n) for m in range(multiplier) for place, z, n in windows]
        terms = [
            [(m * taps + e, m * one + lead - shift[e]) for m in range(multiplier) for e in range(taps) if phase[e] == q]
            for q in range(sh * sw)
        ]
        out = [[row[1:] for row in image if row[0] == q] for q in range(sh * sw)]
        planes, steps = multiplier * one, (1, sw, width)
    else:
        length = -(-((oh - 1) * width + ow) // LANES) * LANES
        into = [(place, q * area + to, n) for q, to, place, n in image]
        terms = [[(m * taps + e, reads[e]) for e in range(taps)] for m in range(multiplier)]
        out = [[(place, m * oh * ow + z, n) for place, z, n in windows] for m in range(multiplier)]
        planes, steps = every + length, (sw, 1, width)
    return Tables(planes, length, _table([into])[0], *_table(terms), *_table(out), np.array(steps, np.uint64))


def _table(parts: list) -> tuple[np.ndarray, np.ndarray]:
    """All rows, and where each part ends. (Without a sign: an index that could be negative stops SIMD.)"""
    rows = [row for one in parts for row in one]
    return np.array(rows, np.uint64).reshape(len(rows), -1), np.cumsum([len(one) for one in parts])


def forward(a: np.ndarray, W: np.ndarray, b: np.ndarray | None, at: Windows, groups: int) -> np.ndarray:
    """As `convolution.forward_numpy`."""
    z = np.empty((len(a), len(W), *at.output), a.dtype)
    _run(a, W, np.zeros(1, a.dtype) if b is None else b, z, at, groups, False)
    return z


def backward_input(dz: np.ndarray, W: np.ndarray, at: Windows, groups: int) -> np.ndarray | None:
    """As `convolution.backward_input_numpy`. None where W is not finite.

    (An infinite weight times a zero between the rows would give a NaN that is not there.)
    """
    if not np.isfinite(W).all():
        return None
    da = np.empty((len(dz), groups, *at.input), dz.dtype)
    _run(dz, W, np.zeros(1, dz.dtype), da, at, groups, True)
    return da


def backward_weights(a: np.ndarray, dz: np.ndarray, at: Windows, groups: int) -> np.ndarray:
    """As `convolution.backward_weights_numpy`."""
    tables = _tables(at, dz.shape[1] // groups, False)
    planes, sums = _workspaces(tables.planes, at.output[1], a.dtype)
    dW = np.zeros((dz.shape[1], 1, *at.size), a.dtype)
    n_planes, a, dz = len(a) * groups, np.ascontiguousarray(a).reshape(-1), np.ascontiguousarray(dz).reshape(-1)
    multiplier = len(dW) // groups
    _gradient(
        a, dz, dW.reshape(-1), planes, sums, n_planes, groups, multiplier, tables.into, tables.terms, tables.steps
    )
    return dW


def _workspaces(planes: int, sums: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray]:
    """Zeros, and numbers that are not set."""
    zeros = workspace("planes", (planes,), dtype)
    zeros.fill(0)
    return zeros, workspace("sums", (sums,), dtype)


def _run(
    source: np.ndarray, W: np.ndarray, first: np.ndarray, target: np.ndarray, at: Windows, channels: int, back: bool
) -> None:
    tables = _tables(at, len(W) // channels, back)
    planes, sums = _workspaces(tables.planes, tables.length, W.dtype)
    n_planes, source = len(source) * channels, np.ascontiguousarray(source).reshape(-1)
    _loops(source, W.reshape(-1), first, target.reshape(-1), planes, sums, n_planes, channels, *tables[2:])


@compiled
def _loops(source, W, first, target, planes, sums, n_planes, channels, into, terms, term_ends, out, out_ends, steps):  # type: ignore[no-untyped-def]
    one, step, step_out, lanes = np.uint64(1), steps[0], steps[1], np.uint64(len(sums))
    taps, size, size_out = len(W) // channels, np.uint64(len(source) // n_planes), np.uint64(len(target) // n_planes)
    for p in range(n_planes):
        w = np.uint64(p % channels * taps)
        of, to = np.uint64(p) * size, np.uint64(p) * size_out
        for r in range(len(into)):
            _copy(source, of + into[r, 0], step, planes, into[r, 1], one, into[r, 2])
        e = row = 0
        for k in range(len(term_ends)):
            value = first[(p % channels * len(term_ends) + k) % len(first)]
            for t in range(lanes):
                sums[t] = value
            while e + 4 <= term_ends[k]:
                p0, p1, p2, p3 = terms[e, 1], terms[e + 1, 1], terms[e + 2, 1], terms[e + 3, 1]
                w0, w1 = W[w + terms[e, 0]], W[w + terms[e + 1, 0]]
                w2, w3 = W[w + terms[e + 2, 0]], W[w + terms[e + 3, 0]]
                for t in range(lanes):
                    sums[t] += w0 * planes[p0 + t] + w1 * planes[p1 + t] + (w2 * planes[p2 + t] + w3 * planes[p3 + t])
                e += 4
            while e < term_ends[k]:
                p0, w0 = terms[e, 1], W[w + terms[e, 0]]
                for t in range(lanes):
                    sums[t] += w0 * planes[p0 + t]
                e += 1
            while row < out_ends[k]:
                _copy(sums, out[row, 0], one, target, to + out[row, 1], step_out, out[row, 2])
                row += 1


@compiled
def _gradient(a, dz, dW, planes, sums, n_planes, channels, multiplier, into, terms, steps):  # type: ignore[no-untyped-def]
    one, step, width, ow = np.uint64(1), steps[0], steps[2], np.uint64(len(sums))
    taps = len(terms) // multiplier
    size, windows = np.uint64(len(a) // n_planes), len(dz) // n_planes
    for p in range(n_planes):
        of = np.uint64(p) * size
        for r in range(len(into)):
            _copy(a, of + into[r, 0], step, planes, into[r, 1], one, into[r, 2])
        for m in range(multiplier):
            for r in range(taps):
                for x in range(ow):
                    sums[x] = 0
                read, z = terms[r, 1], np.uint64(p * windows + m * (windows // multiplier))
                for _ in range(windows // multiplier // len(sums)):
                    for x in range(ow):
                        sums[x] += dz[z + x] * planes[read + x]
                    read, z = read + width, z + ow
                for x in range(ow):
                    dW[(p % channels * multiplier + m) * taps + r] += sums[x]


@part
def _copy(source, of, step, target, to, step_to, n):  # type: ignore[no-untyped-def]
    two = np.uint64(2)
    if step == two:  # known when it is compiled: SIMD
        for x in range(n):
            target[to + x] = source[of + x * two]
    else:
        for x in range(n):
            target[to + x * step_to] = source[of + x * step]
