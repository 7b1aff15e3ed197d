"""What a search climbs: f(x), a number for each sample, and its gradient ∂f/∂x.

An objective is a function x -> (f (N,), ∂f/∂x like x). Three ideas make all of them:

    a function of an array        log p(ω_c), a neuron, ‖a‖², −λ‖x − x̄‖², an expert's log p(x)
    weighted((w, f), ...)         Σ w f
    Through(network, f)           f(network(x)): forward, then the walk back of every other method

So the slides' three forms differ only in what is summed, and in what stands before the network:

    general        weighted((1, Through(network, log p(ω_c))), (−λ, ‖x − x̄‖²))
    with expert    weighted((1, Through(network, log p(ω_c))), (weight, log p(x)))
    in code space  weighted((1, Through(g, Through(network, log p(ω_c)))), (−λ, ‖z‖²))
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import Any

import numpy as np

from ..batch import check_network
from ..decision_based.inputs import like_input, walked
from ..decision_based.method import finite
from ..decision_based.relu_rules import leaking_rule, with_relu_rule
from ..decision_based.target import aimed, explained_class
from ..layers.arguments import number
from ..network import Network
from ..training.losses import log_softmax
from ..walk import Signal, gradient_rule, walk

Objective = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""f(x) -> (the values (N,), the gradient in x, in the shape and dtype of x)."""


@dataclass(frozen=True, eq=False)
class Through:
    """f(network(x)), and its gradient ∂f/∂x = (∂network/∂x)ᵀ ∂f/∂a: the walk back from what f says at the top.

    The network is a classifier, a part of one, a decoder g, a parameterisation, a transformation. `leak` is for a
    search: where closed ReLUs leave a sample no gradient at all, they leak (`relu_rules.leaking_rule`).

    Raises TypeError or ValueError: when called: x does not fit the network, or is not finite.

    >>> from nnlite.layers import Dense
    >>> f = Through(Network([Dense(np.array([[2.0], [1.0]]))]), squared_norm)
    >>> f(np.array([[1.0, 1.0]]))
    (array([9.]), array([[12.,  6.]]))
    """

    network: Network
    f: Objective
    leak: bool = False

    @finite
    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values: list[np.ndarray] = []

        def top(z: np.ndarray) -> np.ndarray:
            value, gradient = self.f(z)
            values.append(value)
            return gradient

        gradient = _climbed(self.network, x, top, self.leak)[1]
        return values[0], gradient

    def draw(self, rng: np.random.Generator) -> Objective:
        f = drawn(self.f, rng)
        return self if f is self.f else replace(self, f=f)


@dataclass(frozen=True, eq=False)
class Score:
    """f_c(x), or the activation of a neuron, as the decision-based methods explain it.

    The target is a class, one for each sample (N,), or a neuron such as ("conv2", 7) (the sum of a map) or ("conv2",
    (7, 3, 4)); None climbs the class that is predicted at each step. A Softmax at the end of the network is left out;
    leak: as in `Through`.

    >>> from nnlite.layers import Dense
    >>> Score(Network([Dense(np.array([[2.0, 0.0], [1.0, -1.0]]))]), 1)(np.array([[1.0, 1.0]]))
    (array([-1.]), array([[ 0., -1.]]))
    """

    network: Network
    target: Any
    leak: bool = False

    @finite
    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        part, top = aimed(self.network, self.target)
        z, gradient = _climbed(part, x, top, self.leak)
        return (top(z) * z).sum(axis=tuple(range(1, z.ndim))), gradient


@dataclass(frozen=True, eq=False)
class LogProbability:
    """log p(ω_c | x) = f_c(x) − log Σ_k e^(f_k(x)); its signal at the top is [k = c] − p_k.

    The target is the class c, or one for each sample (N,). A Softmax at the end of the classifier is left out; with a
    Sigmoid after its one output z, f = (0, z). leak: as in `Through`.

    Source: slides, "Activation maximization"; Montavon et al. 2018, sec. 3.1.

    >>> from nnlite.layers import Identity
    >>> LogProbability(Network([Identity()]), 0)(np.array([[0.0, 0.0]]))
    (array([-0.69314718]), array([[ 0.5, -0.5]]))
    """

    network: Network
    target: Any
    leak: bool = False

    @finite
    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        check_network(self.network, "LogProbability")
        top = AtLogProbability(self.target, self.network)
        z, gradient = _climbed(self.network.to_scores(), x, top, self.leak)
        f = self.network.class_scores(z)
        return log_softmax(f)[np.arange(len(x)), explained_class(f, self.target)], gradient


