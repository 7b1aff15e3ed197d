"""Occlusion: the same windows over the same image."""

import math
from itertools import product

import numpy as np

from ...decision_based.occlusion import occlusion
from ..case import Case, array
from ..libraries import load
from ..table import CONVENTION, Comparison


def comparisons(case: Case) -> list[Comparison]:
    """captum's map, zennit's, on images."""
    if not case.is_image:
        return []
    channels, height, width = case.x.shape[1:]
    size = tuple(max(1, math.floor(5 * n / 28 + 0.5)) for n in (height, width))
    stride = tuple(min(2, k) for k in size)

    def ours() -> np.ndarray:
        found = occlusion(case.network, case.x, case.target, size=size, stride=stride, progress=False)
        return np.repeat(found.map[:, None], channels, axis=1)

    def captum() -> np.ndarray:
        options = {"sliding_window_shapes": (channels, *size), "strides": (channels, *stride), "baselines": 0}
        with load("torch").no_grad():
            return case.captum("Occlusion", **options)

    def zennit() -> np.ndarray:
        method = load("zennit.attribution").Occlusion(
            case.module, attr_output=lambda scores: scores * case.chosen(scores), window=size, stride=stride
        )
        return array(method(case.tensor())[1])

    at = f"window {size}, stride {stride}, fill 0"
    row = Comparison("occlusion", "zennit", at, zennit, ours)
    return [
        Comparison("occlusion", "captum", f"{at}, mean over windows", captum, ours),
        row.otherwise(
            CONVENTION,
            "zennit keeps the window and blackens the rest, adds scores and not drops, and wraps around the edges.",
            f"{at}; nnlite's scores of the windows alone, added",
            lambda: _kept(case, size, stride),
        ),
    ]


def _kept(case: Case, size: tuple[int, ...], stride: tuple[int, ...]) -> np.ndarray:
    """Σ over the windows (that wrap around) of [in the window] · f_c(x in the window, 0 outside)."""
    height, width = case.x.shape[2:]
    total = np.zeros_like(case.x)
    for top, left in product(range(0, height, stride[0]), range(0, width, stride[1])):
        inside = np.zeros((height, width), bool)
        rows, columns = ((start + np.arange(k)) % n for start, k, n in ((top, size[0], height), (left, size[1], width)))
        inside[np.ix_(rows, columns)] = True
        scores = case.network.scores(np.where(inside, case.x, case.x.dtype.type(0)))
        total += inside * scores[np.arange(len(scores)), case.target][:, None, None, None]
    return total
