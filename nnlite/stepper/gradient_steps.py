"""The steps of the methods that walk by the exact backward pass: gradient, guided backpropagation, DeConvNet.

One step a layer, R_j = Σ_k (∂a_k / ∂a_j) R_k; a ReLU has the rule of the method.
"""

from typing import Any

import numpy as np

from ..decision_based.deconvnet import deconvnet_rule
from ..decision_based.guided_backpropagation import guided_rule
from ..layers import (
    Add,
    AvgPool2d,
    BatchNorm,
    Concat,
    Constant,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    LeakyReLU,
    Mask,
    MaxPool2d,
    Multiply,
    ReLU,
    Reshape,
    Sigmoid,
    Tanh,
)
from ..layers.pointwise import Pointwise
from .expressions import Tree, mul, num, sym
from .geometry import Geometry
from .sources import source
from .trace import Formula, Recorded, Written


def steps(of: Recorded, letter: str) -> Written:
    """The one step of a layer; the signal is called R, or g, or m."""
    arrays = {f"{letter}_k": of.R_k, f"{letter}_j": of.R_j, **layer_arrays(of)}
    if isinstance(of.layer, Constant):
        return Written(arrays, [constant()])
    if of.rule in RELU_RULES:
        tree, vector = RELU_RULES[of.rule]
        tree, code = _named(tree, letter), source(of.rule)
        vector = vector.replace("R", letter)
    else:
        tree, vector = backward(of.layer, letter)
        code = source(type(of.layer).backward)
    slope = (source(type(of.layer).slope_at),) if isinstance(of.layer, Pointwise) else ()
    words = _words(of, tree)
    return Written(arrays, [Formula(letter, "j", tree, f"{letter} ← {vector}", words, (code, *slope))])


_R = sym("R", "k")
_ON: Tree = ["gt", sym("a", "j"), num(0)]
RELU_RULES: dict[Any, tuple[Tree, str]] = {
    guided_rule: (["when", _ON, ["pos", _R], num(0)], "[a > 0] ⊙ R⁺"),
    deconvnet_rule: (["pos", _R], "R⁺"),
}
"""The rules that are not the exact backward pass of a ReLU."""


def _words(of: Recorded, tree: Tree) -> str:
    """What the step of a layer does, in a few words."""
    if of.rule in RELU_RULES:
        return "passes what is positive" + (", where the ReLU is on" if of.rule is guided_rule else "")
    if isinstance(of.layer, MaxPool2d):
        return "each output passes its signal to the winner of its window"
    if isinstance(of.layer, ReLU):
        return "passes where the ReLU is on"
    if isinstance(of.layer, (Add, Concat, Multiply)):
        return JOINS[type(of.layer)]
    if tree[0] == "sym":
        return "passes unchanged"
    return "each output passes its signal by the weight" if tree[0] == "sum" else "passes by the slope of the layer"


JOINS = {
    Add: "each branch gets the whole signal",
    Concat: "each branch gets its slice",
    Multiply: "each factor gets the signal times the other one, w_jk",
}
"""What the exact backward pass does where branches meet."""


def constant() -> Formula:
    """The step of a layer that reads nothing."""
    words = "the same for every sample; it reads nothing, and what it gets ends here"
    return Formula("z", "k", sym("v", "k"), "z ← v", words, (source(Constant.forward),))


def backward(layer: Layer, letter: str, index: str = "k") -> tuple[Tree, str]:
    """The exact backward pass of a layer as a tree, and as a vector form; of what has the index j, times the slope.

    Raises ValueError: the layer has none that can be stepped through.

    >>> backward(ReLU(), "g")
    (['when', ['gt', ['sym', 'a', 'j'], ['num', 0.0, '']], ['sym', 'g', 'k'], ['num', 0.0, '']], '[a > 0] ⊙ g')
    """
    R = sym(letter, index)
    if isinstance(layer, (Dense, Conv2d, ConvTranspose2d, Multiply)):
        return ["sum", "k", mul(sym("w", "jk"), R)], product(letter, "W", layer, back=True)
    if isinstance(layer, (AvgPool2d, GlobalAvgPool)):
        return ["sum", "k", mul(weight(layer), R)], product(letter, "", layer, back=True)
    if isinstance(layer, MaxPool2d):
        return ["sum", "k", ["when", ["wins", "a"], R, num(0)]], f"{letter} to the winners"
    if isinstance(layer, (BatchNorm, Mask)):
        return mul(weight(layer), R), f"w ⊙ {letter}"
    if isinstance(layer, ReLU):
        return ["when", _ON, R, num(0)], f"[a > 0] ⊙ {letter}"
    if isinstance(layer, LeakyReLU):
        return ["when", _ON, R, mul(num(layer.slope), R)], f"{letter} where a > 0, else {layer.slope:g} {letter}"
    if isinstance(layer, Tanh):
        return mul(["sub", num(1), ["square", sym("z", "k")]], R), f"(1 - z²) ⊙ {letter}"
    if isinstance(layer, Sigmoid):
        return mul(sym("z", "k"), ["sub", num(1), sym("z", "k")], R), f"z ⊙ (1 - z) ⊙ {letter}"
    if isinstance(layer, (Flatten, Reshape, Identity, Add, Concat)):
        return R, letter
    if is_nonlinearity(layer):
        return mul(sym("f′", "k"), R), f"f′(a) ⊙ {letter}"
    raise ValueError(f"{layer!r} cannot be stepped through: its outputs depend on each other in no window.")


