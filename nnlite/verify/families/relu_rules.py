"""Guided backpropagation and DeConvNet, from a score: captum and zennit change the gradient of nn.ReLU, as nnlite."""

from functools import partial

import numpy as np

from ...decision_based.deconvnet import deconvnet
from ...decision_based.guided_backpropagation import guided_backpropagation
from ..case import Case
from ..libraries import load
from ..table import Comparison


def comparisons(case: Case) -> list[Comparison]:
    """Both methods in both libraries."""
    given = (case.network, case.x, case.target)
    guided, name = partial(guided_backpropagation, *given), "guided-backpropagation"
    back, start = partial(deconvnet, *given), "from 1 at the score"
    return [
        Comparison(name, "captum", "GuidedBackprop", partial(case.captum, "GuidedBackprop"), guided),
        Comparison(name, "zennit", "GuidedBackprop", partial(_zennit, case, "GuidedBackprop"), guided),
        Comparison("deconvnet", "captum", f"Deconvolution, {start}", partial(case.captum, "Deconvolution"), back),
        Comparison("deconvnet", "zennit", f"DeconvNet, {start}", partial(_zennit, case, "DeconvNet"), back),
    ]


def _zennit(case: Case, name: str) -> np.ndarray:
    with getattr(load("zennit.composites"), name)().context(case.module) as module:
        return case.torch_gradient(module)
