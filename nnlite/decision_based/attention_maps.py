"""Maps made of attention probabilities P: what they show is where a token looks, and not what that does to the score.

With Ā the mean over the heads, 1 the identity, and the layers multiplied from the last to the first:

    attention           mean_h P of one layer
    attention_rollout   Π ½ (mean_h P + 1)
    chefer_lrp          Π (1 + mean_h (∂P ⊙ R_P)⁺)           ∂P: the gradient of the score, R_P: its relevance
    chefer_gradient     R ← R + mean_h (∂P ⊙ P)⁺ R, from 1

Each gives the row of the token that the scores are read from, (N, T): how much it looks at each of the T tokens. Where
the scores are read from all tokens, it is the mean of the rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import reduce
from typing import Any

import numpy as np

from ..layers import Conv2d, Layer, MatMul, Softmax, Take
from ..layers.arguments import is_integer
from ..network import Network
from ..walk import gradient_rule
from ..wiring import origin
from . import lrp
from .cam import upsampled
from .lrp.passing import passes
from .method import method
from .target import Explained, Target, explained


def _rescaled(layer: Layer, x: Any, z: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, ...]:
    """R_b = x_b / z · R, times sgn(Σ R_b) Σ R / Σ_b |Σ R_b| with a sample's sums: no branch takes more than Σ R."""
    shares = lrp.proportional()(layer, x, z, R)
    totals = [share.sum(axis=tuple(range(1, R.ndim)), keepdims=True) for share in shares]
    size = sum(map(np.abs, totals))
    factor = R.sum(axis=tuple(range(1, R.ndim)), keepdims=True) / np.where(size > 0, size, 1)
    return tuple(share * np.sign(whole) * factor for share, whole in zip(shares, totals, strict=True))


_both_signs = lrp.Term(lrp.A_PLUS, lrp.POSITIVE, None), lrp.Term(lrp.A_MINUS, lrp.NEGATIVE, None)
CHEFER = replace(
    lrp.everywhere(lrp.Rule("alpha1_beta0_without_bias", [lrp.Group(_both_signs)])),
    norm=passes,
    softmax=passes,
    multiply=lrp.uniform(),
    add=_rescaled,
)
"""The rules of Chefer et al. 2021 (CVPR): αβ(1, 0) without bias on what adds up, halves at products."""


@method
def attention(
    network: Network, x: np.ndarray, target: Target = None, *, layer: str | None = None, position: int | None = None
) -> np.ndarray:
    """mean_h P_hts of one layer, the row t of the token that is read: whatever the class, the same map.

    Parameters
    ----------
    network, x
        A network with self-attention, and a batch for it.
    target
        Nothing depends on it.
    layer
        The name of the layer that gives the probabilities; by default the last one.
    position
        The token t; by default that of the network's last `Take`, or the mean over all tokens where there is none.

    Returns
    -------
    (N, T), which sums to 1.

    Raises TypeError or ValueError: x does not fit the network, it has no attention, or none of that name or no token at
    that position.

    Source: Bahdanau et al. 2015, "Neural machine translation by jointly learning to align and translate", sec. 5.2.1;
    Jain and Wallace 2019, "Attention is not explanation" (why it is none).

    >>> from nnlite.layers import SelfAttention, Take
    >>> one = np.eye(2)
    >>> network = Network([SelfAttention(one, one, one, one, heads=1), Take(0)])
    >>> attention(network, np.array([[[1.0, 0.0], [0.0, 0.0]]])).round(3)
    array([[0.67, 0.33]])
    """
    f = explained(network, x, target)
    places = _probabilities(f.network)
    at = places[-1] if layer is None else f.network.index(layer) + 1
    if at not in places:
        raise ValueError(f"layer takes one with attention probabilities, got {layer!r}, which has none.")
    return _row(f, f.a[at].mean(axis=1), position)


@method
def attention_rollout(
    network: Network, x: np.ndarray, target: Target = None, *, position: int | None = None
) -> np.ndarray:
    """Ã_L ⋯ Ã_1, Ã = ½ (mean_h P + 1): attention followed down the layers, the skip connections counted as half.

    Parameters, Returns, Raises: as for `attention`.

    Source: Abnar and Zuidema 2020, "Quantifying attention flow in transformers", sec. 3.
    """
    f = explained(network, x, target)
    heads = [f.a[i].mean(axis=1) for i in _probabilities(f.network)]
    return _row(f, _product([(P + np.eye(P.shape[-1], dtype=P.dtype)) / 2 for P in heads]), position)


