"""IMAGE is a picture or the number of a digit, as for `nnlite explain`; also letters:3, a letter that no network has
been trained on. --model takes a network with dropout (its draws are a family of networks), "ensemble" (five networks of
five seeds), or lenet_evidential (one network that says how much evidence it has). The picture shows where the
explanations of the family agree: red raised the score in all, blue lowered it in all, grey they do not agree.

examples:
  nnlite uncertainty strokes:54 --out u.png
  nnlite uncertainty strokes:54 --model ensemble --method lrp-montavon2019 --out u.png
  nnlite uncertainty strokes:54 --rotate 90 --draws 200 --out maps.npy
  nnlite uncertainty letters:5 --model lenet_evidential --out u.png
"""

import argparse
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from .. import Network, models, pictures
from ..datasets.letters import LETTERS, letters
from ..decision_based.registry import MEANINGS, METHODS, divided, explain
from ..uncertainty import Networks, Prediction, dropout_draws, predict
from ..uncertainty.evidential import evidence
from ..uncertainty.explanations import explanations
from ..uncertainty.panels import picture
from ..uncertainty.shifts import rotated
from . import checks, outputs
from .options import check_method, declare

DRAWS = 50
EVIDENTIAL = "lenet_evidential"
SURE = 0.95


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("image", metavar="IMAGE", help="a picture, or a number as in strokes:54 or letters:3")
    declare(
        parser, "--model", default="lenet_dropout",
        help='"ensemble", or a network with dropout or an evidential one, by name or as .npz',
    )  # fmt: skip
    declare(parser, "--method", default="lrp-epsilon", help="as for `nnlite explain`")
    parser.add_argument("--draws", type=int, help=f"how many draws of the dropout, from 2 (default: {DRAWS})")
    parser.add_argument("--seed", type=int, help="of the draws (default: 0)")
    declare(parser, "--target")
    parser.add_argument("--rotate", type=float, default=0.0, metavar="DEGREES", help="turn the digit first")
    declare(parser, "--folder")
    declare(parser, "--out", required=True, help="the picture (.png, .pdf, .svg), or the maps themselves (.npy)")


def run(options: argparse.Namespace) -> None:
    """Predict, explain, print how sure both are, write the picture."""
    checks.figure_output(options.out)
    check_method(options.method)
    networks = _family(options)
    x, label = _picture(options, networks[0])
    x = rotated(x, options.rotate) if options.rotate else x
    said, maps, draw = (_evidence if _is_evidential(networks[0]) else _spread)(options, networks, x)
    turned = f", turned by {options.rotate:g} degrees" if options.rotate else ""
    print(f"image      {options.image}" + ("" if label is None else f", a {label}") + turned)
    print("\n".join(said))
    outputs.figure_or_array(options.out, maps, draw)


def _family(options: argparse.Namespace) -> Networks:
    """The networks that --model, --draws and --seed name."""
    network = None if options.model == "ensemble" else checks.network(options.model)
    if network is None or _is_evidential(network):
        if options.draws is not None or options.seed is not None:
            raise ValueError(f"--draws and --seed go with a network that has dropout; {options.model} draws nothing.")
        return models.ensemble() if network is None else (network,)
    draws = DRAWS if options.draws is None else options.draws
    if draws < 2:
        raise ValueError(f"--draws takes 2 or more, for one draw alone agrees with itself; got {draws}.")
    return dropout_draws(network, draws, rng=0 if options.seed is None else options.seed)


def _is_evidential(network: Network) -> bool:
    return network.info.get("model") == EVIDENTIAL


def _picture(options: argparse.Namespace, network: Network) -> tuple[np.ndarray, Any]:
    """The picture for the network and its label, where it is known: also a letter of letters:NUMBER."""
    match = re.fullmatch(r"letters:([0-9]{1,18})", options.image)
    if match is None:
        return checks.picture(options.image, network, folder=options.folder)
    x, labels = letters(1, seed=models.HELD_OUT_SEED, start=int(match[1]))
    return checks.to_network(x[0, 0].astype(np.float64), network, known=True), LETTERS[labels[0]]


