"""The scores and their gradient, by PyTorch's autograd and by captum."""

from functools import partial
from typing import Any

import numpy as np

from ...decision_based.gradient import gradient, gradient_times_input, saliency, sensitivity
from ..case import Case, array
from ..libraries import load
from ..table import CONVENTION, Comparison


def comparisons(case: Case) -> list[Comparison]:
    """Scores, gradient, saliency, sensitivity, gradient × input."""
    given, g = (case.network, case.x, case.target), case.torch_gradient

    def strongest() -> np.ndarray:
        return np.abs(g()).max(axis=1) if case.is_image else np.abs(g())

    slope, times, name = partial(gradient, *given), partial(gradient_times_input, *given), "gradient-times-input"
    rows = [
        Comparison(
            "scores", "torch", "forward", lambda: _output(case, case.module), lambda: case.network.scores(case.x)
        ),
        Comparison("gradient", "torch", "autograd", g, slope),
        Comparison("saliency", "torch", "autograd, max over channels", strongest, partial(saliency, *given)),
        Comparison("sensitivity", "torch", "autograd, squared", lambda: g() ** 2, partial(sensitivity, *given)),
        Comparison(name, "torch", "autograd", lambda: case.x * g(), times),
        _saliency(case),
        Comparison("gradient", "captum", "Saliency(abs=False)", partial(case.captum, "Saliency", abs=False), slope),
        Comparison(name, "captum", "InputXGradient", partial(case.captum, "InputXGradient"), times),
    ]
    return _of_own_module(case, rows) + rows


def _of_own_module(case: Case, rows: list[Comparison]) -> list[Comparison]:
    """The user's own module, before it was converted: everything else compares with its layers in a row."""
    if case.own is None:
        return []
    whole, as_it_is = case.whole or case.network, "your module as it is"
    what = f"your module without its {case.end}" if case.end else as_it_is
    own = [
        Comparison("output", "torch", as_it_is, lambda: _output(case, case.own), lambda: whole.output(case.x)),
        Comparison("scores", "torch", what, lambda: _output(case, case.own_scores), rows[0].ours),
        Comparison(
            "gradient", "torch", f"autograd on {what}", lambda: case.torch_gradient(case.own_scores), rows[1].ours
        ),
    ]
    return own if case.end else own[1:]


def _output(case: Case, module: Any) -> np.ndarray:
    with load("torch").no_grad():
        return array(module(case.tensor()))


def _saliency(case: Case) -> Comparison:
    row = Comparison(
        "saliency", "captum", "Saliency",
        partial(case.captum, "Saliency"), lambda: saliency(case.network, case.x, case.target),
    )  # fmt: skip
    if not case.is_image:
        return row
    return row.otherwise(
        CONVENTION,
        "captum keeps |g| of every channel; Simonyan's map is the maximum over channels.",
        "Saliency; nnlite |gradient| of every channel",
        lambda: np.abs(gradient(case.network, case.x, case.target)),
    )
