"""What corresponds to what: each module of PyTorch and the layer that computes the same, both ways.

One file, because the two ways are one table.
"""

import importlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from ..layers import (
    ELU,
    GELU,
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm,
    Constant,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Hardsigmoid,
    Hardswish,
    Identity,
    InstanceNorm,
    Layer,
    LeakyReLU,
    LogSoftmax,
    Mask,
    MaxPool2d,
    Pad,
    Permute,
    PReLU,
    ReLU,
    ReLU6,
    Reshape,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
    Upsample,
)
from ..layers.arguments import DTYPES, Shape, frozen
from .row import Unsupported

INSTALL = "pip install torch==2.13.0"


class _Size:
    """A size that is no number here."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


BATCH, UNKNOWN = _Size("x.size(0)"), _Size("an unknown size")


def import_torch() -> Any:
    """The module torch, or an ImportError that says how to install it."""
    try:
        return importlib.import_module("torch")
    except ImportError as error:
        raise ImportError(f"PyTorch is needed here and cannot be imported ({error}); {INSTALL}.") from None


# ------------------------------------------------------------------------------------------- from PyTorch


def layer_of(module: Any, shape: Shape | None, axes: int | None) -> list[Layer]:
    """The layers (one or two) that compute what `module` computes in evaluation mode.

    Parameters
    ----------
    shape
        Of the module's input, (1, ...), where it is known.
    axes
        The number of axes of the module's input, where it is known.
    """
    kind = type(module).__name__
    if not is_of_layer(module) and (type(module).__module__.partition(".")[0] != "torch" or kind not in FROM_TORCH):
        raise Unsupported(f"{kind} has no counterpart")
    hooks = ("_forward_hooks", "_forward_pre_hooks")
    if any(getattr(module, hook) for hook in hooks):
        raise Unsupported(f"{kind} has forward hooks, which may change what it computes; remove them")
    if "forward" in vars(module):
        raise Unsupported(f"the forward of this {kind} was replaced; convert it before, or write a separate module")
    if is_of_layer(module):
        return [replace(module.layer, **{name: array(value) for name, value in module.named_parameters()})]
    return FROM_TORCH[kind](module, shape, axes)


def is_of_layer(module: Any) -> bool:
    """Whether `to_torch` made the module around a layer that PyTorch has no module for."""
    return isinstance(vars(module).get("layer"), Layer)


def array(tensor: Any) -> np.ndarray:
    """A parameter copied to a read-only array."""
    values = tensor.detach().cpu()
    if values.is_floating_point() and values.element_size() < 4:
        raise Unsupported(f"its weights are {str(values.dtype).removeprefix('torch.')}; convert it with module.float()")
    numbers = np.array(values.numpy(), order="C")
    if numbers.dtype not in DTYPES:
        raise Unsupported(f"its weights are {numbers.dtype}; convert it with module.float()")
    return frozen(numbers)


def _maybe(tensor: Any) -> np.ndarray | None:
    return None if tensor is None else array(tensor)


def _linear(m: Any, shape: Any, axes: Any) -> list[Layer]:
    return [Dense(array(m.weight.T), _maybe(m.bias))]


def _convolution(m: Any, shape: Any, axes: Any) -> list[Layer]:
    if m.padding_mode != "zeros":
        raise Unsupported(f"padding_mode={m.padding_mode!r} has no counterpart; only 'zeros' has")
    padding = m.padding
    if padding == "valid":
        padding = 0
    elif padding == "same":
        around = [d * (k - 1) for d, k in zip(m.dilation, m.kernel_size, strict=True)]
        if any(total % 2 for total in around):
            raise Unsupported(f"padding='same' of a {m.kernel_size} window needs one side wider than the other")
        padding = tuple(total // 2 for total in around)
    return [Conv2d(array(m.weight), _maybe(m.bias), m.stride, padding, m.dilation, m.groups)]


def _transposed(m: Any, shape: Any, axes: Any) -> list[Layer]:
    if m.padding_mode != "zeros":
        raise Unsupported(f"padding_mode={m.padding_mode!r} has no counterpart; only 'zeros' has")
    options = m.stride, m.padding, m.dilation, m.groups, m.output_padding
    return [ConvTranspose2d(array(m.weight), _maybe(m.bias), *options)]


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
    return [MaxPool2d(m.kernel_size, m.stride, m.padding, m.ceil_mode)]


def _avg_pooling(m: Any, shape: Any, axes: Any) -> list[Layer]:
    if m.divisor_override is not None:
        raise Unsupported("divisor_override has no counterpart")
    return [AvgPool2d(m.kernel_size, m.stride, m.padding, m.ceil_mode, m.count_include_pad)]


def adaptive(output: Any, shape: Shape | None) -> list[Layer]:
    """AdaptiveAvgPool2d to `output` pixels; where it is known to be a plainer layer, that one."""
    size = tuple(output) if isinstance(output, (tuple, list)) else (output, output)
    if size == (1, 1):
        return [GlobalAvgPool()]
    if shape is None or len(shape) != 4:
        if None in size:
            raise Unsupported(f"to {size} needs the size of the input; give input_shape")
        return [AdaptiveAvgPool2d(size)]
    size = tuple(n if o is None else o for o, n in zip(size, shape[2:], strict=True))
    if any(n % o for o, n in zip(size, shape[2:], strict=True)):
        return [AdaptiveAvgPool2d(size)]
    window = tuple(n // o for o, n in zip(size, shape[2:], strict=True))
    return [Identity()] if window == (1, 1) else [AvgPool2d(window)]


def _upsample(m: Any, shape: Shape | None, axes: Any) -> list[Layer]:
    """By a whole number of times; a `size` needs the size of the input."""
    if m.mode not in ("nearest", "bilinear"):
        raise Unsupported(f"mode={m.mode!r} has no counterpart; 'nearest' and 'bilinear' have")
    factors = m.scale_factor
    if m.size is not None:
        if shape is None or len(shape) != 4:
            raise Unsupported("to a size needs the size of the input; give input_shape, or scale_factor")
        size = m.size if isinstance(m.size, (tuple, list)) else (m.size, m.size)
        factors = tuple(o / n for o, n in zip(size, shape[2:], strict=True))
    factors = factors if isinstance(factors, (tuple, list)) else (factors, factors)
    if any(f != int(f) for f in factors):
        raise Unsupported(f"by {factors} is no whole number of times, and has no counterpart")
    rows, columns = map(int, factors)
    return [Upsample((rows, columns), m.mode, bool(m.align_corners))]


def pad(widths: Any, mode: str, axes: int | None) -> list[Layer]:
    """F.pad of an input with this many axes: `widths` are (before, after) of the last axis, of the one before, ..."""
    before, after = tuple(widths[::2])[::-1], tuple(widths[1::2])[::-1]
    kept = (0,) * ((axes or 0) - 1 - len(before))
    if mode not in PADS or min(widths) < 0 or axes is None or len(kept) + len(before) != axes - 1:
        raise Unsupported(f"pad={tuple(widths)}, mode={mode!r} of {axes or 'unknown'} axes has no counterpart")
    return [Pad((*kept, *before), (*kept, *after), PADS[mode])]


def _padding(m: Any, shape: Any, axes: int | None, *, mode: str) -> list[Layer]:
    if getattr(m, "value", 0) != 0:
        raise Unsupported(f"padding with {m.value} has no counterpart; with 0 it has")
    return pad(m.padding, mode, axes or 2 + len(m.padding) // 2)


PADS = {"constant": "zero", "reflect": "reflect", "replicate": "replicate"}
"""The modes of F.pad, and of Pad."""


def _groupnorm(m: Any, shape: Any, axes: Any) -> list[Layer]:
    return [GroupNorm(m.num_groups, *_scale_and_shift(m, shape), m.eps)]


def _instancenorm(m: Any, shape: Any, axes: Any) -> list[Layer]:
    if m.track_running_stats:  # then it is a batch norm in evaluation mode
        return _batchnorm(m, shape, axes)
    return [InstanceNorm(*_scale_and_shift(m, shape), m.eps)]


def _scale_and_shift(m: Any, shape: Shape | None) -> tuple[np.ndarray, np.ndarray]:
    """gamma and beta, in float32 where there is none."""
    gamma, beta = _maybe(m.weight), _maybe(m.bias)
    if gamma is None:
        channels = getattr(m, "num_channels", None) or getattr(m, "num_features", None) or (shape and shape[1])
        if not channels:
            raise Unsupported("it needs the number of channels; give input_shape")
        gamma = np.ones(channels, np.float32)
    return gamma, np.zeros_like(gamma) if beta is None else beta


def _alike(m: Any, shape: Any, axes: Any, *, kind: type[Layer]) -> list[Layer]:
    return [kind(**{ours: getattr(m, theirs) for ours, theirs in ALIKE[kind].items()})]


ALIKE: dict[type[Layer], dict[str, str]] = {
    ReLU: {}, ReLU6: {}, Tanh: {}, Sigmoid: {}, Hardsigmoid: {}, Hardswish: {}, SiLU: {}, Identity: {},
    LeakyReLU: {"slope": "negative_slope"}, ELU: {"alpha": "alpha"}, Softplus: {"beta": "beta"},
    GELU: {"approximate": "approximate"}, Dropout: {"p": "p"}, Dropout2d: {"p": "p"},
}  # fmt: skip
"""The layers without arrays whose module has the same name, and their options by name: ours, and PyTorch's."""


