"""LRP with occlusion: erase pixels by their relevance, run again, see which score and class follow.

A heatmap is a claim: these pixels made the decision. Here the claim is put to the test. Erase what it calls important,
and the score must fall; erase what it calls irrelevant, and little may happen. The network is asked, not believed.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..layers.arguments import as_array, integer, is_one_of, number
from ..network import Network
from . import lrp
from .inputs import check_input, like_input
from .method import method
from .target import Explained, Target, explained

WHICH = ("positive", "negative", "top")
DEFAULT_RULES = lrp.montavon2019()


@dataclass(frozen=True, eq=False)
class Masked:
    """Inputs with pixels erased, and what the network makes of them.

    whole, x: (N, ...): the inputs, and the same with `mask` erased.
    mask: (N, ...): true where a pixel was erased.
    score_before, score: (N,): the score of what was explained, before and after.
    predicted_before, predicted: (N,): the class before and after.
    target: what was explained: the class of each sample (N,), or the neuron.
    """

    whole: np.ndarray
    x: np.ndarray
    mask: np.ndarray
    score_before: np.ndarray
    score: np.ndarray
    predicted_before: np.ndarray
    predicted: np.ndarray
    target: Any


@method
def mask_by_relevance(
    network: Network,
    x: np.ndarray,
    R: np.ndarray,
    target: Target = None,
    *,
    which: str = "positive",
    percent: float = 10.0,
    fill: float = 0.0,
) -> Masked:
    """x_i ← fill where the pixel's relevance R_i is chosen; then the network runs again.

    network, x, target: as for `gradient`. The target is fixed on the whole input: None is the class predicted there.
    R: a map for each input: the shape of x, or (N, H, W) for images (N, C, H, W). A map without channels chooses whole
        pixels, which lose all channels; a map with channels chooses each channel of a pixel by itself.
    which: "positive": where R > 0. "negative": where R < 0. "top": the `percent` % of the map with the highest R (at
        least one place; of equal ones the first in row-major order).
    percent: for "top": above 0, up to 100.
    fill: what an erased pixel becomes: a finite number; 0 is black.

    Raises TypeError or ValueError: x or the target does not fit the network, R does not fit x or is not finite, or an
    option is not one of those above.
    Source: slides, "LRP with occlusion"; Samek et al. 2017, sec. III (erasing by relevance).

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0, 0.0], [-1.0, 0.0], [0.0, 2.0]]))])
    >>> x = np.array([[2.0, 1.0, 1.0]])
    >>> after = mask_by_relevance(net, x, lrp.relevance(net, x), which="top", percent=30)
    >>> after.x, after.score_before, after.score, after.predicted
    (array([[0., 1., 1.]]), array([5.]), array([-1.]), array([1]))
    """
    f = explained(network, x, target)
    chosen = _chosen(relevance_map(R, x), which, percent)
    mask = chosen if chosen.shape == x.shape else np.repeat(chosen[:, None], x.shape[1], axis=1)
    erased = np.where(mask, like_input(x, number("mask_by_relevance", "fill", fill), "fill"), x)
    after = explained(network, erased, f.target)
    before, now = _predicted(network, f), _predicted(network, after)
    return Masked(x.copy(), erased, mask, f.score, after.score, before, now, f.target)


@dataclass(frozen=True, eq=False)
class Confusion:
    """A digit that the network gets right, and takes for another once a few pixels are erased.

    number: its place among the digits that were searched.
    label, becomes: what it is, and what the network takes it for afterwards.
    pixels: how many pixels were erased.
    masked: before and after, a batch of one.
    R: why it was `label`: the relevance that chose the pixels.
    R_after: why it is `becomes` now: the relevance of that class on what is left.
    """

    number: int
    label: int
    becomes: int
    pixels: int
    masked: Masked
    R: np.ndarray
    R_after: np.ndarray


@method
def find_confusion(
    network: Network,
    images: np.ndarray,
    labels: np.ndarray,
    label: int = 1,
    becomes: int = 6,
    *,
    rules: lrp.Composite | lrp.Rule = DEFAULT_RULES,
    percents: Sequence[float] = (0.5, 1, 2, 3, 5),
) -> Confusion | None:
    """Search for the slides' "Label 1; predicted 6": the first such digit at the smallest number of erased pixels.

    Every digit with this label that the network gets right is explained; its most relevant pixels are erased, few at
    first, then more, until one of them is taken for `becomes`.

    network, images, labels: the network, and the digits to search, (N, C, H, W) and (N,).
    label, becomes: what the digit is, and what it shall be taken for.
    rules: how it is explained: as for `lrp.relevance`.
    percents: how many % of the pixels are erased, one after the other.

    Returns the case, or None if none was found.
    Raises TypeError or ValueError: the images do not fit the network, or the labels the images; as `lrp.relevance` and
    `mask_by_relevance`.
    Source: slides, "LRP with occlusion".
    """
    check_input(network, images)
    label, becomes = integer("find_confusion", "label", label), integer("find_confusion", "becomes", becomes)
    labels = as_array("labels", labels)
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu":
        raise ValueError(f"labels takes {len(images)} integers, one for each image, got {labels.shape} {labels.dtype}.")
    numbers = np.flatnonzero((labels == label) & (network.predict(images) == label))
    if not len(numbers):
        return None
    x = images[numbers]
    R = lrp.relevance(network, x, label, rules=rules)
    for percent in percents:
        after = mask_by_relevance(network, x, R, label, which="top", percent=percent)
        found = np.flatnonzero(after.predicted == becomes)
        if len(found):
            i = slice(found[0], found[0] + 1)
            masked = Masked(**{field.name: getattr(after, field.name)[i] for field in fields(after)})
            R_after = lrp.relevance(network, masked.x, becomes, rules=rules)
            return Confusion(int(numbers[i][0]), label, becomes, int(masked.mask.sum()), masked, R[i], R_after)
    return None


def relevance_map(R: np.ndarray, x: np.ndarray) -> np.ndarray:
    """R as floats, in the shape of x or without its channels, or ValueError."""
    R = as_array("R", R)
    if R.dtype.kind not in "iuf":
        raise ValueError(f"R takes a map of numbers for each input, got {R.dtype}.")
    if R.shape != x.shape and not (x.ndim == 4 and R.shape == (len(x), *x.shape[2:])):
        raise ValueError(f"R takes a map for each input, {x.shape} or without channels, got {R.shape}.")
    if not np.isfinite(R).all():
        raise ValueError("R must be finite, got a NaN or an infinity.")
    return R if R.dtype.kind == "f" else R.astype(np.float64)


def _predicted(network: Network, f: Explained) -> np.ndarray:
    """The class of each sample, from the scores where they are what is explained."""
    return f.predicted(f.a[-1]) if isinstance(f.target, np.ndarray) else network.predict(f.a[0])


def _chosen(R: np.ndarray, which: str, percent: float) -> np.ndarray:
    """Where the map says that x is erased, in the shape of the map."""
    if not is_one_of(which, WHICH):
        raise ValueError(f"which takes one of {', '.join(WHICH)}, got {which!r}.")
    if not 0 < number("mask_by_relevance", "percent", percent) <= 100:
        raise ValueError(f"percent takes a number above 0, up to 100, got {percent!r}.")
    if which != "top":
        return R > 0 if which == "positive" else R < 0
    flat = R.reshape(len(R), -1)
    count = max(1, round(flat.shape[1] * percent / 100))
    mask = np.zeros(flat.shape, bool)
    np.put_along_axis(mask, np.argsort(-flat, axis=1, kind="stable")[:, :count], True, axis=1)
    return mask.reshape(R.shape)
