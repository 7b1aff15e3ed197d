"""Composites: which rule for which layer, by position and kind.

A rule that suits the pixels does not suit the scores. The presets here are those of Montavon et al. 2019 and the
five of zennit, under its names and with its stabilizer of 1e-6 everywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ...layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    LeakyReLU,
    Mask,
    MaxPool2d,
    ReLU,
    Reshape,
    Sigmoid,
    Softmax,
    Tanh,
)
from ...network import Network
from .form import Passing, Rule
from .rules import alpha_beta, epsilon, flat, gamma, generalized_gamma, relative, z_bounds, zero

AnyRule = Callable[[Layer, np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""rule(layer, a, z, R_k) -> R_j: a Rule, a Passing, or any function."""

LINEAR = (Dense, Conv2d, ConvTranspose2d)
CONVOLUTIONS = (Conv2d, ConvTranspose2d)

passes = Passing("passes", lambda layer, a, R: R)
reshapes = Passing("passes", lambda layer, a, R: R.reshape(a.shape))
winner_takes_all = Passing("winner takes all", lambda layer, a, R: layer.backward(a, R))

WITHOUT_WEIGHTS: dict[type[Layer], Any] = {
    **dict.fromkeys((ReLU, LeakyReLU, Tanh, Sigmoid, Dropout, Mask, Identity), passes),
    **dict.fromkeys((Flatten, Reshape), reshapes),
    MaxPool2d: winner_takes_all,
}
"""What every composite does on the layers that divide nothing."""


@dataclass(frozen=True)
class Composite:
    """A rule for every layer. The first field that fits a layer and is given decides, in this order.

    Attributes
    ----------
    first
        The linear layer (Dense, Conv2d, ConvTranspose2d) nearest to the pixels.
    first_convolution
        The convolution nearest to the pixels.
    last
        The linear layer nearest to the scores. (In a network with one linear layer, it is this and not the first.)
    lower, upper
        The linear layers between first and last, by halves; the middle one of an odd number belongs to the upper.
    convolution, dense
        By kind.
    pooling
        Average and global pooling: R_j = a_j / Σ a · R_k, which is `zero` on them.
    batchnorm
        A BatchNorm that no Dense or Conv2d before it could take in.

    Everything else divides nothing: max-pooling gives all to its winner, activations, dropout and reshaping pass.

    >>> Composite(convolution=gamma(0.25), dense=epsilon(), last=zero()).last
    zero()
    """

    first: AnyRule | None = None
    first_convolution: AnyRule | None = None
    last: AnyRule | None = None
    lower: AnyRule | None = None
    upper: AnyRule | None = None
    convolution: AnyRule | None = None
    dense: AnyRule | None = None
    pooling: AnyRule = zero()
    batchnorm: AnyRule = epsilon(1e-6)

    def rules_for(self, network: Network) -> list[AnyRule]:
        """One rule for each layer, bottom to top.

        Raises
        ------
        ValueError
            A layer has no rule: no field fits it, or LRP has none for its kind.
        """
        linear = [i for i, layer in enumerate(network) if isinstance(layer, LINEAR)]
        convolutions = [i for i in linear if isinstance(network[i], CONVOLUTIONS)]
        return [self._rule(i, network, linear, convolutions) for i in range(len(network))]

    def _rule(self, i: int, network: Network, linear: list[int], convolutions: list[int]) -> AnyRule:
        layer = network[i]
        if isinstance(layer, LINEAR):
            number, count = linear.index(i), len(linear)
            in_lower_half = number - 1 < (count - 2) // 2
            fitting = [
                self.first if number == 0 and (count > 1 or self.last is None) else None,
                self.first_convolution if convolutions[:1] == [i] else None,
                self.last if number == count - 1 else None,
                (self.lower if in_lower_half else self.upper) if 0 < number < count - 1 else None,
                self.convolution if isinstance(layer, CONVOLUTIONS) else self.dense,
            ]
            rule = next((rule for rule in fitting if rule is not None), None)
            if rule is None:
                raise ValueError(
                    f"The composite has no rule for layer {network.names[i]} ({layer!r}); its fields are "
                    f"{', '.join(field.name for field in fields(self))}."
                )
            return rule
        if isinstance(layer, (AvgPool2d, GlobalAvgPool)):
            return self.pooling
        if isinstance(layer, BatchNorm):
            return self.batchnorm
        if type(layer) in WITHOUT_WEIGHTS:
            return WITHOUT_WEIGHTS[type(layer)]
        advice = " A Softmax is left out only at the end of a network." if isinstance(layer, Softmax) else ""
        raise ValueError(f"LRP has no rule for layer {network.names[i]} ({layer!r}).{advice}")

    def __repr__(self) -> str:
        given = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if getattr(self, f.name) is not f.default]
        return f"Composite({', '.join(given)})"


