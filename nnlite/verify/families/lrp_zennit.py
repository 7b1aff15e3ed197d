"""LRP beside zennit: every rule everywhere, on the pixels, and zennit's composites; excitation backpropagation.

zennit adds a stabilizer of 1e-6 to every denominator, average pooling included, passes a BatchNorm that nothing could
take in, and is usually started from 1. Its ZPlus and WSquare count the bias, its Gamma is the generalized one.
One file, because every comparison with zennit shares these translations.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any

import numpy as np

from ... import wiring
from ...decision_based import lrp
from ...decision_based.excitation_backpropagation import excitation_backpropagation
from ...decision_based.lrp.passing import passes
from ...layers import (
    Add,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    LayerNorm,
    MatMul,
    Multiply,
    ReLU,
    RMSNorm,
    Scale,
    Softmax,
)
from ...walk import gradient_rule
from ..case import ACTIVATIONS, LINEAR, POOLING, Case
from ..conventions import w_squared_with_bias
from ..libraries import load, missing
from ..table import BUG, CONVENTION, Comparison, impossible

STABILIZER = 1e-6

WITHOUT_RULE = (Softmax, MatMul, LayerNorm, RMSNorm, Scale)

Make = Callable[[Any], Any]
"""make(zennit.rules) -> a rule of zennit."""


def comparisons(case: Case) -> list[Comparison]:
    """Rules, pixel rules, composites, excitation backpropagation."""
    for kind in WITHOUT_RULE:
        if case.has(kind):
            because = f"zennit has no rule for a {kind.__name__}: its gradient would multiply the relevance."
            return [impossible("lrp", "zennit", "", because)]
    pairs = list(zip(case.network, case.network.layers[1:], strict=False))
    if any(isinstance(a, ConvTranspose2d) and a.groups > 1 and isinstance(b, BatchNorm) for a, b in pairs):
        because = "zennit cannot merge a BatchNorm into a transposed convolution with groups."
        return [impossible("lrp", "zennit", "", because)]
    if any(case.network.wires[l] != (l,) for l in _touching(case)):
        because = "zennit merges a BatchNorm into the layer that stands before it, and here it reads another."
        return [impossible("lrp", "zennit", "", because)]
    return [*_rules(case), *_pixel_rules(case), *_composites(case), *_excitation(case)]


def _touching(case: Case) -> list[int]:
    """The BatchNorms that stand behind a linear layer."""
    pairs = enumerate(zip(case.network, case.network.layers[1:], strict=False), 1)
    return [l for l, (a, b) in pairs if isinstance(a, LINEAR) and isinstance(b, BatchNorm)]


# ------------------------------------------------------------------------------------------ one rule everywhere

ROWS: tuple[tuple[Any, ...], ...] = (
    ("lrp-epsilon", "Epsilon(1e-6)", lambda z: z.Epsilon(1e-6), lrp.epsilon(1e-6)),
    ("lrp-epsilon", "Epsilon(0.25)", lambda z: z.Epsilon(0.25), lrp.epsilon(0.25)),
    ("lrp-generalized-gamma", "Gamma(0.25)", lambda z: z.Gamma(0.25), lrp.generalized_gamma(0.25)),
    ("lrp-alpha1-beta0", "AlphaBeta(1, 0)", lambda z: z.AlphaBeta(1.0, 0.0), lrp.alpha_beta(1, 0)),
    ("lrp-alpha2-beta1", "AlphaBeta(2, 1)", lambda z: z.AlphaBeta(2.0, 1.0), lrp.alpha_beta(2, 1)),
    ("lrp-flat", "Flat()", lambda z: z.Flat(), lrp.flat()),
    ("lrp-w-squared", "WSquare(zero_params=bias)", lambda z: z.WSquare(zero_params=["bias"]), lrp.w_squared()),
)
Z_PLUS = ("lrp-z-plus", "ZPlus(zero_params=bias)", lambda z: z.ZPlus(zero_params=["bias"]), lrp.z_plus())
OTHERWISE = (
    ("lrp-w-squared", "WSquare()", lambda z: z.WSquare(), lrp.w_squared(), w_squared_with_bias(STABILIZER),
     "zennit counts b² in the denominator as if it were an input.", "w² with b²"),
    ("lrp-z-plus", "ZPlus()", lambda z: z.ZPlus(), lrp.z_plus(), lrp.alpha_beta(1, 0, STABILIZER),
     "zennit's ZPlus is αβ(1, 0): b⁺ takes its share.", "αβ(1, 0)"),
    ("lrp-gamma", "Gamma(0.25)", lambda z: z.Gamma(0.25), lrp.gamma(0.25), lrp.generalized_gamma(0.25, STABILIZER),
     "zennit's Gamma is the generalized one: where z < 0 it favours what is negative.", "generalized γ"),
)  # fmt: skip
"""The arguments of `_rule`: nnlite's method, zennit's rule in words and in code, nnlite's; zennit's as nnlite writes
it, why it differs, and in words. From Z_PLUS and the second of OTHERWISE on for inputs from 0.
"""


def _rules(case: Case) -> list[Comparison]:
    plus, above = ((Z_PLUS,), OTHERWISE) if case.nonnegative else ((), OTHERWISE[:1])
    rows = [*(_rule(case, *row) for row in (*ROWS, *plus)), _relative(case), *(_rule(case, *row) for row in above)]
    if not case.nonnegative:
        because = "z⁺ and simple γ are for inputs ≥ 0, and here are negative ones; see αβ(1, 0) and generalized γ."
        rows.append(impossible("lrp-z-plus, lrp-gamma", "zennit", "ZPlus, Gamma", because))
    return rows


def _rule(
    case: Case, method: str, name: str, make: Make, rule: lrp.Rule,
    under: lrp.Rule | None = None, because: str = "", otherwise: str = "",
) -> Comparison:  # fmt: skip
    """nnlite's rule with its own stabilizer, and with zennit's, or as zennit defines it (`under`)."""
    epsilon = rule.name == "epsilon"
    stable = _stable(under or (rule if epsilon else _stabilized(rule)))
    row = Comparison(method, "zennit", f"{name}, start score", lambda: _mapped(case, make), lambda: _ours(case, rule))
    if epsilon and not case.has(*POOLING):
        return _merging(case, replace(row, ours=lambda: _ours(case, stable)), stable)
    what = "on average pooling" if epsilon else "in every denominator"
    if under is None:
        because = f"zennit has a stabilizer of 1e-6 {what}, nnlite none unless it is asked for."
    else:
        because, otherwise = f"{because} It also has a stabilizer of 1e-6 {what}.", f"{otherwise}, "
    return row.otherwise(
        CONVENTION, f"{because}{_and(case)}",
        f"{name}, start score; nnlite {otherwise}stabilizer=1e-6{_on(case)}", lambda: _theirs_here(case, stable),
    )  # fmt: skip


def _relative(case: Case) -> Comparison:
    stable = _stable(lrp.epsilon(lrp.relative(0.25)))
    row = Comparison(
        "lrp-epsilon-relative", "zennit", "Epsilon(Stabilizer(0.25, norm_scale=True)), start score",
        lambda: _mapped(case, lambda z: z.Epsilon(load("zennit.core").Stabilizer(0.25, norm_scale=True))),
        lambda: _ours(case, stable),
    )  # fmt: skip
    return _merging(case, row, stable)


def _stabilized(rule: lrp.Rule) -> lrp.Rule:
    """The same rule with zennit's stabilizer."""
    return replace(rule, stabilizer=STABILIZER, options={**rule.options, "stabilizer": STABILIZER})


