"""The gradient in the filters of a convolution, one sample at a time.

    image (C, H, W)        columns (C kh kw, oh ow)       dWᵀ (C kh kw, K)
                 gather                        @ dzᵀ
              ---------->                   ---------->   += for every sample

The windows are those of convolution.py. The columns of one sample stay in the processor's cache until the product has
read them; where they are too many for that, some channels of the image at a time.

Shapes: as in convolution.py.
"""

import numpy as np

from .dispatch import compiled
from .windows import Windows
from .workspace import workspace

BLOCK_BYTES = 2**20  # of columns at a time
LEAST = 8  # channels at a time, where the image has so many: with fewer a product is slow


def backward_weights(a: np.ndarray, dz: np.ndarray, at: Windows, groups: int) -> np.ndarray:
    """dW[k, c, i, j] = Σ_{n y x} dz[n, k, y, x] a[n, c, y s − p + i d, x s − p + j d]."""
    image = np.ascontiguousarray(a) if at.are_inside else at.pad(a)
    filters, channels, (kh, kw) = dz.shape[1] // groups, a.shape[1] // groups, at.size
    windows = dz.shape[2] * dz.shape[3]
    together = min(channels, max(LEAST, BLOCK_BYTES // (kh * kw * windows * a.itemsize)))
    columns = workspace("columns", (together * kh * kw, windows), a.dtype)
    part = workspace("part", (together * kh * kw, filters), a.dtype)
    turned = np.zeros((groups, channels * kh * kw, filters), a.dtype)  # BLAS is faster that way
    dz = np.ascontiguousarray(dz).reshape(len(dz), groups, filters, windows)
    _gradient(image, dz, turned, columns, part, at.output, at.size, at.stride, at.dilation)
    return np.ascontiguousarray(turned.swapaxes(1, 2)).reshape(groups * filters, channels, kh, kw)


@compiled
def _gradient(image, dz, turned, columns, part, output, size, stride, dilation):  # type: ignore[no-untyped-def]
    n_samples, groups = dz.shape[:2]
    taps = size[0] * size[1]
    channels, together = turned.shape[1] // taps, len(columns) // taps
    for n in range(n_samples):
        for g in range(groups):
            for first in range(0, channels, together):
                last = min(channels, first + together)
                rows = (last - first) * taps
                _gather(image[n, g * channels + first : g * channels + last], columns, output, size, stride, dilation)
                np.dot(columns[:rows], dz[n, g].T, part[:rows])
                sums, one = turned[g, first * taps : last * taps].reshape(-1), part[:rows].reshape(-1)
                for i in range(one.size):
                    sums[i] += one[i]


@compiled
def _gather(image, columns, output, size, stride, dilation):  # type: ignore[no-untyped-def]
    oh, ow = output
    r = 0
    for c in range(len(image)):
        for i in range(size[0]):
            for j in range(size[1]):
                column, left = columns[r], max(0, j * dilation[1])  # known not to be negative: without it, no SIMD
                for y in range(oh):
                    row = image[c, y * stride[0] + i * dilation[0]]
                    if stride[1] == 1:
                        for x in range(ow):
                            column[y * ow + x] = row[left + x]
                    else:
                        for x in range(ow):
                            column[y * ow + x] = row[left + x * stride[1]]
                r += 1
