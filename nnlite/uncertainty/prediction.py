"""What a family of networks says of x: the mean, and how far its members agree.

    p̄ = (1/T) Σ_t p_t                      the prediction
    H[p̄] = (1/T) Σ_t H[p_t] + I            total = aleatoric + epistemic

Where all members say "4 or 9, I cannot tell", the first term is large; where one says 4 and another 9, the second.
"""

from dataclasses import dataclass
from itertools import takewhile
from typing import Any

import numpy as np

from .. import wiring
from ..decision_based.inputs import activations, check_input
from ..decision_based.method import finite, method
from ..layers.arguments import is_floats, kind_of
from ..network import Network
from ..training.accuracy import blocks
from ..training.losses import softmax
from .draws import Networks, dropout_draws, family


@dataclass(frozen=True, eq=False)
class Prediction:
    """p_t(x_n) of T networks, (T, N, K), each row of K with the sum 1, and what follows from them, entropies in nats.

    Source: Gal 2016, "Uncertainty in deep learning" (thesis), sec. 3.3.1 (variation ratio, predictive entropy, mutual
    information); Houlsby et al. 2011, "Bayesian active learning for classification and preference learning"; Depeweg
    et al. 2018, "Decomposition of uncertainty in Bayesian deep learning" (aleatoric and epistemic).

    >>> agree = Prediction(np.array([[[0.5, 0.5]], [[0.5, 0.5]]]))
    >>> quarrel = Prediction(np.array([[[1.0, 0.0]], [[0.0, 1.0]]]))
    >>> agree.entropy.round(4), agree.mutual_information.round(4)
    (array([0.6931]), array([0.]))
    >>> quarrel.entropy.round(4), quarrel.mutual_information.round(4)
    (array([0.6931]), array([0.6931]))
    """

    probabilities: np.ndarray

    def __post_init__(self) -> None:
        check_probabilities(self.probabilities, "T, N, K")

    @property
    def mean(self) -> np.ndarray:
        """p̄ = (1/T) Σ_t p_t: (N, K)."""
        return self.probabilities.mean(axis=0)

    @property
    def std(self) -> np.ndarray:
        """√((1/T) Σ_t (p_t − p̄)²): (N, K)."""
        return self.probabilities.std(axis=0)

    @property
    def classes(self) -> np.ndarray:
        """argmax_k p̄_k: (N,) integers."""
        return self.mean.argmax(axis=1)

    @property
    def entropy(self) -> np.ndarray:
        """H[p̄] = −Σ_k p̄_k log p̄_k (N,): the predictive entropy, from 0 to log K; all uncertainty."""
        return _entropy(self.mean)

    @property
    def expected_entropy(self) -> np.ndarray:
        """(1/T) Σ_t H[p_t] (N,): how undecided the single networks are; aleatoric uncertainty."""
        return _entropy(self.probabilities).mean(axis=0)

    @property
    def mutual_information(self) -> np.ndarray:
        """I = H[p̄] − (1/T) Σ_t H[p_t] = (1/T) Σ_t KL(p_t ‖ p̄) (N,): how they disagree; epistemic uncertainty."""
        p = self.probabilities.astype(np.float64)  # the difference of two near numbers
        return np.maximum(0, _entropy(p.mean(axis=0)) - _entropy(p).mean(axis=0)).astype(self.probabilities.dtype)

    @property
    def variation_ratio(self) -> np.ndarray:
        """1 − (1/T) max_k Σ_t [argmax p_t = k] (N,): the share of networks that are outvoted."""
        votes = self.probabilities.argmax(axis=2)
        most = np.max([(votes == k).sum(axis=0) for k in range(self.probabilities.shape[2])], axis=0)
        return (1 - most / len(votes)).astype(self.probabilities.dtype)


