"""What is explained: the class or the neuron is chosen, and the signal at the top is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from ..batch import check_network
from ..layers.arguments import Shape, as_array, is_integer
from ..network import Network
from ..walk import LocalRule, gradient_rule
from .inputs import activations, walked

STARTS = ("one", "score")

Target = int | np.integer | Sequence[int] | np.ndarray | tuple[str, Any] | None
"""What is explained: a class, a class for each sample, a neuron such as ("conv2", 7), or None: the predicted class."""


def explained_class(scores: np.ndarray, target: Target = None) -> np.ndarray:
    """The class that is explained for each sample: (N,) integers.

    scores: (N, K): the scores of the classes.
    target: a class for all samples, one for each (N,), or None: the class that the network predicts.

    Raises ValueError: the scores are not (N, K), or a target is not an integer from 0 to K - 1.

    >>> scores = np.array([[0.2, 0.9, 0.1], [3.0, 1.0, 2.0]])
    >>> explained_class(scores), explained_class(scores, 2)
    (array([1, 0]), array([2, 2]))
    """
    if scores.ndim != 2 or not scores.shape[1]:
        raise ValueError(f"A network is explained by its scores (N, K), and this one gives {scores.shape}.")
    n, classes = scores.shape
    return scores.argmax(axis=1) if target is None else given_class(n, classes, target)


def given_class(n: int, classes: int, target: Any) -> np.ndarray:
    """The class that `target` gives for each of n samples, checked."""
    chosen = as_array("target", target)
    if chosen.dtype.kind not in "iu" or chosen.shape not in ((), (n,)):
        raise ValueError(f"target takes a class, {n} integers (a class for each sample) or None, got {target!r}.")
    chosen = chosen.astype(np.int64)
    if chosen.size and chosen.view(np.uint64).max() >= classes:  # both ends in one pass: without a sign, -1 is large
        expected = f"classes from 0 to {classes - 1}" if classes > 1 else "0 or None for a network with one output"
        raise ValueError(f"target takes {expected}, got {target!r}.")
    return chosen if chosen.shape else np.full(n, chosen)


# ------------------------------------------------------------------------------------------ the signal at the top


@dataclass(frozen=True, eq=False)
class AtClass:
    """The signal at the scores of the chosen classes, 0 beside them: 1, or with start="score" the score itself.

    >>> AtClass(1)(np.array([[3.0, -2.0]])), AtClass(1, "score")(np.array([[3.0, -2.0]]))
    (array([[0., 1.]]), array([[ 0., -2.]]))
    """

    target: Target = None
    start: str = "one"

    def __call__(self, z: np.ndarray) -> np.ndarray:
        classes = explained_class(z, self.target)
        ones = np.zeros(z.shape, z.dtype)
        ones[np.arange(len(ones)), classes] = 1
        return ones * z if self.start == "score" else ones


@dataclass(frozen=True, eq=False)
class AtNeuron:
    """The signal at one neuron of a layer, or at a whole feature map: 1, or with start="score" what it gives.

    >>> AtNeuron("dense1", 0)(np.array([[3.0, -2.0]]))
    array([[1., 0.]])
    """

    layer: str
    index: Any
    start: str = "one"

    def __call__(self, z: np.ndarray) -> np.ndarray:
        ones = np.zeros(z.shape, z.dtype)
        at: Any = (slice(None), *neuron(z.shape[1:], self.layer, self.index))
        ones[at] = 1
        return ones * z if self.start == "score" else ones


def aimed(network: Network, target: Target = None, start: str = "one") -> tuple[Network, AtClass | AtNeuron]:
    """The layers from the input to what `target` names, and the signal there.

    network, target: as for `explained`.
    start: the signal at the top: "one", or "score", the explained activation itself; 0 beside it.
    """
    check_network(network)
    if not isinstance(start, str) or start not in STARTS:
        raise ValueError(f"start: expected one of {', '.join(map(repr, STARTS))}, got {start!r}.")
    if not is_neuron(target):
        return network.to_scores(), AtClass(target, start)
    return network.prepared(("up to", target[0]), lambda: network.up_to(target[0])), AtNeuron(*target, start)


# ---------------------------------------------------------------------------------------------- what is explained


@dataclass(frozen=True, eq=False)
class Explained:
    """Something that a network computes, and that a method explains: f = Σ of the activations at the chosen places.

    network: the layers from the input to where the explained activation lies.
    a: all activations of these layers, a[0] = x.
    ones: 1 at the chosen places, 0 elsewhere, in the shape of a[-1].
    target: the choice, fixed: the class of each sample (N,), or the neuron as it was given.
    binary: whether the network's one output is a logit, from which a Sigmoid was left out.
    """

    network: Network
    a: list[np.ndarray]
    ones: np.ndarray
    target: Any
    binary: bool = False

    @property
    def score(self) -> np.ndarray:
        """f for each sample: (N,)."""
        return (self.ones * self.a[-1]).sum(axis=tuple(range(1, self.ones.ndim)))

    def predicted(self, z: np.ndarray) -> np.ndarray:
        """The class of each sample from the network's scores z: (N,); without classes the output, 0."""
        return (z[:, 0] > 0).astype(np.int64) if self.binary else z.argmax(axis=1)

    def gradient(self, at: int = 0) -> np.ndarray:
        """∂f / ∂a[at]: the walk back from the top, as far as that activation."""
        return self.network.walk_back(self.a, self.ones, [gradient_rule] * len(self.network), down_to=at)[at]


