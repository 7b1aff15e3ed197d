"""Draw lessons/figures/dream.png and inversion.png: what layers make of a landscape, and what they keep of a digit."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from nnlite import datasets, models
from nnlite.model_based.deepdream import deepdream
from nnlite.model_based.inversion import invert

FIGURES = Path(__file__).parents[1] / "lessons" / "figures"
HEIGHT, WIDTH = 320, 480
DREAMS = (("relu1", None), ("relu2", None), ("relu3", None), ("relu4", 7), ("relu4", 25))
LAYERS = ("conv1", "relu1", "pool1", "conv2", "relu2", "pool2", "dense1", "relu3", "dense2")  # a Flatten loses nothing
LABELS = (4, 2, 8)


def main() -> None:
    """Both figures."""
    draw_dreams()
    draw_inversions()


def landscape(seed: int = 3) -> np.ndarray:
    """Clouds in a blue sky, a sun, and three rows of hills: (1, 3, H, W) float32 in [0, 1]."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / HEIGHT
    picture = np.stack([0.25 + 0.55 * y, 0.45 + 0.4 * y, 0.85 + 0.05 * y])
    frequency = np.hypot(1.6 * np.fft.fftfreq(HEIGHT)[:, None], np.fft.fftfreq(WIDTH))
    weight = np.where(frequency > 0.004, np.maximum(frequency, 0.004) ** -1.8, 0)
    noise = np.fft.ifft2(np.fft.fft2(np.random.default_rng(seed).standard_normal((HEIGHT, WIDTH))) * weight).real
    cloud = np.clip(1.25 - 1.1 * y, 0, 1) / (1 + np.exp(0.9 - 3 * noise / noise.std()))
    picture = over(picture, (0.98, 0.96, 0.94), cloud)
    picture = over(picture, (1.0, 0.93, 0.6), (0.09 - np.hypot(x - 1.1, y - 0.2)) * HEIGHT / 2)
    for base, height, colour, pace in (
        (0.70, 0.06, (0.35, 0.50, 0.45), 2.3),
        (0.80, 0.05, (0.22, 0.42, 0.25), 3.7),
        (0.90, 0.04, (0.15, 0.30, 0.15), 5.1),
    ):
        ridge = base + height * np.sin(2 * pace * x + 9 * base) + height / 2 * np.sin(3.1 * pace * x + 1)
        picture = over(picture, colour, (y - ridge) * HEIGHT)
    return np.clip(picture, 0, 1)[None].astype(np.float32)


def over(picture: np.ndarray, colour: tuple[float, float, float], opacity: np.ndarray) -> np.ndarray:
    """The picture with a colour laid over it."""
    opacity = np.clip(opacity, 0, 1)
    return picture * (1 - opacity) + np.reshape(colour, (3, 1, 1)) * opacity


def draw_dreams() -> None:
    """The landscape, and what each layer of colour_net makes of it."""
    network, x = models.load("colour_net"), landscape()
    figure, axes = plt.subplots(2, 3, figsize=(14.8, 7.2), layout="constrained")
    show(axes.flat[0], x[0], "the picture")
    for ax, (layer, channel) in zip(axes.flat[1:], DREAMS, strict=True):
        dream = deepdream(network, x, layer, channel=channel, octaves=5, scale=1.5, steps=12, rate=0.008)
        before, after = dream.activity[:, 0]
        what = layer if channel is None else f"{layer}, channel {channel}"
        show(ax, dream.x[0], f"{what}:  ‖a‖² from {before:.3g} to {after:.3g}")
    figure.savefig(FIGURES / "dream.png", dpi=100, metadata={"Software": None})
    plt.close(figure)


def draw_inversions() -> None:
    """Digits, and images that lenet takes for the same at each layer."""
    network = models.load("lenet")
    digits = datasets.strokes(len(LABELS), seed=models.HELD_OUT_SEED, labels=LABELS)[0]
    x0 = np.concatenate([digits, house()])
    figure, axes = plt.subplots(len(x0), 1 + len(LAYERS), figsize=(14, 6.6), layout="constrained")
    for row, x in zip(axes, x0, strict=True):
        show(row[0], x, "")
    axes[0, 0].set_title("the image", fontsize=10)
    for column, layer in zip(axes.T[1:], LAYERS, strict=True):
        found = invert(network, x0, layer)
        shape = network[: network.index(layer) + 1].output_shape((1, 1, 28, 28))[1:]
        for ax, x, error in zip(column, found.x, found.error, strict=True):
            show(ax, x, "")
            ax.set_xlabel(f"error {error:.1g}", fontsize=8)
        column[0].set_title(f"{layer}\n{' × '.join(map(str, shape))}", fontsize=10)
    figure.savefig(FIGURES / "inversion.png", dpi=110, metadata={"Software": None})
    plt.close(figure)


def house() -> np.ndarray:
    """No digit: a house, (1, 1, 28, 28) float32."""
    y, x = np.mgrid[0:28, 0:28] - 13.5
    walls = (np.maximum(np.abs(x), np.abs(y - 4)) < 7) & (np.maximum(np.abs(x), np.abs(y - 4)) > 5)
    roof = (np.abs(np.abs(x) - (y + 11)) < 1.6) & (y < -2)
    door = (np.abs(x) < 1.5) & (y > 5) & (y < 10)
    return (walls | roof | door)[None, None].astype(np.float32)


def show(ax: plt.Axes, x: np.ndarray, title: str) -> None:
    """A picture (C, H, W) without ticks."""
    ax.imshow(x[0] if len(x) == 1 else np.moveaxis(x, 0, -1), cmap="gray", vmin=0, vmax=1)
    ax.set_title(title, fontsize=10)
    ax.set_xticks([])
    ax.set_yticks([])


if __name__ == "__main__":
    main()
