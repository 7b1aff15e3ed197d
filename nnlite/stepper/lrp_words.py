"""The words of an LRP rule (decision_based/lrp/rule.py) as formulas in a, w and b."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from ..decision_based.lrp import A_MINUS, A_PLUS, ONE, A, Group, Rule, Term, minus, where_negative, where_positive
from ..decision_based.lrp.rule import ABSOLUTE, Branch, Change, negative, positive, same
from ..layers import Add, AvgPool2d, BatchNorm, GlobalAvgPool
from .expressions import Tree, add, mul, num, sym
from .gradient_steps import weight

W, B, R = sym("w", "jk"), sym("b", "k"), sym("R", "k")

INPUTS: dict[Any, Tree] = {
    A: sym("a", "j"),
    A_PLUS: ["pos", sym("a", "j")],
    A_MINUS: ["neg", sym("a", "j")],
    ONE: num(1),
    ABSOLUTE: ["abs", sym("a", "j")],
}
OPERATIONS: dict[Any, str] = {positive: "pos", negative: "neg", np.square: "square"}
MARKS: dict[Any, str] = {
    positive: "⁺",
    negative: "⁻",
    A_PLUS: "⁺",
    A_MINUS: "⁻",
    where_positive: "↑",
    where_negative: "↓",
}
GREEK = {"alpha": "α", "beta": "β", "gamma": "γ"}


class TermForm(NamedTuple):
    """A term of a group: a′ and w′ as formulas, and the mark that tells its c from the others'."""

    a: Tree
    w: Tree
    mark: str = ""


class GroupForm(NamedTuple):
    """A group: its terms, its bias, what of R_k it divides, and the mark that tells its z and s from the others'."""

    terms: tuple[TermForm, ...]
    bias: Tree | None = None
    part: Tree = R
    mark: str = ""


def group_forms(rule: Rule, layer: Any) -> list[GroupForm]:
    """The groups of a rule as formulas.

    Raises ValueError: a word of the rule has no formula: a function of the user's own.

    >>> from nnlite.decision_based import lrp
    >>> from nnlite.layers import Dense
    >>> from nnlite.stepper.printing import formula
    >>> (group,) = group_forms(lrp.gamma(0.25), Dense(np.ones((2, 1)), np.ones(1)))
    >>> formula(group.terms[0].w), formula(group.bias)
    ('w_jk + γ w⁺_jk', 'b_k + γ b⁺_k')
    """
    w, b = weights(layer)
    marks = _marks([_sign(group.kappa) for group in rule.groups])
    return [_group(group, w, b, mark, rule) for group, mark in zip(rule.groups, marks, strict=True)]


def weights(layer: Any) -> tuple[Tree, Tree | None]:
    """w and b of a layer, in whatever form it has them."""
    if isinstance(layer, (AvgPool2d, GlobalAvgPool)):
        return weight(layer), None
    if isinstance(layer, BatchNorm):
        return weight(layer), B
    if isinstance(layer, Add):
        return num(1), None
    return W, None if layer.b is None else B


def _group(group: Group, w: Tree, b: Tree | None, mark: str, rule: Rule) -> GroupForm:
    marks = _marks([MARKS.get(term.input, MARKS.get(term.W.part, "")) for term in group.terms])
    terms = [
        TermForm(_input(term), _changed(w, term.W, rule), mark) for term, mark in zip(group.terms, marks, strict=True)
    ]
    biases = [_changed(b, term.b, rule) for term in group.terms if b is not None and term.b is not None]
    return GroupForm(tuple(terms), add(*biases) if biases else None, _share(group.kappa, rule), mark)


def _input(term: Term) -> Tree:
    if isinstance(term.input, minus):
        letter, bound = term.input.symbol, term.input.bound
        return ["sub", sym("a", "j"), num(float(bound), letter) if np.ndim(bound) == 0 else sym(letter, "j")]
    if isinstance(term.input, Branch):
        return sym("p", "j")
    if term.input not in INPUTS:
        raise ValueError(f"there is no formula for the input {term.input!r}.")
    return INPUTS[term.input]


def _changed(values: Tree, change: Change, rule: Rule) -> Tree:
    """p′ of a weight or a bias p."""
    part = getattr(change, "part", None)
    if part is same:
        tree = values
    elif part is np.ones_like:
        tree = num(1)
    elif part in OPERATIONS:
        tree = [OPERATIONS[part], values]
    else:
        raise ValueError(f"there is no formula for the change of weights {change!r}.")
    return tree if change.gamma is None else add(values, mul(num(change.gamma, _letter(change.gamma, rule)), tree))


def _share(kappa: Any, rule: Rule) -> Tree:
    """κ R_k."""
    if kappa in (where_positive, where_negative):
        return ["when", ["gt" if kappa is where_positive else "lt", sym("z", "k"), num(0)], R, num(0)]
    if callable(kappa):
        raise ValueError(f"there is no formula for κ = {kappa!r}.")
    return mul(num(kappa, _letter(kappa, rule)), R)


def _letter(value: float, rule: Rule) -> str:
    """The option of the rule that has this value, or its negative, by its Greek letter."""
    for name, letter in GREEK.items():
        if rule.options.get(name) == value:
            return letter
        if rule.options.get(name) == -value:
            return f"(−{letter})"
    return ""


def _sign(kappa: Any) -> str:
    return MARKS.get(kappa, "") if callable(kappa) else "⁺" if kappa > 0 else "⁻"


def _marks(wanted: Sequence[str]) -> list[str]:
    """A different mark for each; none where there is one alone."""
    if len(wanted) == 1:
        return [""]
    alike = len(set(wanted)) < len(wanted) or "" in wanted
    return [f"({i + 1})" for i in range(len(wanted))] if alike else list(wanted)