def explained(network: Network, x: np.ndarray, target: Target = None) -> Explained:
    """The score or the neuron that `target` names, ready to be walked back from.

    network, x: any network and a batch for it. A Softmax at its end, or a Sigmoid after its one output, is left out:
        scores are explained.
    target: a class for all samples, one for each (N,), or None: the predicted class. Or a neuron, (layer, index): the
        activation above the layer of that name at an index such as 7 (for a feature map: the sum of the map) or (7, 3,
        4) (one place in it).

    Raises TypeError or ValueError: x does not fit the network; the target is not a class, or there is no such layer or
    neuron; what it names, or anything beside it, is a NaN or an infinity.

    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.array([[1.0, -2.0]])), ReLU(), Dense(np.array([[1.0], [1.0]]))])
    >>> explained(net, np.array([[3.0]])).score, explained(net, np.array([[3.0]]), ("dense1", 1)).score
    (array([3.]), array([-6.]))
    """
    part, top = aimed(network, target)
    a = activations(part, x)
    if is_neuron(target):
        return Explained(part, a, top(a[-1]), target)
    return Explained(part, a, top(a[-1]), explained_class(a[-1], target), network.is_binary)


def explanation(
    network: Network,
    x: np.ndarray,
    target: Any,
    rules_for: Callable[[Network], Sequence[LocalRule]],
    start: str = "one",
) -> np.ndarray:
    """R on the input: from a signal at the top of what is explained, down by one rule per layer.

    network, x, target: as for `explained`.
    rules_for: what gives the rules of a network, one for each layer, bottom to top: of the network without a Softmax at
        its end, or of its layers up to the neuron.
    start: the signal at the top: "one", or "score", the explained activation itself; 0 beside it.

    Returns (N, ...), the shape of x.
    Raises TypeError or ValueError: as `explained`.

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[1.0, -2.0]]))])
    >>> explanation(net, np.array([[3.0]]), 1, lambda network: [gradient_rule] * len(network), start="score")
    array([[12.]])
    """
    part, top = aimed(network, target, start)
    return walked(part, x, top, rules_for(part))[1][0]


def is_neuron(target: Any) -> TypeGuard[tuple[str, Any]]:
    """Whether `target` names a layer, as in ("conv2", 7), and not classes."""
    return isinstance(target, (tuple, list)) and len(target) == 2 and isinstance(target[0], str)


def neuron(shape: Shape, layer: str, index: Any) -> tuple[int, ...]:
    """The index of a neuron as a tuple, in a layer whose output for one sample has this shape.

    Raises ValueError: it is not an index of the first axis, such as 7, or one for each axis, such as (7, 3, 4).

    >>> neuron((16, 8, 8), "conv2", 7), neuron((16, 8, 8), "conv2", [7, 3, 4])
    ((7,), (7, 3, 4))
    """
    place = tuple(index) if isinstance(index, (tuple, list)) else (index,)
    whole = all(map(is_integer, place))
    if not whole or len(place) not in (1, len(shape)) or any(not 0 <= i < n for i, n in zip(place, shape)):  # noqa: B905
        raise ValueError(
            f"target takes a neuron of layer {layer}, whose output is {shape}: an index below {shape[0]}, or one for "
            f"each axis; got {index!r}."
        )
    return place
