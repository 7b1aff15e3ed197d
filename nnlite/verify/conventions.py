"""LRP rules as others define them, in our words: to compare under their convention, and to find it in a map."""

from dataclasses import dataclass, replace

import numpy as np

from ..decision_based.lrp import ONE, POSITIVE, SAME, SQUARE, A, Group, Rule, Term, favour
from ..layers import Hardsigmoid


def without_bias(rule: Rule) -> Rule:
    """The rule with the bias left out of every denominator."""
    groups = [replace(group, terms=[replace(term, b=None) for term in group.terms]) for group in rule.groups]
    return replace(rule, groups=groups)


@dataclass(frozen=True)
class _Unsigned:
    """κ = z / (z + ε), so that κ R / z = R / (z + ε)."""

    epsilon: float

    def __call__(self, z: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(z + self.epsilon == 0, 0, z / (z + z.dtype.type(self.epsilon)))


def unsigned_epsilon(epsilon: float) -> Rule:
    """ε as the slides have it: added, whatever the sign of z."""
    return Rule("epsilon", [Group([Term(A)], _Unsigned(epsilon))])


def gamma_with_plain_bias(gamma: float, stabilizer: float) -> Rule:
    """γ as captum has it: the bias unscaled."""
    return Rule("gamma", [Group([Term(A, favour(gamma), SAME)])], stabilizer)


def plus_with_whole_bias(stabilizer: float) -> Rule:
    """α1β0 as captum has it: w⁺, and the bias with its sign."""
    return Rule("alpha_beta", [Group([Term(A, POSITIVE, SAME)])], stabilizer)


def w_squared_with_bias(stabilizer: float) -> Rule:
    """w² as zennit has it: b² in the denominator."""
    return Rule("w_squared", [Group([Term(ONE, SQUARE, SQUARE)])], stabilizer)


class SixthInFloat32(Hardsigmoid):
    """Hardsigmoid with the slope that torch gives it on CPUs, in float64 too: 1 / 6 rounded to float32."""

    def slope_at(self, a: np.ndarray) -> np.ndarray:
        return super().slope_at(a) * 6 * np.float64(np.float32(1 / 6))
