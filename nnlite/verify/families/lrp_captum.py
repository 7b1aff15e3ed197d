"""LRP beside captum: ε, γ and α1β0 everywhere, from the score, with a stabilizer of 1e-9.

captum has no rule for reshaping and for activation functions other than ReLU and tanh; it divides at max-pooling too,
and does not merge BatchNorm.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...decision_based import lrp
from ...layers import (
    Add,
    BatchNorm,
    Concat,
    Constant,
    Flatten,
    GroupNorm,
    Identity,
    InstanceNorm,
    LayerNorm,
    MatMul,
    MaxPool2d,
    Multiply,
    Pad,
    Permute,
    ReLU,
    Reshape,
    RMSNorm,
    Scale,
    Slice,
    Softmax,
    Tanh,
    Upsample,
)
from ..case import ACTIVATIONS, LINEAR, POOLING, Case
from ..conventions import gamma_with_plain_bias, plus_with_whole_bias
from ..libraries import load
from ..table import BUG, CONVENTION, Comparison, impossible

STABILIZER = 1e-9

WITHOUT_RULE = (
    *(kind for kind in ACTIVATIONS if kind not in (ReLU, Tanh)), Softmax, GroupNorm, InstanceNorm,
    LayerNorm, RMSNorm, MatMul, Scale, Multiply, Constant, Pad, Permute, Slice, Upsample,
)  # fmt: skip

Make = Callable[[Any], Any]
"""make(captum's module of rules) -> a rule of captum."""

AS_THEY = "as captum divides"
DIVIDES = "captum also divides at max-pooling and at BatchNorm (which it does not merge), with 1e-9."
ROWS: tuple[tuple[Any, ...], ...] = (
    ("lrp-epsilon", "EpsilonRule(1e-9)", lambda r: r.EpsilonRule(1e-9), lrp.epsilon(1e-9), CONVENTION, DIVIDES,
     AS_THEY, lrp.epsilon(1e-9)),
    ("lrp-epsilon", "EpsilonRule(0.25)", lambda r: r.EpsilonRule(0.25), lrp.epsilon(0.25), CONVENTION, DIVIDES,
     AS_THEY, lrp.epsilon(0.25)),
    ("lrp-alpha1-beta0", "Alpha1_Beta0_Rule()", lambda r: r.Alpha1_Beta0_Rule(), lrp.alpha_beta(1, 0), BUG,
     "captum takes w⁺ but the whole bias: where b < 0 the denominator can vanish or change its sign.",
     "a_j w⁺_jk / (Σ_j a_j w⁺_jk + b_k)", plus_with_whole_bias(STABILIZER)),
)  # fmt: skip
FOR_NONNEGATIVE: tuple[tuple[Any, ...], ...] = (
    ("lrp-gamma", "GammaRule(0.25)", lambda r: r.GammaRule(0.25), lrp.gamma(0.25), CONVENTION,
     "captum leaves the bias unscaled: b_k instead of b_k + γ b⁺_k.", "bias unscaled",
     gamma_with_plain_bias(0.25, STABILIZER)),
    ("lrp-z-plus", "Alpha1_Beta0_Rule(set_bias_to_zero=True)", lambda r: r.Alpha1_Beta0_Rule(set_bias_to_zero=True),
     lrp.z_plus(), CONVENTION, "captum has a stabilizer of 1e-9, and divides at max-pooling and BatchNorm too.",
     AS_THEY, lrp.z_plus(STABILIZER)),
)  # fmt: skip
"""The arguments of `_row`: nnlite's method, captum's rule in words and in code, nnlite's, and how they differ."""


def comparisons(case: Case) -> list[Comparison]:
    """captum's three rules; each as nnlite has it, and as captum has it."""
    for kind in WITHOUT_RULE:
        if case.has(kind):
            return [impossible("lrp", "captum", "LRP", f"captum's LRP has no rule for a {kind.__name__}.")]
    if any(isinstance(layer, Add) and len(w) != 2 for layer, w in zip(case.network, case.network.wires, strict=True)):
        return [impossible("lrp", "captum", "LRP", "captum's Addition_Module adds two branches.")]
    return [_row(case, *row) for row in (*ROWS, *(FOR_NONNEGATIVE if case.nonnegative else ()))]


def _row(
    case: Case, method: str, name: str, make: Make, rule: lrp.Rule, differs: str, because: str, otherwise: str,
    under: lrp.Rule,
) -> Comparison:  # fmt: skip
    row = Comparison(
        method, "captum", f"{name}, start score",
        lambda: _captum(case, make), lambda: lrp.relevance(case.network, case.x, case.target, rules=rule),
    )  # fmt: skip
    return row.otherwise(differs, because, f"{name}, start score; nnlite {otherwise}", lambda: _as_captum(case, under))


def _as_captum(case: Case, rule: lrp.Rule) -> np.ndarray:
    """nnlite's LRP where captum divides: on every layer but activations, BatchNorm apart."""
    rules: list[Any] = []
    for layer in case.spaced:
        divides = isinstance(layer, (MaxPool2d, BatchNorm, *POOLING))
        found = lrp.zero(STABILIZER) if divides else lrp.proportional(STABILIZER) if isinstance(layer, Add) else None
        rules.append(rule if isinstance(layer, LINEAR) else found)
    return lrp.relevance(case.spaced, case.x, case.target, rules=rules)


def _captum(case: Case, make: Make) -> np.ndarray:
    """captum's LRP with one rule on every layer with weights, its own ε = 1e-9 on the others."""
    rules = load("captum.attr._utils.lrp_rules")
    module, keys = _of_captum(case)
    for key, layer in zip(keys, case.network, strict=True):
        if isinstance(layer, LINEAR):
            getattr(module, key).rule = make(rules)
        elif isinstance(layer, (Add, BatchNorm, MaxPool2d, *POOLING)):
            getattr(module, key).rule = rules.EpsilonRule(STABILIZER)
    return case.captum("LRP", module=module)


def _of_captum(case: Case) -> tuple[Any, list[str]]:
    """The network as a module that captum takes: additions are modules of its own, and reshaping is by functions.

    Each layer reads a copy: captum's hook on a tensor would else be on what a Concat reads of it, too.
    """
    from ...interop.torch_modules import keys, wired

    module, names = wired(case.network), keys(case.network)
    module.read = load("torch").clone
    for key, layer in zip(names, case.network, strict=True):
        if isinstance(layer, Add):
            setattr(module, key, load("captum.attr._utils.custom_modules").Addition_Module())
        elif isinstance(layer, (Concat, Flatten, Identity, Reshape)):
            object.__setattr__(module, key, module._modules.pop(key))
    return module, names
