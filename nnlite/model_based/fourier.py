"""An image by its Fourier coefficients: the steps of a search are then as long for coarse structure as for fine.

A gradient in pixels is full of high frequencies; natural pictures are not: their amplitudes fall as 1 / frequency. So
the image is written as

    x = sigmoid( M · irfft2( s · c ) ),   s ∝ 1 / frequency

and the search moves c. All of it is layers: Through(fourier_image(shape), f) is f of the image, as a function of c.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.special import logit

from ..decision_based.inputs import check_input
from ..decision_based.method import takes_network
from ..layers import Conv2d, Layer, Sigmoid
from ..layers.arguments import Shape, float_dtype, number, pair, sizes
from ..network import Network

COLOURS = np.array([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]])
"""The square root of the covariance of red, green and blue in photographs (ImageNet), as lucid has it."""

MARGIN = 0.01
"""A sigmoid never reaches 0 and 1, and is flat near them: `image_coefficients` brings pixels this far inside."""


@dataclass(frozen=True, eq=False, repr=False)
class Fourier(Layer):
    """z = irfft2(s · c / √m), orthonormal;   backward dc = √m · s · rfft2(dz).

    s = 1 / max(|frequency|, 1 / max(H, W))^decay, divided by its root mean square: coefficients of variance 1 make
    pixels of variance 1. m is how often a coefficient counts: rfft2 keeps one of each conjugate pair, m = 2, except in
    the columns that are their own partners, m = 1. With √m both ways Jᵀ is the inverse of J at decay 0: J Jᵀ = 1.

    Shapes: c (N, C, H, W // 2 + 1, 2), real and imaginary parts; z (N, C, H, W).

    The decay goes from 0, all frequencies alike, over 1, as in photographs, to what is wanted.

    Raises ValueError: a size is below 1, decay is not a finite number from 0, or so large that s is no longer a number.
    Source: Olah et al. 2017, "Feature visualization", sec. "Preconditioning and parameterization"; their library
    lucid has another constant in s (√(H W) / 4, no root mean square) and no √m.

    >>> Fourier((2, 3)).output_shape((1, 1, 2, 2, 2))
    (1, 1, 2, 3)
    """

    size: tuple[int, int]
    decay: float = 1.0

    def __post_init__(self) -> None:
        self._set(size=pair("Fourier", "size", self.size, 1), decay=number("Fourier", "decay", self.decay, least=0))
        with np.errstate(all="ignore"):
            s, _ = _gains(*self.size, self.decay)
        if not (np.isfinite(s).all() and s.min() > 0):
            raise ValueError(f"Fourier: decay {self.decay} is too large for {self.size}: s overflows; 1 is usual.")

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        s, m = _gains(*self.size, self.decay)
        c = (a[..., 0] + 1j * a[..., 1]) * (s / np.sqrt(m))
        return np.fft.irfft2(c, s=self.size, norm="ortho").astype(a.dtype)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        s, m = _gains(*self.size, self.decay)
        return _real(np.fft.rfft2(dz, norm="ortho") * (np.sqrt(m) * s), dz.dtype)

    def coefficients(self, z: np.ndarray) -> np.ndarray:
        """The shortest c with forward(c) = z: √m · rfft2(z) / s."""
        s, m = _gains(*self.size, self.decay)
        return _real(np.fft.rfft2(z, norm="ortho") * (np.sqrt(m) / s), z.dtype)

    def output_shape(self, shape: Shape) -> Shape:
        height, width = self.size
        if len(shape) != 5 or tuple(shape[2:]) != (height, width // 2 + 1, 2):
            raise self.refuse(shape, f"coefficients (N, C, {height}, {width // 2 + 1}, 2)")
        return shape[0], shape[1], height, width


def fourier_image(shape: Shape, *, decay: float = 1.0, dtype: np.dtype | type = np.float32) -> Network:
    """c ↦ x = sigmoid(M · Fourier(c)), pixels in (0, 1); M mixes three decorrelated colours, and is left out else.

    It takes c (N, C, H, W // 2 + 1, 2) to x (N, C, H, W), for the shape (C, H, W) of one image; decay as in `Fourier`.

    Raises ValueError: the shape is not that of an image, or dtype is another.
    Source: as `Fourier`; the colours: sec. "Preconditioning and parameterization", too.

    >>> fourier_image((3, 8, 8)).names
    ('fourier1', 'conv1', 'sigmoid1')
    """
    shape, dtype = sizes("fourier_image", "shape", shape), float_dtype(dtype, "fourier_image")
    if len(shape) != 3:
        raise ValueError(f"fourier_image takes the shape of an image (C, H, W), got {shape}.")
    channels, height, width = shape
    mixed = [Conv2d(_mixing().astype(dtype)[:, :, None, None])] if channels == 3 else []
    return Network([Fourier((height, width), decay), *mixed, Sigmoid()], input_shape=coefficient_shape(shape))


def coefficient_shape(shape: Shape) -> Shape:
    """The shape of c for an image (C, H, W)."""
    channels, height, width = shape
    return channels, height, width // 2 + 1, 2


@takes_network
def image_coefficients(network: Network, x: np.ndarray) -> np.ndarray:
    """The c that `fourier_image` turns into x, but for pixels beyond MARGIN, which come that far inside.

    Raises TypeError or ValueError: the network is not one of `fourier_image`, or x (N, C, H, W) is no image that it
    makes, or not finite.

    >>> x = np.random.default_rng(0).uniform(0.1, 0.9, (2, 3, 5, 4))
    >>> network = fourier_image((3, 5, 4), dtype=np.float64)
    >>> bool(np.allclose(network.forward(image_coefficients(network, x))[-1], x))
    True
    """
    fourier = network[0] if len(network) else None
    if not isinstance(fourier, Fourier):
        raise ValueError(f"image_coefficients takes a network that fourier_image made, got {network}.")
    check_input(Network([], input_shape=network.output_shape((1, *(network.input_shape or ())))[1:]), x)
    z = logit(np.clip(x, MARGIN, 1 - MARGIN)).astype(x.dtype)
    if len(network) == 3:
        z = np.einsum("cd,ndhw->nchw", np.linalg.inv(_mixing()), z).astype(x.dtype)
    return fourier.coefficients(z)


def _mixing() -> np.ndarray:
    """COLOURS, its longest column brought to length 1."""
    return COLOURS / np.linalg.norm(COLOURS, axis=0).max()


@lru_cache(maxsize=8)
def _gains(height: int, width: int, decay: float) -> tuple[np.ndarray, np.ndarray]:
    """s (H, W // 2 + 1) and m (W // 2 + 1)."""
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width))
    s = np.maximum(frequency, 1 / max(height, width)) ** -decay
    m = np.full(width // 2 + 1, 2.0)
    m[0] = 1
    if width % 2 == 0:
        m[-1] = 1
    s /= np.sqrt((m * s * s).sum() / (height * width))
    return s, m


def _real(c: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """The real and imaginary parts along a new last axis."""
    return np.stack([c.real, c.imag], axis=-1).astype(dtype)
