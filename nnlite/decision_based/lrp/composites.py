"""Composites: which rule for which layer, by position and kind.

A rule that suits the pixels does not suit the scores. presets.py holds those that have a name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from types import FunctionType
from typing import Any, Union
from weakref import WeakKeyDictionary

import numpy as np

from ...layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    LeakyReLU,
    Mask,
    MaxPool2d,
    ReLU,
    Reshape,
    Sigmoid,
    Softmax,
    Tanh,
)
from ...network import Network
from ...rows import Mode
from .form import Passing, Rule
from .rules import epsilon, zero

AnyRule = Callable[[Layer, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""rule(layer, a, z, R_k) -> R_j: a Rule, a Passing, or any function."""

Rules = Union[AnyRule, "Composite", Sequence[AnyRule | None]]
"""What may be given as `rules`: one for every layer with weights, a Composite, or a list."""

LINEAR = (Dense, Conv2d, ConvTranspose2d)
CONVOLUTIONS = (Conv2d, ConvTranspose2d)

passes = Passing("passes", lambda layer, a, R: R, Mode.PASS)
reshapes = Passing("passes", lambda layer, a, R: R.reshape(a.shape), Mode.PASS)
winner_takes_all = Passing("winner takes all", lambda layer, a, R: layer.backward(a, R), Mode.EXACT)

WITHOUT_WEIGHTS: dict[type[Layer], Any] = {
    **dict.fromkeys((ReLU, LeakyReLU, Tanh, Sigmoid, Dropout, Mask, Identity), passes),
    **dict.fromkeys((Flatten, Reshape), reshapes),
    MaxPool2d: winner_takes_all,
}
"""What every composite does on the layers that divide nothing."""


@dataclass(frozen=True)
class Composite:
    """A rule for every layer. The first field that fits a layer and is given decides, in this order.

    Attributes
    ----------
    first
        The linear layer (Dense, Conv2d, ConvTranspose2d) nearest to the pixels.
    first_convolution
        The convolution nearest to the pixels.
    last
        The linear layer nearest to the scores. (In a network with one linear layer, it is this and not the first.)
    lower, upper
        The linear layers between first and last, by halves; the middle one of an odd number belongs to the upper.
    convolution, dense
        By kind.
    pooling
        Average and global pooling: R_j = a_j / Σ a · R_k, which is `zero` on them.
    batchnorm
        A BatchNorm that no Dense or Conv2d before it could take in.

    Everything else divides nothing: max-pooling gives all to its winner, activations, dropout and reshaping pass.

    >>> Composite(convolution=epsilon(0.25), dense=epsilon(), last=zero()).last
    zero()
    """

    first: AnyRule | None = None
    first_convolution: AnyRule | None = None
    last: AnyRule | None = None
    lower: AnyRule | None = None
    upper: AnyRule | None = None
    convolution: AnyRule | None = None
    dense: AnyRule | None = None
    pooling: AnyRule = zero()
    batchnorm: AnyRule = epsilon(1e-6)

    def rules_for(self, network: Network) -> list[AnyRule]:
        """One rule for each layer, bottom to top.

        Raises
        ------
        ValueError
            A layer has no rule: no field fits it, or LRP has none for its kind.
        """
        linear = [i for i, layer in enumerate(network) if isinstance(layer, LINEAR)]
        convolutions = [i for i in linear if isinstance(network[i], CONVOLUTIONS)]
        return [self._rule(i, network, linear, convolutions) for i in range(len(network))]

    def _rule(self, i: int, network: Network, linear: list[int], convolutions: list[int]) -> AnyRule:
        layer = network[i]
        if isinstance(layer, LINEAR):
            number, count = linear.index(i), len(linear)
            in_lower_half = number - 1 < (count - 2) // 2
            fitting = [
                self.first if number == 0 and (count > 1 or self.last is None) else None,
                self.first_convolution if convolutions[:1] == [i] else None,
                self.last if number == count - 1 else None,
                (self.lower if in_lower_half else self.upper) if 0 < number < count - 1 else None,
                self.convolution if isinstance(layer, CONVOLUTIONS) else self.dense,
            ]
            rule = next((rule for rule in fitting if rule is not None), None)
            if rule is None:
                raise ValueError(
                    f"The composite has no rule for layer {network.names[i]} ({layer!r}); its fields are "
                    f"{', '.join(field.name for field in fields(self))}."
                )
            return rule
        if isinstance(layer, (AvgPool2d, GlobalAvgPool)):
            return self.pooling
        if isinstance(layer, BatchNorm):
            return self.batchnorm
        if type(layer) in WITHOUT_WEIGHTS:
            return WITHOUT_WEIGHTS[type(layer)]
        advice = " A Softmax is left out only at the end of a network." if isinstance(layer, Softmax) else ""
        raise ValueError(f"LRP has no rule for layer {network.names[i]} ({layer!r}).{advice}")

    def __repr__(self) -> str:
        given = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) is not f.default]
        return f"Composite({', '.join(given)})"


def everywhere(rule: Rule) -> Composite:
    """One rule on every linear layer.

    >>> everywhere(zero()).dense
    zero()
    """
    return Composite(convolution=rule, dense=rule, pooling=zero(rule.options.get("stabilizer", 0.0)))


REMEMBERED = 16
_KNOWN: "WeakKeyDictionary[Network, dict[int, tuple[Rules, list[AnyRule]]]]" = WeakKeyDictionary()
"""The rules of each layer, by network and by what was given; that is kept too, so that its id stays its own."""


def rules_for(network: Network, rules: Rules) -> list[AnyRule]:
    """One rule for each layer of the network, bottom to top, from whatever `relevance` takes as `rules`."""
    if not isinstance(rules, (Rule, Composite)):
        return [_checked(rule) for rule in _chosen(network, rules)]
    known = _KNOWN.setdefault(network, {})
    if id(rules) not in known:
        if len(known) >= REMEMBERED:
            known.clear()
        known[id(rules)] = rules, [_checked(rule) for rule in _chosen(network, rules)]
    return known[id(rules)][1]


def _chosen(network: Network, rules: Rules) -> Sequence[Any]:
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
    if isinstance(rule, FunctionType) and rule.__module__.startswith(__package__):
        raise TypeError(f"lrp.{rule.__name__} makes rules and is none itself; call it: lrp.{rule.__name__}().")
    return rule
