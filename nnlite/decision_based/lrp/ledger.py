"""The ledger of an LRP walk, as `lrp.ledger` gives it: why it does not sum to the output.

For every layer, exact to rounding:   Σ R_k = Σ R_j + to the bias + to ε + dropped.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import printed
from ...layers import Add
from ...network import Network
from .form import Step, per_sample


@dataclass(frozen=True, eq=False)
class Carried:
    """What one of the branches that meet in a join carried on: Σ R (N,), and from which layer.

    `largest` is max |x_b / z| over the places of an Add where relevance arrives, (N,): far above 1 the branches cancel
    there, and their shares are large and of opposite signs. None at other joins.
    """

    layer: str
    R: np.ndarray
    largest: np.ndarray | None


@dataclass(frozen=True, eq=False)
class Entry:
    """One layer's line in the ledger; the sums are (N,), one for each sample.

    Σ R above = Σ R below + to the bias + to the stabilizer + dropped.

    `branches` are those of a join, in the order of its wires.
    """

    layer: str
    rule: str
    above: np.ndarray
    below: np.ndarray
    bias: np.ndarray
    stabilizer: np.ndarray
    dropped: np.ndarray
    branches: tuple[Carried, ...] = ()

    @property
    def difference(self) -> np.ndarray:
        """What the line does not account for: zero up to rounding."""
        return self.above - self.below - self.bias - self.stabilizer - self.dropped


def entry(name: str, rule: str, step: Step, *branches: Carried) -> Entry:
    """The line of one layer, from its step."""
    return Entry(name, rule, per_sample(step.above), step.given, step.bias, step.stabilizer, step.dropped, branches)


def carried(network: Network, l: int, a: Any, z: np.ndarray, step: Step) -> list[Carried]:
    """What each branch that meets in layer l carried on; none where it is no join."""
    if not isinstance(a, tuple):
        return []
    names, axes = ("input", *network.names), tuple(range(1, z.ndim))
    sizes = np.where((step.above != 0) & (z != 0), np.abs(z), np.inf)
    largest = [(np.abs(x) / sizes).max(axis=axes) if isinstance(network[l], Add) else None for x in a]
    return [
        Carried(names[i], per_sample(R), most) for i, R, most in zip(network.wires[l], step.below, largest, strict=True)
    ]


@dataclass(frozen=True, eq=False)
class Ledger:
    """Where the score went.

    Attributes
    ----------
    entries
        A line for each layer, bottom to top.
    relevances
        The relevances from the pixels, relevances[0], to the scores.
    target
        What is explained: the class of each sample (N,), or the neuron.
    """

    entries: tuple[Entry, ...]
    relevances: tuple[np.ndarray, ...]
    target: Any

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    @property
    def gaps(self) -> np.ndarray:
        """|difference| of every line as a part of its Σ |R above|: (layers, N)."""
        sizes = np.array([per_sample(np.abs(R)) for R in self.relevances[1:]])
        differences = np.array([np.abs(entry.difference) for entry in self.entries])
        return differences / np.where(sizes > 0, sizes, 1)

    @property
    def error(self) -> float:
        """The largest of the gaps."""
        return float(np.max(self.gaps, initial=0.0))

    def open(self, sample: int = 0) -> str:
        """The lines of a sample with a gap above √eps of the dtype, in words; "" where all close.

        What is missing there is rounding: where the inputs of z cancel, few of its digits are left, and LRP-0 divides
        by it. No sum could say where that went.
        """
        dtype = self.relevances[0].dtype
        return "\n".join(
            f"{entry.layer} is open by {100 * gap[sample]:.2g} % of its Σ |R above|: its inputs cancel, and {dtype} "
            "rounds them; give the rule a stabilizer" + (", or compute in float64." if dtype == np.float32 else ".")
            for entry, gap in zip(self.entries[::-1], self.gaps[::-1], strict=True)
            if gap[sample] > np.sqrt(np.finfo(dtype).eps)
        )

    def total(self, column: str) -> np.ndarray:
        """A column ("bias", "stabilizer" or "dropped") summed over the layers: (N,)."""
        return sum((getattr(entry, column) for entry in self.entries), np.zeros(len(self.relevances[0])))

    def table(self, sample: int = 0) -> str:
        """The ledger of one sample as text, from the scores down to the pixels; below it, the lines that are open."""
        if not 0 <= sample < len(self.relevances[0]):
            return f"(no sample {sample}: the batch has {len(self.relevances[0])})"
        columns = ("above", "below", "bias", "stabilizer", "dropped")
        rows = [("layer", "rule", "Σ R above", "Σ R below", "bias", "ε", "dropped")]
        for entry in self.entries[::-1]:
            numbers = (_six_digits(getattr(entry, column)[sample]) for column in columns)
            rows.append((entry.layer, entry.rule, *numbers))  # type: ignore[arg-type]
            for branch in entry.branches:
                share = f"{100 * branch.R[sample] / entry.above[sample]:.1f} %" if entry.above[sample] else ""
                most = "" if branch.largest is None else f", |x/z| up to {branch.largest[sample]:.3g}"
                rows.append((f"  {branch.layer}", share + most, "", _six_digits(branch.R[sample]), "", "", ""))
        ends = (per_sample(self.relevances[end])[sample] for end in (-1, 0))
        totals = (_six_digits(number) for number in (*ends, *(self.total(column)[sample] for column in columns[2:])))
        rows.append(("score", "to pixels", *totals))  # type: ignore[arg-type]
        return "\n".join(filter(None, [printed.columns(rows, left=(0, 1)), self.open(sample)]))

    __str__ = table


def _six_digits(number: float) -> str:
    return f"{round(number, 6) + 0.0:.6f}"  # without the sign of a zero
