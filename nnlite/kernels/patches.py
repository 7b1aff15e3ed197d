"""Patches: what has changed in many copies of an image, each in its own place, and what a layer needs around it.

    image n           crop            paste
    +---------+       +-----+         +-----+
    | . . . . |       |. . .|   1 2   |. . .|     what a layer needs is cut out of the image as it was,
    | . . . . | ----> |. . .| + 3 4 > |1 2 .|     and what has changed is laid over it
    | . . . . |       |. . .|         |3 4 .|
    +---------+       +-----+         +-----+

`changed_convolution` needs nothing around it: z = z₀ + W ∗ (a − a₀), one changed number at a time. Numbers that have
not changed are left out, and outputs that see none of the changes are the old ones to the bit.

Shapes: a (N, C, H, W); for P patches sample (P,) and corner (2, P) are integers, the corner the row and the column
where a patch begins; patch (P, C, h, w).
Source: Nakandala et al. 2019, "Incremental and approximate inference for faster occlusion-based deep CNN
explanations", sec. 3.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from . import convolution
from .dispatch import compiled, part
from .windows import Pair

# ---------------------------------------------------------------------------------------------- the plain form


def crop_numpy(a: np.ndarray, sample: np.ndarray, corner: np.ndarray, size: Pair, fill: float) -> np.ndarray:
    """part[p, c, y, x] = a[sample_p, c, top_p + y, left_p + x]; `fill` outside of the image."""
    around = [
        (max(0, -int(start.min(initial=0))), max(0, int(start.max(initial=0)) + k - n))
        for start, k, n in zip(corner, size, a.shape[2:], strict=True)
    ]
    windows = sliding_window_view(np.pad(a, ((0, 0), (0, 0), *around), constant_values=fill), size, axis=(2, 3))
    (top, left), (above, before) = corner, (sides[0] for sides in around)
    return np.ascontiguousarray(windows[sample, :, top + above, left + before])


def paste_numpy(part: np.ndarray, patch: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """part[p, c, top_p + y, left_p + x] = patch[p, c, y, x], in place; what falls outside of the part is left out."""
    (height, width), (h, w) = part.shape[2:], patch.shape[2:]
    for p, (y, x) in enumerate(corner.T.tolist()):
        part[p, :, max(0, y) : max(0, y + h), max(0, x) : max(0, x + w)] = patch[
            p, :, max(0, -y) : max(0, height - y), max(0, -x) : max(0, width - x)
        ]
    return part


def changed_convolution_numpy(
    a: np.ndarray, z: np.ndarray, W: np.ndarray, padding: Pair,
    patch: np.ndarray, sample: np.ndarray, corner: np.ndarray, above: np.ndarray, size: Pair, pool: Pair = (1, 1),
    least: float = -np.inf,
) -> np.ndarray:  # fmt: skip
    """z + W ∗ Δ with Δ = patch − a in the patches and 0 elsewhere: its parts with the corners `above`, (P, K, *size).

    z (N, K, oh, ow) is the convolution of a (N, C, H, W), its bias included; stride, dilation and groups are 1. Of
    windows of the size `pool` side by side only the largest is kept, or `least` if that is larger: (P, K, size / pool).
    """
    change = patch - crop_numpy(a, sample, corner, patch.shape[2:], 0.0)
    margin = np.array(W.shape[2:]) - 1  # how far a window reaches before the patch, and behind it
    reached = convolution.forward_numpy(change, W, None, (1, 1), tuple(margin), (1, 1), 1)
    first = corner + (np.array(padding) - margin)[:, None]
    unchanged = crop_numpy(z, sample, above, size, 0.0)
    changed = unchanged + crop_numpy(reached, np.arange(len(patch)), above - first, size, 0.0)
    (oh, ow), (ph, pw) = size, pool
    return np.maximum(
        changed.reshape(*changed.shape[:2], oh // ph, ph, ow // pw, pw).max(axis=(3, 5)), z.dtype.type(least)
    )


# ----------------------------------------------------------------------------------------------- the fast form


@compiled
def _crop_loops(a, sample, corner, fill, part):  # type: ignore[no-untyped-def]
    _, n_channels, h, w = a.shape
    n_parts, _, height, width = part.shape
    for p in range(n_parts):
        top, left = corner[0, p], corner[1, p]
        first, last = max(0, -left), min(width, w - left)
        for c in range(n_channels):
            for y in range(height):
                row = top + y
                if 0 <= row < h and first < last:
                    for x in range(first):
                        part[p, c, y, x] = fill
                    for x in range(first, last):
                        part[p, c, y, x] = a[sample[p], c, row, left + x]
                    for x in range(last, width):
                        part[p, c, y, x] = fill
                else:
                    for x in range(width):
                        part[p, c, y, x] = fill


@compiled
def _paste_loops(part, patch, corner):  # type: ignore[no-untyped-def]
    n_parts, n_channels, height, width = part.shape
    _, _, h, w = patch.shape
    for p in range(n_parts):
        top, left = corner[0, p], corner[1, p]
        first, last = max(0, -left), min(w, width - left)
        for c in range(n_channels):
            for y in range(max(0, -top), min(h, height - top)):
                for x in range(first, last):
                    part[p, c, top + y, left + x] = patch[p, c, y, x]


@compiled
def _changed_loops(  # type: ignore[no-untyped-def]
    a, z, runs, kw, ph, pw, patch, sample, corner, above, oh, ow, total, pool, least, out
):
    n_patches, n_channels, h, w = patch.shape
    n_filters, kh = out.shape[1], runs.shape[1]
    change = np.zeros(n_channels + 1, patch.dtype)
    channel = np.zeros(n_channels + 1, np.int64)
    for p in range(n_patches):
        n, top, left, above_top, above_left = sample[p], corner[0, p], corner[1, p], above[0, p], above[1, p]
        down, right = top + ph - above_top, left + pw - above_left - (kw - 1)
        for y in range(oh):
            of_row = z[n, above_top + y, above_left * n_filters : (above_left + ow) * n_filters]
            own = total[y * ow * n_filters : (y + 1) * ow * n_filters]
            for i in range(ow * n_filters):
                own[i] = of_row[i]
        for y in range(h):
            for x in range(w):
                found = 0
                for c in range(n_channels):
                    difference = patch[p, c, y, x] - a[n, c, top + y, left + x]
                    if difference != 0:  # a NaN is a change
                        change[found], channel[found] = difference, c
                        found += 1
                first, last = max(0, right + x), min(ow, right + x + kw)
                if found and first < last:
                    change[found], channel[found] = 0, 0  # they are added in pairs
                    begin, end = (first - right - x) * n_filters, (last - right - x) * n_filters
                    for f in range(0, found, 2):
                        one, other = change[f], change[f + 1]
                        for i in range(max(0, down + y - oh + 1), min(kh, down + y + 1)):
                            at = ((down + y - i) * ow + first) * n_filters
                            row = total[at : at + end - begin]
                            of_one = runs[channel[f], i, begin:end]
                            of_other = runs[channel[f + 1], i, begin:end]
                            for q in range(end - begin):
                                row[q] += one * of_one[q] + other * of_other[q]
        _write(total, ow, pool, least, out[p])


@part
def _write(total, ow, pool, least, out):  # type: ignore[no-untyped-def]
    """The largest of each window, or `least`, and its filters first: out (K, OH, OW)."""
    n_filters, height, width = out.shape
    filters, area, length, step = np.uint64(n_filters), np.uint64(height * width), ow * n_filters, np.uint64(pool[1])
    flat = out.reshape(out.size)
    for y in range(height):
        row = total[y * pool[0] * length :][:length]
        for i in range(1, pool[0]):
            other = total[(y * pool[0] + i) * length :][:length]
            for q in range(length):
                row[q] = _larger(row[q], other[q])
        for x in range(np.uint64(width)):
            for k in range(filters):
                best = least
                for j in range(step):
                    best = _larger(best, row[(x * step + j) * filters + k])
                flat[k * area + np.uint64(y * width) + x] = best


@part
def _larger(p, q):  # type: ignore[no-untyped-def]
    return q if (q > p) | (q != q) else p  # a NaN wins


def crop_numba(a: np.ndarray, sample: np.ndarray, corner: np.ndarray, size: Pair, fill: float) -> np.ndarray:
    """As `crop_numpy`, compiled."""
    part = np.empty((len(sample), a.shape[1], *size), a.dtype)
    _crop_loops(np.ascontiguousarray(a), sample, np.ascontiguousarray(corner), a.dtype.type(fill), part)
    return part


def paste_numba(part: np.ndarray, patch: np.ndarray, corner: np.ndarray) -> np.ndarray:
    """As `paste_numpy`, compiled."""
    _paste_loops(part, np.ascontiguousarray(patch), np.ascontiguousarray(corner))
    return part


def changed_convolution_numba(
    a: np.ndarray, z: np.ndarray, W: np.ndarray, padding: Pair,
    patch: np.ndarray, sample: np.ndarray, corner: np.ndarray, above: np.ndarray, size: Pair, pool: Pair = (1, 1),
    least: float = -np.inf,
) -> np.ndarray:  # fmt: skip
    """As `changed_convolution_numpy`, compiled.

    With the filters last, a changed number reaches runs of kw · K neighbouring sums, a run for each row of W.
    """
    filters, channels, kh, kw = W.shape
    runs = np.array(W[:, :, :, ::-1].transpose(1, 2, 3, 0), order="C").reshape(channels, kh, kw * filters)
    rows = np.ascontiguousarray(z.transpose(0, 2, 3, 1)).reshape(len(z), z.shape[2], z.shape[3] * filters)
    total = np.empty(size[0] * size[1] * filters, patch.dtype)
    out = np.empty((len(patch), filters, size[0] // pool[0], size[1] // pool[1]), patch.dtype)
    a, patch, corner, above = map(np.ascontiguousarray, (a, patch, corner, above))
    _changed_loops(
        a, rows, runs, kw, *padding, patch, sample, corner, above, *size, total, pool, z.dtype.type(least), out
    )
    return out
