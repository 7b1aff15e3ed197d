"""What a search is asked to keep small: noise in one image, and likeness between several.

    TotalVariation(β)         differences of neighbouring pixels
    high_frequencies(σ)       ‖x − blurred x‖²
    gram_similarity           how alike the samples of a batch are, by the products of their feature maps

Each is an objective; stand it in `weighted` with a weight below 0.
"""

from dataclasses import dataclass

import numpy as np

from ..layers.arguments import number
from ..network import Network
from .objectives import Through, squared_norm
from .warp import ImageLayer


@dataclass(frozen=True)
class TotalVariation:
    """Σ_p ((x_right − x_p)² + (x_below − x_p)²)^(β/2), over the channels too; beyond the border x stays the same.

    At β = 1 edges cost what they are high, and where there is no difference the gradient is taken as 0; at 2 gentle
    slopes are cheaper than edges.

    Raises ValueError: beta is below 1; when called: x is not (N, C, H, W).
    Source: Mahendran and Vedaldi 2015, "Understanding deep image representations by inverting them", sec. 2.

    >>> f, g = TotalVariation(2)(np.array([[[[0.0, 3.0], [0.0, 3.0]]]]))
    >>> f, g.ravel()
    (array([18.]), array([-6.,  6., -6.,  6.]))
    """

    beta: float = 2.0

    def __post_init__(self) -> None:
        number("TotalVariation", "beta", self.beta, least=1)

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if x.ndim != 4:
            raise ValueError(f"TotalVariation takes images (N, C, H, W), got {x.shape}.")
        right, below = np.zeros_like(x), np.zeros_like(x)
        right[..., :-1], below[..., :-1, :] = np.diff(x, axis=3), np.diff(x, axis=2)
        squares = right * right + below * below
        positive = np.where(squares > 0, squares, 1)
        by_squares = np.where(squares > 0, self.beta / 2 * positive ** (self.beta / 2 - 1), 0).astype(x.dtype)
        right, below = 2 * by_squares * right, 2 * by_squares * below
        gradient = -right - below
        gradient[..., 1:] += right[..., :-1]
        gradient[..., 1:, :] += below[..., :-1, :]
        return (squares ** (self.beta / 2)).sum(axis=(1, 2, 3)).astype(x.dtype), gradient


@dataclass(frozen=True, eq=False, repr=False)
class HighPass(ImageLayer):
    """z = a − blurred a: every frequency f times 1 − e^(−2 π² σ² |f|²). Symmetric: backward does what forward does.

    σ > 0 is the standard deviation of the Gaussian blur in pixels; beyond the border the image begins again.
    """

    sigma: float = 1.0

    def __post_init__(self) -> None:
        self._set(sigma=number("HighPass", "sigma", self.sigma, above=0))

    def forward(self, a: np.ndarray) -> np.ndarray:
        self.check(a)
        squares = np.fft.fftfreq(a.shape[2])[:, None] ** 2 + np.fft.rfftfreq(a.shape[3]) ** 2
        passed = 1 - np.exp(-2 * np.pi**2 * self.sigma**2 * squares)
        return np.fft.irfft2(np.fft.rfft2(a) * passed, s=a.shape[2:]).astype(a.dtype)

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        self.check(a, dz)
        return self.forward(dz)


def high_frequencies(sigma: float = 1.0) -> Through:
    """‖x − blurred x‖², what a Gaussian blur of that σ would take away.

    Source: Olah et al. 2017, "Feature visualization", sec. "Frequency penalization".

    >>> high_frequencies()(np.full((1, 1, 4, 4), 0.7))[0].round(9)     # of one grey nothing is taken away
    array([0.])
    """
    return Through(Network([HighPass(sigma)]), squared_norm)


def high_frequency_share(x: np.ndarray) -> np.ndarray:
    """The share of frequencies above 1/4 (finer than 4 pixels) in the variance of each image (N, C, H, W): (N,).

    From 0 to 1; 0 for an image of one grey. ValueError where x is not (N, C, H, W).

    >>> chessboard = np.indices((4, 4)).sum(axis=0) % 2.0
    >>> high_frequency_share(chessboard[None, None])
    array([1.])
    """
    if x.ndim != 4:
        raise ValueError(f"high_frequency_share takes images (N, C, H, W), got {x.shape}.")
    power = np.abs(np.fft.fft2(x - x.mean(axis=(2, 3), keepdims=True))) ** 2
    fine = np.hypot(np.fft.fftfreq(x.shape[2])[:, None], np.fft.fftfreq(x.shape[3])) > 0.25
    total = power.sum(axis=(1, 2, 3))
    return (power * fine).sum(axis=(1, 2, 3)) / np.where(total > 0, total, 1)


def gram_similarity(a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """f_n = 1/(N − 1) Σ_(m ≠ n) cos(G_n, G_m),   G_n = A_n A_nᵀ: the products of the maps A_n (K, H W) of sample n.

    From 0 (no likeness) to 1. The term ties the samples of a batch together, so the gradient is that of Σ_n f_n: what
    sample n does to the others' values is in it. A sample without any activation is like no other.

    Of images through a layer: Through(network[:l], gram_similarity).

    Raises ValueError: a is not (N, K, ...).
    Source: Olah et al. 2017, "Feature visualization", sec. "Diversity", where the sum over m stands without 1/(N − 1).

    >>> gram_similarity(np.array([[1.0, 0.0], [2.0, 0.0], [0.0, 1.0]]))[0]
    array([0.5, 0.5, 0. ])
    """
    if a.ndim < 2:
        raise ValueError(f"gram_similarity takes activations (N, K, ...), got {a.shape}.")
    A = a.reshape(*a.shape[:2], -1)
    G = A @ A.transpose(0, 2, 1)
    length = np.sqrt((G * G).sum(axis=(1, 2), keepdims=True))
    length = np.where(length > 0, length, 1).astype(a.dtype)
    direction = G / length
    others = (direction.sum(axis=0) - direction) / max(1, len(a) - 1)
    value = (direction * others).sum(axis=(1, 2))
    dG = 2 * (others - value[:, None, None] * direction) / length  # f_n and the f_m hold the same cosine: twice
    return value, (2 * dG @ A).reshape(a.shape)
