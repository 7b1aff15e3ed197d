"""Feature visualization: an image is climbed along the gradient, by its Fourier coefficients, moved, enlarged and
turned at random in every step. What it reaches is printed beside the highest that any of N held-out images causes: the
network was trained on their like, and what lies far above them it has never met. Grey is what the search has left
alone. Of a single neuron only the window that it sees is shown. Where a closed ReLU lets no gradient through, it leaks;
an image that still does not move is named.

examples:
  nnlite visualize --layer conv2 --channel 7 --out seven.png
  nnlite visualize --layer conv2 --all --examples 1 --out channels.png
  nnlite visualize --neuron conv2:7,3,4 --out neuron.png
  nnlite visualize --class 4 --total-variation 0.1 --out four.png
  nnlite visualize --layer conv2 --channel 7 --count 4 --diversity 30 --out facets.png
"""

import argparse
import sys
from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np

from .. import Network, datasets, models, pictures
from ..model_based.ascent import moved
from ..model_based.channels import all_channels
from ..model_based.dataset_examples import Examples, channel_examples, dataset_examples
from ..model_based.feature_visualization import Visualization, objective, visualize
from ..model_based.objectives import LogProbability
from ..model_based.penalties import TotalVariation, high_frequencies
from ..model_based.receptive_field import receptive_field
from ..model_based.transformations import Jitter, Rotation, Scaling
from . import checks, compiling, outputs
from .options import declare, given

COLUMNS = 8
Picture = tuple[np.ndarray, str]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--layer", help="a layer: with --channel one of its channels, with --all each, alone ‖a‖²")
    what.add_argument("--neuron", metavar="LAYER:INDEX", help="a neuron or a channel, such as conv2:7,3,4 or conv2:7")
    what.add_argument("--class", type=int, dest="class_", metavar="CLASS", help="a class")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--channel", type=int, help="the channel of the layer")
    which.add_argument("--all", action="store_true", help="all channels of the layer, as a sheet")
    declare(parser, "--model", default="lenet")
    declare(parser, "--objective", choices=("score", "log_probability"), default="score", help="of a class")
    declare(parser, "--parameterization", choices=("fourier", "pixels"), default="fourier", help="what is moved")
    declare(parser, "--jitter", default=2, help="moved by up to so many pixels")
    declare(parser, "--scale", default=0.1, help="enlarged by up to this share")
    declare(parser, "--rotate", default=10.0, help="turned by up to so many degrees")
    declare(parser, "--total-variation", default=0.0, help="weight of Σ (differences of neighbours)²")
    declare(parser, "--blur", default=0.0, help="weight of ‖x − blurred x‖²")
    declare(parser, "--count", default=1, help="how many images, each from other noise")
    declare(parser, "--diversity", default=0.0, help="how much they are pushed apart")
    declare(parser, "--steps", default=256, help="steps of Adam")
    declare(parser, "--rate", default=0.05, help="how long a step is")
    declare(parser, "--seed", default=0, help="of the noise and the transformations")
    declare(parser, "--held-out", default=1000, metavar="N", help="compare with so many")
    declare(parser, "--examples", default=0, metavar="N", help="show the N best of them")
    declare(parser, "--no-compile")
    declare(parser, "--out", required=True, help="the picture (.png, .pdf, .svg), or the images themselves (.npy)")


def run(options: argparse.Namespace) -> None:
    """Search, print what was reached beside what held-out images reach, write the picture."""
    checks.figure_output(options.out)
    network = compiling.prepared(checks.network(options.model), options)
    _check(options)
    images = _held_out(network, options.held_out)
    if options.examples and images is None:
        raise ValueError("--examples shows held-out images, and this network has none; leave it out.")
    target, name = _target(options, network)
    settings = _settings(options)
    shown = max(1, options.examples)
    if options.all:
        found = all_channels(network, options.layer, **settings)
        best = None if images is None else channel_examples(network, images, options.layer, shown)
        names = [f"channel {k}" for k in range(len(found.x))]
    else:
        found = visualize(network, target, n=options.count, **settings)
        best = None if images is None else dataset_examples(objective(network, target), images, shown)
        names = [name] * options.count
    _print(names, found, best, images)

    def drawn() -> Any:
        window = receptive_field(network, target)
        panels = _pictures(found, best if options.examples else None, images, options.all)
        together = 1 + options.examples if options.all else 1
        return _drawn([(x[(..., *window)], text) for x, text in panels], name, together)

    outputs.figure_or_array(options.out, found.x, drawn)


