"""What is explained: the class or the neuron is chosen, and the signal at the top is made."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..layers.arguments import Shape, is_integer
from ..network import Network, Rule, gradient_rule
from ..rows import Start
from .inputs import activations, check_finite, check_input


def explained_class(scores: np.ndarray, target: Any = None) -> np.ndarray:
    """The class that is explained for each sample: (N,) integers.

    Parameters
    ----------
    scores
        (N, K): the scores of the classes.
    target
        A class for all samples, one for each (N,), or None: the class that the network predicts.

    Raises
    ------
    ValueError
        The scores are not (N, K), or a target is not an integer from 0 to K - 1.

    >>> scores = np.array([[0.2, 0.9, 0.1], [3.0, 1.0, 2.0]])
    >>> explained_class(scores), explained_class(scores, 2)
    (array([1, 0]), array([2, 2]))
    """
    if scores.ndim != 2 or not scores.shape[1]:
        raise ValueError(f"A network is explained by its scores (N, K), and this one gives {scores.shape}.")
    n, classes = scores.shape
    return scores.argmax(axis=1) if target is None else _given_class(n, classes, target)


def _given_class(n: int, classes: int, target: Any) -> np.ndarray:
    """The class that `target` gives for each of n samples, checked."""
    try:
        chosen = np.asarray(target)
    except ValueError:  # ragged, such as [[1], [2, 3]]
        chosen = np.asarray(None)
    if chosen.dtype.kind not in "iu" or chosen.shape not in ((), (n,)):
        raise ValueError(f"target takes a class, {n} integers (a class for each sample) or None, and {target!r} came.")
    chosen = chosen.astype(np.int64)
    if chosen.size and chosen.view(np.uint64).max() >= classes:  # both ends in one pass: without a sign, -1 is large
        raise ValueError(f"target takes classes from 0 to {classes - 1}, and {target!r} came.")
    return chosen if chosen.shape else np.full(n, chosen)


@dataclass(frozen=True, eq=False)
class Explained:
    """Something that a network computes, and that a method explains: f = Σ of the activations at the chosen places.

    Attributes
    ----------
    network
        The layers from the input to where the explained activation lies.
    a
        All activations of these layers, a[0] = x.
    ones
        1 at the chosen places, 0 elsewhere, in the shape of a[-1].
    target
        The choice, fixed: the class of each sample (N,), or the neuron as it was given.
    """

    network: Network
    a: list[np.ndarray]
    ones: np.ndarray
    target: Any

    @property
    def score(self) -> np.ndarray:
        """f for each sample: (N,)."""
        return (self.ones * self.a[-1]).sum(axis=tuple(range(1, self.ones.ndim)))

    def gradient(self, at: int = 0) -> np.ndarray:
        """∂f / ∂a[at]: the walk back from the top, as far as that activation."""
        above, a = (self.network[at:], self.a[at:]) if at else (self.network, self.a)
        return above.to_input(a, self.ones, [gradient_rule] * len(above))


def explained(network: Network, x: np.ndarray, target: Any = None) -> Explained:
    """The score or the neuron that `target` names, ready to be walked back from.

    Parameters
    ----------
    network, x
        Any network and a batch for it. A Softmax at its end is left out: scores are explained.
    target
        A class for all samples, one for each (N,), or None: the predicted class. Or a neuron, (layer, index): the
        activation above the layer of that name at an index such as 7 (for a feature map: the sum of the map) or
        (7, 3, 4) (one place in it).

    Raises
    ------
    TypeError, ValueError
        x does not fit the network; the target is not a class, or there is no such layer or neuron; what it names, or
        anything beside it, is a NaN or an infinity.

    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.array([[1.0, -2.0]])), ReLU(), Dense(np.array([[1.0], [1.0]]))])
    >>> explained(net, np.array([[3.0]])).score, explained(net, np.array([[3.0]]), ("dense1", 1)).score
    (array([3.]), array([-6.]))
    """
    if is_neuron(target):
        part = network.part(0, network.index(target[0]) + 1)
        a = activations(part, x)
        return Explained(part, a, _at_neuron(a[-1], *target), target)
    network = network.to_scores()
    a = activations(network, x)
    classes = explained_class(a[-1], target)
    ones = np.zeros(a[-1].shape, a[-1].dtype)
    ones[np.arange(len(ones)), classes] = 1
    return Explained(network, a, ones, classes)


def explanation(
    network: Network, x: np.ndarray, target: Any, rules_for: Callable[[Network], Sequence[Rule]], start: str = "one"
) -> np.ndarray:
    """R on the input: from a signal at the top of what is explained, down by one rule a layer.

    Parameters
    ----------
    network, x, target
        As for `explained`.
    rules_for
        What gives the rules of a network, one for each layer, bottom to top: of the network without a Softmax at its
        end, or of its layers up to the neuron.
    start
        The signal at the top: "one", or "score", the explained activation itself; 0 beside it.

    Returns
    -------
    (N, ...), the shape of x.

    Raises
    ------
    TypeError, ValueError
        As `explained`.

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[1.0, -2.0]]))])
    >>> explanation(net, np.array([[3.0]]), 1, lambda network: [gradient_rule] * len(network), start="score")
    array([[12.]])
    """
    at_top = Start.SCORE if start == "score" else Start.ONE
    if not is_neuron(target):
        scores = network.to_scores()
        done = in_one(scores, x, target, rules_for(scores), at_top)
        if done is not None:
            return done[0]
    f = explained(network, x, target)
    R = f.ones * f.a[-1] if start == "score" else f.ones
    return f.network.to_input(f.a, R, rules_for(f.network))


def in_one(
    network: Network, x: np.ndarray, target: Any, rules: Sequence[Rule], start: Start
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """R on the input, the scores (N, K) and the classes (N,), up and down in one call.

    None for networks that do not run as one row.

    Parameters, Raises: as `explanation`; `rules` are those of the layers, the target is no neuron, and the network has
    no Softmax at its end.
    """
    found = network.in_one(x, rules)  # first: where there is none, `explained` checks x
    if found is None or len(found[0].shapes[-1]) != 1 or not found[0].size_above:  # no classes: an error, elsewhere
        return None
    row, ways = found
    check_input(network, x)
    classes = np.full(len(x), -1) if target is None else _given_class(len(x), row.size_above, target)
    R, scores = row.through(x, classes, start, ways)
    check_finite(network, scores)
    return R, scores, classes


def is_neuron(target: Any) -> bool:
    """Whether `target` names a layer, as in ("conv2", 7), and not classes."""
    return isinstance(target, (tuple, list)) and len(target) == 2 and isinstance(target[0], str)


def neuron(shape: Shape, layer: str, index: Any) -> tuple[int, ...]:
    """The index of a neuron as a tuple, in a layer whose output for one sample has this shape.

    Raises
    ------
    ValueError
        It is not an index of the first axis, such as 7, or one for each axis, such as (7, 3, 4).

    >>> neuron((16, 8, 8), "conv2", 7), neuron((16, 8, 8), "conv2", [7, 3, 4])
    ((7,), (7, 3, 4))
    """
    place = tuple(index) if isinstance(index, (tuple, list)) else (index,)
    whole = all(map(is_integer, place))
    if not whole or len(place) not in (1, len(shape)) or any(not 0 <= i < n for i, n in zip(place, shape)):  # noqa: B905
        raise ValueError(
            f"target takes a neuron of layer {layer}, whose output is {shape}: an index below {shape[0]}, or one for "
            f"each axis; {index!r} came."
        )
    return place


def _at_neuron(a: np.ndarray, layer: str, index: Any) -> np.ndarray:
    """1 at the index of every sample: a whole feature map, or one place."""
    ones = np.zeros_like(a)
    at: Any = (slice(None), *neuron(a.shape[1:], layer, index))
    ones[at] = 1
    return ones
