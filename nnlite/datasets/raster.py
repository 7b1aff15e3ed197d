"""Ink on pixels: a line of changing width, drawn as capsules."""

import numpy as np

SIDE = 28  # pixels
CHUNK = 32  # samples drawn at a time: their arrays stay in the processor's cache


def depth(path: np.ndarray, widths: np.ndarray, first: np.ndarray, stroke: np.ndarray, reach: float) -> np.ndarray:
    """How deep inside the line each pixel's centre lies, for each pen stroke.

    With p the pixel, a and b the ends of a segment and r_a, r_b the half widths there:

        t = clip((p − a) · (b − a) / |b − a|², 0, 1)
        depth = max over the stroke's segments of r_a + t (r_b − r_a) − |p − a − t (b − a)|

    Shapes: path (N, M, 2) in pixels, widths (N, M), first (G,) and stroke (G,) as Style.segments gives them.

    Returns (strokes, N, 28, 28) float32: positive inside, negative outside. Farther off than `reach` it is some number
    below -reach, perhaps -inf, and may differ with the samples that are drawn together.

    One dot of half width 2 in the middle of pixel (x=5, y=9), and the pixels to its right:

    >>> path = np.array([[[5.0, 9.0], [5.0, 9.0]]])
    >>> depth(path, np.array([[2.0, 2.0]]), np.array([0]), np.array([0]), 1.5)[0, 0, 9, 5:9]
    array([ 2.,  1.,  0., -1.], dtype=float32)
    """
    path, widths = path.astype(np.float32), widths.astype(np.float32)
    deepest = np.full((int(stroke.max()) + 1, len(path), SIDE, SIDE), -np.inf, np.float32)
    for begin in range(0, len(path), CHUNK):
        chunk = slice(begin, begin + CHUNK)
        for i, number in zip(first, stroke, strict=True):
            a, b, r_a, r_b = path[chunk, i], path[chunk, i + 1], widths[chunk, i], widths[chunk, i + 1]
            y, x = _window(a, b, r_a, r_b, reach)
            here = deepest[number, chunk, y, x]
            np.maximum(here, _capsule(a, b, r_a, r_b, y, x), out=here)
    return deepest


def _window(a: np.ndarray, b: np.ndarray, r_a: np.ndarray, r_b: np.ndarray, reach: float) -> tuple[slice, slice]:
    """The rows and columns that one segment can reach in any of the samples: the rest need not be worked on."""
    margin = (np.maximum(r_a, r_b) + reach)[:, None]
    low = np.ceil((np.minimum(a, b) - margin).min(axis=0)).clip(0, SIDE).astype(int)
    high = np.floor((np.maximum(a, b) + margin).max(axis=0)).clip(-1, SIDE - 1).astype(int) + 1
    return slice(low[1], high[1]), slice(low[0], high[0])


def _capsule(a: np.ndarray, b: np.ndarray, r_a: np.ndarray, r_b: np.ndarray, y: slice, x: slice) -> np.ndarray:
    """The depth in one segment, on a window of pixels. Ends (N, 2), half widths (N,); gives (N, rows, columns)."""
    d_x, d_y = (b - a)[:, :1, None], (b - a)[:, 1:, None]
    p_x = np.arange(x.start, x.stop, dtype=np.float32) - a[:, :1, None]
    p_y = np.arange(y.start, y.stop, dtype=np.float32)[:, None] - a[:, 1:, None]
    length2 = d_x * d_x + d_y * d_y + np.float32(1e-6)  # never zero: two points may coincide
    t = p_x * (d_x / length2) + p_y * (d_y / length2)
    np.clip(t, 0, 1, out=t)
    off_x = p_x - t * d_x
    off_y = p_y - t * d_y
    np.multiply(off_x, off_x, out=off_x)
    np.multiply(off_y, off_y, out=off_y)
    distance = np.sqrt(np.add(off_x, off_y, out=off_x), out=off_x)
    np.multiply(t, (r_b - r_a)[:, None, None], out=t)
    np.add(t, r_a[:, None, None], out=t)
    return np.subtract(t, distance, out=t)
