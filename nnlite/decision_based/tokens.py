"""Tokens: where integers go in, every method explains the embeddings, and gives one number for each token.

shares of the score (LRP, gradient × input, ...)    R_t = Σ_d R_td, which keeps their sum
slopes (gradient, SmoothGrad, ...)                  R_t = √(Σ_d R_td²), their Euclidean norm
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from ..batch import check_batch
from ..network import Network

Function = TypeVar("Function", bound=Callable[..., Any])


def slopes(function: Function) -> Function:
    """The function, whose map is made of slopes: of the features of a token the norm is taken, not the sum."""
    function.slopes = True  # type: ignore[attr-defined]
    return function


def embedded(network: Network, x: np.ndarray) -> tuple[Network, np.ndarray]:
    """The layers above the Embedding, and what it makes of x, (N, T, D).

    Raises TypeError or ValueError: x holds no tokens, or one that is not in the vocabulary.
    """
    check_batch(network, x)
    return network[1:], network[0].forward(x)


def per_token(found: Any, e: np.ndarray, slope: bool = False) -> Any:
    """A map of the embeddings e as one of the tokens (N, T); before the list of all layers' maps it is put.

    >>> R = np.array([[[3.0, -4.0]]])
    >>> per_token(R, np.ones((1, 1, 2))), per_token(R, np.ones((1, 1, 2)), slope=True)
    (array([[-1.]]), array([[5.]]))
    """
    if isinstance(found, list) and found and isinstance(found[0], np.ndarray) and found[0].shape == e.shape:
        return [per_token(found[0], e, slope), *found]
    if not isinstance(found, np.ndarray) or found.shape != e.shape:
        return found
    return np.sqrt((found**2).sum(axis=-1)) if slope else found.sum(axis=-1)
