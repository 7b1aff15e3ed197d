"""Recording a walk: the method runs as it always does, and every layer's numbers are kept with their formulas."""

from functools import partial
from typing import Any

import numpy as np

from ..decision_based.inputs import check_network
from ..decision_based.lrp import Rule, Step
from ..decision_based.lrp.form import Prepared
from ..decision_based.lrp.passing import PASSING, name_of, step_of
from ..decision_based.registry import METHODS
from ..decision_based.target import explained
from ..layers import Dropout, Flatten, Identity, Mask, ReLU, Reshape
from ..layers.arguments import Shape
from ..network import Network
from ..walk import gradient_rule
from .expressions import array_name, symbols
from .geometry import Geometry, geometry
from .sources import source
from .trace import Books, Formula, Frame, Recorded, Trace
from .walks import Finish, Walk, begin


def record(method: Any, network: Network, x: np.ndarray, target: Any = None) -> Trace:
    """Every step of one method on one input, in float64.

    Parameters
    ----------
    method
        A registered method that is one walk, such as "lrp-gamma", "gradient" or "deeplift"; or, for LRP, a rule, a
        Composite or a list of rules.
    network, x
        Any network, and a batch of one for it (1, ...). Both are brought to float64, so that all digits count.
    target
        A class, None for the predicted class, or a neuron such as ("conv2", 7): see `target.explained`.

    Returns
    -------
    A `Trace`. Recording changes nothing: `trace.R` has the bits that the method itself gives in float64.

    Raises
    ------
    TypeError, ValueError
        The method is not one walk, x is not a batch of one, or anything that the method itself refuses.

    >>> from nnlite.layers import Dense
    >>> trace = record("lrp-zero", Network([Dense(np.array([[3.0], [-1.0]]))]), np.array([[2.0, 1.0]]))
    >>> trace.R, [step.name for step in trace.frame("dense1").steps]
    (array([[ 6., -1.]]), ['z_k', 's_k', 'c_j', 'R_j'])
    """
    check_network(network, "record")
    if isinstance(x, np.ndarray) and x.dtype.kind == "f":
        x = x.astype(np.float64)
    if isinstance(x, np.ndarray) and x.ndim and len(x) != 1:
        raise ValueError(f"The stepper takes one input, (1, ...), got a batch of {len(x)}; choose one: x[:1].")
    walk = begin(method, network.astype(np.float64), x, target)
    signals = walk.network.walk_back(walk.a, walk.R, walk.rules)
    frames = [_frame(name, walk, signals, l) for l, name in reversed(list(enumerate(walk.network.names)))]
    R = signals[0]
    if walk.finish is not None:
        finish = walk.finish(R)
        frames.append(_last(finish, R, walk, method))
        R = finish.R
    name, formula = _named(method)
    explaining, score, predicted = _explained(walk, network, x)
    return Trace(name, formula, x, R, explaining, score, predicted, tuple(frames))


def _recorded(walk: Walk, signals: list[np.ndarray], l: int) -> Recorded:
    """What one rule was given and what it gave; LRP's rules give their whole step."""
    layer, rule = walk.network.layers[l], walk.rules[l]
    a_j, a_k, R_j, R_k = walk.a[l], walk.a[l + 1], signals[l], signals[l + 1]
    step = step_of(rule, layer, a_j, a_k, R_k) if isinstance(rule, (Rule, Prepared)) or rule in PASSING else None
    shapes = geometry(layer, a_j.shape[1:], a_k.shape[1:])
    return Recorded(layer, rule, a_j[0], a_k[0], R_k[0], R_j[0], step, shapes)


def _frame(name: str, walk: Walk, signals: list[np.ndarray], l: int) -> Frame:
    try:
        of = _recorded(walk, signals, l)
        arrays, steps = walk.steps(of)
    except ValueError as error:
        raise ValueError(f"layer {name}: {error}") from None
    above, below = f"{walk.letter}_k", f"{walk.letter}_j"
    books = None if of.step is None else _books(of.step)
    used = _used(arrays, steps, {above} if books else {above, "a_j"})
    kind, layout = repr(of.layer), _layout(walk, name)
    return Frame(name, kind, _rule(of), of.geometry, used, tuple(steps), above, below, layout, books)


def _last(finish: Finish, signal: np.ndarray, walk: Walk, method: str) -> Frame:
    """The step at the input of the methods that have one."""
    shape = signal.shape[1:]
    name = f"{walk.letter}_j"
    arrays = {name: signal[0], "R_j": finish.R[0], **{key: value[0] for key, value in finish.arrays.items()}}
    step = Formula("R", "j", finish.tree, finish.vector, finish.words, (source(METHODS[method].compute),))
    return Frame("input", "the input", "", Geometry("same", shape, shape), arrays, (step,), name, "R_j", shape)


def _used(arrays: dict[str, np.ndarray], steps: list[Formula], also: set[str]) -> dict[str, np.ndarray]:
    """The arrays that a formula mentions or gives, and some others."""
    names = {*also, *(step.name for step in steps)}
    names |= {array_name(symbol) for step in steps for symbol in symbols(step.tree)}
    return {name: array for name, array in arrays.items() if name in names}


def _books(step: Step) -> Books:
    sums = (step.above.sum(), step.below.sum(), step.bias[0], step.stabilizer[0], step.dropped[0])
    return Books(*(float(value) for value in sums))


def _rule(of: Recorded) -> str:
    """The rule of a layer in one line."""
    if of.step is not None:
        return name_of(of.rule)
    rule = of.rule.func if isinstance(of.rule, partial) else of.rule
    return "exact backward pass" if rule is gradient_rule else rule.__name__.strip("_").replace("_", " ")


def _layout(walk: Walk, name: str) -> Shape:
    """The shape of the inputs of a layer before they were flattened."""
    position = walk.network.index(name)
    while position and isinstance(walk.network[position - 1], (Flatten, Reshape, Identity, Dropout, Mask, ReLU)):
        position -= 1
        if isinstance(walk.network[position], (Flatten, Reshape)) and walk.a[position].ndim == 4:
            return walk.a[position].shape[1:]
    return walk.a[walk.network.index(name)].shape[1:]


def _named(method: Any) -> tuple[str, str]:
    if isinstance(method, str):
        return method, METHODS[method].formula
    return "lrp", f"R_j = Σ_k (share of j in k) · R_k,  {method!r}"


def _explained(walk: Walk, network: Network, x: np.ndarray) -> tuple[str, float, int | None]:
    """What is explained in words, its score, and the predicted class."""
    f = explained(network.astype(np.float64), x, walk.target)
    if isinstance(walk.target, np.ndarray):
        many, c = f.a[-1].shape[1] > 1, walk.target[0]
        what = f"the score of class {c}" if many else "the one score"
        return what, float(walk.a[-1][0, c]), int(f.predicted(f.a[-1])[0]) if many or f.binary else None
    layer, index = walk.target
    return f"neuron {index} of {layer}", float(f.score[0]), None
