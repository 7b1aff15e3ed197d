"""nnlite: the reference implementation of neural-network interpretability, in plain NumPy.

network.py, layers/     a mini framework: forward, exact backward, one walk back for every method
training/, datasets/    how networks are trained, and on what
models/                 the lessons' networks by name
decision_based/         why did the network decide so?
model_based/            what has it learned?
uncertainty/            how sure is it, and its explanation?
evaluation/             is the explanation any good?
stepper/                every step of an explanation, with its formula and its numbers
verify/, interop/       the same beside other libraries; networks from and to them
pictures/               reading pictures, drawing maps
exercises/              the exercises of the lessons

A room is imported when it is first asked for, so that `import nnlite` takes no longer than what is used of it.
"""

import importlib
from typing import TYPE_CHECKING

from . import layers
from ._version import __version__
from .files import load
from .network import Network

if TYPE_CHECKING:
    from . import (
        datasets,
        decision_based,
        evaluation,
        exercises,
        interop,
        model_based,
        models,
        pictures,
        stepper,
        training,
        uncertainty,
        verify,
    )
    from .decision_based import explain
else:

    def __getattr__(name):
        if name == "explain":
            return importlib.import_module(".decision_based", __name__).explain
        if name not in __all__ and name != "plots":  # plots: the name of pictures in version 0.1
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return importlib.import_module(f".{name}", __name__)


def __dir__() -> list[str]:
    return sorted(__all__)


__all__ = [
    "Network",
    "__version__",
    "datasets",
    "decision_based",
    "evaluation",
    "exercises",
    "explain",
    "interop",
    "layers",
    "load",
    "model_based",
    "models",
    "pictures",
    "stepper",
    "training",
    "uncertainty",
    "verify",
]
