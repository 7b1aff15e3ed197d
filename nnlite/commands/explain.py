"""explain the network's decision on one digit

IMAGE is a PNG, JPEG or .npy of any size, dark on light or light on dark, or the number of a held-out digit: uci:17,
strokes:4, mnist-test:3. It is brought to the network's format the way MNIST was: the digit in its box, centred by
mass. The picture shows what the network saw beside the heatmap: red raised the score, blue lowered it.

examples:
  nnlite explain digit.png --out heat.png
  nnlite explain uci:17 --model tiny --method lrp-epsilon --out heat.png
  nnlite explain strokes:4 --method lrp-gamma --target 9 --out relevance.npy
"""

import argparse
import io
from pathlib import Path

import numpy as np

from .. import Network, plots, storage
from ..decision_based import lrp
from ..decision_based.registry import METHODS
from ..decision_based.registry import explain as compute
from ..training import softmax
from . import checks


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("image", metavar="IMAGE", help="a picture, or the number of a digit as in uci:17")
    parser.add_argument("--model", default="lenet", help="a network by name, or a saved .npz (default: lenet)")
    parser.add_argument(
        "--method", default="lrp-montavon2019", metavar="METHOD",
        help=f"one of {', '.join(METHODS)} (default: lrp-montavon2019)",
    )  # fmt: skip
    parser.add_argument("--target", type=int, help="the class to explain (default: the predicted one)")
    ink = parser.add_mutually_exclusive_group()
    ink.add_argument(
        "--invert", action="store_true", default=None, help="the digit is dark on light (default: found out)"
    )
    ink.add_argument("--no-invert", action="store_false", dest="invert", help="the digit is light on dark")
    parser.add_argument("--folder", help="where MNIST lies (default: $NNLITE_DATA, or ~/.cache/nnlite)")
    parser.add_argument(
        "--out", required=True, type=Path, help="the picture (.png, .pdf, .svg), or the relevance itself (.npy)"
    )


def run(options: argparse.Namespace) -> None:
    """Explain, print the decision and its books, write the picture."""
    checks.output(options.out, {".png", ".pdf", ".svg", ".npy"})
    if options.method not in METHODS:
        raise ValueError(f"--method takes one of {', '.join(METHODS)}, and {options.method} came.")
    network = checks.network(options.model)
    grey, label = checks.grey_digit(options.image, options.folder)
    x = checks.to_network(grey, network, options.invert, known=label is not None)
    scores = network.scores(x)
    R = compute(options.method, network, x, options.target)
    predicted = int(scores[0].argmax())
    target = predicted if options.target is None else options.target
    print(f"image      {options.image}" + ("" if label is None else f", a {label}"))
    print(f"predicted  {predicted}, probability {softmax(scores)[0, predicted]:.4f}")
    print(f"explained  score of class {target} = {scores[0, target]:.6f}")
    print(f"method     {options.method}: {METHODS[options.method].formula}")
    print(f"Σ R        {R.sum():.6f}")
    if METHODS[options.method].rules is not None:
        print(lrp.ledger(network, x, options.target, rules=METHODS[options.method].rules))
    if options.out.suffix.lower() == ".npy":
        _save_relevance(options.out, R)
    else:
        _draw(options, network, x, R, target, float(scores[0, target]))
    print(f"written    {options.out}")


def _save_relevance(path: Path, R: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.save(buffer, R, allow_pickle=False)
    storage.write_bytes(path, buffer.getvalue())


def _draw(
    options: argparse.Namespace, network: Network, x: np.ndarray, R: np.ndarray, target: int, score: float
) -> None:
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.8), layout="constrained")
    left.imshow(x[0, 0], cmap="gray", vmin=0, vmax=1)
    left.set_title(f"what the network saw\npredicted {int(network.predict(x)[0])}", fontsize=10)
    left.set_xticks([])
    left.set_yticks([])
    plots.heatmap(R[0], right, score=score, title=f"why {target}?  {options.method}")
    buffer = io.BytesIO()
    figure.savefig(buffer, format=options.out.suffix[1:].lower(), dpi=150)
    plt.close(figure)
    storage.write_bytes(options.out, buffer.getvalue())
