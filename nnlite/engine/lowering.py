"""Which layer, rule and signal at the top is which operation of a row: the only file that knows both sides.

What is not the library's own is no operation: a subclass, a method or a rule that somebody replaced. It runs plainly.
"""

import os
from collections.abc import Callable, Hashable
from dataclasses import replace
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..decision_based.deconvnet import deconvnet_rule
from ..decision_based.guided_backpropagation import guided_rule
from ..decision_based.lrp import A_MINUS, A_PLUS, A, NonNegative, Relative
from ..decision_based.lrp import form as lrp_form
from ..decision_based.lrp.form import Prepared
from ..decision_based.lrp.passing import passes, reshapes, winner_takes_all
from ..decision_based.target import AtClass, AtNeuron
from ..layers import KINDS as LIBRARY
from ..layers import (
    Add,
    AvgPool2d,
    Concat,
    Conv2d,
    Dense,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    MaxPool2d,
    Multiply,
    ReLU,
    Reshape,
)
from ..model_based.objectives import AtLogProbability
from ..walk import gradient_rule
from ..wiring import Wires
from .operations import Groups, Kind, Mode, Start

KINDS: dict[type[Layer], Kind] = {
    Dense: Kind.DENSE, Conv2d: Kind.CONV, ReLU: Kind.RELU, MaxPool2d: Kind.MAX, AvgPool2d: Kind.MEAN,
    GlobalAvgPool: Kind.MEAN, Flatten: Kind.SAME, Reshape: Kind.SAME, Identity: Kind.SAME, Dropout: Kind.SAME,
    Dropout2d: Kind.SAME,
}  # fmt: skip
"""The layers that a row can hold; a Dropout that is not drawn passes everything."""

MODES: dict[Any, Mode] = {
    gradient_rule: Mode.EXACT, winner_takes_all: Mode.EXACT, passes: Mode.PASS, reshapes: Mode.PASS,
    guided_rule: Mode.GUIDED, deconvnet_rule: Mode.POSITIVE,
}  # fmt: skip
"""The rules that are plain functions."""

FITS: dict[Mode, set[Kind]] = {
    Mode.EXACT: set(Kind), Mode.PASS: {Kind.RELU, Kind.SAME}, Mode.POSITIVE: {Kind.RELU}, Mode.GUIDED: {Kind.RELU},
    Mode.EPSILON: {Kind.DENSE, Kind.CONV, Kind.MEAN}, Mode.GROUPS: {Kind.DENSE, Kind.CONV},
}  # fmt: skip
"""What each mode can be asked of."""

SIGNS: dict[Any, int] = {A: 0, A_PLUS: 1, A_MINUS: -1}
"""The inputs that a row can feed to a layer, by the sign of those that it keeps."""

STARTS = {"one": Start.ONE, "score": Start.SCORE}
PACKAGE = f"{Path(__file__).parents[1]}{os.sep}"


class Way(NamedTuple):
    """How a row turns the signal above a layer into the one below: a mode, its ε, and its groups."""

    mode: Mode
    epsilon: float = 0.0
    groups: Groups = ()


def is_own(function: Any) -> bool:
    """Whether it is written in the library: nobody has put another in its place."""
    code = getattr(function, "__code__", None)
    return code is not None and code.co_filename.startswith(PACKAGE)


def why_not(layer: Layer) -> str:
    """Why a layer is none of the library's; empty where it is."""
    kind = type(layer)
    if LIBRARY.get(kind.__name__) is not kind:
        return f"{kind.__name__} " + ("is a layer of your own" if layer.batch == 1 else "takes the batch as a whole")
    bases = [base.__name__ for base in kind.__mro__]
    replaced = [
        name
        for name, method in (("forward", kind.forward), ("backward", kind.backward))
        if not is_own(method) or method.__qualname__ not in [f"{base}.{name}" for base in bases]
    ]
    return f"{kind.__name__}.{replaced[0]} was replaced" if replaced else ""


def nonnegative(layers: tuple[Layer, ...], wires: Wires) -> list[bool]:
    """Whether what each layer reads is known to hold no negative number, whatever x is."""
    known, found = [False], []
    for layer, below in zip(layers, wires, strict=True):
        found.append(all(known[i] for i in below))
        kind = KINDS.get(type(layer))
        passes = kind in (Kind.SAME, Kind.MAX, Kind.MEAN) or type(layer) in (Add, Concat, Multiply)
        known.append(kind == Kind.RELU or (found[-1] and passes))
    return found


def way(rule: Any, layer: Layer, positive: bool) -> Way | None:
    """How a row runs this rule on this layer; None where it cannot.

    `positive` says that no input of the layer is negative (or that this is checked before the row runs).
    """
    if isinstance(rule, Prepared):
        found = _groups(rule, layer, positive)
    else:
        found = Way(MODES[rule]) if isinstance(rule, Hashable) and rule in MODES and is_own(rule) else None
    return found if found is not None and KINDS.get(type(layer)) in FITS[found.mode] else None


def needs(rule: Any) -> Callable[..., None] | None:
    """What a rule demands of its inputs, where a row can run it only if they fulfil it."""
    return rule.rule.needs if isinstance(rule, Prepared) and isinstance(rule.rule.needs, NonNegative) else None


def is_separate(rule: Any) -> bool:
    """Whether it treats each sample separately: the library's rules do; the user's may do what they like."""
    return isinstance(rule, Prepared) or (isinstance(rule, Hashable) and rule in MODES)


def cut(top: Any, part: slice, n: int) -> Any:
    """The signal at the top for some of n samples; None where that cannot be told."""
    if type(top) is AtNeuron:
        return top
    if type(top) not in (AtClass, AtLogProbability):
        return None
    target = top.target
    if np.ndim(target) == 0:
        return top
    whole = isinstance(target, (list, tuple, np.ndarray)) and len(target) == n
    return replace(top, target=target[part]) if whole else None


def start(top: Any) -> tuple[Start, Any] | None:
    """The signal at the top as a row makes it, and the target; None where it cannot."""
    if type(top) is AtClass and is_own(AtClass.__call__):
        return STARTS[top.start], top.target
    if type(top) is AtLogProbability and is_own(AtLogProbability.__call__) and not top.network.is_binary:
        return Start.LOG_PROBABILITY, top.target
    return None


def _groups(rule: Prepared, layer: Layer, positive: bool) -> Way | None:
    stabilizer = rule.rule.stabilizer
    own = is_own(lrp_form.four_steps) and is_own(Prepared.__call__) and is_own(Prepared.step)
    if not own or isinstance(stabilizer, Relative) or rule.layer is not layer:
        return None
    if rule.rule.needs is not None and not (positive and isinstance(rule.rule.needs, NonNegative)):
        return None
    groups: list[tuple[float, tuple[tuple[int, Layer], ...]]] = []
    for group, layers in zip(rule.rule.groups, rule.changed, strict=True):
        terms = [(SIGNS.get(term.input), made) for term, made in zip(group.terms, layers, strict=True)]
        if not isinstance(group.kappa, Real) or any(sign is None for sign, _ in terms):
            return None
        # Where no input is negative, a⁺ is a, and a⁻ brings nothing.
        signed = [(0 if positive else sign or 0, made) for sign, made in terms if not (positive and sign == -1)]
        if signed:
            groups.append((float(group.kappa), tuple(signed)))
    if len(groups) == 1 and groups[0] == (1.0, ((0, layer),)):
        return Way(Mode.EPSILON, float(stabilizer))
    return Way(Mode.GROUPS, float(stabilizer), tuple(groups)) if layer.weighted else None
