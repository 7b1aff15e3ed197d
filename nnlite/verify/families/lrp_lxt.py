"""AttnLRP beside LXT, the library of its authors: their functions in place of the layers, and autograd back.

    explicit     a backward pass of its own for each function: R itself
    efficient    changed gradients, times the input: products give half of theirs, σ is held, f(a) / a for f′(a)

LXT adds its ε without the sign of z: 1e-6 in linear layers and norms, 1e-8 elsewhere, at a product to 2 z. Its patches
of whole models halve no product: they divide the gradient at queries and keys by 4 and at values by 2. So g ⊙ P is
twice ours at the probabilities P, and the same below attention.

Source: github.com/rachtibat/LRP-eXplains-Transformers, lxt/explicit/functional.py, lxt/efficient/rules.py, patches.py.
"""

import importlib.util
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ...decision_based import lrp
from ...decision_based.lrp.passing import passes
from ...layers import Add, Constant, Dense, Layer, LayerNorm, MatMul, Multiply, RMSNorm, Rotary, Softmax
from ..architectures import graph
from ..case import ACTIVATIONS, LINEAR, POOLING, Case
from ..conventions import unsigned_epsilon
from ..libraries import load
from ..table import CONVENTION, Comparison, impossible

LINEAR_EPSILON, EPSILON = 1e-6, 1e-8  # LXT's own

DIVIDES = (*LINEAR, *POOLING, Rotary)
KNOWN = (*DIVIDES, *ACTIVATIONS, MatMul, Multiply, Add, Softmax, LayerNorm, RMSNorm, Constant)

UNSIGNED = "LXT adds ε without the sign of z: 1e-6 in linear layers and norms, 1e-8 elsewhere, at products to 2 z."
ROUNDED = ", its RMSNorm in float32 (within 1e-5)"


def comparisons(case: Case) -> list[Comparison]:
    """With ε = 0, with LXT's ε, and as a gradient: of networks with attention."""
    if not case.has(MatMul):
        return []
    stranger = _stranger(case)
    if stranger:
        return [impossible("lrp-attn", "lxt", "", f"LXT has no rule for {stranger}.")]
    given = case.network, case.x, case.target
    rms, tolerance = (ROUNDED, 1e-5) if case.has(RMSNorm) else ("", None)
    exact, own = (f"lxt.explicit, {what}{rms}, start score" for what in ("every ε 0", "its ε"))

    def ours(rules: Any, **options: Any) -> Callable[[], np.ndarray]:
        return lambda: lrp.relevance(*given, rules=rules, **options)

    name, zero = "lrp-attn", lrp.attn_lrp(0)
    return [
        Comparison(name, "lxt", exact, lambda: _explicit(case, 0.0), ours(zero), tolerance=tolerance),
        Comparison(name, "lxt", own, lambda: _explicit(case), ours(lrp.attn_lrp()), tolerance=tolerance).otherwise(
            CONVENTION, UNSIGNED, f"{own}; nnlite with the same ε", ours(list(map(_as_lxt, case.network)))
        ),
        Comparison(
            name, "lxt", "lxt.efficient, gradient × input, f(a) / (a + 1e-10) (within 1e-7); nnlite likewise",
            lambda: _efficient(case), ours(zero, gradient_form=True), tolerance=1e-7,
        ),
    ]  # fmt: skip


def _stranger(case: Case) -> str:
    for layer, wires in zip(case.network, case.network.wires, strict=True):
        moved = layer.pointwise or layer.reshapes or layer.moves
        if not (moved or isinstance(layer, KNOWN)):
            return f"a {type(layer).__name__} here"
        if isinstance(layer, Add) and len(wires) != 2:
            return "a sum of more than two"
        if isinstance(layer, Multiply) and len({case.a[i].shape for i in wires}) > 1:
            return "a gate that is spread over the other factor"
        if isinstance(layer, (LayerNorm, RMSNorm)) and layer.gamma.ndim > 1:
            return "a norm over several axes"
    return ""


