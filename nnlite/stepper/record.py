"""Recording a walk: the method runs as it always does, and every layer's numbers are kept with their formulas."""

from typing import Any

import numpy as np

from ..batch import check_network
from ..decision_based.lrp import Rule, Step
from ..decision_based.lrp.form import Prepared
from ..decision_based.lrp.ledger import carried
from ..decision_based.lrp.passing import PASSING, Share, name_of, step_of
from ..decision_based.registry import METHODS
from ..decision_based.target import explained
from ..layers import Dropout, Flatten, Identity, Layer, Mask, ReLU, Reshape
from ..layers.arguments import Shape
from ..network import Network
from ..walk import LocalRule, gradient_rule
from .deeplift_steps import bound
from .expressions import add, array_name, sym, symbols
from .geometry import Geometry, geometry
from .sources import source
from .trace import Books, Formula, Frame, Given, Recorded, Trace, behind_each_other
from .walks import Finish, Walk, begin


def record(method: Any, network: Network, x: np.ndarray, target: Any = None) -> Trace:
    """Every step of one method on one input, in float64.

    method: a registered method that is one walk, such as "lrp-gamma", "gradient" or "deeplift"; or, for LRP, a rule, a
        Composite or a list of rules.
    network, x: any network, and a batch of one for it (1, ...). Both are brought to float64, so that all digits count.
    target: a class, None for the predicted class, or a neuron such as ("conv2", 7): see `target.explained`.

    Returns a `Trace`. Recording changes nothing: `trace.R` has the bits that the method itself gives in float64.
    Raises TypeError or ValueError: the method is not one walk, x is not a batch of one, or anything that the method
    itself refuses.

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
    given: list[Any] = [None] * len(walk.rules)
    signals = walk.network.walk_back(walk.a, walk.R, [_kept(rule, l, given) for l, rule in enumerate(walk.rules)])
    frames = [_frame(l, walk, given, signals) for l in reversed(range(len(walk.network)))]
    R = signals[0]
    if walk.finish is not None or len(_readers(walk, 0)) > 1:
        finish = None if walk.finish is None else walk.finish(R)
        frames.append(_last(finish, R, walk, given, method))
        R = R if finish is None else finish.R
    name, formula = _named(method)
    explaining, score, predicted = _explained(walk, network, x)
    return Trace(name, formula, x, R, explaining, score, predicted, tuple(frames))


def _kept(rule: LocalRule, l: int, given: list[Any]) -> LocalRule:
    """The rule, which keeps what it gives in given[l]."""

    def kept(layer: Layer, a_j: Any, a_k: np.ndarray, R_k: Any) -> Any:
        given[l] = rule(layer, a_j, a_k, R_k)
        return given[l]

    return kept


def _frame(l: int, walk: Walk, given: list[Any], signals: list[Any]) -> Frame:
    name = walk.network.names[l]
    try:
        of = _recorded(l, walk, given[l], signals[l + 1])
        arrays, steps = walk.steps(of)
    except ValueError as error:
        raise ValueError(f"layer {name}: {error}") from None
    summed, first = _sum(l + 1, "k", walk, given)
    above, below = f"{walk.letter}_k", f"{walk.letter}_j"
    books = None if of.step is None else _books(of.step)
    used = _used(arrays | summed, [*first, *steps], {above, below} if books else {above, below, "a_j"})
    reads = tuple(("input", *walk.network.names)[i] for i in walk.network.wires[l])
    frame = (name, repr(of.layer), _rule(of), of.geometry, used, (*first, *steps), above, below, _layout(l, walk, of))
    return Frame(*frame, reads, books, _given(l, walk, of))


def _given(l: int, walk: Walk, of: Recorded) -> tuple[Given, ...]:
    """What each branch that meets in layer l was given."""
    if not of.geometry.branches:
        return ()
    if of.step is None:
        names, parts = ("input", *walk.network.names), of.geometry.split(of.R_j)
        return tuple(Given(names[i], float(R.sum()), None) for i, R in zip(walk.network.wires[l], parts, strict=True))
    branches = carried(walk.network, l, walk.network.read(l, walk.a), walk.a[l + 1], of.step)
    return tuple(
        Given(each.layer, float(each.R[0]), None if each.largest is None else float(each.largest[0]))
        for each in branches
    )


def _recorded(l: int, walk: Walk, R_j: Any, R_k: np.ndarray) -> Recorded:
    """What one rule was given and what it gave; LRP's rules give their whole step."""
    layer, rule, a_j, a_k = walk.network.layers[l], walk.rules[l], walk.network.read(l, walk.a), walk.a[l + 1]
    booked = isinstance(rule, (Rule, Prepared, Share)) or rule in PASSING
    step = step_of(rule, layer, a_j, a_k, R_k) if booked else None
    read = () if layer.reads == 0 else a_j
    below = tuple(a.shape[1:] for a in read) if isinstance(read, tuple) else read.shape[1:]
    shapes = geometry(layer, below, a_k.shape[1:])
    return Recorded(layer, rule, behind_each_other(read), a_k[0], R_k[0], behind_each_other(R_j), step, shapes)


