"""What is tested: a map, brought to one number a pixel, or a method, by its name or as a function."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..decision_based.masking import relevance_map
from ..decision_based.registry import METHODS, one_a_sample
from ..finite import NotFinite, is_finite
from ..network import Network

Explainer = Callable[[Network, np.ndarray, Any], np.ndarray]
"""method(network, x, target) -> a map for each sample."""


def on_pixels(R: np.ndarray, x: np.ndarray) -> np.ndarray:
    """One number a pixel, (N, H, W), of a map in the shape of x or without its channels; channels are summed.

    Inputs without channels (N, J) keep one number each.

    Raises
    ------
    ValueError
        R does not fit x, or holds a NaN or an infinity.

    >>> on_pixels(np.ones((1, 3, 1, 2)), np.zeros((1, 3, 1, 2)))
    array([[[3., 3.]]])
    """
    R = relevance_map(R, x)
    return R.sum(axis=1) if R.ndim == 4 else R


def explainer(method: str | Explainer) -> Explainer:
    """The function of a method that is given by its name in `registry.METHODS`, or as a function.

    The function is checked where it is used: a map that is not finite, or not one per sample, is refused.

    Raises
    ------
    ValueError
        There is no method of that name.
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
