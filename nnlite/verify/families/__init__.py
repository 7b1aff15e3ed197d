"""The comparisons, a family of methods a file: family(case) -> comparisons, not yet computed.

gradients.py     gradient, saliency, sensitivity, gradient × input
relu_rules.py    guided backpropagation, DeConvNet
paths.py         integrated gradients, SmoothGrad and its kin
covers.py        occlusion
maps.py          CAM, Grad-CAM, guided Grad-CAM
deeplift.py      DeepLIFT
lrp_zennit.py    every LRP rule and composite of zennit, excitation backpropagation
lrp_captum.py    every LRP rule of captum
lrp_lxt.py       AttnLRP, of networks with attention
"""

from collections.abc import Callable
from dataclasses import replace

from ...layers import Hardsigmoid
from ...surgery import with_layers
from ..case import Case
from ..conventions import SixthInFloat32
from ..table import BUG, Comparison
from . import covers, deeplift, gradients, lrp_captum, lrp_lxt, lrp_zennit, maps, paths, relu_rules

FAMILIES: tuple[Callable[[Case], list[Comparison]], ...] = (
    gradients.comparisons,
    relu_rules.comparisons,
    paths.comparisons,
    covers.comparisons,
    maps.comparisons,
    deeplift.comparisons,
    lrp_zennit.comparisons,
    lrp_captum.comparisons,
    lrp_lxt.comparisons,
)


def comparisons(case: Case) -> list[Comparison]:
    """All comparisons of a case; TypeError for anything but a Case."""
    if not isinstance(case, Case):
        raise TypeError(f"comparisons: expected a Case, got {case!r}; build one with Case.of(name, network, x).")
    rows = [row for family in FAMILIES for row in family(case)]
    if not case.has(Hardsigmoid):
        return rows
    layers = [SixthInFloat32() if isinstance(layer, Hardsigmoid) else layer for layer in case.network]
    as_torch = replace(case, network=with_layers(case.network, layers))
    there = {row.key: row for family in GRADIENTS for row in family(as_torch)}
    return [
        row.otherwise(BUG, SIXTH, f"{row.convention}; nnlite with that slope", there[row.key].ours)
        if row.key in there and not row.differs
        else row
        for row in rows
    ]


SIXTH = "torch's slope of Hardsigmoid is 1 / 6 rounded to float32, in float64 too."

GRADIENTS = (gradients.comparisons, relu_rules.comparisons, paths.comparisons)
"""The families that ask for gradients through every layer."""
