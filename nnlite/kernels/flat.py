"""Convolution by shifts: in the flattened image, an element of all the windows is one shifted copy.

    image, 4 wide, flattened:   0 1 2 3 4 5 6 7 8 9 10 11

    a window of 2 × 2 reads     (0, 0)   0 1 2 3 4 5 6        columns: copies, shifted by i · width + j
                                (0, 1)   1 2 3 4 5 6 7
                                (1, 0)   4 5 6 7 8 9 10
                                (1, 1)   5 6 7 8 9 10 11
                                         -----------------
    W @ columns                          z z z · z z z        · read across the edge of the image: cut off

The copies are long and contiguous, where gathering window by window moves a few numbers at a time. The matrix product
has width / (number of windows in a row) more columns than it needs, which costs less than the gathering did. The way
back is the same in reverse: zeros in the places ·, the product with Wᵀ, and every column added at its shift.

A stride s deals the padded image into s × s phases (windows.py); in each of them the windows have stride 1.

Shapes: as in convolution.py; the phases are (N, C, s s H' W').
"""

from functools import lru_cache
from math import prod
from typing import NamedTuple

import numpy as np

from .dispatch import compiled
from .windows import Windows, phases
from .workspace import workspace

BLOCK_BYTES = 2**20  # of columns at a time: they stay in the processor's cache
LEAST = 256  # columns in a product, where the image has so many: below, a product is slow

NOTHING = {np.dtype(dtype): np.full(1, -0.0, dtype) for dtype in (np.float32, np.float64)}
"""x + (-0) is x, for x = 0 and x = -0 too."""
for _zero in NOTHING.values():
    _zero.flags.writeable = False  # as a layer's bias is: the loops are compiled once for both


class Block(NamedTuple):
    """Some samples, and some rows of windows: how long a column is, and where in its plane each of these begins."""

    samples: slice
    length: int
    shifted: np.ndarray  # of the image, for each element of a window
    columns: np.ndarray  # of the columns, for each element of a window
    full: np.ndarray  # of W @ columns, for each row of windows
    rows: np.ndarray  # of z, for each row of windows


@lru_cache(maxsize=256)
def fits(at: Windows) -> bool:
    """Whether the shifts serve these windows: they overlap, and at most every second place is cut off."""
    overlap = all(s == 1 or k > s for k, s in zip(at.size, at.stride, strict=True))
    return overlap and 2 * at.output[1] >= phases(at).size[1]


