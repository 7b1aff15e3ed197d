"""Pixel flipping: change the pixels in the order of their relevance, and watch the score.

    x⁽⁰⁾ = x,   x⁽ᵏ⁾ = x with the n_k most relevant pixels filled                deletion
    x⁽⁰⁾ = the filling,   x⁽ᵏ⁾ = the filling with these pixels put back          insertion
    AOPC = 1 / (L + 1) Σ_{k=0}^{L} (f_c(x) − f_c(x⁽ᵏ⁾))                          area over the curve

The curve belongs to the network, the order to the explanation. An order that takes what the network uses first makes
the deletion curve fall fast, and the insertion curve rise fast. But x⁽ᵏ⁾ is a picture that the network was not trained
on: `fill` chooses how strange it is.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..decision_based.copies import blocks_of_copies
from ..decision_based.inputs import like_input
from ..decision_based.method import method
from ..decision_based.occlusion import filling
from ..decision_based.target import Target, explained
from ..layers.arguments import count, is_one_of, number
from ..network import Network
from .maps import on_pixels, scores_of_copies

MODES = ("deletion", "insertion")
ORDERS = ("most", "least")


@dataclass(frozen=True, eq=False)
class Flipping:
    """The curve of every sample.

    share: (L + 1,): which part of the pixels (or squares) was flipped at each point, from 0.
    scores, whole: f_c of each sample at each point (N, L + 1), and f_c(x) (N,).
    target: what was explained: the class of each sample (N,), or the neuron.
    """

    share: np.ndarray
    scores: np.ndarray
    whole: np.ndarray
    target: Any

    @property
    def aopc(self) -> np.ndarray:
        """1 / (L + 1) Σ_k (f_c(x) − f_c(x⁽ᵏ⁾)) (N,): for deletion, more is better where "most" goes first."""
        return (self.whole[:, None] - self.scores).mean(axis=1)

    @property
    def area(self) -> np.ndarray:
        """The area under the curve over the share, divided by the last share (N,): the mean height, by trapezoids.

        Of a deletion with "most" first it is the explanation selectivity of Montavon et al. 2018: less is better. Of
        an insertion more is better.
        """
        widths = np.diff(self.share).astype(self.scores.dtype)
        heights = (self.scores[:, 1:] + self.scores[:, :-1]) / 2
        return heights @ widths / widths.sum()


@method
def pixel_flipping(
    network: Network,
    x: np.ndarray,
    R: np.ndarray,
    target: Target = None,
    *,
    mode: str = "deletion",
    order: str = "most",
    steps: int = 50,
    until: float = 1.0,
    size: int = 1,
    fill: float | str | np.ndarray = 0.0,
    rng: np.random.Generator | int = 0,
) -> Flipping:
    """f_c(x⁽ᵏ⁾), k = 0 ... L, while pixels are flipped in the order of R.

    network, x, target: as for `gradient`. The target is fixed on the whole input: None is the class predicted there.
    R: a map for each input: the shape of x, or (N, H, W) for images (N, C, H, W). A pixel is flipped in all its
        channels, and channels of R are summed. Equal pixels go in row-major order.
    mode: "deletion": pixels of x are filled. "insertion": pixels of x are put back into the filling.
    order: "most" relevant first (MoRF) or "least" (LeRF).
    steps: L: how many points follow the first; fewer where there are fewer pixels.
    until: the share that is flipped at the end: above 0, up to 1.
    size: pixels are flipped in squares of this size side by side, in the order of the sum of R over each. Images only.
    fill: as for `occlusion`: a number, an array, "mean", "noise", "flip", or "blur" with σ = 2.5 pixels of 28. Inputs
        that are no images take a number or an array.
    rng: for "noise".

    Raises TypeError or ValueError: x or the target does not fit the network, R does not fit x or is not finite, or an
    option is none of those above.
    Source: Bach et al. 2015, "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance
    propagation" (pixel flipping); Samek et al. 2017, "Evaluating the visualization of what a deep neural network has
    learned", sec. III (AOPC, MoRF); Petsiuk et al. 2018, "RISE: randomized input sampling for explanation of black-box
    models" (insertion and deletion).

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [1.0], [-1.0], [2.0]]))])
    >>> found = pixel_flipping(net, np.ones((1, 4)), np.array([[3.0, 1.0, -1.0, 2.0]]))
    >>> found.scores, found.aopc, found.area
    (array([[ 5.,  2.,  0., -1.,  0.]]), array([3.8]), array([0.875]))
    """
    for name, value, choices in (("mode", mode, MODES), ("order", order, ORDERS)):
        if not is_one_of(value, choices):
            raise ValueError(f"{name} takes one of {', '.join(choices)}, got {value!r}.")
    f = explained(network, x, target)
    filled = _filling(x, fill, rng)
    ranks = _ranks(on_pixels(R, x), order, count("pixel_flipping", "size", size))
    places = int(ranks.max(initial=0)) + 1
    flips = _flips(places, count("pixel_flipping", "steps", steps), until)
    ranks = ranks[:, None] if x.ndim == 4 else ranks
    before, after = (x, filled) if mode == "deletion" else (filled, x)
    scores = np.empty((len(flips), len(x)), x.dtype)
    for which in blocks_of_copies(f, len(flips)):
        now = flips[which].reshape(-1, *[1] * x.ndim)
        scores[which] = scores_of_copies(network, f, np.where(ranks < now, after, before))
    return Flipping(flips / places, np.ascontiguousarray(scores.T), f.score, f.target)


def _filling(x: np.ndarray, fill: Any, rng: Any) -> np.ndarray:
    if x.ndim != 4:
        return like_input(x, fill, "fill")
    return filling(x, fill, window=(1, 1), sigma=2.5 * max(x.shape[2:]) / 28, rng=rng)


def _ranks(R: np.ndarray, order: str, size: int) -> np.ndarray:
    """The place of each pixel in the order, from 0, in the shape of R; the pixels of a square share theirs."""
    if size > 1:
        if R.ndim != 3 or size > min(R.shape[1:]):
            raise ValueError(f"size takes 1, or a square that fits into images; got {size} for maps {R.shape}.")
        rows, columns = (np.arange(0, length, size) for length in R.shape[1:])
        squares = np.add.reduceat(np.add.reduceat(R, rows, axis=1), columns, axis=2)
        over = np.repeat(np.repeat(_ranks(squares, order, 1), size, axis=1), size, axis=2)
        return over[:, : R.shape[1], : R.shape[2]]
    flat = R.reshape(len(R), math.prod(R.shape[1:]))
    places = np.argsort(-flat if order == "most" else flat, axis=1, kind="stable")
    ranks = np.empty_like(places)
    np.put_along_axis(ranks, places, np.arange(flat.shape[1])[None], axis=1)
    return ranks.reshape(R.shape)


def _flips(places: int, steps: int, until: Any) -> np.ndarray:
    """n_0 = 0 < n_1 < ... < n_L: how many are flipped at each point."""
    if not 0 < number("pixel_flipping", "until", until) <= 1:
        raise ValueError(f"until takes a share above 0, up to 1, got {until!r}.")
    last = max(1, round(until * places))
    return np.unique(np.linspace(0, last, min(steps, last) + 1).round().astype(np.int64))
