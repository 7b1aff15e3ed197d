"""The loss of a classifier, and its gradient in the scores."""

from typing import Any

import numpy as np

from ..layers import LogSoftmax
from ..layers.arguments import as_array, is_floats, kind_of


def log_softmax(scores: np.ndarray) -> np.ndarray:
    """log p_k = z_k − log Σ_i e^(z_i), computed from z − max z, so that no score is too large for it.

    Raises ValueError: the scores z are not (N, K), or neither float32 nor float64.
    Source: Goodfellow et al. 2016, "Deep learning", eq. 6.30 and 6.33.

    >>> log_softmax(np.array([[0.0, 1000.0]]))
    array([[-1000.,     0.]])
    """
    check_scores(scores)
    return LogSoftmax().forward(scores)


def softmax(scores: np.ndarray) -> np.ndarray:
    """p_k = e^(z_k) / Σ_i e^(z_i): the probability of each class; each row sums to 1. Raises: as `log_softmax`.

    Source: Goodfellow et al. 2016, "Deep learning", eq. 6.29.

    >>> softmax(np.array([[0.0, 0.0], [-1000.0, 1000.0]]))
    array([[0.5, 0.5],
           [0. , 1. ]])
    """
    return np.exp(log_softmax(scores))


def cross_entropy(scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
    """L = −1/N Σ_n log p_(n, label n) with p = softmax(z);   ∂L/∂z_nk = (p_nk − [k = label n]) / N.

    The loss, a mean over the batch, and its gradient in the scores z (N, K), in their dtype; the labels (N,) are the
    true classes, integers from 0 to K − 1.

    Raises ValueError: the shapes or dtypes are others, the batch is empty, or there is no such class.
    Source: Bishop 2006, "Pattern recognition and machine learning", eq. 4.108 and 4.109.

    >>> loss, dscores = cross_entropy(np.array([[0.0, 0.0]]), np.array([1]))
    >>> round(loss, 4)
    0.6931
    >>> dscores
    array([[ 0.5, -0.5]])
    """
    log_p = log_softmax(scores)
    labels = check_labels(labels, *scores.shape)
    rows = np.arange(len(scores))
    loss = -log_p[rows, labels].mean(dtype=np.float64)
    dscores = np.exp(log_p)
    dscores[rows, labels] -= 1
    return float(loss), dscores / len(scores)


def check_labels(labels: Any, samples: int, classes: int, what: str = "labels") -> np.ndarray:
    """The labels as an array, if they are `samples` integers from 0 to `classes` − 1; else a ValueError."""
    labels = as_array(what, labels)
    if labels.shape != (samples,) or labels.dtype.kind not in "iu":
        advice = " One-hot rows become labels with .argmax(axis=1)." if labels.shape == (samples, classes) else ""
        raise ValueError(
            f"{what} takes one integer for each of the {samples} samples, got {labels.shape} {labels.dtype}.{advice}"
        )
    if labels.min(initial=0) < 0 or labels.max(initial=0) >= classes:
        wrong = int(np.flatnonzero((labels < 0) | (labels >= classes))[0])
        raise ValueError(
            f"{what} takes classes from 0 to {classes - 1}, one for each score of the network, "
            f"and {what}[{wrong}] is {labels[wrong]}."
        )
    return labels


def check_scores(scores: np.ndarray) -> None:
    """ValueError unless the scores are (N, K) with N and K from 1, in float32 or float64."""
    if not is_floats("scores", scores) or scores.ndim != 2 or 0 in scores.shape:
        raise ValueError(f"scores takes a float32 or float64 array (N, K) with N and K from 1, got {kind_of(scores)}.")
