"""SmoothGrad: the mean of a gradient over noisy copies of x, and what else the copies tell.

    g^(i)     = method(x + ε^(i)),   ε^(i) ~ N(0, σ²),   σ = level · (max x − min x)
    SmoothGrad  = mean_i g^(i)
    SmoothGrad² = mean_i (g^(i))²
    VarGrad     = mean_i (g^(i) − mean g)²

A ReLU network is linear in small pieces, and its gradient jumps from piece to piece; the mean forgets the jumps.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..layers.arguments import check_callable, count, generator, number
from ..network import Network
from .copies import blocks_of_copies, given_copies, target_of_copies
from .gradient import gradient
from .method import method
from .target import Target, explained
from .tokens import slopes

GradientLike = Callable[[Network, np.ndarray, Any], np.ndarray]
"""method(network, x, target) -> a map for each sample."""


@method
@slopes
def smoothgrad(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    method: GradientLike = gradient,
    n: int = 50,
    level: float = 0.15,
    rng: np.random.Generator | int = 0,
    noise: np.ndarray | None = None,
) -> np.ndarray:
    """R = (1 / n) Σ_i method(x + ε^(i)), with ε^(i) ~ N(0, σ²) and σ = level · (max x − min x) of each sample.

    network, x, target: as for `gradient`, and as `method` takes them. None is the class predicted on x, which stays c
        under the noise.
    method: what is averaged: the gradient, or any function (network, x, target) that gives a map for each sample.
    n: how many noisy copies.
    level: σ as a part of the range of each sample.
    rng: a Generator or a seed. Copy i of every sample gets the same standard normal pattern, scaled by the sample's own
        σ, so that a batch gives what its samples give one at a time.
    noise: (n, N, ...) in the dtype of x: the ε^(i) themselves, added as they are; `n`, `level` and `rng` then do not
        matter.

    Returns the mean map, in the shape that `method` gives: (N, ...). A run holds the activations of one copy of the
    batch, or about 2²² numbers where that is more.
    Raises TypeError or ValueError: x does not fit the network, a target is not a class, `n` is not a positive integer,
    `level` is negative, or `noise` has another shape or dtype.
    Source: Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise", sec. 3.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.array([[1.0], [0.0]])), ReLU()])             # max(0, x)
    >>> x = np.array([[0.0, 1.0]])
    >>> gradient(net, x), smoothgrad(net, x, n=4, noise=np.array([[[1.0, 0]], [[-1, 0]], [[2, 0]], [[3, 0]]]))
    (array([[0., 0.]]), array([[0.75, 0.  ]]))
    """
    return _mean(_draws(network, x, target, method, n, level, rng, noise))


@method
def smoothgrad_squared(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    method: GradientLike = gradient,
    n: int = 50,
    level: float = 0.15,
    rng: np.random.Generator | int = 0,
    noise: np.ndarray | None = None,
) -> np.ndarray:
    """R = (1 / n) Σ_i method(x + ε^(i))²: signs no longer cancel.

    Parameters, Returns, Raises: as `smoothgrad`.

    Source: Hooker et al. 2019, "A benchmark for interpretability methods in deep neural networks"
    (SmoothGrad-Squared).

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense
    >>> smoothgrad_squared(Network([Dense(np.array([[3.0], [-2.0]]))]), np.ones((1, 2)))
    array([[9., 4.]])
    """
    return _mean(g**2 for g in _draws(network, x, target, method, n, level, rng, noise))


@method
def vargrad(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    method: GradientLike = gradient,
    n: int = 50,
    level: float = 0.15,
    rng: np.random.Generator | int = 0,
    noise: np.ndarray | None = None,
) -> np.ndarray:
    """R = (1 / n) Σ_i (g^(i) − ḡ)², with g^(i) = method(x + ε^(i)) and ḡ their mean.

    The sum is divided by n (NumPy's ddof = 0), so that VarGrad = SmoothGrad² − (SmoothGrad)².

    Parameters, Returns, Raises: as `smoothgrad`.

    Source: Adebayo et al. 2018, "Local explanation methods for deep neural networks lack sensitivity to parameter
    values" (VarGrad); the running form: Welford 1962, "Note on a method for calculating corrected sums of squares and
    products".

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.array([[1.0], [0.0]])), ReLU()])             # max(0, x)
    >>> x = np.array([[0.0, 1.0]])
    >>> vargrad(net, x, noise=np.array([[[1.0, 0]], [[-1, 0]], [[2, 0]], [[3, 0]]]))
    array([[0.1875, 0.    ]])
    """
    maps = _draws(network, x, target, method, n, level, rng, noise)
    mean = next(maps).copy()
    squares = np.zeros_like(mean)
    count = 1
    for count, g in enumerate(maps, start=2):
        away = g - mean
        mean += away / g.dtype.type(count)
        squares += away * (g - mean)
    return squares / squares.dtype.type(count)


def _mean(maps: Iterator[np.ndarray]) -> np.ndarray:
    total = next(maps).copy()
    count = 1
    for g in maps:
        total += g
        count += 1
    return total / total.dtype.type(count)


def _draws(
    network: Network,
    x: np.ndarray,
    target: Any,
    method: GradientLike,
    n: int,
    level: float,
    rng: np.random.Generator | int,
    noise: np.ndarray | None,
) -> Iterator[np.ndarray]:
    """The map of each noisy copy of the batch, one after the other; copies run together in blocks."""
    f = explained(network, x, target)
    check_callable("method", method, "gradient")
    n = count("smoothgrad", "n", n) if noise is None else len(given_copies(x, noise, "noise"))
    draw = _drawn(x, level, rng) if noise is None else noise.__getitem__
    for which in blocks_of_copies(f, n):
        copies = x + draw(which)
        labels = target_of_copies(f, len(copies))
        g = method(network, copies.reshape(-1, *x.shape[1:]), labels)
        if np.shape(g)[:1] != (len(copies) * len(x),):
            raise ValueError(f"method must give a map for each of {len(copies) * len(x)} inputs, got {np.shape(g)}.")
        yield from g.reshape(*copies.shape[:2], *g.shape[1:])


def _drawn(x: np.ndarray, level: Any, rng: Any) -> Callable[[slice], np.ndarray]:
    """Draws the next ε^(i): standard normal patterns, the same for every sample, times the σ of each."""
    if number("smoothgrad", "level", level) < 0:
        raise ValueError(f"level must be at least 0, got {level!r}.")
    axes = tuple(range(1, x.ndim))
    sigma = x.dtype.type(level) * (x.max(axis=axes, keepdims=True) - x.min(axis=axes, keepdims=True))
    rng = generator("smoothgrad", "rng", rng)
    return lambda which: sigma * rng.standard_normal((which.stop - which.start, 1, *x.shape[1:])).astype(x.dtype)
