"""Ground truth: is the relevance where it is known to belong?

    mass accuracy = Σ_{i in T} R⁺_i / Σ_i R⁺_i
    rank accuracy = |T ∩ {the |T| pixels with the largest R}| / |T|

T are the pixels that make the difference. On drawn digits they are known: `datasets.strokes(with_strokes=True)` says
which pen stroke each pixel belongs to. Erase one stroke of a 4, and a 1 is left: the two differ by that stroke. That
the network sees it so is asked, not assumed (`erase_strokes`), and the question "why 4 and not 1?" is the margin
f_4 − f_1 (`margin`).
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..decision_based.method import method, takes_network
from ..decision_based.target import Target, explained, explained_class
from ..layers import Dense
from ..layers.arguments import as_array, frozen
from ..network import Network
from ..surgery import with_layers


@dataclass(frozen=True, eq=False)
class Erased:
    """What is left of each digit without one of its pen strokes.

    present: (N, S): whether the digit has this stroke, and another beside it.
    drops: (N, S): f_c(x) − f_c(x without the stroke); 0 where it is not present.
    predicted: (N, S): the class of what is left; −1 where the stroke is not present.
    target: (N,): the class c.
    """

    present: np.ndarray
    drops: np.ndarray
    predicted: np.ndarray
    target: np.ndarray


def mass_accuracy(R: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Σ_{i in T} R⁺_i / Σ_i R⁺_i for each sample: how much of the positive relevance lies in T.

    0 for a map without positive relevance; for a map that is the same everywhere, the share of T.

    Shapes: R (N, H, W) or (N, C, H, W), whose channels are summed; truth, T, (N, H, W) booleans.

    Raises ValueError: R and truth do not fit together, R is not finite, truth is not boolean or empty for a sample.
    Source: Arras et al. 2022, "CLEVR-XAI: a benchmark dataset for the ground truth evaluation of neural network
    explanations" (relevance mass accuracy).

    >>> mass_accuracy(np.array([[[3.0, 1.0, -5.0]]]), np.array([[[True, False, False]]]))
    array([0.75])
    """
    flat, inside = _flat(R, truth)
    positive = np.maximum(flat, 0)
    total = positive.sum(axis=1)
    return (positive * inside).sum(axis=1) / np.where(total > 0, total, 1)


def rank_accuracy(R: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """|T ∩ {the |T| pixels with the largest R}| / |T| for each sample; of equal pixels the first in row-major order.

    Shapes, Raises, Source: as `mass_accuracy` (relevance rank accuracy).

    >>> rank_accuracy(np.array([[[3.0, 1.0, 5.0]]]), np.array([[[True, True, False]]]))
    array([0.5])
    """
    flat, inside = _flat(R, truth)
    order = np.argsort(-flat, axis=1, kind="stable")
    sizes = inside.sum(axis=1)
    first = np.arange(flat.shape[1]) < sizes[:, None]
    return (np.take_along_axis(inside, order, axis=1) & first).sum(axis=1) / sizes


@method
def erase_strokes(network: Network, x: np.ndarray, pen: np.ndarray, target: Target = None) -> Erased:
    """Set each pen stroke's pixels to 0, one stroke at a time, and ask the network what is left.

    pen holds the stroke of each pixel of x, (N, H, W), −1 for paper: as `datasets.strokes(n, with_strokes=True)` gives
    it. The target is a class, not a neuron.

    Raises TypeError or ValueError: x does not fit the network, pen does not fit x or is not of integers from −1, or a
    target is not a class.

    >>> from nnlite import datasets, models
    >>> x, _, pen = datasets.strokes(1, seed=1, labels=[4], start=2, with_strokes=True)
    >>> found = erase_strokes(models.load("lenet"), x, pen)
    >>> found.target, found.predicted
    (array([4]), array([[1, 4]]))
    """
    f = explained(network, x, explained_class(network.scores(x), target))
    pen = as_array("pen", pen)
    if x.ndim != 4 or pen.shape != (len(x), *x.shape[2:]) or pen.dtype.kind not in "iu" or pen.min(initial=0) < -1:
        raise ValueError(f"pen takes integers from -1, one a pixel of x {x.shape}, got {pen.shape} {pen.dtype}.")
    count = int(pen.max(initial=-1)) + 1
    drops, predicted = np.zeros((len(x), count), x.dtype), np.full((len(x), count), -1)
    present = np.zeros((len(x), count), bool)
    for k in range(count):
        there = (pen == k).any(axis=(1, 2)) & ((pen >= 0) & (pen != k)).any(axis=(1, 2))
        left = explained(network, np.where((pen == k)[:, None], x.dtype.type(0), x), f.target)
        present[:, k] = there
        drops[there, k] = (f.score - left.score)[there]
        predicted[there, k] = left.predicted(left.a[-1])[there]
    return Erased(present, drops, predicted, f.target)


@takes_network
def margin(network: Network, c: int, d: int) -> Network:
    """The network with one score, f_c − f_d: its explanation says why c and not d.

        w_j = w_jc − w_jd,   b = b_c − b_d        in the last layer, which must be a Dense

    Raises ValueError: c or d is not a class, or the network does not end with a Dense.

    >>> net = Network([Dense(np.array([[3.0, 1.0], [0.0, 2.0]]))])
    >>> margin(net, 0, 1).scores(np.array([[1.0, 1.0]]))
    array([[0.]])
    """
    network = network.to_scores()
    last = network[-1] if len(network) else None
    if not isinstance(last, Dense):
        raise ValueError(f"margin takes a network that ends with a Dense layer, got {network!r}.")
    c, d = (int(k) for k in explained_class(np.zeros((2, last.W.shape[1])), [c, d]))
    W = last.W[:, [c]] - last.W[:, [d]]
    b = None if last.b is None else last.b[[c]] - last.b[[d]]
    row = [*network.layers[:-1], replace(last, W=frozen(W), b=None if b is None else frozen(b))]
    return with_layers(network, row)


def _flat(R: Any, truth: Any) -> tuple[np.ndarray, np.ndarray]:
    """R with its channels summed, and T, both (N, H · W)."""
    R, truth = as_array("R", R), as_array("truth", truth)
    pixels = R.sum(axis=1) if R.ndim == 4 else R
    if truth.ndim != 3 or truth.dtype != bool or pixels.shape != truth.shape or R.dtype.kind not in "iuf":
        raise ValueError(
            "R takes maps (N, H, W) or (N, C, H, W), and truth (N, H, W) booleans for the same pixels; "
            f"got {R.shape} {R.dtype} and {truth.shape} {truth.dtype}."
        )
    if not np.isfinite(R).all():
        raise ValueError("R must be finite, got a NaN or an infinity.")
    flat, inside = pixels.reshape(len(R), -1), truth.reshape(len(R), -1)
    if not inside.any(axis=1).all():
        raise ValueError(f"truth of sample {int(np.flatnonzero(~inside.any(axis=1))[0])} names no pixel.")
    return (flat if flat.dtype.kind == "f" else flat.astype(np.float64)), inside
