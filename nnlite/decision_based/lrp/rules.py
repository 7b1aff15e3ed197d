"""Every LRP rule for a layer with weights, as groups of terms (a′, layer′).

p⁺ = max(p, 0), p⁻ = min(p, 0); a are the activations below, z_k = Σ_j a_j w_jk + b_k above.
elementwise.py writes each of them out with every index; the tests tie the two.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any

import numpy as np

from ...layers import Layer
from ...layers.arguments import frozen, unmasked
from ...layers.layer import remembered
from .form import Group, Relative, Rule, Term, unchanged

SAFE = 2.0**-64, 2.0**64
"""Where the largest changed weight lies if float32, which reaches from 2^-126 to 2^128, can hold the step."""

Change = Callable[[np.ndarray], np.ndarray]
"""What becomes of weights, or of a bias. Equal changes are the same key."""


def zero(stabilizer: float = 0.0) -> Rule:
    """LRP-0, the naive rule: R_j = Σ_k a_j w_jk / (Σ_j a_j w_jk + b_k) · R_k.

    The bias absorbs its share. Where inputs cancel, the shares explode; `epsilon` tames them.

    Source: Bach et al. 2015, eq. 56; Montavon et al. 2019, sec. 10.2.1; slides, naive rule.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> zero()(layer, a, layer.forward(a), np.array([[5.0]]))
    array([[ 6., -1.]])
    """

    options = _options(stabilizer=stabilizer)
    return Rule("zero", "a_j w_jk / z_k", unchanged, options, stabilizer, needs_weights=False)


def epsilon(epsilon: float | Relative = 1e-6, stabilizer: float = 0.0) -> Rule:
    """LRP-ε: R_j = Σ_k a_j w_jk / (z_k + ε sgn(z_k)) · R_k, with sgn 0 = +1.

    Parameters
    ----------
    epsilon
        A number ≥ 0, or `relative(0.25)`: times the root mean square of the layer's z, sample by sample.
        (The slides add ε without the sign of z: where z is negative it then brings the denominator nearer to zero.)

    Source: Bach et al. 2015, eq. 58; Montavon et al. 2019, sec. 10.2.1; slides, ε rule.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> epsilon(1.0)(layer, a, layer.forward(a), np.array([[6.0]]))
    array([[ 6., -1.]])
    """

    options = _options(stabilizer=stabilizer)
    more = options.get("stabilizer", 0.0)
    if isinstance(epsilon, Relative):
        size: float | Relative = replace(epsilon, plus=epsilon.plus + more)
    else:
        epsilon = _number("epsilon", epsilon, least=0)
        size = epsilon + more
    formula = "a_j w_jk / (z_k + ε sgn z_k)"
    return Rule("epsilon", formula, unchanged, {"epsilon": epsilon, **options}, size, needs_weights=False)


def relative(factor: float) -> Relative:
    """ε = factor · RMS(z), the root mean square over the layer's z of that sample.

    Source: Montavon et al. 2019, sec. 10.3 (ε in proportion to the spread of z).

    >>> relative(0.25)(np.array([[3.0, -4.0]])).round(4)
    array([[0.8839]])
    """
    return Relative(_number("factor", factor, least=0))


def gamma(gamma: float = 0.25, stabilizer: float = 0.0) -> Rule:
    """LRP-γ: R_j = Σ_k a_j (w_jk + γ w⁺_jk) / (Σ_j a_j (w_jk + γ w⁺_jk) + b_k + γ b⁺_k) · R_k.

    What speaks for the class is favoured. Needs a ≥ 0; `generalized_gamma` takes any sign.

    Source: Montavon et al. 2019, sec. 10.2.1.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> gamma(1.0)(layer, a, layer.forward(a), np.array([[11.0]]))
    array([[12., -1.]])
    """
    gamma = _number("gamma", gamma, least=0)

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> Sequence[Group]:
        _need_nonnegative(a, layer, "gamma", "generalized_gamma, which takes any sign")
        return [Group([Term(a, _with(layer, _Favour(_plus, gamma), _Favour(_plus, gamma)))])]

    formula = "a_j (w_jk + γ w⁺_jk) / Σ"
    return Rule("gamma", formula, groups, _options(gamma=gamma, stabilizer=stabilizer), stabilizer, one_input=True)


def generalized_gamma(gamma: float = 0.25, stabilizer: float = 0.0) -> Rule:
    """LRP-γ for inputs of any sign, by the products p_jk = a_j w_jk and p_0k = b_k.

    Where z_k > 0: R_j gets (p_jk + γ p⁺_jk) / Σ_j (p_jk + γ p⁺_jk) · R_k; where z_k < 0 the same with p⁻ in the place
    of p⁺; the sums include the bias p_0k. Where z_k = 0 nothing is distributed.

    Source: Andéol et al. 2021, "Learning domain invariant representations by joint Wasserstein distance
    minimization"; zennit's Gamma.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[1.0], [-1.0]]), np.array([-1.0])), np.array([[1.0, 1.0]])
    >>> generalized_gamma(0.25)(layer, a, layer.forward(a), np.array([[-1.0]])).round(3)
    array([[ 0.667, -0.833]])
    """
    gamma = _number("gamma", gamma, least=0)

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> Sequence[Group]:
        plus, minus = _Favour(_plus, gamma), _Favour(_minus, gamma)
        favour_plus = _by_sign(a, _with(layer, plus, plus), _with(layer, minus))
        favour_minus = _by_sign(a, _with(layer, minus, minus), _with(layer, plus))
        return [Group(favour_plus, (z > 0).astype(z.dtype)), Group(favour_minus, (z < 0).astype(z.dtype))]

    formula = "(p_jk + γ p⁺_jk) / Σ where z_k > 0, (p_jk + γ p⁻_jk) / Σ where z_k < 0"
    return Rule("generalized_gamma", formula, groups, _options(gamma=gamma, stabilizer=stabilizer), stabilizer)


def z_plus(stabilizer: float = 0.0) -> Rule:
    """z⁺: R_j = Σ_k a_j w⁺_jk / Σ_j a_j w⁺_jk · R_k. The bias is left out. Needs a ≥ 0.

    Source: Montavon et al. 2017 (deep Taylor decomposition), sec. 4.2; slides, "LRP Calculation".

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> z_plus()(layer, a, layer.forward(a), np.array([[5.0]]))
    array([[5., 0.]])
    """

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> Sequence[Group]:
        _need_nonnegative(a, layer, "z_plus", "alpha_beta(1, 0), which takes any sign")
        return [Group([Term(a, _with(layer, _plus))])]

    formula = "a_j w⁺_jk / Σ_j a_j w⁺_jk"
    return Rule("z_plus", formula, groups, _options(stabilizer=stabilizer), stabilizer, one_input=True)


def alpha_beta(alpha: float = 2.0, beta: float = 1.0, stabilizer: float = 0.0) -> Rule:
    """LRP-αβ: R_j = Σ_k (α p⁺_jk / Σ⁺_k − β p⁻_jk / Σ⁻_k) R_k, p_jk = a_j w_jk, with α − β = 1.

    Σ⁺_k = Σ_j p⁺_jk + b⁺_k and Σ⁻_k = Σ_j p⁻_jk + b⁻_k. (Bach's eq. 60 writes + β with α + β = 1: there β carries the
    minus.) A neuron without any negative contribution gives out α R_k; the ledger shows the difference.

    Source: Bach et al. 2015, eq. 60; Montavon et al. 2019, table 10.1.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> alpha_beta(2, 1)(layer, a, layer.forward(a), np.array([[5.0]]))
    array([[10., -5.]])
    """
    alpha, beta = _number("alpha", alpha, least=1), _number("beta", beta, least=0)
    if abs(alpha - beta - 1) > 1e-9:
        raise ValueError(f"alpha_beta needs α − β = 1, and α = {alpha}, β = {beta} came.")

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> Sequence[Group]:
        above = _by_sign(a, _with(layer, _plus, _plus), _with(layer, _minus))
        below = _by_sign(a, _with(layer, _minus, _minus), _with(layer, _plus))
        return [Group(above, alpha), Group(below, -beta)] if beta else [Group(above, alpha)]

    formula = "α (a_j w_jk)⁺ / Σ⁺ − β (a_j w_jk)⁻ / Σ⁻"
    options = _options(alpha=alpha, beta=beta, stabilizer=stabilizer)
    return Rule("alpha_beta", formula, groups, options, stabilizer, one_input=True)


def z_bounds(low: Any = 0.0, high: Any = 1.0, stabilizer: float = 0.0) -> Rule:
    """z^B, for pixels in [l, h]: R_j = Σ_k q_jk / Σ_j q_jk · R_k with q_jk = a_j w_jk − l_j w⁺_jk − h_j w⁻_jk.

    A black pixel gets relevance too, where white would have changed the score. The bias is left out (it cancels).
    Computed as q_jk = (a_j − l_j) w⁺_jk + (a_j − h_j) w⁻_jk: the same, and no large terms cancel.

    Parameters
    ----------
    low, high
        The bounds l < h of the inputs: finite numbers, or arrays that broadcast over one input, such as (C, 1, 1). An
        input outside them by more than rounding is a ValueError.

    Source: Montavon et al. 2017 (deep Taylor decomposition), sec. 4.2; Montavon et al. 2019, table 10.1.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[1.0], [-1.0]])), np.array([[1.0, 0.0]])
    >>> z_bounds(0, 1)(layer, a, layer.forward(a), np.array([[1.0]]))
    array([[0.5, 0.5]])
    """
    bounds = (np.asarray(unmasked(name, bound)) for name, bound in (("low", low), ("high", high)))
    if not all(bound.dtype.kind in "iuf" and np.isfinite(bound).all() for bound in bounds):
        raise ValueError(f"z_bounds takes finite bounds, and low = {low!r}, high = {high!r} came.")
    if not np.all(np.asarray(low) < np.asarray(high)):
        raise ValueError(f"z_bounds needs low < high, and low = {low}, high = {high} came.")

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> Sequence[Group]:
        l, h = _bound("low", low, a), _bound("high", high, a)
        outside = np.maximum(l - a, a - h)
        if np.any(outside > 0) and np.any(outside > 4 * np.finfo(a.dtype).eps * np.maximum(np.abs(l), np.abs(h))):
            raise ValueError(
                f"z_bounds takes inputs in [{np.min(low)}, {np.max(high)}], and {a.min()} to {a.max()} came to "
                f"{layer!r}; give the bounds of your pixels, or use w_squared, which needs none."
            )
        return [Group([Term(a - l, _with(layer, _plus)), Term(a - h, _with(layer, _minus))])]

    formula = "(a_j w_jk − l_j w⁺_jk − h_j w⁻_jk) / Σ"
    return Rule("z_bounds", formula, groups, _options(low=low, high=high, stabilizer=stabilizer), stabilizer)


def w_squared(stabilizer: float = 0.0) -> Rule:
    """w²: R_j = Σ_k w²_jk / Σ_j w²_jk · R_k. The input plays no part, the bias is left out.

    Source: Montavon et al. 2017 (deep Taylor decomposition), sec. 4.1; Montavon et al. 2019, table 10.1.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> w_squared()(layer, a, layer.forward(a), np.array([[5.0]]))
    array([[4.5, 0.5]])
    """

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> Sequence[Group]:
        return [Group([Term(np.ones_like(a), _with(layer, np.square))])]

    return Rule("w_squared", "w²_jk / Σ_j w²_jk", groups, _options(stabilizer=stabilizer), stabilizer)


def flat(stabilizer: float = 0.0) -> Rule:
    """Flat: R_j = Σ_k 1 / (number of inputs of k) · R_k, counting the inputs that exist: padding is absent.

    Source: Lapuschkin et al. 2019, "Unmasking Clever Hans predictors"; zennit's Flat.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> flat()(layer, a, layer.forward(a), np.array([[5.0]]))
    array([[2.5, 2.5]])
    """

    def groups(layer: Any, a: np.ndarray, z: np.ndarray) -> Sequence[Group]:
        return [Group([Term(np.ones_like(a), _with(layer, np.ones_like))])]

    return Rule("flat", "1 / Σ_j 1", groups, _options(stabilizer=stabilizer), stabilizer)


# --------------------------------------------------------------------------------------------- layers made over


@remembered
def _with(layer: Any, W: Change, b: Change | None = None) -> Layer:
    """The layer with the weights W(w) and the bias b(b), or none. It is made once, and kept with the layer.

    In float64 where float32 would lose them: the share of an input is a number even where its w² overflows.
    """
    if layer.dtype != np.float32:
        return _changed(layer, W, b)
    with np.errstate(all="ignore"):
        changed = _changed(layer, W, b)
        if SAFE[0] < _largest(changed) < SAFE[1]:
            return changed
    wide = _changed(layer.astype(np.float64), W, b)
    return wide if _largest(wide) else changed


def _largest(layer: Layer) -> float:
    return max(float(np.abs(values).max(initial=0)) for values in layer.arrays.values())


def _changed(layer: Any, W: Change, b: Change | None) -> Layer:
    return replace(layer, W=frozen(W(layer.W)), b=None if b is None or layer.b is None else frozen(b(layer.b)))


def _plus(values: np.ndarray) -> np.ndarray:
    """p⁺ = max(p, 0)."""
    return np.maximum(values, 0)


def _minus(values: np.ndarray) -> np.ndarray:
    """p⁻ = min(p, 0)."""
    return np.minimum(values, 0)


@dataclass(frozen=True)
class _Favour:
    """p + γ p⁺, or p + γ p⁻."""

    part: Change
    gamma: float

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if self.gamma > np.finfo(values.dtype).max:
            raise ValueError(
                f"gamma = {self.gamma:g} overflows {values.dtype}; take less, or compute in float64 "
                '(network.astype("float64"), x.astype("float64")).'
            )
        return values + self.gamma * self.part(values)


def _by_sign(a: np.ndarray, plus: Layer, minus: Layer) -> Sequence[Term]:
    """plus(a⁺) and minus(a⁻). Above a ReLU no input is negative: then the second brings nothing."""
    if a.size and a.min() >= 0:  # a NaN is not
        return [Term(a, plus), Term(np.zeros_like(a), minus, vanishes=True)]
    return [Term(_plus(a), plus), Term(_minus(a), minus)]


# -------------------------------------------------------------------------------------------------- the checks


def _options(**values: Any) -> dict[str, Any]:
    """The options of a rule; a stabilizer of 0 goes without saying."""
    values["stabilizer"] = _number("stabilizer", values["stabilizer"], least=0)
    return {name: value for name, value in values.items() if name != "stabilizer" or value}


def _number(name: str, value: Any, least: float) -> float:
    """A finite number from `least` as Python's own: NumPy's scalars would turn float32 into float64."""
    if not isinstance(value, Real) or isinstance(value, bool) or not least <= float(value) < np.inf:
        raise ValueError(f"{name} takes a finite number from {least}, and {value!r} came.")
    return value if type(value) is int else float(value)


def _bound(name: str, bound: Any, a: np.ndarray) -> np.ndarray:
    try:
        return np.broadcast_to(np.asarray(bound, a.dtype), a.shape)
    except ValueError:
        raise ValueError(
            f"z_bounds: {name} takes a number or an array that broadcasts over one input {a.shape[1:]}, "
            f"and the shape {np.shape(bound)} came."
        ) from None


def _need_nonnegative(a: np.ndarray, layer: Layer, rule: str, instead: str) -> None:
    if a.size and a.min() < 0:
        raise ValueError(f"{rule} needs inputs ≥ 0, and {a.min()} came to {layer!r}; use {instead}.")
