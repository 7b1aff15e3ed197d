"""nnlite beside torch, captum, zennit and jax on a processor: time, memory, the start, and how cost grows.

    python -m tests.benchmarks                         everything (about five minutes)
    python -m tests.benchmarks --only lrp --batch 1    the rows whose name holds "lrp", at batch 1
    python -m tests.benchmarks --heavy                 VGG-16 and a whole training too (minutes more, and gigabytes)

Run it from the top of the repository. What is not installed is left out. The pieces:

    cases.py       the rows: sizes, targets, tolerances
    workloads.py   the networks and inputs that every framework is given
    ours.py  in_torch.py  in_jax.py    the sides of each row
    frameworks.py  who takes part, and the processes  (worker.py is what runs in them)
    timing.py      results compared, then interleaved rounds
    start.py       from the imports to a first map, in fresh processes  (first_map.py)
    growth.py      exponents
    report.py  figure.py
"""

import argparse
import sys
from pathlib import Path

from . import cases, growth, start
from .figure import draw
from .frameworks import Failed, missing
from .report import HEAD, Report, growth_text, lines, start_lines
from .timing import Processes, Unequal, measure, processes


def main(arguments: list[str] | None = None) -> int:
    """Measure and report; 1 where results differed or something failed, else 0."""
    options = _options(arguments)
    rows = cases.chosen(options.only, tuple(options.batch), options.heavy)
    axes = growth.chosen(options.only)
    report = Report({name: value for name, value in vars(options).items() if name not in ("json", "figure")})
    report.missing = missing()
    print(report.facts(), HEAD, sep="\n\n", flush=True)
    for threads in options.threads:
        if len(options.threads) > 1:
            print(f"threads {threads}")
        with processes(threads) as running:
            _measure_rows(rows, threads, running, options.rounds, report)
            if threads == options.threads[0]:
                _measure_growth(axes, running, options.rounds, report)
    if options.only in start.KEY:
        _measure_start(options.rounds, report)
    if report.growth:
        print("", growth_text(report.growth), sep="\n")
    print("", *report.errors, report.summary, sep="\n")
    if options.json:
        options.json.write_text(report.json())
    if options.figure and report.lines:
        draw(report.lines, options.figure)
    return 1 if report.errors else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", default="", metavar="WORD", help="the rows, axes and start whose name holds WORD")
    parser.add_argument("--batch", type=int, nargs="+", default=[], metavar="N", help="other batches than 1 and 256")
    parser.add_argument("--rounds", type=int, default=7, help="how often everybody's turn comes (default: 7)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], help="numbers of threads (default: 1)")
    parser.add_argument("--heavy", action="store_true", help="occlusion of VGG-16 and a whole training too")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw the ratios, as .png or .svg")
    return parser.parse_args(arguments)


def _measure_rows(rows: list[cases.Row], threads: int, running: Processes, rounds: int, report: Report) -> None:
    for row in rows:
        for size in row.sizes:
            try:
                times, off = measure(row, size, running, 1 if row.heavy else rounds)
            except (Unequal, Failed) as error:
                _failed(f"{row.label(size)}: {error}", report)
                continue
            found = lines(row, size, threads, times, off)
            report.lines += found
            for line in found:
                print(line, flush=True)


def _measure_growth(axes: list[growth.Axis], running: Processes, rounds: int, report: Report) -> None:
    for axis in axes:
        try:
            report.growth += growth.grow(axis, running, rounds)
        except (Unequal, Failed) as error:
            _failed(f"{axis.title}: {error}", report)


def _measure_start(rounds: int, report: Report) -> None:
    try:
        found = start_lines(start.measure(rounds), start.commands())
    except (Unequal, Failed) as error:
        _failed(f"{start.KEY}: {error}", report)
        return
    report.lines += found
    print(*found, sep="\n", flush=True)


def _failed(why: str, report: Report) -> None:
    report.errors.append(f"ERROR {why}")
    print(report.errors[-1], flush=True)


if __name__ == "__main__":
    sys.exit(main())
