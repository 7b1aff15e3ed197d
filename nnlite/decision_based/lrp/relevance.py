"""Layer-wise relevance propagation: the explained score is divided among the pixels, layer by layer.

    signal at the top   the explained score itself
    local rule          z, s, c, R: the four steps of form.py, by the rule of the layer

`LRP(network, rules)` prepares once, the changed layers of every rule, and is called often; `relevance` is its one-line
shortcut. ledger.py walks the same way and also tells, layer by layer, where the rest went.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, overload

import numpy as np

from ...layers import Layer
from ...layers.arguments import kind_of
from ...network import Network
from ...printed import columns
from ...walk import LocalRule
from ..inputs import walked
from ..method import method
from ..target import AtClass, Target, aimed, explained_class, is_neuron
from .composites import Rules, rules_for
from .form import Prepared
from .gradient_form import gradient_form as as_gradient
from .ledger import Ledger, carried, entry
from .passing import PASSING, Share, name_of, step_of
from .rule import Rule
from .rules import epsilon


class LRP:
    """R = LRP(network, rules)(x): the rules of each layer chosen and their changed layers made once.

    Parameters
    ----------
    network, rules, start, gradient_form
        As for `relevance`.

    Attributes
    ----------
    network
        The network that is walked: without a Softmax at its end, every BatchNorm merged that can be.
    rules
        The rule of each of its layers, bottom to top.

    >>> from nnlite.layers import Dense
    >>> lrp = LRP(Network([Dense(np.array([[3.0], [-1.0]]))]), epsilon(0))
    >>> lrp(np.array([[2.0, 1.0]])), lrp.layers(np.array([[2.0, 1.0]]))[1]
    (array([[ 6., -1.]]), array([[5.]]))
    """

    def __init__(
        self, network: Network, rules: Rules = epsilon(), start: str = "score", gradient_form: bool = False
    ) -> None:
        if gradient_form and start != "score":
            raise ValueError(f'The gradient form starts with the score, got start={start!r}; use start="score".')
        self._given, self.start, self.gradient_form = network, start, gradient_form
        if network.takes_tokens:
            raise TypeError("LRP(network) prepares what is above an Embedding; give it network[1:] and embeddings.")
        self.network = aimed(network, None, start)[0].merged()
        self.rules: list[LocalRule] = rules_for(self.network, rules)
        self._on = as_gradient if gradient_form else _on
        self._on_layers = list(map(self._on, self.rules, self.network.layers, self.network.names))

    def __call__(self, x: np.ndarray, target: Target = None) -> np.ndarray:
        """The relevance of the pixels, in the shape of x."""
        network, top, rules = self._walk(target)
        R = walked(network, x, top, rules)[1][0]
        return x * R if self.gradient_form else R

    def layers(self, x: np.ndarray, target: Target = None) -> list[np.ndarray]:
        """The relevance of every layer: from the pixels, [0], to the scores."""
        return self.steps(x, target)[2]

    def steps(
        self, x: np.ndarray, target: Target = None
    ) -> tuple[Network, list[np.ndarray], list[np.ndarray], list[Any]]:
        """The network that was walked, every activation, every relevance, and the rule of each layer."""
        network, top, rules = self._walk(target)
        a, R = walked(network, x, top, rules, keep=True)
        return network, a, list(map(np.multiply, a, R)) if self.gradient_form else R, rules

    def plan(self) -> str:
        """The rule of each layer, a line each: which branch of a product is its gate, too.

        >>> from nnlite.layers import Dense, ReLU
        >>> print(LRP(Network([Dense(np.eye(2)), ReLU()])).plan())
        dense1  epsilon(epsilon=1e-06)
        relu1   passes
        """
        return columns(
            [(name, name_of(rule)) for name, rule in zip(self.network.names, self.rules, strict=True)], (0, 1)
        )

    def ledger(self, x: np.ndarray, target: Target = None) -> Ledger:
        """Where the score went, layer by layer: see `ledger`."""
        if self.gradient_form:
            raise TypeError("A ledger tells what each layer divides, and the gradient form divides nothing.")
        strangers = [rule for rule in self.rules if not isinstance(rule, (Rule, Share)) and rule not in PASSING]
        if strangers:
            raise TypeError(f"A ledger needs rules in the words of lrp.Rule, got {strangers[0]!r}.")
        network, a, R, rules = self.steps(x, target)
        entries = []
        for l, (name, layer, rule) in enumerate(zip(network.names, network, rules, strict=True)):
            read = network.read(l, a)
            step = step_of(rule, layer, read, a[l + 1], R[l + 1])
            entries.append(entry(name, name_of(rule), step, *carried(network, l, read, a[l + 1], step)))
        return Ledger(tuple(entries), tuple(R), target if is_neuron(target) else explained_class(a[-1], target))

    def _walk(self, target: Any) -> tuple[Network, Any, list[Any]]:
        """What is walked: the network, the signal at its top, and its rules, which are those of the whole network."""
        start = "one" if self.gradient_form else self.start  # R = z g
        if not is_neuron(target):
            return self.network, AtClass(target, start), self._on_layers
        part, top = aimed(self._given, target, start)
        if target[0] not in self.network.names:
            raise ValueError(
                f"LRP divides scores, not probabilities; {target!r} is above the scores. Choose a layer below."
            )
        part = part.merged()  # a BatchNorm above the neuron is not merged into it
        known = dict(zip(self.network.names, zip(self.network, self.rules, self._on_layers, strict=True), strict=True))
        same = [
            ready if layer is own else self._on(rule, layer, name)
            for layer, name, (own, rule, ready) in zip(part, part.names, [known[n] for n in part.names], strict=True)
        ]
        return part, top, same


def _on(rule: LocalRule, layer: Layer, name: str) -> Any:
    """The rule ready for its layer; one of the user's own must give R_j in the shape and the dtype of a_j."""
    if isinstance(rule, Rule):
        return Prepared(rule, layer)
    return rule if isinstance(rule, Share) or rule in PASSING else _Checked(rule, name)


