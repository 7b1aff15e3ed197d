"""A trace as text: for each layer its ledger, then each step as formula, as numbers that add up, and as code."""

import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from ..layers.arguments import count, is_integer
from ..printed import plain
from .expressions import evaluate
from .printing import adding_up, bill, formula, number, numbers
from .trace import Formula, Frame, Trace

WIDTH = 92
"""Characters to a line, unless another width is asked for."""


class Choice(NamedTuple):
    """The input j and the output k that a layer is shown at."""

    j: int
    k: int


def choices(trace: Trace, j: int | None = None, k: int | None = None, only: str | None = None) -> dict[str, Choice]:
    """Where each layer is shown: along the path of the strongest signal, unless j or k is given.

    The path begins at the strongest output at the top; in each layer j is the strongest of the inputs that feed k
    (`Frame.strongest_input`), and this j is the next layer's k. Where branches meet, each goes on from its own j; where
    several layers read one activation, the path comes from the one whose signal there is the strongest.

    j, k: the same element in every layer; with `only`, in that layer.
    only: the one layer that is to be shown.

    Raises ValueError: there is no such layer, or it has no such element.
    """
    if only is not None:
        trace.frame(only)
    chosen: dict[str, Choice] = {}
    path: dict[str, tuple[int, float]] = {}  # of each layer the element that the path comes to, and how strong it is
    for frame in trace.frames:
        given = only is None or frame.layer == only
        strongest_output = int(np.abs(frame.arrays[frame.above]).argmax())
        place, _ = path.get(frame.layer, (strongest_output, 0))
        at_k = place if k is None or not given else _checked(frame, "k", k)
        for name, n, strength in frame.path_below(place):
            if name not in path or strength > path[name][1]:
                path[name] = n, strength
        at_j = _checked(frame, "j", j) if j is not None and given else frame.strongest_input(at_k)
        if frame.geometry.kind == "same":  # there j feeds k = j alone
            at_j = at_k = at_j if j is not None and given else at_k
        elif frame.geometry.branches and j is not None and k is None and given:
            at_k = frame.place("j", at_j)["k"]
        chosen[frame.layer] = Choice(at_j, at_k)
    return chosen if only is None else {only: chosen[only]}


def _checked(frame: Frame, index: str, n: int) -> int:
    size = frame.geometry.count(index)
    if not is_integer(n) or not 0 <= n < size:
        raise ValueError(
            f"Layer {frame.layer} has {index} from 0 to {size - 1}, got {n}; name another, or another layer."
        )
    return int(n)


def text(
    trace: Trace,
    *,
    layer: str | None = None,
    j: int | None = None,
    k: int | None = None,
    top: int = 3,
    width: int = WIDTH,
) -> str:
    """The whole trace, or one layer of it.

    layer: the only layer to show.
    j, k: the input and the output to show, counted in row-major order: see `choices`.
    top: how many terms of a Σ are shown one by one.
    width: characters to a line, at least 60: formulas that are longer go on in the next, the numbers of a sum stay in
        one.

    Raises ValueError: there is no such layer, or it has no such element; or top is not a positive integer, or width
    below 60.

    >>> import numpy as np
    >>> from nnlite import Network
    >>> from nnlite.layers import Dense
    >>> from nnlite.stepper import record
    >>> print(text(record("gradient", Network([Dense(np.array([[3.0], [-1.0]]))]), np.array([[2.0, 1.0]]))))
    gradient: ∂f_c / ∂x
    explained: the one score = 5
    <BLANKLINE>
    ── dense1: Dense(W[2, 1]) ──────────────────────────────────────────────────────────────────
    rule: exact backward pass
    Σ g_k = 1 above, Σ g_j = 2 below
    <BLANKLINE>
    1  each output passes its signal by the weight
       g_j = Σ_k w_jk g_k                                                               g ← g Wᵀ
       g_0 :  k = 0  3 · 1  =  3.00000
                       g_0  =  3.00000
       nnlite/layers/dense.py:45
    """
    check_comparable(trace, trace)
    top, width = count("text", "top", top), _readable(width)
    lines = [f"{trace.method}: {trace.formula}", _explained(trace)]
    for name, at in choices(trace, j, k, layer).items():
        lines += ["", *_layer(trace.frame(name), at, top, width)]
    return "\n".join(lines)


