"""Every decision-based method by name. A method written here appears in the tour, in `nnlite explain` and the docs."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from ..layers import Conv2d, ConvTranspose2d, Dense, Flatten, GlobalAvgPool, Identity, Mask
from ..layers.arguments import is_one_of, unmasked
from ..network import Network
from ..surgery import above
from . import lrp
from .attention_maps import (
    attention,
    attention_rollout,
    chefer_gradient,
    chefer_lrp,
    has_attention,
    on_picture,
)
from .cam import cam, grad_cam, guided_grad_cam, upsampled, why_zero
from .deconvnet import deconvnet
from .deeplift import deeplift, has_rule
from .excitation_backpropagation import excitation_backpropagation
from .gradient import gradient, gradient_times_input, saliency, sensitivity
from .guided_backpropagation import guided_backpropagation
from .integrated_gradients import integrated_gradients
from .occlusion import occlusion
from .smoothgrad import smoothgrad, smoothgrad_squared, vargrad
from .target import Target, explained, is_neuron
from .taylor import simple_taylor


@dataclass(frozen=True)
class Method:
    """A method under its name.

    name: as the command line has it.
    formula: what it computes, in one line.
    meaning: how its map is read: one of MEANINGS.
    compute: compute(network, x, target, **options) -> a map for each sample.
    rules: for LRP: the rule or composite; then `lrp.ledger` keeps its books.
    fits: fits(network): whether the network has the layers that the method needs.
    note: note(network, x, target) -> a line for each sample, where its map is to be read with care; else "".
    """

    name: str
    formula: str
    meaning: str
    compute: Callable[..., np.ndarray]
    rules: Any = None
    fits: Callable[[Network], bool] = lambda network: True
    note: Callable[[Network, np.ndarray, Any], list[str]] | None = None


MEANINGS = {
    "score": "a share of the score f_c: red raised it, blue lowered it",
    "difference": "a share of f_c(x) − f_c(black): red raised it, blue lowered it",
    "expansion": "a term of a first-order expansion of f_c; what it does not reach is the remainder",
    "evidence": "for and against: red speaks for the class, blue against it; the map has no sum to keep",
    "slope": "where to go: the score would rise if a red pixel became a little brighter, or a blue one darker",
    "pattern": "what has lit the network: structure in the image, with the sign of the filters, not of the score",
    "size": "how much, not which way: red is more, nothing is blue",
}
"""The ways to read a map."""


def divided(meaning: str, network: Network, x: np.ndarray, target: Target = None) -> np.ndarray | None:
    """What the sum of such a map is held against, (N,): the score, or its difference to black; None without a sum."""
    f = explained(network, x, target)
    if meaning == "difference":
        return f.score - explained(network, np.zeros_like(x), f.target).score
    return f.score if meaning in ("score", "expansion") else None


def _anything(network: Network) -> bool:
    return True


Explainer = Callable[[Network, np.ndarray, Any], np.ndarray]
"""method(network, x, target) -> a map for each sample."""


def _lrp(
    name: str, rules: lrp.Rule | lrp.Composite, formula: str, fits: Callable[[Network], bool] = _anything
) -> Method:
    def compute(network: Network, x: np.ndarray, target: Target = None, **options: Any) -> np.ndarray:
        return lrp.relevance(network, x, target, **{"rules": rules, **options})

    return Method(name, formula, "score", compute, rules, fits)


def _convolves(network: Network) -> bool:
    return any(isinstance(layer, (Conv2d, ConvTranspose2d)) for layer in network)


def one_a_sample(R: Any, x: np.ndarray) -> np.ndarray:
    """The maps that a function gave, if there is one for each sample of x; else a ValueError."""
    if not isinstance(unmasked("R", R), np.ndarray) or R.ndim < 2 or len(R) != len(x):
        got = R.shape if isinstance(R, np.ndarray) else type(R).__name__
        raise ValueError(f"method must give an array with a map for each of {len(x)} samples, got {got}.")
    return R


def _has_maps(network: Network) -> bool:
    return _takes_images(network) and _convolves(network)


def _ends_with_pool_and_dense(network: Network) -> bool:
    counting = [type(layer) for layer in network.to_scores() if not isinstance(layer, (Identity, Mask))]
    return counting[-3:] == [GlobalAvgPool, Flatten, Dense]


def _takes_images(network: Network) -> bool:
    return _convolves(network) if network.input_shape is None else len(network.input_shape) == 3


def _is_rectified(network: Network) -> bool:
    """No layer gives the next ones negative activations but those that a ReLU follows."""
    return all(layer.nonnegative or layer.linear or not layer.pointwise for layer in network)


def _deeplift_fits(network: Network) -> bool:
    return all(map(has_rule, network.to_scores()))


def _cam(network: Network, x: np.ndarray, target: Target = None) -> np.ndarray:
    return upsampled(cam(network, x, target), x.shape[2:])


def _grad_cam(network: Network, x: np.ndarray, target: Target = None, **options: Any) -> np.ndarray:
    return upsampled(grad_cam(network, x, target, **options), x.shape[2:])


def _occlusion(network: Network, x: np.ndarray, target: Target = None, **options: Any) -> np.ndarray:
    return occlusion(network, x, target, **options).map


def _simple_taylor(network: Network, x: np.ndarray, target: Target = None, **options: Any) -> np.ndarray:
    return simple_taylor(network, x, target, **options).R


def _about_the_root(network: Network, x: np.ndarray, target: Target = None) -> list[str]:
    """Whether there was a root, and what the expansion there leaves over."""
    t = simple_taylor(network, x, target)
    return [
        f"remainder {remainder:.3g}" if found else f"no root: f(x̃) = {f_root:.3g}, remainder {remainder:.3g}"
        for found, f_root, remainder in zip(t.found, t.f_root, t.remainder, strict=True)
    ]


_flip = partial(_occlusion, fill="flip")
_reveal_cancel = partial(deeplift, rule="reveal-cancel")
_contrastive = partial(excitation_backpropagation, contrastive=True)

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("gradient", "∂f_c / ∂x", "slope", gradient),
        Method("saliency", "max over channels of |∂f_c / ∂x|", "size", saliency),
        Method("sensitivity", "(∂f_c / ∂x)²", "size", sensitivity),
        Method("smoothgrad", "mean of ∂f_c / ∂x over 50 draws x + η,  η ~ N(0, σ²)", "slope", smoothgrad),
        Method("smoothgrad-squared", "mean of (∂f_c / ∂x)² over 50 draws x + η", "size", smoothgrad_squared),
        Method("vargrad", "variance of ∂f_c / ∂x over 50 draws x + η", "size", vargrad),
        Method("deconvnet", "transposed layers from 1 at f_c;  ReLU: max(0, R)", "pattern", deconvnet),
        Method("guided-backpropagation", "∂f_c / ∂x with ReLU: [a > 0] max(0, R)", "pattern", guided_backpropagation),
        Method(
            "guided-grad-cam",
            "guided backpropagation ⊙ Grad-CAM",
            "pattern",
            guided_grad_cam,
            None,
            _has_maps,
            why_zero,
        ),
        Method("grad-cam", "(Σ_k α_kc A_k)⁺,  α = mean of ∂f_c / ∂A_k", "size", _grad_cam, None, _has_maps, why_zero),
        Method("cam", "Σ_k w_kc A_k", "evidence", _cam, fits=_ends_with_pool_and_dense),
        Method("occlusion", "mean of f_c(x) − f_c(x, window black)", "evidence", _occlusion, fits=_takes_images),
        Method("occlusion-flip", "the same, window flipped: v → 1 − v", "evidence", _flip, fits=_takes_images),
        Method("gradient-times-input", "x · ∂f_c / ∂x", "expansion", gradient_times_input),
        Method("integrated-gradients", "x · ∫₀¹ ∂f_c / ∂x (t x) dt", "difference", integrated_gradients),
        Method(
            "deeplift", "m (x − x′), Σ R = f(x) − f(x′);  Rescale, x′ = 0", "difference", deeplift, fits=_deeplift_fits
        ),
        Method(
            "deeplift-reveal-cancel",
            "the same, Δ⁺ and Δ⁻ apart at nonlinearities",
            "difference",
            _reveal_cancel,
            fits=_deeplift_fits,
        ),
        Method(
            "excitation",
            "P_j = Σ_k a_j w⁺_jk / Σ_j … · P_k, from 1",
            "size",
            excitation_backpropagation,
            fits=_is_rectified,
        ),
        Method(
            "contrastive-excitation",
            "excitation of c − that of its dual, −w_c",
            "evidence",
            _contrastive,
            fits=_is_rectified,
        ),
        Method(
            "simple-taylor",
            "(x − x̃) · ∇f(x̃),  f(x̃) = 0 on the way to black",
            "expansion",
            _simple_taylor,
            note=_about_the_root,
        ),
        _lrp("lrp-zero", lrp.zero(), "Σ_k a_j w_jk / z_k · R_k"),
        _lrp("lrp-epsilon", lrp.epsilon(1e-6), "Σ_k a_j w_jk / (z_k + ε sgn z_k) · R_k,  ε = 1e-6"),
        _lrp("lrp-epsilon-relative", lrp.epsilon(lrp.relative(0.25)), "as lrp-epsilon,  ε = 0.25 RMS(z)"),
        _lrp("lrp-gamma", lrp.gamma(0.25), "Σ_k a_j (w_jk + γ w⁺_jk) / Σ_j … · R_k,  γ = 0.25", _is_rectified),
        _lrp("lrp-generalized-gamma", lrp.generalized_gamma(0.25), "Σ_k (p_jk + γ p±_jk) / Σ_j … · R_k"),
        _lrp("lrp-z-plus", lrp.z_plus(), "Σ_k a_j w⁺_jk / Σ_j a_j w⁺_jk · R_k", _is_rectified),
        _lrp("lrp-alpha1-beta0", lrp.alpha_beta(1, 0), "Σ_k (a_j w_jk)⁺ / Σ⁺_k · R_k,  Σ⁺ with the bias"),
        _lrp("lrp-alpha2-beta1", lrp.alpha_beta(2, 1), "Σ_k (2 (a_j w_jk)⁺ / Σ⁺_k − (a_j w_jk)⁻ / Σ⁻_k) · R_k"),
        _lrp("lrp-w-squared", lrp.w_squared(), "Σ_k w²_jk / Σ_j w²_jk · R_k"),
        _lrp("lrp-flat", lrp.flat(), "Σ_k 1 / Σ_j 1 · R_k"),
        _lrp(
            "lrp-montavon2019", lrp.montavon2019(), "z^B on the pixels, then γ, ε = 0.25 RMS(z), LRP-0", _is_rectified
        ),
        _lrp("lrp-epsilon-plus", lrp.EpsilonPlus(), "α1β0 on convolutions, ε on dense layers"),
        _lrp("lrp-epsilon-plus-flat", lrp.EpsilonPlusFlat(), "α1β0 and ε, flat on the pixels"),
        _lrp("lrp-epsilon-gamma-box", lrp.EpsilonGammaBox(), "z^B on the first convolution, γ on others, ε on dense"),
        _lrp("lrp-epsilon-alpha2-beta1", lrp.EpsilonAlpha2Beta1(), "α2β1 on convolutions, ε on dense layers"),
        _lrp("lrp-epsilon-alpha2-beta1-flat", lrp.EpsilonAlpha2Beta1Flat(), "α2β1 and ε, flat on the pixels"),
        _lrp(
            "deep-taylor",
            lrp.deep_taylor(),
            "z^B on the pixels: (a_j w_jk − l w⁺_jk − h w⁻_jk) / Σ_j …;  z⁺ above",
            _is_rectified,
        ),
        _lrp("lrp-attn", lrp.attn_lrp(), "ε; halves at products;  softmax: a_j (R_j − z_j Σ_k R_k)", has_attention),
        _lrp("lrp-cp", lrp.cp_lrp(), "ε; attention probabilities and gates held, which get nothing", has_attention),
        Method("attention", "mean_h P, last layer", "size", on_picture(attention), fits=has_attention),
        Method("attention-rollout", "Π ½ (mean_h P + 1)", "size", on_picture(attention_rollout), fits=has_attention),
        Method("chefer-lrp", "Π (1 + mean_h (∂P ⊙ R_P)⁺)", "size", on_picture(chefer_lrp), fits=has_attention),
        Method("chefer-gradient", "R + mean_h (∂P ⊙ P)⁺ R", "size", on_picture(chefer_gradient), fits=has_attention),
        _lrp("deep-taylor-unbounded", lrp.deep_taylor(None, None), "w² on the pixels, z⁺ above", _is_rectified),
    )
}
"""Every method by name."""


def explain(
    network: Network, x: np.ndarray, method: str, target: Target = None, *, at: str | None = None, **options: Any
) -> np.ndarray:
    """The map of the method with this name, on the input or at a hidden layer: the one entry by name.

    network, x: any network and a batch for it.
    method: one of METHODS, such as "lrp-epsilon".
    target: a class, one for each sample, None for the predicted class, or a neuron such as ("conv2", 7): see
        `target.explained`.
    at: None: which pixels. The name of a layer: which of its activations. LRP walks down as far as that layer by the
        rules of the whole network; every other method runs on the layers above it.
    options: those of the method's own function, such as steps=20 for "integrated-gradients".

    Returns a map for each sample, in the shape that the method gives.
    Raises TypeError or ValueError: there is no method or layer of that name, the method does not fit the network, or x,
    target or an option does not.

    >>> from nnlite.layers import Dense, ReLU
    >>> net = Network([Dense(np.array([[3.0, 1.0], [-2.0, 1.0]])), ReLU(), Dense(np.array([[1.0], [2.0]]))])
    >>> explain(net, np.ones((1, 2)), "gradient"), explain(net, np.ones((1, 2)), "gradient", at="relu1")
    (array([[5., 0.]]), array([[1., 2.]]))
    """
    if isinstance(network, str) and isinstance(
        x, Network
    ):  # the order of version 0.1: explain(name, network, x, target)
        warnings.warn(
            "explain(name, network, x) is now explain(network, x, name); the old order goes with version 0.3.",
            DeprecationWarning,
            stacklevel=2,
        )
        network, x, method = x, method, network
    if not is_one_of(method, METHODS):
        raise ValueError(f"There is no method {method!r}; the methods are {', '.join(METHODS)}.")
    chosen = METHODS[method]
    if at is None:
        return chosen.compute(network, x, target, **options)
    f = explained(network, x, target)
    position = f.network.index(at) + 1 if at in f.network.names else len(f.a)
    if position >= len(f.a) - 1:
        network.index(at)  # an error where there is no such layer at all
        raise ValueError(f"Layer {at} is not below what is explained; the layers below are {f.network.names[:-1]}.")
    if chosen.rules is not None:
        return lrp.relevance(network, x, f.target, rules=chosen.rules, all_layers=True)[position]
    whole = f.network if is_neuron(target) else network
    return chosen.compute(above(whole, position, f.a), f.a[position], f.target, **options)