def is_nonlinearity(layer: Layer) -> bool:
    """Whether it acts on each element separately, and is not linear."""
    return layer.pointwise and not layer.linear


def layer_arrays(of: Recorded) -> dict[str, np.ndarray]:
    """The activations of a layer, and its weights and biases where it has some."""
    arrays = {"a_j": of.a_j, "z_k": of.a_k}
    layer: Any = of.layer
    if isinstance(layer, (Dense, Conv2d, ConvTranspose2d)):
        arrays["w_jk"] = layer.W
        if layer.b is not None:
            arrays["b_k"] = layer.b
    elif isinstance(layer, BatchNorm):
        arrays |= {"w_k": layer.scale, "b_k": layer.shift}
    elif isinstance(layer, Mask):
        arrays["w_k"] = np.broadcast_to(layer.m[0], of.a_k.shape)
    elif isinstance(layer, AvgPool2d):
        counts = layer.counts(layer.windows(of.a_j[None].shape), of.a_j.dtype)
        arrays["w_k"] = np.broadcast_to(1 / counts, of.a_k.shape)
    elif isinstance(layer, GlobalAvgPool):
        arrays["w_k"] = np.full(1, 1 / (of.a_j.shape[1] * of.a_j.shape[2]))
    elif isinstance(layer, Multiply):
        arrays["w_jk"] = other_factor(of.geometry, of.a_j)
    elif isinstance(layer, Constant):
        arrays["v_k"] = np.broadcast_to(layer.value[0], of.a_k.shape)
    elif is_nonlinearity(layer):
        arrays["f′_k"] = layer.backward(of.a_j[None], np.ones_like(of.a_k)[None])[0]
    return arrays


def other_factor(at: Geometry, a_j: np.ndarray) -> np.ndarray:
    """Of a Multiply, for each input and each output that it feeds, at the place of w_jk: the factor that it meets."""
    x, g = (np.broadcast_to(part[0], at.above).ravel() for part in at.split(a_j))
    return np.concatenate([g, x])


def weight(layer: Any) -> Tree:
    """The weight of an input in a layer without a W: one number, or one for each output."""
    at: Any = layer
    if isinstance(layer, AvgPool2d) and not any(at.padding) and not layer.ceil_mode:
        count = at.size[0] * at.size[1]
        return num(1 / count, f"1/{count}")
    return sym("w", "k")


def product(vector: str, matrix: str, layer: Layer, back: bool = False) -> str:
    """How a layer multiplies: a W, or W ∗ a for images, and its transpose on the way back."""
    if isinstance(layer, Dense):
        return f"{vector} {matrix}{'ᵀ' if back else ''}"
    if isinstance(layer, (AvgPool2d, GlobalAvgPool)):
        return f"spread({vector})" if back else f"mean({vector})"
    if isinstance(layer, (BatchNorm, Multiply)):
        return f"{vector} ⊙ {matrix}"
    if isinstance(layer, Add):
        return f"{'copy' if back else 'sum'}({vector})"
    turned = isinstance(layer, ConvTranspose2d) != back
    return f"{vector} {'∗ᵀ' if turned else '∗'} {matrix}"


def _named(tree: Tree, letter: str) -> Tree:
    """The tree with another letter for R."""
    if tree[:2] == ["sym", "R"]:
        return sym(letter, tree[2])
    return [_named(part, letter) if isinstance(part, list) else part for part in tree]