def _readable(width: int) -> int:
    width = count("text", "width", width, each=1000)  # a thousand lines of it
    if width < 60:
        raise ValueError(f"text: expected a width of at least 60 characters, got {width!r}.")
    return width


def _layer(frame: Frame, at: Choice, top: int, width: int) -> Iterator[str]:
    yield _rule(f"{frame.layer}: {frame.kind}", width)
    if frame.rule:
        yield f"rule: {frame.rule}"
    yield from _wrapped(ledger(frame), width)
    yield from _legend(frame, at)
    for n, step in enumerate(frame.steps, 1):
        yield ""
        yield from _step(frame, step, n, at, top, width)


def _explained(trace: Trace) -> str:
    return plain(f"explained: {trace.explained} = {number(trace.score)}")


def _rule(title: str, width: int) -> str:
    return f"── {plain(title)} ".ljust(width, "─")


def ledger(frame: Frame) -> str:
    """Where the signal above went; for a method that divides nothing, only the two sums."""
    if frame.books is None:
        above, below = (float(frame.arrays[name].sum()) for name in (frame.above, frame.below))
        return f"Σ {frame.above} = {number(above)} above, Σ {frame.below} = {number(below)} below"
    above, *parts = frame.books
    amounts, rest, total = adding_up(parts, above)
    rows = list(zip([*amounts, rest or "0"], ("to the inputs", "bias", "ε", "dropped", "rounding"), strict=True))
    first, *others = rows if rest else rows[:-1]
    line = f"Σ R_k = {total} = {first[0]} {first[1]}"
    for (amount, to), value in zip(others, [*parts[1:], rest], strict=False):
        line += f" {'-' if amount.startswith('-') else '+'} {amount.lstrip('-') if value else '0'} {to}"
    return line


def _legend(frame: Frame, at: Choice) -> Iterator[str]:
    """Where in the image j and k lie."""
    if frame.geometry.kind == "same":
        yield f"k = j: each input feeds one output; j = {_where(frame, 'j', at.j)}"
    elif frame.geometry.branches:
        for given, (first, end) in zip(frame.branches, pairwise(frame.geometry.first), strict=True):
            most = "" if given.largest is None else f", |a_j / z_k| up to {number(given.largest)}"
            yield f"from {given.layer}: j = {first} to {end - 1}, Σ {frame.below} = {number(given.signal)}{most}"
        yield f"j = {_where(frame, 'j', at.j)}; k = {_where(frame, 'k', at.k)}"
    elif frame.geometry.kind == "windows":
        window, fed = len(frame.geometry.window(at.k)), len(frame.geometry.fed(at.j))
        yield f"k = {_where(frame, 'k', at.k)}, which {_counted(window, 'input')} feed{'s' if window == 1 else ''}"
        yield f"j = {_where(frame, 'j', at.j)}, which feeds {_counted(fed, 'output')}"


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" + ("" if n == 1 else "s")


def _where(frame: Frame, index: str, n: int) -> str:
    """An element by its number, by the branch that it lies in, and by channel, row and column."""
    at, words = frame.geometry, []
    shape, place = at.below if index == "j" else at.above, n
    if index == "j" and at.branches:
        b = at.branch(n)
        words, shape, place = [frame.reads[b]], at.branches[b], n - at.first[b]
    if len(shape) == 3:
        channel, row, column = np.unravel_index(place, shape)
        words.append(f"channel {channel}, row {row}, column {column}")
    return f"{n} ({', '.join(words)})" if words else str(n)


