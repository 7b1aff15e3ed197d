"""The comparisons, a family of methods a file: family(case) -> comparisons, not yet computed.

gradients.py     gradient, saliency, sensitivity, gradient × input
relu_rules.py    guided backpropagation, DeConvNet
paths.py         integrated gradients, SmoothGrad and its kin
covers.py        occlusion
maps.py          CAM, Grad-CAM, guided Grad-CAM
deeplift.py      DeepLIFT
lrp_zennit.py    every LRP rule and composite of zennit, excitation backpropagation
lrp_captum.py    every LRP rule of captum
"""

from collections.abc import Callable

from ..case import Case
from ..table import Comparison
from . import covers, deeplift, gradients, lrp_captum, lrp_zennit, maps, paths, relu_rules

FAMILIES: tuple[Callable[[Case], list[Comparison]], ...] = (
    gradients.comparisons,
    relu_rules.comparisons,
    paths.comparisons,
    covers.comparisons,
    maps.comparisons,
    deeplift.comparisons,
    lrp_zennit.comparisons,
    lrp_captum.comparisons,
)


def comparisons(case: Case) -> list[Comparison]:
    """All comparisons of a case; TypeError for anything but a Case."""
    if not isinstance(case, Case):
        raise TypeError(f"comparisons: expected a Case, got {case!r}; build one with Case.of(name, network, x).")
    return [comparison for family in FAMILIES for comparison in family(case)]
