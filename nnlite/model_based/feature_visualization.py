"""Feature visualization: images that excite a neuron, a channel, a layer or a class, and that a person can read.

    what          f: a score or a neuron (Score), ‖a_l‖² of a layer, or any objective
    robust        f of the image moved, enlarged and turned at random, anew for every step
    smooth        − λ · penalty, such as TotalVariation
    several       − diversity · likeness of the samples to each other
    how moved     the image by its pixels, or by its Fourier coefficients

and all of it is a sum of objectives, seen through the layers that make the image.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..decision_based.inputs import like_input
from ..decision_based.method import takes_network
from ..layers.arguments import Shape, count, generator, is_one_of, number
from ..network import Network
from .ascent import Ascent, ascend, box
from .fourier import fourier_image, image_coefficients
from .objectives import Objective, Score, Through, squared_norm, weighted
from .penalties import gram_similarity
from .receptive_field import image_shape
from .transformations import Jitter, Robust, Rotation, Scaling, Transformation

STANDARD: tuple[Transformation, ...] = (Jitter(2), Scaling(0.1), Rotation(10))
"""What digits of 28 × 28 pixels stand without becoming others."""

NOISE = 0.01
"""The standard deviation of the noise that a search begins with, about middle grey."""


@dataclass(frozen=True, eq=False)
class Visualization(Ascent):
    """Images (n, C, H, W) in [0, 1] that a search has made; `values` include penalties and transformations.

    activation: f(x), without penalties and transformations: (n,).
    """

    activation: np.ndarray


@takes_network
def visualize(
    network: Network,
    target: Any,
    *,
    n: int = 1,
    parameterization: str = "fourier",
    transformations: Sequence[Transformation] = STANDARD,
    penalties: Sequence[tuple[float, Objective]] = (),
    diversity: float = 0.0,
    diversity_layer: str | None = None,
    shape: Shape | None = None,
    start: np.ndarray | None = None,
    steps: int = 256,
    rate: float = 0.05,
    rng: np.random.Generator | int = 0,
    keep: bool = False,
    progress: bool = False,
) -> Visualization:
    """argmax_x  f(τ(x)) − diversity · gram_similarity(a_l(τ(x))) − Σ_i λ_i penalty_i(x),   τ drawn anew for every step.

    Behind a closed ReLU f has no gradient, and the search would stay where it began: there the ReLU leaks, as in Lucid.
    Which images have moved at all, `ascent.moved` says.

    target: a class (or n of them), whose score is climbed; a neuron such as ("conv2", (7, 3, 4)) or a channel ("conv2",
        7); the name of a layer, for ‖a_l‖²; or an objective, such as LogProbability(network, 3).
    n: how many images, each from other noise.
    parameterization: "fourier" moves the coefficients of `fourier_image`, "pixels" the pixels, held in [0, 1].
    transformations: what the image must stand; () for none.
    penalties: (λ, penalty) pairs, λ from 0: such as (0.3, TotalVariation(2)).
    diversity, diversity_layer: how much the n images are pushed apart, and at which layer: by default the target's, for
        a class the last with feature maps.
    shape: (C, H, W) of one image; by default the network's own.
    start: where to begin, in place of noise: images (n, C, H, W) in [0, 1], or one for all.
    steps, rate: of the search with Adam.
    rng, keep, progress: as in `ascend`; rng also draws the noise.

    Raises TypeError or ValueError: there is no such layer, channel or class; a weight is below 0; the network takes no
    images; an option is unknown; FloatingPointError: the search diverged.
    Source: Olah, Mordvintsev and Schubert 2017, "Feature visualization", Distill.

    >>> from nnlite import models
    >>> v = visualize(models.load("tiny"), ("dense1", 3), transformations=(), steps=20)
    >>> v.x.shape, bool(v.activation[0] > v.values[0, 0])
    ((1, 1, 8, 8), True)
    """
    shape, rng = image_shape(network, shape), generator("visualize", "rng", rng)
    n = count("visualize", "n", n, each=math.prod(shape) * network.dtype.itemsize)
    f = climbed = objective(network, target)
    if _weight("diversity", diversity):
        likeness = _similarity(network, diversity_layer or _maps(network, target, shape), n)
        climbed = weighted((1, f), (-diversity, likeness))
    total = weighted((1, Robust(_transformations(transformations), climbed)), *_penalties(penalties))
    options: dict[str, Any] = {"steps": steps, "rate": rate, "rng": rng, "keep": keep, "progress": progress}
    image = fourier_image(shape, dtype=network.dtype)
    first = _noise(image, n, rng, network.dtype) if start is None else _images(start, (n, *shape), network.dtype)
    if not is_one_of(parameterization, ("fourier", "pixels")):
        raise ValueError(f'parameterization takes "fourier" or "pixels", got {parameterization!r}.')
    if parameterization == "pixels":
        return _result(Network([]), f, ascend(total, first, project=box(), **options))
    return _result(image, f, ascend(Through(image, total), image_coefficients(image, first), **options))


@takes_network
def objective(network: Network, target: Any) -> Objective:
    """f for a target of `visualize`; where closed ReLUs leave an image no gradient at all, they leak.

    Raises ValueError: the target is None, or there is no such layer; what else does not fit is refused when f is
    called.

    >>> from nnlite import models
    >>> f = objective(models.load("tiny"), ("dense1", 3))
    >>> f(np.zeros((1, 1, 8, 8), np.float32))[0].shape
    (1,)
    """
    if callable(target):
        return target
    if isinstance(target, str):
        return Through(network.up_to(target), squared_norm, leak=True)
    if target is None:
        raise ValueError('target takes a class, a neuron such as ("conv2", 7), a layer or an objective; got None.')
    return Score(network, target, leak=True)


def _weight(name: str, value: Any) -> float:
    return number("visualize", f"the weight of {name}, which is subtracted,", value, least=0)


def _penalties(penalties: Sequence[tuple[float, Objective]]) -> list[tuple[float, Objective]]:
    row = isinstance(penalties, (tuple, list))
    if not row or not all(isinstance(p, (tuple, list)) and len(p) == 2 and callable(p[1]) for p in penalties):
        raise TypeError(f"penalties takes pairs (λ, penalty), such as (0.3, TotalVariation(2)), got {penalties!r}.")
    return [(-_weight("penalties", weight), penalty) for weight, penalty in penalties]


def _transformations(transformations: Sequence[Transformation]) -> tuple[Transformation, ...]:
    row = isinstance(transformations, (tuple, list))
    if not row or not all(hasattr(transformation, "draw") for transformation in transformations):
        raise TypeError(
            f"transformations takes a sequence of them, such as (Jitter(2), Rotation(10)), got {transformations!r}."
        )
    return tuple(transformations)


def _similarity(network: Network, layer: str, n: int) -> Objective:
    if n < 2:
        raise ValueError(f"diversity pushes several images apart, and n is {n}; give n from 2.")
    return Through(network.up_to(layer), gram_similarity)


def _maps(network: Network, target: Any, shape: Shape) -> str:
    """The layer of the target; for a class or an objective the last one with feature maps."""
    if isinstance(target, str):
        return target
    if isinstance(target, (tuple, list)) and target and isinstance(target[0], str):
        return target[0]
    for name, above in zip(network.names[::-1], network.shapes((1, *shape))[:0:-1], strict=True):
        if len(above) == 4 and above[2] * above[3] > 1:
            return name
    raise ValueError("diversity compares feature maps, and this network has none; name a layer with diversity_layer.")


def _noise(image: Network, n: int, rng: np.random.Generator, dtype: np.dtype) -> np.ndarray:
    """Images that are middle grey but for a little noise, with the frequencies of photographs."""
    return image.forward((NOISE * rng.standard_normal((n, *(image.input_shape or ())))).astype(dtype))[-1]


def _images(start: np.ndarray, shape: Shape, dtype: np.dtype) -> np.ndarray:
    given = like_input(np.zeros(shape, dtype), start, "start")
    if given.min() < 0 or given.max() > 1:
        raise ValueError(f"start takes images in [0, 1], and they reach from {given.min()} to {given.max()}.")
    return given


def _result(image: Network, f: Objective, found: Ascent) -> Visualization:
    def seen(parameters: np.ndarray) -> np.ndarray:
        return image.forward(parameters)[-1]

    x = seen(found.x)
    path = None if found.trajectory is None else np.stack([seen(step) for step in found.trajectory])
    return Visualization(x, seen(found.start), found.values, path, f(x)[0])
