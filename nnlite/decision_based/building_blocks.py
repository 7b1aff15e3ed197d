"""The building blocks of a decision: what the channels and the positions of a hidden layer have done for the score.

    layer_shares     R_kyx: the relevance, or gradient × activation, of every activation of the layer
    channel_shares   Σ_yx R_kyx      what each channel did: what was seen
    position_shares  Σ_k R_kyx       what each position did: where it was seen
    factors          A ≈ S D         the channels gathered into a few groups that fire together

Source: Olah et al. 2018, "The building blocks of interpretability".
"""

from dataclasses import dataclass

import numpy as np

from ..layers.arguments import count, generator
from ..network import Network
from . import lrp
from .lrp.composites import Rules
from .method import method
from .target import Target, explained


@method
def layer_shares(
    network: Network, x: np.ndarray, target: Target = None, *, layer: str, rules: Rules | None = None
) -> np.ndarray:
    """R = A ⊙ ∂f_c / ∂A, or the relevance of A by LRP: A the activations above the layer of that name.

    network, x, target: as for `gradient`.
    layer: the name of a layer below the target.
    rules: for LRP: a rule or composite, as in `lrp.relevance`. None: gradient × activation.

    Returns in the shape of the layer's activations, such as (N, K, h, w) or (N, K).
    Raises TypeError or ValueError: there is no such layer below the target; x does not fit the network, a target is not
    a class, or a rule does not fit its layer.
    Source: Olah et al. 2018, sec. "How are concepts assembled?"; Bach et al. 2015.

    >>> from nnlite import Network
    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.array([[1.0, -1.0, 2.0]])), ReLU(), Dense(np.array([[3.0], [1.0], [-1.0]]))])
    >>> layer_shares(net, np.array([[2.0]]), layer="relu1")
    array([[ 6.,  0., -4.]])
    """
    f = explained(network, x, target)
    at = f.network.index(layer) + 1
    if rules is None:
        return f.a[at] * f.gradient(at)
    return lrp.relevance(network, x, target, rules=rules, all_layers=True)[at]


@method
def channel_shares(
    network: Network, x: np.ndarray, target: Target = None, *, layer: str, rules: Rules | None = None
) -> np.ndarray:
    """Σ_yx R_kyx: the share of each channel, (N, K).

    Parameters, Raises: as `layer_shares`; a dense layer's neurons are channels with one position.

    >>> from nnlite import Network
    >>> from nnlite.layers import Conv2d, Dense, Flatten
    >>> net = Network([Conv2d(np.array([[[[1.0]]], [[[-1.0]]]])), Flatten(), Dense(np.ones((4, 1)))])
    >>> channel_shares(net, np.array([[[[2.0, 3.0]]]]), layer="conv1")
    array([[ 5., -5.]])
    """
    R = layer_shares(network, x, target, layer=layer, rules=rules)
    return R.sum(axis=tuple(range(2, R.ndim)))


@method
def position_shares(
    network: Network, x: np.ndarray, target: Target = None, *, layer: str, rules: Rules | None = None
) -> np.ndarray:
    """Σ_k R_kyx: the share of each position, (N, h, w).

    Parameters, Raises: as `layer_shares`; ValueError too for a layer without positions.

    >>> from nnlite import Network
    >>> from nnlite.layers import Conv2d, Dense, Flatten
    >>> net = Network([Conv2d(np.array([[[[1.0]]], [[[-2.0]]]])), Flatten(), Dense(np.ones((4, 1)))])
    >>> position_shares(net, np.array([[[[2.0, 3.0]]]]), layer="conv1")
    array([[[-2., -3.]]])
    """
    R = layer_shares(network, x, target, layer=layer, rules=rules)
    return _maps(R, layer).sum(axis=1)


@dataclass(frozen=True, eq=False)
class Factors:
    """A_kyx ≈ Σ_f S_fyx D_fk, all of them ≥ 0.

    maps: S (N, n, h, w): how strongly each factor fires where.
    directions: D (n, K), each of length 1: the channels that make up a factor. Common to the batch.
    shares: (N, n): Σ_kyx S_fyx D_fk ∂f_c / ∂A_kyx, what each factor did for the score.
    errors: ‖A − S D‖² / ‖A‖² before the first iteration and after each: it never rises.
    """

    maps: np.ndarray
    directions: np.ndarray
    shares: np.ndarray
    errors: np.ndarray


