"""Integrated gradients: the gradient, averaged along the straight path from a baseline to x.

    R_i = (x_i − x'_i) ∫₀¹ ∂f_c / ∂x_i (x' + t (x − x')) dt

The integral is a sum over points t with weights w. What the path gathers is what the score gained on it,
Σ R = f_c(x) − f_c(x'): to rounding where f is smooth and the steps are enough, slowly where ReLU and max-pooling
put kinks on the path. `completeness_gap` says how much is missing.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np

from ..layers.arguments import check_callable, count, frozen, is_integer, is_one_of, unmasked
from ..network import Network
from .copies import blocks_of_copies, target_of_copies
from .gradient import gradient
from .inputs import several_like_input
from .method import method
from .target import Explained, Target, explained

GradientLike = Callable[[Network, np.ndarray, Any], np.ndarray]
"""method(network, x, target) -> a signal in the shape of x."""


@method
def integrated_gradients(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    baseline: Any = None,
    steps: int = 50,
    quadrature: str = "midpoint",
    gradient: GradientLike = gradient,
) -> np.ndarray:
    """R_i = (x_i − x'_i) Σ_t w_t ∂f_c / ∂x_i (x' + t (x − x')).

    network, x, target: as for `gradient`. None is the class predicted on x, which stays c along the path.
    baseline: x': None for zero; a number; an array in the dtype of x that broadcasts against one input, such as (C, 1,
        1) or (C, H, W); or one for each sample (N, ...). A list of these: the mean of the results from each (expected
        gradients). A stack of references is a list too: `list(stack)`.
    steps: n: how many intervals (for "gauss-legendre": points) the path is cut into.
    quadrature: the points and weights of the sum, see `points`: "midpoint", "gauss-legendre" or "trapezoid".
    gradient: what is integrated: the gradient, or any function (network, x, target) that gives a signal in the shape of
        x, such as guided backpropagation (Σ R is then no longer the gain of the score).

    Returns R (N, ...), the shape of x. A run holds the activations of one copy of the batch, or about 2²² numbers where
    that is more.
    Raises TypeError or ValueError: x does not fit the network, a target is not a class, a baseline has another shape or
    dtype, `steps` is not a positive integer, or there is no such quadrature.
    Source: Sundararajan et al. 2017, "Axiomatic attribution for deep networks", eq. 1 and 3; several baselines: Erion
    et al. 2021, "Improving performance of deep learning models with axiomatic attribution priors and expected
    gradients".

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.array([[1.0], [1.0]]), np.array([-1.0])), ReLU()])    # max(0, x + y − 1)
    >>> integrated_gradients(net, np.array([[3.0, 1.0]]), steps=4)
    array([[2.25, 0.75]])
    """
    f = explained(network, x, target)
    check_callable("gradient", gradient, "decision_based.gradient")
    t, w = points(quadrature, steps)
    starts = several_like_input(x, baseline, "baseline")
    R = np.zeros_like(x)
    for start in starts:
        R += (x - start) * _along_path(network, x, start, t, w, f, gradient)
    return R / x.dtype.type(len(starts))


@method
def completeness_gap(
    network: Network, x: np.ndarray, R: np.ndarray, target: Target = None, *, baseline: Any = None
) -> np.ndarray:
    """f_c(x) − f_c(x') − Σ R for each sample: what an explanation R leaves unexplained.

    network, x, target, baseline: as for the explanation; of several baselines f_c(x') is the mean.
    R: the explanation, in the shape of x.

    Returns (N,).
    Raises TypeError or ValueError: as `integrated_gradients`; R has another shape than x.
    Source: Sundararajan et al. 2017, sec. 3, "Axiom: completeness".

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.array([[1.0], [1.0]]), np.array([-1.0])), ReLU()])
    >>> x = np.array([[3.0, 1.0]])
    >>> for steps in 1, 4, 16:
    ...     print(completeness_gap(net, x, integrated_gradients(net, x, steps=steps)))
    [-1.]
    [0.]
    [0.]
    """
    f = explained(network, x, target)
    if np.shape(unmasked("R", R)) != x.shape:
        raise ValueError(f"R takes the shape of x, {x.shape}, got {np.shape(R)}.")
    starts = several_like_input(x, baseline, "baseline")
    at_start = sum(explained(network, start, f.target).score for start in starts) / x.dtype.type(len(starts))
    return f.score - at_start - np.asarray(R).sum(axis=tuple(range(1, x.ndim)))


def points(quadrature: str, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """∫₀¹ g(t) dt ≈ Σ_i w_i g(t_i): the points t and the weights w, which sum to 1.

        midpoint         n points      t_i = (i + 1/2) / n, w_i = 1 / n
        trapezoid        n + 1 points  t_i = i / n, w_i = 1 / n, at the two ends half of it
        gauss-legendre   n points      the roots of the Legendre polynomial of degree n, brought from [−1, 1] to
                                       [0, 1]; exact for polynomials up to degree 2 n − 1

    Source: Press et al. 2007, "Numerical recipes", sec. 4.1 and 4.6.

    >>> points("trapezoid", 2)
    (array([0. , 0.5, 1. ]), array([0.25, 0.5 , 0.25]))
    """
    if not is_one_of(quadrature, ("midpoint", "gauss-legendre", "trapezoid")):
        raise ValueError(f'quadrature takes "midpoint", "gauss-legendre" or "trapezoid", got {quadrature!r}.')
    # the roots of a Legendre polynomial are the eigenvalues of a square matrix
    each = 16 * (steps if quadrature == "gauss-legendre" and is_integer(steps) else 1)
    steps = count("integrated_gradients", "steps", steps, each=max(0, each))
    if quadrature == "midpoint":
        return (np.arange(steps) + 0.5) / steps, np.full(steps, 1 / steps)
    if quadrature == "trapezoid":
        w = np.full(steps + 1, 1 / steps)
        w[[0, -1]] /= 2
        return np.arange(steps + 1) / steps, w
    roots, w = _gauss_legendre(steps)
    return (1 + roots) / 2, w / 2


@lru_cache(maxsize=16)  # fifty roots take as long as the gradients at ten of them
def _gauss_legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    roots, w = np.polynomial.legendre.leggauss(n)
    return frozen(roots), frozen(w)


def _along_path(
    network: Network,
    x: np.ndarray,
    start: np.ndarray,
    t: np.ndarray,
    w: np.ndarray,
    f: Explained,
    gradient: GradientLike,
) -> np.ndarray:
    """Σ_t w_t times the gradient at each point of the path, (N, ...); points run together in blocks."""
    t, w = t.astype(x.dtype), w.astype(x.dtype)
    along, way = np.zeros_like(x), x - start
    for now in blocks_of_copies(f, len(t)):
        path = np.multiply.outer(t[now], way)
        path += start
        copies = path.reshape(-1, *x.shape[1:])
        g = gradient(network, copies, target_of_copies(f, len(path)))
        if np.shape(g) != copies.shape:
            raise ValueError(f"gradient must give a signal in the shape of its input, got {np.shape(g)}.")
        along += np.tensordot(w[now], g.reshape(path.shape), axes=1)
    return along
