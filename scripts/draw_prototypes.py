"""Draw lessons/figures/prototypes.png: ten classes by every form of activation maximization, p under each.

    python scripts/draw_prototypes.py

The same searches as `nnlite gallery`.
"""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt

from nnlite.commands.prototypes import FORMS, JUDGES, SEARCHED, rows

OUT = Path(__file__).parents[1] / "lessons" / "figures" / "prototypes.png"


def main() -> None:
    """A row for each form, a column for each class."""
    figure, axes = plt.subplots(len(FORMS), 10, figsize=(13.6, 1.3 * len(FORMS)))
    figure.subplots_adjust(left=0.2, right=0.9, top=0.925, bottom=0.03, wspace=0.06, hspace=0.34)
    for row, line in zip(rows(), axes, strict=True):
        for n, ax in enumerate(line):
            ax.imshow(row.found.x[n, 0], cmap="gray", vmin=0, vmax=1)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_xlabel(f"p = {row.found.probability[n]:.3f}", fontsize=8, labelpad=2)
        formula = row.form.formula.replace("ω_c", "$ω_c$").replace("f_c", "$f_c$")
        line[0].text(
            -0.12, 0.5, f"{row.form.name}\n", transform=line[0].transAxes, ha="right", va="center", fontsize=11
        )
        line[0].text(-0.12, 0.36, formula, transform=line[0].transAxes, ha="right", va="center", fontsize=8)
        agree = row.agreeing(JUDGES[0])
        line[-1].text(
            1.1, 0.5, f"{JUDGES[0]} agrees:\n{agree} of 10", transform=line[-1].transAxes, va="center", fontsize=9
        )
    for n, ax in enumerate(axes[0]):
        ax.set_title(f"{n}", fontsize=12)
    figure.suptitle(
        f"Each row searches for all ten digits. p: how sure {SEARCHED} is, where the search takes place. {JUDGES[0]}: "
        "a second network, without a part in it.",
        fontsize=11,
        y=0.985,
    )
    figure.savefig(OUT, dpi=100, metadata={"Software": None})


if __name__ == "__main__":
    main()
