"""Where the windows of a convolution or a pooling lie.

One axis of length 6, a window of 3, stride 2, padding 1 (p), dilation 1:

    p 0 1 2 3 4 5 p
    [---]                 output 0 reads  p 0 1
        [---]             output 1 reads  1 2 3
            [---]         output 2 reads  3 4 5

Output y reads the input rows  y * stride - padding + i * dilation  for i = 0 ... size - 1.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

Pair = tuple[int, int]


class Windows(NamedTuple):
    """The geometry of all windows over an image: two numbers each, for rows and columns.

    A row that falls outside the image is padding: absent from a maximum, zero in a sum.
    """

    input: Pair
    size: Pair
    stride: Pair
    padding: Pair
    dilation: Pair
    output: Pair

    @property
    def padded(self) -> Pair:
        """The size of the image with its padding."""
        (h, w), (ph, pw) = self.input, self.padding
        return h + 2 * ph, w + 2 * pw

    @property
    def are_inside(self) -> bool:
        """Whether no window reaches out of the image."""
        return self.padding == (0, 0) and all(
            s * (o - 1) + d * (k - 1) < n
            for n, k, s, d, o in zip(self.input, self.size, self.stride, self.dilation, self.output, strict=True)
        )

    def element(self, padded: np.ndarray, i: int, j: int) -> np.ndarray:
        """Element (i, j) of all the windows at once: a view (N, C, oh, ow) into the padded image."""
        (sh, sw), (dh, dw), (oh, ow) = self.stride, self.dilation, self.output
        top, left = i * dh, j * dw
        return padded[:, :, top : top + sh * (oh - 1) + 1 : sh, left : left + sw * (ow - 1) + 1 : sw]

    def pad(self, a: np.ndarray, value: float = 0.0) -> np.ndarray:
        """The image (N, C, H, W) with `value` around it, as far as the windows reach."""
        top, left = self.padding
        bottom, right = (
            max(0, d * (k - 1) + s * (o - 1) + 1 - n - p)
            for n, k, s, p, d, o in zip(
                self.input, self.size, self.stride, self.padding, self.dilation, self.output, strict=True
            )
        )
        (h, w), size = self.input, a.shape[:2]
        padded = np.full((*size, top + h + bottom, left + w + right), value, a.dtype)
        padded[:, :, top : top + h, left : left + w] = a
        return padded

    def crop(self, padded: np.ndarray) -> np.ndarray:
        """The image inside the padded one."""
        (top, left), (h, w) = self.padding, self.input
        return np.ascontiguousarray(padded[:, :, top : top + h, left : left + w])


@lru_cache(maxsize=256)  # integers in, integers out: asked for at every step of every walk
def windows(
    input: Pair, size: Pair, stride: Pair, padding: Pair, dilation: Pair = (1, 1), ceil_mode: bool = False
) -> Windows:
    """Where the windows of these options lie on images of this size.

    >>> windows((28, 28), (5, 5), (1, 1), (0, 0)).output
    (24, 24)
    """
    rows, columns = (
        output_size(n, k, s, p, d, ceil_mode)
        for n, k, s, p, d in zip(input, size, stride, padding, dilation, strict=True)
    )
    return Windows(input, size, stride, padding, dilation, (rows, columns))


class Phases(NamedTuple):
    """Every s-th row and column of the padded image is a phase: s s of them, in which all windows have stride 1.

    Each takes all that lies in it or that a window reaches.
    """

    size: Pair
    length: int  # how many numbers they have together
    reads: np.ndarray  # where in them, flattened, each element of the first window lies
    insides: tuple[tuple[tuple, tuple], ...]  # of the phases (N, C, s s, *size) what lies in the image, and where there


@lru_cache(maxsize=256)
def phases(at: Windows) -> Phases:
    """The phases of a stride.

    >>> phases(windows((6, 6), (3, 3), (2, 2), (1, 1))).size
    (4, 4)
    """
    (sh, sw), (top, left) = at.stride, at.padding
    height, width = (
        max(-(-(n + p) // s), o + d * (k - 1) // s)
        for n, k, s, p, d, o in zip(at.input, at.size, at.stride, at.padding, at.dilation, at.output, strict=True)
    )
    i, j = (np.arange(k) * d for k, d in zip(at.size, at.dilation, strict=True))
    reads = np.add.outer((i % sh * sw * height + i // sh) * width, j % sw * height * width + j // sw).ravel()
    insides = []
    for p, q in np.ndindex(sh, sw):
        y, x = (p - top) % sh, (q - left) % sw  # the first row and column of the image in it
        rows, columns = (len(range(first, n, s)) for first, n, s in zip((y, x), at.input, at.stride, strict=True))
        y_in, x_in = (y + top) // sh, (x + left) // sw
        inside = ..., p * sw + q, slice(y_in, y_in + rows), slice(x_in, x_in + columns)
        insides.append((inside, (..., slice(y, None, sh), slice(x, None, sw))))
    return Phases((height, width), sh * sw * height * width, reads, tuple(insides))


def output_size(size: int, window: int, stride: int, padding: int, dilation: int = 1, ceil_mode: bool = False) -> int:
    """How many windows fit along an axis: ⌊(size + 2 padding − dilation (window − 1) − 1) / stride⌋ + 1.

    With `ceil_mode` the division rounds up, and a last window that would start in the right padding is left out
    (as PyTorch does).

    >>> output_size(28, window=5, stride=1, padding=0)
    24
    >>> output_size(5, window=2, stride=2, padding=0, ceil_mode=True)
    3
    """
    room = size + 2 * padding - dilation * (window - 1) - 1
    if not ceil_mode:
        return max(0, room // stride + 1)
    count = max(0, -(-room // stride) + 1)
    return count - 1 if (count - 1) * stride >= size + padding else count
