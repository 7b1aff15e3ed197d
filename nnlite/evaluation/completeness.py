"""Completeness: do the shares add up to what they say they divide?

    gap = f_c(x) − Σ_i R_i                     maps that divide the score
    gap = f_c(x) − f_c(black) − Σ_i R_i        maps that divide the difference to black

What a method's map divides is its meaning in the registry. A slope or a pattern divides nothing: it has no gap, and is
not wrong for that.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..decision_based.method import method
from ..decision_based.registry import METHODS, divided
from ..decision_based.target import Target, explained
from ..layers.arguments import is_one_of
from ..network import Network
from .maps import explainer


@dataclass(frozen=True, eq=False)
class Completeness:
    """What was divided, f_c(x) or f_c(x) − f_c(black), and what arrived, the total Σ R: (N,) each."""

    divided: np.ndarray
    total: np.ndarray

    @property
    def gap(self) -> np.ndarray:
        """divided − Σ R (N,): what no pixel was given (a bias, an ε, a remainder), or what was given too much."""
        return self.divided - self.total

    @property
    def relative(self) -> np.ndarray:
        """|gap| / |divided| (N,): 0 is complete. 0 where both are 0, infinite where only `divided` is."""
        with np.errstate(divide="ignore", invalid="ignore"):
            part = np.abs(self.gap) / np.abs(self.divided)
        return np.where(self.gap == 0, 0, part).astype(self.divided.dtype)


@method
def completeness(network: Network, x: np.ndarray, method: str, target: Target = None) -> Completeness:
    """Σ R of a method's map, beside what the map divides.

    Raises TypeError or ValueError: there is no such method, its maps divide nothing, it does not fit the network, or x
    or the target does not.
    Source: Bach et al. 2015, "On pixel-wise explanations for non-linear classifier decisions by layer-wise relevance
    propagation" (conservation); Sundararajan et al. 2017, "Axiomatic attribution for deep networks", sec. 3
    (completeness).

    >>> from nnlite.layers import Dense
    >>> net = Network([Dense(np.array([[3.0], [1.0]]), np.array([2.0]))])
    >>> for name in "gradient-times-input", "integrated-gradients":
    ...     found = completeness(net, np.ones((1, 2)), name)
    ...     print(found.divided, found.total, found.relative.round(4))
    [6.] [4.] [0.3333]
    [4.] [4.] [0.]
    """
    compute = explainer(method)
    dividing = [name for name, m in METHODS.items() if m.meaning in ("score", "difference", "expansion")]
    if not is_one_of(method, dividing):
        raise ValueError(f"The maps of {method!r} divide nothing; those of {', '.join(dividing)} do.")
    target = explained(network, x, target).target
    whole: Any = divided(METHODS[method].meaning, network, x, target)
    R = compute(network, x, target)
    return Completeness(whole, R.sum(axis=tuple(range(1, R.ndim))))
