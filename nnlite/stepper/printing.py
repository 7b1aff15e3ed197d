"""A tree as the formula it is: with its symbols, with the numbers put in, and as a bill whose lines add up."""

from collections.abc import Sequence
from math import floor, log10
from typing import NamedTuple

from .expressions import Layerful, Place, Tree, element, evaluate, holds, places

SIGNS = {"pos": "⁺", "neg": "⁻", "square": "²"}
RELATIONS = {"gt": ">", "ge": "≥", "lt": "<"}
PRODUCT, ATOM = 2, 3  # how tightly a piece of text holds together; a sum is 1


def formula(tree: Tree, bare: bool = False) -> str:
    """The tree with its symbols; `bare` leaves the indices away and writes the weights as a matrix.

    >>> z = ["sum", "j", ["mul", ["sym", "a", "j"], ["add", ["sym", "w", "jk"], ["pos", ["sym", "w", "jk"]]]]]
    >>> formula(z), formula(z[2], bare=True)
    ('Σ_j a_j (w_jk + w⁺_jk)', 'a (W + W⁺)')
    """
    return _Text(None, {}, 0, bare).tree(tree)[0]


def numbers(tree: Tree, frame: Layerful, at: Place, top: int = 3) -> str:
    """The tree with the numbers put in; of a Σ the `top` largest terms, and what the others add up to."""
    return _Text(frame, at, top).tree(tree)[0]


def number(value: float) -> str:
    """A number to five significant digits.

    >>> number(0.12345678), number(-0.0), number(2.0)
    ('0.12346', '0', '2')
    """
    return f"{value + 0.0:.5g}"


class _Text:
    """Prints a tree: with symbols, or with the numbers of a place. Each piece comes with how tightly it holds."""

    def __init__(self, frame: Layerful | None, at: Place, top: int, bare: bool = False) -> None:
        self.frame, self.at, self.top, self.bare = frame, at, top, bare

    @property
    def times(self) -> str:
        """What stands between factors: symbols need nothing, numbers a dot."""
        return " " if self.frame is None else " · "

    def tree(self, tree: Tree) -> tuple[str, int]:
        """A whole tree."""
        kind = tree[0]
        if kind == "num":
            return tree[2] if tree[2] and self.frame is None else number(tree[1]), ATOM
        if kind == "sym" or kind in SIGNS:
            text = self._symbol(tree, "") if kind == "sym" else self._signed(tree)
            return text, PRODUCT if text.startswith("-") else ATOM  # a negative number
        if kind in ("sum", "total"):
            return self._sum(tree), 1 if self.frame is None else ATOM
        if kind == "when":
            return self._when(tree)
        if kind == "stab":
            return self._stabilized(*tree[1:]), 1
        if kind == "abs":
            return f"|{self.tree(tree[1])[0]}|", ATOM
        if kind == "root":
            return f"√({self.tree(tree[1])[0]})", ATOM
        return self._operation(tree)

    def _operation(self, tree: Tree) -> tuple[str, int]:
        kind, parts = tree[0], tree[1:]
        if kind == "add":
            return " + ".join(self.tree(part)[0] for part in parts), 1
        if kind == "sub":
            return f"{self.tree(parts[0])[0]} - {self.within(parts[1], ATOM)}", 1
        if kind == "mul":
            # A Σ reaches to the end of the line, so that only the last factor may be one without brackets.
            texts = [self.within(part, PRODUCT) for part in parts]
            return self.times.join(texts), PRODUCT
        return f"{self.within(parts[0], PRODUCT)} / {self.within(parts[1], ATOM)}", PRODUCT

    def within(self, tree: Tree, least: int) -> str:
        """The text of a tree, in brackets where it holds less tightly than its surroundings."""
        text, holds_together = self.tree(tree)
        return text if holds_together >= least else f"({text})"

    def _symbol(self, tree: Tree, sign: str) -> str:
        if self.frame is not None:
            return number(element(tree, self.frame, self.at))
        name, index = tree[1:]
        if self.bare:
            return f"{'W' if index == 'jk' else name}{sign}"
        return f"{name}{sign}_{index}" if index else f"{name}{sign}"

    def _signed(self, tree: Tree) -> str:
        kind, inner = tree
        if self.frame is not None and kind != "square":
            return number(evaluate(tree, self.frame, self.at)[0])
        if inner[0] == "sym" and self.frame is None:
            return self._symbol(inner, SIGNS[kind])
        return f"{self.within(inner, ATOM)}{SIGNS[kind]}"

    def _sum(self, tree: Tree) -> str:
        if self.frame is None:
            return f"Σ_{tree[1]} {self.within(tree[2], PRODUCT)}"
        rows = bill(tree, self.frame, self.at, self.top)[:-1]
        return f"[{' + '.join(row.inline() for row in rows)}]" if rows else "0"

    def _when(self, tree: Tree) -> tuple[str, int]:
        condition, x, y = tree[1:]
        indicator = y[0] == "num" and y[1] == 0
        if self.frame is not None and not (indicator and condition[0] != "wins"):
            return self.tree(x if holds(condition, self.frame, self.at) else y)
        if indicator:
            return f"[{self.condition(condition)}]{self.times}{self.within(x, PRODUCT)}", PRODUCT
        return f"{self.tree(x)[0]} where {self.condition(condition)}, else {self.tree(y)[0]}", 1

    def condition(self, condition: Tree) -> str:
        """A condition in words and symbols."""
        if condition[0] == "wins":
            return "j wins k" + ("" if condition[1] == "a" else f" in {condition[1]}")
        x, y = (self.tree(part)[0] for part in condition[1:])
        return f"{x} {RELATIONS[condition[0]]} {y}"

    def _stabilized(self, z: Tree, size: Tree) -> str:
        text = self.tree(z)[0]
        if self.frame is None:
            return f"{text} + {self.tree(size)[0]} sgn {text}"
        sign = "+" if evaluate(z, self.frame, self.at)[0] >= 0 else "-"
        return f"{text} {sign} {self.tree(size)[0]}"


