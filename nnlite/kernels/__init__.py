"""The hot loops, each twice under one signature: a plain NumPy form to read and a Numba form to run.

`backend()` says which form runs, `use` changes it. The two are tested equal, ties and zeros included.

    windows.py       where the windows lie
    convolution.py   gather the windows, one matrix product, scatter back
    flat.py          the same at stride 1, by shifted copies of the flattened image
    filters.py       the gradient in the filters of a convolution, one sample at a time
    winograd.py      3 × 3 convolutions with many channels, faster, for who needs scores alone
    pooling.py       the winner of each window, and the mean of each window
    relu.py          what a ReLU lets through on the way back
    batchnorm.py     the sums of a BatchNorm in training
    adam.py          one step of Adam
    division.py      the division of LRP, where a denominator may be zero
    patches.py       parts of images cut out and laid back in, and a convolution of what has changed
    blas.py          BLAS on one thread, for the same bits
    dispatch.py      which form runs; workspace.py  memory that is used again; settled.py  what cannot change
"""

from .adam import adam
from .batchnorm import blend, moments, products
from .convolution import backward_input, backward_weights, forward
from .dispatch import backend, use
from .pooling import max_backward, max_forward, mean_backward, mean_forward, route, winners
from .relu import relu_backward
from .winograd import free_rounding

__all__ = [
    "adam",
    "backend",
    "backward_input",
    "backward_weights",
    "blend",
    "forward",
    "free_rounding",
    "max_backward",
    "max_forward",
    "mean_backward",
    "mean_forward",
    "moments",
    "products",
    "relu_backward",
    "route",
    "use",
    "winners",
]
