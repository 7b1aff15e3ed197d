"""Convolution at stride 1: in the flattened image, an element of all the windows is one shifted copy.

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

Shapes: as in convolution.py; the padded image is (N, C, H' W').
"""

from functools import lru_cache

import numpy as np

from .dispatch import compiled
from .windows import Windows
from .workspace import workspace

BLOCK_BYTES = 2**20  # of columns at a time: they stay in the processor's cache
LEAST = 256  # columns in a product, where the image has so many: below, a product is slow


@lru_cache(maxsize=256)
def fits(at: Windows) -> bool:
    """Whether the shifts serve these windows: stride 1, and at most every second place is cut off."""
    return at.stride == (1, 1) and 2 * at.output[1] >= at.padded[1]


def forward(a: np.ndarray, W: np.ndarray, b: np.ndarray | None, at: Windows, groups: int) -> np.ndarray:
    """z = W @ columns + b: as `convolution.forward_numpy`."""
    padded = at.pad(a) if any(at.padding) else np.ascontiguousarray(a)
    n, channels, height, width = padded.shape
    image, (kh, kw), ow = padded.reshape(n, channels, height * width), at.size, at.output[1]
    matrix, bias = W.reshape(groups, len(W) // groups, -1), np.zeros(len(W), W.dtype) if b is None else b
    z = np.empty((n, len(W), *at.output), a.dtype)
    for samples, rows in _blocks(a.shape, at, a.itemsize):
        n, first, f = len(z[samples]), rows.start * width, (rows.stop - rows.start - 1) * width + ow
        if at.size == (1, 1):
            columns = image[samples, :, first : first + f]
        else:
            columns = workspace("columns", (n, channels * kh * kw, f), a.dtype)
            _copy_shifted(image[samples], columns, kh, kw, *at.dilation, width, first)
        full = workspace("full", (n, groups, len(W) // groups, f), a.dtype)
        np.matmul(matrix, columns.reshape(n, groups, -1, f), out=full)
        _cut(full.reshape(n, len(W), f), bias, z[samples], rows.start, width)
    return z


def backward_input(dz: np.ndarray, W: np.ndarray, at: Windows, groups: int) -> np.ndarray | None:
    """da += Wᵀ @ dz at every shift: as `convolution.backward_input_numpy`. None where W is not finite.

    (An infinite weight times a zero in a place that is cut off would give a NaN that is not there.)
    """
    channels, (height, width), ow = W.shape[1] * groups, at.padded, at.output[1]
    matrix = W.reshape(groups, len(W) // groups, -1).swapaxes(1, 2)
    da = np.zeros((len(dz), channels, height * width), dz.dtype)
    for samples, rows in _blocks(da.shape, at, dz.itemsize):
        n, f = len(dz[samples]), (rows.stop - rows.start - 1) * width + ow
        full = workspace("full", (n, len(W), f), dz.dtype)
        _spread(dz[samples], full, rows.start, width)  # zeros in the places that were cut off
        columns = workspace("columns", (n, groups, matrix.shape[1], f), dz.dtype)
        np.matmul(matrix, full.reshape(n, groups, -1, f), out=columns)
        columns = columns.reshape(n, -1, f)
        if not _add_shifted(columns, da[samples], *at.size, *at.dilation, width, rows.start, ow):
            return None
    da = da.reshape(len(dz), channels, height, width)
    return at.crop(da) if any(at.padding) else da


# ------------------------------------------------------------------------------------------------------ the loops


@compiled
def _copy_shifted(image, columns, kh, kw, dh, dw, width, start):  # type: ignore[no-untyped-def]
    n_samples, _, f = columns.shape
    for n in range(n_samples):
        for c in range(image.shape[1]):
            for i in range(kh):
                for j in range(kw):
                    first = start + i * dh * width + j * dw
                    source, column = image[n, c, first : first + f], columns[n, (c * kh + i) * kw + j]
                    for q in range(f):
                        column[q] = source[q]


@compiled
def _add_shifted(columns, image, kh, kw, dh, dw, width, first_row, ow):  # type: ignore[no-untyped-def]
    """Adds; or tells by False that a place that is cut off is no zero."""
    n_samples, n_columns, f = columns.shape
    if f > ow and n_samples > 0:
        for t in range(n_columns):
            if columns[0, t, ow] != 0:
                return False
    for n in range(n_samples):
        for c in range(image.shape[1]):
            for i in range(kh):
                for j in range(kw):
                    first = (first_row + i * dh) * width + j * dw
                    target = image[n, c, first : first + f]
                    column = columns[n, (c * kh + i) * kw + j]
                    for q in range(f):
                        target[q] += column[q]
    return True


@compiled
def _cut(full, bias, z, first_row, width):  # type: ignore[no-untyped-def]
    n_samples, n_filters, f = full.shape
    ow = z.shape[3]
    for n in range(n_samples):
        for k in range(n_filters):
            b = bias[k]
            for y in range((f - ow) // width + 1):
                row, source = z[n, k, first_row + y], full[n, k, y * width : y * width + ow]
                for x in range(ow):
                    row[x] = source[x] + b


@compiled
def _spread(dz, full, first_row, width):  # type: ignore[no-untyped-def]
    n_samples, n_filters, f = full.shape
    ow = dz.shape[3]
    for n in range(n_samples):
        for k in range(n_filters):
            for y in range((f - ow) // width + 1):
                row, target = dz[n, k, first_row + y], full[n, k, y * width : y * width + ow]
                for x in range(ow):
                    target[x] = row[x]
                if (y + 1) * width < f:  # (the last row ends with its windows)
                    full[n, k, y * width + ow : (y + 1) * width] = 0


@lru_cache(maxsize=256)
def _blocks(shape: tuple[int, ...], at: Windows, itemsize: int) -> list[tuple[slice, slice]]:
    """Samples and rows of windows whose columns take about BLOCK_BYTES: it depends on the shapes alone."""
    rows, width = at.output[0], at.padded[1]
    one_row = shape[1] * at.size[0] * at.size[1] * width * itemsize
    high = min(rows, max(1, BLOCK_BYTES // one_row, LEAST // width))
    step = max(1, BLOCK_BYTES // (one_row * rows)) if high == rows else 1
    return [
        (slice(start, start + step), slice(top, min(rows, top + high)))
        for start in range(0, shape[0], step)
        for top in range(0, rows, high)
    ]
