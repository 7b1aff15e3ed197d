"""Draw lessons/figures/why-four.png, the README's picture: why one 4 is a 4, and another nearly a 9."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from nnlite import pictures
from nnlite.commands.digits import CLOSED_FOUR, OPEN_FOUR, why

OUT = Path(__file__).parents[1] / "lessons" / "figures" / "why-four.png"


def main() -> None:
    """Two rows: the digit, why its class, why its rival, and the difference."""
    figure, axes = plt.subplots(2, 4, figsize=(10.5, 5.4), layout="constrained")
    for row, number in zip(axes, (OPEN_FOUR, CLOSED_FOUR), strict=True):
        q = why(number)
        row[0].imshow(q.x[0, 0], cmap="gray", vmin=0, vmax=1)
        row[0].set_title(f"lenet: a {q.predicted}\n{q.name}, held out", fontsize=10)
        row[0].set_xticks([])
        row[0].set_yticks([])
        c, r = q.predicted, q.rival
        pictures.heatmap(q.R_predicted, row[1], score=float(q.scores[c]), title=f"why {c}?")
        pictures.heatmap(q.R_rival, row[2], score=float(q.scores[r]), title=f"why {r}?")
        ahead = float(q.scores[c] - q.scores[r])
        pictures.heatmap(q.R_predicted - q.R_rival, row[3], score=ahead, title=f"why {c} and not {r}?")
    figure.savefig(OUT, dpi=110, metadata={"Software": None})


if __name__ == "__main__":
    main()
