"""Which methods are one walk, where each begins, and what it does with the signal at the input."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..decision_based.deconvnet import deconvnet_rule
from ..decision_based.deeplift import deeplift_rules
from ..decision_based.excitation_backpropagation import excitation_walk
from ..decision_based.guided_backpropagation import guided_rule
from ..decision_based.lrp import LRP, Composite, Rule
from ..decision_based.registry import METHODS
from ..decision_based.relu_rules import with_relu_rule
from ..decision_based.target import explained
from ..network import Network
from ..walk import gradient_rule
from . import deeplift_steps, gradient_steps, lrp_steps
from .expressions import Tree, mul, sym
from .trace import Recorded, Written


class Finish(NamedTuple):
    """What a method does at the input, x or Δ: R_j = x_j g_j."""

    tree: Tree
    vector: str
    words: str
    arrays: dict[str, np.ndarray]
    R: np.ndarray


class Walk(NamedTuple):
    """A walk that is ready to begin."""

    network: Network
    a: list[np.ndarray]
    R: np.ndarray
    rules: Sequence[Any]
    target: Any
    letter: str
    steps: Callable[[Recorded], Written]
    finish: Callable[[np.ndarray], Finish] | None = None


def _lrp(network: Network, x: np.ndarray, target: Any, rules: Any) -> Walk:
    network_walked, a, R, on_layers = LRP(network, rules).steps(x, target)
    chosen = explained(network, x, target).target
    return Walk(network_walked, a, R[-1], on_layers, chosen, "R", lrp_steps.steps)


def _gradient(network: Network, x: np.ndarray, target: Any) -> Walk:
    return _backward(network, x, target, gradient_rule, "g")


def _backward(network: Network, x: np.ndarray, target: Any, relu: Any, letter: str = "R") -> Walk:
    f = explained(network, x, target)
    steps = partial(gradient_steps.steps, letter=letter)
    return Walk(f.network, f.a, f.ones, with_relu_rule(f.network, relu), f.target, letter, steps)


def _gradient_times_input(network: Network, x: np.ndarray, target: Any) -> Walk:
    def finish(g: np.ndarray) -> Finish:
        return Finish(mul(sym("x", "j"), sym("g", "j")), "R ← x ⊙ g", "each input times its slope", {"x_j": x}, x * g)

    return _gradient(network, x, target)._replace(finish=finish)


def _deeplift(network: Network, x: np.ndarray, target: Any) -> Walk:
    f = explained(network, x, target)
    reference = np.zeros_like(x)

    def finish(m: np.ndarray) -> Finish:
        tree = mul(sym("m", "j"), ["sub", sym("x", "j"), sym("x′", "j")])
        arrays = {"x_j": x, "x′_j": reference}
        return Finish(tree, "R ← m ⊙ (x - x′)", "each input's share of f(x) − f(x′)", arrays, m * (x - reference))

    rules = deeplift_rules(f.network, f.a, f.network.forward(reference), "rescale")
    return Walk(f.network, f.a, f.ones, rules, f.target, "m", deeplift_steps.steps, finish)


def _excitation(network: Network, x: np.ndarray, target: Any) -> Walk:
    f = explained(network, x, target)
    walked, a, P, rules = excitation_walk(f)
    return Walk(walked, a, P, rules, f.target, "R", lrp_steps.steps)


BEGIN: dict[str, Callable[[Network, np.ndarray, Any], Walk]] = {
    "gradient": _gradient,
    "gradient-times-input": _gradient_times_input,
    "guided-backpropagation": partial(_backward, relu=guided_rule),
    "deconvnet": partial(_backward, relu=deconvnet_rule),
    "deeplift": _deeplift,
    "excitation": _excitation,
    **{name: partial(_lrp, rules=method.rules) for name, method in METHODS.items() if method.rules is not None},
}
"""The registered methods that are one walk; the others ask for many gradients, many scores, or carry two signals."""


def begin(method: Any, network: Network, x: np.ndarray, target: Any) -> Walk:
    """The walk of a method: one of BEGIN by its name, or LRP by a rule, a composite or a list of rules.

    Raises ValueError or TypeError: there is no such method, it is not one walk, or the network, x or target does not
    fit it.
    """
    if isinstance(method, str):
        if method not in METHODS:
            raise ValueError(f"There is no method {method!r}; those that are one walk are {', '.join(BEGIN)}.")
        if method not in BEGIN:
            raise ValueError(
                f"{method} is not one walk from the score to the pixels, and cannot be stepped through; those that "
                f"are: {', '.join(BEGIN)}."
            )
        return BEGIN[method](network, x, target)
    if not isinstance(method, (Rule, Composite, list, tuple)):
        raise TypeError(f"method takes a name, or for LRP a rule, a Composite or a list of rules; got {method!r}.")
    return _lrp(network, x, target, method)