def softmax(kind: type[Softmax], dim: Any, axes: int | None) -> list[Layer]:
    """Softmax or LogSoftmax over axis `dim` of an input with this many axes."""
    if dim == 1 or (axes is not None and dim is not None and dim + axes == 1):
        return [kind()]
    raise Unsupported(f"dim={dim} has no counterpart; only dim=1 has")


def reshaped(name: str, shape: Shape | None, *arguments: Any) -> list[Layer]:
    """The layer of view, flatten, squeeze and the like, by the shapes that they give for two and three samples."""
    if shape is None:
        first, *rest = arguments or (None,)
        if (arguments == (1, -1) and name == "flatten") or arguments in ((BATCH, -1), (BATCH, (-1,))):
            return [Flatten()]
        rest = list(rest[0]) if name == "unflatten" else rest
        starts = first == 1 if name == "unflatten" else name == "view" and first in (BATCH, -1)
        if starts and rest and all(isinstance(n, int) and n > 0 for n in rest):
            return [Reshape(tuple(rest))]
        raise Unsupported(
            f"{name}{arguments} has no counterpart while the size of the input is unknown; give input_shape"
        )
    torch = import_torch()
    above = []
    for n in (2, 3):
        tensor = torch.empty((n, *shape[1:]), device="meta")
        try:
            above.append(tuple(getattr(tensor, name)(*(n if each is BATCH else each for each in arguments)).shape))
        except Exception as error:  # sizes that do not fit, sizes that are not known
            raise Unsupported(f"{name}{arguments} of an input {shape}: {' '.join(str(error).split())}") from None
    if above[0] != (2, *above[1][1:]) or above[1][0] != 3:
        raise Unsupported(f"{name}{arguments} puts several samples into one row")
    return [Flatten()] if len(above[0]) == 2 else [Reshape(above[0][1:])]


