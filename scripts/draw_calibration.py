"""Draw lessons/figures/calibration.png, and print the table under it: are the networks as often right as they say?

    python scripts/draw_calibration.py

Measured on 10,000 held-out strokes (seed 1); the temperatures are fitted on 10,000 others (seed 2).
"""

from collections.abc import Callable
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
import matplotlib.pyplot as plt
from scipy.ndimage import rotate

from nnlite import datasets, models
from nnlite.training.losses import softmax
from nnlite.uncertainty import (
    brier_score,
    evidence,
    expected_calibration_error,
    mc_dropout,
    negative_log_likelihood,
    predict,
    reliability,
    reliability_diagram,
    temperature,
)

OUT = Path(__file__).parents[1] / "lessons" / "figures" / "calibration.png"
DIGITS, REPORT, FIT = 10_000, models.HELD_OUT_SEED, 2
ANGLES = (0, 15, 30, 45, 60)


SOURCES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "lenet": lambda x: predict([models.load("lenet")], x).mean,
    "MC dropout, 50 draws": lambda x: mc_dropout(models.load("lenet_dropout"), x).mean,
    "ensemble of 5": lambda x: predict(models.ensemble(), x).mean,
    "evidential": lambda x: evidence(models.load("lenet_evidential"), x).probabilities,
}
"""x -> p (N, K)."""


def predictions(x: np.ndarray, other: np.ndarray, labels: np.ndarray) -> dict[str, np.ndarray]:
    """p (N, K) on x of each source, and with the temperature that is best on the other digits.

    log p is as good as scores here: softmax(log p) = p.
    """
    found = {}
    for name, p_of in SOURCES.items():
        p = found[name] = p_of(x)
        T = temperature(np.log(p_of(other)), labels)
        found[f"{name}, T = {T:.2f}"] = softmax(np.log(p) / p.dtype.type(T))
    return found


def measures(p: np.ndarray, labels: np.ndarray) -> tuple[float, ...]:
    """Accuracy, negative log-likelihood, Brier score, ECE, and how much surer than right it is on average."""
    right = float((p.argmax(axis=1) == labels).mean())
    scores = (score(p, labels) for score in (negative_log_likelihood, brier_score, expected_calibration_error))
    return right, *scores, float(p.max(axis=1).mean()) - right


def row(name: str, numbers: np.ndarray) -> None:
    """One line of the table."""
    right, nll, brier, ece, over = numbers
    print(f"| {name} | {right:.2%} | {nll:.4f} | {brier:.4f} | {ece:.2%} | {over:+.2%} |")


def print_rotated(x: np.ndarray, labels: np.ndarray) -> None:
    """The ECE and the NLL of the ensemble beside those of its members, on digits that turn."""
    print("\n| rotated by | ECE: ensemble | best member | NLL: ensemble | best member |")
    print("| --- | --- | --- | --- | --- |")
    for angle in ANGLES:
        turned = np.clip(rotate(x, angle, axes=(3, 2), reshape=False, order=1), 0, 1)
        found = predict(models.ensemble(), turned)
        _, nll, _, ece, _ = measures(found.mean, labels)
        own = np.array([measures(p, labels) for p in found.probabilities])
        print(f"| {angle}° | {ece:.2%} | {own[:, 3].min():.2%} | {nll:.3f} | {own[:, 1].min():.3f} |")


def main() -> None:
    """The figure and the two tables."""
    x, labels = datasets.strokes(DIGITS, seed=REPORT)
    other, other_labels = datasets.strokes(DIGITS, seed=FIT)
    found = predictions(x, other, other_labels)
    print("| | accuracy | NLL | Brier | ECE | confidence − accuracy |\n| --- | --- | --- | --- | --- | --- |")
    members = [measures(p, labels) for p in predict(models.ensemble(), x).probabilities]
    row("the five members, mean", np.mean(members, axis=0))
    figure, axes = plt.subplots(2, 4, figsize=(13, 6.6), layout="constrained", sharex=True, sharey=True)
    for (name, p), ax in zip(found.items(), axes.T.ravel(), strict=True):
        numbers = measures(p, labels)
        row(name, np.array(numbers))
        reliability_diagram(reliability(p, labels), ax, title=f"{name}\nNLL {numbers[1]:.4f}")
        ax.label_outer()
    handles, names = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    figure.savefig(OUT, dpi=100, metadata={"Software": None})
    print_rotated(x, labels)
    u = evidence(models.load("lenet_evidential"), x).uncertainty
    right = found["evidential"].argmax(axis=1) == labels
    print(
        f"\nevidential: evidence for {(u < 1).mean():.2%} of the digits, right on {right[u < 1].mean():.2%} of these;"
    )
    print(f"mean u {u[right].mean():.3f} where it is right, {u[(u < 1) & ~right].mean():.3f} where it is wrong on them")


if __name__ == "__main__":
    main()
