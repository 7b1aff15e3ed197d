"""The steps of DeepLIFT with Rescale: multipliers m, from the differences Δ to what a reference input gives."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..decision_based.deeplift import ROUNDING
from ..layers import Constant, MaxPool2d, Multiply
from .expressions import Tree, add, mul, num, sym
from .gradient_steps import backward, is_nonlinearity, other_factor
from .gradient_steps import steps as backward_steps
from .sources import Source, source
from .trace import Formula, Recorded, Written, behind_each_other

D_J, D_K, M = sym("Δ", "j"), sym("Δ", "k"), sym("m", "k")
WORDS = {
    "j": "how far the input lies from that of the reference",
    "k": "how far the output lies from that of the reference",
}
EPS = num(ROUNDING * np.finfo(np.float64).eps, f"{ROUNDING}ε")
ROUNDED = mul(EPS, add(["abs", sym("z", "k")], ["abs", sym("z′", "k")]))
"""What rounding can leave of Δ_k, where ε is the machine epsilon."""


def steps(of: Recorded) -> Written:
    """The Linear rule as it is; on a nonlinearity or a max-pooling the differences, then the multipliers."""
    plain = backward_steps(of, "m")
    rule, reference = bound(of.rule)
    if isinstance(of.layer, Constant):
        return plain
    code = source(rule)
    if isinstance(of.layer, Multiply):
        arrays = plain.arrays | {"w′_jk": other_factor(of.geometry, behind_each_other(reference["r_j"]))}
        mean: Tree = ["div", add(sym("w", "jk"), sym("w′", "jk")), num(2)]
        words = "each factor gets m times the mean of the other one, w_jk, and what that is at the reference, w′_jk"
        vector = "m ← m ⊙ (w + w′) / 2"
        return Written(arrays, [Formula("m", "j", ["sum", "k", mul(mean, M)], vector, words, (code,))])
    if not isinstance(of.layer, MaxPool2d) and not is_nonlinearity(of.layer):
        code = source(rule, "return layer.backward(a_j, m)")
        (step,) = plain.steps
        return Written(plain.arrays, [replace(step, sources=(code, *step.sources))])
    r_j, r_k = (reference[name][0] for name in ("r_j", "r_k"))
    arrays = {**plain.arrays, "a_j": of.a_j, "z_k": of.a_k, "a′_j": r_j, "z′_k": r_k}
    arrays |= {"Δ_j": of.a_j - r_j, "Δ_k": of.a_k - r_k}
    gradient, vector = backward(of.layer, "m")
    if isinstance(of.layer, MaxPool2d):
        rises: Tree = ["sum", "k", ["when", ["wins", "a"], mul(M, ["pos", D_K]), num(0)]]
        falls: Tree = ["sum", "k", ["when", ["wins", "a′"], mul(M, ["neg", D_K]), num(0)]]
        share: Tree = ["div", add(rises, falls), D_J]
        differs: Tree = ["gt", ["abs", D_J], num(0)]
        equal, rescaled = "Δ_j = 0", "((m ⊙ Δ⁺) to the winners + (m ⊙ Δ⁻) to those of a′) ⊘ Δ_j"
    else:
        tangent, _ = backward(of.layer, "Δ", "j")
        differs, equal = ["gt", ["abs", ["sub", tangent, D_K]], ROUNDED], "that is the slope, to rounding"
        share, rescaled = ["div", mul(M, D_K), D_J], "m ⊙ Δ_k ⊘ Δ_j"
    tree = ["when", differs, share, gradient]
    vector = f"m ← {rescaled}; where {equal}: {vector}"
    last = Formula("m", "j", tree, vector, "the contribution of each unit of difference", (code,))
    return Written(arrays, [_difference("j", "a", code), _difference("k", "z", code), last])


def bound(rule: Any) -> tuple[Any, dict[str, Any]]:
    """The function that a rule calls in the end, and what was bound to it of the reference."""
    keywords: dict[str, Any] = {}
    while isinstance(rule, partial):
        keywords |= rule.keywords
        rule = keywords.pop("found", rule.func)
    return rule, keywords


def _difference(index: str, letter: str, code: Source) -> Formula:
    """Δ_j = a_j − a′_j, or Δ_k = z_k − z′_k."""
    tree: Tree = ["sub", sym(letter, index), sym(f"{letter}′", index)]
    return Formula("Δ", index, tree, f"Δ_{index} ← {letter} - {letter}′", WORDS[index], (code,))