def forward(a: np.ndarray, W: np.ndarray, b: np.ndarray | None, at: Windows, groups: int) -> np.ndarray:
    """z = W @ columns + b: as `convolution.forward_numpy`."""
    image, channels, window, (oh, ow) = _phases(a, at), a.shape[1], at.size[0] * at.size[1], at.output
    matrix, nothing = W.reshape(groups, len(W) // groups, -1), NOTHING[a.dtype]
    z = np.empty((len(a), len(W), oh * ow), a.dtype)
    for samples, f, shifted, places, starts, rows in _blocks(a.shape, at, a.itemsize):
        n = len(z[samples])
        if window == 1:
            columns = image[samples, :, shifted[0] : shifted[0] + f]
        else:
            columns = workspace("columns", (n * channels, window * f), a.dtype)
            _copy_rows(image[samples].reshape(n * channels, -1), shifted, columns, places, f, nothing)
        full = workspace("full", (n, groups, len(W) // groups, f), a.dtype)
        np.matmul(matrix, columns.reshape(n, groups, -1, f), out=full)
        full, cut = full.reshape(n * len(W), f), z[samples].reshape(n * len(W), oh * ow)
        _copy_rows(full, starts, cut, rows, ow, nothing if b is None else b)
    return z.reshape(len(z), len(W), oh, ow)


def backward_input(dz: np.ndarray, W: np.ndarray, at: Windows, groups: int) -> np.ndarray | None:
    """da += Wᵀ @ dz at every shift: as `convolution.backward_input_numpy`. None where W is not finite.

    (An infinite weight times a zero in a place that is cut off would give a NaN that is not there.)
    """
    channels, (oh, ow) = W.shape[1] * groups, at.output
    matrix, window = W.reshape(groups, len(W) // groups, -1).swapaxes(1, 2), at.size[0] * at.size[1]
    (height, width), whole = at.input, _is_whole(at)
    planes = np.zeros((len(dz), channels, height * width if whole else phases(at).length), dz.dtype)
    for samples, f, shifted, _, starts, rows in _blocks(planes.shape, at, dz.itemsize):
        n = len(dz[samples])
        full = workspace("full", (n * len(W), f), dz.dtype)
        full.fill(0)  # in the places that were cut off
        _copy_rows(dz[samples].reshape(n * len(W), oh * ow), rows, full, starts, ow, NOTHING[dz.dtype])
        columns = workspace("columns", (n, groups, matrix.shape[1], f), dz.dtype)
        np.matmul(matrix, full.reshape(n, groups, -1, f), out=columns)
        columns, image = columns.reshape(n * channels, window, f), planes[samples].reshape(n * channels, -1)
        if not _add_shifted(columns, shifted, image, ow):
            return None
    if whole:
        return planes.reshape(len(dz), channels, height, width)
    by_phase, da = (
        planes.reshape(len(dz), channels, prod(at.stride), *phases(at).size),
        np.empty((len(dz), channels, height, width), dz.dtype),
    )
    for inside, place in phases(at).insides:
        da[place] = by_phase[inside]
    return da


@lru_cache(maxsize=256)
def _is_whole(at: Windows) -> bool:
    """Whether the image is its one phase as it is."""
    return at.stride == (1, 1) and at.padding == (0, 0)


def _phases(a: np.ndarray, at: Windows) -> np.ndarray:
    """The phases of the padded image, flattened: (N, C, s s height width)."""
    n, channels, height, width = a.shape
    if _is_whole(at):
        return np.ascontiguousarray(a).reshape(n, channels, height * width)
    size, length, _, insides = phases(at)
    planes = np.zeros((n, channels, length), a.dtype)
    by_phase = planes.reshape(n, channels, prod(at.stride), *size)
    for inside, place in insides:
        by_phase[inside] = a[place]
    return planes


# ------------------------------------------------------------------------------------------------------ the loops


@compiled
def _copy_rows(source, starts, target, places, f, added):  # type: ignore[no-untyped-def]
    for n in range(len(source)):
        b = added[n % len(added)]
        for r in range(len(starts)):
            row, into = source[n, starts[r] : starts[r] + f], target[n, places[r] : places[r] + f]
            for q in range(f):
                into[q] = row[q] + b


@compiled
def _add_shifted(columns, starts, image, ow):  # type: ignore[no-untyped-def]
    """Adds; or tells by False that a place that is cut off is no zero."""
    f = columns.shape[2]
    for n in range(len(columns)):
        for r in range(len(starts)):
            column, into = columns[n, r], image[n, starts[r] : starts[r] + f]
            if f > ow and column[ow] != 0:
                return False
            for q in range(f):
                into[q] += column[q]
    return True


@lru_cache(maxsize=256)
def _blocks(shape: tuple[int, ...], at: Windows, itemsize: int) -> list[Block]:
    """Samples and rows of windows whose columns take about BLOCK_BYTES: it depends on the shapes alone."""
    ((_, width), _, shifts, _), (kh, kw), (rows, ow) = phases(at), at.size, at.output
    one_row = shape[1] * kh * kw * width * itemsize
    high = min(rows, max(1, BLOCK_BYTES // one_row, LEAST // width))
    step = max(1, BLOCK_BYTES // (one_row * rows)) if high == rows else 1
    parts = []
    for top in range(0, rows, high):
        y = np.arange(top, min(rows, top + high))
        f = (len(y) - 1) * width + ow
        parts.append((f, shifts + top * width, np.arange(kh * kw) * f, (y - top) * width, y * ow))
    return [Block(slice(n, n + step), *part) for n in range(0, shape[0], step) for part in parts]
