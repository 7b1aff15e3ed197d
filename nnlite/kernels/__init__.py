"""The hot loops, each twice under one signature: a plain NumPy form to read and a Numba form to run.

`backend()` says which form runs. The two are tested equal, ties and zeros included.

    convolution.py   gather the windows, one matrix product, scatter back
    pooling.py       the winner of each window, and the mean of each window
    patches.py       parts of images cut out and laid back in, and a convolution of what has changed
"""

from .convolution import backward_input, backward_weights, forward
from .dispatch import backend
from .pooling import mean_backward, mean_forward, route, winners

__all__ = [
    "backend",
    "backward_input",
    "backward_weights",
    "forward",
    "mean_backward",
    "mean_forward",
    "route",
    "winners",
]
