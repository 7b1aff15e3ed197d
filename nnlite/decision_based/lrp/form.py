"""The one form that holds every LRP rule, evaluated: four steps for each group of terms.

A rule is data (rule.py): groups of terms, each an input a′ made of a, and a change of weights that makes layer′. With Σ
over the terms of a group:

    z   = Σ layer′(a′)                        step 1: what the inputs bring, and the bias
    s   = κ R / (z + stabilizer · sgn z)      step 2: relevance for each unit of z
    c   = layer′.backward(s)                  step 3: collected by the inputs
    R_j = Σ a′ ⊙ c                            step 4: each input's share

At a join (an Add), a′ is a tuple, and so are c and R_j: one array for each branch, with the weights 1.

What does not reach the inputs is in the same s: Σ b′ s went to the bias, Σ stabilizer · s to the stabilizer, and κ R
of a zero denominator was dropped. So the books close without a second computation. (A denominator so small that R / z
would overflow counts as zero.)

Source: slides, "LRP Calculation"; Montavon et al. 2019, sec. 10.2.2 (the four steps).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial, reduce
from operator import attrgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ... import kernels
from ...kernels.division import signed
from ...layers import Layer

if TYPE_CHECKING:
    from .rule import Rule, Term


SAFE = 2.0**-64, 2.0**64
"""Where the largest changed weight lies if float32, which reaches from 2^-126 to 2^128, can hold the step."""


class Part(NamedTuple):
    """One group of one step, worked out: the slides' z, s and R_j, and what s leaves for others.

    `a` is what the layer was given, `layers` are layer′ of each term, `kappa` is κ, `size` the size of the stabilizer;
    `lost` is true where nothing was distributed.
    """

    a: np.ndarray
    layers: Sequence[Layer]
    kappa: Any
    z: np.ndarray
    s: np.ndarray
    R: Any
    size: np.ndarray
    lost: np.ndarray

    @property
    def c(self) -> list[Any]:
        """The slides' c, one array for each term (at a join a tuple of arrays), for those who look at it."""
        a = each(partial(np.asarray, dtype=self.s.dtype), self.a)
        return [layer.backward(a, self.s) for layer in self.layers]

    @property
    def stabilizer(self) -> np.ndarray:
        """What was added to z."""
        return signed(self.size, self.z)

    @property
    def bias(self) -> np.ndarray:
        """Σ b′ s for each sample: what the bias absorbed."""
        return per_sample(sum(layer.bias_like(self.z) for layer in self.layers) * self.s)


