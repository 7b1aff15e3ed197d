"""A smooth path through control points: the Catmull-Rom spline."""

import numpy as np

STEPS = 5  # points on the path for each control point but the last


def catmull_rom(controls: np.ndarray) -> np.ndarray:
    """Points on the Catmull-Rom spline that passes through the control points.

    q(t) = 1/2 [2 p1 + (p2 − p0) t + (2 p0 − 5 p1 + 4 p2 − p3) t² + (3 p1 − p0 − 3 p2 + p3) t³]

    for 0 ≤ t < 1 between p1 and p2; before the first and after the last control point stands one mirrored at it.

    Shapes: controls (N, K, 2) with K ≥ 2.

    Returns (N, 5 (K − 1) + 1, 2): five points from each control point towards the next, and the last control point.
    Source: Catmull and Rom, A class of local interpolating splines, 1974.

    >>> catmull_rom(np.array([[[0.0, 0.0], [1.0, 0.0]]]))[0, :, 0]
    array([0. , 0.2, 0.4, 0.6, 0.8, 1. ])
    """
    before = 2 * controls[:, :1] - controls[:, 1:2]
    after = 2 * controls[:, -1:] - controls[:, -2:-1]
    padded = np.concatenate([before, controls, after], axis=1)[:, :, None]
    p0, p1, p2, p3 = padded[:, :-3], padded[:, 1:-2], padded[:, 2:-1], padded[:, 3:]
    t = (np.arange(STEPS) / STEPS)[:, None]
    linear = p2 - p0
    square = 2 * p0 - 5 * p1 + 4 * p2 - p3
    cube = 3 * p1 - p0 - 3 * p2 + p3
    between = 0.5 * (2 * p1 + t * (linear + t * (square + t * cube)))
    return np.concatenate([between.reshape(len(controls), -1, 2), controls[:, -1:]], axis=1)


def smooth(path: np.ndarray, passes: int) -> np.ndarray:
    """Average each inner point with its neighbours, [1 2 1]/4, a number of times; the ends stay.

    Shapes: path (N, M, 2).

    Returns a new array of the same shape.

    >>> smooth(np.array([[[0.0, 0.0], [1.0, 4.0], [2.0, 0.0]]]), passes=1)[0, :, 1]
    array([0., 2., 0.])
    """
    path = path.copy()
    for _ in range(passes):
        path[:, 1:-1] = 0.25 * path[:, :-2] + 0.5 * path[:, 1:-1] + 0.25 * path[:, 2:]
    return path
