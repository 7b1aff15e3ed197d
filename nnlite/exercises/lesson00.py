"""Lesson 00: what interpretability is."""

import numpy as np

from .. import datasets, models
from ..decision_based import lrp
from .exercise import exercise


@exercise([(np.array([1.0, 3.0, 2.0]),), (np.array([1000.0, 999.0, -1000.0]),)])
def probabilities(scores: np.ndarray) -> np.ndarray:
    """Write the softmax so that no score is too large for it: probabilities(scores) -> p, both (K,).

    1. What happens to the fraction if every score is lowered by the same number?
    2. e^(f − m) = e^f e^(−m): the factor cancels in the fraction. Choose m so that no power is large.
    """
    powers = np.exp(scores - scores.max())
    return powers / powers.sum()


probabilities.mistakes = lambda answer, scores: {
    "e^1000 is too large for a float: it becomes infinity. Lower all scores first.":
        np.exp(scores) / np.exp(scores).sum(),
    "These do not sum to 1. Divide by their sum.": np.exp(scores - scores.max()),
    "Scores may be negative: take their exponentials first.": scores / scores.sum(),
}  # fmt: skip


@exercise()
def runner_up() -> list[float]:
    """Which class comes second for x[7:8], and by how much does its score lie below the first? Give [class,
    difference], computed in float64.

    1. np.argsort(scores) puts the largest last.
    2. scores[first] − scores[second], with second = order[-2].
    """
    network = models.load("lenet").astype(np.float64)
    x = datasets.strokes(10, seed=1)[0][7:8].astype(np.float64)
    scores = network.scores(x)[0]
    first, second = np.argsort(scores)[::-1][:2]
    return [second, scores[first] - scores[second]]


def _lenet_scores() -> np.ndarray:
    network = models.load("lenet").astype(np.float64)
    return network.scores(datasets.strokes(10, seed=1)[0][7:8].astype(np.float64))[0]


runner_up.mistakes = lambda answer: {
    "7 is the class that comes first. Which one comes after it?": [7, answer[1]],
    "How far it lies below the first is a positive number.": [answer[0], -answer[1]],
    "That is the last class.": [int(np.argsort(_lenet_scores())[0]), np.ptp(_lenet_scores())],
}


@exercise()
def against_the_second() -> float:
    """Explain the second class of x[7:8] with lrp.epsilon(0), in float64. What do its blue pixels, those with negative
    relevance, sum to?

    1. lrp.relevance(network, x, target=c, rules=lrp.epsilon(0)) explains class c.
    2. R[R < 0] are the blue pixels.
    """
    network = models.load("lenet").astype(np.float64)
    x = datasets.strokes(10, seed=1)[0][7:8].astype(np.float64)
    second = np.argsort(network.scores(x)[0])[-2]
    R = lrp.relevance(network, x, target=int(second), rules=lrp.epsilon(0))
    return R[R < 0].sum()


def _seven(target: int | None = None) -> np.ndarray:
    """LRP-0 on the 7 of the lesson."""
    network = models.load("lenet").astype(np.float64)
    x = datasets.strokes(10, seed=1)[0][7:8].astype(np.float64)
    return lrp.relevance(network, x, target, rules=lrp.epsilon(0))


against_the_second.mistakes = lambda answer: {
    "That is the heatmap of the first class. Give target=.": _seven()[_seven() < 0].sum(),
    "Blue pixels lowered the score: their sum is negative.": -answer,
    "That is the sum of all pixels, the red ones too.": _seven(int(runner_up()[0])).sum(),
}
