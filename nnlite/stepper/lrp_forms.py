"""Every LRP rule as the formula that it is written as, in a, w and b: the stepper's own form.

`lrp.rules` gives numbers, a′ and layer′; here each stands as a tree. What is recorded is what the rule computed, so
that a formula that says something else is found out.
"""

from typing import Any, NamedTuple

import numpy as np

from ..decision_based.lrp import Rule
from ..layers import AvgPool2d, BatchNorm, GlobalAvgPool
from .expressions import Tree, add, mul, num, sym
from .gradient_steps import weight

A, W, B, R = sym("a", "j"), sym("w", "jk"), sym("b", "k"), sym("R", "k")


class Form(NamedTuple):
    """A term of a group: a′ and w′ as formulas, and the mark that tells its c from the others'."""

    a: Tree
    w: Tree
    mark: str = ""


class GroupForm(NamedTuple):
    """A group: its terms, its bias, what of R_k it divides, and the mark that tells its z and s from the others'."""

    terms: tuple[Form, ...]
    bias: Tree | None = None
    part: Tree = R
    mark: str = ""


def group_forms(rule: Rule, layer: Any) -> list[GroupForm]:
    """The groups of a rule as formulas, in the order of `rule.groups`.

    Raises
    ------
    ValueError
        There is no formula for a rule of this name.

    >>> from nnlite.decision_based import lrp
    >>> from nnlite.layers import Dense
    >>> from nnlite.stepper.printing import formula
    >>> (group,) = group_forms(lrp.gamma(0.25), Dense(np.ones((2, 1)), np.ones(1)))
    >>> formula(group.terms[0].w), formula(group.bias)
    ('w_jk + γ w⁺_jk', 'b_k + γ b⁺_k')
    """
    w, b = weights(layer)
    option = rule.options
    if rule.name in ("zero", "epsilon"):
        return [GroupForm((Form(A, w),), b)]
    if rule.name == "gamma":
        return [GroupForm((Form(A, _favoured(w, "pos", option)),), b and _favoured(b, "pos", option))]
    if rule.name == "z_plus":
        return [GroupForm((Form(A, ["pos", w]),))]
    if rule.name == "w_squared":
        return [GroupForm((Form(num(1), ["square", w]),))]
    if rule.name == "flat":
        return [GroupForm((Form(num(1), num(1)),))]
    if rule.name == "z_bounds":
        low, high = _bound("l", option["low"]), _bound("h", option["high"])
        return [GroupForm((Form(["sub", A, low], ["pos", w], "⁺"), Form(["sub", A, high], ["neg", w], "⁻")))]
    if rule.name == "alpha_beta":
        plus, minus = ["pos", w], ["neg", w]
        alpha, beta = mul(num(option["alpha"], "α"), R), mul(num(-option["beta"], "(−β)"), R)
        above = GroupForm(_by_sign(plus, minus), b and ["pos", b], alpha, "⁺")
        below = GroupForm(_by_sign(minus, plus), b and ["neg", b], beta, "⁻")
        return [above, below] if option["beta"] else [above]
    if rule.name == "generalized_gamma":
        up, down = _favoured(w, "pos", option), _favoured(w, "neg", option)
        return [
            GroupForm(_by_sign(up, down), b and _favoured(b, "pos", option), _where("gt"), "↑"),
            GroupForm(_by_sign(down, up), b and _favoured(b, "neg", option), _where("lt"), "↓"),
        ]
    raise ValueError(f"{rule!r} cannot be stepped through: the stepper has no formula for it.")


def weights(layer: Any) -> tuple[Tree, Tree | None]:
    """w and b of a layer, in whatever form it has them."""
    if isinstance(layer, (AvgPool2d, GlobalAvgPool)):
        return weight(layer), None
    if isinstance(layer, BatchNorm):
        return weight(layer), B
    return W, None if layer.b is None else B


def _by_sign(of_plus: Tree, of_minus: Tree) -> tuple[Form, Form]:
    """The terms of the positive and of the negative inputs."""
    return Form(["pos", A], of_plus, "⁺"), Form(["neg", A], of_minus, "⁻")


def _favoured(values: Tree, sign: str, option: dict[str, Any]) -> Tree:
    """p + γ p⁺ or p + γ p⁻."""
    return add(values, mul(num(option["gamma"], "γ"), [sign, values]))


def _where(relation: str) -> Tree:
    """R_k where z_k > 0, or where z_k < 0."""
    return ["when", [relation, sym("z", "k"), num(0)], R, num(0)]


def _bound(letter: str, bound: Any) -> Tree:
    return num(float(bound), letter) if np.ndim(bound) == 0 else sym(letter, "j")
