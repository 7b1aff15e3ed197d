"""Draw lessons/figures/uncertainty.png and uncertainty-map.png, and print the table: does uncertainty mean something?

Digits are turned, faded into one another and into noise; letters and noise are no digits at all. Every number is a mean
over held-out digits (strokes of seed 1).
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.offsetbox import AnnotationBbox, OffsetImage

from nnlite import models
from nnlite.datasets import LETTERS, letters, strokes
from nnlite.uncertainty import auroc, blended, dropout_draws, evidence, explain, noise, picture, predict, rotated

FIGURES = Path(__file__).parents[1] / "lessons" / "figures"
N = 200
ONE = 31
"""The digit that is turned alone: a 1, as in Sensoy et al. 2018, fig. 1."""
EXAMPLE = 74
"""Which of the N digits stands on the axes of B."""
UNSURE = 54
"""The digit whose explanation is drawn: a 4 whose closed top makes it nearly a 9."""
ANGLES = tuple(range(0, 181, 10))
STEPS = tuple(np.linspace(0, 1, 11))

SOFTMAX = (models.load("lenet"),)
DROPOUT = dropout_draws(models.load("lenet_dropout"), 50)
ENSEMBLE = models.ensemble()
EVIDENTIAL = models.load("lenet_evidential")

STYLES = {
    "softmax H": ("#888888", "-"),
    "softmax 1 − p": ("#888888", ":"),
    "dropout H": ("#2171b5", "-"),
    "dropout I": ("#2171b5", "--"),
    "dropout 1 − p": ("#2171b5", ":"),
    "ensemble H": ("#cb181d", "-"),
    "ensemble I": ("#cb181d", "--"),
    "ensemble 1 − p": ("#cb181d", ":"),
    "evidential u": ("#238b45", "-"),
    "evidential 1 − p": ("#238b45", ":"),
}
"""Colour: which networks. Line: H predictive entropy and u solid, I mutual information dashed, 1 − max p dotted."""


def measures(x: np.ndarray) -> dict[str, np.ndarray]:
    """Every measure of uncertainty (N,), each from 0 to 1: entropies are divided by log 10."""
    found = {}
    for name, networks in (("softmax", SOFTMAX), ("dropout", DROPOUT), ("ensemble", ENSEMBLE)):
        said = predict(networks, x)
        found[f"{name} H"] = said.entropy / np.log(10)
        found[f"{name} I"] = said.mutual_information / np.log(10)
        found[f"{name} 1 − p"] = 1 - said.mean.max(axis=1)
    belief = evidence(EVIDENTIAL, x)
    found["evidential u"] = belief.uncertainty
    found["evidential 1 − p"] = 1 - belief.probabilities.max(axis=1)
    return {name: found[name] for name in STYLES}


def right(x: np.ndarray, labels: np.ndarray) -> float:
    """The accuracy of the ensemble."""
    return float((predict(ENSEMBLE, x).classes == labels).mean())


def thumbnails(ax: plt.Axes, places: tuple[float, ...], images: np.ndarray) -> None:
    """Pictures below an axis, where its numbers stand."""
    for at, image in zip(places, images, strict=True):
        box = OffsetImage(1 - image[0], cmap="gray", zoom=0.85, norm=mpl.colors.Normalize(0, 1))
        ax.add_artist(AnnotationBbox(box, (at, 0), (0, -28), ax.get_xaxis_transform(), "offset points", frameon=False))
    ax.set_xticks(places)
    ax.tick_params(axis="x", labelsize=8)
    ax.set_ylim(0, 1.02)


def draw_one(axes: np.ndarray) -> None:
    """One digit, turned: what each kind of network says of it. Lines are classes that are said at some angle."""
    x, label = strokes(1, seed=models.HELD_OUT_SEED, start=ONE)
    turned = np.concatenate([rotated(x, angle) for angle in ANGLES])
    belief = evidence(EVIDENTIAL, turned)
    panels = (
        ("one network, softmax", predict(SOFTMAX, turned).mean, None, None),
        ("50 draws of dropout, mean ± std", predict(DROPOUT, turned).mean, predict(DROPOUT, turned).std, None),
        ("five networks, mean ± std", predict(ENSEMBLE, turned).mean, predict(ENSEMBLE, turned).std, None),
        ("evidential: belief in each class, u in none", belief.belief, None, belief.uncertainty),
    )
    shown = [k for k in range(10) if max(p[:, k].max() for _, p, _, _ in panels) > 0.3]
    for ax, (name, p, std, u) in zip(axes, panels, strict=True):
        for k in shown:
            (line,) = ax.plot(ANGLES, p[:, k], color=plt.cm.tab10(k), label=f"{k}")
            if std is not None:
                low, high = np.clip(p[:, k] - std[:, k], 0, 1), np.clip(p[:, k] + std[:, k], 0, 1)
                ax.fill_between(ANGLES, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
        if u is not None:
            ax.plot(ANGLES, u, color="black", linewidth=2.5, label="u")
        ax.set_title(name, fontsize=10)
        thumbnails(ax, ANGLES[::3], turned[::3])
    axes[-1].legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), title="class")
    axes[0].set_ylabel(f"A: a {label[0]}, turned by 0° to 180°\nprobability, or belief")


def draw_curve(ax: plt.Axes, at: tuple[float, ...], shifted: Callable[[float], np.ndarray], title: str) -> None:
    """The mean of every measure along a shift, and examples of it on the axis."""
    found = [{name: u.mean() for name, u in measures(shifted(t)).items()} for t in at]
    for name, (colour, line) in STYLES.items():
        if line != ":":
            ax.plot(at, [row[name] for row in found], line, color=colour, label=name)
    places = at[:: (len(at) - 1) // 5]
    thumbnails(ax, places, np.stack([shifted(t)[EXAMPLE] for t in places]))
    ax.set_title(title, fontsize=10)


def draw_auroc(ax: plt.Axes, scores: dict[str, dict[str, float]]) -> None:
    """How well each measure tells what is no digit from digits."""
    names = [name for name, (_, line) in STYLES.items() if line != ":"]
    for row, name in enumerate(reversed(names)):
        for marker, strange in zip("os^", scores, strict=True):
            colour = STYLES[name][0]
            ax.plot(scores[strange][name], row, marker, color=colour, label=strange if row == 0 else None, alpha=0.8)
    ax.set_yticks(range(len(names)), names[::-1], fontsize=8)
    ax.axvline(0.5, color="black", linewidth=0.6)
    ax.set_xlim(0.45, 1.02)
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel("AUROC; 0.5: tells nothing", fontsize=8)
    ax.legend(fontsize=8, loc="lower left")
    ax.set_title("how well it tells them from digits", fontsize=10)


def draw_map() -> None:
    """The explanation of one digit, and where it is sure."""
    x, _ = strokes(1, seed=models.HELD_OUT_SEED, start=UNSURE)
    said = predict(ENSEMBLE, x)
    c = int(said.classes[0])
    R = explain(ENSEMBLE, x, "lrp-montavon2019")
    title = f"why {c}?  p = {said.mean[0, c]:.2f} ± {said.std[0, c]:.2f}    LRP of five networks"
    picture(R, x, title=title).savefig(FIGURES / "uncertainty-map.png", dpi=100, metadata={"Software": None})


def print_table(sets: dict[str, np.ndarray], usual: dict[str, np.ndarray]) -> None:
    """The mean of each measure on each set, and its AUROC against the digits."""
    print("| mean (AUROC against digits) | " + " | ".join(STYLES) + " |")
    print("| --- |" + " --- |" * len(STYLES))
    for name, x in sets.items():
        cells = [f"{u.mean():.3f} ({auroc(usual[m], u):.2f})" for m, u in measures(x).items()]
        print(f"| {name} | " + " | ".join(cells) + " |")


def print_digits(digits: np.ndarray, labels: np.ndarray) -> None:
    """Digit by digit, what a turn does to the ensemble's entropy, to u, and to the accuracy."""
    print("\n| digit | H of the ensemble at 0°, 90°, 180° | evidential u at 0°, 90°, 180° | right |")
    print("| --- | --- | --- | --- |")
    turned = [rotated(digits, angle) for angle in (0, 90, 180)]
    found = [measures(x) for x in turned]
    for k in range(10):
        of_k = labels == k
        entropy, u = (
            ", ".join(f"{m[name][of_k].mean():.3f}" for m in found) for name in ("ensemble H", "evidential u")
        )
        accuracy = ", ".join(f"{right(x[of_k], labels[of_k]):.0%}" for x in turned)
        print(f"| {k} | {entropy} | {u} | {accuracy} |")


