"""The scores and their gradient, by PyTorch's autograd and by captum."""

from typing import Any

import numpy as np

from ...decision_based.gradient import gradient, gradient_times_input, saliency, sensitivity
from ..case import Case, array
from ..libraries import load
from ..table import CONVENTION, Comparison


def comparisons(case: Case) -> list[Comparison]:
    """Scores, gradient, saliency, sensitivity, gradient × input."""
    given = (case.network, case.x, case.target)

    def scores() -> np.ndarray:
        with load("torch").no_grad():
            return array(case.module(case.tensor()))

    def strongest() -> np.ndarray:
        g = np.abs(case.torch_gradient())
        return g.max(axis=1) if case.is_image else g

    rows = [
        Comparison("scores", "torch", "forward", scores, lambda: case.network.scores(case.x)),
        Comparison("gradient", "torch", "autograd", case.torch_gradient, lambda: gradient(*given)),
        Comparison("saliency", "torch", "autograd, max over channels", strongest, lambda: saliency(*given)),
        Comparison(
            "sensitivity", "torch", "autograd, squared",
            lambda: case.torch_gradient() ** 2, lambda: sensitivity(*given),
        ),
        Comparison(
            "gradient-times-input", "torch", "autograd",
            lambda: case.x * case.torch_gradient(), lambda: gradient_times_input(*given),
        ),
        _saliency(case),
        Comparison(
            "gradient", "captum", "Saliency(abs=False)",
            lambda: _captum(case, "Saliency", abs=False), lambda: gradient(*given),
        ),
        Comparison(
            "gradient-times-input", "captum", "InputXGradient",
            lambda: _captum(case, "InputXGradient"), lambda: gradient_times_input(*given),
        ),
    ]  # fmt: skip
    return _of_own_module(case) + rows


def _of_own_module(case: Case) -> list[Comparison]:
    """The user's own module, before it was converted: everything else compares with its layers in a row."""
    if case.own is None:
        return []

    def output(module: Any) -> np.ndarray:
        with load("torch").no_grad():
            return array(module(case.tensor()))

    whole, as_it_is = case.whole or case.network, "your module as it is"
    what = f"your module without its {case.end}" if case.end else as_it_is
    rows = [
        Comparison("output", "torch", as_it_is, lambda: output(case.own), lambda: whole.output(case.x)),
        Comparison("scores", "torch", what, lambda: output(case.own_scores), lambda: case.network.scores(case.x)),
        Comparison(
            "gradient", "torch", f"autograd on {what}",
            lambda: case.torch_gradient(case.own_scores), lambda: gradient(case.network, case.x, case.target),
        ),
    ]  # fmt: skip
    return rows if case.end else rows[1:]


def _saliency(case: Case) -> Comparison:
    row = Comparison(
        "saliency", "captum", "Saliency",
        lambda: _captum(case, "Saliency"), lambda: saliency(case.network, case.x, case.target),
    )  # fmt: skip
    if not case.is_image:
        return row
    return row.otherwise(
        CONVENTION,
        "captum keeps |g| of every channel; Simonyan's map is the maximum over channels.",
        "Saliency; nnlite |gradient| of every channel",
        lambda: np.abs(gradient(case.network, case.x, case.target)),
    )


def _captum(case: Case, name: str, **options: object) -> np.ndarray:
    method = getattr(load("captum.attr"), name)(case.module)
    return array(method.attribute(case.tensor().requires_grad_(), target=case.labels, **options))
