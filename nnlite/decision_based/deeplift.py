"""DeepLIFT: how much the score differs from that at a reference input x′, divided among the pixels that differ.

    signal at the top   1 at the explained score
    local rule          multipliers m = (contribution to the score) / Δa, with Δa = a − a′

A multiplier is to a difference what a derivative is to an infinitesimal change; the chain rule holds. What a rule must
know of the reference, its activations a′ below and above the layer, is bound before the walk begins.

    linear layers    m_j = Σ_k w_jk m_k                                                   the Linear rule
    nonlinearities   m_j = Δa_k / Δa_j · m_k                                              Rescale
                     the same for Δ⁺ and Δ⁻ apart, in both orders of adding them          RevealCancel
    max-pooling      m_k Δa_k goes to x's winner if it rises, to the reference's if it falls
    products         m_x = m (g + g′) / 2, m_g = m (x + x′) / 2; sums pass m_k to every branch

Every rule divides all of m_k Δa_k, so that Σ R = f(x) − f(x′), overlapping windows included.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np

from ..layers import Add, BatchNorm, Concat, Constant, Layer, MatMul, MaxPool2d, Multiply
from ..layers.arguments import is_one_of
from ..network import Network
from ..walk import LocalRule, gradient_rule
from .inputs import activations, several_like_input
from .method import method
from .target import Target, explained

RULES = ("linear", "rescale", "reveal-cancel")

ROUNDING = 4
"""What is below so many machine epsilons of the numbers that were subtracted is no difference."""


@dataclass(frozen=True, eq=False)
class Pair:
    """Something twice: for what raises the inputs of a layer, Δ⁺ ≥ 0, and for what lowers them, Δ⁻ ≤ 0."""

    plus: np.ndarray
    minus: np.ndarray
    __array_ufunc__: ClassVar[None] = None  # array + pair is the pair's to compute

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter((self.plus, self.minus))

    def __add__(self, other: Any) -> "Pair":
        """Where wires meet: with an array, which holds for both, or with another pair."""
        plus, minus = other if isinstance(other, Pair) else (other, other)
        return Pair(self.plus + plus, self.minus + minus)

    __radd__ = __add__


@method
def deeplift(
    network: Network, x: np.ndarray, target: Target = None, *, reference: Any = None, rule: str = "rescale"
) -> np.ndarray:
    """R_i = m_i (x_i − x′_i), with Σ_i R_i = f_c(x) − f_c(x′).

    network: any network of nnlite.layers. A Softmax at its end is left out; elsewhere there is no rule for it.
    target: the class c: one for all samples, one for each (N,), or None for the class predicted for x. Or a neuron,
        such as ("conv2", 7): see `target.explained`.
    reference: x′, 0 unless given: a number; an array in the dtype of x that broadcasts against one input, such as (C,
        1, 1) or (C, H, W); or one for each sample (N, ...). A list of these: the mean of the maps from each, with Σ R
        the score less the mean of the references' scores. A stack of references is a list too: `list(stack)`.
    rule: on the nonlinearities: "rescale"; "reveal-cancel"; or "linear", for a network that has none.

    Raises TypeError or ValueError: x or the reference does not fit the network, a target is not a class, or there is no
    rule for a layer.

    RevealCancel needs Δ⁺ and Δ⁻, which arise where a layer adds its inputs; BatchNorm, dropout and reshaping pass them
    on. Directly behind a max-pooling or another nonlinearity Δ⁺ = (Δ)⁺, and RevealCancel is Rescale.

    Source: Shrikumar et al. 2017, "Learning important features through propagating activation differences", sec. 3.5;
    several references: Lundberg and Lee 2017, "A unified approach to interpreting model predictions", sec. 4.2.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, ReLU
    >>> minimum = Network([                                            # min(i1, i2) = relu(i1) − relu(i1 − i2)
    ...     Dense(np.array([[1.0, 1.0], [0.0, -1.0]])), ReLU(), Dense(np.array([[1.0], [-1.0]]))
    ... ])
    >>> deeplift(minimum, np.array([[5.0, 3.0]])), deeplift(minimum, np.array([[5.0, 3.0]]), rule="reveal-cancel")
    (array([[0., 3.]]), array([[1.5, 1.5]]))
    """
    if not is_one_of(rule, RULES):
        raise ValueError(f"rule takes {', '.join(map(repr, RULES))}, got {rule!r}.")
    f = explained(network, x, target)
    references = several_like_input(x, reference, "reference")
    R = np.zeros_like(x)
    for one in references:
        r = activations(f.network, one.copy())
        m = f.network.walk_back(f.a, f.ones, deeplift_rules(f.network, f.a, r, rule))[0]
        R += _single(m, x - r[0]) * (x - r[0])  # a pair where x itself meets a branch
    return R / x.dtype.type(len(references))


def deeplift_rules(
    network: Network, a: Sequence[np.ndarray], r: Sequence[np.ndarray], rule: str = "rescale"
) -> list[LocalRule]:
    """One rule for each layer, bottom to top, with the reference's activations r bound.

    Raises ValueError: DeepLIFT has no rule for a layer (or, with rule="linear", the layer is not linear).
    """
    rules: list[LocalRule] = []
    parts: list[Pair | None] = [None]  # Δ⁺ and Δ⁻ of each activation, for RevealCancel; None: (Δ)⁺ and (Δ)⁻
    for l, (name, layer, wires) in enumerate(zip(network.names, network, network.wires, strict=True)):
        if rule == "linear" and not layer.linear and not isinstance(layer, Constant):
            advice = 'take "rescale" or "reveal-cancel"'
            raise ValueError(f'rule="linear" is for networks of linear layers, and {name} is a {layer!r}; {advice}.')
        r_j, above = network.read(l, r), None
        if layer.sums:  # here the rising and the falling inputs meet
            rules.append(partial(_linear, r_j=r_j))
            above = _split(layer, a[wires[0]] - r_j) if rule == "reveal-cancel" else None
        elif isinstance(layer, (Add, Concat)):
            rules.append(_branches)
            if any(parts[i] is not None for i in wires):
                each = [parts[i] or Pair(np.maximum(a[i] - r[i], 0), np.minimum(a[i] - r[i], 0)) for i in wires]
                above = Pair(*map(layer.forward, zip(*each, strict=True)))
        elif layer.linear and layer.reads == 1:  # each output is one input, moved or scaled
            rules.append(_one_to_one)
            below = parts[wires[0]]
            above = None if below is None else _passed_on(layer, below)
        elif has_rule(layer) and not isinstance(layer, Constant):
            rules.append(_nonlinear(layer, r_j, r[l + 1], parts[wires[0]]))
        elif isinstance(layer, Constant):
            rules.append(lambda *_: ())
        else:
            raise ValueError(
                f"DeepLIFT has no rule for layer {name}, a {layer!r}: each of its outputs depends on several inputs at "
                "once, among which no quotient of differences divides; take lrp or integrated_gradients."
            )
        parts.append(above)
    return rules


def has_rule(layer: Layer) -> bool:
    """Whether DeepLIFT can divide a difference among the inputs of the layer."""
    return layer.pointwise or layer.linear or isinstance(layer, (MaxPool2d, Multiply, MatMul, Constant))


def _nonlinear(layer: Layer, r_j: Any, r_k: np.ndarray, parts: Pair | None) -> LocalRule:
    """The rule of a layer above which Δ⁺ = (Δ)⁺: of a pair that reaches it from above, what holds where it stands."""
    found: Callable[..., Any]
    if isinstance(layer, MaxPool2d):
        found = partial(_max_pooling, r_j=r_j, r_k=r_k)
    elif isinstance(layer, (Multiply, MatMul)):
        found = partial(_multiply, r_j=r_j)
    elif layer.linear:  # a join of the user's own
        found = gradient_rule
    elif parts is None:
        found = partial(_rescale, r_j=r_j, r_k=r_k)
    else:
        found = partial(_reveal_cancel, r_j=r_j, r_k=r_k, parts=parts)
    return partial(_of_one, found=found, r_k=r_k)


def _of_one(layer: Layer, a_j: Any, a_k: np.ndarray, m: np.ndarray | Pair, *, found: LocalRule, r_k: np.ndarray) -> Any:
    """`found`, given one multiplier for each output."""
    return found(layer, a_j, a_k, _single(m, a_k - r_k))


def _single(m: np.ndarray | Pair, delta: np.ndarray) -> np.ndarray:
    """m⁺ where Δ > 0, m⁻ where Δ < 0, half of each where Δ = 0: where Δ⁺ = (Δ)⁺ and Δ⁻ = (Δ)⁻."""
    if not isinstance(m, Pair):
        return m
    return np.where(delta > 0, m.plus, np.where(delta < 0, m.minus, (m.plus + m.minus) / 2))


# ---------------------------------------------------------------------------------------- where branches meet


def _branches(layer: Layer, a_j: Any, a_k: np.ndarray, m: np.ndarray | Pair) -> tuple[Any, ...]:
    """m_b = m at an Add, its slice at a Concat."""
    if not isinstance(m, Pair):
        return layer.backward(a_j, m)  # type: ignore[return-value]
    return tuple(map(Pair, *(layer.backward(a_j, one) for one in m)))


def _multiply(layer: Layer, a_j: Any, a_k: np.ndarray, m: np.ndarray, *, r_j: Any) -> Any:
    """m_x = m (g + g′) / 2, m_g = m (x + x′) / 2: the Shapley values of the two factors, so that Σ is complete."""
    between: Any = tuple((a + r) / 2 for a, r in zip(a_j, r_j, strict=True))
    return layer.backward(between, m)


# ------------------------------------------------------------------------------------------------ linear layers


def _linear(layer: Layer, a_j: np.ndarray, a_k: np.ndarray, m: np.ndarray | Pair, *, r_j: np.ndarray) -> np.ndarray:
    """m_j = Σ_k w_jk m_k; of a pair, m⁺_k where w_jk Δa_j > 0, m⁻_k where it is < 0, half of each where Δa_j = 0."""
    if not isinstance(m, Pair):
        return layer.backward(a_j, m)
    signs = _by_sign(layer)
    rising: Any = sum(w.backward(a_j, m_k) for w, m_k in zip(signs, (m.plus, m.minus), strict=False))
    falling: Any = sum(w.backward(a_j, m_k) for w, m_k in zip(signs, (m.minus, m.plus), strict=False))
    return np.where(a_j > r_j, rising, np.where(a_j < r_j, falling, (rising + falling) / 2))


def _split(layer: Layer, delta: np.ndarray) -> Pair:
    """Δ⁺_k = Σ_j (w_jk Δa_j)⁺ and Δ⁻_k = Σ_j (w_jk Δa_j)⁻."""
    up, down = np.maximum(delta, 0), np.minimum(delta, 0)
    signs = _by_sign(layer)
    plus: Any = sum(w.forward(d) for w, d in zip(signs, (up, down), strict=False))
    minus: Any = sum(w.forward(d) for w, d in zip(signs, (down, up), strict=False))
    return Pair(plus, minus)


def _by_sign(layer: Any) -> list[Layer]:
    """The layer with its positive weights, then with its negative ones (without a W it has none); without bias."""
    if not layer.weighted:
        return [layer]
    return [layer.with_arrays(W=clipped(layer.W, 0), b=None) for clipped in (np.maximum, np.minimum)]


def _one_to_one(layer: Layer, a_j: np.ndarray, a_k: np.ndarray, m: np.ndarray | Pair) -> np.ndarray | Pair:
    """m_j = w_j m_k; where w_j < 0, what raises the input lowers the output: the pair changes places."""
    if not isinstance(m, Pair):
        return layer.backward(a_j, m)
    plus, minus = layer.backward(a_j, m.plus), layer.backward(a_j, m.minus)
    turned = layer.backward(a_j, np.ones_like(a_k)) < 0
    return Pair(np.where(turned, minus, plus), np.where(turned, plus, minus))


def _passed_on(layer: Layer, parts: Pair) -> Pair:
    """Δ⁺ and Δ⁻ above a layer that adds nothing."""
    if isinstance(layer, BatchNorm):
        nothing = np.zeros_like(layer.beta)
        layer = layer.with_arrays(beta=nothing, mean=nothing)
    one, other = layer.forward(parts.plus), layer.forward(parts.minus)
    return Pair(np.maximum(one, other), np.minimum(one, other))


# ----------------------------------------------------------------------------------------------- nonlinearities


def _multiplier(
    layer: Layer, a_j: np.ndarray, m: np.ndarray, below: np.ndarray, above: np.ndarray, size: np.ndarray
) -> np.ndarray:
    """above / below for m, the slope of the chord; the slope of the tangent where the two agree to rounding.

    `size` is Σ |numbers that were subtracted for `above`|: what its rounding is measured in. Where the chord agrees
    with the tangent to within it, the chord is a quotient of what rounding left over, or 0 / 0, and the tangent is its
    limit; everywhere else, however small the differences are, the chord carries more. So the map scales with the
    input, and Σ R is complete, in every unit of measurement.
    """
    slope = layer.backward(a_j, np.ones_like(a_j))
    agree = (below == 0) | (np.abs(above - slope * below) <= _rounding(size))
    return m * np.where(agree, slope, above / np.where(agree, below.dtype.type(1), below))


def _rounding(size: np.ndarray) -> np.ndarray:
    """How large a difference of numbers of this size can be by rounding alone."""
    return size * size.dtype.type(ROUNDING * np.finfo(size.dtype).eps)


def _rescale(
    layer: Layer, a_j: np.ndarray, a_k: np.ndarray, m: np.ndarray, *, r_j: np.ndarray, r_k: np.ndarray
) -> np.ndarray:
    """m_j = Δa_k / Δa_j · m_k. Source: Shrikumar et al. 2017, sec. 3.5.2."""
    return _multiplier(layer, a_j, m, a_j - r_j, a_k - r_k, np.abs(a_k) + np.abs(r_k))


def _reveal_cancel(
    layer: Layer, a_j: np.ndarray, a_k: np.ndarray, m: np.ndarray, *, r_j: np.ndarray, r_k: np.ndarray, parts: Pair
) -> Pair:
    """m⁺_j = Δ⁺_k / Δ⁺_j · m_k and m⁻_j = Δ⁻_k / Δ⁻_j · m_k, where with φ the nonlinearity

        Δ⁺_k = ½ (φ(a′ + Δ⁺_j) − φ(a′)) + ½ (φ(a) − φ(a′ + Δ⁻_j))
        Δ⁻_k = ½ (φ(a′ + Δ⁻_j) − φ(a′)) + ½ (φ(a) − φ(a′ + Δ⁺_j))

    Each part is added once to the reference and once to the other part: the Shapley values of the two. A part that is
    lost when it is added counts as 0.

    Source: Shrikumar et al. 2017, sec. 3.5.3.
    """
    with_plus, with_minus = layer.forward(r_j + parts.plus), layer.forward(r_j + parts.minus)
    plus = (with_plus - r_k + a_k - with_minus) / 2
    minus = (with_minus - r_k + a_k - with_plus) / 2
    size = np.abs(with_plus) + np.abs(with_minus) + np.abs(a_k) + np.abs(r_k)
    lost = _rounding(np.abs(r_j) + parts.plus - parts.minus)
    added = (np.where(np.abs(part) <= lost, part.dtype.type(0), part) for part in parts)
    return Pair(*(_multiplier(layer, a_j, m, *sides, size) for sides in zip(added, (plus, minus), strict=True)))


def _max_pooling(
    layer: Layer, a_j: np.ndarray, a_k: np.ndarray, m: np.ndarray, *, r_j: np.ndarray, r_k: np.ndarray
) -> np.ndarray:
    """m_k Δa_k goes to x's winner if Δa_k > 0, to the reference's if Δa_k < 0; there it is divided by Δa_j.

    A winner that made the maximum rise has itself risen as much or more, so that the division is safe however small
    Δa_j is: only 0 / 0 needs its limit, the gradient. Where windows overlap, the contributions add.
    """
    rises, falls = np.maximum(a_k - r_k, 0), np.minimum(a_k - r_k, 0)
    contribution = layer.backward(a_j, m * rises) + layer.backward(r_j, m * falls)
    delta = a_j - r_j
    none = delta == 0
    return np.where(none, layer.backward(a_j, m), contribution / np.where(none, delta.dtype.type(1), delta))
