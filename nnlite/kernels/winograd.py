"""Winograd's minimal filtering: a 3 × 3 convolution with fewer multiplications.

A convolution is a product of polynomials, and a product may be taken value by value: evaluate both factors at
n = m + 2 points, multiply, go back. The image is cut into tiles of n × n that overlap by 2; each gives m × m outputs.

    image                tiles d             V = Bᵀ d B          M[ξ] = U[ξ] @ V[ξ]         z = Aᵀ M A
    +----------+        +-------+           one matrix          one product for each        +--+--+--
    | [n × n]  |  cut   |n² × C |  there    (C, tiles) for      of the n² points ξ:   back  |  |  |    m × m
    |   [n × n]| -----> |× tiles| ------->  each point ξ  ----> (K, tiles)          ------> +--+--+--  outputs
    +----------+        +-------+                   U = G W Gᵀ: (K, C) for each ξ           |  |  |    a tile

So a tile takes n² products for 9 m²: 36 for 144 with m = 4, and 16 for 36 with m = 2. The matrices U are larger than
W, and reading them costs too: images of less than about 17 × 17 go with m = 2.

What it costs is rounding. With the paper's points 0, ±1, ±2 and ∞ float32 erred by up to 1e-5 of the largest |z| (512
channels); with 0, ±3/4, ±3/2 and ∞ by 3e-6 (directly: 5e-7). And a tile mixes what no window holds together. So:
- a NaN or an infinity, or numbers that overflow on the way, would spoil their whole tile. They reach z; a sample
  whose z is not finite is computed again, directly.
- equal windows give numbers that are not quite equal, and a sum of nothing but zeros is not quite zero. Scores do not
  feel it. But a max-pooling sends its gradient to the first of equal maxima, and LRP divides by z unless z is zero:
  on flat images half of a saliency map went to other pixels, and with sparse weights alpha_beta gave noise, float64 or
  not. So this is for those who ask, by `free_rounding`: who wants scores alone, of many images.

One file, because the transforms, the choice between them and their bounds belong to one algorithm.

Shapes: a (N, C, H, W), W (K, C, 3, 3), z (N, K, oh, ow).
Source: Lavin and Gray 2016, "Fast algorithms for convolutional neural networks", sec. 4. On the choice of points:
Barabasz et al. 2020, "Error analysis and improving the accuracy of Winograd convolution for deep neural networks".
"""

import functools
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .dispatch import compiled
from .settled import is_settled
from .windows import Pair

POINTS = {2: (0.0, 1.0, -1.0), 4: (0.0, 0.75, -0.75, 1.5, -1.5)}  # m -> the points besides ∞, exact in binary
LEAST_CHANNELS = 16
LEAST_SIZE = 12
BLOCK_TILES = 256  # tiles in one product: U is read once for all of them, and V and M stay near the processor
ROW = BLOCK_TILES + 16  # one row of a buffer; with a power of two the rows would push each other out of the cache
KEPT_BYTES = 512 * 2**20

FREE = ContextVar("free_rounding", default=False)
"""Whether somebody asked for it."""


@contextmanager
def free_rounding() -> Iterator[None]:
    """Within it convolutions may come out a few last digits off: for scores, which nothing divides by or sorts.

    >>> from nnlite.layers import Conv2d
    >>> with free_rounding():
    ...     float(Conv2d(np.ones((2, 1, 3, 3))).forward(np.ones((1, 1, 4, 4))).max())
    9.0
    """
    before = FREE.set(True)
    try:
        yield
    finally:
        FREE.reset(before)


def fits(shape: tuple[int, ...], W: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int) -> bool:
    """Whether a convolution of such images may go this way where FREE is set, and gains by it (W: the filters' shape).

    Time of gather and product over time of this, one thread, float32, as many filters as channels, U at hand:

        channels     16     32     64    128    256    512
        7 × 7       1.3    1.3    1.4    1.8    1.2    1.1     left to gather and product: U costs as much again
        14 × 14     1.8    2.1    2.1    1.9    1.7    1.3
        28 × 28     1.5    2.6    2.5    2.6    2.1    1.7
        56 × 56     2.7    2.4    2.4    2.8    2.9
        224 × 224   2.8    3.4    3.6

    With 3 channels it is 0.6 to 0.9. NumPy's form here is for reading, and never chosen.
    """
    (oh, ow), least = (_reach(shape[i + 2], padding[i]) for i in (0, 1)), min(W[:2])
    known = W[2:] == (3, 3) and stride == (1, 1) and dilation == (1, 1) and groups == 1
    pays = least >= LEAST_CHANNELS and min(oh, ow) >= LEAST_SIZE and ow <= 4 * BLOCK_TILES
    return known and pays


