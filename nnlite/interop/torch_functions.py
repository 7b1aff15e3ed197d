"""The functions and methods of PyTorch that have a counterpart, and what they become.

Each is called with the row that is laid and its arguments, an Activation where the input is in them. It gives a list of
layers that follow its first argument; or the Activation that it laid itself; or a tuple: sizes, or Pieces. (One file,
for it is one table.)
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from ..layers import (
    Add,
    AttentionMask,
    AvgPool2d,
    Concat,
    Dense,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    LogSoftmax,
    MatMul,
    Multiply,
    Permute,
    Reshape,
    Scale,
    Slice,
    Softmax,
    Take,
)
from . import torch_attention, torch_shapes
from .row import Activation, Unsupported, axis_of, indexed, length
from .torch_layers import FROM_TORCH
from .torch_shapes import BATCH, UNKNOWN, array, reshaped


@dataclass(eq=False)
class Piece:
    """A part of an activation, whose layers are laid when something reads it."""

    of: Activation
    layers: list[Layer]
    laid: Activation | None = None


# ----------------------------------------------------------------------------------------------------- arithmetic


def _add(row: Any, x: Any, y: Any, alpha: float = 1) -> Activation:
    for one, other in ((x, y), (y, x)):
        if torch_attention.is_mask(other) and alpha == 1:
            return row.lay(AttentionMask(torch_attention.allowed(other)), one)
    if alpha != 1:
        y = _multiply(row, y, alpha) if isinstance(y, Activation) else y * alpha
    return row.join(Add(), _parts((x, y)), whole=True)


def _multiply(row: Any, x: Any, y: Any) -> Activation:
    for one, other in ((x, y), (y, x)):
        if isinstance(other, (int, float)):
            return row.lay(Scale(other), one)
    return row.join(Multiply(), _parts((x, y)))


def _divide(row: Any, x: Any, y: Any) -> Activation:
    if isinstance(y, Activation):
        raise Unsupported("to divide by activations has no counterpart; by a number it has")
    return _multiply(row, x, 1 / y)


def _matmul(row: Any, x: Any, y: Any) -> Activation:
    if getattr(y, "ndim", 0) == 2 and not isinstance(y, Activation):
        return row.lay(Dense(torch_shapes.array(y)), x)
    return row.join(MatMul(), _parts((x, y)))


def _cat(row: Any, tensors: Any, dim: Any = 0) -> Activation:
    like = next(each for each in tensors if isinstance(each, Activation))
    return row.join(Concat(axis_of(like, dim)), _parts(tensors))


def _parts(values: Any) -> list[Any]:
    """What meets in a join: activations; a number or a tensor among them as an array."""
    return [
        v if isinstance(v, Activation) else array(v) if hasattr(v, "detach") else np.array(float(v)) for v in values
    ]


# --------------------------------------------------------------------------------------------- shapes and places


def _sizes(row: Any, x: Activation, dim: Any = None) -> Any:
    """x.shape: numbers where they are known."""
    found = (BATCH, *(((UNKNOWN,) * ((x.axes or 8) - 1)) if x.shape is None else x.shape[1:]))
    return found if dim is None else found[dim]


def _attribute(row: Any, x: Activation, name: str) -> Any:
    if name == "mT":
        return _transpose(row, x, -1, -2)
    if name == "device":
        return next((tensor.device for tensor in row.root.state_dict().values()), "cpu")
    if name != "shape":
        raise Unsupported(f"x.{name} has no counterpart; x.shape has")
    return _sizes(row, x)


def _item(row: Any, x: Activation, index: Any) -> list[Layer]:
    """x[:, 1:, ::2] as Slices; an integer takes its axis away, one token of all is a Take."""
    index = index if isinstance(index, tuple) else (index,)
    for at in [at for at, each in enumerate(index) if each is Ellipsis and x.axes is not None]:
        index = (*index[:at], *(slice(None),) * ((x.axes or 0) - len(index) + 1), *index[at + 1 :])
    whole = [isinstance(each, slice) and each == slice(None) for each in index]
    if len(index) > 1 and isinstance(index[1], int) and all(whole[:1] + whole[2:]):
        return [Take(index[1])]
    return indexed(x, index)


def _split(row: Any, x: Activation, size: Any, dim: Any = 0) -> tuple[Piece, ...]:
    axis = axis_of(x, dim)
    n = length(x, axis)
    ends = np.cumsum(size) if isinstance(size, (tuple, list)) else np.minimum(np.arange(size, n + size, size), n)
    starts = (0, *map(int, ends[:-1]))
    return tuple(Piece(x, [Slice(axis, first, int(end))]) for first, end in zip(starts, ends, strict=True))


def _permute(row: Any, x: Activation, *axes: Any) -> list[Layer] | tuple[Piece, ...]:
    axes = axes[0] if isinstance(axes[0], tuple) else axes
    if axes[1:2] == (0,) and axes[2:]:
        return _pieces(x, axes[0], axes[2:])
    if axes[0] != 0:
        raise Unsupported(f"the axes {axes} have no counterpart; 0, which is that of the samples, comes first")
    return [Permute(tuple(axis_of(x, axis) for axis in axes[1:]))]


def _pieces(x: Activation, axis: Any, others: tuple[Any, ...] = ()) -> tuple[Piece, ...]:
    """x along one axis, such as queries, keys and values in one array: each piece without it, the others in order."""
    axis = axis_of(x, axis)
    n = length(x, axis)
    left = [i for i in range(1, len(x.shape or ())) if i != axis]
    ending: list[Layer] = [Reshape(tuple(length(x, i) for i in left))]
    if others and [*others] != left:
        ending.append(Permute(tuple(left.index(axis_of(x, i)) + 1 for i in others)))
    return tuple(Piece(x, [Slice(axis, i, i + 1), *ending]) for i in range(n))


def _transpose(row: Any, x: Activation, dim0: Any, dim1: Any) -> list[Layer]:
    axes, one, other = list(range(x.axes or 0)), axis_of(x, dim0), axis_of(x, dim1)
    if max(one, other) >= len(axes):
        raise Unsupported("it needs the number of axes; give input_shape")
    axes[one], axes[other] = other, one
    return [Permute(tuple(axes[1:]))]


def _mean(row: Any, x: Activation, dim: Any = None, keepdim: Any = False) -> list[Layer]:
    axes = x.axes or 4
    given = dim if isinstance(dim, (tuple, list)) else (dim,)
    if axes == 3 and given in ((1,), (-2,)):  # tokens
        tokens, features = length(x, 1), length(x, 2)
        mean: list[Layer] = [Reshape((1, tokens, features)), AvgPool2d((tokens, 1))]
        return [*mean, Reshape((1, features)) if keepdim else Flatten()]
    if any(not isinstance(d, int) for d in given) or sorted(d % axes for d in given) != [2, 3] or axes != 4:
        raise Unsupported(
            f"the mean over {dim} has no counterpart; over (2, 3) of (N, C, H, W) and 1 of (N, T, D) it has"
        )
    return [GlobalAvgPool()] if keepdim else [GlobalAvgPool(), Flatten()]


# ------------------------------------------------------------------------------------- what a module does as well


def _as_module(row: Any, x: Activation, *arguments: Any, kind: str, **options: Any) -> list[Layer]:
    """A function that takes what its module is made with, in the same order."""
    module = getattr(torch_shapes.import_torch().nn, kind)(*arguments, **options)
    return FROM_TORCH[kind](module, x.shape, x.axes)


def _like(kind: str, named: Callable[..., dict[str, Any]]) -> Callable[..., list[Layer]]:
    """A function whose arguments, under the names that `named` gives them, are the attributes of its module."""

    def layers(row: Any, x: Activation, *arguments: Any, **options: Any) -> list[Layer]:
        return FROM_TORCH[kind](SimpleNamespace(**named(*arguments, **options)), x.shape, x.axes)

    return layers


def _running(
    running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None, training: Any = False,
    momentum: Any = 0.1, eps: float = 1e-5,
) -> dict[str, Any]:  # fmt: skip
    return locals() | ({"running_mean": None} if training else {})  # None: it takes those of the batch


def _running_or_own(
    running_mean: Any = None, running_var: Any = None, weight: Any = None, bias: Any = None,
    use_input_stats: Any = True, momentum: Any = 0.1, eps: float = 1e-5,
) -> dict[str, Any]:  # fmt: skip
    return locals() | {"track_running_stats": not use_input_stats}


def _dropout(row: Any, x: Activation, p: Any = 0.5, training: Any = True, *, kind: type[Dropout]) -> list[Layer]:
    if training:
        raise Unsupported("it drops in evaluation mode, too; give it training=self.training")
    return [kind(p)]


def _softmax(row: Any, x: Activation, dim: Any = None, dtype: Any = None, _stacklevel: int = 3, *, kind: Any) -> Any:
    if dtype is not None:
        raise Unsupported(f"dtype={dtype} has no counterpart")
    return torch_shapes.softmax(kind, dim, x.axes)


def _pad(row: Any, x: Activation, pad: Any, mode: Any = "constant", value: Any = None) -> list[Layer]:
    if value:
        raise Unsupported(f"padding with {value} has no counterpart; with 0 it has")
    return torch_shapes.pad(pad, mode, x.axes)


def _interpolate(
    row: Any, x: Activation, size: Any = None, scale_factor: Any = None, mode: Any = "nearest",
    align_corners: Any = None, recompute_scale_factor: Any = None, antialias: Any = False,
) -> list[Layer]:  # fmt: skip
    if antialias:
        raise Unsupported("antialias=True has no counterpart")
    like = SimpleNamespace(size=size, scale_factor=scale_factor, mode=mode, align_corners=align_corners)
    return FROM_TORCH["Upsample"](like, x.shape, x.axes)


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "add": _add,
    "sub": lambda row, x, y, alpha=1: _add(row, x, y, -alpha),
    "mul": _multiply,
    "div": _divide,
    "neg": lambda row, x: _multiply(row, x, -1),
    "matmul": _matmul,
    "masked_fill": torch_attention.masked_fill,
    "scaled_dot_product_attention": torch_attention.scaled_dot_product_attention,
    "cat": _cat,
    "getitem": _item,
    "split": _split,
    "unbind": lambda row, x, dim=0: _pieces(x, dim),
    "chunk": lambda row, x, chunks, dim=0: _split(row, x, -(-length(x, axis_of(x, dim)) // chunks), dim),
    "view": lambda row, x, *sizes: reshaped("view", x.shape, *(sizes[0] if isinstance(sizes[0], tuple) else sizes)),
    "flatten": lambda row, x, start_dim=0, end_dim=-1: reshaped("flatten", x.shape, start_dim, end_dim),
    "unflatten": lambda row, x, dim, sizes: reshaped("unflatten", x.shape, dim, sizes),
    "squeeze": lambda row, x, *dim: reshaped("squeeze", x.shape, *dim),
    "unsqueeze": lambda row, x, dim: reshaped("unsqueeze", x.shape, dim),
    "permute": _permute,
    "transpose": _transpose,
    "contiguous": lambda row, x: [Identity()],
    "size": _sizes,
    "getattr": _attribute,
    "mean": _mean,
    "pad": _pad,
    "interpolate": _interpolate,
    "max_pool2d": _like(
        "MaxPool2d",
        lambda kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False: locals(),
    ),
    "avg_pool2d": _like(
        "AvgPool2d",
        lambda kernel_size, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None: (
            locals()
        ),
    ),
    "adaptive_avg_pool2d": _like("AdaptiveAvgPool2d", lambda output_size: locals()),
    "linear": _like("Linear", lambda weight, bias=None: locals()),
    "conv2d": _like(
        "Conv2d", lambda weight, bias=None, stride=1, padding=0, dilation=1, groups=1, padding_mode="zeros": locals()
    ),
    "layer_norm": _like("LayerNorm", lambda normalized_shape, weight=None, bias=None, eps=1e-5: locals()),
    "rms_norm": _like("RMSNorm", lambda normalized_shape, weight=None, eps=None: locals()),
    "prelu": _like("PReLU", lambda weight: locals()),
    "batch_norm": _like("BatchNorm2d", _running),
    "group_norm": _like("GroupNorm", lambda num_groups, weight=None, bias=None, eps=1e-5: locals()),
    "instance_norm": _like("InstanceNorm2d", _running_or_own),
    "dropout": partial(_dropout, kind=Dropout),
    "dropout2d": partial(_dropout, kind=Dropout2d),
    "softmax": partial(_softmax, kind=Softmax),
    "log_softmax": partial(_softmax, kind=LogSoftmax),
    "leaky_relu": partial(_as_module, kind="LeakyReLU"),
    **{
        kind.lower(): partial(_as_module, kind=kind)
        for kind in ("ReLU", "ReLU6", "Tanh", "Sigmoid", "Hardsigmoid", "Hardswish", "SiLU", "GELU", "ELU", "Softplus")
    },
}
"""The functions and methods that have a counterpart, by name."""
