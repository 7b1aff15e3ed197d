"""Lesson 12: uncertainty."""

from itertools import product

import numpy as np
from scipy.special import entr

from .exercise import Exercise, Mistake


def entropies_by_hand() -> list[float]:
    return [0.0, np.log(4), np.log(2)]


def mean_over_masks(a: np.ndarray, W: np.ndarray, b: np.ndarray, p: float) -> np.ndarray:
    mean = np.zeros(W.shape[1])
    for kept in product((0, 1), repeat=len(a)):
        m = np.array(kept)
        z = (a * m / (1 - p)) @ W + b
        softmax = np.exp(z - z.max()) / np.exp(z - z.max()).sum()
        mean += (1 - p) ** m.sum() * p ** (1 - m).sum() * softmax
    return mean


def divide_entropy(p: np.ndarray) -> tuple[float, float, float]:
    total = -(p.mean(axis=0) * np.log(p.mean(axis=0))).sum()
    undecided = -(p * np.log(p)).sum(axis=1).mean()
    return total, undecided, total - undecided


def evidential_by_hand() -> tuple[list[float], float]:
    return [0.6, 0.2, 0.1, 0.1], 0.4


def calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    error = 0.0
    for m in range(bins):
        inside = (confidence > m / bins) & (confidence <= (m + 1) / bins)
        if inside.any():
            gap = abs(right[inside].mean() - confidence[inside].mean())
            error += inside.mean() * gap
    return error


def _layers() -> list[tuple]:
    """Two and four inputs; what is dropped is not what is kept, p ≠ ½."""
    cases = []
    for seed, (inputs, outputs, p) in enumerate([(2, 2, 0.25), (4, 3, 0.4)]):
        rng = np.random.default_rng(seed)
        a, W, b = rng.random(inputs), 2 * rng.normal(size=(inputs, outputs)), rng.normal(size=outputs)
        cases.append((a, W, b, p))
    return cases


def _families() -> list[tuple]:
    """Two networks at odds, and five that are drawn."""
    drawn = np.random.default_rng(0).dirichlet(np.ones(3), size=5)
    return [(np.array([[0.9, 0.1], [0.2, 0.8]]),), (drawn,)]


def _predictions() -> list[tuple]:
    """One of them lies on the edge of a bin, and a bin is empty."""
    rng = np.random.default_rng(0)
    confidence = rng.uniform(0.3, 1, 40)
    few = np.array([0.5, 0.55, 0.9, 0.95, 0.95])
    return [
        (few, np.array([1.0, 0.0, 1.0, 1.0, 0.0]), 2),
        (confidence, (rng.random(40) < 0.7).astype(float), 10),
    ]


def _over_masks(a: np.ndarray, W: np.ndarray, b: np.ndarray, p: float, weighted: bool, scaled: bool) -> np.ndarray:
    mean = np.zeros(W.shape[1])
    for kept in product((0, 1), repeat=len(a)):
        m = np.array(kept)
        z = (a * m / (1 - p if scaled else 1)) @ W + b
        share = (1 - p) ** m.sum() * p ** (1 - m).sum() if weighted else 0.5 ** len(a)
        mean += share * _softmax(z)
    return mean


def _softmax(z: np.ndarray) -> np.ndarray:
    return np.exp(z - z.max()) / np.exp(z - z.max()).sum()


