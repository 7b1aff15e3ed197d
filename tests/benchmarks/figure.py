"""The ratios as bars on a logarithmic axis, with the targets marked."""

from collections.abc import Sequence
from pathlib import Path

from .frameworks import library
from .report import Line

COLORS = {"torch": "#d1603d", "captum": "#8c6bb1", "zennit": "#4a8c5c", "jax": "#3b75af"}


def draw(lines: Sequence[Line], path: Path) -> None:
    """One bar a line of one thread, in the order of the table; a black tick where the target is."""
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
    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.125 * at), layout="constrained")
    for y, line in zip(places, shown, strict=True):
        low, high = line.ratio.median - line.ratio.low, line.ratio.high - line.ratio.median
        color = COLORS[library(line.against)]
        axes.barh(y, line.ratio.median - 1, 0.85, left=1, color=color, xerr=[[low], [high]], error_kw={"lw": 0.8})
        ahead = line.ratio.median >= 1
        axes.annotate(
            line.against.partition(" ")[2],
            (max(line.ratio.high, line.goal or 0) if ahead else line.ratio.low, y), (3 if ahead else -3, 0),
            textcoords="offset points", ha="left" if ahead else "right", va="center_baseline", fontsize=6.5,
        )  # fmt: skip
        if line.goal is not None:
            axes.plot([line.goal] * 2, [y - 0.5, y + 0.5], color="black", lw=2)
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
    keys.append(Line2D([], [], color="black", lw=0, marker="|", ms=10, mew=2, label="target"))
    figure.legend(handles=keys, loc="outside upper center", ncols=len(keys), frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)
