"""All the chance in a stroke digit: a fixed list of random numbers for each sample."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

WAVES = 3  # slow waves that bend the plane

_UNIFORM = 1 + 1 + 2 + WAVES + 2
_NORMAL = 5 + 4 * WAVES


class Draws(NamedTuple):
    """The random numbers of N samples, named by what they decide. Shapes beside them; U uniform on [0, 1], Z normal."""

    style: np.ndarray  # (N,) U
    size: np.ndarray  # (N,) U
    shift: np.ndarray  # (N, 2) U
    wave_phase: np.ndarray  # (N, WAVES) U
    pressure_pace: np.ndarray  # (N,) U
    pressure_phase: np.ndarray  # (N,) U
    aspect: np.ndarray  # (N,) Z
    slant: np.ndarray  # (N,) Z
    rotation: np.ndarray  # (N,) Z
    pen: np.ndarray  # (N,) Z
    pressure: np.ndarray  # (N,) Z
    wave_pace: np.ndarray  # (N, WAVES, 2) Z
    wave_height: np.ndarray  # (N, WAVES, 2) Z
    care: np.ndarray  # (N,) gamma with mean 1
    jitter: np.ndarray  # (N, points, 2) Z

    def of(self, samples: np.ndarray) -> Draws:
        """The random numbers of some of the samples."""
        return Draws(*(numbers[samples] for numbers in self))


def draw(seed: int, start: int, n: int, points: int, care_shape: float) -> Draws:
    """Random numbers for the samples start, start + 1, ... start + n - 1.

    Each sample has its own generator, keyed by (seed, index), and takes the same list of numbers whatever it is
    going to be: so no sample depends on which others are drawn with it.

    seed, start, n: which samples, as above.
    points: control points of the longest style.
    care_shape: shape of the gamma distribution of `care`.

    >>> all_of_them, one = draw(0, 0, 5, 13, 4.0), draw(0, 3, 1, 13, 4.0)
    >>> all(np.array_equal(a[3], b[0]) for a, b in zip(all_of_them, one, strict=True))
    True
    """
    u = np.empty((n, _UNIFORM))
    z = np.empty((n, _NORMAL))
    care = np.empty(n)
    jitter = np.empty((n, points, 2))
    for row in range(n):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(start + row,)))
        rng.random(out=u[row])
        rng.standard_normal(out=z[row])
        care[row] = rng.standard_gamma(care_shape) / care_shape
        rng.standard_normal(out=jitter[row])
    phases, normals = 4 + WAVES, 5 + 2 * WAVES
    return Draws(
        style=u[:, 0],
        size=u[:, 1],
        shift=u[:, 2:4],
        wave_phase=u[:, 4:phases],
        pressure_pace=u[:, phases],
        pressure_phase=u[:, phases + 1],
        aspect=z[:, 0],
        slant=z[:, 1],
        rotation=z[:, 2],
        pen=z[:, 3],
        pressure=z[:, 4],
        wave_pace=z[:, 5:normals].reshape(n, WAVES, 2),
        wave_height=z[:, normals:].reshape(n, WAVES, 2),
        care=care,
        jitter=jitter,
    )
