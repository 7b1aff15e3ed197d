"""Guided backpropagation and DeConvNet, from a score: captum and zennit change the gradient of nn.ReLU, as nnlite."""

import warnings

import numpy as np

from ...decision_based.deconvnet import deconvnet
from ...decision_based.guided_backpropagation import guided_backpropagation
from ..case import Case, array
from ..libraries import load
from ..table import Comparison


def comparisons(case: Case) -> list[Comparison]:
    """Both methods in both libraries."""
    given = (case.network, case.x, case.target)
    return [
        Comparison(
            "guided-backpropagation", "captum", "GuidedBackprop",
            lambda: _captum(case, "GuidedBackprop"), lambda: guided_backpropagation(*given),
        ),
        Comparison(
            "guided-backpropagation", "zennit", "GuidedBackprop",
            lambda: _zennit(case, "GuidedBackprop"), lambda: guided_backpropagation(*given),
        ),
        Comparison(
            "deconvnet", "captum", "Deconvolution, from 1 at the score",
            lambda: _captum(case, "Deconvolution"), lambda: deconvnet(*given),
        ),
        Comparison(
            "deconvnet", "zennit", "DeconvNet, from 1 at the score",
            lambda: _zennit(case, "DeconvNet"), lambda: deconvnet(*given),
        ),
    ]  # fmt: skip


def _captum(case: Case, name: str) -> np.ndarray:
    method = getattr(load("captum.attr"), name)(case.module)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it sets hooks
        return array(method.attribute(case.tensor().requires_grad_(), target=case.labels))


def _zennit(case: Case, name: str) -> np.ndarray:
    composite = getattr(load("zennit.composites"), name)()
    x = case.tensor().requires_grad_()
    with composite.context(case.module) as module:
        scores = module(x)
        return array(load("torch").autograd.grad(scores, x, case.chosen(scores))[0])