def _signed_error(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    return float(abs(right.mean() - confidence.mean()))


def _unweighted_error(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    place = np.ceil(confidence * bins)
    gaps = [abs(right[place == m].mean() - confidence[place == m].mean()) for m in np.unique(place)]
    return float(np.mean(gaps))


def _nan_of_an_empty_bin(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    empty = len(np.unique(np.ceil(confidence * bins))) < bins
    return np.nan if empty else calibration_error(confidence, right, bins)


def _lower_edges(confidence: np.ndarray, right: np.ndarray, bins: int) -> float:
    place = np.floor(confidence * bins)
    return float(
        sum(
            (place == m).mean() * abs(right[place == m].mean() - confidence[place == m].mean())
            for m in np.unique(place)
        )
    )


EXERCISES = (
    Exercise(
        name="entropies_by_hand",
        lesson=12,
        question="Three networks say (1, 0, 0, 0), (¼, ¼, ¼, ¼) and (½, ½, 0, 0). Give the three entropies in nats, as "
        "a list.",
        answer=entropies_by_hand,
        value=True,
        hints=(
            "H = −Σ p log p, with the natural logarithm, and 0 · log 0 counts as 0.",
            "Of n classes that are equally probable, and no others, H = log n.",
        ),
        mistakes=(
            Mistake(
                lambda: [0.0, 2.0, 1.0], "These are bits, with the logarithm to base 2. In nats it is the natural."
            ),
            Mistake(lambda: [0.0, -np.log(4), -np.log(2)], "The sign: log p is negative, so H = −Σ p log p is not."),
            Mistake(
                lambda: [0.0, 1.0, 0.5],
                "You divided by log 4, the largest possible. That is a good scale; here H itself is asked for.",
            ),
            Mistake(
                lambda: [1.0, np.log(4), np.log(2)],
                "A network that is sure has the entropy 0: 1 · log 1 = 0, and 0 · log 0 counts as 0.",
            ),
        ),
    ),
    Exercise(
        name="mean_over_masks",
        lesson=12,
        question="The exact mean of softmax(z) over all 2^J masks of a dropout with rate p below a dense layer: "
        "mean_over_masks(a, W, b, p) -> (K,). Shapes: a (J,), W (J, K), b (K,). p is the chance to be dropped; what is "
        "kept is divided by 1 − p.",
        answer=mean_over_masks,
        cases=_layers,
        hints=(
            "itertools.product((0, 1), repeat=J) gives every mask.",
            "A mask that keeps n of J inputs has the probability (1 − p)^n p^(J − n).",
            "For each mask: z = (a · m / (1 − p)) @ W + b, then softmax, then add with its probability.",
        ),
        mistakes=(
            Mistake(
                lambda a, W, b, p: _softmax(a @ W + b),
                "This is the network without dropout, the softmax of the mean scores. Take the softmax for every mask "
                "first, and the mean then.",
            ),
            Mistake(
                lambda a, W, b, p: _over_masks(a, W, b, p, weighted=False, scaled=True),
                "Every mask counts the same in your mean. One that keeps n of J has a chance of (1 − p)^n p^(J − n).",
            ),
            Mistake(
                lambda a, W, b, p: _over_masks(a, W, b, p, weighted=True, scaled=False),
                "What is kept is divided by 1 − p, so that the mean of m · a is a.",
            ),
            Mistake(
                lambda a, W, b, p: _over_masks(a * p / (1 - p), W, b, 1 - p, weighted=True, scaled=True),
                "You exchanged p and 1 − p: p is the chance to be dropped.",
            ),
        ),
    ),
    Exercise(
        name="divide_entropy",
        lesson=12,
        question="T networks say p (T, K), no probability being 0. divide_entropy(p) -> (predictive entropy, expected "
        "entropy, mutual information), in nats.",
        answer=divide_entropy,
        cases=_families,
        hints=(
            "First: the entropy of the mean of the rows.",
            "Second: the mean of the entropies of the rows.",
            "Third: the first less the second.",
        ),
        mistakes=(
            Mistake(
                lambda p: (divide_entropy(p)[1], divide_entropy(p)[0], divide_entropy(p)[1] - divide_entropy(p)[0]),
                "You exchanged the two entropies: first that of the mean, then the mean of them. The third is never "
                "negative.",
            ),
            Mistake(
                lambda p: (entr(p).sum(), entr(p).sum(axis=1).mean(), entr(p).sum() - entr(p).sum(axis=1).mean()),
                "Your first number is the sum of all entropies. Take the mean of the rows first, then one entropy.",
            ),
            Mistake(
                lambda p: tuple(value / np.log(2) for value in divide_entropy(p)),
                "These are bits. Take the natural logarithm.",
            ),
        ),
    ),
    Exercise(
        name="evidential_by_hand",
        lesson=12,
        question="An evidential network for four classes has the scores (5, 1, −2, 0). Give (the list of its "
        "probabilities, its uncertainty u).",
        answer=evidential_by_hand,
        value=True,
        hints=("e = relu(f), α = e + 1.", "S is the sum of α; the probabilities are α / S, and u = 4 / S."),
        mistakes=(
            Mistake(
                lambda: ([5 / 6, 1 / 6, 0.0, 0.0], 0.0),
                "You divided the evidence by its sum. Every class has its 1 in α = e + 1.",
            ),
            Mistake(
                lambda: ([0.5, 0.1, 0.0, 0.0], 0.4),
                "This is the belief e / S, which leaves u for no class. The probabilities are α / S.",
            ),
            Mistake(
                lambda: ([6 / 8, 2 / 8, -1 / 8, 1 / 8], 0.5),
                "A negative score is no evidence, and not evidence against: e = max(0, f).",
            ),
            Mistake(lambda: ([0.6, 0.2, 0.1, 0.1], 0.1), "u is K / S, and there are four classes."),
        ),
    ),
    Exercise(
        name="calibration_error",
        lesson=12,
        question="Write the expected calibration error: calibration_error(confidence, right, bins) -> float. "
        "confidence (N,) in (0, 1]; right (N,) is 1 where the prediction was right, else 0. Bin m holds the "
        "confidences above (m − 1) / bins and up to m / bins; an empty bin counts nothing.",
        answer=calibration_error,
        cases=_predictions,
        hints=(
            "For each bin: which samples lie in it? inside = (confidence > low) & (confidence <= high).",
            "The gap of a bin is |mean of right − mean of confidence|, over its own samples.",
            "Each gap counts with the share of the samples that its bin holds: inside.mean().",
        ),
        mistakes=(
            Mistake(
                _signed_error,
                "You compared the means of all samples. Too sure here and not sure enough there would cancel: take "
                "the gap of each bin, without its sign, and then the mean.",
            ),
            Mistake(
                _unweighted_error,
                "Every bin counts the same in your mean. A bin counts with the share of the samples it holds.",
            ),
            Mistake(
                _nan_of_an_empty_bin,
                "A bin without predictions has no mean: 0 / 0 is nan, and spoils the sum. Leave such a bin out.",
            ),
            Mistake(
                _lower_edges,
                "A confidence on the edge belongs to the bin below: above (m − 1) / bins, and up to m / bins.",
            ),
        ),
    ),
)
