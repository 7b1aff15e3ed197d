"""The signal at the top, where a class is chosen: dz from the scores z."""

import numpy as np

from ..driver import Part
from ..pointers import integers, number


@Part
def choose(t, z, classes, _, __):  # type: ignore[no-untyped-def]
    """The class with the highest score, where none is given: −1."""
    own = integers(classes)
    if own[0] < 0:
        chosen = 0
        for k in range(t[0]):
            chosen = k if z[k] > z[chosen] else chosen
        own[0] = chosen


@Part
def one(t, z, classes, dz, _):  # type: ignore[no-untyped-def]
    """1 at the class, 0 elsewhere."""
    chosen = integers(classes)[0]
    for k in range(t[0]):
        dz[k] = number(dz, k == chosen)


@Part
def score(t, z, classes, dz, _):  # type: ignore[no-untyped-def]
    """z_c at the class, 0 elsewhere."""
    chosen, zero = integers(classes)[0], number(dz, 0)
    for k in range(t[0]):
        dz[k] = z[k] if k == chosen else zero


@Part
def log_probability(t, z, classes, dz, _):  # type: ignore[no-untyped-def]
    """[k = c] − p_k with p = softmax(z): the gradient of log p_c."""
    chosen, largest, total = integers(classes)[0], z[0], number(z, 0)
    for k in range(t[0]):
        largest = z[k] if z[k] > largest else largest
    for k in range(t[0]):
        dz[k] = -np.exp(z[k] - largest)
        total -= dz[k]
    for k in range(t[0]):
        dz[k] = dz[k] / total + number(z, k == chosen)
