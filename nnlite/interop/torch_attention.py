"""Attention from PyTorch: masks and heads found in a graph, and the modules that are several layers with wires.

nn.MultiheadAttention and nn.TransformerEncoderLayer are leaves for torch.fx, which does not see what they call (the
fused path of inference mode): here they become the blocks of nnlite/layers/transformer.py.
"""

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from ..layers import (
    GELU,
    AttentionMask,
    Dense,
    Identity,
    Layer,
    MatMul,
    MergeHeads,
    Permute,
    ReLU,
    RepeatHeads,
    Reshape,
    Scale,
    SelfAttention,
    Softmax,
    SplitHeads,
    TransformerBlock,
)
from .row import Unsupported
from .torch_layers import FROM_TORCH, layer_of, refuse_changed
from .torch_shapes import array, import_torch

LOW = -1e4
"""A number from here down is a mask: e^LOW is 0."""

# ------------------------------------------------------------------------------------------------------ masks


def is_mask(value: Any) -> bool:
    """Whether it is a tensor that is added to mask."""
    return hasattr(value, "detach") and value.ndim > 1 and bool((value <= LOW).any())


def allowed(blocked: Any) -> np.ndarray:
    """1 where a query may look at a key: not where a tensor is True, or LOW beside zeros."""
    values = blocked.detach().cpu().numpy()
    if values.dtype != bool:
        if (values[values > LOW] != 0).any():
            raise Unsupported("an attention mask that adds numbers other than 0 and −∞ has no counterpart")
        values = values <= LOW
    while values.ndim > 2 and len(values) == 1:
        values = values[0]
    if values.ndim not in (2, 4):
        raise Unsupported(f"an attention mask of shape {tuple(blocked.shape)} has no counterpart; (T, T) has")
    return ~values


def masked_fill(row: Any, x: Any, mask: Any, value: Any) -> list[Layer]:
    """x.masked_fill(mask, −∞), the mask a constant."""
    if not hasattr(mask, "detach") or not float(value) <= LOW:
        raise Unsupported("only a constant mask filled with −∞ has a counterpart")
    return [AttentionMask(allowed(mask.bool()))]


# -------------------------------------------------------------------------------------- attention in a graph


def scaled_dot_product_attention(
    row: Any, query: Any, key: Any, value: Any, attn_mask: Any = None, dropout_p: float = 0.0, is_causal: bool = False,
    *, scale: float | None = None, enable_gqa: bool = False,
) -> Any:  # fmt: skip
    """softmax(Q Kᵀ · scale) V, as layers."""
    if dropout_p:
        raise Unsupported("it drops in evaluation mode, too; give it dropout_p=self.p if self.training else 0.0")
    if query.shape is None or key.shape is None:
        raise Unsupported("it needs the size of the input; give input_shape")
    times = query.shape[1] // key.shape[1]
    if enable_gqa and times > 1:
        key, value = (row.lay(RepeatHeads(times), each) for each in (key, value))
    a = row.lay(MatMul(transposed=True), query, key)
    a = row.lay(Scale(query.shape[-1] ** -0.5 if scale is None else scale), a)
    if is_causal:
        a = row.lay(AttentionMask(causal=True), a)
    if attn_mask is not None:
        blocked = attn_mask if attn_mask.is_floating_point() else ~attn_mask
        a = row.lay(AttentionMask(allowed(blocked)), a)
    return row.lay(MatMul(), row.lay(Softmax(-1), a), value)


def fuse(row: Any) -> None:
    """Two layers of a finished row that one layer is: heads cut or merged, a product with a transpose."""
    l = 0
    while l < len(row.layers):
        for at in row.wires[l][-1:]:
            wires: tuple[int, ...] = row.wires[at - 1] if at else ()
            shape = row.shapes[wires[0]] if len(wires) == 1 else None
            alone = sum(each.count(at) for each in row.wires) == 1
            fused = _fused(row.layers[at - 1], row.layers[l], shape) if shape and alone else None
            if fused is not None:
                row.fuse(at - 1, l, fused)
                l -= 1
        l += 1


