"""Model-parameter randomization: does the map change when the network does?

    W ← random, b ← random, layer by layer from the top down (cascading), or in one layer at a time (independent)
    ρ_l = rank correlation of the map on the trained network and the map on the randomized one

A network with random weights knows nothing. A method whose map stays the same explains something else than what the
network has learned: the picture, or the architecture. A map that changes is not right for that: random numbers do,
and activations below the random layers stay as they were (Binder et al. 2023, "Shortcomings of top-down
randomization-based sanity checks for evaluations of deep neural network explanations").
"""

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..decision_based.method import method
from ..decision_based.registry import Explainer
from ..decision_based.target import Target, explained
from ..layers.arguments import flag, generator
from ..network import Network
from .maps import explainer
from .rank_correlation import rank_correlation


@dataclass(frozen=True, eq=False)
class Randomization:
    """The maps of a method on the trained network and on randomized ones.

    layers: the layers with parameters from the top down: those that were randomized, one after the other.
    maps: (L + 1, N, ...): the map on the trained network, then one for each of the layers.
    target: what was explained in all: the class of each sample (N,) that the trained network predicts unless another
        was given, or the neuron.
    """

    layers: tuple[str, ...]
    maps: np.ndarray
    target: Any

    def correlation(self, *, absolute: bool = False, where: Any = None) -> np.ndarray:
        """ρ of each map with the first (L + 1, N): see `rank_correlation`. The first row is 1, or 0 of a flat map."""
        first = self.maps[0]
        return np.stack([rank_correlation(first, R, absolute=absolute, where=where) for R in self.maps])


@method
def randomized(
    network: Network, layers: str | Iterable[str] | None = None, *, rng: np.random.Generator | int = 0
) -> Network:
    """W ← N(0, mean of W²), b ← N(0, mean of b²) in the given layers: new weights of the size of the old ones.

    Every parameter array is drawn from a normal distribution with its own root mean square, so that the activations
    keep about their size. Without names, in all layers that have parameters. A layer is given the same weights,
    whichever others are randomized with it.

    Raises ValueError: there is no layer of that name, or it has no parameters.

    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.eye(2)), ReLU(), Dense(np.ones((2, 1)))])
    >>> randomized(net, ["dense2"])["dense1"] is net["dense1"]
    True
    """
    rng = generator("randomized", "rng", rng)
    present = _with_parameters(network)
    several = isinstance(layers, Iterable) and not isinstance(layers, str)
    chosen = present if layers is None else tuple(layers) if several else (layers,)
    unknown = [name for name in chosen if not (isinstance(name, str) and name in present)]
    if unknown:
        raise ValueError(f"layers takes some of {', '.join(present)}, which have parameters; got {unknown}.")
    return _with(network, {name: _like(value, rng) for name, value in network.parameters.items()}, chosen)


@method
def randomization(
    network: Network,
    x: np.ndarray,
    method: str | Explainer,
    target: Target = None,
    *,
    cascade: bool = True,
    rng: np.random.Generator | int = 0,
) -> Randomization:
    """R_0 on the trained network, and R_l on networks with random layers.

    network, x, target: as for `gradient`. None is the class that the trained network predicts; it stays the class in
        all.
    method: a name in `decision_based.registry.METHODS`, or any function (network, x, target) that gives a map for each
        sample.
    cascade: True: R_l with the layers 1 ... l from the top randomized. False: with layer l alone. Both use the same
        draw.

    Raises TypeError or ValueError: there is no such method, it does not fit the network, x or the target does not, or
    no layer has parameters.
    Source: Adebayo et al. 2018, "Sanity checks for saliency maps", sec. 3 (cascading, independent). There the fresh
    weights are those of the training's start.

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [1.0], [-2.0]]))])
    >>> found = randomization(net, np.ones((1, 3)), "gradient")
    >>> found.layers, found.correlation().ravel()
    (('dense1',), array([ 1. , -0.5]))
    """
    cascade, rng = flag("randomization", "cascade", cascade), generator("randomization", "rng", rng)
    compute = explainer(method)
    target = explained(network, x, target).target
    layers = _with_parameters(network)[::-1]
    if not layers:
        raise ValueError(f"randomization takes a network with parameters, and {network!r} has none.")
    random = randomized(network, rng=rng).parameters
    maps = [compute(network, x, target)]
    for i, layer in enumerate(layers):
        changed = _with(network, random, layers[: i + 1] if cascade else (layer,))
        maps.append(compute(changed, x, target))
    return Randomization(layers, np.stack(maps), target)


def _with_parameters(network: Network) -> tuple[str, ...]:
    return tuple(name for name, layer in zip(network.names, network, strict=True) if layer.parameters)


def _with(network: Network, parameters: Mapping[str, np.ndarray], layers: Container[Any]) -> Network:
    """The network with those of the parameters that belong to these layers."""
    return network.with_parameters({k: v for k, v in parameters.items() if k.rpartition(".")[0] in layers})


def _like(value: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    size = np.sqrt(np.mean(value.astype(np.float64) ** 2))
    return (size * rng.standard_normal(value.shape)).astype(value.dtype)
