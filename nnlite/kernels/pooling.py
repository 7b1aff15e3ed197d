"""Pooling: each window keeps its winner (max-pooling) or its mean (average pooling).

    1 5 | 2 2        winners        5 2       route 7 3      0 7 | 3 0
    0 3 | 0 1       ---------->     (at 1, 2)  <--------     0 0 | 0 0
                                                  8 4  ...
A tie goes to the first in row-major order, everywhere. A NaN wins its window, as in NumPy and PyTorch. Padding is
absent from a maximum. What reaches a window on the way back goes to its winner; where windows overlap, it adds.

The fast form asks for no winners: forward it keeps the largest number, and on the way back it finds the first that
equals it again. Windows of 2 × 2 side by side, the usual ones, have loops of their own, without a branch, which
become vector instructions.

Shapes: a (N, C, H, W); winners, z and dz (N, C, oh, ow).
"""

from functools import lru_cache

import numpy as np

from .dispatch import compiled, part
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


def max_forward_numpy(a: np.ndarray, at: Windows) -> np.ndarray:
    """z[n, c, y, x] = the largest of window (y, x)."""
    winner = winners_numpy(a, at)
    planes, places = (v.reshape(*v.shape[:2], v.shape[2] * v.shape[3]) for v in (a, winner))
    return np.take_along_axis(planes, places, axis=2).reshape(winner.shape)


def max_backward_numpy(a: np.ndarray, dz: np.ndarray, at: Windows) -> np.ndarray:
    """da[n, c, winner of window (y, x)] += dz[n, c, y, x], with the winners found in a."""
    return route_numpy(dz, winners_numpy(a, at), at)


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


@part
def _winner(plane, y, x, kh, kw, sh, sw, ph, pw):  # type: ignore[no-untyped-def]
    """The row and the column of the largest in window (y, x)."""
    h, w = plane.shape
    best_row, best_col = max(0, y * sh - ph), max(0, x * sw - pw)
    best = plane[best_row, best_col]
    for row in range(best_row, min(h, y * sh - ph + kh)):
        for col in range(max(0, x * sw - pw), min(w, x * sw - pw + kw)):
            value = plane[row, col]
            if value > best or (np.isnan(value) and not np.isnan(best)):
                best, best_row, best_col = value, row, col
    return best_row, best_col


@compiled
def _winners_loops(a, where, kh, kw, sh, sw, ph, pw):  # type: ignore[no-untyped-def]
    n_samples, n_channels, oh, ow = where.shape
    for n in range(n_samples):
        for c in range(n_channels):
            plane = a[n, c]
            for y in range(oh):
                for x in range(ow):
                    row, col = _winner(plane, y, x, kh, kw, sh, sw, ph, pw)
                    where[n, c, y, x] = row * a.shape[3] + col


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
def _max_forward_loops(a, z, kh, kw, sh, sw, ph, pw):  # type: ignore[no-untyped-def]
    n_samples, n_channels, oh, ow = z.shape
    for n in range(n_samples):
        for c in range(n_channels):
            plane = a[n, c]
            for y in range(oh):
                for x in range(ow):
                    z[n, c, y, x] = plane[_winner(plane, y, x, kh, kw, sh, sw, ph, pw)]


@compiled
def _max_backward_loops(a, dz, da, kh, kw, sh, sw, ph, pw):  # type: ignore[no-untyped-def]
    n_samples, n_channels, oh, ow = dz.shape
    for n in range(n_samples):
        for c in range(n_channels):
            plane, into = a[n, c], da[n, c]
            for y in range(oh):
                for x in range(ow):
                    if dz[n, c, y, x] != 0:
                        into[_winner(plane, y, x, kh, kw, sh, sw, ph, pw)] += dz[n, c, y, x]


@compiled
def _max_forward_pairs(a, z):  # type: ignore[no-untyped-def]
    n_samples, n_channels, oh, ow = z.shape
    for n in range(n_samples):
        for c in range(n_channels):
            for y in range(oh):
                top, bottom, out = a[n, c, 2 * y], a[n, c, 2 * y + 1], z[n, c, y]
                for x in range(ow):
                    p, q, r, s = top[2 * x], top[2 * x + 1], bottom[2 * x], bottom[2 * x + 1]
                    upper = p if (p >= q) | (p != p) else q  # a NaN is not equal to itself
                    lower = r if (r >= s) | (r != r) else s
                    out[x] = upper if (upper >= lower) | (upper != upper) else lower


@compiled
def _max_backward_pairs(a, dz, da):  # type: ignore[no-untyped-def]
    """The winner's place is counted, not chosen: choices between numbers would be compiled to branches."""
    n_samples, n_channels, oh, ow = dz.shape
    for n in range(n_samples):
        for c in range(n_channels):
            plane, into, given = a[n, c], da[n, c], dz[n, c]
            for y in range(oh):
                for x in range(ow):
                    i, j = 2 * x, 2 * x
                    p, q, r, s = plane[2 * y, i], plane[2 * y, i + 1], plane[2 * y + 1, j], plane[2 * y + 1, j + 1]
                    i += not ((p >= q) | (p != p))
                    j += not ((r >= s) | (r != r))
                    upper, lower = plane[2 * y, i], plane[2 * y + 1, j]
                    below = 1 - ((upper >= lower) | (upper != upper))
                    into[2 * y + below, i + below * (j - i)] = given[y, x]


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


def max_forward_numba(a: np.ndarray, at: Windows) -> np.ndarray:
    """As `max_forward_numpy`, compiled."""
    a, z = np.ascontiguousarray(a), np.empty((*a.shape[:2], *at.output), a.dtype)
    if are_pairs(at):
        _max_forward_pairs(a, z)
    else:
        _max_forward_loops(a, z, *at.size, *at.stride, *at.padding)
    return z


def max_backward_numba(a: np.ndarray, dz: np.ndarray, at: Windows) -> np.ndarray:
    """As `max_backward_numpy`, compiled."""
    a, dz, da = np.ascontiguousarray(a), np.ascontiguousarray(dz), np.zeros(a.shape, dz.dtype)
    if are_pairs(at):
        _max_backward_pairs(a, dz, da)
    else:
        _max_backward_loops(a, dz, da, *at.size, *at.stride, *at.padding)
    return da


@lru_cache(maxsize=256)
def are_pairs(at: Windows) -> bool:
    """Whether the windows are 2 × 2, side by side, all inside the image."""
    inside = all(2 * o <= n for o, n in zip(at.output, at.input, strict=True))
    return at.size == at.stride == (2, 2) and at.padding == (0, 0) and inside


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