@method
def factors(
    network: Network,
    x: np.ndarray,
    target: Target = None,
    *,
    layer: str,
    n: int,
    seed: int | np.random.Generator = 0,
    iterations: int = 200,
) -> Factors:
    """Non-negative factors of a layer's activations, by Lee and Seung's multiplicative updates; see `Factors`.

        S ← S ⊙ A Dᵀ / (S D Dᵀ)        D ← D ⊙ Sᵀ A / (Sᵀ S D)

    with A as a matrix, positions × channels. The positions of all images of the batch are factored together: give one
    image at a time for the factors of that image. The strongest factor comes first.

    network, x, target: as in `layer_shares`; the target matters for the shares only.
    layer: the name of a layer with feature maps that are nowhere negative, such as a ReLU after a convolution.
    n: how many factors.
    seed: where the random start comes from: a seed or a Generator.
    iterations: how many updates of both.

    Raises TypeError or ValueError: the layer's activations are negative somewhere or are no maps; n or iterations is
    not a positive integer, or seed neither a seed nor a Generator; x or the target does not fit.
    Source: Lee and Seung 2001, "Algorithms for non-negative matrix factorization", theorem 1; Olah et al. 2018, sec.
    "Making things human-scale".

    >>> from nnlite import Network
    >>> from nnlite.layers import Conv2d, Dense, Flatten
    >>> net = Network([Conv2d(np.array([[[[3.0]]], [[[4.0]]]])), Flatten(), Dense(np.ones((4, 1)))])
    >>> found = factors(net, np.array([[[[1.0, 2.0]]]]), layer="conv1", n=1)
    >>> found.maps.round(6), found.directions.round(6), found.shares.round(6)
    (array([[[[ 5., 10.]]]]), array([[0.6, 0.8]]), array([[21.]]))
    """
    n, iterations = count("factors", "n", n), count("factors", "iterations", iterations)
    rng = generator("factors", "seed", seed)
    f = explained(network, x, target)
    at = f.network.index(layer) + 1
    A = _maps(f.a[at], layer)
    if A.size == 0 or A.min() < 0:
        got = "none" if A.size == 0 else A.min()
        raise ValueError(f"Non-negative factors need activations ≥ 0, got {got}; choose the layer after a ReLU.")
    N, K, h, w = A.shape
    V = A.transpose(0, 2, 3, 1).reshape(-1, K).astype(np.float64)
    S, D, errors = multiplicative_updates(V, n, rng, iterations)
    maps = S.reshape(N, h, w, n).transpose(0, 3, 1, 2)
    shares = np.einsum("bfyx,fk,bkyx->bf", maps, D, f.gradient(at), optimize=True)
    return Factors(np.ascontiguousarray(maps, A.dtype), D.astype(A.dtype), shares.astype(A.dtype), errors)


def multiplicative_updates(
    V: np.ndarray, n: int, rng: np.random.Generator, iterations: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """V ≈ S D with S (rows, n) and D (n, columns) ≥ 0, and the errors ‖V − S D‖² / ‖V‖² on the way.

    The rows of D have length 1 (or are zero), the strongest column of S comes first.
    """
    size = (V**2).sum() or 1.0
    scale = np.sqrt(V.mean() / n)
    S, D = (scale * (1 - rng.random(shape)) for shape in ((len(V), n), (n, V.shape[1])))
    errors = [((V - S @ D) ** 2).sum() / size]
    for _ in range(iterations):
        S = S * _ratio(V @ D.T, S @ (D @ D.T))
        D = D * _ratio(S.T @ V, (S.T @ S) @ D)
        errors.append(((V - S @ D) ** 2).sum() / size)
    length = np.sqrt((D**2).sum(axis=1))
    S, D = S * length, _ratio(D, length[:, None])
    order = np.argsort(-(S**2).sum(axis=0), kind="stable")
    return S[:, order], D[order], np.array(errors)


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below; 0 where below is 0, for there the factor has died out, and above is 0 too."""
    return np.divide(above, below, out=np.zeros_like(above), where=below > 0)


def _maps(A: np.ndarray, layer: str) -> np.ndarray:
    if A.ndim != 4:
        raise ValueError(f"The layer must have feature maps (N, K, h, w), and {layer} gives {A.shape}.")
    return A
