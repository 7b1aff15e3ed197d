"""What is tested: a map, brought to one number a pixel, or a method, by its name or as a function."""

from typing import Any

import numpy as np

from ..decision_based.copies import target_of_copies
from ..decision_based.masking import relevance_map
from ..decision_based.registry import METHODS, Explainer, one_a_sample
from ..decision_based.target import Explained, explained
from ..finite import NotFinite, is_finite
from ..network import Network


def on_pixels(R: np.ndarray, x: np.ndarray) -> np.ndarray:
    """One number a pixel, (N, H, W), of a map in the shape of x or without its channels; channels are summed.

    Inputs without channels (N, J) keep one number each.

    Raises ValueError: R does not fit x, or holds a NaN or an infinity.

    >>> on_pixels(np.ones((1, 3, 1, 2)), np.zeros((1, 3, 1, 2)))
    array([[[3., 3.]]])
    """
    R = relevance_map(R, x)
    return R.sum(axis=1) if R.ndim == 4 else R


def scores_of_copies(network: Network, f: Explained, copies: np.ndarray) -> np.ndarray:
    """f_c of changed copies (copies, N, ...) of the batch: (copies, N)."""
    flat = copies.reshape(-1, *copies.shape[2:])
    return explained(network, flat, target_of_copies(f, len(copies))).score.reshape(copies.shape[:2])


def explainer(method: str | Explainer) -> Explainer:
    """The function of a method that is given by its name in `registry.METHODS`, or as a function.

    The function is checked where it is used: a map that is not finite, or not one per sample, is refused.

    Raises ValueError: there is no method of that name.
    """
    if not callable(method) and not (isinstance(method, str) and method in METHODS):
        raise ValueError(f"There is no method {method!r}; the methods are {', '.join(METHODS)}, or a function.")
    compute: Any = method if callable(method) else METHODS[method].compute

    def checked(network: Network, x: np.ndarray, target: Any) -> np.ndarray:
        R = one_a_sample(compute(network, x, target), x)
        if not is_finite(R):
            raise NotFinite("maps that method gave", "; check it, and the network's weights.")
        return R

    return checked