def four_steps(
    fed: Sequence[tuple[np.ndarray, Layer]], R: np.ndarray, stabilizer: Any = 0.0, z: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """z, s and R_j of one group, from its (a′, layer′) and the κ R that it divides; size and lost as in `Part`.

    z is given where it is known: a layer on its own input has been computed already, on the way up.
    """
    if z is None:
        z = total([layer.forward(a) for a, layer in fed])  # step 1
    size = stabilizer(z) if callable(stabilizer) else z.dtype.type(stabilizer)
    s, lost = kernels.divide(R, z, size)  # step 2: s = R / (z + size · sgn z), and 0 where nothing can be divided
    c = [layer.backward(a, s) for a, layer in fed]  # step 3
    R_j = total([each(np.multiply, a, c_a) for (a, _), c_a in zip(fed, c, strict=True)])  # step 4
    return z, s, R_j, size, lost


@dataclass(frozen=True, eq=False)
class Step:
    """One layer of LRP: R_k above, R_j below, and where the difference went. The sums are (N,), one per sample.

    At a join R_j is a tuple, one array for each branch.
    """

    above: np.ndarray
    below: Any
    parts: Sequence[Part] = ()
    on_padding: np.ndarray | float = 0.0
    constant: np.ndarray | float = 0.0

    @property
    def given(self) -> np.ndarray:
        """Σ R_j: what was given on."""
        return (
            sum(map(per_sample, self.below), self._nothing) if isinstance(self.below, tuple) else per_sample(self.below)
        )

    @property
    def bias(self) -> np.ndarray:
        """What the bias absorbed, or what is constant in a Softmax; all at a Constant, which gives nothing on."""
        if isinstance(self.below, tuple) and not self.below:
            return per_sample(self.above)
        return sum((part.bias for part in self.parts), start=self._nothing + self.constant)

    @property
    def stabilizer(self) -> np.ndarray:
        """What ε, or another stabilizer, absorbed."""
        return sum((per_sample(part.stabilizer * part.s) for part in self.parts), start=self._nothing)

    @property
    def dropped(self) -> np.ndarray:
        """What nothing could take: (1 − Σ κ) R, κ R where a denominator was zero, and R on padding."""
        if not self.parts:
            return self._nothing + self.on_padding
        rest = (1.0 - sum(part.kappa for part in self.parts)) * self.above
        lost = sum(np.where(part.lost, part.kappa * self.above, 0) for part in self.parts)
        return per_sample(rest + lost)

    @cached_property
    def _nothing(self) -> np.ndarray:
        return np.zeros(len(self.above))


class Prepared:
    """A rule on one layer: its changed layers are made once, and it is called often.

    Called as rule(layer, a, z, R_k) -> R_j; `step` gives the books too.
    """

    def __init__(self, rule: Rule, layer: Layer) -> None:
        if rule.needs_weights and not hasattr(layer, "W"):
            raise TypeError(f"{rule!r} changes weights, and {layer!r} has none; zero and epsilon fit it.")
        if layer.reads != 1 and not (layer.linear and layer.reads is None and rule.fits_joins):
            raise TypeError(f"{rule!r} does not fit {layer!r}; the rules of joins are in lrp.joins.")
        self.rule, self.layer = rule, layer
        self.changed = [changed(layer, group.terms) for group in rule.groups]

    def step(self, layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> Step:
        """R_j with the shares of bias, stabilizer and what was dropped."""
        if self.rule.needs is not None:
            self.rule.needs(a, self.rule, self.layer)
        parts, held = [], self.layer if self.layer.linear else self.layer.held(a)
        for group, layers in zip(self.rule.groups, self.changed, strict=True):
            layers = layers if held is self.layer else [held] * len(layers)
            kappa = group.kappa(z) if callable(group.kappa) else group.kappa
            fed = []
            for term, made in zip(group.terms, layers, strict=True):
                given = term.input(a)
                if given is not None:  # None: all zeros, which bring nothing
                    fed.append((given, made))
            fed = fed or [(each(np.zeros_like, a), layers[0])]
            wide = layers[0].dtype is not None and layers[0].dtype != a.dtype  # float32 could not hold the weights
            if wide:
                fed = [(given.astype(made.dtype), made) for given, made in fed]
            known = z if len(fed) == 1 and fed[0][0] is a and fed[0][1] is held else None
            share = R if group.kappa == 1 else np.asarray(kappa * R, R.dtype)
            z_group, s, R_j, size, lost = four_steps(fed, share, self.rule.stabilizer, known)
            if len(group.terms) > 1:
                R_j = each(partial(np.add, 0.0), R_j)  # −0 becomes 0: no bit shows where a⁻ is left out
            parts.append(Part(a, layers, kappa, z_group, s, R_j.astype(R.dtype) if wide else R_j, size, lost))
        return Step(R, total(map(attrgetter("R"), parts)), parts)

    def __call__(self, layer: Layer, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
        return self.step(layer, a, z, R).below

    def __repr__(self) -> str:
        return repr(self.rule)


def changed(layer: Any, terms: Sequence[Term]) -> list[Layer]:
    """layer′ of each term: the layer with its weights and its bias; itself where nothing changes.

    All are in float64 where float32 would lose one: they share a denominator, and the share of an input is a number
    even where its w² overflows.
    """
    with np.errstate(all="ignore"):
        layers = [layer if term.keeps_weights else _made(layer, term) for term in terms]
    mixed = len(layers) > 1 and len(set(map(attrgetter("dtype"), layers))) > 1
    return [made.astype(np.float64) for made in layers] if mixed else layers


def _made(layer: Any, term: Term) -> Layer:
    made = layer.with_arrays(W=term.W(layer.W), b=None if term.b is None or layer.b is None else term.b(layer.b))
    if layer.W.dtype == np.float32 and not SAFE[0] < _largest(made) < SAFE[1]:
        wide = _made(layer.astype(np.float64), term)
        return wide if _largest(wide) else made
    return made


def _largest(layer: Any) -> float:
    return max(np.abs(layer.W).max(initial=0), 0 if layer.b is None else np.abs(layer.b).max(initial=0))


def per_sample(values: np.ndarray) -> np.ndarray:
    """The sum over all axes but the first, in float64: (N,)."""
    return values.sum(axis=tuple(range(1, values.ndim)), dtype=np.float64)


def each(function: Callable[..., Any], *values: Any) -> Any:
    """function(*values); of tuples, a value for each branch, a tuple of what it gives for each."""
    return tuple(map(function, *values)) if isinstance(values[0], tuple) else function(*values)


total = partial(reduce, partial(each, np.add))
"""total(arrays): their sum, elementwise, with no pass over a single one."""