def fits_back(
    dz: tuple[int, ...], W: tuple[int, ...], stride: Pair, padding: Pair, dilation: Pair, groups: int
) -> bool:
    """As `fits`, for the way back: a convolution of dz by the turned filters, padded by 2 − p."""
    return max(padding) <= 2 and fits(dz, W, stride, _turned(padding), dilation, groups)


@functools.cache
def matrices(m: int, dtype: np.dtype) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A (n, m), G (n, 3) and B (n, n) of F(m × m, 3 × 3): z = Aᵀ [(G W Gᵀ) ⊙ (Bᵀ d B)] A.

    A and G hold the powers of the points (the value of a polynomial), B the coefficients of Lagrange's polynomials.
    """
    points = np.array(POINTS[m])
    others = [np.delete(points, i) for i in range(len(points))]
    denominators = [np.prod(x - other) for x, other in zip(points, others, strict=True)]
    A, G = (np.vstack([np.vander(points, k, increasing=True), np.eye(k)[-1:]]) for k in (m, 3))  # last row: ∞
    lagrange = [*([*np.poly(other)[::-1], 0.0] for other in others), np.poly(points)[::-1]]
    G /= np.array([*denominators, 1.0])[:, None]
    return A.astype(dtype), G.astype(dtype), np.array(lagrange).T.astype(dtype)


def transformed(W: np.ndarray, m: int, turned: bool) -> np.ndarray:
    """U[ξ, k, c] = (G W[k, c] Gᵀ)[ξ]; for the way back, W is turned by 180° and its channels are the filters."""
    _, G, _ = matrices(m, W.dtype)
    if turned:
        G = G[:, ::-1]
    U = (np.kron(G, G) @ W.reshape(-1, 9).T).reshape(-1, *W.shape[:2])
    return U.swapaxes(1, 2) if turned else U


_kept: dict[int, dict[tuple[int, bool], np.ndarray]] = {}  # the identity of W -> its U


def _filters(W: np.ndarray, m: int, turned: bool) -> np.ndarray:
    """U, made once for each W that nobody can change, and kept while that W lives and KEPT_BYTES are not full."""
    mine = _kept.get(id(W), {})
    if (m, turned) in mine:
        return mine[m, turned]
    U = transformed(W, m, turned)
    if is_settled(W) and U.nbytes + sum(u.nbytes for us in list(_kept.values()) for u in us.values()) <= KEPT_BYTES:
        if id(W) not in _kept:
            weakref.finalize(W, _kept.pop, id(W), None).atexit = False
        _kept.setdefault(id(W), mine)[m, turned] = U
    return U


# ---------------------------------------------------------------------------------------------- the plain form


def _plain(a: np.ndarray, U: np.ndarray, m: int, padding: Pair) -> np.ndarray:
    A, _, B = matrices(m, a.dtype)
    (oh, ow), (th, tw) = _sizes(a.shape, m, padding)
    (ph, pw), n = padding, m + 2
    more = m * th - oh, m * tw - ow  # the last tiles may stick out
    padded = np.pad(a, ((0, 0), (0, 0), (ph, ph + more[0]), (pw, pw + more[1])))
    d = sliding_window_view(padded, (n, n), axis=(2, 3))[:, :, ::m, ::m].reshape(*a.shape[:2], th * tw, n * n)
    V = d @ np.kron(B, B)
    M = U @ V.transpose(0, 3, 1, 2)
    z = M.transpose(0, 2, 3, 1) @ np.kron(A, A)
    z = z.reshape(len(a), len(U[0]), th, tw, m, m).swapaxes(3, 4).reshape(len(a), len(U[0]), m * th, m * tw)
    return np.ascontiguousarray(z[:, :, :oh, :ow])


# ----------------------------------------------------------------------------------------------- the fast form


def _cutter(m: int) -> Callable:
    """V = Bᵀ d B for the tile rows from `first`. m is known when it is compiled: the loops over tiles become SIMD."""
    n = m + 2

    @compiled
    def cut(a, V, p, q, ph, pw, first, tw, d, t):  # type: ignore[no-untyped-def]
        n_channels, h, w = a.shape
        tiles = V.shape[2]
        pp, qq = p * p, q * q
        left = min(tw, (pw + m - 1) // m)  # the tiles from `left` to `right` lie inside the image
        right = max(left, min(tw, (w + pw - n) // m + 1))
        for c in range(n_channels):
            for ty in range(tiles // tw):
                for i in range(n):
                    y = (first + ty) * m - ph + i
                    inside = 0 <= y < h
                    o = i * n * ROW + ty * tw
                    if inside:
                        whole = a[c, y, left * m - pw :]
                        for k in range(right - left):
                            for j in range(n):
                                d[o + j * ROW + left + k] = whole[k * m + j]
                        for e in range(tw - right + left):
                            k = e if e < left else e + right - left
                            for j in range(n):
                                x = k * m - pw + j
                                d[o + j * ROW + k] = a[c, y, x] if 0 <= x < w else 0
                    else:
                        for j in range(n):
                            d[o + j * ROW : o + j * ROW + tw] = 0
            for turn in range(2):  # each turn transforms the first axis and swaps the two
                f, g = (d, t) if turn == 0 else (t, d)
                for j in range(n):
                    i, o = j * ROW, j * n * ROW
                    for k in range(tiles):
                        if m == 4:
                            f0, f1, f2 = f[i + k], f[i + 6 * ROW + k], f[i + 12 * ROW + k]
                            f3, f4, f5 = f[i + 18 * ROW + k], f[i + 24 * ROW + k], f[i + 30 * ROW + k]
                            even, odd = f4 - qq * f2, p * (f3 - qq * f1)
                            g[o + k] = f4 - (pp + qq) * f2 + pp * qq * f0
                            g[o + ROW + k] = even + odd
                            g[o + 2 * ROW + k] = even - odd
                            even, odd = f4 - pp * f2, q * (f3 - pp * f1)
                            g[o + 3 * ROW + k] = even + odd
                            g[o + 4 * ROW + k] = even - odd
                            g[o + 5 * ROW + k] = f5 - (pp + qq) * f3 + pp * qq * f1
                        else:
                            f0, f1, f2, f3 = f[i + k], f[i + 4 * ROW + k], f[i + 8 * ROW + k], f[i + 12 * ROW + k]
                            g[o + k] = f2 - pp * f0
                            g[o + ROW + k] = f2 + p * f1
                            g[o + 2 * ROW + k] = f2 - p * f1
                            g[o + 3 * ROW + k] = f3 - pp * f1
            for point in range(n * n):
                for k in range(tiles):
                    V[point, c, k] = d[point * ROW + k]

    return cut


def _paster(m: int) -> Callable:
    """z = Aᵀ M A for the tile rows from `first`; what lies outside z is dropped."""
    n = m + 2

    @compiled
    def paste(M, z, p, q, first, tw, d, t):  # type: ignore[no-untyped-def]
        n_filters, oh, ow = z.shape
        tiles = M.shape[2]
        pp, qq = p * p, q * q
        for c in range(n_filters):
            for point in range(n * n):
                for k in range(tiles):
                    d[point * ROW + k] = M[point, c, k]
            for turn in range(2):
                f, g = (d, t) if turn == 0 else (t, d)
                for j in range(n if turn == 0 else m):
                    i, o = j * ROW, j * n * ROW
                    for k in range(tiles):
                        if m == 4:
                            f0, f1, f2 = f[i + k], f[i + 6 * ROW + k], f[i + 12 * ROW + k]
                            f3, f4, f5 = f[i + 18 * ROW + k], f[i + 24 * ROW + k], f[i + 30 * ROW + k]
                            even_p, odd_p = f1 + f2, p * (f1 - f2)
                            even_q, odd_q = f3 + f4, q * (f3 - f4)
                            g[o + k] = f0 + (even_p + even_q)
                            g[o + ROW + k] = odd_p + odd_q
                            g[o + 2 * ROW + k] = pp * even_p + qq * even_q
                            g[o + 3 * ROW + k] = pp * odd_p + qq * odd_q + f5
                        else:
                            f0, f1, f2, f3 = f[i + k], f[i + 4 * ROW + k], f[i + 8 * ROW + k], f[i + 12 * ROW + k]
                            g[o + k] = f0 + (f1 + f2)
                            g[o + ROW + k] = p * (f1 - f2) + f3
            for ty in range(tiles // tw):
                for y in range(min(m, oh - (first + ty) * m)):
                    row = z[c, (first + ty) * m + y]
                    o = y * n * ROW + ty * tw
                    whole = ow // m
                    for k in range(whole):
                        for x in range(m):
                            row[k * m + x] = d[o + x * ROW + k]
                    for x in range(ow - whole * m):
                        row[whole * m + x] = d[o + x * ROW + whole]

    return paste


_cut, _paste = {m: _cutter(m) for m in POINTS}, {m: _paster(m) for m in POINTS}


def _fast(a: np.ndarray, U: np.ndarray, m: int, padding: Pair) -> np.ndarray:
    (oh, ow), (th, tw) = _sizes(a.shape, m, padding)
    n, filters, channels = m + 2, *U.shape[1:]
    points = np.array(POINTS[m], a.dtype)
    p, q = points[1], points[-2]
    rows = -(-th // -(-th // (BLOCK_TILES // tw)))  # as few blocks as may be, of about one size
    V, M = (np.empty(n * n * k * rows * tw, a.dtype) for k in (channels, filters))
    d, t = np.empty(n * n * ROW, a.dtype), np.empty(n * n * ROW, a.dtype)
    z = np.empty((len(a), filters, oh, ow), a.dtype)
    for a_n, z_n in zip(np.ascontiguousarray(a), z, strict=True):
        for first in range(0, th, rows):
            tiles = min(rows, th - first) * tw
            V_b, M_b = (x[: n * n * k * tiles].reshape(n * n, k, tiles) for x, k in ((V, channels), (M, filters)))
            _cut[m](a_n, V_b, p, q, *padding, first, tw, d, t)
            np.matmul(U, V_b, out=M_b)
            _paste[m](M_b, z_n, p, q, first, tw, d, t)
    return z


# ------------------------------------------------------------------------------------------- there and back, whole


def _whole(form: Callable, turned: bool) -> Callable:
    """forward or backward_input by one of the forms, and samples that are not finite directly."""

    def run(a: np.ndarray, W: np.ndarray, padding: Pair) -> np.ndarray:
        p = _turned(padding) if turned else padding
        m = _tile(a.shape, p)
        with np.errstate(all="ignore"):  # what is not finite is computed again, and warns there
            z = form(a, _filters(W, m, turned), m, p)
            finite = [np.isfinite(z_n.sum()) for z_n in z]  # a NaN or an infinity stays one in a sum
        for n in range(len(z)):
            if not finite[n]:
                z[n] = _directly(a[n], W[:, :, ::-1, ::-1].swapaxes(0, 1) if turned else W, p)
        return z

    return run


def _directly(a: np.ndarray, W: np.ndarray, padding: Pair) -> np.ndarray:
    """z[k, y, x] = Σ_{c i j} W[k, c, i, j] a[c, y − p + i, x − p + j], for one sample."""
    padded = np.pad(a, [(0, 0), *((p, p) for p in padding)])
    windows = sliding_window_view(padded, (3, 3), axis=(1, 2)).transpose(0, 3, 4, 1, 2)
    return (W.reshape(len(W), -1) @ windows.reshape(W[0].size, -1)).reshape(len(W), *windows.shape[3:])


def _turned(padding: Pair) -> Pair:
    return 2 - padding[0], 2 - padding[1]


def _reach(size: int, padding: int) -> int:
    """How many windows fit."""
    return size + 2 * padding - 2


def _sizes(shape: tuple[int, ...], m: int, padding: Pair) -> tuple[Pair, Pair]:
    """The size of z, and how many tiles cover it."""
    oh, ow = _reach(shape[2], padding[0]), _reach(shape[3], padding[1])
    return (oh, ow), (-(-oh // m), -(-ow // m))


def _tile(shape: tuple[int, ...], padding: Pair) -> int:
    """The m that costs less: n² products, and reading U takes the time of about 26 tiles (measured at 512 channels)."""

    def cost(m: int) -> int:
        th, tw = _sizes(shape, m, padding)[1]
        return (m + 2) ** 2 * (th * tw + 26)

    return min(POINTS, key=cost)


forward_numpy, forward_numba = _whole(_plain, False), _whole(_fast, False)
backward_input_numpy, backward_input_numba = _whole(_plain, True), _whole(_fast, True)
