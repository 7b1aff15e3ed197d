"""The sums of a BatchNorm in training, and its way back, channel by channel: arrays are (N, C, P), P places.

Compiled, a channel has one sum for each place, and they are added up at the end: neighbouring sums grow independently
of each other, so that the processor adds several at once.
"""

import numpy as np

from .dispatch import compiled


def moments_numpy(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The mean and the variance of each channel, (C,), summed in float64."""
    mean = a.mean(axis=(0, 2), dtype=np.float64)
    apart = a - mean[:, None]
    return mean, np.einsum("ncp,ncp->c", apart, apart) / (a.size // a.shape[1])


@compiled
def _moments_loop(a, mean, var):  # type: ignore[no-untyped-def]
    samples, channels, places = a.shape
    sums = np.empty(places)
    for c in range(channels):
        sums[:] = 0
        for n in range(samples):
            row = a[n, c]
            for p in range(places):
                sums[p] += row[p]
        centre = sums.sum() / (samples * places)
        sums[:] = 0
        for n in range(samples):
            row = a[n, c]
            for p in range(places):
                sums[p] += (row[p] - centre) ** 2
        mean[c], var[c] = centre, sums.sum() / (samples * places)


def moments_numba(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `moments_numpy`, without an array in between."""
    mean, var = np.empty((2, a.shape[1]))
    _moments_loop(a, mean, var)
    return mean, var


def products_numpy(a: np.ndarray, dz: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Σ dz and Σ n dz of each channel, n = (a − mean) scale: (C,), summed in float64."""
    n = (a - mean[:, None]) * scale[:, None]
    return dz.sum(axis=(0, 2), dtype=np.float64), np.einsum("ncp,ncp->c", n, dz)


@compiled
def _products_loop(a, dz, mean, scale, sums, products):  # type: ignore[no-untyped-def]
    samples, channels, places = a.shape
    of_dz, of_both = np.empty((2, places))
    for c in range(channels):
        centre, of_dz[:], of_both[:] = mean[c], 0, 0
        for n in range(samples):
            row, given = a[n, c], dz[n, c]
            for p in range(places):
                of_dz[p] += given[p]
            for p in range(places):
                of_both[p] += (row[p] - centre) * given[p]
        sums[c], products[c] = of_dz.sum(), of_both.sum() * scale[c]


def products_numba(a: np.ndarray, dz: np.ndarray, mean: np.ndarray, scale: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As `products_numpy`, without an array in between."""
    sums, products = np.empty((2, a.shape[1]))
    _products_loop(a, dz, mean, scale, sums, products)
    return sums, products


def blend_numpy(
    a: np.ndarray, dz: np.ndarray, mean: np.ndarray, of_dz: np.ndarray, of_a: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    """of_dz · dz + of_a · (a − mean) + shift, in the dtype of a."""
    of_dz, of_a, shift, mean = (each[:, None] for each in (of_dz, of_a, shift, mean))
    return (of_dz * dz + of_a * (a - mean) + shift).astype(a.dtype)


@compiled
def _blend_loop(a, dz, mean, of_dz, of_a, shift, out):  # type: ignore[no-untyped-def]
    samples, channels, places = a.shape
    for n in range(samples):
        for c in range(channels):
            for p in range(places):
                out[n, c, p] = of_dz[c] * dz[n, c, p] + of_a[c] * (a[n, c, p] - mean[c]) + shift[c]


def blend_numba(
    a: np.ndarray, dz: np.ndarray, mean: np.ndarray, of_dz: np.ndarray, of_a: np.ndarray, shift: np.ndarray
) -> np.ndarray:
    """As `blend_numpy`, in one pass."""
    out = np.empty_like(a)
    _blend_loop(a, dz, mean, of_dz, of_a, shift, out)
    return out