FROM_TORCH: dict[str, Callable[[Any, Shape | None, int | None], list[Layer]]] = {
    "Linear": _linear,
    "Conv2d": _convolution,
    "ConvTranspose2d": _transposed,
    "BatchNorm1d": _batchnorm,
    "BatchNorm2d": _batchnorm,
    "MaxPool2d": _max_pooling,
    "AvgPool2d": _avg_pooling,
    "AdaptiveAvgPool2d": lambda m, shape, axes: adaptive(m.output_size, shape),
    **{kind.__name__: partial(_alike, kind=kind) for kind in ALIKE},
    "PReLU": lambda m, shape, axes: [PReLU(array(m.weight))],
    "GroupNorm": _groupnorm,
    "InstanceNorm1d": _instancenorm,
    "InstanceNorm2d": _instancenorm,
    "Upsample": _upsample,
    **{f"ZeroPad{d}d": partial(_padding, mode="constant") for d in (1, 2, 3)},
    **{f"ConstantPad{d}d": partial(_padding, mode="constant") for d in (1, 2, 3)},
    **{f"ReflectionPad{d}d": partial(_padding, mode="reflect") for d in (1, 2, 3)},
    **{f"ReplicationPad{d}d": partial(_padding, mode="replicate") for d in (1, 2, 3)},
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
    if kind not in TO_TORCH:
        draw = "; convert the network that the draw was made from" if isinstance(layer, Mask) else ""
        raise Unsupported(f"PyTorch has no module for it{draw}")
    return TO_TORCH[kind](import_torch().nn, layer, axes)


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


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "Add": lambda torch, m, *x: sum(x[1:], x[0]),
    "Concat": lambda torch, m, *x: torch.cat(x, m.layer.axis),
    "Multiply": lambda torch, m, x, g: x * g,
    "Constant": lambda torch, m, x: m.value.expand(x.shape[0], *m.value.shape[1:]),
    "Permute": lambda torch, m, x: x.permute(0, *m.layer.axes),
    "Slice": lambda torch, m, x: x[(slice(None),) * m.layer.axis + (slice(m.layer.start, m.layer.stop, m.layer.step),)],
}
"""The layers that PyTorch has only functions for: of the module around one, and what that reads (for a Constant x)."""


def axes_above(layer: Layer, axes: int | None) -> int | None:
    """How many axes the output of `layer` has, where it is known."""
    if isinstance(layer, Dense):
        return axes or 2
    if isinstance(layer, Constant):
        return layer.value.ndim
    if isinstance(layer, (Conv2d, ConvTranspose2d, MaxPool2d, AvgPool2d, GlobalAvgPool, AdaptiveAvgPool2d, Upsample)):
        return 4
    if isinstance(layer, (Reshape, Permute)):
        return 1 + len(layer.shape if isinstance(layer, Reshape) else layer.axes)
    return 2 if isinstance(layer, Flatten) else axes


