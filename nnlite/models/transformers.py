"""The transformers of the lessons, with fresh weights: one that looks at digits, one that copies from its context."""

import numpy as np

from ..layers import (
    GELU,
    Add,
    AttentionMask,
    Branches,
    Concat,
    Constant,
    Conv2d,
    Dense,
    Embedding,
    Layer,
    LayerNorm,
    Permute,
    Reshape,
    Residual,
    SelfAttention,
    Take,
    TransformerBlock,
)
from ..layers.arguments import Shape, frozen
from ..layers.blocks import Block
from ..training.initial import zeros

Items = list[Layer | Block]


def vit(rng: np.random.Generator) -> Items:
    """16 patches of 7 × 7 and a class token, two blocks of width 64 with 4 heads, MLPs of 128 (after Dosovitskiy et al.
    2021, fig. 1)."""
    width, hidden, patches = 64, 128, 16
    blocks: Items = [
        TransformerBlock(
            _attention(rng, width, 4),
            [_lecun(rng, width, hidden), GELU(), _lecun(rng, hidden, width)],
        )
        for _ in range(2)
    ]
    return [
        Conv2d(_normal(rng, (width, 1, 7, 7), 1 / 7), zeros(width), stride=7),
        Reshape((width, patches)),
        Permute((2, 1)),
        Branches([[Constant(_normal(rng, (1, 1, width), 0.02))], []], Concat()),
        Branches([[], [Constant(_normal(rng, (1, 1 + patches, width), 0.02))]], Add()),
        *blocks,
        _norm(width),
        Take(0),
        _lecun(rng, width, 10),
    ]


def induction(rng: np.random.Generator) -> Items:
    """Two attention layers of width 32, a causal head each, no MLP, on 16 of 20 tokens (after Olsson et al. 2022)."""
    width, vocabulary, length = 32, 20, 16
    return [
        Embedding(_normal(rng, (vocabulary, width), 0.3)),
        Branches([[], [Constant(_normal(rng, (1, length, width), 0.3))]], Add()),
        *[Residual([_norm(width), _attention(rng, width, 1, AttentionMask(causal=True))]) for _ in range(2)],
        _norm(width),
        Take(-1),
        _lecun(rng, width, vocabulary),
    ]


def _attention(rng: np.random.Generator, width: int, heads: int, mask: AttentionMask | None = None) -> SelfAttention:
    q, k, v, o = (_lecun(rng, width, width) for _ in range(4))
    return SelfAttention(q, k, v, o, heads, mask=mask)


def _normal(rng: np.random.Generator, shape: Shape, deviation: float) -> np.ndarray:
    return frozen((rng.standard_normal(shape) * deviation).astype(np.float32))


def _lecun(rng: np.random.Generator, inputs: int, outputs: int) -> Dense:
    """w ~ N(0, 1 / inputs): no ReLU halves what comes out of it."""
    return Dense(_normal(rng, (inputs, outputs), inputs**-0.5), zeros(outputs))


def _norm(width: int) -> LayerNorm:
    return LayerNorm(frozen(np.ones(width, np.float32)), zeros(width))
