"""LRP as a gradient: R = a ⊙ g, and g walks down by changed backward passes that divide by no z.

Where every layer's z is linear in a once something is held (σ of a norm, f(a) / a of an activation, the other factor of
a product), LRP-0 is the gradient of that held network times the input: R_k = z_k g_k turns

    R_j = a_j Σ_k w_jk R_k / z_k     into     g_j = Σ_k w_jk g_k.

    a layer of sums     its backward pass, with σ held        an activation   g f(a) / a, at a = 0 the limit f′(0)
    a product           its backward pass, times the share    a Softmax       its backward pass

The numbers are those of the rules with stabilizer 0 wherever no z is 0. It holds at every layer: R[l] = a[l] ⊙ g[l].

Source: Arras et al. 2025, "A close look at decomposition-based XAI methods for transformer language models"; Achtibat
et al. 2024, "AttnLRP: attention-aware layer-wise relevance propagation for transformers", sec. 3.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ...layers import Layer
from .passing import PASSING, Share, passes
from .rule import A, Rule


def gradient_form(rule: Any, layer: Layer, name: str) -> Callable[..., Any]:
    """What carries g through a layer, as (layer, a, z, g) -> g below.

    Raises
    ------
    TypeError
        The rule is none of zero, epsilon, proportional, signal, uniform and those that divide nothing; or the layer is
        an activation with f(0) ≠ 0, such as a Sigmoid, for which f(a) / a has no limit at 0.
    """
    if isinstance(rule, Share):
        return _product(rule)
    if rule is passes and not layer.linear:
        if layer.forward(np.zeros((1, 1), layer.dtype or np.float64)).any():
            raise TypeError(f"The gradient form needs f(0) = 0, and layer {name} is {layer!r}; walk R itself.")
        return _activation
    divides = isinstance(rule, Rule) and [(g.kappa, [(t.input, t.keeps_weights) for t in g.terms]) for g in rule.groups]
    if divides == [(1, [(A, True)])] or rule in PASSING:
        return _held
    raise TypeError(f"{rule!r} of layer {name} changes inputs or weights, and has no gradient form; walk R itself.")


def _held(layer: Layer, a: Any, z: np.ndarray, g: np.ndarray) -> Any:
    return layer.held(a).backward(a, g)


def _activation(layer: Layer, a: np.ndarray, z: np.ndarray, g: np.ndarray) -> np.ndarray:
    return np.where(a == 0, layer.backward(a, g), g * (z / np.where(a == 0, 1, a)))


def _product(rule: Share) -> Callable[..., Any]:
    def share(layer: Layer, a: Any, z: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, ...]:
        return tuple(
            each * each.dtype.type(part) for each, part in zip(layer.backward(a, g), rule.of(a, z), strict=True)
        )

    return share
