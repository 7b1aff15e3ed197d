"""The division of LRP: s = R / (z + ε sgn z), where a denominator may be zero.

R     6   6    6   6
z     3  -3    0   0
ε     0   0    0   2
s     2  -2    0   3       s = 0 where nothing can be divided: that R is lost
"""

import numpy as np

from .dispatch import compiled

LARGEST = {np.dtype(dtype): dtype(np.finfo(dtype).max * 2.0**-20) for dtype in (np.float32, np.float64)}
"""Of an s: the products and sums with it could overflow from a larger one."""


def signed(size: np.ndarray, z: np.ndarray) -> np.ndarray:
    """size · sgn z, with sgn 0 = +1."""
    return np.where(z >= 0, size, -size)


def divide_numpy(R: np.ndarray, z: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """s = R / (z + size · sgn z), and where it is lost: zero by zero, or too large. There s = 0.

    Where R or z is not finite, s is NaN, so that the end of the walk shows it.

    size ≥ 0 is one number, or one for each sample (N, 1, ...).
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        s = R / (z + signed(size, z))
        nothing = (R - R) + (z - z)  # 0, or NaN
    lost = ~((np.abs(s) < LARGEST[s.dtype]) & (nothing == 0))
    return np.where(lost, nothing, s), lost


@compiled
def _divide_loop(R, z, sizes, largest, s, lost):  # type: ignore[no-untyped-def]
    for n in range(len(R)):
        size = sizes[n % len(sizes)]
        for k in range(R.shape[1]):
            quotient = R[n, k] / (z[n, k] + (size if z[n, k] >= 0 else -size))
            nothing = (R[n, k] - R[n, k]) + (z[n, k] - z[n, k])
            lost[n, k] = not ((abs(quotient) < largest) & (nothing == 0))
            s[n, k] = nothing if lost[n, k] else quotient


def divide_numba(R: np.ndarray, z: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `divide_numpy`, compiled: one pass."""
    if R.shape != z.shape or not R.dtype == z.dtype == size.dtype or size.size not in (1, len(z)):
        return divide_numpy(R, z, size)
    s, lost = np.empty(z.shape, z.dtype), np.empty(z.shape, bool)
    rows = len(z), z[:1].size
    R, z = np.ascontiguousarray(R).reshape(rows), np.ascontiguousarray(z).reshape(rows)
    _divide_loop(R, z, size.reshape(-1), LARGEST[z.dtype], s.reshape(rows), lost.reshape(rows))
    return s, lost
