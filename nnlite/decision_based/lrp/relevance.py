"""Layer-wise relevance propagation: the explained score is divided among the pixels, layer by layer.

    signal at the top   the explained score itself
    local rule          z, s, c, R: the four steps of form.py, by the rule of the layer

`relevance` gives the shares of the pixels; `ledger` also tells, layer by layer, where the rest went.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...network import Network
from ..target import explained
from . import composites
from . import rules as rules_module
from .composites import LINEAR, AnyRule, Composite, everywhere
from .form import Passing, Rule, Step, per_sample
from .rules import epsilon

Rules = AnyRule | Composite | Sequence[AnyRule | None]


def relevance(
    network: Network,
    x: np.ndarray,
    target: Any = None,
    *,
    rules: Rules = epsilon(),
    start: str = "score",
    all_layers: bool = False,
) -> Any:
    """R_j = Σ_k (share of j in k) · R_k, from the explained score down to the pixels.

    Parameters
    ----------
    network
        Any network of nnlite.layers. A Softmax at its end is left out: scores are explained. A BatchNorm directly
        after a Dense or a Conv2d is merged into it.
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
    walk = _ready(network, x, target, rules, start)
    signals = walk.network.walk_back(walk.a, walk.R, walk.rules)
    for name, R_j, a_j in zip(walk.network.names, signals, walk.a, strict=False):
        if np.shape(R_j) != a_j.shape or getattr(R_j, "dtype", None) != a_j.dtype:
            came = f"{R_j.shape} {R_j.dtype}" if isinstance(R_j, np.ndarray) else repr(R_j)
            raise ValueError(f"The rule of layer {name} must give R_j as {a_j.shape} {a_j.dtype}, and {came} came.")
    return signals if all_layers else signals[0]


@dataclass(frozen=True)
class Entry:
    """One layer's line in the ledger; the sums are (N,), one for each sample.

    Σ R above = Σ R below + to the bias + to the stabilizer + dropped.
    """

    layer: str
    rule: str
    above: np.ndarray
    below: np.ndarray
    bias: np.ndarray
    stabilizer: np.ndarray
    dropped: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        """What the line does not account for: zero up to rounding."""
        return self.above - self.below - self.bias - self.stabilizer - self.dropped


@dataclass(frozen=True)
class Ledger:
    """Where the score went.

    Attributes
    ----------
    entries
        A line for each layer, bottom to top.
    relevances
        The relevances from the pixels, relevances[0], to the scores.
    target
        What is explained: the class of each sample (N,), or the neuron.
    """

    entries: tuple[Entry, ...]
    relevances: tuple[np.ndarray, ...]
    target: Any

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def error(self) -> float:
        """The largest |difference| of a line, as a part of that line's Σ |R above|."""
        sizes = np.array([per_sample(np.abs(R)) for R in self.relevances[1:]])
        differences = np.array([np.abs(entry.difference) for entry in self.entries])
        return float(np.max(differences / np.where(sizes > 0, sizes, 1), initial=0.0))

    def total(self, column: str) -> np.ndarray:
        """A column ("bias", "stabilizer" or "dropped") summed over the layers: (N,)."""
        return np.sum([getattr(entry, column) for entry in self.entries], axis=0)

    def table(self, sample: int = 0) -> str:
        """The ledger of one sample as text, from the scores down to the pixels."""
        columns = ("above", "below", "bias", "stabilizer", "dropped")
        rows = [("layer", "rule", "Σ R above", "Σ R below", "bias", "ε", "dropped")]
        for entry in self.entries[::-1]:
            numbers = (_six_digits(getattr(entry, column)[sample]) for column in columns)
            rows.append((entry.layer, entry.rule, *numbers))  # type: ignore[arg-type]
        ends = self.entries[-1].above[sample], self.entries[0].below[sample]
        totals = (_six_digits(number) for number in (*ends, *(self.total(column)[sample] for column in columns[2:])))
        rows.append(("score", "to pixels", *totals))  # type: ignore[arg-type]
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        return "\n".join(
            "  ".join(f"{v:<{w}}" if i < 2 else f"{v:>{w}}" for i, (v, w) in enumerate(zip(row, widths, strict=True)))
            for row in rows
        )

    __str__ = table


