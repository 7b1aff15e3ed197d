"""Composites by name: that of Montavon et al. 2019, and the five of zennit with its stabilizer of 1e-6 everywhere."""

from dataclasses import replace
from typing import Any

from .composites import Composite, everywhere
from .joins import uniform
from .passing import passes
from .rule import Rule
from .rules import alpha_beta, epsilon, flat, gamma, generalized_gamma, relative, w_squared, z_bounds, z_plus, zero


def montavon2019(low: float = 0.0, high: float = 1.0) -> Composite:
    """z^B on the pixels, γ = 0.25 in the lower half, ε = 0.25 RMS(z) in the upper half, LRP-0 at the scores.

    Source: after Montavon et al. 2019, sec. 10.3, which has these rules in this order for VGG-16; the halves, which
    make it fit any depth, are the choice made here. The authors' code (git.tu-berlin.de/gmontavon/lrp-tutorial) also
    has LRP-0 on all dense layers, and turns every max-pooling into an average pooling on the way down.

    >>> montavon2019().lower
    gamma(gamma=0.25)
    """
    return Composite(first=z_bounds(low, high), lower=gamma(0.25), upper=epsilon(relative(0.25)), last=zero())


def deep_taylor(low: Any = 0.0, high: Any = 1.0) -> Composite:
    """z^B on the pixels in [low, high], or w² where they are None; z⁺ above.

    Source: Montavon et al. 2017 (deep Taylor decomposition), sec. 4.

    >>> deep_taylor(None, None).first
    w_squared()
    """
    pixels = w_squared() if low is None and high is None else z_bounds(low, high)
    return Composite(first=pixels, convolution=z_plus(), dense=z_plus())


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


def attn_lrp(stabilizer: float = 1e-6) -> Composite:
    """ε on every layer that adds up, halves at every product, the Softmax expanded at its input: for transformers.

    Inside attention half of the relevance goes to the values, and of the other half again half each to the queries and
    the keys, less what is constant in the Softmax. Norms are linear with their σ held, activations pass.

    Source: Achtibat et al. 2024, "AttnLRP: attention-aware layer-wise relevance propagation for transformers", sec. 3.

    >>> attn_lrp().multiply
    uniform(stabilizer=1e-06)
    """
    return replace(everywhere(epsilon(stabilizer)), multiply=uniform(stabilizer))


def cp_lrp(stabilizer: float = 1e-6) -> Composite:
    """ε on every layer that adds up; attention probabilities and gates are held, and get nothing: for transformers.

    With its probabilities held, attention is linear in the values, which get all: what any composite does. Norms are
    linear with their σ held, activations pass.

    Source: Ali et al. 2022, "XAI for transformers: better explanations through conservative propagation", sec. 4.

    >>> cp_lrp().dense
    epsilon(epsilon=1e-06)
    """
    return everywhere(epsilon(stabilizer))


def _zennit(convolution: Rule, epsilon_of_dense: float, stabilizer: float, **others: Rule) -> Composite:
    """What zennit's composites share: ε on dense layers, its Norm on average pooling, a BatchNorm on its own passes."""
    return Composite(
        convolution=convolution,
        dense=epsilon(epsilon_of_dense),
        pooling=zero(stabilizer),
        batchnorm=passes,
        **others,
    )