Answer = tuple[list[str], np.ndarray, Callable[[], Any]]
"""The lines to print, the maps (T, 1, ...), and what draws the picture."""


def _spread(options: argparse.Namespace, networks: Networks, x: np.ndarray) -> Answer:
    """A family of networks: what it predicts, and its explanations."""
    said = predict(networks, x)
    R = explanations(networks, x, options.method, options.target)
    c = int(np.ravel(R.target)[0])
    method, scores = METHODS[options.method], np.array([network.scores(x)[0, c] for network in networks])
    lines = [
        f"networks   {len(networks)}, {'an ensemble' if options.model == 'ensemble' else 'draws of ' + options.model}",
        *_prediction(said),
        f"explained  score of class {c} = {scores.mean():.4f} ± {scores.std():.4f}",
        f"method     {options.method}: {method.formula}",
        f"a map is   {MEANINGS[method.meaning]}",
    ]
    wholes = [whole for network in networks if (whole := divided(method.meaning, network, x, c)) is not None]
    if wholes:
        lines.append(f"Σ R̄        {R.mean.sum():.4f} of {np.mean(wholes):.4f}, the mean over the networks")
    size = np.abs(R.mean)
    share = size[R.agreement >= SURE].sum() / (size.sum() or 1)
    lines.append(f"sure       {share:.0%} of Σ |R̄| lies where at least {SURE:.0%} of the networks agree on the sign")
    k = 1 if networks[0].is_binary else c  # one score: that of class 1
    title = f"why {k}?  p = {said.mean[0, k]:.2f} ± {said.std[0, k]:.2f}    {options.method}"
    return lines, R.maps, lambda: picture(R, x, title=title)


def _prediction(said: Prediction) -> list[str]:
    mean, std = said.mean[0], said.std[0]
    first, second = np.argsort(mean)[:-3:-1]
    return [
        f"predicted  {first}, probability {mean[first]:.4f} ± {std[first]:.4f}",
        f"next       {second}, probability {mean[second]:.4f} ± {std[second]:.4f}",
        f"entropy    {said.entropy[0]:.4f} of at most {np.log(len(mean)):.4f} nats",
        f"  of it    {said.expected_entropy[0]:.4f} because the networks are undecided",
        f"           {said.mutual_information[0]:.4f} because they disagree (mutual information)",
    ]


def _evidence(options: argparse.Namespace, networks: Networks, x: np.ndarray) -> Answer:
    """One evidential network: its beliefs and its explanation. There is no second map to compare with."""
    (network,) = networks
    found = evidence(network, x)
    belief, u, p = found.belief[0], float(found.uncertainty[0]), found.probabilities[0]
    c = int(p.argmax()) if options.target is None else options.target
    R = explain(network, x, options.method, c)
    lines = [
        f"network    {options.model}, one: its explanation has no spread",
        f"predicted  {p.argmax()}, probability {p.max():.4f}",
        "belief     " + "  ".join(f"{k}: {b:.3f}" for k, b in enumerate(belief)),
        f"u          {u:.4f} of 1: the belief that no class has",
        f"explained  score of class {c} = {network.scores(x)[0, c]:.4f}, by {options.method}",
    ]
    return lines, R[None], lambda: _draw_evidence(x, R[0], belief, u, f"why {c}?  {options.method}")


def _draw_evidence(x: np.ndarray, R: np.ndarray, belief: np.ndarray, u: float, title: str) -> Any:
    import matplotlib.pyplot as plt

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(12, 3.8), layout="constrained")
    pictures.image(x[0], left, title="what the network saw")
    names = [*map(str, range(len(belief))), "u"]
    middle.bar(names, [*belief, u], color=[*["#2171b5"] * len(belief), "#777777"])
    middle.set_ylim(0, 1)
    middle.set_title(f"belief in each class, and in none: u = {u:.2f}", fontsize=10)
    pictures.heatmap(R, right, title=title)
    return figure