def ledger(
    network: Network, x: np.ndarray, target: Any = None, *, rules: Rules = epsilon(), start: str = "score"
) -> Ledger:
    """Why it does not sum to the output: for every layer Σ R_k = Σ R_j + to the bias + to ε + dropped.

    Parameters, Raises: as `relevance`; the rules must be those of rules.py (a function of your own keeps no books).

    Returns
    -------
    A `Ledger`, which holds the relevances of all layers too; print it to see the table of the first sample.

    Source: Bach et al. 2015, eq. 2 (conservation from layer to layer) and eq. 57 (the share of the bias).

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [-1.0]]), np.array([1.0]))])
    >>> print(ledger(net, np.array([[2.0, 1.0]]), rules=epsilon(0)))
    layer   rule                Σ R above  Σ R below      bias         ε   dropped
    dense1  epsilon(epsilon=0)   6.000000   5.000000  1.000000  0.000000  0.000000
    score   to pixels            6.000000   5.000000  1.000000  0.000000  0.000000
    """
    walk = _ready(network, x, target, rules, start)
    strangers = [rule for rule in walk.rules if not isinstance(rule, (Rule, Passing))]
    if strangers:
        raise TypeError(f"A ledger needs the rules of nnlite.decision_based.lrp, and {strangers[0]!r} came.")
    steps: list[Step] = []

    def recorded(rule: Any) -> AnyRule:
        def record(layer: Any, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
            steps.append(rule.step(layer, a, z, R))
            return steps[-1].below

        return record

    relevances = walk.network.walk_back(walk.a, walk.R, [recorded(rule) for rule in walk.rules])
    sums = [per_sample(values) for values in relevances]
    entries = [
        Entry(name, repr(rule), above, below, step.bias, step.stabilizer, step.dropped)
        for name, rule, above, below, step in zip(
            walk.network.names, walk.rules, sums[1:], sums[:-1], reversed(steps), strict=True
        )
    ]
    return Ledger(tuple(entries), tuple(relevances), walk.target)


def _six_digits(number: float) -> str:
    return f"{round(number, 6) + 0.0:.6f}"  # without the sign of a zero


class _Walk(NamedTuple):
    """The network that is walked, its activations, the relevance at the top, a rule a layer, and what is explained."""

    network: Network
    a: list[np.ndarray]
    R: np.ndarray
    rules: list[AnyRule]
    target: Any


def _ready(network: Network, x: np.ndarray, target: Any, rules: Rules, start: str) -> _Walk:
    if start not in ("score", "one"):
        raise ValueError(f'start takes "score" or "one", and {start!r} came.')
    each = [_checked(rule) for rule in rules_for(network.to_scores().merged(), rules)]
    f = explained(network, x, target)
    if len(f.network) > len(each):
        raise ValueError(
            f"LRP divides scores, not probabilities; {target!r} is above the Softmax. Choose a layer below."
        )
    merged = f.network.merged()
    a = f.a if merged is f.network else merged.forward(x)
    return _Walk(merged, a, f.ones * a[-1] if start == "score" else f.ones, each[: len(merged)], f.target)


def rules_for(network: Network, rules: Rules) -> list[AnyRule]:
    """One rule for each layer of the network, bottom to top, from whatever `relevance` takes as `rules`."""
    if isinstance(rules, Composite):
        return rules.rules_for(network)
    if isinstance(rules, Rule):
        return everywhere(rules).rules_for(network)
    if callable(rules):
        return Composite(convolution=rules, dense=rules).rules_for(network)
    if not isinstance(rules, (list, tuple)):
        raise TypeError(f"rules takes a rule, a Composite or a list of rules, and {rules!r} came.")
    usual = everywhere(epsilon()).rules_for(network)
    linear = [i for i, layer in enumerate(network) if isinstance(layer, LINEAR)]
    if len(rules) == len(linear):
        places = dict(zip(linear, rules, strict=True))
        rules = [places.get(i) for i in range(len(network))]
    if len(rules) != len(network):
        raise ValueError(
            f"rules takes {len(linear)} rules (one for each layer with weights) or {len(network)} (one for each "
            f"layer), and {len(rules)} came."
        )
    missing = [network.names[i] for i in linear if rules[i] is None]
    if missing:
        raise ValueError(f"The layers {', '.join(missing)} have weights and need a rule; None came.")
    return [default if rule is None else rule for default, rule in zip(usual, rules, strict=True)]


def _checked(rule: Any) -> AnyRule:
    """The rule; TypeError where it cannot be called as one (`epsilon` makes rules and is none, `epsilon()` is one)."""
    if not callable(rule):
        raise TypeError(f"A rule is one of nnlite.decision_based.lrp or a function, and {rule!r} came.")
    if getattr(rule, "__module__", None) in (rules_module.__name__, composites.__name__):
        raise TypeError(f"lrp.{rule.__name__} makes rules and is none itself; call it: lrp.{rule.__name__}().")
    return rule
