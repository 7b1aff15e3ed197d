"""One step of Adam: both moments, and the parameter.

    g ──────────┬─────────────────┐
                v                 v
    m ── mean of g ──> m'   v ── mean of g² ──> v'        w' = w − length · m' / (√v' / root + eps)

NumPy makes an array for every operation; compiled, there is none between the old values and the new. The operations
and their order are the same, and so are the bits.
"""

import numpy as np

from .dispatch import compiled


def adam_numpy(
    w: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, beta1: float, beta2: float, eps: float,
    length: float, root: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """m' = (1 − β₁) g + β₁ m,   v' = (1 − β₂) g² + β₂ v,   w' = w − length · m' / (√v' / root + eps).

    With length = rate / (1 − β₁ᵗ) and root = √(1 − β₂ᵗ) the last is the step of training/optimizers.py.

    Shapes: w, g, m, v and all that comes out alike, in one dtype.
    """
    m = (1 - beta1) * g + beta1 * m
    v = (1 - beta2) * (g * g) + beta2 * v
    return w - length * m / (np.sqrt(v) / root + eps), m, v


@compiled
def _adam_loops(w, g, m, v, new, beta1, rest1, beta2, rest2, eps, length, root):  # type: ignore[no-untyped-def]
    own = w.dtype.type  # a float64 among the numbers would make everything float64
    beta1, rest1, beta2, rest2 = own(beta1), own(rest1), own(beta2), own(rest2)
    eps, length, root = own(eps), own(length), own(root)
    new_w, new_m, new_v = new[0], new[1], new[2]
    for i in range(w.size):  # three loops: with all arrays in one, the compiler finds no SIMD
        new_m[i] = rest1 * g[i] + beta1 * m[i]
    for i in range(w.size):
        new_v[i] = rest2 * (g[i] * g[i]) + beta2 * v[i]
    for i in range(w.size):
        new_w[i] = w[i] - length * new_m[i] / (np.sqrt(new_v[i]) / root + eps)


def adam_numba(
    w: np.ndarray, g: np.ndarray, m: np.ndarray, v: np.ndarray, beta1: float, beta2: float, eps: float,
    length: float, root: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """As `adam_numpy`, compiled."""
    new = np.empty((3, *w.shape), w.dtype)
    _adam_loops(
        w.ravel(), g.ravel(), m.ravel(), v.ravel(), new.reshape(3, w.size),
        beta1, 1 - beta1, beta2, 1 - beta2, eps, length, root,
    )  # fmt: skip
    return new[0], new[1], new[2]
