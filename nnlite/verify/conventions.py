"""LRP rules as others define them, in our form: to compare under their convention, and to find it in a map."""

from dataclasses import replace
from typing import Any

import numpy as np

from ..decision_based import lrp
from ..layers.arguments import frozen


def without_bias(rule: lrp.Rule) -> lrp.Rule:
    """The rule with the bias left out of every denominator."""

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> list[lrp.Group]:
        bare = replace(layer, b=None) if getattr(layer, "b", None) is not None else layer
        return list(rule.groups(bare, a, bare.forward(a)))

    return replace(rule, groups=groups)


def unsigned_epsilon(epsilon: float) -> lrp.Rule:
    """ε as the slides have it: added, whatever the sign of z."""

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> list[lrp.Group]:
        with np.errstate(divide="ignore", invalid="ignore"):
            kappa = np.where(z + epsilon == 0, 0, z / (z + z.dtype.type(epsilon)))
        return [lrp.Group([lrp.Term(a, layer)], kappa)]  # R / (z + ε) = κ R / z with κ = z / (z + ε)

    return lrp.Rule("epsilon", "a_j w_jk / (z_k + ε)", groups, needs_weights=False)


def gamma_with_plain_bias(gamma: float, stabilizer: float) -> lrp.Rule:
    """γ as captum has it: the bias unscaled."""

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> list[lrp.Group]:
        W = frozen(layer.W + a.dtype.type(gamma) * np.maximum(layer.W, 0))
        return [lrp.Group([lrp.Term(a, replace(layer, W=W))])]

    return lrp.Rule("gamma", "a_j (w_jk + γ w⁺_jk) / (Σ + b_k)", groups, stabilizer=stabilizer)


def plus_with_whole_bias(stabilizer: float) -> lrp.Rule:
    """α1β0 as captum has it: w⁺, and the bias with its sign."""

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> list[lrp.Group]:
        return [lrp.Group([lrp.Term(a, replace(layer, W=frozen(np.maximum(layer.W, 0))))])]

    return lrp.Rule("alpha_beta", "a_j w⁺_jk / (Σ_j a_j w⁺_jk + b_k)", groups, stabilizer=stabilizer)


def w_squared_with_bias(stabilizer: float) -> lrp.Rule:
    """w² as zennit has it: b² in the denominator."""

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> list[lrp.Group]:
        b = None if layer.b is None else frozen(layer.b**2)
        return [lrp.Group([lrp.Term(np.ones_like(a), replace(layer, W=frozen(layer.W**2), b=b))])]

    return lrp.Rule("w_squared", "w²_jk / (Σ_j w²_jk + b²_k)", groups, stabilizer=stabilizer)
