"""Many small pictures as one, row by row."""

from math import ceil, sqrt
from numbers import Real

import numpy as np

from ..layers.arguments import as_array, count


def sheet(images: np.ndarray, columns: int | None = None, gap: float = 0.0) -> np.ndarray:
    """The images of a batch beside and below each other, one pixel apart.

    images: (K, C, H, W).
    columns: images in a row; by default as many as make the sheet about square, ⌈√K⌉.
    gap: what stands between the images, and in the places after the last.

    Returns (C, rows · (H + 1) − 1, columns · (W + 1) − 1), in the dtype of the images.
    Raises ValueError: the images have another shape or there are no images, columns is not a positive integer, or
    images of integers have no such gap.

    >>> sheet(np.array([1.0, 2.0, 3.0]).reshape(3, 1, 1, 1), gap=9)
    array([[[1., 9., 2.],
            [9., 9., 9.],
            [3., 9., 9.]]])
    """
    images = as_array("images", images)
    if images.ndim != 4 or not images.size:
        raise ValueError(f"sheet takes images (K, C, H, W), one or more, got {images.shape}.")
    if not isinstance(gap, Real) or (images.dtype.kind in "iub" and np.array(gap).astype(images.dtype) != gap):
        raise ValueError(f"gap takes a number of the kind of the images, {images.dtype}; got {gap!r}.")
    K, C, H, W = images.shape
    columns = ceil(sqrt(K)) if columns is None else count("sheet", "columns", columns)
    rows = ceil(K / columns)
    whole = np.full((C, rows * (H + 1) - 1, columns * (W + 1) - 1), gap, images.dtype)
    for k, image in enumerate(images):
        row, column = k // columns * (H + 1), k % columns * (W + 1)
        whole[:, row : row + H, column : column + W] = image
    return whole
