"""Layer-wise relevance propagation: the explained score is divided among the pixels, layer by layer.

    signal at the top   the explained score itself
    local rule          z, s, c, R: the four steps of form.py, by the rule of the layer

ledger.py walks the same way and also tells, layer by layer, where the rest went.
"""

from typing import Any, Literal, NamedTuple, overload

import numpy as np

from ...chunks import in_chunks
from ...layers import Layer
from ...network import Network
from ..method import method
from ..target import explained, explanation, is_neuron
from .composites import AnyRule, Rules, rules_for
from .form import Passing, Rule
from .rules import epsilon

OWN = (Rule, Passing)
"""The rules that treat each sample for itself; a function may do what it likes."""


@overload
def relevance(
    network: Network,
    x: np.ndarray,
    target: Any = None,
    *,
    rules: Rules = epsilon(),
    start: str = "score",
    all_layers: Literal[False] = False,
) -> np.ndarray: ...


@overload
def relevance(
    network: Network,
    x: np.ndarray,
    target: Any = None,
    *,
    rules: Rules = epsilon(),
    start: str = "score",
    all_layers: Literal[True],
) -> list[np.ndarray]: ...


@method
def relevance(
    network: Network,
    x: np.ndarray,
    target: Any = None,
    *,
    rules: Rules = epsilon(),
    start: str = "score",
    all_layers: bool = False,
) -> np.ndarray | list[np.ndarray]:
    """R_j = Σ_k (share of j in k) · R_k, from the explained score down to the pixels.

    Parameters
    ----------
    network
        Any network of nnlite.layers. A Softmax at its end is left out: scores are explained. A BatchNorm directly
        after a linear layer is merged into it, and the predicted class is that of the merged network.
    x
        (N, ...) in the dtype of the network.
    target
        The class c: one for all samples, one for each (N,), or None for the predicted class. Or a neuron, such as
        ("conv2", 7): see `target.explained`. The layers below it keep the rules that they have in the whole network.
    rules
        One rule for every layer with weights; a `Composite`; or a list, bottom to top, with one entry for each
        layer with weights, or one for each layer (None: what is usual on a layer without weights). A rule is one of
        rules.py or any function rule(layer, a, z, R_k) -> R_j.
    start
        "score": R = f_c at the top. "one": R = 1 there.
    all_layers
        Also give the relevance of the hidden layers.

    Returns
    -------
    R (N, ...), the shape of x; with `all_layers` the list of the relevances from the pixels, R[0], to the scores,
    in the shapes of `network.to_scores().forward(x)`.

    Raises
    ------
    TypeError, ValueError
        x does not fit the network, a target is not a class, or a rule does not fit its layer.

    Source: Bach et al. 2015, "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance
    propagation", sec. "Layer-wise relevance propagation"; Montavon et al. 2019, "Layer-wise relevance propagation:
    an overview"; slides, "Layer-wise Relevance Propagation".

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.array([[3.0, 0.5], [-1.0, 2.0]])), ReLU(), Dense(np.array([[1.0], [1.0]]))])
    >>> relevance(net, np.array([[2.0, 1.0]]), rules=epsilon(0))
    array([[7., 1.]])
    """
    merged = network.to_scores().merged()
    each = rules_for(merged, rules)
    if not all_layers and all(isinstance(rule, OWN) for rule in each):
        _check_start(start)

        def compute(x: np.ndarray, target: Any) -> np.ndarray:
            if is_neuron(target):  # its own layers are merged: a BatchNorm above it is not
                return ready(network, x, target, rules, start).to_input()
            return explanation(merged, x, target, lambda _: each, start)

        return in_chunks(compute, network, x, target)
    walk = ready(network, x, target, rules, start)
    safe = [
        rule if isinstance(rule, OWN) else _as_a_j(n, rule)
        for n, rule in zip(walk.network.names, walk.rules, strict=True)
    ]
    signals = walk.network.walk_back(walk.a, walk.R, safe)
    return signals if all_layers else signals[0]


def _as_a_j(name: str, rule: AnyRule) -> AnyRule:
    """A rule of the user's own, which must give R_j in the shape and the dtype of a_j."""

    def checked(layer: Layer, a_j: np.ndarray, a_k: np.ndarray, R_k: np.ndarray) -> np.ndarray:
        R_j = rule(layer, a_j, a_k, R_k)
        if not isinstance(R_j, np.ndarray) or R_j.shape != a_j.shape or R_j.dtype != a_j.dtype:
            came = f"{R_j.shape} {R_j.dtype}" if isinstance(R_j, np.ndarray) else repr(R_j)
            raise ValueError(f"The rule of layer {name} must give R_j as {a_j.shape} {a_j.dtype}, and {came} came.")
        return R_j

    return checked


class Walk(NamedTuple):
    """The network that is walked, its activations, the relevance at the top, a rule a layer, and what is explained."""

    network: Network
    a: list[np.ndarray]
    R: np.ndarray
    rules: list[AnyRule]
    target: Any

    def to_input(self) -> np.ndarray:
        """The relevance of the pixels alone."""
        return self.network.to_input(self.a, self.R, self.rules)


def ready(network: Network, x: np.ndarray, target: Any, rules: Rules, start: str) -> Walk:
    """Everything that a walk needs, from whatever `relevance` takes; the errors are those of `relevance`."""
    _check_start(start)
    each = rules_for(network.to_scores().merged(), rules)
    f = explained(network, x, target)
    if len(f.network) > len(each):
        raise ValueError(
            f"LRP divides scores, not probabilities; {target!r} is above the scores. Choose a layer below."
        )
    merged = f.network.merged()
    a = f.a if merged is f.network else merged.forward(x)
    return Walk(merged, a, f.ones * a[-1] if start == "score" else f.ones, each[: len(merged)], f.target)


def _check_start(start: str) -> None:
    if start not in ("score", "one"):
        raise ValueError(f'start takes "score" or "one", and {start!r} came.')
