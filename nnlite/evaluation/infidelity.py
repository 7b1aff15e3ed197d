"""Infidelity: do the shares of an explanation say what a change of the input does?

    INFD = E_I [(Iᵀ Φ − (f(x) − f(x − I)))²]

I is a change, Iᵀ Φ what the explanation says that it costs, and f(x) − f(x − I) what it does cost.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..decision_based.copies import blocks_of_copies, given_copies
from ..decision_based.method import method
from ..decision_based.occlusion import occlusion
from ..decision_based.target import Target, explained
from ..layers.arguments import count, flag, generator, is_one_of, number
from ..network import Network
from .maps import on_pixels, scores_of_copies

CHANGES = ("squares", "noise")


@method
def infidelity(
    network: Network,
    x: np.ndarray,
    R: np.ndarray,
    target: Target = None,
    *,
    change: str = "squares",
    size: int | tuple[int, int] | None = None,
    level: float = 0.2,
    n: int = 100,
    scaled: bool = False,
    rng: np.random.Generator | int = 0,
    noise: np.ndarray | None = None,
) -> np.ndarray:
    """INFD = mean over changes of (said − done)² for each sample, in the square of the score: less is better.

    network, x, target: as for `gradient`.
    R: a map for each input. What it means decides which change fits it; see `change`.
    change: "squares": every window of x at stride 1 is set to 0. Said is Σ R over the window, done is the drop that
        `occlusion` measures: R must be a share of the score (a slope g becomes one as x · g). Images only. "noise": I ~
        N(0, level²) a pixel. Said is Σ I_i R_i, done is f(x) − f(x − I): R must be a slope.
    size: for "squares": the window, as for `occlusion`.
    level, n, rng: for "noise": its standard deviation, above 0, and how many draws.
    noise: (n, N, ...) in the dtype of x: the changes I themselves, such as x − x′ for a reference x′. R must be a
        slope; `change`, `size`, `level`, `n` and `rng` then do not matter.
    scaled: multiply R by the number β that makes the infidelity least, β = E[said · done] / E[said²], a sample at a
        time: for maps whose size means nothing.

    Raises TypeError or ValueError: x or the target does not fit the network, R does not fit x or is not finite, or an
    option is none of those above.
    Source: Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations", sections on infidelity (the
    definition, noisy baseline, square removal, the optimal scaling).

    >>> from nnlite.layers import Dense, Flatten
    >>> net = Network([Flatten(), Dense(np.array([[1.0], [2.0], [-3.0]]))])
    >>> x = np.ones((1, 1, 1, 3))
    >>> infidelity(net, x, np.array([[[[1.0, 2.0, -3.0]]]]), size=(1, 2)), infidelity(net, x, 0 * x, size=(1, 2))
    (array([0.]), array([5.]))
    >>> infidelity(net, x, np.array([[[[1.0, 2.0, 0.0]]]]), noise=np.stack([x, x / 3]))  # (9 + 1) / 2
    array([5.])
    """
    if not is_one_of(change, CHANGES):
        raise ValueError(f"change takes one of {', '.join(CHANGES)}, got {change!r}.")
    if number("infidelity", "level", level) <= 0:
        raise ValueError(f"level must be more than 0, got {level!r}.")
    if noise is None and change == "squares":
        said, done = _squares(network, x, R, target, size)
    else:
        said, done = _noise(network, x, R, target, level, n, rng, noise)
    if flag("infidelity", "scaled", scaled):
        squares = (said**2).sum(axis=1, keepdims=True)
        said = said * np.where(squares > 0, (said * done).sum(axis=1, keepdims=True), 0) / np.where(squares, squares, 1)
    return ((said - done) ** 2).mean(axis=1)


def _squares(network: Network, x: np.ndarray, R: Any, target: Any, size: Any) -> tuple[np.ndarray, np.ndarray]:
    """What each window was said to cost, and what it cost: (N, windows)."""
    found = occlusion(network, x, target, size=size, progress=False)
    windows = np.lib.stride_tricks.sliding_window_view(on_pixels(R, x), found.size, axis=(1, 2))
    flat = len(x), math.prod(found.drops.shape[1:])
    return windows.sum(axis=(3, 4)).reshape(flat), found.drops.reshape(flat)


def _noise(
    network: Network, x: np.ndarray, R: Any, target: Any, level: float, n: Any, rng: Any, given: Any
) -> tuple[np.ndarray, np.ndarray]:
    """What each change was said to cost, and what it cost: (N, n)."""
    f = explained(network, x, target)
    if np.shape(R) != x.shape:
        raise ValueError(f"Noise takes a slope for every input, {x.shape}, as R; got {np.shape(R)}.")
    on_pixels(R, x)  # refuses what is not finite
    if given is None:
        n, draw = count("infidelity", "n", n, each=2 * len(x) * x.itemsize), _drawn(x, level, rng)
    else:
        n, draw = len(given_copies(x, given, "noise")), given.__getitem__
    said, done = np.empty((n, len(x)), np.result_type(x, R)), np.empty((n, len(x)), x.dtype)
    for which in blocks_of_copies(f, n):
        noise = draw(which)
        said[which] = (noise * R).reshape(len(noise), len(x), math.prod(x.shape[1:])).sum(axis=2)
        done[which] = f.score - scores_of_copies(network, f, x - noise)
    return said.T, done.T


def _drawn(x: np.ndarray, level: float, rng: Any) -> Callable[[slice], np.ndarray]:
    """Draws the next changes, (K, 1, ...): every sample meets the same noise."""
    rng = generator("infidelity", "rng", rng)
    return lambda which: (level * rng.standard_normal((which.stop - which.start, 1, *x.shape[1:]))).astype(x.dtype)
