"""The hot loops, each twice under one signature: a plain NumPy form to read and a Numba form to run.

`kernels.forward` is convolution.forward_numba or forward_numpy, and so are all: settled when nnlite is imported.
NNLITE_BACKEND=numpy|numba chooses; without it, Numba runs where it is installed. `backend()` says which, `use` changes
it. The two are tested equal, ties and zeros included.

    windows.py       where the windows lie
    convolution.py   gather the windows, one matrix product, scatter back
    flat.py          the same by shifted copies of the flattened image, at a stride of its phases
    depthwise.py     the same with one channel a group, by shifted sums
    pixelwise.py     the same with windows of one pixel: a product alone
    filters.py       the gradient in the filters of a convolution, one sample at a time
    winograd.py      3 × 3 convolutions with many channels, faster, for who needs scores alone
    pooling.py       the winner of each window, and the mean of each window
    relu.py          what a ReLU lets through on the way back
    batchnorm.py     the sums of a BatchNorm in training
    adam.py          one step of Adam
    division.py      the division of LRP, where a denominator may be zero
    patches.py       parts of images cut out and laid back in, and a convolution of what has changed
    blas.py          BLAS on one thread, for the same bits
    dispatch.py      the backend in force, and how Numba compiles
    workspace.py     memory that is used again; settled.py  what cannot change
"""

# ruff: noqa: F401 (what others take from here)
import os

from . import dispatch
from .adam import adam_numpy as adam
from .batchnorm import blend_numpy as blend
from .batchnorm import moments_numpy as moments
from .batchnorm import products_numpy as products
from .convolution import backward_input_numpy as backward_input
from .convolution import backward_weights_numpy as backward_weights
from .convolution import forward_numpy as forward
from .dispatch import backend
from .division import divide_numpy as divide
from .patches import changed_convolution_numpy as changed_convolution
from .patches import crop_numpy as crop
from .patches import paste_numpy as paste
from .pooling import max_backward_numpy as max_backward
from .pooling import max_forward_numpy as max_forward
from .pooling import mean_backward_numpy as mean_backward
from .pooling import mean_forward_numpy as mean_forward
from .pooling import route_numpy as route
from .pooling import winners_numpy as winners
from .relu import relu_backward_numpy as relu_backward
from .winograd import free_rounding

_FILES = {
    name: form.__globals__ for name, form in list(globals().items()) if getattr(form, "__name__", "") == f"{name}_numpy"
}
"""Where both forms of each kernel stand."""


class use:
    """The kernels in their NumPy or their Numba form from now on, or within a `with`; "": Numba where it is installed.

    Raises ValueError: it is neither "numpy" nor "numba", or Numba is not installed.

    >>> with use("numpy"):
    ...     backend()
    'numpy'
    """

    def __init__(self, name: str) -> None:
        self.before = dispatch.choose(name)
        globals().update({kernel: file[f"{kernel}_{backend()}"] for kernel, file in _FILES.items()})

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        use(self.before)


def _settled(name: str) -> None:
    """What NNLITE_BACKEND says is in force; where it says nothing that there is, every kernel says so when called."""
    try:
        use(name)
    except ValueError as error:
        why = str(error)

        def refused(*_: object, **__: object) -> None:
            raise ValueError(why)

        globals().update(dict.fromkeys(_FILES, refused))


_settled(os.environ.get("NNLITE_BACKEND", ""))
