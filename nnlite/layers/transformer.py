"""The blocks of transformers, which expand into layers with names as paths.

SelfAttention       query, key, value; heads; scores, probabilities, context; output
TransformerBlock    attention and an MLP, each with its norm and a skip connection
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .activations import Softmax
from .arguments import count
from .attention import AttentionMask, MergeHeads, RepeatHeads, Rotary, Scale, SplitHeads
from .blocks import Block, Row
from .dense import Dense
from .dropout import Dropout
from .joins import Add, MatMul
from .layer import Layer
from .normalization import LayerNorm


@dataclass(frozen=True, eq=False)
class SelfAttention(Block):
    """O = softmax(Q Kᵀ / √d) V for each head, Q = x W_q, K = x W_k, V = x W_v; the heads behind each other, times W_o.

    Parameters
    ----------
    W_q, W_k, W_v, W_o
        Arrays (D, ·), as of a Dense; or Dense layers, where there are biases.
    heads
        How many: they cut the features of the queries into pieces of d.
    key_heads
        How many heads keys and values have, where queries share them; a divisor of `heads`.
    mask
        An `AttentionMask`.
    rotary
        A `Rotary`, which turns queries and keys.
    dropout
        The probability of a Dropout on the attention probabilities, in training.

    The layers are called query, key, value, query_heads, key_heads, value_heads (rotary_query, rotary_key;
    repeated_keys, repeated_values), products, scores (masked), probabilities, context, merged and output.

    Shapes: x and the output (N, T, D); scores and probabilities (N, heads, T, T).

    Source: Vaswani et al. 2017, "Attention is all you need", eq. 1 and sec. 3.2.2.

    >>> from nnlite import Network
    >>> one = np.eye(2)
    >>> network = Network([SelfAttention(one, one, one, one, heads=1)])
    >>> network.names[-3:], network.forward(np.ones((1, 3, 2)))[-1].shape
    (('attention1.context', 'attention1.merged', 'attention1.output'), (1, 3, 2))
    """

    W_q: Any
    W_k: Any
    W_v: Any
    W_o: Any
    heads: int
    key_heads: int | None = None
    mask: AttentionMask | None = None
    rotary: Rotary | None = None
    dropout: float = 0.0

    def lay(self, row: Row, entry: int, within: str) -> int:
        heads = count("SelfAttention", "heads", self.heads)
        key_heads = heads if self.key_heads is None else count("SelfAttention", "key_heads", self.key_heads)
        query, key, value, output = map(_dense, (self.W_q, self.W_k, self.W_v, self.W_o))
        features = query.W.shape[1]
        if features % heads or heads % key_heads:
            raise ValueError(
                f"{within[:-1]}: heads={heads} must divide the {features} features of the queries, and key_heads="
                f"{key_heads} the heads."
            )

        def add(layer: Layer, name: str, *reads: int) -> int:
            return row.add(layer, reads, within + name)

        ends = {}
        for name, layer, pieces in (("query", query, heads), ("key", key, key_heads), ("value", value, key_heads)):
            end = add(SplitHeads(pieces), f"{name}_heads", add(layer, name, entry))
            if self.rotary is not None and name != "value":
                end = add(self.rotary, f"rotary_{name}", end)
            if pieces != heads:
                end = add(RepeatHeads(heads // pieces), f"repeated_{name}s", end)
            ends[name] = end
        end = add(MatMul(transposed=True), "products", ends["query"], ends["key"])
        end = add(Scale(1 / np.sqrt(features // heads)), "scores", end)
        if self.mask is not None:
            end = add(self.mask, "masked", end)
        end = add(Softmax(-1), "probabilities", end)
        if self.dropout:
            end = add(Dropout(self.dropout), "dropout", end)
        end = add(MatMul(), "context", end, ends["value"])
        return add(output, "output", add(MergeHeads(), "merged", end))


@dataclass(frozen=True, eq=False)
class TransformerBlock(Block):
    """x + attention(norm1(x)), then x + mlp(norm2(x)); with norm_first=False norm1(x + attention(x)), as at first.

    Parameters
    ----------
    attention
        A `SelfAttention`, or any layers.
    mlp
        Layers, networks and blocks: Dense, GELU, Dense, for instance.
    norm_first
        Whether each norm stands before its path, or behind its addition.
    norms
        The two; by default LayerNorms with γ = 1 and β = 0, of the width and the dtype of the attention's W_o.

    Source: Vaswani et al. 2017, fig. 1; Xiong et al. 2020, "On layer normalization in the transformer architecture",
    fig. 1 (norm first).

    >>> from nnlite import Network
    >>> one = np.eye(2)
    >>> Network([TransformerBlock(SelfAttention(one, one, one, one, heads=1), [Dense(one)])]).names[-4:]
    ('block1.add1', 'block1.norm2', 'block1.mlp.dense1', 'block1.add2')
    """

    attention: Any
    mlp: Sequence[Any]
    norm_first: bool = True
    norms: Sequence[Layer] | None = None

    def lay(self, row: Row, entry: int, within: str) -> int:
        attention = self.attention if isinstance(self.attention, Sequence) else [self.attention]
        paths = (attention, f"{within}attention."), (self.mlp, f"{within}mlp.")
        for number, ((path, inside), norm) in enumerate(zip(paths, self._norms(), strict=True), 1):
            name = f"{within}norm{number}"
            start = row.add(norm, (entry,), name) if self.norm_first else entry
            one = path[0] if len(path) == 1 and isinstance(path[0], SelfAttention) else None
            end = row.lay(path, start, inside) if one is None else one.lay(row, start, inside)
            entry = row.add(Add(), (entry, end), f"{within}add{number}")
            if not self.norm_first:
                entry = row.add(norm, (entry,), name)
        return entry

    def _norms(self) -> Sequence[Layer]:
        if self.norms is not None:
            return self.norms
        if not isinstance(self.attention, SelfAttention):
            raise TypeError("TransformerBlock: give `norms`, two layers, where the attention is no SelfAttention.")
        W = _dense(self.attention.W_o).W
        norm = LayerNorm(np.ones(W.shape[1], W.dtype), np.zeros(W.shape[1], W.dtype))
        return norm, norm


def _dense(W: Any) -> Dense:
    return W if isinstance(W, Dense) else Dense(W)
