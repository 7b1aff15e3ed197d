"""Draw lessons/figures/channels.png: what excites the channels of lenet's second convolution, made up and met.

Three rows for each channel: the pixels climbed as they are, the Fourier coefficients climbed under transformations, and
the held-out digit that causes most. The numbers are the sums of the feature map. A table is printed of what each
ingredient does: the mean over the channels of the activation, of the same under 32 other transformations, and of the
share of high frequencies.
"""

import time
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

from nnlite import Network, datasets, models
from nnlite.model_based.channels import Channels, all_channels
from nnlite.model_based.dataset_examples import channel_examples
from nnlite.model_based.feature_visualization import STANDARD
from nnlite.model_based.objectives import Through, drawn
from nnlite.model_based.penalties import TotalVariation, high_frequencies, high_frequency_share
from nnlite.model_based.transformations import Jitter, Robust, Rotation, Scaling

OUT = Path(__file__).parents[1] / "lessons" / "figures" / "channels.png"
LAYER, HELD_OUT, COLUMNS = "conv2", 10_000, 8
PIXELS = {"parameterization": "pixels"}
INGREDIENTS: dict[str, dict[str, Any]] = {
    "pixels": PIXELS | {"transformations": ()},
    "pixels, jitter": PIXELS | {"transformations": (Jitter(2),)},
    "pixels, scaling and rotation": PIXELS | {"transformations": (Scaling(0.1), Rotation(10))},
    "pixels, all three": PIXELS,
    "pixels, total variation 0.5": PIXELS | {"transformations": (), "penalties": [(0.5, TotalVariation())]},
    "pixels, high frequencies 0.5": PIXELS | {"transformations": (), "penalties": [(0.5, high_frequencies())]},
    "Fourier": {"transformations": ()},
    "Fourier, all three": {},
    "Fourier, all three, total variation 0.5": {"penalties": [(0.5, TotalVariation())]},
}


def main() -> None:
    """The table, then the picture."""
    network = models.load("lenet")
    images = datasets.strokes(HELD_OUT, seed=models.HELD_OUT_SEED)[0]
    best = channel_examples(network, images, LAYER)
    rows = {}
    print(f"{'':40} {'activation':>10} {'transformed':>12} {'high frequencies':>17} {'CPU s':>8}")
    for name, options in INGREDIENTS.items():
        began = time.process_time()
        found = all_channels(network, LAYER, **options)
        rows[name] = found.x, found.activation
        print(f"{name:40} {measured(network, *rows[name])} {time.process_time() - began:8.1f}")
    rows["best"] = images[best.index[:, 0]], best.value[:, 0]
    print(f"{f'best of {HELD_OUT:,} held-out digits':40} {measured(network, *rows['best'])}")
    draw(
        {
            "pixels": rows["pixels"],
            "Fourier,\ntransformed": rows["Fourier, all three"],
            f"best of {HELD_OUT:,}\nheld-out digits": rows["best"],
        }
    )


def measured(network: Network, x: np.ndarray, activation: np.ndarray) -> str:
    """Activation, the same under transformations, high frequencies: the means over the channels."""
    f = Through(network[: network.index(LAYER) + 1], Channels(np.arange(len(x))))
    rng = np.random.default_rng(1)
    transformed = np.mean([drawn(Robust(STANDARD, f), rng)(x)[0] for _ in range(32)])
    return f"{activation.mean():10.1f} {transformed:12.1f} {high_frequency_share(x).mean():16.1%}"


def draw(rows: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Bands of eight channels, in each one row for every entry."""
    channels = len(next(iter(rows.values()))[0])
    bands = channels // COLUMNS
    figure = plt.figure(figsize=(11, 4.6 * bands + 0.5), layout="constrained")
    figure.suptitle(f"What excites the channels of {LAYER}?  The numbers are the sums of the feature map.", fontsize=12)
    for band, part in enumerate(figure.subfigures(bands, 1, hspace=0.06)):
        axes = part.subplots(len(rows), COLUMNS)
        for r, (name, (pictures, values)) in enumerate(rows.items()):
            axes[r, 0].set_ylabel(name, fontsize=10)
            for column, ax in enumerate(axes[r]):
                k = band * COLUMNS + column
                ax.imshow(pictures[k, 0], cmap="gray", vmin=0, vmax=1)
                ax.set(xticks=[], yticks=[])
                ax.set_title(f"channel {k}\n{values[k]:.0f}" if r == 0 else f"{values[k]:.0f}", fontsize=10)
    figure.savefig(OUT, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