def _stable(rule: lrp.Rule, **first: lrp.Rule) -> lrp.Composite:
    """The rule on every layer with weights, zennit's stabilizer where it pools."""
    return lrp.Composite(convolution=rule, dense=rule, pooling=lrp.zero(STABILIZER), batchnorm=passes, **first)


# --------------------------------------------------------------------------------------- the pixels' own rule


def _pixel_rules(case: Case) -> list[Comparison]:
    """Deep Taylor decomposition: z^B, w² or flat on the pixels, z⁺ above."""
    if not case.nonnegative:
        return []
    pixel: list[tuple[str, str, Make, lrp.Rule]] = [
        ("deep-taylor-unbounded", "WSquare", lambda z: z.WSquare(zero_params=["bias"]), lrp.w_squared(STABILIZER)),
        ("lrp-flat", "Flat", lambda z: z.Flat(), lrp.flat(STABILIZER)),
    ]
    if case.in_box(*LINEAR):
        pixel.append(("deep-taylor", "ZBox(0, 1)", lambda z: z.ZBox(0.0, 1.0), lrp.z_bounds(0, 1, STABILIZER)))
    rows = []
    for method, name, make, rule in pixel:
        composite = _stable(lrp.z_plus(STABILIZER), first=rule)
        row = Comparison(
            method, "zennit", f"{name} on the pixels, ZPlus above, both without bias; nnlite stabilizer=1e-6",
            partial(_mapped, case, Z_PLUS[2], make), partial(_ours, case, composite),
        )  # fmt: skip
        rows.append(_merging(case, row, composite))
    return rows


