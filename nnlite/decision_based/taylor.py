"""Taylor decomposition: the score by its first-order terms, at once (simple) or layer by layer (deep).

    simple   R = (x − x̃) · ∇f(x̃) at a root x̃: f(x) = f(x̃) + Σ R + remainder
    deep     a root for every neuron instead of one for the whole network: LRP with z⁺, and z^B or w² on the pixels

Σ R = f(x) is a law of the simple form only where f is linear all the way from x̃ to x.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..layers.arguments import count
from ..network import Network
from . import lrp
from .copies import blocks_of_copies, target_of_copies
from .gradient import gradient
from .inputs import like_input
from .method import method, takes_network
from .target import Target, explained


@dataclass(frozen=True, eq=False)
class TaylorExpansion:
    """f(x) = f(x̃) + Σ R + remainder, for each sample.

    R: (x − x̃) · ∇f(x̃), in the shape of x.
    root: x̃, in the shape of x; where no root was found, the point of the search with the smallest |f|.
    f_root: f(x̃) (N,): zero up to rounding where a root was found.
    remainder: f(x) − f(x̃) − Σ R (N,): what the first order leaves out.
    found: whether x̃ is a root (N,).
    """

    R: np.ndarray
    root: np.ndarray
    f_root: np.ndarray
    remainder: np.ndarray
    found: np.ndarray


@method
def simple_taylor(
    network: Network, x: np.ndarray, target: Target = None, *, toward: Any = 0.0, steps: int = 100
) -> TaylorExpansion:
    """R = (x − x̃) · ∇f(x̃), at the root x̃ of f nearest to x on the segment from x toward black.

    The search: f is computed at `steps` equal steps from x to the other end; where its sign first differs from f(x)'s,
    bisection closes in as far as the dtype tells points apart. Of the two points that are left x̃ is the one on x's
    side, so that at a kink the gradient is that of x's side. Two roots within one step are not seen.

    Where the sign never changes there is no root to be had: `found` is False, x̃ is the point of the search with the
    smallest |f| (the nearest to x where several tie), and R the expansion there, which does not explain f(x) but
    f(x) − f(x̃); the two are far apart if f(x̃) is.

    network, x, target: as for `gradient`. None is the class predicted on x, all along the segment.
    toward: the other end of the segment: a number (0 is black), an array in the dtype of x that broadcasts against one
        input, such as (C, 1, 1) or (C, H, W), or one for each sample (N, ...).
    steps: how many steps the search takes.

    Returns a `TaylorExpansion`, finite everywhere.
    Raises TypeError or ValueError: x or `toward` does not fit the network, a target is not a class or a neuron, or
    steps is not a positive integer.
    Source: Bach et al. 2015, sec. "Taylor-type decomposition"; Montavon et al. 2018, sec. 4.2.

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [-1.0]]), np.array([-2.0]))])
    >>> at = simple_taylor(net, np.array([[2.0, 1.0]]))     # f = 3, and 0 at (0.8, 0.4)
    >>> at.root.round(6), at.R.round(6), at.found
    (array([[0.8, 0.4]]), array([[ 3.6, -0.6]]), array([ True]))
    """
    f = explained(network, x, target)
    steps = count("simple_taylor", "steps", steps, each=8 * (len(x) + 1))
    end = like_input(x, toward, "toward")

    def point(t: np.ndarray) -> np.ndarray:
        at = t.reshape(*t.shape, *(1,) * (x.ndim - 1)).astype(x.dtype)
        points = at * x + (1 - at) * end  # exactly x at t = 1, exactly the other end at t = 0
        return points.reshape(t.size, *x.shape[1:])

    def score(t: np.ndarray) -> np.ndarray:
        blocks = [t[now] for now in blocks_of_copies(f, len(t))]
        scores = [explained(network, point(t), target_of_copies(f, len(t))).score for t in blocks]
        return np.concatenate(scores).reshape(t.shape)

    t, found = _nearest_root(score, len(x), steps, np.finfo(x.dtype).nmant)
    root, f_root = point(t), score(t[None])[0]
    R = (x - root) * gradient(network, root, f.target)
    remainder = f.score - f_root - R.sum(axis=tuple(range(1, R.ndim)), dtype=np.float64)
    return TaylorExpansion(R, root, f_root, remainder.astype(x.dtype), found)


@takes_network
def deep_taylor(
    network: Network, x: np.ndarray, target: Target = None, *, low: Any = 0.0, high: Any = 1.0
) -> np.ndarray:
    """R_j = Σ_k (a_j w⁺_jk / Σ_j a_j w⁺_jk) R_k on hidden layers; z^B on the pixels, or w² where they have no bounds.

    Each neuron is expanded at its own root, and these have closed forms: toward a ≥ 0 it is z⁺, toward pixels in
    [low, high] z^B, toward any real numbers w². It is `lrp.relevance` with these rules, from f_c down; the biases are
    left out, so Σ R = f_c but for what reaches a neuron without any positive contribution (`lrp.ledger` books it).

    network, x, target: as `lrp.relevance`. The inputs of hidden layers must be ≥ 0: a network of ReLUs.
    low, high: the bounds of the pixels: numbers, or arrays that broadcast over one input. None for both: unbounded.

    Returns R (N, ...), the shape of x.
    Raises TypeError or ValueError: x does not fit the network or its bounds, only one bound is None, a hidden
    activation is negative, or a target is not a class or a neuron.
    Source: Montavon et al. 2017, "Explaining nonlinear classification decisions with deep Taylor decomposition".

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[1.0], [-1.0]]))])
    >>> deep_taylor(net, np.array([[1.0, 0.0]])), deep_taylor(net, np.array([[3.0, 1.0]]), low=None, high=None)
    (array([[0.5, 0.5]]), array([[1., 1.]]))
    """
    if (low is None) != (high is None):
        raise ValueError(f"Pixels have two bounds or none; got low = {low!r} and high = {high!r}.")
    return lrp.relevance(network, x, target, rules=lrp.deep_taylor(low, high))


def _nearest_root(
    score: Callable[[np.ndarray], np.ndarray], n: int, steps: int, bits: int
) -> tuple[np.ndarray, np.ndarray]:
    """The largest t in [0, 1] where f(t) still has the sign of f(1) and next to it no longer, and whether there is one.

    `score` takes t (P, N) to f (P, N): P points for each sample, and all samples are searched at once.
    """
    grid = np.linspace(1, 0, steps + 1)
    f = score(np.broadcast_to(grid[:, None], (len(grid), n)))
    sign = np.sign(f[0])
    left = f * sign <= 0  # no longer on x's side (where f(x) = 0, x itself is the root)
    found, first = left.any(axis=0), left.argmax(axis=0)
    near, far = grid[np.maximum(first - 1, 0)], grid[first]
    for _ in range(bits):
        middle = (near + far) / 2
        beyond = score(middle[None])[0] * sign <= 0
        near, far = np.where(beyond, near, middle), np.where(beyond, middle, far)
    return np.where(found, near, grid[np.abs(f).argmin(axis=0)]), found
