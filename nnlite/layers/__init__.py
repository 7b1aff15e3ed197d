"""The layers: one kind a file, each a pure function of its parameters and its input.

    dense.py        z_k = Σ_j a_j w_jk + b_k
    conv2d.py       convolution and its transpose
    batchnorm.py    (a − μ) / σ, scaled and shifted; in training with the μ and σ of each batch
    pooling.py      maximum and mean over windows
    activations.py  ReLU, Softmax, LogSoftmax
    pointwise.py    LeakyReLU, PReLU, Tanh, Sigmoid, ReLU6, Hardsigmoid, Hardswish, SiLU, GELU, ELU, Softplus
    normalization.py  GroupNorm, InstanceNorm, LayerNorm, RMSNorm: each sample by its own mean and variance
    resampling.py   Pad, Upsample, AdaptiveAvgPool2d
    shape.py        Flatten, Reshape, Permute, Slice, Identity
    dropout.py      Dropout, Dropout2d and the masks drawn from it
    joins.py        Add, Concat, Multiply, MatMul: where branches meet; Constant, which reads nothing
    blocks.py       Residual, Branches: what expands into layers and wires
    embedding.py    Embedding: what tokens go into
    attention.py    SplitHeads, MergeHeads, RepeatHeads, Scale, AttentionMask, Rotary, Take
    transformer.py  SelfAttention, TransformerBlock: blocks of these

Every layer has `forward(a)`, the exact vector-Jacobian product `backward(a, dz)`, the gradients of its parameters
`gradients(a, dz)`, and `output_shape(shape)`. Nothing is remembered between two calls.
"""

from .activations import LogSoftmax, ReLU, Softmax
from .attention import AttentionMask, MergeHeads, RepeatHeads, Rotary, Scale, SplitHeads, Take
from .batchnorm import BatchNorm, BatchNormInTraining
from .blocks import Branches, Residual
from .conv2d import Conv2d, ConvTranspose2d
from .dense import Dense
from .dropout import Dropout, Dropout2d, Mask
from .embedding import Embedding
from .joins import Add, Concat, Constant, MatMul, Multiply
from .layer import Layer
from .normalization import GroupNorm, InstanceNorm, LayerNorm, RMSNorm
from .pointwise import ELU, GELU, Hardsigmoid, Hardswish, LeakyReLU, PReLU, ReLU6, Sigmoid, SiLU, Softplus, Tanh
from .pooling import AvgPool2d, GlobalAvgPool, MaxPool2d
from .resampling import AdaptiveAvgPool2d, Pad, Upsample
from .shape import Flatten, Identity, Permute, Reshape, Slice
from .transformer import SelfAttention, TransformerBlock

KINDS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        Dense,
        Conv2d,
        ConvTranspose2d,
        BatchNorm,
        GroupNorm,
        InstanceNorm,
        LayerNorm,
        RMSNorm,
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
        MatMul,
        Embedding,
        SplitHeads,
        MergeHeads,
        RepeatHeads,
        Scale,
        AttentionMask,
        Rotary,
        Take,
    )
}
"""Every kind of layer by its name: what a saved network may consist of (a BatchNormInTraining is not for keeping)."""

__all__ = [
    "ELU",
    "GELU",
    "KINDS",
    "AdaptiveAvgPool2d",
    "Add",
    "AttentionMask",
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
    "Embedding",
    "Flatten",
    "GlobalAvgPool",
    "GroupNorm",
    "Hardsigmoid",
    "Hardswish",
    "Identity",
    "InstanceNorm",
    "Layer",
    "LayerNorm",
    "LeakyReLU",
    "LogSoftmax",
    "Mask",
    "MatMul",
    "MaxPool2d",
    "MergeHeads",
    "Multiply",
    "PReLU",
    "Pad",
    "Permute",
    "RMSNorm",
    "ReLU",
    "ReLU6",
    "RepeatHeads",
    "Reshape",
    "Residual",
    "Rotary",
    "Scale",
    "SelfAttention",
    "SiLU",
    "Sigmoid",
    "Slice",
    "Softmax",
    "Softplus",
    "SplitHeads",
    "Take",
    "Tanh",
    "TransformerBlock",
    "Upsample",
]
