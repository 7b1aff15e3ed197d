"""Draw lessons/figures/generators.png: digits that the generators make, beside the strokes that they learned from."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from nnlite import models
from nnlite.model_based import generators
from nnlite.model_based.generators import recipes
from nnlite.training import softmax

OUT = Path(__file__).parents[1] / "lessons" / "figures" / "generators.png"
COLUMNS, ROWS, SEED, GAP = 8, 8, 0, 2
TITLES = {
    "vae": "variational autoencoder",
    "gan": "GAN: the same decoder, taught on",
    "dcgan": "DCGAN: a convolutional decoder",
}


def sheet(images: np.ndarray) -> np.ndarray:
    """Images (COLUMNS · ROWS, 1, H, W) side by side, with a dark gap between them."""
    padded = np.pad(images[:, 0], ((0, 0), (0, GAP), (0, GAP)), constant_values=0.25)
    _, height, width = padded.shape
    rows = padded.reshape(ROWS, COLUMNS, height, width).transpose(0, 2, 1, 3)
    return rows.reshape(ROWS * height, COLUMNS * width)[:-GAP, :-GAP]


def main() -> None:
    """Four sheets in a row; below each, one digit a class: the mean image, or the image of the mean code."""
    n = COLUMNS * ROWS
    x, labels = recipes.digits(2000, held_out=True)
    mean_images = np.stack([x[labels == c].mean(axis=0) for c in range(10)])
    sure = (softmax(models.load("lenet").scores(x)).max(axis=1) > 0.9).mean()
    title = f"strokes of a clean hand, held out\nlenet is sure of {sure:.0%}"
    columns = [(title, x[:n], mean_images, "the mean image of each class")]
    for name, title in TITLES.items():
        g = generators.load(name)
        sure = g.info["samples"]["sure"]
        columns.append(
            (f"{title}\nlenet is sure of {sure:.0%}", g.sample(n, SEED), g(g.codes), "g(mean code of each class)")
        )
    figure, axes = plt.subplots(2, 4, figsize=(13, 4.5), layout="constrained", height_ratios=(8, 0.85))
    for (above, below), (title, images, means, label) in zip(axes.T, columns, strict=True):
        above.imshow(sheet(images), cmap="gray", vmin=0, vmax=1)
        above.set_title(title, fontsize=11)
        below.imshow(np.hstack(list(means[:, 0])), cmap="gray", vmin=0, vmax=1)
        below.set_xlabel(label, fontsize=9)
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    figure.savefig(OUT, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
