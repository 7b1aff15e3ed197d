"""The layers: one kind a file, each a pure function of its parameters and its input.

    dense.py        z_k = Σ_j a_j w_jk + b_k
    conv2d.py       convolution and its transpose
    batchnorm.py    (a − μ) / σ, scaled and shifted; in training with the μ and σ of each batch
    pooling.py      maximum and mean over windows
    activations.py  ReLU, LeakyReLU, Tanh, Sigmoid, Softmax, LogSoftmax
    shape.py        Flatten, Reshape, Identity
    dropout.py      Dropout, Dropout2d and the masks drawn from it
    joins.py        Add, Concat, Multiply: where branches meet; Constant, which reads nothing
    blocks.py       Residual, Branches: what expands into layers and wires

Every layer has `forward(a)`, the exact vector-Jacobian product `backward(a, dz)`, the gradients of its parameters
`gradients(a, dz)`, and `output_shape(shape)`. Nothing is remembered between two calls.
"""

from .activations import LeakyReLU, LogSoftmax, ReLU, Sigmoid, Softmax, Tanh
from .batchnorm import BatchNorm, BatchNormInTraining
from .blocks import Branches, Residual
from .conv2d import Conv2d, ConvTranspose2d
from .dense import Dense
from .dropout import Dropout, Dropout2d, Mask
from .joins import Add, Concat, Constant, Multiply
from .layer import Layer
from .pooling import AvgPool2d, GlobalAvgPool, MaxPool2d
from .shape import Flatten, Identity, Reshape

KINDS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Dense,
        Conv2d,
        ConvTranspose2d,
        BatchNorm,
        MaxPool2d,
        AvgPool2d,
        GlobalAvgPool,
        ReLU,
        LeakyReLU,
        Tanh,
        Sigmoid,
        Softmax,
        LogSoftmax,
        Flatten,
        Reshape,
        Identity,
        Dropout,
        Dropout2d,
        Mask,
        Add,
        Concat,
        Multiply,
        Constant,
    )
}
"""Every kind of layer by its name: what a saved network may consist of (a BatchNormInTraining is not for keeping)."""

__all__ = [
    "KINDS",
    "Add",
    "AvgPool2d",
    "BatchNorm",
    "BatchNormInTraining",
    "Branches",
    "Concat",
    "Constant",
    "Conv2d",
    "ConvTranspose2d",
    "Dense",
    "Dropout",
    "Dropout2d",
    "Flatten",
    "GlobalAvgPool",
    "Identity",
    "Layer",
    "LeakyReLU",
    "LogSoftmax",
    "Mask",
    "MaxPool2d",
    "Multiply",
    "ReLU",
    "Reshape",
    "Residual",
    "Sigmoid",
    "Softmax",
    "Tanh",
]
