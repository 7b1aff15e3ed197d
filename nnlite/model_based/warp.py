"""An image turned and enlarged about its centre, by bilinear interpolation: a linear map, and its exact transpose."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.sparse import csr_matrix

from ..layers import Layer
from ..layers.arguments import Shape, number


class ImageLayer(Layer):
    """A layer that takes images (N, C, H, W), and gives images of their size."""

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 4:
            raise self.refuse(shape, "images (N, C, H, W)")
        return shape


@dataclass(frozen=True, eq=False, repr=False)
class Warp(ImageLayer):
    """z[n, c, p] = Σ_q M_pq a[n, c, q],   backward Σ_p M_pq dz[n, c, p].

    M_pq is what pixel q has in the value at the place that comes to lie on pixel p; it is bilinear in that place, so
    there are at most four in a row. What comes from outside the image is 0. The size stays as it is.

    The angle is counter-clockwise as one looks at the image; a factor of 2 shows its middle twice as large.

    Raises ValueError: an argument is not a finite number, or factor is not above 0.

    >>> Warp(degrees=90).forward(np.array([[[[1.0, 2.0], [3.0, 4.0]]]])).round(6)
    array([[[[2., 4.],
             [1., 3.]]]])
    """

    degrees: float = 0.0
    factor: float = 1.0

    def __post_init__(self) -> None:
        self._set(degrees=number("Warp", "degrees", self.degrees))
        self._set(factor=number("Warp", "factor", self.factor, above=0))

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        M = _interpolation(*a.shape[2:], self.degrees, self.factor, a.dtype)
        return _times(M, a)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        M = _interpolation(*a.shape[2:], self.degrees, self.factor, a.dtype)
        return _times(M.T, dz)


def _times(M: csr_matrix, a: np.ndarray) -> np.ndarray:
    """M on every plane of the images."""
    return np.ascontiguousarray((M @ a.reshape(-1, M.shape[1]).T).T).reshape(a.shape)


@lru_cache(maxsize=16)  # forward and backward of one step use the same
def _interpolation(height: int, width: int, degrees: float, factor: float, dtype: np.dtype) -> csr_matrix:
    """M (H W, H W): each row holds the shares of the four pixels around the place that comes to lie there."""
    centre = np.array([[(height - 1) / 2], [(width - 1) / 2]])
    cos, sin = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    back = np.array([[cos, sin], [-sin, cos]]) / factor
    p = np.indices((height, width)).reshape(2, -1)
    place = back @ (p - centre) + centre  # (y, x) in the image below
    corner = np.floor(place).astype(np.int64)
    part = place - corner
    rows, columns, shares = [], [], []
    for dy, dx in ((0, 0), (0, 1), (1, 0), (1, 1)):
        y, x = corner[0] + dy, corner[1] + dx
        inside = np.flatnonzero((y >= 0) & (y < height) & (x >= 0) & (x < width))
        share = (part[0] if dy else 1 - part[0]) * (part[1] if dx else 1 - part[1])
        rows.append(inside)
        columns.append((y * width + x)[inside])
        shares.append(share[inside])
    entries = np.concatenate(shares).astype(dtype)
    return csr_matrix((entries, (np.concatenate(rows), np.concatenate(columns))), shape=(height * width,) * 2)
