"""Evidential networks: the scores are evidence for each class, the output is a Dirichlet over the probabilities.

    e = relu(f(x)),   α = e + 1,   S = Σ_k α_k,   b = e / S,   u = K / S,   p̂ = α / S,   u + Σ_k b_k = 1

No evidence at all is α = 1, the uniform Dirichlet: u = 1, p̂ = 1 / K, no class before another: the network says that it
does not know. One network, one pass. Its probabilities are modest by construction: each class keeps its 1 in α.
Whether u measures what a network does not know is disputed (Jürgens et al. 2024, "Is epistemic uncertainty faithfully
represented by evidential deep learning methods?"): compare it between inputs of one network.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from ..decision_based.inputs import activations, check_input
from ..decision_based.method import method
from ..layers.arguments import is_floats, kind_of, number
from ..network import Network
from ..training.accuracy import blocks
from ..training.losses import check_labels, check_scores
from ..training.run import LossFunction


@dataclass(frozen=True, eq=False)
class Evidence:
    """The Dirichlet Dir(α) of each sample, and what follows from it.

    Raises ValueError: α is not (N, K), each from 1 and finite.
    Source: Sensoy, Kaplan and Kandemir 2018, "Evidential deep learning to quantify classification uncertainty", sec. 3.

    >>> found = Evidence(np.array([[9.0, 1.0], [1.0, 1.0]]))  # eight pieces of evidence for class 0; none
    >>> found.probabilities, found.uncertainty
    (array([[0.9, 0.1],
           [0.5, 0.5]]), array([0.2, 1. ]))
    """

    alpha: np.ndarray

    def __post_init__(self) -> None:
        a = self.alpha
        if not is_floats("alpha", a) or a.ndim != 2 or a.size == 0 or not ((a >= 1) & (a < np.inf)).all():
            raise ValueError(
                f"alpha takes a float32 or float64 array (N, K) of finite numbers from 1, got {kind_of(a)}."
            )

    @property
    def strength(self) -> np.ndarray:
        """S = Σ_k α_k: (N,), from K."""
        return self.alpha.sum(axis=1)

    @property
    def belief(self) -> np.ndarray:
        """b = (α − 1) / S: (N, K), the share of each class in the evidence; what is missing to 1 is u."""
        return (self.alpha - 1) / self.strength[:, None]

    @property
    def uncertainty(self) -> np.ndarray:
        """u = K / S: (N,), from 0 to 1."""
        return self.alpha.shape[1] / self.strength

    @property
    def probabilities(self) -> np.ndarray:
        """p̂ = α / S: (N, K), the mean of the Dirichlet."""
        return self.alpha / self.strength[:, None]


@method
def evidence(network: Network, x: np.ndarray) -> Evidence:
    """α = relu(f(x)) + 1, for a network that was trained with `EvidentialLoss`.

    The network is an evidential one, such as `models.load("lenet_evidential")`; of another the scores are no evidence.

    Raises TypeError or ValueError: x does not fit the network, or a score is not finite.
    Source: Sensoy et al. 2018, sec. 3.

    >>> from nnlite.layers import Identity
    >>> evidence(Network([Identity()]), np.array([[3.0, -1.0]])).alpha
    array([[4., 1.]])
    """
    network = network.to_scores()
    if len(check_input(network, x)) == 0:
        raise ValueError(f"x takes one sample or more, got the shape {x.shape}.")
    return Evidence(np.concatenate([np.maximum(0, activations(network, x[block])[-1]) + 1 for block in blocks(len(x))]))


def evidential_loss(scores: np.ndarray, labels: np.ndarray, weight: float = 1.0) -> tuple[float, np.ndarray]:
    """L = 1/N Σ_n { Σ_k (y_k − p̂_k)² + p̂_k (1 − p̂_k) / (S + 1)  +  weight · KL(Dir(α̃) ‖ Dir(1)) }.

    The first part is the squared error that is to be expected when p is drawn from Dir(α). The second removes evidence
    for wrong classes: α̃ = y + (1 − y) ⊙ α is α without the evidence for the right one.

    The loss and its gradient in the scores f (N, K), in their dtype; 0 where a score is not above 0 (as for every
    ReLU). The labels (N,) are the true classes, from 0 to K − 1.

    Raises ValueError: the shapes or dtypes are others, there is no such class, or the weight is negative.
    Source: Sensoy et al. 2018, eq. 5 and the KL divergence that follows it in sec. 4.

    >>> loss, dscores = evidential_loss(np.array([[2.0, -1.0]]), np.array([0]))
    >>> round(loss, 4), dscores.round(4)
    (0.2, array([[-0.09,  0.  ]]))
    """
    check_scores(scores)
    labels = check_labels(labels, *scores.shape)
    if number("evidential_loss", "weight", weight) < 0:
        raise ValueError(f"weight must be at least 0, got {weight!r}.")
    y = np.eye(scores.shape[1])[labels]
    alpha = np.maximum(0, scores.astype(np.float64)) + 1
    error, derror = _expected_squared_error(alpha, y)
    divergence, ddivergence = _divergence_from_uniform(y + (1 - y) * alpha)
    dalpha = derror + weight * (1 - y) * ddivergence
    dscores = np.where(scores > 0, dalpha, 0) / len(scores)
    return float((error + weight * divergence).mean()), dscores.astype(scores.dtype)


@dataclass(frozen=True)
class EvidentialLoss:
    """`evidential_loss` with the weight min(1, epoch / annealing) in epoch 0, 1, ...: the loss for `training.fit`.

    At first wrong evidence costs little, so that the network can search; later it is removed.

    Raises ValueError: the annealing is not above 0.
    Source: Sensoy et al. 2018, sec. 4 (the annealing coefficient; 10 there).

    >>> scores, labels = np.array([[0.0, 2.0]]), np.array([0])
    >>> [round(EvidentialLoss().at(epoch)(scores, labels)[0], 3) for epoch in (0, 5, 20)]
    [1.2, 1.416, 1.632]
    """

    annealing: float = 10

    def __post_init__(self) -> None:
        if number("EvidentialLoss", "annealing", self.annealing) <= 0:
            raise ValueError(f"EvidentialLoss: annealing takes epochs, a number above 0, got {self.annealing!r}.")

    def at(self, epoch: int) -> LossFunction:
        """The loss of this epoch, counted from 0."""
        return partial(evidential_loss, weight=min(1.0, epoch / self.annealing))

    def __call__(self, scores: np.ndarray, labels: np.ndarray) -> tuple[float, np.ndarray]:
        """The loss after the annealing."""
        return evidential_loss(scores, labels)


def _expected_squared_error(alpha: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """E ‖y − p‖² for p ~ Dir(α) (N,), and its gradient in α, with ∂p̂_k / ∂α_j = ([k = j] − p̂_k) / S."""
    S = alpha.sum(axis=1, keepdims=True)
    p = alpha / S
    variance = p * (1 - p) / (S + 1)
    dp = -2 * (y - p) + (1 - 2 * p) / (S + 1)
    dalpha = (dp - (dp * p).sum(axis=1, keepdims=True)) / S - variance.sum(axis=1, keepdims=True) / (S + 1)
    return ((y - p) ** 2 + variance).sum(axis=1), dalpha


def _divergence_from_uniform(alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """KL(Dir(α) ‖ Dir(1)) = log Γ(S) − log Γ(K) − Σ_k log Γ(α_k) + Σ_k (α_k − 1)(ψ(α_k) − ψ(S)) (N,), and its
    gradient in α: (α_j − 1) ψ'(α_j) − (S − K) ψ'(S).

    Its terms grow as α log α, and the sum as log α: it is F_K(S) − log Γ(K) − Σ_k F_1(α_k), with an F that is small.
    """
    from scipy.special import gammaln  # here: it takes a while to import

    K, S = alpha.shape[1], alpha.sum(axis=1, keepdims=True)
    (whole, dwhole), (parts, dparts) = _slow(S, K), _slow(alpha, 1)
    return whole[:, 0] - gammaln(K) - parts.sum(axis=1), dwhole - dparts


def _slow(x: np.ndarray, m: int) -> tuple[np.ndarray, np.ndarray]:
    """F_m(x) = log Γ(x) − (x − m)(ψ(x) − 1), and F_m'(x) = 1 − (x − m) ψ'(x).

    From x = 32 by the asymptotic series, in which x log x is gone; the first terms left out are below 1e−15.

    Source: Abramowitz and Stegun 1964, "Handbook of mathematical functions", 6.1.41, 6.3.18 and 6.4.12.
    """
    from scipy.special import gammaln, polygamma, psi

    near, r = np.minimum(x, 32), 1 / np.maximum(x, 32)
    q, share = r * r, 1 - m * r
    log_gamma = r * (1 / 12 - q * (1 / 360 - q * (1 / 1260 - q / 1680)))
    psi_part = 1 / 2 + r * (1 / 12 - q * (1 / 120 - q * (1 / 252 - q / 240)))  # (log x − ψ(x)) x
    dpsi_part = r * (1 / 2 + r * (1 / 6 - q * (1 / 30 - q * (1 / 42 - q / 30))))  # (ψ'(x) − 1 / x) x
    far = (1 / 2 - m) * np.log(r) - m + np.log(2 * np.pi) / 2 + log_gamma + share * psi_part
    value = np.where(x < 32, gammaln(near) - (near - m) * (psi(near) - 1), far)
    return value, np.where(x < 32, 1 - (near - m) * polygamma(1, near), m * r - share * dpsi_part)
