"""The one form that holds every LRP rule: a rule is κ(z) and a few groups of terms (a′, layer′).

For each group, with layer′ the layer with changed weights, fed a changed input a′, and Σ over the terms of the group:

    z   = Σ layer′(a′)                        step 1: what the inputs bring, and the bias
    s   = κ R / (z + stabilizer · sgn z)      step 2: relevance for each unit of z
    c   = layer′.backward(s)                  step 3: collected by the inputs
    R_j = Σ a′ ⊙ c                            step 4: each input's share

What does not reach the inputs is in the same s: Σ b′ s went to the bias, Σ stabilizer · s to the stabilizer, and κ R
of a zero denominator was dropped. So the books close without a second computation. (A denominator so small that R / z
would overflow counts as zero.)

Source: slides, "LRP Calculation"; Montavon et al. 2019, sec. 10.2.2 (the four steps).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, reduce
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from ...kernels.division import divide, signed
from ...layers import Layer
from ...rows import Mode


class Term(NamedTuple):
    """layer′(a′): a layer with changed weights, fed a changed input.

    `vanishes` where a′ is known to be zero and layer′ has no bias: z and R_j are the same without the term.
    """

    a: np.ndarray
    layer: Layer
    vanishes: bool = False


class Group(NamedTuple):
    """Terms that share one denominator, and the part κ of the relevance that they divide."""

    terms: Sequence[Term]
    kappa: np.ndarray | float = 1.0


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


class Part(NamedTuple):
    """One group of one step, worked out: the slides' z, s and R_j, and what s leaves for others.

    `size` is the size of the stabilizer, `lost` is true where nothing was distributed.
    """

    group: Group
    z: np.ndarray
    s: np.ndarray
    R: np.ndarray
    size: np.ndarray
    lost: np.ndarray

    @property
    def c(self) -> list[np.ndarray]:
        """The slides' c, one array for each term; for who looks at it: R has it in it."""
        return [t.layer.backward(t.a, self.s) for t in self.group.terms]

    @property
    def stabilizer(self) -> np.ndarray:
        """What was added to z."""
        return signed(self.size, self.z)

    @property
    def bias(self) -> np.ndarray:
        """Σ b′ s for each sample: what the bias absorbed."""
        return per_sample(sum(t.layer.bias_like(self.z) for t in self.group.terms) * self.s)


@dataclass(frozen=True, eq=False)
class Step:
    """One layer of LRP: R_k above, R_j below, and where the difference went. The sums are (N,), one a sample."""

    above: np.ndarray
    below: np.ndarray
    parts: Sequence[Part] = ()

    @property
    def bias(self) -> np.ndarray:
        """What the bias absorbed."""
        return sum((part.bias for part in self.parts), start=self._nothing)

    @property
    def stabilizer(self) -> np.ndarray:
        """What ε, or another stabilizer, absorbed."""
        return sum((per_sample(part.stabilizer * part.s) for part in self.parts), start=self._nothing)

    @property
    def dropped(self) -> np.ndarray:
        """What nothing could take: (1 − Σ κ) R, and κ R where a denominator was zero."""
        if not self.parts:
            return self._nothing
        rest = (1.0 - sum(part.group.kappa for part in self.parts)) * self.above
        lost = sum(np.where(part.lost, part.group.kappa * self.above, 0) for part in self.parts)
        return per_sample(rest + lost)

    @cached_property
    def _nothing(self) -> np.ndarray:
        return np.zeros(len(self.above))


