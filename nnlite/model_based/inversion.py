"""Inversion: an image whose activations at a layer are given ones. What it lacks, the layer has lost.

minimise  ‖a_l(x) − a_l(x₀)‖² / ‖a_l(x₀)‖² + λ_α ‖x‖_α^α + λ_V TV_β(x)
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..decision_based.inputs import activations, check_input
from ..decision_based.method import takes_network
from ..layers.arguments import Shape, generator, number
from ..network import Network
from .ascent import ascend, box
from .objectives import SquaredDistance, Through, weighted
from .penalties import TotalVariation

GIVEN = ("image", "activations")


@dataclass(frozen=True, eq=False)
class Inversion:
    """The images x found, (N, ...) in [0, 1], from the noise `start`.

    error: ‖a_l(x) − a_l(x₀)‖² / ‖a_l(x₀)‖² of each, (N,).
    values: what is minimised, the penalties included, before every step and after the last: (steps + 1, N).
    """

    x: np.ndarray
    start: np.ndarray
    error: np.ndarray
    values: np.ndarray


@dataclass(frozen=True, eq=False)
class RelativeDistance:
    """‖a − a₀‖² / ‖a₀‖², gradient 2 (a − a₀) / ‖a₀‖².

    Raises ValueError: a₀ of a sample is 0 everywhere.

    >>> RelativeDistance(np.array([[3.0, 4.0]]))(np.array([[3.0, 9.0]]))
    (array([1.]), array([[0. , 0.4]]))
    """

    a0: np.ndarray

    def __post_init__(self) -> None:
        if not self._squares.all():
            raise ValueError(
                f"sample {int(np.argmin(self._squares))} has no activation that differs from 0 at this layer: every "
                "image that leaves it silent fits. Take a layer below, or another image."
            )

    @property
    def _squares(self) -> np.ndarray:
        return (self.a0 * self.a0).sum(axis=tuple(range(1, self.a0.ndim)))

    def __call__(self, a: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        value, gradient = SquaredDistance(self.a0)(a)
        return value / self._squares, gradient / self._squares.reshape(-1, *[1] * (a.ndim - 1))


@dataclass(frozen=True)
class PowerNorm:
    """‖x‖_α^α = Σ |x|^α, gradient α |x|^(α − 1) sgn x.

    α is above 1; a large one keeps the pixels below 1 and hardly moves the small ones.

    Source: Mahendran and Vedaldi 2015, "Understanding deep image representations by inverting them", sec. 2.

    >>> PowerNorm(3)(np.array([[2.0, -1.0]]))
    (array([9.]), array([[12., -3.]]))
    """

    alpha: float = 6.0

    def __post_init__(self) -> None:
        number("PowerNorm", "alpha", self.alpha, above=1)

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        size = np.abs(x)
        value = (size**self.alpha).sum(axis=tuple(range(1, x.ndim)))
        return value.astype(x.dtype), (self.alpha * size ** (self.alpha - 1) * np.sign(x)).astype(x.dtype)


@takes_network
def invert(
    network: Network,
    x0: np.ndarray,
    layer: str,
    *,
    given: str = "image",
    lambda_alpha: float = 0.0,
    alpha: float = 6.0,
    lambda_tv: float = 1e-3,
    beta: float = 2.0,
    steps: int = 500,
    rate: float = 0.02,
    rng: np.random.Generator | int = 0,
    progress: bool = False,
) -> Inversion:
    """x = argmin ‖a_l(x) − a_l(x₀)‖² / ‖a_l(x₀)‖² + λ_α ‖x‖_α^α + λ_V TV_β(x), by Adam in the box [0, 1].

    The search begins from noise, uniform in [0, 1]. It finds one such image; others may fit as well.

    x0, layer: the images (N, C, H, W) whose activations at layer l are matched; or those activations themselves, (N,
        ...).
    given: what x0 is: "image" or "activations". For activations the network must state its input_shape.
    lambda_alpha, alpha: λ_α from 0, and α above 1. In a box the pixels need no norm to stay small, so it is 0 unless
        given.
    lambda_tv, beta: λ_V from 0, and β from 1.
    steps, rate, rng, progress: as in `ascend`; rng draws the noise.

    Raises TypeError or ValueError: x0 does not fit the network, is not finite or leaves the layer silent; there is no
    such layer; a λ is below 0; FloatingPointError: the search diverged.
    Source: Mahendran and Vedaldi 2015, "Understanding deep image representations by inverting them", sec. 2 and 3.
    There images are centred at 0 and descended with momentum.

    >>> from nnlite import datasets, models
    >>> x0 = datasets.strokes(1, start=4)[0]
    >>> found = invert(models.load("lenet"), x0, "relu1", steps=200)
    >>> found.x.shape, bool(found.error[0] < 0.01)
    ((1, 1, 28, 28), True)
    """
    part = network.up_to(layer)
    a0, shape = _wanted(part, x0, given)
    if len(a0) == 0:
        raise ValueError(f"x0 takes one sample or more, got the shape {x0.shape}.")
    nearness = Through(part, weighted((-1, RelativeDistance(a0))), leak=True)
    weights = [number("invert", name, w) for name, w in (("lambda_alpha", lambda_alpha), ("lambda_tv", lambda_tv))]
    if min(weights) < 0:
        raise ValueError(f"invert: lambda_alpha and lambda_tv take numbers from 0, got {weights}.")
    f = weighted((1, nearness), (-weights[0], PowerNorm(alpha)), (-weights[1], TotalVariation(beta)))
    rng = generator("invert", "rng", rng)
    start = rng.random((len(a0), *shape)).astype(a0.dtype)
    ascent = ascend(f, start, steps=steps, rate=rate, project=box(0, 1), progress=progress)
    error = RelativeDistance(a0)(activations(part, ascent.x)[-1])[0]
    return Inversion(ascent.x, ascent.start, error, -ascent.values)


def _wanted(part: Network, x0: Any, given: str) -> tuple[np.ndarray, Shape]:
    """The activations to match, and the shape of one image."""
    if given == "image":
        return activations(part, x0)[-1], x0.shape[1:]
    if given != "activations":
        raise ValueError(f"given takes one of {', '.join(map(repr, GIVEN))}, got {given!r}.")
    if part.input_shape is None:
        raise ValueError("given='activations' needs a network that was made with input_shape: how large is the image?")
    above = Network([], input_shape=part.output_shape((1, *part.input_shape))[1:])
    if isinstance(x0, np.ndarray) and x0.dtype != part.dtype:
        raise ValueError(f"The network computes in {part.dtype}, and x0 is {x0.dtype}; use x0.astype(np.{part.dtype}).")
    return check_input(above, x0), part.input_shape
