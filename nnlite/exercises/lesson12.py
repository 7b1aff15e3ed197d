"""Lesson 12: uncertainty."""

from itertools import product

import numpy as np
from scipy.special import entr

from .exercise import exercise, seeded


@exercise()
def entropies_by_hand() -> list[float]:
    """Three networks say (1, 0, 0, 0), (¼, ¼, ¼, ¼) and (½, ½, 0, 0). Give the three entropies in nats, as a list.

    1. H = −Σ p log p, with the natural logarithm, and 0 · log 0 counts as 0.
    2. Of n classes that are equally probable, and no others, H = log n.
    """
    return [0.0, np.log(4), np.log(2)]


entropies_by_hand.mistakes = lambda answer: {
    "These are bits, with the logarithm to base 2. In nats it is the natural.": [0.0, 2.0, 1.0],
    "The sign: log p is negative, so H = −Σ p log p is not.": [0.0, -np.log(4), -np.log(2)],
    "You divided by log 4, the largest possible. That is a good scale; here H itself is asked for.": [0.0, 1.0, 0.5],
    "A network that is sure has the entropy 0: 1 · log 1 = 0, and 0 · log 0 counts as 0.": [1.0, np.log(4), np.log(2)],
}


# Two and four inputs; what is dropped is not what is kept, p ≠ ½.
@exercise(
    (rng.random(J), 2 * rng.normal(size=(J, K)), rng.normal(size=K), p)
    for rng, (J, K, p) in seeded((2, 2, 0.25), (4, 3, 0.4))
)
def mean_over_masks(a: np.ndarray, W: np.ndarray, b: np.ndarray, p: float) -> np.ndarray:
    """The exact mean of softmax(z) over all 2^J masks of a dropout with rate p below a dense layer: mean_over_masks(a,
    W, b, p) -> (K,). Shapes: a (J,), W (J, K), b (K,). p is the chance to be dropped; what is kept is divided by 1 − p.

    1. itertools.product((0, 1), repeat=J) gives every mask.
    2. A mask that keeps n of J inputs has the probability (1 − p)^n p^(J − n).
    3. For each mask: z = (a · m / (1 − p)) @ W + b, then softmax, then add with its probability.
    """
    mean = np.zeros(W.shape[1])
    for kept in product((0, 1), repeat=len(a)):
        m = np.array(kept)
        z = (a * m / (1 - p)) @ W + b
        softmax = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        mean += (1 - p) ** m.sum() * p ** (1 - m).sum() * softmax
    return mean


mean_over_masks.mistakes = lambda answer, a, W, b, p: {
    "This is the network without dropout, the softmax of the mean scores. Take the softmax for every mask first, "
    "and the mean then.": (mean_over_masks(a, W, b, 0)),
    "Every mask counts the same in your mean. One that keeps n of J has a chance of (1 − p)^n p^(J − n).":
        mean_over_masks(a / (2 * (1 - p)), W, b, 0.5),
    "What is kept is divided by 1 − p, so that the mean of m · a is a.": mean_over_masks(a * (1 - p), W, b, p),
    "You exchanged p and 1 − p: p is the chance to be dropped.": mean_over_masks(a * p / (1 - p), W, b, 1 - p),
}  # fmt: skip


# Two networks at odds, and five that are drawn.
@exercise([(np.array([[0.9, 0.1], [0.2, 0.8]]),), (np.random.default_rng(0).dirichlet(np.ones(3), size=5),)])
def divide_entropy(p: np.ndarray) -> tuple[float, float, float]:
    """T networks say p (T, K), no probability being 0. divide_entropy(p) -> (predictive entropy, expected entropy,
    mutual information), in nats.

    1. First: the entropy of the mean of the rows.
    2. Second: the mean of the entropies of the rows.
    3. Third: the first less the second.
    """
    total = -(p.mean(axis=0) * np.log(p.mean(axis=0))).sum()
    undecided = -(p * np.log(p)).sum(axis=1).mean()
    return total, undecided, total - undecided


