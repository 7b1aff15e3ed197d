"""What corresponds to what: each module of PyTorch and the layer that computes the same, both ways.

One file, because the two ways are one table: PAIRS says which attributes are the same, and what is special stands
below it, in FROM_TORCH and TO_TORCH.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from ..layers import (
    KINDS,
    BatchNorm,
    Dense,
    GroupNorm,
    InstanceNorm,
    Layer,
    LayerNorm,
    LogSoftmax,
    Mask,
    RMSNorm,
    Softmax,
)
from ..layers.arguments import Shape
from .row import Unsupported
from .torch_shapes import adaptive, array, import_torch, pad, reshaped, softmax, upsample


@dataclass(frozen=True)
class Pair:
    """A layer and the module that computes the same: the attributes of both by name, ours -> PyTorch's.

    options: those that the module is made with.
    arrays: the parameters and buffers.
    sized: what else the module is made with, of a layer.
    module: the name of its class, by default that of the layer.
    """

    options: dict[str, str] = field(default_factory=dict)
    arrays: dict[str, str] = field(default_factory=dict)
    sized: Callable[[Any], tuple[Any, ...]] = lambda layer: ()
    module: str = ""


def _same(*names: str, **others: str) -> dict[str, str]:
    """Attributes of one name, and of two."""
    return {**others, **{name: name for name in names}}


def _channels(layer: Any) -> tuple[Any, ...]:
    return layer.channels, layer.filters, layer.W.shape[2:]


def _groups(layer: Any) -> tuple[int, int]:
    return layer.in_groups, len(layer.gamma)


POOL = _same("stride", "padding", "ceil_mode", size="kernel_size")
CONVOLUTION, FILTERS = _same("stride", "padding", "dilation", "groups"), {"W": "weight", "b": "bias"}
NORM = {"gamma": "weight", "beta": "bias"}

ALIKE: dict[str, Pair] = {
    **dict.fromkeys(("ReLU", "ReLU6", "Tanh", "Sigmoid", "Hardsigmoid", "Hardswish", "SiLU", "Identity"), Pair()),
    "LeakyReLU": Pair({"slope": "negative_slope"}),
    "ELU": Pair(_same("alpha")),
    "Softplus": Pair(_same("beta")),
    "GELU": Pair(_same("approximate")),
    "Dropout": Pair(_same("p")),
    "Dropout2d": Pair(_same("p")),
    "PReLU": Pair({}, {"slope": "weight"}, lambda layer: (len(layer.slope),)),
}
"""The layers that have the name of their module, and nothing special."""

PAIRS: dict[str, Pair] = {
    **ALIKE,
    "Flatten": Pair(),
    "Dense": Pair({}, FILTERS, lambda layer: layer.W.shape, "Linear"),
    "Conv2d": Pair(CONVOLUTION, FILTERS, _channels),
    "ConvTranspose2d": Pair(CONVOLUTION | _same("output_padding"), FILTERS, _channels),
    "MaxPool2d": Pair(POOL),
    "AvgPool2d": Pair(POOL | _same("count_include_pad")),
    "AdaptiveAvgPool2d": Pair({"size": "output_size"}),
    "BatchNorm": Pair(_same("eps"), NORM | {"mean": "running_mean", "var": "running_var"}, lambda m: (len(m.gamma),)),
    "GroupNorm": Pair(_same("eps"), NORM, _groups),
    "InstanceNorm": Pair(_same("eps"), NORM, _groups, "GroupNorm"),
    "LayerNorm": Pair(_same("eps"), NORM, lambda layer: (layer.gamma.shape,)),
    "RMSNorm": Pair(_same("eps"), {"gamma": "weight"}, lambda layer: (layer.gamma.shape,)),
    "Embedding": Pair({}, {"E": "weight"}, lambda layer: layer.E.shape),
}


# ------------------------------------------------------------------------------------------- from PyTorch


def layer_of(module: Any, shape: Shape | None, axes: int | None) -> list[Layer]:
    """The layers (one or two) that compute what `module` computes in evaluation mode.

    shape: of the module's input, (1, ...), where it is known.
    axes: the number of axes of the module's input, where it is known.
    """
    kind = type(module).__name__
    if not is_of_layer(module) and (type(module).__module__.partition(".")[0] != "torch" or kind not in FROM_TORCH):
        raise Unsupported(f"{kind} has no counterpart")
    refuse_changed(module)
    if is_of_layer(module):
        return [replace(module.layer, **{name: array(value) for name, value in module.named_parameters()})]
    return FROM_TORCH[kind](module, shape, axes)


def refuse_changed(module: Any) -> None:
    """Unsupported where hooks or a replaced forward may change what a module computes."""
    kind = type(module).__name__
    if module._forward_hooks or module._forward_pre_hooks:
        raise Unsupported(f"{kind} has forward hooks, which may change what it computes; remove them")
    if "forward" in vars(module):
        raise Unsupported(f"the forward of this {kind} was replaced; convert it before, or write a separate module")


def is_of_layer(module: Any) -> bool:
    """Whether `to_torch` made the module around a layer that PyTorch has no module for."""
    return isinstance(vars(module).get("layer"), Layer)


def _maybe(tensor: Any) -> np.ndarray | None:
    return None if tensor is None else array(tensor)


def _layer(m: Any, shape: Any, axes: Any, *, kind: str, **own: Any) -> list[Layer]:
    """The layer with the module's attributes, or with some of its `own`."""
    pair = PAIRS[kind]
    found = {ours: getattr(m, theirs) for ours, theirs in pair.options.items()}
    for ours, theirs in pair.arrays.items():
        tensor = getattr(m, theirs)
        found[ours] = _maybe(tensor.T if kind == "Dense" and ours == "W" else tensor)
    return [KINDS[kind](**found | own)]


