"""How far does an explanation move when the input moves a little?

    continuity        max over x′ of ‖R(x) − R(x′)‖₁ / ‖x − x′‖₂
    max-sensitivity   max over x′ of ‖R(x) − R(x′)‖₂ / ‖R(x)‖₂

Over x′ near x. Both are estimated from below: the largest of the neighbours that are tried. A constant map is perfectly
stable, so a small number alone is no praise.
"""

import math
from typing import Any

import numpy as np

from ..decision_based.copies import copies_at_once, target_of_copies
from ..decision_based.method import method, takes_network
from ..decision_based.target import Explained, explained
from ..layers.arguments import count, flag, generator, number, unmasked
from ..network import Network
from .maps import Explainer, explainer


@method
def continuity(
    network: Network,
    x: np.ndarray,
    method: str | Explainer,
    target: Any = None,
    *,
    radius: float = 0.05,
    n: int = 10,
    rng: np.random.Generator | int = 0,
    neighbours: np.ndarray | None = None,
) -> np.ndarray:
    """max_k ‖R(x) − R(x⁽ᵏ⁾)‖₁ / ‖x − x⁽ᵏ⁾‖₂ for each sample: less is smoother.

    Its unit is that of R over that of x. To compare methods whose maps differ in size, see `max_sensitivity`.

    Parameters
    ----------
    network, x, target
        As for `gradient`. None is the class predicted on x, which stays the class of all neighbours.
    method
        A name in `decision_based.registry.METHODS`, or any function (network, x, target) that gives a map for each
        sample.
    radius
        r: the neighbours are x + u with u_i ~ U(−r, r), brought back between the least and the largest value of the
        sample, so that pixels stay in [0, 1].
    n
        How many neighbours.
    rng
        A Generator or a seed. Neighbour k of every sample moves by the same pattern.
    neighbours
        (K, N, ...) in the dtype of x: the neighbours themselves, such as shifted digits; `radius`, `n` and `rng` then
        do not matter.

    Returns
    -------
    (N,)

    Raises
    ------
    TypeError, ValueError
        There is no such method, it does not fit the network, x or the target does not, an option is none of those
        above, or a neighbour is x itself.

    Source: Montavon et al. 2018, "Methods for interpreting and understanding deep neural networks", section
    "Explanation continuity".

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [4.0]]))])
    >>> x = np.array([[1.0, 2.0]])
    >>> continuity(net, x, "gradient-times-input", neighbours=np.array([[[2.0, 2.0]], [[1.0, 1.5]]]))
    array([4.])
    """
    f = explained(network, x, target)
    near = _neighbours(x, radius, n, rng, neighbours)
    moved = _norm(near - x, 2)
    if not moved.all():
        raise ValueError("A neighbour is x itself: there is nothing to divide by. Take a larger radius.")
    R, maps = _maps(network, x, explainer(method), f, near)
    return (_norm(maps - R, 1) / moved).max(axis=0)


@takes_network
def max_sensitivity(
    network: Network,
    x: np.ndarray,
    method: str | Explainer,
    target: Any = None,
    *,
    radius: float = 0.05,
    n: int = 10,
    relative: bool = True,
    rng: np.random.Generator | int = 0,
    neighbours: np.ndarray | None = None,
) -> np.ndarray:
    """max_k ‖R(x⁽ᵏ⁾) − R(x)‖₂ / ‖R(x)‖₂ for each sample: 0.1 says that the map moved by a tenth of its size.

    Parameters
    ----------
    relative
        Divide by ‖R(x)‖₂, as captum does. False: as in the paper, in the unit of R. Where R(x) is zero, 0 if it stays
        zero, else infinite.

    All others, Returns, Raises: as `continuity`.

    Source: Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations", section on max-sensitivity.

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [4.0]]))])
    >>> max_sensitivity(net, np.array([[1.0, 0.0]]), "gradient-times-input", neighbours=np.array([[[1.5, 0.0]]]))
    array([0.5])
    """
    f = explained(network, x, target)
    near = _neighbours(x, radius, n, rng, neighbours)
    R, maps = _maps(network, x, explainer(method), f, near)
    worst = _norm(maps - R, 2).max(axis=0)
    if not flag("max_sensitivity", "relative", relative):
        return worst
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(worst == 0, 0, worst / _norm(R[None], 2)[0]).astype(worst.dtype)


def _neighbours(x: np.ndarray, radius: Any, n: Any, rng: Any, given: Any) -> np.ndarray:
    """(K, N, ...)."""
    if given is not None:
        if (
            not isinstance(unmasked("neighbours", given), np.ndarray)
            or given.shape[1:] != x.shape
            or not len(given)
            or given.dtype != x.dtype
        ):
            came = f"{given.shape} {given.dtype}" if isinstance(given, np.ndarray) else type(given).__name__
            raise ValueError(f"neighbours takes an array (K, *{x.shape}) {x.dtype}, and {came} came.")
        return given
    if number("neighbours", "radius", radius) <= 0:
        raise ValueError(f"radius must be more than 0, and {radius!r} came.")
    n, rng = count("neighbours", "n", n), generator("neighbours", "rng", rng)
    u = rng.uniform(-radius, radius, (n, 1, *x.shape[1:])).astype(x.dtype)
    axes = tuple(range(1, x.ndim))
    return np.clip(x + u, x.min(axis=axes, keepdims=True), x.max(axis=axes, keepdims=True))


def _maps(
    network: Network, x: np.ndarray, method: Explainer, f: Explained, near: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """R(x) (N, ...) and R(x⁽ᵏ⁾) (K, N, ...), of one class."""
    R = method(network, x, f.target)
    block, maps = copies_at_once(f), []
    for first in range(0, len(near), block):
        some = near[first : first + block]
        of_some = method(network, some.reshape(-1, *x.shape[1:]), target_of_copies(f, len(some)))
        maps.append(of_some.reshape(len(some), *R.shape))
    return R, np.concatenate(maps)


def _norm(d: np.ndarray, order: int) -> np.ndarray:
    """‖d‖ of each copy and sample: (K, N); in float64, which holds every square of a float32."""
    flat = d.reshape(*d.shape[:2], math.prod(d.shape[2:])).astype(np.float64, copy=False)
    return np.linalg.norm(flat, ord=order, axis=2).astype(d.dtype, copy=False)
