"""The ratios as bars on a logarithmic axis, with the targets marked."""

from collections.abc import Sequence
from pathlib import Path

from .frameworks import library
from .report import Line

COLORS = {"torch": "#d1603d", "captum": "#8c6bb1", "zennit": "#4a8c5c", "jax": "#3b75af"}


def draw(lines: Sequence[Line], path: Path) -> None:
    """Two bars for each line of one thread, pale by default and full compiled; a black tick where the target is."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch
    from matplotlib.ticker import LogLocator, NullLocator

    shown = [line for line in lines if line.threads == 1]
    places, at, before = [], 0.0, ""
    for line in shown:
        at += 1.0 if line.label == before else 1.5
        places.append(at)
        before = line.label
    plt.rcParams["font.size"] = 8
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.19 * at), layout="constrained")
    for y, line in zip(places, shown, strict=True):
        color = COLORS[library(line.against)]
        for k, side in enumerate(line.sides):
            ratio, height = side.ratio, 0.85 / len(line.sides)
            middle = y + height * (k - (len(line.sides) - 1) / 2)
            error = [[ratio.median - ratio.low], [ratio.high - ratio.median]]
            pale = 0.45 if side is line.plain else 1.0
            axes.barh(
                middle, ratio.median - 1, height, left=1, color=color, alpha=pale, xerr=error, error_kw={"lw": 0.6}
            )
            if side.goal is not None:
                axes.plot([side.goal] * 2, [middle - height / 2, middle + height / 2], color="black", lw=2)
        reach = [side.ratio.high for side in line.sides] + [side.goal for side in line.sides if side.goal]
        axes.annotate(
            line.against.partition(" ")[2], (max(1, *reach), y), (3, 0),
            textcoords="offset points", ha="left", va="center_baseline", fontsize=6.5,
        )  # fmt: skip
    first = [i for i, line in enumerate(shown) if i == 0 or shown[i - 1].label != line.label]
    stops = [*first[1:], len(shown)]
    axes.set_yticks(
        [(places[a] + places[b - 1]) / 2 for a, b in zip(first, stops, strict=True)], [shown[i].label for i in first]
    )
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.margins(x=0.16, y=0.01)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}x")
    axes.axvline(1, color="black", lw=0.8)
    axes.grid(axis="x", color="0.9")
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.set_xlabel("their time (or memory) / nnlite's, one thread: to the right nnlite is ahead")
    used = dict.fromkeys(library(line.against) for line in shown)
    keys: list[Patch | Line2D] = [Patch(color=COLORS[name], label=name) for name in used]
    keys += [Patch(color="0.3", alpha=0.45, label="by default"), Patch(color="0.3", label="compiled")]
    keys.append(Line2D([], [], color="black", lw=0, marker="|", ms=10, mew=2, label="target"))
    figure.legend(handles=keys, loc="outside upper center", ncols=len(keys), frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