def _convolution(m: Any, shape: Any, axes: Any, *, kind: str) -> list[Layer]:
    if m.padding_mode != "zeros":
        raise Unsupported(f"padding_mode={m.padding_mode!r} has no counterpart; only 'zeros' has")
    padding = 0 if m.padding == "valid" else m.padding
    if padding == "same":
        around = [d * (k - 1) for d, k in zip(m.dilation, m.kernel_size, strict=True)]
        if any(total % 2 for total in around):
            raise Unsupported(f"padding='same' of a {m.kernel_size} window needs one side wider than the other")
        padding = tuple(total // 2 for total in around)
    return _layer(m, shape, axes, kind=kind, padding=padding)


def _batchnorm(m: Any, shape: Any, axes: Any) -> list[Layer]:
    if m.running_mean is None or m.running_var is None:
        raise Unsupported("it keeps no running statistics, so that a sample's scores depend on its batch")
    mean, var = array(m.running_mean), array(m.running_var)
    gamma = np.ones_like(mean) if m.weight is None else array(m.weight)
    beta = np.zeros_like(mean) if m.bias is None else array(m.bias)
    return [BatchNorm(gamma, beta, mean, var, m.eps)]


def _max_pooling(m: Any, shape: Any, axes: Any) -> list[Layer]:
    if m.return_indices or m.dilation not in (1, (1, 1), [1, 1]):
        raise Unsupported("only dilation=1 and return_indices=False have a counterpart")
    return _layer(m, shape, axes, kind="MaxPool2d")


def _avg_pooling(m: Any, shape: Any, axes: Any) -> list[Layer]:
    if m.divisor_override is not None:
        raise Unsupported("divisor_override has no counterpart")
    return _layer(m, shape, axes, kind="AvgPool2d")


PADDED = {"Reflection": "reflect", "Replication": "replicate"}


def _padding(m: Any, shape: Any, axes: int | None, *, mode: str) -> list[Layer]:
    if getattr(m, "value", 0) != 0:
        raise Unsupported(f"padding with {m.value} has no counterpart; with 0 it has")
    return pad(m.padding, mode, axes or 2 + len(m.padding) // 2)


def _groupnorm(m: Any, shape: Any, axes: Any) -> list[Layer]:
    return [GroupNorm(m.num_groups, *_scale_and_shift(m, shape), m.eps)]


def _instancenorm(m: Any, shape: Any, axes: Any) -> list[Layer]:
    if m.track_running_stats:  # then it is a batch norm in evaluation mode
        return _batchnorm(m, shape, axes)
    return [InstanceNorm(*_scale_and_shift(m, shape), m.eps)]


def _by_token(m: Any, shape: Any, axes: Any, *, kind: str) -> list[Layer]:
    """LayerNorm and RMSNorm: without parameters γ is 1 and β 0; an eps of None is that of the dtype."""
    gamma = np.ones(tuple(m.normalized_shape), np.float32) if m.weight is None else array(m.weight)
    eps = np.finfo(gamma.dtype).eps if m.eps is None else m.eps
    beta = _maybe(getattr(m, "bias", None))
    return [RMSNorm(gamma, eps) if kind == "RMSNorm" else LayerNorm(gamma, 0 * gamma if beta is None else beta, eps)]


def _embedding(m: Any, shape: Any, axes: Any) -> list[Layer]:
    if m.max_norm is not None:
        raise Unsupported(f"max_norm={m.max_norm} has no counterpart: it changes the table when it is read")
    return _layer(m, shape, axes, kind="Embedding")


def _scale_and_shift(m: Any, shape: Shape | None) -> tuple[np.ndarray, np.ndarray]:
    """gamma and beta, in float32 where there is none."""
    gamma, beta = _maybe(m.weight), _maybe(m.bias)
    if gamma is None:
        channels = getattr(m, "num_channels", None) or getattr(m, "num_features", None) or (shape and shape[1])
        if not channels:
            raise Unsupported("it needs the number of channels; give input_shape")
        gamma = np.ones(channels, np.float32)
    return gamma, np.zeros_like(gamma) if beta is None else beta


FROM_TORCH: dict[str, Callable[[Any, Shape | None, int | None], list[Layer]]] = {
    "Linear": partial(_layer, kind="Dense"),
    **{kind: partial(_convolution, kind=kind) for kind in ("Conv2d", "ConvTranspose2d")},
    "BatchNorm1d": _batchnorm,
    "BatchNorm2d": _batchnorm,
    "MaxPool2d": _max_pooling,
    "AvgPool2d": _avg_pooling,
    "AdaptiveAvgPool2d": lambda m, shape, axes: adaptive(m.output_size, shape),
    **{kind: partial(_layer, kind=kind) for kind in ALIKE},
    "GroupNorm": _groupnorm,
    "InstanceNorm1d": _instancenorm,
    "InstanceNorm2d": _instancenorm,
    "LayerNorm": partial(_by_token, kind="LayerNorm"),
    "RMSNorm": partial(_by_token, kind="RMSNorm"),
    "Embedding": _embedding,
    "Upsample": lambda m, shape, axes: upsample(m, shape),
    **{
        f"{name}Pad{d}d": partial(_padding, mode=mode)
        for name, mode in (("Zero", "constant"), ("Constant", "constant"), *PADDED.items())
        for d in (1, 2, 3)
    },
    "Softmax": lambda m, shape, axes: softmax(Softmax, m.dim, axes),
    "LogSoftmax": lambda m, shape, axes: softmax(LogSoftmax, m.dim, axes),
    "Flatten": lambda m, shape, axes: reshaped("flatten", shape, m.start_dim, m.end_dim),
    "Unflatten": lambda m, shape, axes: reshaped("unflatten", shape, m.dim, tuple(m.unflattened_size)),
}
"""The modules that have a counterpart, by the name of their class."""


# --------------------------------------------------------------------------------------------- to PyTorch


def module_of(layer: Layer, axes: int | None) -> Any:
    """The module that computes what `layer` computes; `axes` of its input, where known."""
    kind = type(layer).__name__
    if kind in FUNCTIONS:
        return of_layer(layer)
    if kind not in TO_TORCH and kind not in PAIRS:
        draw = "; convert the network that the draw was made from" if isinstance(layer, Mask) else ""
        raise Unsupported(f"PyTorch has no module for it{draw}")
    nn = import_torch().nn
    return TO_TORCH[kind](nn, layer, axes) if kind in TO_TORCH else _module(nn, layer)


def of_layer(layer: Any) -> Any:
    """A module around a layer that PyTorch has functions for, and no module."""
    torch, function = import_torch(), FUNCTIONS[type(layer).__name__]

    class OfLayer(torch.nn.Module):  # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer
            for name, value in layer.arrays.items():
                self.register_parameter(name, torch.nn.Parameter(torch.from_numpy(np.array(value))))

        def forward(self, *x: Any) -> Any:
            return function(torch, self, *x)

        def extra_repr(self) -> str:
            return repr(self.layer)

    return OfLayer()


def _masked(torch: Any, m: Any, x: Any) -> Any:
    allowed = torch.ones((), dtype=torch.bool) if m.layer.allowed is None else torch.tensor(m.layer.allowed) != 0
    if m.layer.causal:
        allowed = allowed & torch.ones(x.shape[-2:], dtype=torch.bool).tril(x.shape[-1] - x.shape[-2])
    return torch.where(allowed.to(x.device), x, -torch.finfo(x.dtype).max / 2)


def _rotated(torch: Any, m: Any, x: Any) -> Any:
    layer, d = m.layer, m.layer.width or x.shape[-1]
    first, second = (slice(0, d // 2), slice(d // 2, d)) if layer.halves else (slice(0, d, 2), slice(1, d, 2))
    powers = torch.arange(0, d, 2, dtype=torch.float64) / -d
    angles = torch.arange(x.shape[-2], dtype=torch.float64)[:, None] * layer.base**powers
    cos, sin = (f(angles).to(x) for f in (torch.cos, torch.sin))
    z = x.clone()
    z[..., first] = x[..., first] * cos - x[..., second] * sin
    z[..., second] = x[..., first] * sin + x[..., second] * cos
    return z


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Add": lambda torch, m, *x: sum(x[1:], x[0]),
    "Concat": lambda torch, m, *x: torch.cat(x, m.layer.axis),
    "Multiply": lambda torch, m, x, g: x * g,
    "Constant": lambda torch, m, x: m.value.expand(x.shape[0], *m.value.shape[1:]),
    "Permute": lambda torch, m, x: x.permute(0, *m.layer.axes),
    "Slice": lambda torch, m, x: x[(slice(None),) * m.layer.axis + (slice(m.layer.start, m.layer.stop, m.layer.step),)],
    "MatMul": lambda torch, m, x, y: x @ (y.mT if m.layer.transposed else y),
    "SplitHeads": lambda torch, m, x: x.unflatten(-1, (m.layer.heads, -1)).transpose(1, 2),
    "MergeHeads": lambda torch, m, x: x.transpose(1, 2).flatten(2),
    "RepeatHeads": lambda torch, m, x: x.repeat_interleave(m.layer.times, 1),
    "Scale": lambda torch, m, x: x * m.layer.factor,
    "AttentionMask": _masked,
    "Rotary": _rotated,
    "Take": lambda torch, m, x: x[:, m.layer.position],
}
"""The layers that PyTorch has only functions for: of the module around one, and what that reads (for a Constant x)."""


def _module(nn: Any, layer: Any, name: str = "") -> Any:
    """The module of the layer's pair, with copies of its arrays."""
    pair, torch = PAIRS[type(layer).__name__], import_torch()
    options = {theirs: getattr(layer, ours) for ours, theirs in pair.options.items()}
    if "b" in pair.arrays:
        options["bias"] = layer.b is not None
    module = getattr(nn, name or pair.module or type(layer).__name__)(*pair.sized(layer), **options)
    for ours, theirs in pair.arrays.items():
        value = getattr(layer, ours)
        if value is not None:
            tensor = torch.from_numpy(np.array(value.T if isinstance(layer, Dense) and ours == "W" else value))
            setattr(module, theirs, nn.Parameter(tensor) if theirs in module._parameters else tensor)
    return module


def _to_batchnorm(nn: Any, layer: Any, axes: int | None) -> Any:
    if axes not in (2, 4):
        raise Unsupported("whether BatchNorm1d or BatchNorm2d depends on the input; make the network with input_shape")
    return _module(nn, layer, "BatchNorm1d" if axes == 2 else "BatchNorm2d")


def _to_reshape(nn: Any, layer: Any, axes: int | None) -> Any:
    unflatten = nn.Unflatten(1, layer.shape)
    return unflatten if axes == 2 else nn.Sequential(nn.Flatten(), unflatten)


def _to_upsample(nn: Any, layer: Any, axes: Any) -> Any:
    corners = layer.align_corners if layer.mode == "bilinear" else None
    return nn.Upsample(scale_factor=tuple(map(float, layer.factor)), mode=layer.mode, align_corners=corners)


def _to_pad(nn: Any, layer: Any, axes: Any) -> Any:
    widths = list(zip(layer.before, layer.after, strict=True))
    while len(widths) > 1 and not any(widths[0]):
        widths.pop(0)
    kind = next((name for name, mode in PADDED.items() if mode == layer.mode), "Zero")
    module = getattr(nn, f"{kind}Pad{len(widths)}d", None)
    if module is None:
        raise Unsupported(f"PyTorch pads no {len(widths)} axes at once")
    return module(tuple(n for pair in widths[::-1] for n in pair))


TO_TORCH: dict[str, Callable[[Any, Any, int | None], Any]] = {
    "BatchNorm": _to_batchnorm,
    "GlobalAvgPool": lambda nn, layer, axes: nn.AdaptiveAvgPool2d(1),
    "Upsample": _to_upsample,
    "Pad": _to_pad,
    "Softmax": lambda nn, layer, axes: nn.Softmax(layer.axis),
    "LogSoftmax": lambda nn, layer, axes: nn.LogSoftmax(layer.axis),
    "Reshape": _to_reshape,
}
"""The layers whose module is no pair's, by the name of their class."""