# ------------------------------------------------------------------------------------------------- composites


def _composites(case: Case) -> list[Comparison]:
    """zennit's five, as it runs them: from 1, merging every BatchNorm that it can."""
    rows = []
    for name, method in METHOD_OF.items():
        box = name == "EpsilonGammaBox"
        if box and not case.in_box(Conv2d, ConvTranspose2d):
            rows.append(impossible(method, "zennit", name, "z^B needs pixels in [0, 1] below the first convolution."))
            continue
        composite, options = getattr(lrp, name)(), {"low": 0.0, "high": 1.0} if box else {}
        row = Comparison(
            method, "zennit", f"{name}, start 1",
            partial(_composite, case, name, **options), partial(_ours, case, composite, "one"),
        )  # fmt: skip
        rows.append(_merging(case, row, composite, "one"))
        if _is_resnet(case.own):
            theirs = partial(_composite, case, name, module=case.own, **options)
            row = replace(row, theirs=theirs, convention=f"{name} with ResNetCanonizer on the module itself, start 1")
            rows.append(_merging(case, row, composite, "one"))
    return rows


def _is_resnet(module: Any) -> bool:
    """Whether it has blocks that zennit's ResNetCanonizer knows."""
    if module is None or missing("zennit") is not None:
        return False
    blocks = load("zennit.torchvision").ResNetBasicBlock, load("zennit.torchvision").ResNetBottleneck
    return any(isinstance(m, blocks) for m in module.modules())


def _composite(case: Case, name: str, module: Any = None, **options: float) -> np.ndarray:
    canonizers = _canonizers() if module is None else [load("zennit.torchvision").ResNetCanonizer()]
    made = getattr(load("zennit.composites"), name)(canonizers=canonizers, **options)
    return relevance(case, made, "one", module)


METHOD_OF = {
    "EpsilonPlus": "lrp-epsilon-plus",
    "EpsilonPlusFlat": "lrp-epsilon-plus-flat",
    "EpsilonGammaBox": "lrp-epsilon-gamma-box",
    "EpsilonAlpha2Beta1": "lrp-epsilon-alpha2-beta1",
    "EpsilonAlpha2Beta1Flat": "lrp-epsilon-alpha2-beta1-flat",
}


def _excitation(case: Case) -> list[Comparison]:
    if not case.nonnegative_at(*LINEAR, *POOLING):
        return []

    def theirs(**options: Any) -> np.ndarray:
        made = load("zennit.composites").ExcitationBackprop(canonizers=_canonizers(), **options)
        return relevance(case, made, "one")

    def ours(rule: lrp.Rule) -> np.ndarray:
        kinds = {LINEAR: rule, POOLING: lrp.zero(STABILIZER), (*ACTIVATIONS, BatchNorm, Multiply): gradient_rule}
        rules = [
            next((rule for kind, rule in kinds.items() if isinstance(layer, kind)), None)
            for layer in case.as_zennit_merges.merged()
        ]
        return _theirs_here(case, rules, "one")

    why = how = ""
    if case.has(*(kind for kind in ACTIVATIONS if kind is not ReLU)):  # where passing and the gradient differ
        why = " It has no rule for activation functions: their gradient multiplies the signal, and nnlite passes it on."
        how = ", the gradient at activation functions"
    if case.has(Add):
        why += " Where branches are added it divides by their sum, nnlite by what of them is positive."
        how += ", proportional at sums"
    row = Comparison(
        "excitation", "zennit", "ExcitationBackprop",
        theirs, lambda: excitation_backpropagation(case.network, case.x, case.target),
    )  # fmt: skip
    return [
        row.otherwise(
            CONVENTION,
            f"zennit builds it on its ZPlus, where b⁺ takes its share; Zhang's eq. 1 has no bias.{why}{_and(case)}",
            f"ExcitationBackprop; nnlite αβ(1, 0) from 1, stabilizer=1e-6{how}{_on(case)}",
            lambda: ours(lrp.alpha_beta(1, 0, STABILIZER)),
        ),
        replace(
            row, convention=f"ExcitationBackprop(zero_params=bias); nnlite z⁺ from 1, stabilizer=1e-6{how}{_on(case)}",
            theirs=lambda: theirs(zero_params=["bias"]), ours=lambda: ours(lrp.z_plus(STABILIZER)),
        ),
    ]  # fmt: skip


