"""Why did the network decide so? One method a file; each takes (network, x, target=None) and gives a map a sample.

gradient.py     gradient, saliency, sensitivity, gradient × input
lrp/            layer-wise relevance propagation: every rule, the composites, the ledger
registry.py     all of them by name, for the command, the report and the docs
"""

from . import lrp
from .gradient import gradient, gradient_times_input, saliency, sensitivity

__all__ = ["gradient", "gradient_times_input", "lrp", "saliency", "sensitivity"]
