"""How far does an explanation move when the input moves a little?

    continuity        max over x′ of ‖R(x) − R(x′)‖₁ / ‖x − x′‖₂
    max-sensitivity   max over x′ of ‖R(x) − R(x′)‖₂ / ‖R(x)‖₂

Over x′ near x. Both are estimated from below: the largest of the neighbours that are tried. A constant map is perfectly
stable, so a small number alone is no praise.
"""

import math
from collections.abc import Callable, Iterator
from functools import reduce
from typing import Any

import numpy as np

from ..decision_based.copies import blocks_of_copies, given_copies, target_of_copies
from ..decision_based.method import method, takes_network
from ..decision_based.registry import Explainer
from ..decision_based.target import Target, explained
from ..layers.arguments import count, flag, generator, number
from ..network import Network
from .maps import explainer


@method
def continuity(
    network: Network,
    x: np.ndarray,
    method: str | Explainer,
    target: Target = None,
    *,
    radius: float = 0.05,
    n: int = 10,
    low: float | None = None,
    high: float | None = None,
    rng: np.random.Generator | int = 0,
    neighbours: np.ndarray | None = None,
) -> np.ndarray:
    """max_k ‖R(x) − R(x⁽ᵏ⁾)‖₁ / ‖x − x⁽ᵏ⁾‖₂ for each sample: less is smoother.

    Its unit is that of R over that of x. To compare methods whose maps differ in size, see `max_sensitivity`.

    network, x, target: as for `gradient`. None is the class predicted on x, which stays the class of all neighbours.
    method: a name in `decision_based.registry.METHODS`, or any function (network, x, target) that gives a map for each
        sample.
    radius: r: the neighbours are x + u with u_i ~ U(−r, r), as in Yeh et al. and captum, the same u for every sample.
    n: how many neighbours. The memory does not grow with it.
    low, high: where inputs lie: neighbours are brought back to [low, high]. None: there is no such bound. A method that
        takes pixels in [0, 1] alone, such as LRP-γ or z^B, needs low=0, high=1.
    neighbours: (K, N, ...) in the dtype of x: the neighbours themselves, such as shifted digits; `radius`, `n`, `low`,
        `high` and `rng` then do not matter.

    Raises TypeError or ValueError: there is no such method, it does not fit the network, x or the target does not, an
    option is none of those above, x does not lie between low and high, or a neighbour is x itself.
    Source: Montavon et al. 2018, "Methods for interpreting and understanding deep neural networks", section
    "Explanation continuity".

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [4.0]]))])
    >>> x = np.array([[1.0, 2.0]])
    >>> continuity(net, x, "gradient-times-input", neighbours=np.array([[[2.0, 2.0]], [[1.0, 1.5]]]))
    array([4.])
    """
    R, near = _neighbourhood(network, x, method, target, n, (radius, low, high, rng), neighbours)
    return _largest(_norm(maps - R, 1) / moved for moved, maps in near)


@takes_network
def max_sensitivity(
    network: Network,
    x: np.ndarray,
    method: str | Explainer,
    target: Target = None,
    *,
    radius: float = 0.05,
    n: int = 10,
    relative: bool = True,
    low: float | None = None,
    high: float | None = None,
    rng: np.random.Generator | int = 0,
    neighbours: np.ndarray | None = None,
) -> np.ndarray:
    """max_k ‖R(x⁽ᵏ⁾) − R(x)‖₂ / ‖R(x)‖₂ for each sample: 0.1 says that the map moved by a tenth of its size.

    relative: divide by ‖R(x)‖₂, as captum does. False: as in the paper, in the unit of R. Where R(x) is zero, 0 if it
        stays zero, else infinite.

    All others, Raises: as `continuity`.

    Source: Yeh et al. 2019, "On the (in)fidelity and sensitivity of explanations", section on max-sensitivity.

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [4.0]]))])
    >>> max_sensitivity(net, np.array([[1.0, 0.0]]), "gradient-times-input", neighbours=np.array([[[1.5, 0.0]]]))
    array([0.5])
    """
    R, near = _neighbourhood(network, x, method, target, n, (radius, low, high, rng), neighbours)
    worst = _largest(_norm(maps - R, 2) for _, maps in near)
    if not flag("max_sensitivity", "relative", relative):
        return worst
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(worst == 0, 0, worst / _norm(R[None], 2)[0]).astype(worst.dtype)


def _neighbourhood(
    network: Network, x: np.ndarray, method: str | Explainer, target: Any, n: Any, drawing: tuple[Any, ...], given: Any
) -> tuple[np.ndarray, Iterator[tuple[np.ndarray, np.ndarray]]]:
    """R(x) (N, ...); and a block of neighbours at a time ‖x − x⁽ᵏ⁾‖₂ (K, N) and R(x⁽ᵏ⁾) (K, N, ...), of one class."""
    f, compute = explained(network, x, target), explainer(method)
    if given is None:
        n, draw = count("neighbours", "n", n), _drawn(x, *drawing)
    else:
        n, draw = len(given_copies(x, given, "neighbours")), given.__getitem__
    R = compute(network, x, f.target)

    def blocks() -> Iterator[tuple[np.ndarray, np.ndarray]]:
        for which in blocks_of_copies(f, n):
            near = draw(which)
            moved = _norm(near - x, 2)
            if not moved.all():
                raise ValueError("A neighbour is x itself, and says nothing of what is near x. Take a larger radius.")
            maps = compute(network, near.reshape(-1, *x.shape[1:]), target_of_copies(f, len(near)))
            yield moved, maps.reshape(len(near), *R.shape)

    return R, blocks()


def _drawn(x: np.ndarray, radius: Any, low: Any, high: Any, rng: Any) -> Callable[[slice], np.ndarray]:
    """Draws the next neighbours, (K, N, ...): x moved by the same patterns in every sample."""
    if number("neighbours", "radius", radius) <= 0:
        raise ValueError(f"radius must be more than 0; got {radius!r}.")
    least = -math.inf if low is None else number("neighbours", "low", low)
    most = math.inf if high is None else number("neighbours", "high", high)
    if not ((x >= x.dtype.type(least)) & (x <= x.dtype.type(most))).all():
        raise ValueError(f"x must lie between low and high, {least:g} and {most:g}; got {x.min():g} to {x.max():g}.")
    rng = generator("neighbours", "rng", rng)

    def draw(which: slice) -> np.ndarray:
        u = rng.uniform(-radius, radius, (which.stop - which.start, 1, *x.shape[1:])).astype(x.dtype)
        return np.clip(x + u, x.dtype.type(least), x.dtype.type(most))

    return draw


def _largest(blocks: Iterator[np.ndarray]) -> np.ndarray:
    """The largest over all neighbours, of (K, N) a block: (N,)."""
    return reduce(np.maximum, (block.max(axis=0) for block in blocks))


def _norm(d: np.ndarray, order: int) -> np.ndarray:
    """‖d‖ of each copy and sample: (K, N); in float64, which holds every square of a float32."""
    flat = d.reshape(*d.shape[:2], math.prod(d.shape[2:])).astype(np.float64, copy=False)
    return np.linalg.norm(flat, ord=order, axis=2).astype(d.dtype, copy=False)
