"""The words that every LRP rule is written in: a rule is data, evaluated by form.py, printed by the stepper.

    Rule    groups, a stabilizer, and what the rule needs of its inputs
    Group   terms that share one denominator, and the part κ of the relevance that they divide
    Term    an input made of a:       A, A_PLUS, A_MINUS, ONE, minus(l)
            a change of the weights:  SAME, POSITIVE, NEGATIVE, SQUARE, ONES, favour(γ), favour(γ, NEGATIVE)
            and one of the bias, None where it is left out

So LRP-γ is Rule("gamma", [Group([Term(A, favour(γ), favour(γ))])]). A rule of your own, in the same words, is walked,
booked, stepped through, pickled and compared like those of rules.py. (One file, for it is one small language.)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import numpy as np

from ...layers import Layer
from ...layers.arguments import kind_of, number
from .form import Prepared, Step

finfo = cache(np.finfo)

# ------------------------------------------------------------------------------------------ what becomes of weights


@dataclass(frozen=True)
class Change:
    """What becomes of each weight p: part(p), or with γ p + γ part(p). `symbol` is how part(p) is written."""

    part: Callable[[np.ndarray], np.ndarray]
    symbol: str
    gamma: float | None = None

    def __call__(self, p: np.ndarray) -> np.ndarray:
        if self.gamma is None:
            return self.part(p)
        if self.gamma > finfo(p.dtype).max:
            raise ValueError(
                f"gamma = {self.gamma:g} overflows {p.dtype}; take less, or compute in float64 "
                '(network.astype("float64"), x.astype("float64")).'
            )
        return p + self.gamma * self.part(p)


def same(p: np.ndarray) -> np.ndarray:
    """p itself."""
    return p


def positive(p: np.ndarray) -> np.ndarray:
    """p⁺ = max(p, 0)."""
    return np.maximum(p, 0)


def negative(p: np.ndarray) -> np.ndarray:
    """p⁻ = min(p, 0)."""
    return np.minimum(p, 0)


SAME, POSITIVE, NEGATIVE = Change(same, "p"), Change(positive, "p⁺"), Change(negative, "p⁻")
SQUARE, ONES = Change(np.square, "p²"), Change(np.ones_like, "1")


def favour(gamma: float, change: Change = POSITIVE) -> Change:
    """p + γ p⁺, or p + γ p⁻.

    Raises
    ------
    TypeError, ValueError
        The change is none of those above, or γ is not a finite number.

    >>> favour(0.5)(np.array([2.0, -2.0])), favour(0.5, NEGATIVE)(np.array([2.0, -2.0]))
    (array([ 3., -2.]), array([ 2., -3.]))
    """
    if not isinstance(change, Change):
        raise TypeError(f"favour: expected a change of the weights, such as POSITIVE, got {change!r}.")
    return Change(change.part, change.symbol, number("favour", "gamma", gamma))


# ---------------------------------------------------------------------------------------- what the layer is fed


@dataclass(frozen=True)
class Input:
    """a′, made of the activations a below by `make`, or a itself; None where a′ is known to be zero everywhere.

    At a join it is made of each branch x_b.
    """

    symbol: str
    make: Callable[[np.ndarray], np.ndarray | None] | None = None

    def __call__(self, a: Any) -> Any:
        if self.make is None:
            return a
        if not isinstance(a, tuple):
            return self.make(a)
        made = [self.make(x) for x in a]
        return tuple(np.zeros_like(x) if m is None else m for x, m in zip(a, made, strict=True))


def rising(a: np.ndarray) -> np.ndarray:
    """a⁺ = max(a, 0): a itself where no input is negative."""
    return a if a.size and a.min() >= 0 else np.maximum(a, 0)


def falling(a: np.ndarray) -> np.ndarray | None:
    """a⁻ = min(a, 0); None where no input is negative. (What is not computed would add exact zeros.)"""
    return None if a.size and a.min() >= 0 else np.minimum(a, 0)


A, A_PLUS, A_MINUS, ONE = Input("a"), Input("a⁺", rising), Input("a⁻", falling), Input("1", np.ones_like)
ABSOLUTE = Input("|a|", np.abs)


@dataclass(frozen=True)
class Branch:
    """At a join: 1 at branch b, 0 at the others."""

    b: int
    symbol: str = "1_b"

    def __call__(self, a: Any) -> Any:
        if not isinstance(a, tuple) or not -len(a) <= self.b < len(a):
            raise ValueError(f"branch {self.b}: expected a join of more branches, got {kind_of(a)}; count from 0.")
        return tuple(np.ones_like(x) if i == self.b % len(a) else np.zeros_like(x) for i, x in enumerate(a))


@dataclass(frozen=True, eq=False)
class minus:
    """a − l: the distance from a bound, a number or an array that broadcasts over one input."""

    bound: Any
    symbol: str = "l"

    def __call__(self, a: np.ndarray) -> np.ndarray:
        return a - bound_like(self.bound, a, self.symbol)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, minus) and self.symbol == other.symbol and same_value(self.bound, other.bound)

    def __hash__(self) -> int:
        return hash((self.symbol, np.asarray(self.bound, np.float64).tobytes()))


def bound_like(bound: Any, a: np.ndarray, name: str) -> np.ndarray:
    """A bound for every input of a; `name` is what the error calls it.

    Raises
    ------
    ValueError
        It does not broadcast over one input.
    """
    try:
        return np.broadcast_to(np.asarray(bound, a.dtype), a.shape)
    except ValueError:
        raise ValueError(
            f"{name}: expected a number or an array that broadcasts over one input {a.shape[1:]}, got the shape "
            f"{np.shape(bound)}; give one such as (C, 1, 1)."
        ) from None


# ------------------------------------------------------------------------------------------- what a group divides


def where_positive(z: np.ndarray) -> np.ndarray:
    """κ = 1 where the layer's own z is above 0."""
    return (z > 0).astype(z.dtype)


