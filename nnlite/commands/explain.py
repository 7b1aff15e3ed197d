"""IMAGE is a PNG, JPEG or .npy of any size, dark on light or light on dark, or the number of a held-out digit: uci:17,
strokes:4, mnist-test:3. It is brought to the network's format the way MNIST was: the digit in its box, centred by mass.
For a network in colour it is any picture, or textures:3: its middle is scaled to the network's size. The picture shows
what the network saw beside the heatmap: red raised the score, blue lowered it. A method that walks the network once,
such as any LRP, runs in NumPy, which is quicker for one walk, unless NNLITE_BACKEND is set.

examples:
  nnlite explain digit.png --out heat.png
  nnlite explain uci:17 --model tiny --method lrp-epsilon --out heat.png
  nnlite explain strokes:54 --method lrp-gamma --target 9 --out relevance.npy
  nnlite explain photo.jpg --model colour_net --out heat.png
  nnlite explain strokes:4 --method deconvnet --neuron conv2:7 --out filter.png
  nnlite explain strokes:4 --method lrp-epsilon --at relu2 --out hidden.npy
"""

import argparse
from typing import Any

import numpy as np

from .. import pictures
from ..decision_based import lrp
from ..decision_based.registry import MEANINGS, METHODS, Method, divided, explain
from ..decision_based.target import explained
from ..stepper import WALKS
from ..training import softmax
from . import checks, compiling, outputs
from .options import check_method, declare


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("image", metavar="IMAGE", help="a picture, or a number as in uci:17, textures:3")
    declare(parser, "--model", default="lenet")
    declare(parser, "--method", default="lrp-montavon2019", help=f"one of {', '.join(METHODS)}")
    what = parser.add_mutually_exclusive_group()
    declare(what, "--target")
    what.add_argument(
        "--neuron", metavar="LAYER:INDEX", help="explain a hidden neuron instead, such as conv2:7 or conv2:7,3,4"
    )
    parser.add_argument("--at", metavar="LAYER", help="not which pixels, but which activations above this layer")
    ink = parser.add_mutually_exclusive_group()
    ink.add_argument(
        "--invert", action="store_true", default=None, help="the digit is dark on light (default: found out)"
    )
    ink.add_argument("--no-invert", action="store_false", dest="invert", help="the digit is light on dark")
    declare(parser, "--folder")
    declare(parser, "--out", required=True, help="the picture (.png, .pdf, .svg), or the relevance itself (.npy)")


def run(options: argparse.Namespace) -> None:
    """Explain, print the decision and its books, write the picture."""
    checks.figure_output(options.out)
    check_method(options.method)
    with compiling.in_numpy(options.method in WALKS):
        _run(options, METHODS[options.method])


def _run(options: argparse.Namespace, method: Method) -> None:
    network = checks.network(options.model)
    x, label = checks.picture(options.image, network, options.invert, options.folder)
    f = explained(network, x, options.target if options.neuron is None else checks.neuron(options.neuron))
    ledger = None if method.rules is None else lrp.ledger(network, x, f.target, rules=method.rules)
    if ledger is not None and options.at is None:
        R = ledger.relevances[0]
    else:
        R = explain(network, x, options.method, f.target, at=options.at)
    scores = network.scores(x)
    one = scores.shape[1:] == (1,)
    if one and not network.is_binary:
        predicted = f"the one output, {scores[0, 0]:.4f}"
    else:
        c = int(network.predict(x)[0])
        predicted = f"{c}, probability {softmax(network.class_scores(scores))[0, c]:.4f}"
    what = f"neuron {options.neuron}" if options.neuron else "the one output" if one else f"class {f.target[0]}"
    print(f"image      {options.image}" + ("" if label is None else f", a {label}"))
    print(f"predicted  {predicted}")
    print(f"explained  score of {what} = {f.score[0]:.6f}")
    print(f"method     {options.method}: {method.formula}")
    print(f"its map is {MEANINGS[method.meaning]}")
    whole = divided(method.meaning, network, x, f.target)
    if whole is not None and options.at is None:
        print(f"Σ R        {R.sum():.6f} of {whole[0]:.6f}")
    note = "" if method.note is None or options.at else method.note(network, x, f.target)[0]
    if note:
        print(f"note       {note}")
    if ledger is not None:
        print(ledger)
    shown = (x, predicted.partition(",")[0], R, float(f.score[0]), f"why {what}?  {options.method}")
    outputs.figure_or_array(options.out, R, lambda: _drawn(*shown))


def _as_picture(R: np.ndarray) -> np.ndarray:
    """A map with many channels as their sum, a vector as one row."""
    return R.sum(axis=0) if R.ndim == 3 else np.atleast_2d(R)


def _drawn(x: np.ndarray, predicted: str, R: np.ndarray, score: float, title: str) -> Any:
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
    pictures.image(x[0], left, title=f"what the network saw\npredicted {predicted}")
    over = x[0] if len(x[0]) == 3 and R.shape[2:] == x.shape[2:] else None
    pictures.heatmap(_as_picture(R[0]), right, score=score, title=title, over=over)
    return figure
