"""What the forms of activation maximization share: which classes, what says them, and what a search came to."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.ndimage import gaussian_filter

from ..layers.arguments import is_integer, is_one_of, number
from ..network import Network
from ..training.losses import softmax
from .ascent import Ascent, Projection, box
from .generators import Generator
from .objectives import LogProbability, Objective, Score
from .transformations import Jitter, Robust

OBJECTIVES: dict[str, Callable[..., Objective]] = {"log_probability": LogProbability, "score": Score}
"""What is climbed: log p(ω_c | x) as the slides write it, or the score f_c(x), which does not saturate."""


@dataclass(frozen=True, eq=False)
class Prototype(Ascent):
    """An input for each class that the network is sure of, and how it was found: in code space the images g(z).

    classes: the class of each, (N,).
    probability, score: p(ω_c | x) and f_c(x), (N,).
    start_probability: p(ω_c | start), (N,): in code space, of what the generator knew by itself.
    z: the codes (N, d) of x, in code space; else None.
    """

    classes: np.ndarray
    probability: np.ndarray
    score: np.ndarray
    start_probability: np.ndarray
    z: np.ndarray | None = None


def prototype(network: Network, classes: np.ndarray, found: Ascent, generator: Generator | None = None) -> Prototype:
    """What a search came to; among the codes of a generator, where it is given."""
    z, x, start, trajectory = None, found.x, found.start, found.trajectory
    if generator is not None:
        z, x, start = found.x, generator(found.x), generator(found.start)
        trajectory = None if trajectory is None else np.stack([generator(codes) for codes in trajectory])
    chosen = np.arange(len(classes)), classes
    scores = network.class_scores(network.scores(x))
    before, after = softmax(network.class_scores(network.scores(start)))[chosen], softmax(scores)[chosen]
    return Prototype(x, start, found.values, trajectory, classes, after, scores[chosen], before, z)


def says(network: Network, classes: np.ndarray, objective: str, jitter: int) -> Objective:
    """What rises as the network says the class; with jitter, of x moved by up to so many pixels."""
    if not is_one_of(objective, OBJECTIVES):
        raise ValueError(f"objective takes one of {', '.join(OBJECTIVES)}, got {objective!r}.")
    if objective == "score" and network.is_binary:
        raise ValueError('A network with one output has no score for each class; take objective="log_probability".')
    f, moved = OBJECTIVES[objective](network, classes, leak=True), Jitter(jitter)
    return Robust([moved], f) if jitter else f


def chosen_classes(network: Network, classes: Any) -> np.ndarray:
    """A class, several, or "all", as (N,) integers; ValueError for others, or where the input_shape is not known."""
    if network.input_shape is None:
        raise ValueError(
            "The network does not say which inputs it takes; make it with input_shape, as in "
            "Network(network.layers, input_shape=(1, 28, 28))."
        )
    scores = network.to_scores().output_shape((1, *network.input_shape))
    if len(scores) != 2:
        raise ValueError(f"A class is maximized in a network that gives scores (N, K), and this one gives {scores}.")
    count = network.class_scores(np.empty((0, scores[1]))).shape[1]
    if isinstance(classes, str) and classes == "all":
        return np.arange(count)
    several = isinstance(classes, (list, tuple, range)) or (isinstance(classes, np.ndarray) and classes.ndim)
    given = list(classes) if several else [classes]
    if not given or not all(is_integer(c) and 0 <= c < count for c in given):
        raise ValueError(f'classes takes a class from 0 to {count - 1}, several of them, or "all"; got {classes!r}.')
    return np.array(given, np.int64)


def from_zero(name: str, value: Any) -> float:
    """A finite number from 0, or a ValueError that names it."""
    return number("activation maximization", name, value, least=0)


def blurred_box(low: float, high: float, blur: float, network: Network) -> Projection:
    """The projection onto [low, high]; with blur, of images under a Gaussian of that standard deviation in pixels."""
    inside, blur = box(low, high), from_zero("blur", blur)
    if not blur:
        return inside
    if len(network.input_shape or ()) != 3:
        raise ValueError(f"blur takes a network of images (C, H, W), and this one takes {network.input_shape}.")
    return lambda x: inside(gaussian_filter(x, (0, 0, blur, blur)))
