"""Activation maximization in the slides' three forms. general: log p(class | x) − weight · ‖x‖², and the network
becomes sure of what looks like nothing. expert: log p(class | x) + weight · log p(x), a density of stroke digits. code:
the score of g(z) − weight · ‖z‖², with a generator g. The picture shows the start beside the result. A judge, a second
network without a part in the search, says what it sees there.

examples:
  nnlite maximize --class 4 --out four.png
  nnlite maximize --class 4 --form expert --expert ppca --weight 0.05 --start noise --out four.png
  nnlite maximize --class all --form code --generator vae --out digits.png --film digits.gif
  nnlite maximize --class 3,8 --model tiny --start image --out both.npy
"""

import argparse
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from .. import Network, models
from ..model_based import experts, generators
from ..model_based.activation_maximization import general, in_code_space, with_expert
from ..model_based.ascent import moved
from ..model_based.prototype import OBJECTIVES, Prototype
from ..model_based.starts import STARTS, Images
from ..pictures import sheet
from . import checks, compiling, outputs
from .options import declare, given
from .prototypes import JUDGES, Judgement, judged

FORMS: dict[str, tuple[Callable[..., Prototype], str]] = {
    "general": (general, "{f} − {weight:g} · ‖x{centre}‖²"),
    "expert": (with_expert, "{f} + {weight:g} · log p(x), {expert}"),
    "code": (in_code_space, "{f} − {weight:g} · ‖z‖², x = g(z), {generator}"),
}
SYMBOLS = {"log_probability": "log p(class | x)", "score": "score(x)"}
FRAMES = 50


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--class", required=True, dest="classes", metavar="CLASS", help="a class, several as in 4,9, or all"
    )
    declare(parser, "--form", choices=FORMS, default="general", help="which of the three")
    parser.add_argument(
        "--start", choices=STARTS, help="where the search begins: random noise, a random image of the class, the mean "
        "image of the class; in code space their codes (default: noise; expert and code: mean)",
    )  # fmt: skip
    declare(parser, "--model", default="lenet")
    parser.add_argument(
        "--expert", help=f"one of {', '.join(experts.NAMES)}, or a saved .npz; with --form expert (default: ppca)"
    )
    parser.add_argument(
        "--generator", help=f"one of {', '.join(generators.NAMES)}, or a saved .npz; with --form code (default: vae)"
    )
    parser.add_argument("--weight", type=float, help="of the second term (default: general 0.001, expert 1, code 0.2)")
    declare(parser, "--objective", choices=OBJECTIVES, help="of the first term (default: log_probability; code: score)")
    parser.add_argument("--steps", type=int, help="steps of Adam (default: 200)")
    parser.add_argument("--rate", type=float, help="how long a step is (default: 0.05)")
    parser.add_argument("--jitter", type=int, help="the image is moved by up to so many pixels (default: 0)")
    parser.add_argument(
        "--blur", type=float, help="it is smoothed by so many pixels after each step; not in code space (default: 0)"
    )
    declare(parser, "--seed", default=0, help="of noise, image and jitter")
    declare(parser, "--judge", help="a network by name, or a saved .npz (default: lenet-1, if it takes such images)")
    declare(parser, "--no-compile")
    parser.add_argument("--film", type=Path, metavar="FILE", help="the way from the start to the result (.gif)")
    declare(parser, "--out", required=True, help="the picture (.png, .pdf, .svg), or the images themselves (.npy)")


def run(options: argparse.Namespace) -> None:
    """Search, print how sure the networks are, write the picture."""
    checks.figure_output(options.out)
    if options.film is not None:
        checks.output(options.film, {".gif"}, "--film")
    network = compiling.prepared(checks.network(options.model), options)
    checks.grey_shape(network)
    judge = _judge(options, network)
    found, climbed = _searched(options, network)
    verdict = None if judge is None else judged(checks.network(judge, "--judge"), found.x)
    print(f"climbed    {climbed}")
    went = moved(found)
    for n, c in enumerate(found.classes):
        p = f"p {found.start_probability[n]:.4f} → {found.probability[n]:.4f}"
        says = "" if verdict is None else f"; {judge} says {verdict[n]}"
        still = "" if went[n] else "; the image did not move: it has no gradient"
        print(f"class {c:<4} {p}, score {found.score[n]:.2f}{says}{still}")
    if options.film is not None and found.trajectory is not None:
        outputs.film(options.film, _frames(found.trajectory))
        print(f"written    {options.film}")
    outputs.figure_or_array(options.out, found.x, lambda: _drawn(found, climbed, judge, verdict))


