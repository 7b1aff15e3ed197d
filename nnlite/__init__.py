"""nnlite: the reference implementation of neural-network interpretability, in plain NumPy.

network.py, layers/     a mini framework: forward, exact backward, one walk back for every method
decision_based/         why did the network decide so?
model_based/            what has it learned?
uncertainty/            how sure is it, and its explanation?
datasets/, models/      digits, and networks trained on them
training/               how they were trained
"""

from . import datasets, decision_based, layers, model_based, models, plots, training, uncertainty
from ._version import __version__
from .network import Network, load

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