@dataclass(frozen=True, eq=False)
class AtLogProbability:
    """∂ log p(ω_c | x) / ∂f_k = [k = c] − p_k: the signal at the scores where a probability is to rise.

    >>> from nnlite.layers import Identity
    >>> AtLogProbability(0, Network([Identity()]))(np.array([[0.0, 0.0]]))
    array([[ 0.5, -0.5]])
    """

    target: Any
    network: Network

    def __call__(self, z: np.ndarray) -> np.ndarray:
        f = self.network.class_scores(z)
        top = -np.exp(log_softmax(f))
        top[np.arange(len(z)), explained_class(f, self.target)] += 1
        return top[:, -z.shape[1] :]  # of a binary network's (0, z), that of z


def _climbed(network: Network, x: np.ndarray, top: Signal, leak: bool) -> tuple[np.ndarray, np.ndarray]:
    """The output, and the gradient in x of what `top` says of it.

    With `leak`, a sample whose gradient is 0 everywhere is walked back again by `leaking_rule`: a way up for a search,
    where closed ReLUs leave none.
    """
    check_network(network)
    a, g = walked(network, x, top, [gradient_rule] * len(network))
    lost = ~g[0].any(axis=tuple(range(1, x.ndim)), keepdims=True)
    if leak and lost.any():
        g[0] = np.where(lost, walk(network, x, top, with_relu_rule(network, leaking_rule))[1][0], g[0])
    return a[-1], g[0]


@dataclass(frozen=True, eq=False)
class SquaredDistance:
    """‖x − x̄‖², gradient 2 (x − x̄), with the centre x̄ in the shape of x, or one that broadcasts against one sample.

    Raises ValueError: when called: x̄ has another shape, or is not finite.
    """

    centre: np.ndarray

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return squared_norm(x - like_input(x, np.asarray(self.centre, x.dtype), "centre"))


def squared_norm(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """‖x‖², gradient 2 x.

    >>> squared_norm(np.array([[3.0, 4.0]]))
    (array([25.]), array([[6., 8.]]))
    """
    return np.sum(x * x, axis=tuple(range(1, np.ndim(x)))), 2 * x


def weighted(*terms: tuple[float, Objective]) -> Objective:
    """Σ_i w_i f_i(x): the terms are pairs (w_i, f_i); those of weight 0 are not computed.

    A term that draws (see `drawn`) is drawn with the sum.

    Raises TypeError or ValueError: a term is no such pair: its weight is not a finite number, or its objective not a
    function.

    >>> weighted((1, squared_norm), (-0.5, SquaredDistance(np.ones(2))))(np.array([[1.0, 2.0]]))
    (array([4.5]), array([[2., 3.]]))
    """
    for term in terms:
        if not isinstance(term, (tuple, list)) or len(term) != 2 or not callable(term[1]):
            raise TypeError(
                f"weighted takes pairs of a weight and an objective, a function x -> (values, gradient), got {term!r}."
            )
    return _Sum(tuple((number("weighted", "weight", weight), f) for weight, f in terms))


@dataclass(frozen=True, eq=False)
class _Sum:
    terms: tuple[tuple[float, Objective], ...]

    def __call__(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = [(weight, *f(x)) for weight, f in self.terms if weight]
        if not found:
            return np.zeros(len(x), x.dtype), np.zeros(x.shape, x.dtype)
        values, gradients = zip(*[(w * v, w * g) if w != 1 else (v, g) for w, v, g in found], strict=True)
        return reduce(np.add, values, np.zeros(len(x), x.dtype)), reduce(np.add, gradients)

    def draw(self, rng: np.random.Generator) -> Objective:
        terms = tuple((weight, drawn(f, rng)) for weight, f in self.terms)
        same = all(f is its_draw for (_, f), (_, its_draw) in zip(self.terms, terms, strict=True))
        return self if same else replace(self, terms=terms)


def drawn(f: Objective, rng: np.random.Generator) -> Objective:
    """The objective of one step: what `f.draw(rng)` gives where f is random (such as a jittered one), else f itself."""
    return f.draw(rng) if hasattr(f, "draw") else f