@method
def chefer_lrp(network: Network, x: np.ndarray, target: Target = None, *, position: int | None = None) -> np.ndarray:
    """Ā_L ⋯ Ā_1, Ā = 1 + mean_h (∂P ⊙ R_P)⁺: gradient and relevance of the probabilities, what is positive kept.

    R_P is LRP from 1 at the explained score by the rules in CHEFER: αβ(1, 0) without bias, halves at products; norms,
    activations and the softmax pass. At a sum the shares x_b / z · R are rescaled by their totals; the authors' code
    takes these over the whole batch, here they are each sample's own.

    Parameters, Returns, Raises: as for `attention`; `target` is what `target.explained` takes.

    Source: Chefer, Gur and Wolf 2021, "Transformer interpretability beyond attention visualization", eq. 13 and 14.
    """
    f = explained(network, x, target)
    R = lrp.relevance(network, x, target, rules=CHEFER, start="one", all_layers=True)
    return _row(f, _product(_rising(f, R)), position)


@method
def chefer_gradient(
    network: Network, x: np.ndarray, target: Target = None, *, position: int | None = None
) -> np.ndarray:
    """R ← R + Ā R for each layer from the first on, Ā = mean_h (∂P ⊙ P)⁺, R = 1 at the start: no relevance is needed.

    Parameters, Returns, Raises: as for `attention`; `target` is what `target.explained` takes.

    Source: Chefer, Gur and Wolf 2021, "Generic attention-model explainability for interpreting bi-modal and
    encoder-decoder transformers", eq. 5 and 6.
    """
    f = explained(network, x, target)
    return _row(f, _product(_rising(f, f.a)), position)


def has_attention(network: Network) -> bool:
    """Whether a MatMul reads what a Softmax over the last axis gives."""
    return bool(_attending(network))


def on_picture(function: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    """The method; where a convolution cuts a picture into patches, their map is laid over it, (N, H, W)."""

    def compute(network: Network, x: np.ndarray, target: Target = None, **options: object) -> np.ndarray:
        R = function(network, x, target, **options)
        first = next((l for l, layer in enumerate(network) if isinstance(layer, Conv2d)), None)
        if x.ndim != 4 or first is None:
            return R
        h, w = network.shapes(x.shape)[first + 1][2:]
        return upsampled(R[:, -h * w :].reshape(len(R), h, w), x.shape[2:], "nearest")

    return compute


def _attending(network: Network) -> list[int]:
    """The activations that are attention probabilities, bottom to top."""
    products = [w[0] for layer, w in zip(network, network.wires, strict=True) if isinstance(layer, MatMul)]
    found = {origin(network.layers, network.wires, i) for i in products}
    return sorted(i for i in found if i and isinstance(network[i - 1], Softmax))


def _probabilities(network: Network) -> list[int]:
    found = _attending(network)
    if not found:
        raise ValueError(f"A map of attention needs a layer with attention probabilities, and {network!r} has none.")
    return found


def _rising(f: Explained, values: Sequence[np.ndarray]) -> list[np.ndarray]:
    """1 + mean_h (∂P ⊙ value)⁺ for each layer with attention, from the values at all activations: (N, T, T)."""
    g = f.network.walk_back(f.a, f.ones, [gradient_rule] * len(f.network))
    found = [np.maximum(g[i] * values[i], 0).mean(axis=1) for i in _probabilities(f.network)]
    return [np.eye(A.shape[-1], dtype=A.dtype) + A for A in found]


def _product(matrices: Sequence[np.ndarray]) -> np.ndarray:
    """Those of all layers, multiplied from the last to the first: (N, T, T)."""
    return reduce(lambda below, above: above @ below, matrices)


def _row(f: Explained, rows: np.ndarray, position: int | None) -> np.ndarray:
    """The row of the token at a position, or that the network takes, or the mean of all."""
    taken = [layer.position for layer in f.network if isinstance(layer, Take)]
    position = taken[-1] if position is None and taken else position
    if position is None:
        return rows.mean(axis=1)
    if not is_integer(position) or not -rows.shape[1] <= position < rows.shape[1]:
        raise ValueError(f"position takes a token from 0 to {rows.shape[1] - 1}, got {position!r}.")
    return rows[:, position]
