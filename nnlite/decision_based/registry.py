"""Every decision-based method by name. A method written here appears in the tour, in `nnlite explain` and the docs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..network import Network
from . import lrp
from .gradient import gradient, gradient_times_input, saliency, sensitivity


@dataclass(frozen=True)
class Method:
    """A method under its name.

    Attributes
    ----------
    name
        As the command line has it.
    formula
        What it computes, in one line.
    meaning
        How its map is read: one of MEANINGS.
    compute
        compute(network, x, target) -> a map for each sample.
    rules
        For LRP: the rule or composite; then `lrp.ledger` keeps its books.
    fits
        fits(network): whether the network has what the method needs.
    """

    name: str
    formula: str
    meaning: str
    compute: Callable[[Network, np.ndarray, Any], np.ndarray]
    rules: Any = None
    fits: Callable[[Network], bool] = lambda network: True


MEANINGS = {
    "share": "a share of the score: red raised it, blue lowered it",
    "slope": "where to go: the score would rise if a red pixel became brighter, or a blue one darker",
    "size": "how much, not which way: red is more, nothing is blue",
}
"""The ways to read a map."""


def _lrp(name: str, rules: lrp.Rule | lrp.Composite, formula: str) -> Method:
    def compute(network: Network, x: np.ndarray, target: Any = None) -> np.ndarray:
        return lrp.relevance(network, x, target, rules=rules)

    return Method(name, formula, "share", compute, rules)


METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("gradient", "∂f_c / ∂x", "slope", gradient),
        Method("saliency", "max over channels of |∂f_c / ∂x|", "size", saliency),
        Method("sensitivity", "(∂f_c / ∂x)²", "size", sensitivity),
        Method("gradient-times-input", "x · ∂f_c / ∂x", "share", gradient_times_input),
        _lrp("lrp-zero", lrp.zero(), "Σ_k a_j w_jk / z_k · R_k"),
        _lrp("lrp-epsilon", lrp.epsilon(1e-6), "Σ_k a_j w_jk / (z_k + ε sgn z_k) · R_k,  ε = 1e-6"),
        _lrp("lrp-epsilon-relative", lrp.epsilon(lrp.relative(0.25)), "as lrp-epsilon,  ε = 0.25 RMS(z)"),
        _lrp("lrp-gamma", lrp.gamma(0.25), "Σ_k a_j (w_jk + γ w⁺_jk) / Σ_j … · R_k,  γ = 0.25"),
        _lrp("lrp-generalized-gamma", lrp.generalized_gamma(0.25), "Σ_k (p_jk + γ p±_jk) / Σ_j … · R_k"),
        _lrp("lrp-z-plus", lrp.z_plus(), "Σ_k a_j w⁺_jk / Σ_j a_j w⁺_jk · R_k"),
        _lrp("lrp-alpha1-beta0", lrp.alpha_beta(1, 0), "Σ_k (a_j w_jk)⁺ / Σ⁺_k · R_k,  Σ⁺ with the bias"),
        _lrp("lrp-alpha2-beta1", lrp.alpha_beta(2, 1), "Σ_k (2 (a_j w_jk)⁺ / Σ⁺_k − (a_j w_jk)⁻ / Σ⁻_k) · R_k"),
        _lrp("lrp-w-squared", lrp.w_squared(), "Σ_k w²_jk / Σ_j w²_jk · R_k"),
        _lrp("lrp-flat", lrp.flat(), "Σ_k 1 / Σ_j 1 · R_k"),
        _lrp("lrp-montavon2019", lrp.montavon2019(), "z^B on the pixels, then γ, ε = 0.25 RMS(z), LRP-0"),
        _lrp("lrp-epsilon-plus", lrp.EpsilonPlus(), "α1β0 on convolutions, ε on dense layers"),
        _lrp("lrp-epsilon-plus-flat", lrp.EpsilonPlusFlat(), "α1β0 and ε, flat on the pixels"),
        _lrp("lrp-epsilon-gamma-box", lrp.EpsilonGammaBox(), "z^B on the first convolution, γ on others, ε on dense"),
        _lrp("lrp-epsilon-alpha2-beta1", lrp.EpsilonAlpha2Beta1(), "α2β1 on convolutions, ε on dense layers"),
        _lrp("lrp-epsilon-alpha2-beta1-flat", lrp.EpsilonAlpha2Beta1Flat(), "α2β1 and ε, flat on the pixels"),
        _lrp("deep-taylor", lrp.deep_taylor(), "z^B on the pixels: (a_j w_jk − l w⁺_jk − h w⁻_jk) / Σ_j …;  z⁺ above"),
        _lrp("deep-taylor-unbounded", lrp.deep_taylor(None, None), "w² on the pixels, z⁺ above"),
    )
}  # fmt: skip
"""Every method by name."""


def explain(name: str, network: Network, x: np.ndarray, target: Any = None) -> np.ndarray:
    """The map of the method with this name: `METHODS[name].compute(network, x, target)`.

    Raises
    ------
    ValueError
        There is no method of that name, or it does not fit the network.

    >>> from nnlite.layers import Dense
    >>> explain("gradient", Network([Dense(np.array([[3.0], [-2.0]]))]), np.ones((1, 2)))
    array([[ 3., -2.]])
    """
    if name not in METHODS:
        raise ValueError(f"There is no method {name!r}; the methods are {', '.join(METHODS)}.")
    return METHODS[name].compute(network, x, target)