# --------------------------------------------------------------------------------------------- both sides run


INEXACT = "zennit's merge leaves a BatchNorm that divides by √(1 + eps) where it should be an identity."
FIRST_ONLY = "Of several BatchNorms in a row zennit merges the first, and passes on the others."
SHARED = "zennit merges a BatchNorm into the layer before it although others read that, too: the scores change."
PRODUCT = "zennit has no rule for a product: its gradient multiplies the signal, and Σ R is not that above."
MERGED = ", on zennit's merged network"


def _ours(case: Case, rules: Any, start: str = "score") -> np.ndarray:
    return lrp.relevance(case.network, case.x, case.target, rules=rules, start=start)


def _theirs_here(case: Case, rules: Any, start: str = "score") -> np.ndarray:
    """nnlite's LRP on the network that zennit's merge leaves, with products as zennit has them."""
    rules = replace(rules, multiply=gradient_rule) if isinstance(rules, lrp.Composite) else rules
    return lrp.relevance(case.as_zennit_merges, case.x, case.target, rules=rules, start=start)


@lru_cache(maxsize=1)
def _otherwise(case: Case) -> dict[str, str]:
    """What zennit does otherwise whatever the rules, and how nnlite then does the same."""
    networks = case.network.merged(), case.merged_as_zennit(exactly=True), case.as_zennit_merges
    ours, exactly, theirs = (sum(isinstance(layer, BatchNorm) for layer in network) for network in networks)
    found = {INEXACT: MERGED} if theirs > exactly else {}
    found |= {FIRST_ONLY: MERGED} if exactly > ours else {}
    readers = wiring.readers(case.network.wires)
    found |= {SHARED: MERGED} if any(len(readers[l]) > 1 for l in _touching(case)) else {}
    return found | ({PRODUCT: ", the gradient at products"} if case.has(Multiply) else {})


def _and(case: Case) -> str:
    return "".join(f" {what}" for what in _otherwise(case))


def _on(case: Case) -> str:
    return "".join(dict.fromkeys(_otherwise(case).values()))


def _merging(case: Case, row: Comparison, rules: Any, start: str = "score") -> Comparison:
    """The row; where zennit merges a BatchNorm or does a product otherwise, known to differ by that."""
    what = _otherwise(case)
    if not what:
        return row
    convention = f"{row.convention}; nnlite{_on(case)[1:]}"
    differs = BUG if {INEXACT, SHARED} & what.keys() else CONVENTION
    return row.otherwise(differs, " ".join(what), convention, lambda: _theirs_here(case, rules, start))


def _mapped(case: Case, make: Make, first: Make | None = None) -> np.ndarray:
    """zennit's LRP from the score with a rule on every layer with weights, perhaps another on the first."""
    rules, types = load("zennit.rules"), load("zennit.types")
    layers = [
        (types.Activation, rules.Pass()),
        (types.BatchNorm, rules.Pass()),
        (types.AvgPool, rules.Norm(STABILIZER)),
        (load("zennit.layer").Sum, rules.Norm(STABILIZER)),
        (types.Linear, make(rules)),
    ]
    kinds = load("zennit.composites")
    if first is None:
        return relevance(case, kinds.LayerMapComposite(layers, canonizers=_canonizers()), "score")
    pixels = [(types.Linear, first(rules))]
    return relevance(case, kinds.SpecialFirstLayerMapComposite(layers, pixels, canonizers=_canonizers()), "score")


def _canonizers() -> list[Any]:
    return [load("zennit.canonizers").SequentialMergeBatchNorm()]


def relevance(case: Case, composite: Any, start: str, module: Any = None) -> np.ndarray:
    """The relevance of the pixels by a composite of zennit, from the score or from 1."""
    with composite.context(_with_sums(case) if module is None else module) as module:
        return case.torch_gradient(module, start)


@lru_cache(maxsize=1)
def _with_sums(case: Case) -> Any:
    """The network as a module whose additions are a Sum of zennit's."""
    from ...interop.torch_modules import keys

    if not case.has(Add):
        return case.module
    torch, Sum = load("torch"), load("zennit.layer").Sum

    class Stacked(torch.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.sum = Sum()

        def forward(self, *x: Any) -> Any:
            return self.sum(torch.stack(x, dim=-1))

    module = deepcopy(case.module)
    for key, layer in zip(keys(case.network), case.network, strict=True):
        if isinstance(layer, Add):
            setattr(module, key, Stacked())
    return module
