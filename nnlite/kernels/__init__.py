"""The hot loops, each twice under one signature: a plain NumPy form to read and a Numba form to run.

`backend()` says which form runs. The two are tested equal, ties and zeros included.

    convolution.py   gather the windows, one matrix product, scatter back
    pooling.py       the winner of each window, and the mean of each window
    winograd.py      3 × 3 convolutions with many channels, faster, for who needs scores alone
"""

from .convolution import backward_input, backward_weights, forward
from .dispatch import backend
from .pooling import mean_backward, mean_forward, route, winners
from .winograd import free_rounding

__all__ = [
    "backend",
    "backward_input",
    "backward_weights",
    "forward",
    "free_rounding",
    "mean_backward",
    "mean_forward",
    "route",
    "winners",
]
