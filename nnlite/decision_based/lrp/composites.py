"""Composites: which rule for which layer, by position and kind.

A rule that suits the pixels does not suit the scores. presets.py holds those that have a name.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from types import FunctionType
from typing import Any, Union

from ...layers import (
    GELU,
    Add,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    GroupNorm,
    Hardsigmoid,
    InstanceNorm,
    LayerNorm,
    LogSoftmax,
    MatMul,
    MaxPool2d,
    Multiply,
    RMSNorm,
    Sigmoid,
    SiLU,
    Softmax,
)
from ...network import Network
from ...walk import LocalRule
from ...wiring import origin
from .joins import by_gate, proportional, signal
from .passing import PASSING, absorbs, moves, name_of, passes, reshapes, softmax, winner_takes_all
from .rule import Rule
from .rules import epsilon, zero

Rules = Union[LocalRule, "Composite", Sequence[LocalRule | None]]
"""What may be given as `rules`: one for every layer with weights, a Composite, or a list."""

CONVOLUTIONS = (Conv2d, ConvTranspose2d)
GATES = (Sigmoid, Hardsigmoid, SiLU, GELU, Softmax)
NORMALIZATIONS = (GroupNorm, InstanceNorm, LayerNorm, RMSNorm)


@dataclass(frozen=True)
class Composite:
    """A rule for every layer. The first field that fits a layer and is given decides, in this order.

    Attributes
    ----------
    first
        The linear layer (Dense, Conv2d, ConvTranspose2d) nearest to the pixels: in a network with branches, each that
        has no other below it.
    first_convolution
        The convolution nearest to the pixels, likewise.
    last
        The linear layer nearest to the scores. (In a network with one linear layer, it is this and not the first.)
    lower, upper
        The linear layers between first and last, by halves; the middle one of an odd number belongs to the upper.
    convolution, dense
        By kind.
    pooling
        Average pooling of every kind and Upsample: R_j = a_j / Σ a · R_k, which is `zero` on them.
    batchnorm
        A BatchNorm that no linear layer before it could take in.
    norm
        GroupNorm, InstanceNorm, LayerNorm, RMSNorm: linear where their σ is held at the input's.
    add
        Where branches are added: see `lrp.joins`.
    multiply
        Where two branches are multiplied, by a Multiply or a MatMul; None: all for the signal and nothing for its gate,
        and halves where none or both are gates. A gate leaves a Sigmoid, Hardsigmoid, SiLU or GELU, as attention
        probabilities a Softmax, or was spread over the other.
    softmax
        A Softmax below the scores, as in attention.

    Everything else divides nothing: max-pooling gives all to its winner, activations, dropout and reshaping pass.

    >>> Composite(convolution=epsilon(0.25), dense=epsilon(), last=zero()).last
    zero()
    """

    first: LocalRule | None = None
    first_convolution: LocalRule | None = None
    last: LocalRule | None = None
    lower: LocalRule | None = None
    upper: LocalRule | None = None
    convolution: LocalRule | None = None
    dense: LocalRule | None = None
    pooling: LocalRule = zero()
    batchnorm: LocalRule = epsilon(1e-6)
    norm: LocalRule = epsilon(1e-6)
    add: LocalRule = proportional(1e-6)
    multiply: LocalRule | None = None
    softmax: LocalRule | None = softmax

    def rules_for(self, network: Network) -> list[LocalRule]:
        """One rule for each layer, bottom to top.

        Raises
        ------
        ValueError
            A layer has no rule: no field fits it, or LRP has none for its kind.
        """
        weighted = _weighted(network)
        convolutions = [i for i in weighted if isinstance(network.layers[i], CONVOLUTIONS)]
        first, last, half = _lowest(network, weighted), set(weighted[-1:]), len(weighted) // 2
        by_kind = self.dense, self.convolution
        rules: list[Any] = [
            by_kind[i in convolutions] if layer.weighted else self.of_others(network, i)
            for i, layer in enumerate(network.layers)
        ]
        for rule, places in (  # the last that fits decides
            (self.lower, set(weighted[:half]) - first - last),
            (self.upper, set(weighted[half:]) - first - last),
            (self.last, last),
            (self.first_convolution, _lowest(network, convolutions)),
            (self.first, first if self.last is None else first - last),
        ):
            rules = rules if rule is None else [rule if i in places else other for i, other in enumerate(rules)]
        missing = [i for i, rule in enumerate(rules) if rule is None]
        if missing:
            i = missing[0]
            raise ValueError(
                f"The composite has no rule for layer {network.names[i]} ({network[i]!r}); its fields are "
                f"{', '.join(field.name for field in fields(self))}."
            )
        return rules

    def of_others(self, network: Network, i: int) -> LocalRule:
        """The rule of layer i, which has no weights; ValueError if it has no rule."""
        layer = network.layers[i]
        if isinstance(layer, BatchNorm):
            return self.batchnorm
        if isinstance(layer, NORMALIZATIONS):
            return self.norm
        if isinstance(layer, Add):
            return self.add
        if isinstance(layer, (Multiply, MatMul)):
            return self.of_product(network, i) if self.multiply is None else self.multiply
        if self.softmax is not None and isinstance(layer, Softmax) and not isinstance(layer, LogSoftmax):
            return self.softmax
        if isinstance(layer, MaxPool2d):
            return winner_takes_all
        if layer.reads == 0:
            return absorbs
        if layer.reshapes or layer.moves:
            return reshapes if layer.reshapes else moves
        if layer.pointwise or layer.linear:
            return passes if layer.pointwise else self.pooling
        raise ValueError(
            f"LRP has no rule for layer {network.names[i]} ({layer!r}); give it one of your own, in a list with a rule "
            "for each layer."
        )

    def of_product(self, network: Network, i: int) -> LocalRule:
        """All for the signal, the branch that leaves no gate, where there is one alone; with the ε of `add`."""
        stabilizer = getattr(self.add, "options", {}).get("stabilizer", 0.0) if isinstance(network[i], MatMul) else 0.0
        left = [origin(network.layers, network.wires, w) for w in network.wires[i]]
        gates = [w > 0 and isinstance(network[w - 1], GATES) for w in left]
        return signal(gates.index(False), stabilizer) if sum(gates) == 1 else by_gate(stabilizer)

    def __repr__(self) -> str:
        given = [
            f"{f.name}={name_of(getattr(self, f.name))}" for f in fields(self) if getattr(self, f.name) != f.default
        ]
        return f"Composite({', '.join(given)})"


def everywhere(rule: Rule) -> Composite:
    """One rule on every linear layer.

    Raises
    ------
    TypeError
        It is not one of the library's rules.

    >>> everywhere(zero()).dense
    zero()
    """
    if not isinstance(rule, Rule):
        raise TypeError(f"everywhere takes a rule such as epsilon(), got {rule!r}.")
    return Composite(
        convolution=rule,
        dense=rule,
        pooling=zero(rule.options.get("stabilizer", 0.0)),
        norm=epsilon(rule.stabilizer),
        add=proportional(rule.stabilizer),
    )


def rules_for(network: Network, rules: Rules) -> list[LocalRule]:
    """One rule for each layer of the network, bottom to top, from whatever `relevance` takes as `rules`.

    Raises
    ------
    TypeError
        One of them cannot be called as a rule (`epsilon` makes rules; `epsilon()` is one).
    """
    chosen = list(_chosen(network, rules))
    for rule in chosen:
        if not callable(rule):
            raise TypeError(f"A rule is one of nnlite.decision_based.lrp or a function, got {rule!r}.")
        if isinstance(rule, FunctionType) and (rule.__module__ or "").startswith(__package__) and rule not in PASSING:
            name = f"lrp.{rule.__name__}"
            raise TypeError(f"{name} makes a rule and is not one itself; call it: {name}().")
    return chosen


def _weighted(network: Network) -> list[int]:
    return [i for i, layer in enumerate(network.layers) if layer.weighted]


def _lowest(network: Network, layers: Collection[int]) -> set[int]:
    """Those of some layers that have none of them below."""
    layers = set(layers)
    above, lowest = [False], set()  # for each activation whether one of them is below it
    for l, wires in enumerate(network.wires):
        reached = any(map(above.__getitem__, wires))
        if l in layers and not reached:
            lowest.add(l)
        above.append(reached or l in layers)
    return lowest


def _chosen(network: Network, rules: Rules) -> Sequence[Any]:
    if isinstance(rules, Composite):
        return rules.rules_for(network)
    if isinstance(rules, Rule):
        return everywhere(rules).rules_for(network)
    if callable(rules):
        return Composite(convolution=rules, dense=rules).rules_for(network)
    if not isinstance(rules, (list, tuple)):
        raise TypeError(f"rules takes a rule, a Composite or a list of rules, got {rules!r}.")
    weighted = _weighted(network)
    if len(rules) == len(weighted):
        places = dict(zip(weighted, rules, strict=True))
        rules = [places.get(i) for i in range(len(network))]
    if len(rules) != len(network):
        raise ValueError(
            f"rules takes {len(weighted)} rules (one for each layer with weights) or {len(network)} (one for each "
            f"layer), got {len(rules)}."
        )
    missing = [network.names[i] for i in weighted if rules[i] is None]
    if missing:
        raise ValueError(f"The layers {', '.join(missing)} have weights and need a rule; got None.")
    usual = everywhere(epsilon())
    return [usual.of_others(network, i) if rule is None else rule for i, rule in enumerate(rules)]
