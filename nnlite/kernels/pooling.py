"""Pooling: each window keeps its winner (max-pooling) or its mean (average pooling).

    1 5 | 2 2        winners        5 2       route 7 3      0 7 | 3 0
    0 3 | 0 1       ---------->     (at 1, 2)  <--------     0 0 | 0 0
                                                  8 4  ...
A tie goes to the first in row-major order, everywhere. A NaN wins its window, as in NumPy and PyTorch. Padding is
absent from a maximum. What reaches a window on the way back goes to its winner; where windows overlap, it adds.

Shapes: a (N, C, H, W); winners, z and dz (N, C, oh, ow).
"""

import numpy as np

from .dispatch import compiled, either
from .windows import Windows

# ---------------------------------------------------------------------------------------------- the plain form


def winners_numpy(a: np.ndarray, at: Windows) -> np.ndarray:
    """Where each window's maximum lies: winners[n, c, y, x] = row · W + column in the image."""
    (h, w), (sh, sw), (ph, pw), (oh, ow) = at.input, at.stride, at.padding, at.output
    padded = at.pad(a, -np.inf)
    best = np.full((*a.shape[:2], oh, ow), -np.inf, a.dtype)
    where = np.full(best.shape, -1, np.int64)
    for i in range(at.size[0]):
        for j in range(at.size[1]):
            value = at.element(padded, i, j)
            row = np.arange(oh)[:, None] * sh - ph + i
            col = np.arange(ow)[None, :] * sw - pw + j
            inside = (row >= 0) & (row < h) & (col >= 0) & (col < w)
            wins = inside & ((where < 0) | (value > best) | (np.isnan(value) & ~np.isnan(best)))
            where = np.where(wins, row * w + col, where)
            best = np.where(wins, value, best)
    return where


def route_numpy(dz: np.ndarray, winner: np.ndarray, at: Windows) -> np.ndarray:
    """da[n, c, winner of window (y, x)] += dz[n, c, y, x]."""
    n, c = dz.shape[:2]
    planes = n * c
    da = np.zeros((planes, at.input[0] * at.input[1]), dz.dtype)
    plane = np.arange(planes)[:, None]
    flat = planes, at.output[0] * at.output[1]
    np.add.at(da, (plane, winner.reshape(flat)), dz.reshape(flat))
    return da.reshape(n, c, *at.input)


def mean_forward_numpy(a: np.ndarray, counts: np.ndarray, at: Windows) -> np.ndarray:
    """z[n, c, y, x] = (sum of the window) / counts[y, x]; padding counts as zero in the sum."""
    padded = at.pad(a)
    total = np.zeros((*a.shape[:2], *at.output), a.dtype)
    for i in range(at.size[0]):
        for j in range(at.size[1]):
            total += at.element(padded, i, j)
    return total / counts


def mean_backward_numpy(dz: np.ndarray, counts: np.ndarray, at: Windows) -> np.ndarray:
    """da[n, c, every element of window (y, x)] += dz[n, c, y, x] / counts[y, x]."""
    share = dz / counts
    padded = at.pad(np.zeros((*dz.shape[:2], *at.input), dz.dtype))
    for i in range(at.size[0]):
        for j in range(at.size[1]):
            at.element(padded, i, j)[...] += share
    return at.crop(padded)


# ----------------------------------------------------------------------------------------------- the fast form


@compiled
def _winners_loops(a, where, kh, kw, sh, sw, ph, pw):  # type: ignore[no-untyped-def]
    n_samples, n_channels, h, w = a.shape
    _, _, oh, ow = where.shape
    for n in range(n_samples):
        for c in range(n_channels):
            for y in range(oh):
                for x in range(ow):
                    first_row, first_col = max(0, y * sh - ph), max(0, x * sw - pw)
                    at = first_row * w + first_col
                    best = a[n, c, first_row, first_col]
                    for row in range(first_row, min(h, y * sh - ph + kh)):
                        for col in range(first_col, min(w, x * sw - pw + kw)):
                            value = a[n, c, row, col]
                            if value > best or (np.isnan(value) and not np.isnan(best)):
                                best = value
                                at = row * w + col
                    where[n, c, y, x] = at


@compiled
def _route_loops(dz, winner, da):  # type: ignore[no-untyped-def]
    n_samples, n_channels, oh, ow = dz.shape
    w = da.shape[3]
    for n in range(n_samples):
        for c in range(n_channels):
            for y in range(oh):
                for x in range(ow):
                    at = winner[n, c, y, x]
                    da[n, c, at // w, at % w] += dz[n, c, y, x]


@compiled
def _mean_forward_loops(a, counts, z, kh, kw, sh, sw, ph, pw):  # type: ignore[no-untyped-def]
    n_samples, n_channels, h, w = a.shape
    _, _, oh, ow = z.shape
    for n in range(n_samples):
        for c in range(n_channels):
            for y in range(oh):
                for x in range(ow):
                    total = z[n, c, y, x]  # zero, in the dtype of the array
                    for row in range(max(0, y * sh - ph), min(h, y * sh - ph + kh)):
                        for col in range(max(0, x * sw - pw), min(w, x * sw - pw + kw)):
                            total += a[n, c, row, col]
                    z[n, c, y, x] = total / counts[y, x]


@compiled
def _mean_backward_loops(dz, counts, da, kh, kw, sh, sw, ph, pw):  # type: ignore[no-untyped-def]
    n_samples, n_channels, h, w = da.shape
    _, _, oh, ow = dz.shape
    for n in range(n_samples):
        for c in range(n_channels):
            for y in range(oh):
                for x in range(ow):
                    share = dz[n, c, y, x] / counts[y, x]
                    for row in range(max(0, y * sh - ph), min(h, y * sh - ph + kh)):
                        for col in range(max(0, x * sw - pw), min(w, x * sw - pw + kw)):
                            da[n, c, row, col] += share


def winners_numba(a: np.ndarray, at: Windows) -> np.ndarray:
    """As `winners_numpy`, compiled."""
    where = np.empty((*a.shape[:2], *at.output), np.int64)
    _winners_loops(np.ascontiguousarray(a), where, *at.size, *at.stride, *at.padding)
    return where


def route_numba(dz: np.ndarray, winner: np.ndarray, at: Windows) -> np.ndarray:
    """As `route_numpy`, compiled."""
    da = np.zeros((*dz.shape[:2], *at.input), dz.dtype)
    _route_loops(np.ascontiguousarray(dz), winner, da)
    return da


def mean_forward_numba(a: np.ndarray, counts: np.ndarray, at: Windows) -> np.ndarray:
    """As `mean_forward_numpy`, compiled."""
    z = np.zeros((*a.shape[:2], *at.output), a.dtype)
    _mean_forward_loops(np.ascontiguousarray(a), counts, z, *at.size, *at.stride, *at.padding)
    return z


def mean_backward_numba(dz: np.ndarray, counts: np.ndarray, at: Windows) -> np.ndarray:
    """As `mean_backward_numpy`, compiled."""
    da = np.zeros((*dz.shape[:2], *at.input), dz.dtype)
    _mean_backward_loops(np.ascontiguousarray(dz), counts, da, *at.size, *at.stride, *at.padding)
    return da


winners = either(winners_numpy, winners_numba)
route = either(route_numpy, route_numba)
mean_forward = either(mean_forward_numpy, mean_forward_numba)
mean_backward = either(mean_backward_numpy, mean_backward_numba)