@finite
def predict(networks: Networks, x: np.ndarray) -> Prediction:
    """p_t(x) = softmax(f_t(x)) for each network, such as `dropout_draws(network)` or `models.ensemble()`.

    A Softmax at the end of one is left out. The samples run in blocks; layers that all networks share, from the lowest
    up (the part below a Dropout), run once for all of them.

    Raises TypeError or ValueError: there is no network, x does not fit one of them, a score is not finite, or they do
    not know the same classes.
    Source: Lakshminarayanan et al. 2017, "Simple and scalable predictive uncertainty estimation using deep ensembles",
    sec. 2.4 (the mean of the probabilities).

    >>> from nnlite.layers import Dense
    >>> f = [Network([Dense(np.array([[0.0, w]]))]) for w in (0.0, 2.0)]
    >>> predict(f, np.array([[1.0]])).mean.round(4)
    array([[0.3096, 0.6904]])
    """
    whole = family(networks)
    members = [network.to_scores() for network in whole]
    if len(check_input(members[0], x)) == 0:
        raise ValueError(f"x takes one sample or more, got the shape {x.shape}.")
    common = _shared(members)
    found = []
    for block in blocks(len(x)):
        below = activations(members[0][:common], x[block])[-1]
        scores = [activations(network[common:], below)[-1] for network in members]
        p = [softmax(network.class_scores(z)) for network, z in zip(whole, scores, strict=True)]
        if len({p_t.shape for p_t in p}) > 1:
            raise ValueError(f"The networks must know the same classes, and they give {[p_t.shape[1] for p_t in p]}.")
        found.append(np.stack(p))
    return Prediction(np.concatenate(found, axis=1))


@method
def mc_dropout(network: Network, x: np.ndarray, draws: int = 50, *, rng: np.random.Generator | int = 0) -> Prediction:
    """p(x) ≈ (1/T) Σ_t softmax(f_t(x)) over T draws of the network's dropout: Monte Carlo dropout.

    The mean comes nearer to that over all masks as 1/√T.

    Raises TypeError or ValueError: as `dropout_draws` and `predict`.
    Source: Gal and Ghahramani 2016, "Dropout as a Bayesian approximation: representing model uncertainty in deep
    learning", sec. 4.

    >>> from nnlite.layers import Dense, Dropout
    >>> net = Network([Dropout(0.5), Dense(np.array([[0.0, 1.0]]))], input_shape=(1,))
    >>> found = mc_dropout(net, np.array([[1.0]]), 1000)  # over both masks (0.5 + 0.8808) / 2 = 0.6904
    >>> found.mean.round(2), found.mutual_information.round(2)
    (array([[0.3, 0.7]]), array([0.09]))
    """
    return predict(dropout_draws(network, draws, rng=rng), x)


def check_probabilities(p: Any, axes: str) -> np.ndarray:
    """`p`, if it is an array of probabilities with these axes, the last of them over the classes; else a ValueError."""
    if not is_floats("p", p) or p.ndim != axes.count(",") + 1 or 0 in p.shape:
        raise ValueError(f"probabilities takes a float32 or float64 array ({axes}), none of them 0, got {kind_of(p)}.")
    if not (p >= 0).all() or not (abs(p.sum(axis=-1) - 1) < 1e-3).all():  # so that NaN fails too
        raise ValueError("probabilities takes rows from 0 to 1 with the sum 1; apply softmax to scores first.")
    return p


def _entropy(p: np.ndarray) -> np.ndarray:
    """−Σ_k p_k log p_k, with 0 log 0 = 0."""
    from scipy.special import entr  # here: it takes a while to import

    return entr(p).sum(axis=-1)


def _shared(members: list[Network]) -> int:
    """How many layers, from the lowest up to where one wire crosses, are the very same in all networks."""
    rows, wires = zip(*members, strict=False), members[0].wires
    alike = sum(1 for _ in takewhile(lambda row: all(layer is row[0] for layer in row), rows))
    if any(network.wires != wires for network in members):
        return 0
    return next(cut for cut in range(alike, -1, -1) if all(i == cut for i, _ in wiring.crossing(wires, cut)))