def _readers(walk: Walk, i: int) -> list[tuple[int, int]]:
    """Who reads activation i: the layer and which of its wires, from the top down, as the walk adds their signals."""
    wires = walk.network.wires
    return [(l, b) for l in reversed(range(len(wires))) for b, each in enumerate(wires[l]) if each == i]


def _sum(i: int, index: str, walk: Walk, given: list[Any]) -> tuple[dict[str, np.ndarray], list[Formula]]:
    """Where several layers read activation i, their signals add: the step, and what each of them gave."""
    by = _readers(walk, i)
    if len(by) < 2:
        return {}, []
    letter, names = walk.letter, [f"{walk.letter}({n})" for n in range(1, len(by) + 1)]
    parts = [given[l] if walk.network[l].reads == 1 else given[l][b] for l, b in by]
    words = "several layers read this: their signals add, " + ", ".join(
        f"{name} from {walk.network.names[l]}" for name, (l, _) in zip(names, by, strict=True)
    )
    step = Formula(
        letter, index, add(*(sym(name, index) for name in names)), f"{letter} ← {' + '.join(names)}", words,
        (source(Network.walk_back, "signals[i] + r"),),
    )  # fmt: skip
    return {f"{name}_{index}": part[0] for name, part in zip(names, parts, strict=True)}, [step]


def _last(finish: Finish | None, signal: np.ndarray, walk: Walk, given: list[Any], method: Any) -> Frame:
    """What happens at the input: signals that add, and the step of the methods that have one."""
    shape, name = signal.shape[1:], f"{walk.letter}_j"
    summed, steps = _sum(0, "j", walk, given)
    arrays = {name: signal[0], **summed}
    if finish is not None:
        arrays |= {"R_j": finish.R[0], **{key: value[0] for key, value in finish.arrays.items()}}
        code = source(METHODS[method].compute)
        steps.append(Formula("R", "j", finish.tree, finish.vector, finish.words, (code,)))
    same = Geometry("same", shape, shape)
    return Frame("input", "the input", "", same, arrays, tuple(steps), name, steps[-1].name, shape, ("input",))


def _used(arrays: dict[str, np.ndarray], steps: list[Formula], also: set[str]) -> dict[str, np.ndarray]:
    """The arrays that a formula mentions or gives, and some others."""
    names = {*also, *(step.name for step in steps)}
    names |= {array_name(symbol) for step in steps for symbol in symbols(step.tree)}
    return {name: array for name, array in arrays.items() if name in names}


def _books(step: Step) -> Books:
    sums = (step.above.sum(), step.given[0], step.bias[0], step.stabilizer[0], step.dropped[0])
    return Books(*(float(value) for value in sums))


def _rule(of: Recorded) -> str:
    """The rule of a layer in one line."""
    if of.step is not None:
        return name_of(of.rule)
    rule, _ = bound(of.rule)
    return "exact backward pass" if rule is gradient_rule else rule.__name__.strip("_").replace("_", " ")


def _layout(l: int, walk: Walk, of: Recorded) -> Shape:
    """The shape of the inputs of a layer before they were flattened; of branches with maps of one size, all maps."""
    if walk.network[l].reads != 1:
        maps, sizes = sum(shape[0] for shape in of.geometry.branches), {shape[1:] for shape in of.geometry.branches}
        return (maps, *next(iter(sizes))) if len(sizes) == 1 else of.a_j.shape
    position = walk.network.wires[l][0]
    while position and isinstance(walk.network[position - 1], (Flatten, Reshape, Identity, Dropout, Mask, ReLU)):
        layer = walk.network[position - 1]
        (position,) = walk.network.wires[position - 1]
        if isinstance(layer, (Flatten, Reshape)) and walk.a[position].ndim == 4:
            return walk.a[position].shape[1:]
    return of.a_j.shape


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
