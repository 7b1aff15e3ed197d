"""Convolutions with windows of one pixel: one product with the image as it lies there, and no columns.

    a (C, H W)     z = W @ a  (K, H W)       da = Wᵀ @ dz       dW = Σ_n dz @ aᵀ

A stride leaves pixels out before the product, and on the way back they get zero.

Shapes: as in convolution.py, with W (K, C / groups, 1, 1).
"""

import numpy as np

from .windows import Windows


def fits(at: Windows) -> bool:
    """Whether each window is a pixel of the image."""
    return at.size == (1, 1) and at.padding == (0, 0)


def forward(a: np.ndarray, W: np.ndarray, b: np.ndarray | None, at: Windows, groups: int) -> np.ndarray:
    """z = W @ a + b: as `convolution.forward_numpy`."""
    z = np.matmul(W.reshape(groups, -1, W.shape[1]), _rows(at.element(a, 0, 0), groups))
    z = z.reshape(len(a), len(W), *at.output)
    if b is not None:
        z += b[:, None, None]
    return z


def backward_input(dz: np.ndarray, W: np.ndarray, at: Windows, groups: int) -> np.ndarray:
    """da = Wᵀ @ dz: as `convolution.backward_input_numpy`."""
    product = np.matmul(W.reshape(groups, -1, W.shape[1]).swapaxes(1, 2), _rows(dz, groups))
    product = product.reshape(len(dz), W.shape[1] * groups, *at.output)
    if at.output == at.input:
        return product
    da = np.zeros((*product.shape[:2], *at.input), dz.dtype)
    at.element(da, 0, 0)[...] = product
    return da


def backward_weights(a: np.ndarray, dz: np.ndarray, at: Windows, groups: int) -> np.ndarray:
    """dW = Σ_n dz @ aᵀ: as `convolution.backward_weights_numpy`."""
    products = np.matmul(_rows(dz, groups), _rows(at.element(a, 0, 0), groups).swapaxes(2, 3))
    return products.sum(axis=0).reshape(dz.shape[1], -1, 1, 1)


def _rows(image: np.ndarray, groups: int) -> np.ndarray:
    """The pixels of each channel in a row: (N, groups, C / groups, H W)."""
    n, c, h, w = image.shape
    return np.ascontiguousarray(image).reshape(n, groups, c // groups, h * w)
