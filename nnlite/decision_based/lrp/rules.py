"""Every LRP rule for a layer with weights, in the words of rule.py.

p⁺ = max(p, 0), p⁻ = min(p, 0); a are the activations below, z_k = Σ_j a_j w_jk + b_k above.
elementwise.py writes each of them out with every index; the tests tie the two.
"""

from dataclasses import replace
from numbers import Real
from typing import Any

import numpy as np

from ...layers.arguments import as_array, frozen
from .rule import (
    A_MINUS,
    A_PLUS,
    NEGATIVE,
    ONE,
    ONES,
    POSITIVE,
    SQUARE,
    A,
    Box,
    Change,
    Group,
    NonNegative,
    Relative,
    Rule,
    Term,
    favour,
    minus,
    where_negative,
    where_positive,
)


def zero(stabilizer: float = 0.0) -> Rule:
    """LRP-0, the naive rule: R_j = Σ_k a_j w_jk / (Σ_j a_j w_jk + b_k) · R_k.

    The bias absorbs its share. Where inputs cancel, the shares explode; `epsilon` tames them.

    Source: Bach et al. 2015, eq. 56; Montavon et al. 2019, sec. 10.2.1; slides, naive rule.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> zero()(layer, a, layer.forward(a), np.array([[5.0]]))
    array([[ 6., -1.]])
    """
    return Rule("zero", [Group([Term(A)])], **_options(stabilizer))


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
    given = _options(stabilizer)
    if isinstance(epsilon, Relative):
        size: float | Relative = replace(epsilon, plus=epsilon.plus + given["stabilizer"])
    else:
        epsilon = _number("epsilon", epsilon, least=0)
        size = epsilon + given["stabilizer"]
    return Rule("epsilon", [Group([Term(A)])], size, options={"epsilon": epsilon, **given["options"]})


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
    groups = [Group([Term(A, favour(gamma), favour(gamma))])]
    return Rule("gamma", groups, needs=NonNegative("generalized_gamma"), **_options(stabilizer, gamma=gamma))


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
    up, down = favour(gamma), favour(gamma, NEGATIVE)
    groups = [Group(_by_sign(up, down), where_positive), Group(_by_sign(down, up), where_negative)]
    return Rule("generalized_gamma", groups, **_options(stabilizer, gamma=gamma))


def z_plus(stabilizer: float = 0.0) -> Rule:
    """z⁺: R_j = Σ_k a_j w⁺_jk / Σ_j a_j w⁺_jk · R_k. The bias is left out. Needs a ≥ 0.

    Source: Montavon et al. 2017 (deep Taylor decomposition), sec. 4.2; slides, "LRP Calculation".

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> z_plus()(layer, a, layer.forward(a), np.array([[5.0]]))
    array([[5., 0.]])
    """
    groups = [Group([Term(A, POSITIVE, None)])]
    return Rule("z_plus", groups, needs=NonNegative("alpha_beta(1, 0)"), **_options(stabilizer))


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
        raise ValueError(f"alpha_beta: expected α − β = 1, got α = {alpha}, β = {beta}.")
    groups = [Group(_by_sign(POSITIVE, NEGATIVE), alpha)]
    if beta:
        groups.append(Group(_by_sign(NEGATIVE, POSITIVE), -beta))
    return Rule("alpha_beta", groups, **_options(stabilizer, alpha=alpha, beta=beta))


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
    bounds = (as_array(name, bound) for name, bound in (("low", low), ("high", high)))
    if not all(bound.dtype.kind in "iuf" and np.isfinite(bound).all() for bound in bounds):
        raise ValueError(f"z_bounds: expected finite bounds, got low = {low!r}, high = {high!r}.")
    if not np.all(np.asarray(low) < np.asarray(high)):
        raise ValueError(f"z_bounds: expected low < high, got low = {low}, high = {high}.")
    low, high = (bound if isinstance(bound, Real) else frozen(np.array(bound)) for bound in (low, high))
    groups = [Group([Term(minus(low, "l"), POSITIVE, None), Term(minus(high, "h"), NEGATIVE, None)])]
    return Rule("z_bounds", groups, needs=Box(low, high), **_options(stabilizer, low=low, high=high))


def w_squared(stabilizer: float = 0.0) -> Rule:
    """w²: R_j = Σ_k w²_jk / Σ_j w²_jk · R_k. The input plays no part, the bias is left out.

    Source: Montavon et al. 2017 (deep Taylor decomposition), sec. 4.1; Montavon et al. 2019, table 10.1.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> w_squared()(layer, a, layer.forward(a), np.array([[5.0]]))
    array([[4.5, 0.5]])
    """
    return Rule("w_squared", [Group([Term(ONE, SQUARE, None)])], **_options(stabilizer))


def flat(stabilizer: float = 0.0) -> Rule:
    """Flat: R_j = Σ_k 1 / (number of inputs of k) · R_k, counting the inputs that exist: padding is absent.

    Source: Lapuschkin et al. 2019, "Unmasking Clever Hans predictors"; zennit's Flat.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> flat()(layer, a, layer.forward(a), np.array([[5.0]]))
    array([[2.5, 2.5]])
    """
    return Rule("flat", [Group([Term(ONE, ONES, None)])], **_options(stabilizer))


def _by_sign(of_plus: Change, of_minus: Change) -> list[Term]:
    """What products p_jk = a_j w_jk of one sign bring: a⁺ by one change, a⁻ by the other; the bias with the first."""
    return [Term(A_PLUS, of_plus, of_plus), Term(A_MINUS, of_minus, None)]


def _options(stabilizer: float, **values: Any) -> dict[str, Any]:
    """The stabilizer and the options of a rule; a stabilizer of 0 goes without saying."""
    stabilizer = _number("stabilizer", stabilizer, least=0)
    return {"stabilizer": stabilizer, "options": values | ({"stabilizer": stabilizer} if stabilizer else {})}


def _number(name: str, value: Any, least: float) -> float:
    """A finite number from `least` as Python's own: NumPy's scalars would turn float32 into float64."""
    if not isinstance(value, (int, float, Real)) or isinstance(value, bool) or not least <= float(value) < np.inf:
        raise ValueError(f"{name}: expected a finite number from {least}, got {value!r}.")
    return value if type(value) is int else float(value)
