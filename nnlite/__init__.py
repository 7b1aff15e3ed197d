"""nnlite: the reference implementation of neural-network interpretability, in plain NumPy.

network.py, layers/     a mini framework: forward, exact backward, one walk back for every method
decision_based/         why did the network decide so?
model_based/            what has it learned?
uncertainty/            how sure is it, and its explanation?
datasets/, models/      digits, and networks trained on them
training/               how they were trained

A room is imported when it is first asked for, so that `import nnlite` takes no longer than what is used of it.
"""

import importlib
from typing import TYPE_CHECKING

from . import layers
from ._version import __version__
from .files import load
from .network import Network

if TYPE_CHECKING:
    from . import datasets, decision_based, model_based, models, plots, training, uncertainty
else:

    def __getattr__(name):
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return importlib.import_module(f".{name}", __name__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


__all__ = [
    "Network",
    "__version__",
    "datasets",
    "decision_based",
    "layers",
    "load",
    "model_based",
    "models",
    "plots",
    "training",
    "uncertainty",
]