def print_letters() -> None:
    """Letter by letter: the digit that the ensemble says most often, and how often it is surer than 0.95 of it."""
    images, labels = letters(50 * len(LETTERS), seed=models.HELD_OUT_SEED)
    said = predict(ENSEMBLE, images)
    u = evidence(EVIDENTIAL, images).uncertainty
    print("\n| letter | taken for | p > 0.95 | H of the ensemble | evidential u |")
    print("| --- | --- | --- | --- | --- |")
    for k, letter in enumerate(LETTERS):
        of_k = labels == k
        most = np.bincount(said.classes[of_k]).argmax()
        surely = (said.mean[of_k].max(axis=1) > 0.95).mean()
        entropy = said.entropy[of_k].mean() / np.log(10)
        print(f"| {letter} | {most} | {surely:.0%} | {entropy:.3f} | {u[of_k].mean():.3f} |")


def main() -> None:
    """The two figures and the table."""
    digits, labels = strokes(N, seed=models.HELD_OUT_SEED)
    fours, nines = (strokes(N, seed=models.HELD_OUT_SEED, labels=k)[0] for k in (4, 9))
    no_digits = noise(N)
    usual = measures(digits)
    sets = {
        "digits": digits,
        "letters": letters(N, seed=models.HELD_OUT_SEED)[0],
        "noise": no_digits,
        "turned 90°": rotated(digits, 90),
        "turned 180°": rotated(digits, 180),
        **{f"4 → 9, t = {t:g}": blended(fours, nines, t) for t in (0, 0.25, 0.5, 0.75, 1)},
        "black": np.zeros((2, 1, 28, 28), np.float32),
    }
    print_table(sets, usual)
    print_digits(digits, labels)
    print_letters()

    figure = plt.figure(figsize=(15, 8.2), layout="constrained")
    above, below = figure.subfigures(2, 1)
    draw_one(above.subplots(1, 4, sharey=True))
    axes = below.subplots(1, 4, width_ratios=(1, 1, 1, 0.9))
    draw_curve(axes[0], ANGLES, partial(rotated, digits), f"{N} digits, turned by 0° to 180°")
    draw_curve(axes[1], STEPS, partial(blended, fours, nines), f"{N} digits 4 → 9")
    draw_curve(axes[2], STEPS, partial(blended, digits, no_digits), f"{N} digits → noise")
    axes[0].set_ylabel("B: H entropy, I mutual information\n(both / log 10), u")
    axes[1].legend(fontsize=8, ncols=2, loc="upper center")
    scores = {
        strange: {name: auroc(usual[name], u) for name, u in measures(sets[strange]).items()}
        for strange in ("letters", "noise", "turned 90°")
    }
    draw_auroc(axes[3], scores)
    figure.savefig(FIGURES / "uncertainty.png", dpi=100, metadata={"Software": None})
    draw_map()


if __name__ == "__main__":
    main()
