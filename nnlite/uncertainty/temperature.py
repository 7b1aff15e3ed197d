"""Temperature scaling: one number makes a network as sure as it may be, and changes no prediction.

    p = softmax(f(x) / T)

T > 1 takes confidence away, T < 1 adds some; the order of the scores stays.
"""

import numpy as np

from ..training.losses import check_labels, check_scores, log_softmax


def temperature(scores: np.ndarray, labels: np.ndarray) -> float:
    """T = argmin_T −1/N Σ_n log softmax(z_n / T)_(label n), by L-BFGS in log T with the exact gradient.

    ∂NLL / ∂log T = −1/T · 1/N Σ_n (Σ_k p_nk z_nk − z_(n, label n))

    The NLL is convex in 1/T, so there is one minimum. It is used as `softmax(scores / T)`, on other samples than those
    that T was found on; fit it on digits that the network was not trained on.

    Parameters
    ----------
    scores
        z (N, K), float32 or float64, before any softmax.
    labels
        The true classes (N,).

    Raises
    ------
    ValueError
        The scores are not (N, K) or not finite, the labels do not fit them; or no one T above 0 is best: every
        label has the highest score of its row (T → 0), the scores of the labels are on average not above the others
        (T → ∞), or all scores of a row are equal (any T).

    Source: Guo et al. 2017, "On calibration of modern neural networks", sec. 4.2.

    >>> scores = np.array([[4.0, 0.0], [4.0, 0.0], [4.0, 0.0], [4.0, 0.0]])  # p = 0.982, and one of four is wrong
    >>> T = temperature(scores, np.array([0, 0, 0, 1]))
    >>> round(T, 4), round(float(1 / (1 + np.exp(-4 / T))), 4)
    (3.641, 0.75)
    """
    check_scores(scores)
    labels = check_labels(labels, *scores.shape)
    if not np.isfinite(scores).all():
        raise ValueError("scores must be finite, and there is a NaN or an infinity in them.")
    z = scores.astype(np.float64)
    z -= z.max(axis=1, keepdims=True)
    of_label = z[np.arange(len(z)), labels]
    _check_minimum(z, of_label)
    largest = np.abs(z).max()
    unit = largest * np.sqrt(((z / largest) ** 2).mean())  # the search does not depend on the size of the scores

    def loss(log_T: np.ndarray) -> tuple[float, np.ndarray]:
        u = z / (unit * np.exp(log_T))
        log_p = log_softmax(u)
        u_label = of_label / (unit * np.exp(log_T))
        value = -log_p[np.arange(len(z)), labels].mean()
        return value, np.array([-((np.exp(log_p) * u).sum(axis=1) - u_label).mean()])

    from scipy.optimize import minimize  # here: it takes a while to import

    found = minimize(loss, np.zeros(1), jac=True, method="L-BFGS-B", options={"ftol": 0, "gtol": 1e-10})
    return float(unit * np.exp(found.x[0]))


def _check_minimum(z: np.ndarray, of_label: np.ndarray) -> None:
    """ValueError unless the NLL, convex in 1/T, falls at 1/T = 0 and rises in the end."""
    if not z.any():
        raise ValueError("The scores of each sample are all equal, so every T gives the same NLL; check the network.")
    if (of_label == 0).all():
        raise ValueError(
            f"Every one of the {len(z)} labels has the highest score, so the NLL falls as long as T does, to T = 0; "
            "fit T on more samples, some of them mistaken."
        )
    if of_label.mean() <= z.mean():
        raise ValueError(
            "The scores of the labels are on average not above those of the other classes, so the NLL is smallest "
            "without any confidence, T = ∞; check that the labels belong to these scores."
        )
