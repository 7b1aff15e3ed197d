"""Ten held-out stroke digits and ten real handwritten ones (UCI) are classified by the networks that come with nnlite,
and each decision is explained with every method there is. The table is printed; report.html is one page that holds
everything: the heatmaps, the formulas, and for LRP the ledger that says where the score went.

example:
  nnlite tour --out tour
"""

import argparse
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from .. import storage
from . import checks, report
from .digits import (
    CLOSED_FOUR,
    OPEN_FOUR,
    Digit,
    Explanation,
    building_blocks,
    explained_by_cam,
    explained_digits,
    filters,
    one_that_becomes_six,
    why,
)
from .options import declare


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    declare(parser, "--out", default=Path("nnlite-tour"), help="the folder for report.html")


def run(options: argparse.Namespace) -> None:
    """Explain, print the table, write the report."""
    started = time.perf_counter()
    page = checks.folder(options.out, "report.html")
    print(f"{'digit':<12} {'predicted':>9} {'score':>9}  {'method':<30} {'Σ R':>10}  {'ledger':<46} {'ms':>7}")
    digits, by_cam = (_told(explained) for explained in (explained_digits(), explained_by_cam()))
    questions = [why(number) for number in (OPEN_FOUR, CLOSED_FOUR)]
    grids = [filters("relu1"), filters("relu2"), filters("relu2", "strongest")]
    blocks = building_blocks("relu2", 5)
    html = report.page(digits, by_cam, questions, one_that_becomes_six(), grids, blocks)
    storage.write_bytes(page, html.encode())
    decisions = [*digits, *by_cam]
    right = sum(digit.predicted == digit.label for digit in decisions)
    worst = max(e.ledger.error for digit in digits for e in digit.explanations if e.ledger is not None)
    methods = {e.method.name for digit in decisions for e in digit.explanations}
    print(f"\n{right} of {len(decisions)} decisions are as labelled; {len(methods)} methods.")
    print(f"The ledgers close to {worst:.1e} of Σ |R| (float32), in {time.perf_counter() - started:.1f} s altogether.")
    print(f"Open {page} in a browser.")


def _told(digits: Iterable[Digit]) -> list[Digit]:
    """The digits, each one printed as soon as it is explained."""
    told = []
    for digit in digits:
        told.append(digit)
        for line in _lines(digit):
            print(line)
    return told


def _lines(digit: Digit) -> Iterator[str]:
    name = f"{digit.source}:{digit.number}"
    mark = "" if digit.predicted == digit.label else f" (a {digit.label})"
    for e in digit.explanations:
        yield (
            f"{name:<12} {digit.predicted:>5}{mark:<4} {digit.scores.max():>9.4f}  {e.method.name:<30} "
            f"{'-' if e.whole is None else f'{e.R.sum():.4f}':>10}  {_books(e):<46} {e.milliseconds:>7.2f}"
        )


def _books(e: Explanation) -> str:
    if e.ledger is None:
        return e.note or ("-" if e.whole is None else f"of {e.whole:.4f}")
    totals = (e.ledger.total(column)[0] for column in ("bias", "stabilizer", "dropped"))
    bias, stabilizer, dropped = (round(total, 4) + 0.0 for total in totals)  # no −0.0000
    return f"bias {bias:+.4f}  ε {stabilizer:+.4f}  dropped {dropped:+.4f}" + (
        f"  open by {100 * e.ledger.gaps[:, 0].max():.2g} %" if e.ledger.open() else ""
    )