divide_entropy.mistakes = lambda answer, p: {
    "You exchanged the two entropies: first that of the mean, then the mean of them. The third is never negative.":
        (answer[1], answer[0], answer[1] - answer[0]),
    "Your first number is the sum of all entropies. Take the mean of the rows first, then one entropy.":
        (entr(p).sum(), entr(p).sum(axis=1).mean(), entr(p).sum() - entr(p).sum(axis=1).mean()),
    "These are bits. Take the natural logarithm.": tuple(value / np.log(2) for value in answer),
}  # fmt: skip


@exercise()
def evidential_by_hand() -> tuple[list[float], float]:
    """An evidential network for four classes has the scores (5, 1, −2, 0). Give (the list of its probabilities, its
    uncertainty u).

    1. e = relu(f), α = e + 1.
    2. S is the sum of α; the probabilities are α / S, and u = 4 / S.
    """
    return [0.6, 0.2, 0.1, 0.1], 0.4


evidential_by_hand.mistakes = lambda answer: {
    "You divided the evidence by its sum. Every class has its 1 in α = e + 1.": ([5 / 6, 1 / 6, 0.0, 0.0], 0.0),
    "This is the belief e / S, which leaves u for no class. The probabilities are α / S.": ([0.5, 0.1, 0.0, 0.0], 0.4),
    "A negative score is no evidence, and not evidence against: e = max(0, f).": ([6 / 8, 2 / 8, -1 / 8, 1 / 8], 0.5),
    "u is K / S, and there are four classes.": ([0.6, 0.2, 0.1, 0.1], 0.1),
}


def _predictions() -> list[tuple]:
    """One of them lies on the edge of a bin, and a bin is empty."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 40)
    few = np.array([0.5, 0.55, 0.9, 0.95, 0.95])
    return [(few, np.array([1.0, 0.0, 1.0, 1.0, 0.0]), 2), (confidence, (rng.random(40) < 0.7).astype(float), 10)]


@exercise(_predictions())
def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    """Write the expected calibration error: calibration_error(confidence, right, bins) -> float. confidence (N,) in (0,
    1]; right (N,) is 1 where the prediction was right, else 0. Bin m holds the confidences above (m − 1) / bins and up
    to m / bins; an empty bin counts nothing.

    1. For each bin: which samples lie in it? inside = (confidence > low) & (confidence <= high).
    2. The gap of a bin is |mean of right − mean of confidence|, over its own samples.
    3. Each gap counts with the share of the samples that its bin holds: inside.mean().
    """
    error = 0.0
    for m in range(bins):
        inside = (confidence > m / bins) & (confidence <= (m + 1) / bins)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            error += inside.mean() * gap
    return error


def _bins(place: np.ndarray, confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The share and the gap of each bin that is not empty; sample n lies in bin place[n]."""
    inside = [place == m for m in np.unique(place)]
    return np.mean(inside, axis=1), np.array([abs(right[i].mean() - confidence[i].mean()) for i in inside])


calibration_error.mistakes = lambda answer, confidence, right, bins: {
    "You compared the means of all samples. Too sure here and not sure enough there would cancel: take the gap of "
    "each bin, without its sign, and then the mean.": (float(abs(right.mean() - confidence.mean()))),
    "Every bin counts the same in your mean. A bin counts with the share of the samples it holds.":
        _bins(np.ceil(confidence * bins), confidence, right)[1].mean(),
    "A bin without predictions has no mean: 0 / 0 is nan, and spoils the sum. Leave such a bin out.":
        answer if len(np.unique(np.ceil(confidence * bins))) == bins else np.nan,
    "A confidence on the edge belongs to the bin below: above (m − 1) / bins, and up to m / bins.":
        np.prod(_bins(np.floor(confidence * bins), confidence, right), axis=0).sum(),
}  # fmt: skip