def where_negative(z: np.ndarray) -> np.ndarray:
    """κ = 1 where the layer's own z is below 0."""
    return (z < 0).astype(z.dtype)


@dataclass(frozen=True)
class Relative:
    """A stabilizer of `factor` times the root mean square of z, sample by sample, and `plus` a constant."""

    factor: float
    plus: float = 0.0

    def __call__(self, z: np.ndarray) -> np.ndarray:
        axes = tuple(range(1, z.ndim))
        m = np.abs(z).max(axis=axes, keepdims=True)  # z² may overflow, or vanish, where (z / m)² does not
        rms = m * np.sqrt(((z / np.where(m > 0, m, 1)) ** 2).mean(axis=axes, keepdims=True))
        return (self.factor * rms + self.plus).astype(z.dtype)

    def __repr__(self) -> str:
        return f"relative({self.factor})"


# ------------------------------------------------------------------------------------------- what a rule needs of a


@dataclass(frozen=True)
class NonNegative:
    """a ≥ 0; `instead` names the rule that takes any sign."""

    instead: str

    def __call__(self, a: np.ndarray, rule: "Rule", layer: Layer) -> None:
        if a.size and a.min() < 0:
            raise ValueError(
                f"{rule.name} needs inputs ≥ 0, got {a.min()} at {layer!r}; use {self.instead}, which takes any sign."
            )


@dataclass(frozen=True, eq=False)
class Box:
    """l ≤ a ≤ h, up to rounding."""

    low: Any
    high: Any

    def __call__(self, a: np.ndarray, rule: "Rule", layer: Layer) -> None:
        l, h = bound_like(self.low, a, "low"), bound_like(self.high, a, "high")
        outside = np.maximum(l - a, a - h)
        if np.any(outside > 0) and np.any(outside > 4 * finfo(a.dtype).eps * np.maximum(np.abs(l), np.abs(h))):
            raise ValueError(
                f"{rule.name} takes inputs in [{np.min(self.low)}, {np.max(self.high)}], got {a.min()} to {a.max()} at "
                f"{layer!r}; give the bounds of your pixels, or use w_squared, which needs none."
            )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Box) and same_value(self.low, other.low) and same_value(self.high, other.high)

    def __hash__(self) -> int:
        return hash(Box)


