"""The optimizers: from a parameter and its gradient to the next value of the parameter.

All are pure: what an optimizer remembers of a parameter (its moments) comes in and goes out as a dict of arrays, and
no array is ever written. The rate comes from a schedule. The updates are PyTorch's, term by term; weight decay acts
on every parameter, biases included, as it does there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .. import kernels
from ..layers.arguments import flag, is_number

Memory = Mapping[str, np.ndarray]
"""What an optimizer remembers of one parameter, by name; empty before the first step."""

Memories = Mapping[str, Memory]
"""What it remembers of each parameter, by layer.name."""


Updated = tuple[np.ndarray, dict[str, np.ndarray]]
"""The next value of a parameter, and what to remember for the step after."""


class Optimizer(Protocol):
    """What `fit` needs of an optimizer. A checkpoint tells one from another by its repr: use a dataclass."""

    def update(self, w: np.ndarray, g: np.ndarray, memory: Memory, rate: float, t: int) -> Updated:
        """The parameter after step t = 1, 2, ... with the gradient g, and what to remember for the next step.

        Shapes: w, g and every array of the memory alike. The dtype of w is kept.
        """
        ...


@dataclass(frozen=True)
class SGD:
    """v_t = μ v_(t−1) + g (v_1 = g);   w ← w − rate · v_t,   or with Nesterov's momentum w ← w − rate · (g + μ v_t).

    g includes the weight decay: g + λ w. The rate stands outside v, as in PyTorch (in the paper it stands inside).

    Raises ValueError: μ, the momentum, is not from 0 up to, but not, 1; λ not from 0; or nesterov, to look ahead along
    v, has no μ.
    Source: Sutskever et al. 2013, "On the importance of initialization and momentum", eq. 1 and 2 (3 and 4: Nesterov).

    >>> w, memory = np.array([1.0]), {}
    >>> for t in (1, 2):
    ...     w, memory = SGD(momentum=0.5).update(w, np.array([1.0]), memory, rate=0.1, t=t)
    >>> w, memory
    (array([0.75]), {'v': array([1.5])})
    """

    momentum: float = 0.0
    weight_decay: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        _check_range("SGD: momentum", self.momentum, 1)
        _check_range("SGD: weight_decay", self.weight_decay)
        if flag("SGD", "nesterov", self.nesterov) and not self.momentum:
            raise ValueError("SGD: nesterov=True needs a momentum above 0, such as 0.9.")

    def update(self, w: np.ndarray, g: np.ndarray, memory: Memory, rate: float, t: int) -> Updated:
        rate = float(rate)  # a NumPy scalar would turn float32 into float64
        if self.weight_decay:
            g = g + self.weight_decay * w
        if not self.momentum:
            return w - rate * g, {}
        v = self.momentum * memory["v"] + g if memory else g
        return w - rate * (g + self.momentum * v if self.nesterov else v), {"v": v}


@dataclass(frozen=True)
class Adam:
    """m_t = β₁ m_(t−1) + (1 − β₁) g,   v_t = β₂ v_(t−1) + (1 − β₂) g²,   m_0 = v_0 = 0,

    w ← w − rate · m̂ / (√v̂ + eps)   with   m̂ = m_t / (1 − β₁ᵗ),   v̂ = v_t / (1 − β₂ᵗ).

    g includes the weight decay: g + λ w.

    β₁ and β₂ say how slowly the two moments change; eps keeps the denominator from 0.

    Raises ValueError: β₁ or β₂ is not from 0 up to, but not, 1; eps or λ not from 0.
    Source: Kingma and Ba 2015, algorithm 1.

    >>> w, memory = Adam().update(np.array([1.0, 1.0]), np.array([0.2, -5.0]), {}, rate=0.1, t=1)
    >>> w  # the first step has the length of the rate, whatever the gradient
    array([0.9, 1.1])
    """

    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        for name, below in (("beta1", 1), ("beta2", 1), ("eps", np.inf), ("weight_decay", np.inf)):
            _check_range(f"{type(self).__name__}: {name}", getattr(self, name), below)

    def update(self, w: np.ndarray, g: np.ndarray, memory: Memory, rate: float, t: int) -> Updated:
        g = g + self.weight_decay * w if self.weight_decay else g
        return self._step(w, g, memory, float(rate), t)

    def _step(self, w: np.ndarray, g: np.ndarray, memory: Memory, rate: float, t: int) -> Updated:
        """The update for a gradient in which weight decay is done with."""
        before = memory or dict.fromkeys("mv", np.zeros_like(w))
        length, root = rate / (1 - self.beta1**t), (1 - self.beta2**t) ** 0.5
        w, m, v = kernels.adam(w, g, before["m"], before["v"], self.beta1, self.beta2, self.eps, length, root)
        return w, {"m": m, "v": v}


@dataclass(frozen=True)
class AdamW(Adam):
    """w ← w − rate · λ w − rate · m̂ / (√v̂ + eps), with Adam's m̂ and v̂ of the bare gradient.

    The decay does not pass through the moments, so it pulls equally at parameters with large and small gradients.

    Parameters, Raises: as in Adam; λ is multiplied by the rate, as in PyTorch.

    Source: Loshchilov and Hutter 2019, "Decoupled weight decay regularization", algorithm 2.

    >>> w, memory = AdamW(weight_decay=0.5).update(np.array([1.0]), np.array([0.0]), {}, rate=0.1, t=1)
    >>> w
    array([0.95])
    """

    weight_decay: float = 0.01

    def update(self, w: np.ndarray, g: np.ndarray, memory: Memory, rate: float, t: int) -> Updated:
        rate = float(rate)  # a NumPy scalar would turn float32 into float64
        return self._step(w * (1 - rate * self.weight_decay), g, memory, rate, t)


def check_optimizer(value: Any) -> None:
    """TypeError unless it has the `update` of an optimizer."""
    if isinstance(value, type) or not callable(getattr(value, "update", None)):
        raise TypeError(f"optimizer: expected an optimizer such as AdamW(), got {value!r}.")


def _check_range(what: str, value: float, below: float = np.inf) -> None:
    """ValueError unless 0 <= value < below."""
    if not is_number(value) or not 0 <= value < below:
        expected = "a finite number from 0" if below == np.inf else f"a number from 0 up to, but not, {below}"
        raise ValueError(f"{what} takes {expected}, got {value!r}.")