@dataclass(frozen=True)
class Rule:
    """An LRP rule: callable as rule(layer, a, z, R_k) -> R_j on any layer with weights.

    Attributes
    ----------
    name
        The function in rules.py that made it, and the one in elementwise.py that writes it out.
    options
        What that function was given.
    formula
        The rule in one line.
    groups
        groups(layer, a, z): the groups of the rule on this layer.
    stabilizer
        Added to each denominator with the sign of z (sgn 0 = +1); a number, or `Relative`.
    needs_weights
        Whether the rule changes weights; zero and ε do not, and fit average pooling and BatchNorm too.
    one_input
        Whether each group has one term, fed the input itself, where no input is negative: a row may then run it.
    """

    name: str
    formula: str
    groups: Callable[[Layer, np.ndarray, np.ndarray], Sequence[Group]]
    options: dict[str, Any] = field(default_factory=dict)
    stabilizer: float | Relative = 0.0
    needs_weights: bool = True
    one_input: bool = False

    def step(self, layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> Step:
        """The layer's four steps, with the shares of bias, stabilizer and what was dropped.

        Raises
        ------
        TypeError
            The rule changes weights, and the layer has none.
        """
        if self.needs_weights and not hasattr(layer, "W"):
            raise TypeError(f"{self!r} changes weights, and {layer!r} has none; zero and epsilon fit it.")
        parts = [self._part(group, layer, a, z, R) for group in self.groups(layer, a, z)]
        return Step(R, sum(part.R for part in parts), parts)  # type: ignore[arg-type]

    def __call__(self, layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
        return self.step(layer, a, z, R).below

    def in_row(self, layer: Layer) -> tuple[Mode, float] | None:
        """How a row of layers runs it (rows.py); None where it cannot: with ε in proportion to z."""
        if isinstance(self.stabilizer, Relative):
            return None
        if self.groups is unchanged:
            return Mode.EPSILON, self.stabilizer
        return (Mode.GROUPS, self.stabilizer) if self.one_input and hasattr(layer, "W") else None

    def in_groups(self, layer: Layer, a: np.ndarray, z: np.ndarray) -> tuple[tuple[float, Layer], ...] | None:
        """(κ, layer′) for each group, as a row runs them; None where it cannot: κ is no number, or a′ is not a."""
        groups = [(group.kappa, [t for t in group.terms if not t.vanishes]) for group in self.groups(layer, a, z)]
        if all(isinstance(kappa, Real) and len(terms) == 1 and terms[0].a is a for kappa, terms in groups):
            return tuple((float(kappa), terms[0].layer) for kappa, terms in groups)
        return None

    def _part(self, group: Group, layer: Layer, a: np.ndarray, z_layer: np.ndarray, R: np.ndarray) -> Part:
        terms = [t for t in group.terms if not t.vanishes]
        # The unchanged layer on its own input has been computed already, on the way up.
        z = total(z_layer if t.layer is layer and t.a is a else t.layer.forward(t.a) for t in terms)  # step 1
        size = self.stabilizer(z) if isinstance(self.stabilizer, Relative) else z.dtype.type(self.stabilizer)
        # s = κ R / (z + size · sgn z), and 0 where that is lost: a zero denominator distributes nothing. Nor does one
        # so small that step 3 would overflow.
        s, lost = divide(group.kappa * R, z, size)  # step 2
        c = [t.layer.backward(t.a, s) for t in terms]  # step 3
        R_j = total(t.a * c_t for t, c_t in zip(terms, c, strict=True))  # step 4
        return Part(group, z, s, R_j, size, lost)

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{key}={_short(value)}' for key, value in self.options.items())})"


def unchanged(layer: Layer, a: np.ndarray, z: np.ndarray) -> Sequence[Group]:
    """The layer as it is, on its own input: LRP-0 and LRP-ε."""
    return [Group([Term(a, layer)])]


@dataclass(frozen=True)
class Passing:
    """The rule of a layer that divides nothing: the relevance passes, in the layer's own way.

    >>> Passing("passes", lambda layer, a, R: R).step(None, None, None, np.ones((1, 2))).below
    array([[1., 1.]])
    """

    name: str
    pass_on: Callable[[Layer, np.ndarray, np.ndarray], np.ndarray]
    mode: Mode | None = None

    def in_row(self, layer: Layer) -> tuple[Mode, float] | None:
        """How a row of layers runs it; None where it cannot."""
        return None if self.mode is None else (self.mode, 0.0)

    def step(self, layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> Step:
        """R below from R above; nothing goes elsewhere."""
        return Step(R, self.pass_on(layer, a, R))

    def __call__(self, layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
        return self.pass_on(layer, a, R)

    def __repr__(self) -> str:
        return self.name


def _short(value: Any) -> Any:
    """An option on one line: an array by its shape."""
    return f"array{list(value.shape)}" if isinstance(value, np.ndarray) and value.ndim else value


def per_sample(values: np.ndarray) -> np.ndarray:
    """The sum over all axes but the first, in float64: (N,)."""
    return values.sum(axis=tuple(range(1, values.ndim)), dtype=np.float64)


def total(arrays: Iterable[np.ndarray]) -> np.ndarray:
    """Their sum, elementwise, with no pass over a single one."""
    return reduce(np.add, arrays)