def _as_lxt(layer: Layer) -> Any:
    """Our rule with LXT's ε; None: what is usual."""
    if isinstance(layer, (Dense, LayerNorm)):
        return unsigned_epsilon(LINEAR_EPSILON)
    if isinstance(layer, MatMul):
        return _halved
    if isinstance(layer, (RMSNorm, Multiply)):
        return passes if isinstance(layer, RMSNorm) else lrp.uniform()
    return unsigned_epsilon(EPSILON) if isinstance(layer, (Add, *DIVIDES)) else None


def _halved(layer: Layer, a: Any, z: np.ndarray, R: np.ndarray) -> tuple[np.ndarray, ...]:
    """R_b = x_b ⊙ c_b of a MatMul, c_b what its backward pass brings to branch b from s = R / (2 z + ε)."""
    return tuple(x * c for x, c in zip(a, layer.backward(a, R / (2 * z + EPSILON)), strict=True))


# ---------------------------------------------------------------------------------------------------- their side


def _with(case: Case, of: Callable[[Layer], Any]) -> Any:
    """The network as a module; where of(layer) is a function of a module and its inputs, that in place of its layer."""
    from ...interop.torch_modules import keys, wired

    module = wired(case.network)
    for key, layer in zip(keys(case.network), case.network, strict=True):
        if (function := of(layer)) is not None:
            setattr(module, key, graph(lambda m, *x, f=function: f(m.part, *x), part=getattr(module, key)))
    return module


def _explicit(case: Case, epsilon: float | None = None) -> np.ndarray:
    """R by lxt.explicit with this ε everywhere, or with its own."""
    functions, rules = load("lxt.explicit.functional"), load("lxt.explicit.rules")
    sized = {} if epsilon is None else {"epsilon": epsilon}
    other = EPSILON if epsilon is None else epsilon
    table: dict[Any, Callable[..., Any]] = {
        Dense: lambda m, x: functions.linear_epsilon(x, m.weight, m.bias, **sized),
        MatMul: lambda m, x, y: functions.matmul(x, y.mT if m.layer.transposed else y, **sized),
        Add: lambda m, x, y: functions.add2(x, y, **sized),
        Multiply: lambda m, x, y: functions.mul2(x, y),
        Softmax: lambda m, x: functions.softmax(x, m.dim),
        LayerNorm: lambda m, x: functions.layer_norm_grad_fn.apply(x, m.weight, m.bias, m.eps, *sized.values()),
        RMSNorm: lambda m, x: functions.rms_norm_identity(x, m.weight, m.eps),
        DIVIDES: lambda m, x: rules.epsilon_lrp(m, other, x),
    }

    def of(layer: Layer) -> Any:
        otherwise = rules.identity if layer.pointwise else None
        return next((function for kind, function in table.items() if isinstance(layer, kind)), otherwise)

    return case.torch_gradient(_with(case, of), start="score")


def _efficient(case: Case) -> np.ndarray:
    """x ⊙ ∂f / ∂x by lxt.efficient's two rules, and with σ held as in its norms."""
    rules = efficient_rules()

    def held(m: Any, x: Any) -> Any:
        if (bias := getattr(m, "bias", None)) is not None:
            x = x - x.mean(-1, keepdim=True)
        sigma = ((x**2).mean(-1, keepdim=True) + m.eps).sqrt().detach()
        return x / sigma * m.weight + (0 if bias is None else bias)

    def of(layer: Layer) -> Any:
        if isinstance(layer, (MatMul, Multiply)):
            return lambda m, x, y: rules.divide_gradient(m(x, y), 2)
        if isinstance(layer, (LayerNorm, RMSNorm)):
            return held
        return rules.identity_rule_implicit if isinstance(layer, ACTIVATIONS) else None

    return case.x * case.torch_gradient(_with(case, of))


@cache
def efficient_rules() -> Any:
    """lxt/efficient/rules.py by its path: its package imports transformers, and the file does not."""
    path = Path(load("lxt").__file__).parent / "efficient" / "rules.py"
    spec: Any = importlib.util.spec_from_file_location("nnlite_verify_lxt_rules", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