@dataclass(frozen=True, eq=False)
class _Checked:
    """A rule of the user's own."""

    rule: LocalRule
    name: str

    def __call__(self, layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
        R_j = self.rule(layer, a, z, R)
        given, wanted = (each if isinstance(each, tuple) else (each,) for each in (R_j, a if layer.reads != 0 else ()))
        if (layer.reads != 1 and not isinstance(R_j, tuple)) or list(map(kind_of, given)) != list(map(kind_of, wanted)):
            expected = ", ".join(map(kind_of, wanted)) or "an empty tuple"
            got = ", ".join(map(kind_of, given))
            raise ValueError(f"The rule of layer {self.name} must give R_j as {expected}, got {got}.")
        return R_j


@overload
def relevance(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    rules: Rules = epsilon(),
    start: str = "score",
    all_layers: Literal[False] = False,
    gradient_form: bool = False,
) -> np.ndarray: ...


@overload
def relevance(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    rules: Rules = epsilon(),
    start: str = "score",
    all_layers: Literal[True],
    gradient_form: bool = False,
) -> list[np.ndarray]: ...


@method
def relevance(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    rules: Rules = epsilon(),
    start: str = "score",
    all_layers: bool = False,
    gradient_form: bool = False,
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
    gradient_form
        Walk a gradient g instead and give a ⊙ g: the same numbers where no z is 0 and no stabilizer is large, for rules
        that change neither inputs nor weights. See gradient_form.py.

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
    prepared = prepare(network, rules, start, gradient_form)
    return prepared.layers(x, target) if all_layers else prepared(x, target)


@method
def ledger(
    network: Network, x: np.ndarray, target: Target = None, *, rules: Rules = epsilon(), start: str = "score"
) -> Ledger:
    """Why it does not sum to the output: for every layer Σ R_k = Σ R_j + to the bias + to ε + dropped.

    Parameters, Raises: as `relevance`; the rules must be written in the words of rule.py (a function keeps no books).

    Returns
    -------
    A `Ledger`, which holds the relevances of all layers too; print it to see the table of the first sample, and below
    it the lines that rounding left open.

    Source: Bach et al. 2015, eq. 2 (conservation from layer to layer) and eq. 57 (the share of the bias).

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [-1.0]]), np.array([1.0]))])
    >>> print(ledger(net, np.array([[2.0, 1.0]]), rules=epsilon(0)))
    layer   rule                Σ R above  Σ R below      bias         ε   dropped
    dense1  epsilon(epsilon=0)   6.000000   5.000000  1.000000  0.000000  0.000000
    score   to pixels            6.000000   5.000000  1.000000  0.000000  0.000000
    """
    return prepare(network, rules, start).ledger(x, target)


def prepare(network: Network, *how: Any) -> LRP:
    """LRP(network, rules, start, gradient_form); a compiled network makes it once."""
    return network.prepared((LRP, *how), partial(LRP, network, *how))