def _filled(module: Any, **arrays: np.ndarray | None) -> Any:
    """The module with these parameters and buffers, copied."""
    torch = import_torch()
    for name, value in arrays.items():
        if value is not None:
            tensor = torch.from_numpy(np.array(value))
            is_parameter = name in module._parameters
            setattr(module, name, torch.nn.Parameter(tensor) if is_parameter else tensor)
    return module


def _to_linear(nn: Any, layer: Any, axes: Any) -> Any:
    return _filled(nn.Linear(*layer.W.shape, bias=layer.b is not None), weight=layer.W.T, bias=layer.b)


def _to_convolution(nn: Any, layer: Any, axes: Any) -> Any:
    at = dict(stride=layer.stride, padding=layer.padding, dilation=layer.dilation, groups=layer.groups)
    kind = nn.Conv2d
    if isinstance(layer, ConvTranspose2d):
        kind, at["output_padding"] = nn.ConvTranspose2d, layer.output_padding
    module = kind(layer.channels, layer.filters, layer.W.shape[2:], bias=layer.b is not None, **at)
    return _filled(module, weight=layer.W, bias=layer.b)


def _to_batchnorm(nn: Any, layer: Any, axes: int | None) -> Any:
    if axes not in (2, 4):
        raise Unsupported("whether BatchNorm1d or BatchNorm2d depends on the input; make the network with input_shape")
    kind = nn.BatchNorm1d if axes == 2 else nn.BatchNorm2d
    arrays = dict(weight=layer.gamma, bias=layer.beta, running_mean=layer.mean, running_var=layer.var)
    return _filled(kind(len(layer.gamma), eps=layer.eps), **arrays)


def _to_reshape(nn: Any, layer: Any, axes: int | None) -> Any:
    unflatten = nn.Unflatten(1, layer.shape)
    return unflatten if axes == 2 else nn.Sequential(nn.Flatten(), unflatten)


def _to_pooling(nn: Any, layer: Any, axes: Any) -> Any:
    if isinstance(layer, MaxPool2d):
        return nn.MaxPool2d(layer.size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode)
    return nn.AvgPool2d(layer.size, layer.stride, layer.padding, layer.ceil_mode, layer.count_include_pad)


def _to_groupnorm(nn: Any, layer: Any, axes: Any) -> Any:
    norm = nn.GroupNorm(layer.groups_of(), len(layer.gamma), eps=layer.eps)
    return _filled(norm, weight=layer.gamma, bias=layer.beta)


def _to_upsample(nn: Any, layer: Any, axes: Any) -> Any:
    corners = layer.align_corners if layer.mode == "bilinear" else None
    return nn.Upsample(scale_factor=tuple(map(float, layer.factor)), mode=layer.mode, align_corners=corners)


def _to_pad(nn: Any, layer: Any, axes: Any) -> Any:
    widths = list(zip(layer.before, layer.after, strict=True))
    while len(widths) > 1 and not any(widths[0]):
        widths.pop(0)
    kind = {"zero": "ZeroPad", "reflect": "ReflectionPad", "replicate": "ReplicationPad"}[layer.mode]
    module = getattr(nn, f"{kind}{len(widths)}d", None)
    if module is None:
        raise Unsupported(f"PyTorch pads no {len(widths)} axes at once")
    return module(tuple(n for pair in widths[::-1] for n in pair))


def _to_alike(nn: Any, layer: Any, axes: Any) -> Any:
    options = {theirs: getattr(layer, ours) for ours, theirs in ALIKE[type(layer)].items()}
    return getattr(nn, type(layer).__name__)(**options)


TO_TORCH: dict[str, Callable[[Any, Any, int | None], Any]] = {
    "Dense": _to_linear,
    "Conv2d": _to_convolution,
    "ConvTranspose2d": _to_convolution,
    "BatchNorm": _to_batchnorm,
    "MaxPool2d": _to_pooling,
    "AvgPool2d": _to_pooling,
    "GlobalAvgPool": lambda nn, layer, axes: nn.AdaptiveAvgPool2d(1),
    "AdaptiveAvgPool2d": lambda nn, layer, axes: nn.AdaptiveAvgPool2d(layer.size),
    **{kind.__name__: _to_alike for kind in ALIKE},
    "PReLU": lambda nn, layer, axes: _filled(nn.PReLU(len(layer.slope)), weight=layer.slope),
    "GroupNorm": _to_groupnorm,
    "InstanceNorm": _to_groupnorm,
    "Upsample": _to_upsample,
    "Pad": _to_pad,
    "Softmax": lambda nn, layer, axes: nn.Softmax(dim=1),
    "LogSoftmax": lambda nn, layer, axes: nn.LogSoftmax(dim=1),
    "Flatten": lambda nn, layer, axes: nn.Flatten(),
    "Reshape": _to_reshape,
}
"""The layers that have a module, by the name of their class."""
