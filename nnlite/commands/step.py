"""METHOD is one that walks the network once, from the score to the pixels: LRP with any rule, gradient, guided
backpropagation, DeConvNet, DeepLIFT, excitation backpropagation. For each layer, from the top: where the relevance
went; where branches meet, what each was given; then each step with its formula, the numbers put in (the largest terms
first, and what the others come to), and the line of code that computes it. Without --j and --k the path of the
strongest signal is shown. --html writes the same as one page to click through. It runs in NumPy, which is quicker for
one walk, unless NNLITE_BACKEND is set.

examples:
  nnlite step lrp-gamma --model tiny --input uci:4 --target 4
  nnlite step lrp-gamma --input uci:4 --layer dense2 --k 4 --j 3 --top 5
  nnlite step lrp-gamma --input uci:17 --compare lrp-epsilon
  nnlite step lrp-montavon2019 --model lenet --input strokes:4 --html steps.html
"""

import argparse
import shutil
from pathlib import Path

import numpy as np

from .. import storage
from ..stepper import WALKS, comparison, page, record, text
from ..stepper.terminal import WIDTH
from . import checks, compiling
from .options import declare


def arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("method", metavar="METHOD", help=f"one of {', '.join(WALKS)}")
    declare(parser, "--model", default="tiny")
    declare(parser, "--input", default="uci:17", metavar="IMAGE", help="a picture, or a number such as uci:17")
    declare(parser, "--target")
    parser.add_argument("--layer", help="show only this layer")
    parser.add_argument("--j", type=int, help="the input to show, counted row by row from 0")
    parser.add_argument("--k", type=int, help="the output to show, counted row by row from 0")
    declare(parser, "--top", default=3, help="how many terms of a sum are shown")
    parser.add_argument("--compare", metavar="METHOD", help="another method, side by side with the first")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one self-contained page instead")
    declare(parser, "--folder")


@compiling.in_numpy()
def run(options: argparse.Namespace) -> None:
    """Record the walk, then print it or write the page."""
    if options.top < 1:
        raise ValueError(f"--top takes a positive number of terms, got {options.top}.")
    if options.html is not None:
        checks.output(options.html, {".html"}, "--html")
    network = checks.network(options.model)
    x, label = checks.picture(options.input, network, folder=options.folder)
    methods = [options.method, *([options.compare] if options.compare else [])]
    traces = [record(method, network, x.astype(np.float64), options.target) for method in methods]
    at = {"layer": options.layer, "j": options.j, "k": options.k}
    width = min(WIDTH, max(60, shutil.get_terminal_size((WIDTH, 24)).columns))
    if options.html is not None:
        what = f"{options.model} on {options.input}"
        storage.write_bytes(options.html, page(*traces, title=what, **at).encode())
        print(f"written    {options.html}")
    elif options.compare:
        print(comparison(*traces, **at, width=width))
    else:
        known = "" if label is None else f", a {label}"
        shown = text(traces[0], **at, top=options.top, width=width)
        print(f"{options.model} on {options.input}{known}, predicted {traces[0].predicted}", shown, sep="\n")
