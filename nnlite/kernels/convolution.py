"""Convolution: gather the windows into columns, then one matrix product; the way back is product, then scatter.

    image (C, H, W)          columns (C kh kw, oh ow)            z (K, oh ow)
    +--------+
    | [==]   |   gather      one column a window        W @ columns
    |        |  -------->    |  |  |  ...  |           ------------>    one row a filter
    |        |  <--------    |  |  |  ...  |           <------------
    +--------+   scatter                                Wᵀ @ dz

`gather` copies every window into its column; `scatter` is its transpose and adds every column back to where it
was read. Only these two have loops worth compiling: the product is the BLAS library's. Samples go through in
blocks, so that the columns stay small; the size of a block depends on the shapes alone, so the bits never depend
on anything else.

Shapes: a (N, C, H, W), W (K, C / groups, kh, kw), z (N, K, oh, ow).
Source: Chellapilla et al. 2006, "High performance convolutional neural networks for document processing", sec. 3.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import depthwise, filters, flat, pixelwise, winograd
from .dispatch import compiled
from .windows import Pair, Windows, windows

Gather = Callable[[np.ndarray, Windows], np.ndarray]

BLOCK_BYTES = 8 * 2**20  # columns of one block of samples: small enough to stay near the processor


# ---------------------------------------------------------------------------------------------- the plain form


def gather_numpy(a: np.ndarray, at: Windows) -> np.ndarray:
    """columns[n, c, i, j, y, x] = a[n, c, y s − p + i d, x s − p + j d], zero outside the image."""
    reach = tuple(d * (k - 1) + 1 for d, k in zip(at.dilation, at.size, strict=True))
    (sh, sw), (dh, dw), (oh, ow) = at.stride, at.dilation, at.output
    windows = sliding_window_view(at.pad(a), reach, axis=(2, 3))[:, :, ::sh, ::sw, ::dh, ::dw]
    return np.ascontiguousarray(windows[:, :, :oh, :ow].transpose(0, 1, 4, 5, 2, 3))


def scatter_numpy(columns: np.ndarray, at: Windows) -> np.ndarray:
    """a[n, c, y s − p + i d, x s − p + j d] += columns[n, c, i, j, y, x]: the transpose of `gather`."""
    n, c = columns.shape[:2]
    padded = at.pad(np.zeros((n, c, *at.input), columns.dtype))
    for i in range(at.size[0]):
        for j in range(at.size[1]):
            at.element(padded, i, j)[...] += columns[:, :, i, j]
    return at.crop(padded)


# ----------------------------------------------------------------------------------------------- the fast form


@compiled
def _gather_loops(a, columns, sh, sw, ph, pw, dh, dw):  # type: ignore[no-untyped-def]
    n_samples, n_channels, h, w = a.shape
    _, _, kh, kw, oh, ow = columns.shape
    for n in range(n_samples):
        for c in range(n_channels):
            for i in range(kh):
                for j in range(kw):
                    for y in range(oh):
                        row = y * sh - ph + i * dh
                        for x in range(ow):
                            col = x * sw - pw + j * dw
                            inside = 0 <= row < h and 0 <= col < w
                            columns[n, c, i, j, y, x] = a[n, c, row, col] if inside else 0.0


@compiled
def _scatter_loops(columns, a, sh, sw, ph, pw, dh, dw):  # type: ignore[no-untyped-def]
    n_samples, n_channels, h, w = a.shape
    _, _, kh, kw, oh, ow = columns.shape
    for n in range(n_samples):
        for c in range(n_channels):
            for i in range(kh):
                for j in range(kw):
                    for y in range(oh):
                        row = y * sh - ph + i * dh
                        if 0 <= row < h:
                            for x in range(ow):
                                col = x * sw - pw + j * dw
                                if 0 <= col < w:
                                    a[n, c, row, col] += columns[n, c, i, j, y, x]


def gather_numba(a: np.ndarray, at: Windows) -> np.ndarray:
    """As `gather_numpy`, compiled."""
    columns = np.empty((*a.shape[:2], *at.size, *at.output), a.dtype)
    _gather_loops(np.ascontiguousarray(a), columns, *at.stride, *at.padding, *at.dilation)
    return columns


def scatter_numba(columns: np.ndarray, at: Windows) -> np.ndarray:
    """As `scatter_numpy`, compiled."""
    a = np.zeros((*columns.shape[:2], *at.input), columns.dtype)
    _scatter_loops(columns, a, *at.stride, *at.padding, *at.dilation)
    return a


# -------------------------------------------------------------------------- the three products of a convolution


def forward_numpy(
    a: np.ndarray, W: np.ndarray, b: np.ndarray | None, stride: Pair, padding: Pair, dilation: Pair, groups: int,
    gather: Gather = gather_numpy,
) -> np.ndarray:  # fmt: skip
    """z[n, k, y, x] = Σ_{c i j} W[k, c, i, j] a[n, c, y s − p + i d, x s − p + j d] + b[k]."""
    at = windows(a.shape[2:], W.shape[2:], stride, padding, dilation)
    matrix = W.reshape(groups, len(W) // groups, -1)  # one a group
    z = np.empty((len(a), len(W), *at.output), a.dtype)
    for block in _blocks(a.shape, at, a.itemsize):
        columns = _columns(gather(a[block], at), groups)
        z[block] = (matrix @ columns).reshape(-1, len(W), *at.output)
    return z if b is None else z + b[:, None, None]


def backward_input_numpy(
    dz: np.ndarray, W: np.ndarray, input_size: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int,
    scatter: Gather = scatter_numpy,
) -> np.ndarray:  # fmt: skip
    """da[n, c, y s − p + i d, x s − p + j d] += W[k, c, i, j] dz[n, k, y, x]: the transpose of `forward` in a."""
    at = windows(input_size, W.shape[2:], stride, padding, dilation)._replace(output=dz.shape[2:])
    matrix = W.reshape(groups, len(W) // groups, -1).swapaxes(1, 2)
    channels = W.shape[1] * groups
    da = np.empty((len(dz), channels, *input_size), dz.dtype)
    for block in _blocks(da.shape, at, dz.itemsize):
        part = dz[block]
        columns = matrix @ part.reshape(len(part), groups, -1, dz[0, 0].size)
        da[block] = scatter(columns.reshape(len(part), channels, *at.size, *at.output), at)
    return da


def backward_weights_numpy(
    a: np.ndarray, dz: np.ndarray, size: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    """dW[k, c, i, j] = Σ_{n y x} dz[n, k, y, x] a[n, c, y s − p + i d, x s − p + j d]: the transpose in W."""
    at = windows(a.shape[2:], size, stride, padding, dilation)._replace(output=dz.shape[2:])
    outputs, channels = dz.shape[1], a.shape[1]
    dW = np.zeros((groups, outputs // groups, channels // groups * size[0] * size[1]), a.dtype)
    for block in _blocks(a.shape, at, a.itemsize):
        columns = _columns(gather_numpy(a[block], at), groups)
        part = dz[block].reshape(len(columns), groups, outputs // groups, -1)
        dW += (part @ columns.swapaxes(2, 3)).sum(axis=0)
    return dW.reshape(outputs, channels // groups, *size)


# ----------------------------------------------------------------------------- the three again, by what fits the shape


def forward_numba(
    a: np.ndarray, W: np.ndarray, b: np.ndarray | None, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    """As `forward_numpy`: by Winograd's filtering where it was asked for, else by what fits the shape."""
    if winograd.FREE.get() and winograd.fits(a.shape, W.shape, stride, padding, dilation, groups):
        z = winograd.forward_numba(a, W, padding)
        if b is not None:
            z += b[:, None, None]
        return z
    at = windows(a.shape[2:], W.shape[2:], stride, padding, dilation)
    way = _way(at, W.shape[1], groups)
    if way is None:
        return forward_numpy(a, W, b, stride, padding, dilation, groups, gather_numba)
    return way.forward(a, W, b, at, groups)