def _searched(options: argparse.Namespace, network: Network) -> tuple[Prototype, str]:
    """What the search comes to, and what was climbed, in words."""
    form, formula = FORMS[options.form]
    chosen = given(options, "start", "weight", "objective", "steps", "rate", "jitter", "blur")
    if options.form == "code" and "blur" in chosen:
        raise ValueError("--blur smooths what is searched, and in code space that is a code; leave it out.")
    for name, its_form in (("expert", "expert"), ("generator", "code")):
        if getattr(options, name) is not None and options.form != its_form:
            raise ValueError(f"--{name} goes with --form {its_form}, and the form is {options.form}; leave one out.")
    expert, generator = options.expert or "ppca", options.generator or "vae"
    settings = {name: one.default for name, one in inspect.signature(form).parameters.items()} | chosen
    what: tuple[Any, ...] = (network, _classes(options.classes))
    if options.form == "expert":
        what += (_expert(expert),)
    if options.form == "code":
        what += (generators.load(generator),)
    images = _images(network) if settings["start"] != "noise" else None
    keep, progress = options.film is not None, sys.stderr.isatty()
    found = form(*what, **chosen, images=images, rng=options.seed, keep=keep, progress=progress)
    climbed = formula.format(
        f=SYMBOLS[settings["objective"]],
        weight=settings["weight"],
        centre=" − mean" if settings["start"] == "mean" else "",
        expert=expert,
        generator=generator,
    )
    return found, f"{climbed}, from {settings['start']}"


def _classes(text: str) -> str | list[int]:
    if text == "all":
        return text
    parts = text.split(",")
    if not all(part.strip().isdecimal() and len(part) < 9 for part in parts):
        raise ValueError(f"--class takes a class such as 4, several as in 4,9, or all; got {text}.")
    return [int(part) for part in parts]


def _expert(name: str) -> experts.Expert:
    if name in experts.NAMES:
        return experts.fitted(name, progress=sys.stderr.isatty())
    checks.saved(name, "--expert", experts.NAMES, "one")
    return experts.load(name)


def _images(network: Network) -> Images | None:
    """Digits of the network's size where the stroke digits are of another."""
    fitting = [name for name, shape in models.IMAGES.items() if shape == network.input_shape]
    return models.digits(fitting[0], "train") if fitting and "strokes" not in fitting else None


def _judge(options: argparse.Namespace, network: Network) -> str | None:
    """The name of the judge: a network that does not take part."""
    if options.judge is None:
        if network.input_shape != models.IMAGES["strokes"]:
            return None
        return next(name for name in JUDGES if name != options.model)
    if options.judge == options.model:
        raise ValueError(f"--judge takes a network without a part in the search, and {options.judge} is searched in.")
    shape = checks.network(options.judge, "--judge").input_shape
    if shape != network.input_shape:
        raise ValueError(
            f"--judge takes a network of the same images, {network.input_shape}, and {options.judge} takes {shape}."
        )
    return str(options.judge)


def _frames(trajectory: np.ndarray) -> list[np.ndarray]:
    """At most FRAMES moments of the way; all classes side by side."""
    moments = np.linspace(0, len(trajectory) - 1, min(FRAMES, len(trajectory))).round().astype(int)
    return [sheet(trajectory[t], columns=min(5, trajectory.shape[1]), gap=1.0)[0] for t in moments]


def _drawn(found: Prototype, climbed: str, judge: str | None, verdict: list[Judgement] | None) -> Any:
    """Start and result, side by side for one class, else above each other."""
    import matplotlib.pyplot as plt

    n = len(found.classes)
    rows, columns = (1, 2) if n == 1 else (2, n)
    side = 3.2 if n == 1 else 1.45
    figure, axes = plt.subplots(
        rows, columns, figsize=(max(columns * side, 6.4), rows * (side + 0.45) + 0.4), layout="constrained"
    )
    for i, column in enumerate(axes.reshape(2, n).T):
        c = found.classes[i]
        says = "" if verdict is None else f"{judge}: {verdict[i]}"
        below = (f"p({c}) = {found.start_probability[i]:.4f}", f"p({c}) = {found.probability[i]:.4f}\n{says}")
        for ax, x, name, text in zip(column, (found.start[i], found.x[i]), ("start", "result"), below, strict=True):
            ax.imshow(x[0], cmap="gray", vmin=0, vmax=1)
            ax.set_xlabel(text, fontsize=10 if n == 1 else 8)
            ax.set_xticks([])
            ax.set_yticks([])
            if n == 1:
                ax.set_title(name, fontsize=10)
            elif i == 0:
                ax.set_ylabel(name, fontsize=10)
    figure.suptitle(climbed, fontsize=10)
    return figure
