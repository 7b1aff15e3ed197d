"""How sure is an explanation? Any method, over a family of networks: a map for each of them, and what they agree on.

    R_t = method(f_t, x, c)                                    t = 1 ... T, the same class c in all
    R̄ = (1/T) Σ_t R_t,   σ² = (1/T) Σ_t (R_t − R̄)²            mean and standard deviation, pixel by pixel
    intersection = the 5 % quantile,   union = the 95 % quantile

Where the intersection is above 0, nineteen of twenty networks let the pixel speak for the class; where the union is
below 0, against it. Where one is above 0 and the other below, the networks do not agree on what the pixel says.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..decision_based.inputs import check_input
from ..decision_based.registry import METHODS, Explainer, one_a_sample
from ..layers.arguments import is_floats, is_one_of, kind_of, number
from ..memory import claim
from ..network import Network
from .draws import Networks, family
from .prediction import predict


@dataclass(frozen=True, eq=False)
class ExplanationDraws:
    """R_t(x_n) of T networks, and what follows from them.

    maps: R_t (T, N, ...): a map for each network and sample, in the shape that the method gives.
    target: what was explained, the same in every network: the class of each sample (N,), or the neuron as it was given.

    Raises ValueError: the maps are not floating-point, there are none, or one holds a NaN or an infinity.
    Source: Bykov et al. 2020, "How much can I trust you? Quantifying uncertainties in explaining neural networks"
    (a distribution of explanations and its percentiles); Bykov et al. 2021, "Explaining Bayesian neural networks"
    (their names, intersection and union).

    >>> R = ExplanationDraws(np.array([[[2.0, -1.0, 0.0]], [[4.0, 1.0, 0.0]]]), np.array([0]))
    >>> R.mean, R.std
    (array([[3., 0., 0.]]), array([[1., 1., 0.]]))
    >>> R.signal_to_noise, R.agreement
    (array([[3., 0., 0.]]), array([[1., 0., 0.]]))
    """

    maps: np.ndarray
    target: Any = None

    def __post_init__(self) -> None:
        R = self.maps
        if not is_floats("R", R) or R.ndim < 3 or 0 in R.shape:
            raise ValueError(f"maps takes a float32 or float64 array (T, N, ...), none of them 0, got {kind_of(R)}.")
        if not np.isfinite(R).all():
            t, n = np.argwhere(~np.isfinite(R))[0][:2]
            raise ValueError(f"The map of network {t} for sample {n} holds a NaN or an infinity; check that network.")

    @property
    def mean(self) -> np.ndarray:
        """R̄ = (1/T) Σ_t R_t: (N, ...). For a method that is linear in the score, the explanation of the mean score."""
        return (self.maps[0] + self._from_the_first.mean(axis=0)).astype(self.maps.dtype)

    @property
    def std(self) -> np.ndarray:
        """σ = √((1/T) Σ_t (R_t − R̄)²): (N, ...)."""
        return self._from_the_first.std(axis=0).astype(self.maps.dtype)

    @property
    def _from_the_first(self) -> np.ndarray:
        """R_t − R_1 in float64: exactly 0 where the networks are the same, so that σ is too."""
        return self.maps.astype(np.float64) - self.maps[0]

    @property
    def signal_to_noise(self) -> np.ndarray:
        """R̄ / σ (N, ...): 0 where both are 0, ±∞ where all networks give the same value and it is not 0."""
        mean, std = self.mean, self.std
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(mean == 0, 0, mean / std).astype(self.maps.dtype)

    @property
    def agreement(self) -> np.ndarray:
        """(1/T) Σ_t [sgn R_t = sgn R̄] (N, ...): the share of networks with the mean's sign; 0 where R̄ = 0."""
        sign = np.sign(self.mean)
        share = (np.sign(self.maps) == sign).mean(axis=0)
        return np.where(sign == 0, 0, share).astype(self.maps.dtype)

    def quantile(self, q: float) -> np.ndarray:
        """The value that a share q of the networks stays below (N, ...): 0 the least, 0.5 the median, 1 the largest.

        Between two networks it is interpolated. Raises ValueError where q is not from 0 to 1.
        """
        if not 0 <= number("quantile", "q", q) <= 1:
            raise ValueError(f"q takes a share from 0 to 1, got {q!r}.")
        return np.quantile(self.maps, q, axis=0).astype(self.maps.dtype)

    def intersection(self, q: float = 0.05) -> np.ndarray:
        """The q quantile (N, ...): positive only where at least 1 − q of the networks let the pixel raise the score."""
        return self.quantile(q)

    def union(self, q: float = 0.95) -> np.ndarray:
        """The q quantile (N, ...): positive wherever at least 1 − q of the networks let the pixel raise the score."""
        return self.quantile(q)