# ----------------------------------------------------------------------------------------------------- the bill


class Line(NamedTuple):
    """A line of a bill: which place it is from, its numbers, and the amount as it is shown."""

    label: str
    text: str
    amount: str

    def inline(self) -> str:
        """The line within a formula."""
        return f"({self.label}: {self.amount})" if not self.text else self.text


def bill(tree: Tree, frame: Layerful, at: Place, top: int = 3) -> list[Line]:
    """What adds up to the value of a tree: the largest terms of each Σ, what the others come to, and the total.

    The amounts add up to the total as they stand there, digit by digit. Where rounding would break that, more digits
    are shown, or the last line before the total takes the difference.

    >>> class Neuron:
    ...     from nnlite.stepper.geometry import Geometry
    ...     import numpy as np
    ...     arrays = {"a_j": np.array([2.0, 1.0, 1.0]), "w_jk": np.array([[3.0], [-1.0], [0.25]])}
    ...     geometry = Geometry("dense", (3,), (1,))
    >>> for row in bill(["sum", "j", ["mul", ["sym", "a", "j"], ["sym", "w", "jk"]]], Neuron(), {"k": 0}, top=1):
    ...     print(row)
    Line(label='j = 0', text='2 · 3', amount='6.00000')
    Line(label='2 more', text='', amount='-0.75000')
    Line(label='total', text='', amount='5.25000')
    """
    terms: list[_Amount] = []
    others: list[_Amount] = []
    more = 0
    for sign, part in _parts(tree):
        if part[0] in ("sum", "total"):
            few = _largest(part, sign, frame, at, top)
            terms += few
            more += len(places(part, frame, at)) - len(few)
        else:
            minus = "-" if sign < 0 else ""
            text = minus + _Text(frame, at, top).within(part, ATOM if minus else PRODUCT)
            value = sign * evaluate(part, frame, at)[0]
            others.append(_Amount(minus + formula(part), "" if part[0] == "sym" else text, value))
    values = [amount.value for amount in terms + others]
    amounts, rest, whole = adding_up(values, evaluate(tree, frame, at)[0], rest=more > 0)
    rows = [Line(label, text, shown) for (label, text, _), shown in zip(terms + others, amounts, strict=True)]
    if rest is not None:  # the other terms stand behind those of the Σ, before a bias
        rows.insert(len(terms) if more else len(rows), Line(f"{more} more" if more else "rounding", "", rest))
    return [*rows, Line("total", "", whole)]


class _Amount(NamedTuple):
    label: str
    text: str
    value: float


def _largest(part: Tree, sign: int, frame: Layerful, at: Place, top: int) -> list[_Amount]:
    """The largest terms of a Σ, and no zeros; one more than `top` where it is the last one."""
    terms = [(evaluate(part[2], frame, place)[0], place) for place in places(part, frame, at)]
    terms.sort(key=lambda term: -abs(term[0]))
    terms = [term for term in terms if term[0] != 0] if len(terms) > 1 else terms
    shown = terms if len(terms) <= top + 1 else terms[:top]
    return [
        _Amount(f"{part[1]} = {place[part[1]]}", _Text(frame, place, top).tree(part[2])[0], sign * value)
        for value, place in shown
    ]


def _parts(tree: Tree, sign: int = 1) -> list[tuple[int, Tree]]:
    """The terms of the sums and differences at the top of a tree, with their signs."""
    if tree[0] == "add":
        return [pair for part in tree[1:] for pair in _parts(part, sign)]
    if tree[0] == "sub":
        return _parts(tree[1], sign) + _parts(tree[2], -sign)
    return [(sign, tree)]


def adding_up(values: Sequence[float], total: float, rest: bool = False) -> tuple[list[str], str | None, str]:
    """The values, what is left over, and the total as text, so that the text adds up exactly.

    `rest` says that there is more than these values. Otherwise digits are added until nothing is left over (then it is
    None), or, where four more do not do it, the difference is given. What is smaller than 1e-295 is shown as 0.

    >>> adding_up([1 / 3, 1 / 3, 1 / 3], 1.0)
    (['0.33333', '0.33333', '0.33333'], '0.00001', '1.00000')
    >>> adding_up([0.123456, 0.4], 0.523456)
    (['0.123456', '0.400000'], None, '0.523456')
    """
    largest = max((abs(value) for value in [*values, total]), default=0.0)
    power = max(floor(log10(largest)), -290) if largest > 0 else 0
    exponent = power if not -6 <= power <= 6 else 0
    first = max(5 - (power - exponent), 0)
    for digits in range(first, first + 1 if rest else first + 5):
        unit = 10.0 ** (digits - exponent)
        counts, whole = [round(value * unit) for value in values], round(total * unit)
        if rest or sum(counts) == whole:
            break
    else:
        digits, unit = first, 10.0 ** (first - exponent)
        counts, whole = [round(value * unit) for value in values], round(total * unit)
    left = whole - sum(counts)
    texts = [_fixed(count, digits, exponent) for count in [*counts, left, whole]]
    return texts[:-2], texts[-2] if rest or left else None, texts[-1]


def _fixed(count: int, digits: int, exponent: int) -> str:
    """count / 10^digits · 10^exponent."""
    whole, part = divmod(abs(count), 10**digits)
    sign = "-" if count < 0 else ""
    return f"{sign}{whole}" + (f".{part:0{digits}d}" if digits else "") + (f"e{exponent}" if exponent else "")
