"""The rules of layers that divide nothing: relevance passes, goes back, or stays; and the books of any rule."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...layers import Layer
from ...layers.joins import Multiply, summed_to
from .form import Part, Prepared, Step, each, four_steps, per_sample
from .rule import Relative, Rule


@dataclass(frozen=True)
class Share:
    """What each of two factors gets. At a Multiply R_b = share_b · R, summed over the axes along which b was spread.

    At a MatMul, where each z_k is a sum of products, R_b = share_b · x_b ⊙ c_b: c_b is what `backward` brings to branch
    b from s = R / (z + stabilizer · sgn z).

    Without shares they are found at each call: a branch that was spread, such as a gate (N, C, 1, 1), gets nothing and
    the other all; where none or both were, each gets a half.
    """

    name: str
    shares: tuple[float, ...] | None = None
    options: dict[str, Any] = field(default_factory=dict, compare=False)
    stabilizer: float | Relative = 0.0

    def __call__(self, layer: Layer, a: Any, z: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, ...]:
        return self.step(layer, a, z, R).below

    def step(self, layer: Layer, a: Any, z: np.ndarray, R: np.ndarray) -> Step:
        """R_b with what the stabilizer took, and what was dropped where z is 0."""
        shares = [R.dtype.type(share) for share in self.of(a, z)]
        if isinstance(layer, Multiply):
            return Step(R, tuple(summed_to(R * share, x.shape) for x, share in zip(a, shares, strict=True)))
        _, s, whole, size, lost = four_steps([(a, layer)], R, self.stabilizer, z)
        below = tuple(share * each for share, each in zip(shares, whole, strict=True))
        return Step(R, below, [Part(a, [layer], 1, z, s, below, size, lost)])

    def of(self, a: Any, z: np.ndarray) -> Sequence[float]:
        """The share of each branch."""
        spread = [x.shape != z.shape for x in a]
        found = [0.0 if gate else 1.0 for gate in spread] if sum(spread) == 1 else [1 / len(a)] * len(a)
        return self.shares or found

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={value}' for key, value in self.options.items())})"


def passes(layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
    """R_j = R_k: each neuron of a pointwise layer has one input, which gets all."""
    return R


def reshapes(layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
    """R_j = R_k, in the shape below."""
    return R.reshape(a.shape)


def moves(layer: Layer, a: Any, z: np.ndarray, R: np.ndarray) -> Any:
    """R_j = Σ R_k over the places k that a_j was put in; at a Concat each branch gets its slice.

    What stands where nothing was put, on padding, is dropped.
    """
    return layer.backward(a, R)


def winner_takes_all(layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
    """Max-pooling: the winner of each window gets what the window got."""
    return layer.backward(a, R)


def softmax(layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
    """R_j = a_j (R_j − z_j Σ_k R_k): a Softmax expanded at its input; Σ R_k − Σ R_j went to what is constant in it.

    Another constant added to all a_j leaves z as it is and yet changes R_j.

    Source: Achtibat et al. 2024, "AttnLRP: attention-aware layer-wise relevance propagation for transformers",
    prop. 3.1.
    """
    return a * (R - z * R.sum(axis=layer.axis, keepdims=True))  # type: ignore[attr-defined]


def absorbs(layer: Layer, a: Any, z: np.ndarray, R: np.ndarray) -> tuple[()]:
    """A Constant: it reads nothing, and keeps what it gets."""
    return ()


PASSING: dict[Any, str] = {
    passes: "passes", reshapes: "passes", moves: "passes", winner_takes_all: "winner takes all",
    softmax: "softmax", absorbs: "absorbs",
}  # fmt: skip
"""The rules of layers that divide nothing, and how the ledger calls them."""


def name_of(rule: Any) -> str:
    """A rule in a few words."""
    known = rule in PASSING if callable(rule) and getattr(rule, "__hash__", None) else False
    return PASSING[rule] if known else repr(rule)


def step_of(rule: Any, layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> Step:
    """One layer's step with its books, by a `Rule` or one of PASSING.

    Raises
    ------
    TypeError
        The rule is a function of the user's own: it keeps no books.
    """
    if isinstance(rule, (Rule, Prepared, Share)):
        return rule.step(layer, a, z, R)
    if rule is moves:
        on_padding = per_sample(np.where(layer.forward(each(np.ones_like, a)) == 0, R, 0))
        return Step(R, rule(layer, a, z, R), on_padding=on_padding)
    if rule is softmax:
        below = rule(layer, a, z, R)
        return Step(R, below, constant=per_sample(R) - per_sample(below))
    if rule in PASSING:
        return Step(R, rule(layer, a, z, R))
    raise TypeError(f"Books need rules in the words of lrp.Rule, got {rule!r}.")
