"""The styles of digits and letters, read from data/*.json: what is drawn, before any hand draws it."""

import json
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np

from .folders import package_file
from .hand import WIDER_ONE
from .splines import STEPS, catmull_rom, smooth


@dataclass(frozen=True, eq=False)
class Style:
    """One way to write a digit or a letter.

    A pen stroke goes from where the pen is set down to where it is lifted. A sharp corner divides it into runs,
    each a separate spline; consecutive runs of a stroke share the corner's control point.
    """

    weight: float  # how often this style is written, against the symbol's other styles
    controls: np.ndarray  # (K, 2) control points, x right and y down, the symbol's box is [0, 1] in both
    runs: tuple[tuple[int, ...], ...]  # the control points that each run passes through
    stroke_of_run: tuple[int, ...]  # the pen stroke that each run belongs to
    room: float = 1  # how much wider than the hand's widest pen the line may be

    @cached_property
    def segments(self) -> tuple[np.ndarray, np.ndarray]:
        """The straight pieces that the pen draws, for the points that `trace` gives.

        Returns (first, stroke), both (G,): piece g leads from point first[g] to the next; it is part of pen stroke[g].
        """
        first: list[int] = []
        stroke: list[int] = []
        begin = 0
        for run, owner in zip(self.runs, self.stroke_of_run, strict=True):
            pieces = STEPS * (len(run) - 1)
            first += range(begin, begin + pieces)
            stroke += [owner] * pieces
            begin += pieces + 1
        return np.array(first), np.array(stroke)

    def trace(self, controls: np.ndarray, smoothing: int) -> np.ndarray:
        """The pen's path through control points that a hand has moved.

        Shapes: controls (N, K, 2).

        Returns (N, M, 2): the points of all runs, one run after the other.
        """
        paths = []
        for run in self.runs:
            path = catmull_rom(controls[:, list(run)])
            straight = len(run) == 2  # nothing to smooth, and smoothing would space its points unevenly
            paths.append(path if straight else smooth(path, smoothing))
        return np.concatenate(paths, axis=1)


@lru_cache(maxsize=1)
def load_styles() -> tuple[tuple[Style, ...], ...]:
    """The styles of each digit, in the order of data/strokes.json.

    Returns ten tuples of styles, for the digits 0 to 9.
    Raises FileNotFoundError: data/strokes.json is not there.

    >>> [len(styles) for styles in load_styles()]
    [7, 5, 12, 10, 8, 10, 8, 11, 10, 14]
    """
    styles = read_styles("strokes.json", "digits")
    styles["1"] = tuple(replace(style, room=WIDER_ONE) for style in styles["1"])
    return tuple(styles[digit] for digit in "0123456789")


def read_styles(file: str, alphabet: str) -> dict[str, tuple[Style, ...]]:
    """The styles of each symbol of an alphabet in a file, in the file's order.

    >>> "".join(read_styles("letters.json", "letters"))
    'ACEFHKMNRTUWXY'
    """
    symbols = json.loads(package_file(file).read_text(encoding="utf-8"))[alphabet]
    return {
        symbol: tuple(_style(style["weight"], style["strokes"]) for style in styles)
        for symbol, styles in symbols.items()
    }


def _style(weight: float, strokes: list[list[list[float]]]) -> Style:
    """A style from its strokes: lists of points [x, y] with x and y in [0, 100], [x, y, 1] at a sharp corner."""
    controls: list[tuple[float, float]] = []
    runs: list[list[int]] = []
    stroke_of_run: list[int] = []
    for number, stroke in enumerate(strokes):
        runs.append([])
        stroke_of_run.append(number)
        for place, (x, y, *corner) in enumerate(stroke):
            controls.append((x / 100, y / 100))
            here = len(controls) - 1
            runs[-1].append(here)
            if corner and place < len(stroke) - 1:
                runs.append([here])
                stroke_of_run.append(number)
    return Style(weight, np.array(controls), tuple(map(tuple, runs)), tuple(stroke_of_run))