def backward_input_numba(
    dz: np.ndarray, W: np.ndarray, input_size: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    """As `backward_input_numpy`: by Winograd's filtering where it was asked for, else by what fits the shape."""
    if winograd.FREE.get() and winograd.fits_back(dz.shape, W.shape, stride, padding, dilation, groups):
        return winograd.backward_input_numba(dz, W, padding)
    at = windows(input_size, W.shape[2:], stride, padding, dilation)
    if at.output != dz.shape[2:]:
        at = at._replace(output=dz.shape[2:])
    way = _way(at, W.shape[1], groups)
    da = None if way is None else way.backward_input(dz, W, at, groups)
    if da is None:
        da = backward_input_numpy(dz, W, input_size, stride, padding, dilation, groups, scatter_numba)
    return da


def backward_weights_numba(
    a: np.ndarray, dz: np.ndarray, size: Pair, stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> np.ndarray:
    """As `backward_weights_numpy`, by what fits the shape; else one sample at a time (filters.py)."""
    at = windows(a.shape[2:], size, stride, padding, dilation)._replace(output=dz.shape[2:])
    way = _way(at, a.shape[1] // groups, groups)
    return (filters if way is None or way is flat else way).backward_weights(a, dz, at, groups)


@lru_cache(maxsize=256)
def _way(at: Windows, channels: int, groups: int) -> Any:
    """The file whose loops fit these windows over so many channels a group; None: gather, product, scatter."""
    if channels == 1 < groups:
        return depthwise
    return pixelwise if pixelwise.fits(at) else flat if flat.fits(at) else None


def _columns(gathered: np.ndarray, groups: int) -> np.ndarray:
    """The windows as one matrix a sample and group: (N, groups, C / groups · kh · kw, oh · ow)."""
    n, c, kh, kw, oh, ow = gathered.shape
    return gathered.reshape(n, groups, c // groups * kh * kw, oh * ow)


def _blocks(shape: tuple[int, ...], at: Windows, itemsize: int) -> Iterator[slice]:
    """Slices of the batch whose columns take about BLOCK_BYTES each."""
    n, channels = shape[:2]
    one = channels * int(np.prod(at.size)) * int(np.prod(at.output)) * itemsize
    step = max(1, BLOCK_BYTES // max(1, one))
    return (slice(start, start + step) for start in range(0, n, step))