def _check(options: argparse.Namespace) -> None:
    if options.objective == "log_probability" and options.class_ is None:
        raise ValueError("--objective log_probability is that of a class; name one with --class.")
    if (options.channel is not None or options.all) and options.layer is None:
        raise ValueError("--channel and --all choose within a layer; name it too, such as --layer conv2.")
    if options.all and options.count != 1:
        raise ValueError("--count makes several images of one thing, and --all one of each channel; leave one out.")
    if options.held_out < 0:
        raise ValueError(f"--held-out takes a number of images from 0, got {options.held_out}.")
    if not 0 <= options.examples <= options.held_out:
        raise ValueError(f"--examples takes 0 to the {options.held_out} images of --held-out, got {options.examples}.")


def _target(options: argparse.Namespace, network: Network) -> tuple[Any, str]:
    """What is climbed, and its name."""
    if options.class_ is not None:
        if options.objective == "score":
            return options.class_, f"score of class {options.class_}"
        return LogProbability(network, options.class_), f"log p({options.class_} | x)"
    if options.neuron is not None:
        return checks.neuron(options.neuron), f"neuron {options.neuron}"
    if options.channel is not None:
        return (options.layer, options.channel), f"channel {options.channel} of {options.layer}"
    return options.layer, f"{'channels' if options.all else '‖a‖²'} of {options.layer}"


def _settings(options: argparse.Namespace) -> dict[str, Any]:
    return given(options, "parameterization", "diversity", "steps", "rate") | {
        "transformations": (Jitter(options.jitter), Scaling(options.scale), Rotation(options.rotate)),
        "penalties": [(options.total_variation, TotalVariation()), (options.blur, high_frequencies())],
        "rng": options.seed,
        "progress": sys.stderr.isatty(),
    }


def _held_out(network: Network, n: int) -> np.ndarray | None:
    """At most n images of the kind that the network was trained on, but not those; None where it does not say."""
    name = network.info.get("dataset")
    if n == 0 or not isinstance(name, str) or models.IMAGES.get(name) != network.input_shape:
        return None
    if name == "strokes":  # no more are drawn than are wanted
        return datasets.strokes(n, seed=models.HELD_OUT_SEED)[0].astype(network.dtype)
    return models.digits(name, "test")[0][:n].astype(network.dtype)


def _print(names: Sequence[str], found: Visualization, best: Examples | None, images: np.ndarray | None) -> None:
    width = max(map(len, names))
    highest = None if best is None else np.broadcast_to(best.value, (len(names), best.value.shape[-1]))[:, 0]
    for i, (name, went) in enumerate(zip(names, moved(found), strict=True)):
        beside = "" if highest is None else f"   highest held-out {highest[i]:9.4g}"
        still = "" if went else "   the image did not move: it has no gradient, even where ReLUs leak"
        print(f"{name:<{width}}   reached {found.activation[i]:9.4g}{beside}{still}")
    print(f"held out   {'no images to compare with' if images is None else f'{len(images)} images'}")


def _pictures(found: Visualization, best: Examples | None, images: np.ndarray | None, each: bool) -> list[Picture]:
    """The images with what they reach; held-out ones after all of them, or after each where it is a channel."""
    made = []
    for k, (x, value, went) in enumerate(zip(found.x, found.activation, moved(found), strict=True)):
        text = f"{value:.3g}" if went else f"{value:.3g}, unmoved"
        made.append((x, f"{k}: {text}" if each else f"reached {text}"))
    if best is None or images is None:
        return made
    rows = best if each else Examples(best.index[None], best.value[None])
    examples = [
        [(images[i], f"held-out {i}: {value:.3g}") for i, value in zip(*row, strict=True)]
        for row in zip(rows.index, rows.value, strict=True)
    ]
    return [p for one, own in zip(made, examples, strict=True) for p in (one, *own)] if each else made + examples[0]


def _grid(n: int, together: int = 1) -> tuple[int, int]:
    """Rows and columns for n pictures: rows of one length, and so many `together` stay in one of them.

    >>> _grid(16), _grid(10), _grid(20, together=2), _grid(32, together=4), _grid(10, together=10)
    ((2, 8), (2, 5), (3, 8), (4, 8), (1, 10))
    """
    groups = n // together
    rows = ceil(groups / max(1, COLUMNS // together))
    return rows, ceil(groups / rows) * together


def _drawn(panels: Sequence[Picture], title: str, together: int = 1) -> Any:
    """The pictures in rows, what they reach above them."""
    import matplotlib.pyplot as plt

    rows, columns = _grid(len(panels), together)
    figure, axes = plt.subplots(
        rows, columns, figsize=(max(3.2, 1.5 * columns), 1.75 * rows + 0.4), layout="constrained", squeeze=False
    )
    for ax in axes.flat:
        ax.axis("off")
    for ax, (x, text) in zip(axes.flat, panels):  # noqa: B905 (the last row may have places left)
        pictures.image(x, ax, title=text).title.set_fontsize(8)
    figure.suptitle(title, fontsize=10)
    return figure
