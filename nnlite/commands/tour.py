"""the main job: explain twenty digits with every method

Ten held-out stroke digits and ten real handwritten ones (UCI) are classified by the networks that come with nnlite,
and each decision is explained with every method there is. The table is printed; report.html is one page that holds
everything: the heatmaps, the formulas, and for LRP the ledger that says where the score went.

example:
  nnlite tour --out tour
"""

import argparse
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import Network, datasets, models, storage
from ..decision_based import lrp
from ..decision_based.registry import METHODS, Method
from . import report

OPEN_FOUR, CLOSED_FOUR = 74, 54
"""Two held-out stroke digits: a clear 4, and one whose closed top makes it nearly a 9."""


@dataclass(frozen=True)
class Explanation:
    """One digit explained by one method: the map, and for LRP the ledger."""

    method: Method
    R: np.ndarray
    ledger: lrp.Ledger | None
    milliseconds: float


@dataclass(frozen=True)
class Digit:
    """One digit, what the network made of it, and why."""

    source: str
    number: int
    model: str
    x: np.ndarray
    label: int
    scores: np.ndarray
    explanations: tuple[Explanation, ...]

    @property
    def predicted(self) -> int:
        """The class with the highest score."""
        return int(self.scores.argmax())


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--out", type=Path, default=Path("nnlite-tour"), help="the folder for report.html (default: nnlite-tour)"
    )


def run(options: argparse.Namespace) -> None:
    """Explain, print the table, write the report."""
    started = time.perf_counter()
    options.out.mkdir(parents=True, exist_ok=True)
    digits = []
    print(f"{'digit':<12} {'predicted':>9} {'score':>9}  {'method':<30} {'Σ R':>10}  {'ledger':<46} {'ms':>7}")
    for digit in explained_digits():
        digits.append(digit)
        for line in _lines(digit):
            print(line)
    page = options.out / "report.html"
    storage.write_bytes(page, report.page(digits, [fours(number) for number in (OPEN_FOUR, CLOSED_FOUR)]).encode())
    right = sum(digit.predicted == digit.label for digit in digits)
    worst = max(e.ledger.error for digit in digits for e in digit.explanations if e.ledger is not None)
    print(f"\n{right} of {len(digits)} digits are classified as labelled; {len(METHODS)} methods each.")
    print(f"The ledgers close to {worst:.1e} of Σ |R| (float32), in {time.perf_counter() - started:.1f} s altogether.")
    print(f"Open {page} in a browser.")


def fours(number: int) -> report.Why:
    """Why lenet takes a held-out stroke digit for what it does, and not for the nearest rival."""
    x, _ = datasets.strokes(1, seed=models.HELD_OUT_SEED, start=number)
    return report.why(models.load("lenet"), x, f"strokes:{number}")


def explained_digits() -> Iterator[Digit]:
    """Ten stroke digits by lenet, then ten UCI digits by tiny: the first of each class among the held-out ones."""
    for source, model in (("strokes", "lenet"), ("uci", "tiny")):
        network = models.load(model)
        images, labels = models.digits(source, "test")
        numbers = [int(np.flatnonzero(labels == label)[0]) for label in range(10)]
        for method in METHODS.values():  # once untimed: Numba compiles at the first call
            method.compute(network, images[:1], None)
        for number in numbers:
            x = images[number : number + 1]
            scores = network.scores(x)[0]
            explanations = tuple(_explain(network, x, method) for method in METHODS.values())
            yield Digit(source, number, model, x, int(labels[number]), scores, explanations)


def _explain(network: Network, x: np.ndarray, method: Method) -> Explanation:
    started = time.perf_counter()
    R = method.compute(network, x, None)
    milliseconds = (time.perf_counter() - started) * 1e3
    ledger = None if method.rules is None else lrp.ledger(network, x, rules=method.rules)
    return Explanation(method, R, ledger, milliseconds)


def _lines(digit: Digit) -> Iterator[str]:
    name = f"{digit.source}:{digit.number}"
    mark = "" if digit.predicted == digit.label else f" (a {digit.label})"
    for e in digit.explanations:
        yield (
            f"{name:<12} {digit.predicted:>5}{mark:<4} {digit.scores.max():>9.4f}  {e.method.name:<30} "
            f"{e.R.sum():>10.4f}  {_books(e.ledger):<46} {e.milliseconds:>7.2f}"
        )


def _books(ledger: Any) -> str:
    if ledger is None:
        return "keeps no books"
    totals = (ledger.total(column)[0] for column in ("bias", "stabilizer", "dropped"))
    bias, stabilizer, dropped = (round(total, 4) + 0.0 for total in totals)  # no −0.0000
    return f"bias {bias:+.4f}  ε {stabilizer:+.4f}  dropped {dropped:+.4f}"