def _fused(first: Any, second: Any, shape: tuple[int, ...]) -> Layer | None:
    """The layer that two layers on an activation of this shape are, if there is one."""
    if isinstance(first, Permute) and isinstance(second, Identity):  # contiguous()
        return first
    axes, swap = getattr(first, "axes", ()), (2, 1, 3)
    if isinstance(first, Reshape) and isinstance(second, Permute) and second.axes == swap:
        return SplitHeads(first.shape[1]) if len(shape) == 3 and first.shape[0] == shape[1] else None
    if isinstance(first, Permute) and axes == swap and isinstance(second, Reshape):
        return MergeHeads() if second.shape == (shape[2], shape[1] * shape[3]) else None
    if isinstance(first, Permute) and isinstance(second, MatMul) and not second.transposed:
        n = len(axes)
        return MatMul(transposed=True) if axes == (*range(1, n - 1), n, n - 1) else None
    return None


# ---------------------------------------------------------------------------------------- modules of many layers


def _attention(m: Any, mask: Any, padding: Any, causal: bool) -> SelfAttention:
    """An nn.MultiheadAttention of one activation."""
    if not m.batch_first:
        raise Unsupported("batch_first=False has no counterpart, since samples come first here; use batch_first=True")
    if not m._qkv_same_embed_dim or m.bias_k is not None or m.add_zero_attn:
        raise Unsupported("kdim, vdim, add_bias_kv and add_zero_attn have no counterpart")
    biases = [None] * 3 if m.in_proj_bias is None else map(array, m.in_proj_bias.chunk(3))
    maps = (Dense(array(W.T), b) for W, b in zip(m.in_proj_weight.chunk(3), biases, strict=True))
    query, key, value = maps
    where = [] if mask is None else [allowed(mask)]
    where += [] if padding is None else [allowed(padding[:, None, None])]
    both = reduce(np.logical_and, where) if where else None
    looks = AttentionMask(both, causal=causal and mask is None) if causal or where else None
    (output,) = FROM_TORCH["Linear"](m.out_proj, None, None)
    return SelfAttention(query, key, value, output, heads=m.num_heads, mask=looks, dropout=m.dropout)


def _multihead(
    row: Any, m: Any, query: Any, key: Any, value: Any, key_padding_mask: Any = None, need_weights: Any = True,
    attn_mask: Any = None, average_attn_weights: Any = True, is_causal: Any = False,
) -> Any:  # fmt: skip
    """The output; the weights, which PyTorch gives beside it, are None."""
    if not query == key == value:
        raise Unsupported("query, key and value must be one activation: attention between two has no counterpart")
    return row.lay_block(_attention(m, attn_mask, key_padding_mask, is_causal), query), None


def _encoder_layer(
    row: Any, m: Any, src: Any, src_mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = False,
    path: str = "",
) -> Any:  # fmt: skip
    F = import_torch().nn.functional
    known = {F.relu: ReLU(), F.gelu: GELU()}
    plain = not hasattr(m.activation, "modules")
    if plain and m.activation not in known:
        raise Unsupported(f"its activation {m.activation!r} has no counterpart; 'relu', 'gelu' and modules have")
    activation = [known[m.activation]] if plain else layer_of(m.activation, None, 3)

    def layers(*modules: Any) -> list[Layer]:
        return [layer for module in modules for layer in layer_of(module, None, 3)]

    attention = [_attention(m.self_attn, src_mask, src_key_padding_mask, is_causal), *layers(m.dropout1)]
    mlp = [*layers(m.linear1), *activation, *layers(m.dropout, m.linear2, m.dropout2)]
    norms = layers(m.norm1, m.norm2)
    return row.lay_block(TransformerBlock(attention, mlp, m.norm_first, norms), src, path)


def _encoder(
    row: Any, m: Any, src: Any, mask: Any = None, src_key_padding_mask: Any = None, is_causal: Any = None
) -> Any:
    for number, layer in enumerate(m.layers):
        if type(layer).__name__ != "TransformerEncoderLayer":
            raise Unsupported(f"its layer {number}, a {type(layer).__name__}, has no counterpart")
        src = _encoder_layer(row, layer, src, mask, src_key_padding_mask, bool(is_causal), f"layers.{number}")
    return src if m.norm is None else row.lay(layer_of(m.norm, None, 3)[0], src)


def lay_module(row: Any, m: Any, *arguments: Any, **options: Any) -> Any:
    """Lay a module of BLOCKS; what it gives."""
    for module in m.modules():
        refuse_changed(module)
    return BLOCKS[type(m).__name__](row, m, *arguments, **options)


BLOCKS: dict[str, Callable[..., Any]] = {
    "MultiheadAttention": _multihead,
    "TransformerEncoderLayer": _encoder_layer,
    "TransformerEncoder": _encoder,
}
"""The modules that become several layers with wires, by the name of their class."""
