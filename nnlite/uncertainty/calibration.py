"""Is a network as often right as it says? Of all digits it calls with 80 %, 80 % should be right.

    conf(B_m) = mean of max_k p_k,   acc(B_m) = share that is right,   over the samples of bin B_m
    ECE = Σ_m |B_m| / N · |acc(B_m) − conf(B_m)|

ECE looks at the predicted class alone, and a network that always says how often it is right on average has none of it.
The negative log-likelihood and the Brier score are proper: their mean is smallest for the true probabilities.
"""

from dataclasses import dataclass

import numpy as np

from ..layers.arguments import count
from ..training.losses import check_labels
from .prediction import check_probabilities


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often a network is right, for each level of its confidence. Empty bins hold zeros.

    counts: |B_m| (M,): the samples with confidence above (m − 1) / M and up to m / M, m = 1 ... M.
    confidence: conf(B_m) (M,): the mean confidence of the bin.
    accuracy: acc(B_m) (M,): the share of the bin that is right.
    """

    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def gaps(self) -> np.ndarray:
        """conf(B_m) − acc(B_m) (M,): above 0 the network is too sure of itself, below 0 not sure enough."""
        return self.confidence - self.accuracy

    @property
    def expected_error(self) -> float:
        """ECE = Σ_m |B_m| / N · |conf(B_m) − acc(B_m)|."""
        return float(self.counts @ np.abs(self.gaps) / self.counts.sum())

    @property
    def maximum_error(self) -> float:
        """MCE = max_m |conf(B_m) − acc(B_m)|."""
        return float(np.abs(self.gaps).max())


def reliability(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 15) -> Reliability:
    """The reliability diagram as numbers: samples by their confidence max_k p_k in `bins` equal bins of (0, 1].

    The p (N, K) are a softmax of scores, the mean of a Prediction, the probabilities of an Evidence; labels (N,).

    Raises ValueError: the rows are no probabilities, the labels do not fit them, or M is not a positive integer.
    Source: Guo et al. 2017, "On calibration of modern neural networks", sec. 2 (after Naeini et al. 2015).

    >>> found = reliability(np.array([[0.9, 0.1], [0.8, 0.2], [0.4, 0.6]]), np.array([0, 1, 1]), bins=2)
    >>> found.counts, found.confidence.round(4), found.accuracy.round(4)
    (array([0, 3]), array([0.    , 0.7667]), array([0.    , 0.6667]))
    """
    p, labels = _checked(probabilities, labels)
    bins = count("reliability", "bins", bins, each=8 * 5)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    upper = np.arange(1, bins) / bins  # of all bins but the last
    upper = upper.astype(probabilities.dtype)  # rounded as the confidences are: 0.6 is the edge of its bin in both
    place = np.searchsorted(upper, confidence, side="left")
    counts, sums, hits = (np.bincount(place, weights, bins) for weights in (None, confidence, right))
    held = np.maximum(1, counts)
    return Reliability(counts, sums / held, hits / held)


def expected_calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 15) -> float:
    """ECE = Σ_m |B_m| / N · |acc(B_m) − conf(B_m)|.

    Raises: as `reliability`. Source: Guo et al. 2017, sec. 2.

    >>> expected_calibration_error(np.array([[0.9, 0.1], [0.9, 0.1]]), np.array([0, 1]))
    0.4
    """
    return reliability(probabilities, labels, bins=bins).expected_error


def maximum_calibration_error(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 15) -> float:
    """MCE = max_m |acc(B_m) − conf(B_m)|, over the bins that hold a sample. One sample is enough to make it large.

    Raises: as `reliability`. Source: Guo et al. 2017, sec. 2.

    >>> maximum_calibration_error(np.array([[0.9, 0.1], [0.9, 0.1], [0.5, 0.5]]), np.array([0, 1, 0]))
    0.5
    """
    return reliability(probabilities, labels, bins=bins).maximum_error


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """NLL = −1/N Σ_n log p_(n, label n), in nats. It is proper.

    Raises ValueError: as `reliability`; or a label has the probability 0, where it is infinite.
    Source: Guo et al. 2017, sec. 2.

    >>> round(negative_log_likelihood(np.array([[0.5, 0.5], [0.25, 0.75]]), np.array([0, 1])), 4)
    0.4904
    """
    p, labels = _checked(probabilities, labels)
    stated = p[np.arange(len(p)), labels]
    if not stated.all():
        n = int(np.flatnonzero(stated == 0)[0])
        raise ValueError(
            f"Class {labels[n]}, the label of sample {n}, has the probability 0, and its logarithm is infinite; where "
            "it is a softmax that has vanished, take training.cross_entropy(scores, labels), or scores in float64."
        )
    return float(-np.log(stated).mean())


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """BS = 1/N Σ_n Σ_k (p_nk − [k = label n])², from 0 to 2. It is proper.

    Raises: as `reliability`. Source: Brier 1950, "Verification of forecasts expressed in terms of probability".

    >>> brier_score(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1]))
    0.25
    """
    p, labels = _checked(probabilities, labels)
    return float(((p - np.eye(p.shape[1])[labels]) ** 2).sum(axis=1).mean())


def _checked(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities in float64, and labels that fit them."""
    p = check_probabilities(probabilities, "N, K")
    return p.astype(np.float64), check_labels(labels, *p.shape)