# ---------------------------------------------------------------------------------------------------- the rule


@dataclass(frozen=True)
class Term:
    """layer′(a′): a layer with changed weights W(w) and bias b(b), fed a changed input."""

    input: Callable[[np.ndarray], np.ndarray | None] = A
    W: Change = SAME
    b: Change | None = SAME

    @cached_property
    def keeps_weights(self) -> bool:
        """Whether layer′ is the layer itself."""
        return self.W == SAME and self.b == SAME


@dataclass(frozen=True)
class Group:
    """Terms that share one denominator, and the part κ of the relevance that they divide: a number, or κ(z)."""

    terms: Sequence[Term]
    kappa: float | Callable[[np.ndarray], np.ndarray] = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "terms", tuple(self.terms))


@dataclass(frozen=True, eq=False)
class Rule:
    """An LRP rule: callable as rule(layer, a, z, R_k) -> R_j on any layer with weights.

    Attributes
    ----------
    name
        What it is called: the function in rules.py that made it, and the one in elementwise.py that writes it out.
    groups
        What it divides the relevance by.
    stabilizer
        Added to each denominator with the sign of z (sgn 0 = +1): a number, or `Relative`.
    needs
        What it needs of its inputs, called as needs(a, rule, layer): `NonNegative`, `Box` or None.
    options
        What the function that made it was given, for its repr and for elementwise.py.

    >>> from nnlite.layers import Dense
    >>> layer, a = Dense(np.array([[3.0], [-1.0]])), np.array([[2.0, 1.0]])
    >>> absolute = Rule("absolute", [Group([Term(A, POSITIVE, None)], 0.5), Group([Term(A, NEGATIVE, None)], 0.5)])
    >>> absolute(layer, a, layer.forward(a), np.array([[4.0]]))
    array([[2., 2.]])
    """

    name: str
    groups: Sequence[Group]
    stabilizer: float | Relative = 0.0
    needs: Callable[[np.ndarray, "Rule", Layer], None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", tuple(self.groups))

    @cached_property
    def needs_weights(self) -> bool:
        """Whether the rule changes weights; zero and ε do not, and fit average pooling and BatchNorm too."""
        return not all(term.keeps_weights for group in self.groups for term in group.terms)

    @cached_property
    def fits_joins(self) -> bool:
        """Whether it is a rule for the branches of a join: it changes no weights, and needs no bounds."""
        made = all(isinstance(term.input, (Input, Branch)) for group in self.groups for term in group.terms)
        return made and self.needs is None and not self.needs_weights

    def on(self, layer: Layer) -> Prepared:
        """This rule on one layer, its changed layers made.

        Raises
        ------
        TypeError
            The rule changes weights, and the layer has none.
        """
        return Prepared(self, layer)

    def step(self, layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> Step:
        """The layer's four steps, with the shares of bias, stabilizer and what was dropped."""
        return self.on(layer).step(layer, a, z, R)

    def __call__(self, layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
        return self.on(layer)(layer, a, z, R)

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Rule):
            return self is other
        alike = (self.name, self.groups, self.stabilizer, self.needs) == (
            other.name, other.groups, other.stabilizer, other.needs
        )  # fmt: skip
        return alike and same_value(dict(self.options), dict(other.options))

    def __hash__(self) -> int:
        return hash((self.name, self.stabilizer))  # enough to tell most apart; __eq__ compares the rest

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={_short(value)}' for key, value in self.options.items())})"


def same_value(one: Any, other: Any) -> bool:
    """Whether two options are equal: numbers, arrays by their contents, and dicts of them."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_value(one[key], other[key]) for key in one)
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        return np.array_equal(np.asarray(one), np.asarray(other))
    return bool(one == other)


def _short(value: Any) -> Any:
    """An option on one line: an array by its shape."""
    return f"array{list(value.shape)}" if isinstance(value, np.ndarray) and value.ndim else value
