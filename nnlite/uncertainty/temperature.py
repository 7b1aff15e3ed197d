"""Temperature scaling: one number makes a network as sure as it may be, and changes no prediction.

    p = softmax(f(x) / T)

T > 1 takes confidence away, T < 1 adds some; the order of the scores stays.
"""

import numpy as np

from ..training.losses import check_labels, check_scores, softmax


def temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """T = argmin_T −1/N Σ_n log softmax(z_n / T)_(label n): the root of the slope in 1/T, found by its sign.

    ∂NLL / ∂(1/T) = 1/N Σ_n (Σ_k p_nk z_nk − z_(n, label n)),   p = softmax(z / T)

    The NLL is convex in 1/T: its slope rises, and has one root. It is used as `softmax(scores / T)`, on other samples
    than those that T was found on; fit it on digits that the network was not trained on. The scores z (N, K) are those
    before any softmax, the labels (N,) the true classes.

    Raises ValueError: the scores are not (N, K) or not finite, the labels do not fit them; or no one T above 0 is best:
    every label has the highest score of its row (T → 0), the scores of the labels are on average not above the others
    (T → ∞), or all scores of a row are equal (any T).
    Source: Guo et al. 2017, "On calibration of modern neural networks", sec. 4.2; the root: Brent 1973, "Algorithms for
    minimization without derivatives", chapter 4.

    >>> scores = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]])  # p = 0.982, and one of four is wrong
    >>> T = temperature(scores, np.array([0, 0, 0, 1]))
    >>> round(T, 4), round(float(1 / (1 + np.exp(-4 / T))), 4)
    (3.641, 0.75)
    """
    check_scores(scores)
    labels = check_labels(labels, *scores.shape)
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite, got a NaN or an infinity.")
    z = scores.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    largest = float(np.abs(z).max())
    if not largest:
        raise ValueError("The scores of each sample are all equal, so every T gives the same NLL; check the network.")
    z /= largest  # the search does not depend on the size of the scores
    of_label = z[np.arange(len(z)), labels]
    if not of_label.any():
        raise ValueError(
            f"Every one of the {len(z)} labels has the highest score, so the NLL falls as long as T does, to T = 0; "
            "fit T on more samples, some of them mistaken."
        )

    def slope(inverse: float) -> float:
        return float(((softmax(z * inverse) * z).sum(axis=1) - of_label).mean())

    if slope(0.0) >= 0:
        raise ValueError(
            "The scores of the labels are on average not above those of the other classes, so the NLL is smallest "
            "without any confidence, T = ∞; check that the labels belong to these scores."
        )
    above = 1.0
    while slope(above) < 0:
        above *= 4
    from scipy.optimize import brentq  # here: it takes a while to import

    tiny, exact = np.finfo(float).tiny, 4 * np.finfo(float).eps
    return largest / brentq(slope, 0.0, above, xtol=tiny, rtol=exact, maxiter=1000)