def explanations(
    networks: Networks, x: np.ndarray, method: str | Explainer = "lrp-epsilon", target: Any = None
) -> ExplanationDraws:
    """R_t = method(f_t, x, c) for each network, with one class c for all.

    Were each network asked about the class that it predicts itself, the maps would answer different questions, and
    their spread would mix the uncertainty of the class with that of the reasons for it. So c is fixed first.

    networks: f_1 ... f_T, such as `dropout_draws(network)` or `models.ensemble()`.
    method: a name in `decision_based.registry.METHODS`, or any function (network, x, target) that gives a map for each
        sample. A method that adds noise, such as SmoothGrad, adds the same noise for every network unless it is given
        another generator.
    target: a class, one for each sample (N,), or a neuron such as ("conv2", 7); None: the class that the mean of the
        networks' probabilities predicts; 0, the one output, of networks with one.

    All T · N maps are kept, because a quantile needs all: 50 draws of a 28 × 28 map in float32 are 157 kB.

    Raises TypeError or ValueError: there is no network or no such method, the method does not fit the networks, x or
    the target does not fit one of them, they do not know the same classes, or the method's maps have other shapes or
    are not finite.
    Source: Bykov et al. 2020, "How much can I trust you? Quantifying uncertainties in explaining neural networks".

    >>> from nnlite.layers import Dense
    >>> f = [Network([Dense(np.array([[w, 0.0], [1.0, 0.0]]))]) for w in (1.0, 3.0)]
    >>> R = explanations(f, np.array([[2.0, 1.0]]), "gradient-times-input")
    >>> R.mean, R.std, R.target
    (array([[4., 1.]]), array([[2., 0.]]), array([0]))
    """
    members = family(networks)
    compute = _compute(method, members)
    if members[0].to_scores().output_shape(check_input(members[0], x).shape)[1:] == (1,):
        target = 0 if target is None else target  # the one output
    else:
        predicted = predict(members, x).classes
        target = predicted if target is None else target
    maps = [one_a_sample(compute(members[0], x, target), x)]
    claim(2 * len(members) * maps[0].nbytes, f"explanations with {len(members)} networks, all of whose maps are kept,")
    maps += [one_a_sample(compute(network, x, target), x) for network in members[1:]]
    shapes = {R.shape for R in maps}
    if len(shapes) > 1:
        raise ValueError(f"The maps of all networks must have one shape, and they have {sorted(shapes)}.")
    return ExplanationDraws(np.stack(maps), target)


def _compute(method: Any, members: tuple[Network, ...]) -> Explainer:
    if callable(method):
        return method
    if not is_one_of(method, METHODS):
        raise ValueError(f"There is no method {method!r}; the methods are {', '.join(METHODS)}, or a function.")
    misfit = next((network for network in members if not METHODS[method].fits(network)), None)
    if misfit is not None:
        fitting = [name for name, m in METHODS.items() if all(map(m.fits, members))]
        raise ValueError(f"{method} does not fit the layers of {misfit!r}; those that do: {', '.join(fitting)}.")
    return METHODS[method].compute
