"""Experts: densities p(x) that keep a search where inputs are likely. Each is an objective, log p(x) and its gradient.

expert.py        what every expert is
gaussian.py      one mean, one full covariance
low_rank.py      Gaussians of a few directions and white noise: density, gradient, best fit
ppca.py          one of them
mixture.py       many of them, by EM
gaussian_rbm.py  the Gaussian-RBM;  rbm.py trains it
files.py         an expert in a file
recipes.py       the lessons' experts, fit to stroke digits when first wanted

>>> import numpy as np
>>> x = np.array([[[3.0, 0.0]], [[-3.0, 0.0]], [[0.0, 1.0]], [[0.0, -1.0]]])
>>> PPCA.fit(x, q=1)
PPCA(mean (2,), W (2, 1), noise=0.5, shape=(1, 2))
"""

from . import rbm
from .expert import Expert
from .files import load
from .gaussian import Gaussian
from .gaussian_rbm import GaussianRBM
from .mixture import MixturePPCA
from .ppca import PPCA
from .recipes import NAMES, fitted

__all__ = ["NAMES", "PPCA", "Expert", "Gaussian", "GaussianRBM", "MixturePPCA", "fitted", "load", "rbm"]