def everywhere(rule: Rule) -> Composite:
    """One rule on every linear layer.

    >>> everywhere(gamma(0.25)).dense
    gamma(gamma=0.25)
    """
    return Composite(convolution=rule, dense=rule, pooling=zero(rule.options.get("stabilizer", 0.0)))


def montavon2019(low: float = 0.0, high: float = 1.0) -> Composite:
    """z^B on the pixels, γ = 0.25 in the lower half, ε = 0.25 RMS(z) in the upper half, LRP-0 at the scores.

    Source: Montavon et al. 2019, sec. 10.3.

    >>> montavon2019().lower
    gamma(gamma=0.25)
    """
    return Composite(first=z_bounds(low, high), lower=gamma(0.25), upper=epsilon(relative(0.25)), last=zero())


def EpsilonPlus(epsilon: float = 1e-6, stabilizer: float = 1e-6) -> Composite:
    """αβ(1, 0) on convolutions, ε on dense layers. Source: zennit's composite of this name.

    >>> EpsilonPlus().convolution
    alpha_beta(alpha=1, beta=0, stabilizer=1e-06)
    """
    return _zennit(alpha_beta(1, 0, stabilizer), epsilon, stabilizer)


def EpsilonPlusFlat(epsilon: float = 1e-6, stabilizer: float = 1e-6) -> Composite:
    """EpsilonPlus, with Flat on the first linear layer of any kind. Source: zennit's composite of this name.

    >>> EpsilonPlusFlat().first
    flat(stabilizer=1e-06)
    """
    return _zennit(alpha_beta(1, 0, stabilizer), epsilon, stabilizer, first=flat(stabilizer))


def EpsilonGammaBox(
    low: Any = 0.0, high: Any = 1.0, epsilon: float = 1e-6, gamma: float = 0.25, stabilizer: float = 1e-6
) -> Composite:
    """z^B on the first convolution, generalized γ on the others, ε on dense layers.

    Source: zennit's composite of this name. A network without convolutions gets no z^B.

    >>> EpsilonGammaBox().first_convolution
    z_bounds(low=0.0, high=1.0, stabilizer=1e-06)
    """
    box = z_bounds(low, high, stabilizer)
    return _zennit(generalized_gamma(gamma, stabilizer), epsilon, stabilizer, first_convolution=box)


def EpsilonAlpha2Beta1(epsilon: float = 1e-6, stabilizer: float = 1e-6) -> Composite:
    """αβ(2, 1) on convolutions, ε on dense layers. Source: zennit's composite of this name.

    >>> EpsilonAlpha2Beta1().dense
    epsilon(epsilon=1e-06)
    """
    return _zennit(alpha_beta(2, 1, stabilizer), epsilon, stabilizer)


def EpsilonAlpha2Beta1Flat(epsilon: float = 1e-6, stabilizer: float = 1e-6) -> Composite:
    """EpsilonAlpha2Beta1, with Flat on the first linear layer of any kind. Source: zennit's composite of this name.

    >>> EpsilonAlpha2Beta1Flat().first
    flat(stabilizer=1e-06)
    """
    return _zennit(alpha_beta(2, 1, stabilizer), epsilon, stabilizer, first=flat(stabilizer))


def _zennit(convolution: Rule, epsilon_of_dense: float, stabilizer: float, **others: Rule) -> Composite:
    """What zennit's composites share: ε on dense layers, its Norm on average pooling, a BatchNorm on its own passes."""
    return Composite(
        convolution=convolution,
        dense=epsilon(epsilon_of_dense),
        pooling=zero(stabilizer),
        batchnorm=passes,
        **others,
    )