def _step(frame: Frame, step: Formula, n: int, at: Choice, top: int, width: int) -> Iterator[str]:
    element = _element(step, at)
    yield from _wrapped(f"{n}  {step.words}", width)
    left, right = f"   {step.name} = {formula(step.tree)}", step.vector
    if len(left) + len(right) + 3 <= width:
        yield left + right.rjust(width - len(left))
    else:
        yield from _wrapped(left, width)
        yield from (line.rjust(width) for line in _wrapped(right, width))
    label = f"{step.symbol}_{element}" if step.index else step.symbol
    yield from _numbers(frame, step, element, label, top, width)
    yield f"   {step.sources[0]}"


def _element(step: Formula, at: Choice) -> int:
    return getattr(at, step.index) if step.index else 0


def _numbers(frame: Frame, step: Formula, n: int, label: str, top: int, width: int) -> Iterator[str]:
    """The formula with the numbers: a sum as lines that add up, anything else on one line."""
    place = frame.place(step.index, n)
    if step.tree[0] not in ("sum", "total", "add", "sub"):
        value = number(evaluate(step.tree, frame, place)[0])
        shown = numbers(step.tree, frame, place, top)
        yield from _wrapped(f"   {label} = {shown}" + ("" if shown == value else f" = {value}"), width)
        return
    *rows, total = bill(step.tree, frame, place, top)
    where = max(len(row.label) for row in rows) if rows else 0
    what = max([len(label), *(len(row.text) for row in rows)])
    amount = max(len(row.amount) for row in [*rows, total])
    first = f"   {label} :  "
    for row in rows:
        yield f"{first}{row.label:<{where}}  {row.text:>{what}}  =  {row.amount:>{amount}}"
        first = " " * len(first)
    yield f"{first}{'':<{where}}  {label:>{what}}  =  {total.amount:>{amount}}"


# ------------------------------------------------------------------------------------------------- two methods


def comparison(
    one: Trace,
    other: Trace,
    *,
    layer: str | None = None,
    j: int | None = None,
    k: int | None = None,
    width: int = WIDTH,
) -> str:
    """Two methods on one input, side by side: what changes when the rule changes.

    Both are shown at the elements that the first one's path leads to. Parameters, Raises: as `text`.
    """
    check_comparable(one, other)
    half = (_readable(width) - 3) // 2
    lines = [f"{one.method:<{half}} │ {other.method}", _explained(one)]
    for name, at in choices(one, j, k, layer).items():
        lines += ["", _rule(f"{name}, j = {at.j}, k = {at.k}", width)]
        columns = [_column(trace, name, at, half) for trace in (one, other)]
        length = max(map(len, columns))
        for left, right in zip(*(column + [""] * (length - len(column)) for column in columns), strict=True):
            lines.append(f"{left:<{half}} │ {right}".rstrip())
    return "\n".join(lines)


def check_comparable(one: Trace, other: Trace) -> None:
    """TypeError or ValueError unless they are two traces that explain the same thing of the same input."""
    if not isinstance(one, Trace) or not isinstance(other, Trace):
        raise TypeError(f"A trace is what record gives; got {type(one).__name__} and {type(other).__name__}.")
    if one.explained != other.explained or one.x.shape != other.x.shape or (one.x != other.x).any():
        raise ValueError("Two traces are compared on the same input and the same target; record both with the same.")


def _column(trace: Trace, name: str, at: Choice, width: int) -> list[str]:
    """What one method does at a layer, in half the width."""
    if name not in trace.layers:
        return ["(no such step)"]
    frame = trace.frame(name)
    lines = [frame.rule or "at the input"]
    lines += _wrapped(ledger(frame), width)
    for step in frame.steps:
        n = _element(step, at)
        label = f"{step.symbol}_{n}" if step.index else step.symbol
        lines += _wrapped(f"{step.name} = {formula(step.tree)}", width)
        lines.append(f"    {label} = {number(frame.value(step, n))}")
    return [line[:width] for line in lines]


def _wrapped(line: str, width: int) -> list[str]:
    return textwrap.wrap(line, width, subsequent_indent="     ", break_on_hyphens=False)
