"""The layers: one kind a file, each a pure function of its parameters and its input.

    dense.py        z_k = Σ_j a_j w_jk + b_k
    conv2d.py       convolution and its transpose
    batchnorm.py    (a − μ) / σ, scaled and shifted; in training with the μ and σ of each batch
    pooling.py      maximum and mean over windows
    activations.py  ReLU, Softmax, LogSoftmax
    pointwise.py    LeakyReLU, PReLU, Tanh, Sigmoid, ReLU6, Hardsigmoid, Hardswish, SiLU, GELU, ELU, Softplus
    groupnorm.py    GroupNorm, InstanceNorm: each sample by its own mean and variance
    resampling.py   Pad, Upsample, AdaptiveAvgPool2d
    shape.py        Flatten, Reshape, Permute, Slice, Identity
    dropout.py      Dropout, Dropout2d and the masks drawn from it
    joins.py        Add, Concat, Multiply: where branches meet; Constant, which reads nothing
    blocks.py       Residual, Branches: what expands into layers and wires

Every layer has `forward(a)`, the exact vector-Jacobian product `backward(a, dz)`, the gradients of its parameters
`gradients(a, dz)`, and `output_shape(shape)`. Nothing is remembered between two calls.
"""

from .activations import LogSoftmax, ReLU, Softmax
from .batchnorm import BatchNorm, BatchNormInTraining
from .blocks import Branches, Residual
from .conv2d import Conv2d, ConvTranspose2d
from .dense import Dense
from .dropout import Dropout, Dropout2d, Mask
from .groupnorm import GroupNorm, InstanceNorm
from .joins import Add, Concat, Constant, Multiply
from .layer import Layer
from .pointwise import ELU, GELU, Hardsigmoid, Hardswish, LeakyReLU, PReLU, ReLU6, Sigmoid, SiLU, Softplus, Tanh
from .pooling import AvgPool2d, GlobalAvgPool, MaxPool2d
from .resampling import AdaptiveAvgPool2d, Pad, Upsample
from .shape import Flatten, Identity, Permute, Reshape, Slice

KINDS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Dense,
        Conv2d,
        ConvTranspose2d,
        BatchNorm,
        GroupNorm,
        InstanceNorm,
        MaxPool2d,
        AvgPool2d,
        GlobalAvgPool,
        AdaptiveAvgPool2d,
        Upsample,
        ReLU,
        LeakyReLU,
        PReLU,
        Tanh,
        Sigmoid,
        ReLU6,
        Hardsigmoid,
        Hardswish,
        SiLU,
        GELU,
        ELU,
        Softplus,
        Softmax,
        LogSoftmax,
        Flatten,
        Reshape,
        Permute,
        Slice,
        Pad,
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
    "ELU",
    "GELU",
    "KINDS",
    "AdaptiveAvgPool2d",
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
    "GroupNorm",
    "Hardsigmoid",
    "Hardswish",
    "Identity",
    "InstanceNorm",
    "Layer",
    "LeakyReLU",
    "LogSoftmax",
    "Mask",
    "MaxPool2d",
    "Multiply",
    "PReLU",
    "Pad",
    "Permute",
    "ReLU",
    "ReLU6",
    "Reshape",
    "Residual",
    "SiLU",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Softplus",
    "Tanh",
    "Upsample",
]
