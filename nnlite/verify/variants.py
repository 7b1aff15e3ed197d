"""The conventions that are tried of a method: how others compute it, and what they do to the map afterwards."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Any

import numpy as np

from ..decision_based import lrp
from ..decision_based.cam import grad_cam, guided_grad_cam, upsampled
from ..decision_based.deconvnet import deconvnet
from ..decision_based.deeplift import deeplift
from ..decision_based.excitation_backpropagation import excitation_backpropagation
from ..decision_based.gradient import gradient
from ..decision_based.guided_backpropagation import guided_backpropagation
from ..decision_based.integrated_gradients import integrated_gradients
from ..decision_based.lrp.passing import passes
from ..decision_based.occlusion import occlusion
from ..decision_based.registry import METHODS
from ..layers import BatchNorm
from ..network import Network
from ..walk import gradient_rule
from .case import POOLING, Case
from .conventions import (
    gamma_with_plain_bias,
    plus_with_whole_bias,
    unsigned_epsilon,
    w_squared_with_bias,
    without_bias,
)
from .table import Compute


@dataclass(frozen=True)
class Variant:
    """One convention: in words, and its map. `rules` and `start` where it is LRP."""

    words: str
    compute: Compute
    rules: Any = None
    start: str = "score"


def variants(case: Case, method: str) -> Iterator[Variant]:
    """Our own convention first, then those of others, then the other methods.

    Raises ValueError: there is no such method.
    """
    rules = METHODS[method].rules if method in METHODS else None
    if rules is not None:
        yield from _lrp(case, method, rules)
    elif method in PLAIN:
        yield from PLAIN[method](case)
    elif method in METHODS:
        yield Variant("nnlite's own", lambda: METHODS[method].compute(case.network, case.x, case.target))
    else:
        raise ValueError(f"There is no method {method!r}; the methods are {', '.join(names())}.")
    for name, other in METHODS.items():
        if name != method:
            yield Variant(f"another method: {name}", partial(other.compute, case.network, case.x, case.target))


def names() -> list[str]:
    """The methods that a map may be of."""
    return sorted({*METHODS, *PLAIN})


# -------------------------------------------------------------------------------------------------- LRP


def _lrp(case: Case, method: str, rules: Any) -> Iterator[Variant]:
    yield _relevance(case, "nnlite's own", rules, "score")
    yield _relevance(case, "start one", rules, "one")
    every = product(_composites(case, rules), _merges(case), ("score", "one"))
    for (words, composite), (merge, network, batchnorm), start in every:
        if batchnorm is not None:
            composite = replace(composite, batchnorm=batchnorm)
        yield _relevance(case, f"{words}, {merge}start {start}", composite, start, network)


def _composites(case: Case, rules: Any) -> Iterator[tuple[str, lrp.Composite]]:
    """The rules as others define them."""
    if not isinstance(rules, lrp.Rule):
        for stabilizer in (0.0, 1e-6, 1e-9):
            yield f"stabilizer {stabilizer:g} on every rule", _with(rules, stabilizer)
        return
    for words, rule in _kin(rules):
        composite = lrp.everywhere(rule)
        yield words, composite
        if case.has(*POOLING):
            yield f"{words}, average pooling by its gradient", replace(composite, pooling=gradient_rule)


def _merges(case: Case) -> Iterator[tuple[str, Network, Any]]:
    """How BatchNorm is merged, and the rule for one that is not: here, and by zennit."""
    yield "", case.network, None
    if case.has(BatchNorm):
        exactly, before = case.merged_as_zennit(exactly=True), case.merged_as_zennit(exactly=False)
        yield "a BatchNorm that is not merged passes, ", exactly, passes
        if len(before) > len(exactly):
            yield "a merged BatchNorm still divides by √(1 + eps), another passes, ", before, passes


def _relevance(case: Case, words: str, rules: Any, start: str, network: Network | None = None) -> Variant:
    network = case.network if network is None else network
    return Variant(words, lambda: lrp.relevance(network, case.x, case.target, rules=rules, start=start), rules, start)


def _with(composite: Any, stabilizer: float) -> Any:
    """The composite with this stabilizer in each of its rules."""
    changed = {
        name: replace(rule, stabilizer=stabilizer)
        for name, rule in vars(composite).items()
        if isinstance(rule, lrp.Rule) and rule.name != "epsilon"
    }
    return replace(composite, **changed)


def _kin(rule: lrp.Rule) -> Iterator[tuple[str, lrp.Rule]]:
    """The rule as others define it, in words: other stabilizers, the bias otherwise, its generalized form."""
    kin: list[tuple[str, Callable[[float], lrp.Rule]]] = []
    if rule.name in ("epsilon", "zero"):
        for size in (0.0, 1e-9, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 0.25):
            yield f"ε = {size:g}", lrp.epsilon(size)
            yield f"ε = {size:g}, bias left out", without_bias(lrp.epsilon(size))
            yield f"ε = {size:g} added without the sign of z", unsigned_epsilon(size)
        yield "ε = 0.25 RMS(z)", lrp.epsilon(lrp.relative(0.25))
        return
    if rule.name in ("gamma", "generalized_gamma"):
        for gamma in (0.1, 0.25, 0.5, 1.0):
            kin += [
                (f"simple γ = {gamma:g}", partial(lrp.gamma, gamma)),
                (f"generalized γ = {gamma:g}", partial(lrp.generalized_gamma, gamma)),
                (f"simple γ = {gamma:g}, bias unscaled", partial(gamma_with_plain_bias, gamma)),
                (f"simple γ = {gamma:g}, bias left out", partial(_bare, partial(lrp.gamma, gamma))),
            ]
    elif rule.name in ("z_plus", "alpha_beta"):
        kin += [
            ("z⁺ without bias", lrp.z_plus),
            ("αβ(1, 0), that is z⁺ with b⁺", partial(lrp.alpha_beta, 1, 0)),
            ("z⁺ with the whole bias, b⁻ too", plus_with_whole_bias),
            ("αβ(2, 1)", partial(lrp.alpha_beta, 2, 1)),
            ("αβ(2, 1), bias left out", partial(_bare, partial(lrp.alpha_beta, 2, 1))),
        ]
    elif rule.name == "w_squared":
        kin += [("w² without bias", lrp.w_squared), ("w² with b²", w_squared_with_bias)]
    elif rule.name == "flat":
        kin += [("flat", lrp.flat)]
    for words, make in kin:
        for stabilizer in (0.0, 1e-6, 1e-9):
            yield f"{words}, stabilizer {stabilizer:g}", make(stabilizer)


def _bare(make: Callable[[float], lrp.Rule], stabilizer: float) -> lrp.Rule:
    return without_bias(make(stabilizer))


# ---------------------------------------------------------------------------------------- the other methods

Options = dict[str, Any]


def _asked(compute: Callable[..., np.ndarray], others: Iterable[tuple[str, Options]] = (), **own: Any) -> Any:
    """The variants of a method that other options give, in words."""

    def variants(case: Case) -> Iterator[Variant]:
        for words, options in (("nnlite's own", {}), *others):
            yield Variant(words, partial(compute, case.network, case.x, case.target, **{**own, **options}))

    return variants


def _saliency(network: Network, x: np.ndarray, target: Any, of: Callable[..., np.ndarray] | None = None) -> np.ndarray:
    return METHODS["saliency"].compute(network, x, target) if of is None else of(gradient(network, x, target))


def _integrated(
    network: Network, x: np.ndarray, target: Any, *, factor: bool = True, share: float = 1, **options: Any
) -> np.ndarray:
    R = integrated_gradients(network, x, target, **options)
    return share * (R if factor else np.divide(R, x, out=np.zeros_like(R), where=x != 0))


def _quadratures() -> Iterator[tuple[str, Options]]:
    for factor, steps, quadrature in product(
        (True, False), (50, 20, 25, 32, 64, 100, 128, 200), ("midpoint", "gauss-legendre", "trapezoid")
    ):
        left_out = "" if factor else ", factor x − x′ left out (zero where x = x′)"
        yield f"{quadrature}, {steps} steps{left_out}", dict(quadrature=quadrature, steps=steps, factor=factor)
    for points in (20, 25, 32, 50, 64, 100):
        words = f"trapezoid, {points} points whose weights sum to {points - 1} / {points}"
        yield words, dict(quadrature="trapezoid", steps=points - 1, share=(points - 1) / points)


def _occlusion(network: Network, x: np.ndarray, target: Any, **options: Any) -> np.ndarray:
    return occlusion(network, x, target, progress=False, **options).map


def _grad_cam(network: Network, x: np.ndarray, target: Any, how: str = "", **options: Any) -> np.ndarray:
    L = grad_cam(network, x, target, **options)
    return upsampled(L, x.shape[2:], how) if how else L


PLAIN: dict[str, Callable[[Case], Iterator[Variant]]] = {
    "gradient": _asked(gradient),
    "saliency": _asked(_saliency, [("of every channel", {"of": np.abs}), ("with its sign", {"of": np.asarray})]),
    "integrated-gradients": _asked(_integrated, [*_quadratures()], quadrature="midpoint", steps=50),
    "occlusion": _asked(_occlusion, [
        (f"{overlap} over windows, {score}", {"overlap": overlap, "score": score})
        for overlap, score in (("sum", "score"), ("mean", "probability"), ("sum", "probability"))
    ], overlap="mean", score="score"),
    "grad-cam": _asked(_grad_cam, [
        (f"{'with' if relu else 'without'} ReLU{f', {how} to the input' if how else ''}", {"relu": relu, "how": how})
        for relu, how in product((True, False), ("", "bilinear", "nearest"))
    ]),
    "guided-grad-cam": _asked(guided_grad_cam, [("nearest pixel", {"interpolation": "nearest"})]),
    "deeplift": _asked(deeplift, [
        (f"{rule}, reference {reference:g}", {"rule": rule, "reference": reference})
        for rule, reference in product(("rescale", "reveal-cancel"), (0.0, 0.5, 1.0))
    ]),
    "deconvnet": _asked(deconvnet),
    "guided-backpropagation": _asked(guided_backpropagation),
    "excitation": _asked(excitation_backpropagation),
}  # fmt: skip
"""Methods whose conventions are not LRP rules."""


# ------------------------------------------------------------------------------------- what is done to a map


def _scaled(R: np.ndarray, by: np.ndarray) -> np.ndarray:
    by = by.reshape(-1, *(1,) * (R.ndim - 1))
    return np.divide(R, by, out=np.zeros_like(R), where=by != 0)


def _each(R: np.ndarray) -> np.ndarray:
    return R.reshape(len(R), -1)


AFTERWARDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "": lambda R: R,
    "absolute values": np.abs,
    "positive part": lambda R: np.maximum(R, 0),
    "the sign turned": lambda R: -R,
    "divided by its largest magnitude": lambda R: _scaled(R, np.abs(_each(R)).max(axis=1)),
    "absolute values divided by the largest": lambda R: _scaled(np.abs(R), np.abs(_each(R)).max(axis=1)),
    "brought to [0, 1] by its least and its largest value": lambda R: _scaled(
        R - _each(R).min(axis=1).reshape(-1, *(1,) * (R.ndim - 1)), np.ptp(_each(R), axis=1)
    ),
    "divided by its sum": lambda R: _scaled(R, _each(R).sum(axis=1)),
    "divided by Σ |R|": lambda R: _scaled(R, np.abs(_each(R)).sum(axis=1)),
    "squared": np.square,
    "rows and columns exchanged": lambda R: np.swapaxes(R, -1, -2) if R.ndim > 2 else R,
}
"""What others do to a finished map."""

CHANNELS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "maximum over channels": lambda R: R.max(axis=1),
    "sum over channels": lambda R: R.sum(axis=1),
    "mean over channels": lambda R: R.mean(axis=1),
    "maximum of |R| over channels": lambda R: np.abs(R).max(axis=1),
    "sum of |R| over channels": lambda R: np.abs(R).sum(axis=1),
}
"""How channels (N, C, H, W) become one map (N, H, W)."""
