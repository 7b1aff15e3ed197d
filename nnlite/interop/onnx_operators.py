"""The operators of ONNX that have a counterpart, and what they become.

Each is called with the row that is laid, its attributes by name, and what it reads: Activations, Known numbers, None.
It gives a list of layers that follow its first activation, the Activation that it laid, or a tuple of those.
(One file, for it is one table.)
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial, wraps
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import layers as ours
from ..layers import Layer
from .onnx_graph import Graph, Known
from .row import Activation, Unsupported, axis_of, indexed, length
from .torch_layers import FROM_TORCH
from .torch_shapes import softmax

At = dict[str, Any]
PADS = {"constant": "zero", "reflect": "reflect", "edge": "replicate"}
"""The modes of padding: ONNX's, and ours."""


def option(at: At, name: str, given: Any = None, default: Any = None) -> Any:
    """An option that an operator reads, or that it had as an attribute in older versions."""
    return at.get(name, default) if given is None else given.one.tolist()


# ---------------------------------------------------------------------------------------------------- windows


def of_images(operator: Callable[..., Any]) -> Callable[..., Any]:
    """An operator of images that takes (N, C, L), too: as images of one row."""

    @wraps(operator)
    def wide(row: Graph, at: At, x: Activation, *given: Any) -> Any:
        if x.axes != 3:
            return operator(row, at, x, *given)
        for name in {"strides", "dilations", "kernel_shape", "output_padding", "pads"} & set(at):
            first = [0] if "pad" in name else [1]
            at[name] = [number for each in at[name] for number in (*first, each)]
        given = tuple(each and Known([v[:, :, None] if v.ndim == 3 else v for v in each.values]) for each in given)
        image = row.reshaped(x, (length(x, 1), 1, length(x, 2)))
        above = row.chain(operator(row, at, image, *given), image)
        return row.reshaped(above, (length(above, 1), length(above, 3)))

    return wide


def _windows(at: At, x: Activation, window: Any) -> tuple[Any, Any, At]:
    """The padding before and after each axis, and the stride and dilation of windows."""
    if x.axes != 4 or len(window) != 2:
        raise Unsupported(f"of {x.axes} axes it has no counterpart; of (N, C, H, W) and (N, C, L) it has")
    stride, dilation = (tuple(at.get(name, (1, 1))) for name in ("strides", "dilations"))
    auto, pads = at.get("auto_pad", "NOTSET"), tuple(at.get("pads", (0,) * 4))
    if auto.startswith("SAME"):
        along = zip((x.shape or ())[2:], window, stride, dilation, strict=True)
        total = [max(0, (-(-n // s) - 1) * s + d * (k - 1) + 1 - n) for n, k, s, d in along]
        less, more = tuple(n // 2 for n in total), tuple(n - n // 2 for n in total)
        pads = less + more if auto == "SAME_UPPER" else more + less
    pads = (0,) * 4 if auto == "VALID" else pads
    return pads[:2], pads[2:], {"stride": stride, "dilation": dilation}


@of_images
def _convolution(row: Graph, at: At, x: Activation, W: Any, b: Any = None) -> list[Layer]:
    before, after, options = _windows(at, x, W.one.shape[2:])
    layer = ours.Conv2d(W.one, b and b.one, padding=before, groups=at.get("group", 1), **options)
    uneven = [ours.Pad((0, *before), (0, *after)), replace(layer, padding=0)]
    return [layer] if before == after else uneven


@of_images
def _transposed(row: Graph, at: At, x: Activation, W: Any, b: Any = None) -> list[Layer]:
    before, after, options = _windows(at, x, W.one.shape[2:])
    if before != after or at.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID") or "output_shape" in at:
        raise Unsupported("auto_pad, output_shape and pads that differ on two sides have no counterpart")
    extra, groups = tuple(at.get("output_padding", (0, 0))), at.get("group", 1)
    return [ours.ConvTranspose2d(W.one, b and b.one, padding=before, groups=groups, output_padding=extra, **options)]


@of_images
def _pooled(row: Graph, at: At, x: Activation) -> list[Layer]:
    before, after, options = _windows(at, x, at["kernel_shape"])
    greatest, counted = row.node.op_type == "MaxPool", bool(at.get("count_include_pad", 0))
    uneven = before != after
    if options["dilation"] != (1, 1) or (uneven and not greatest and not counted):
        raise Unsupported(
            "dilation, and a mean with pads that differ on two sides and do not count, have no counterpart"
        )
    more = {} if greatest else {"count_include_pad": counted}
    window: Any = tuple(at["kernel_shape"]), options["stride"], 0 if uneven else before, bool(at.get("ceil_mode", 0))
    # the greatest of a window is among its own numbers: those at the border may stand there twice
    pads = [ours.Pad((0, *before), (0, *after), "replicate" if greatest else "zero")] if uneven else []
    return [*pads, (ours.MaxPool2d if greatest else ours.AvgPool2d)(*window, **more)]


_mean_of_images = of_images(lambda row, at, x: [ours.GlobalAvgPool()])


def _mean(row: Graph, at: At, x: Activation, axes: Any = None) -> Activation:
    over = option(at, "axes", axes)
    if not over or sorted(axis % (x.axes or 1) for axis in over) != list(range(2, x.axes or 0)):
        raise Unsupported(f"the mean over axes {over} has no counterpart; over all places of each channel it has")
    above = row.chain(_mean_of_images(row, at, x), x)
    return above if at.get("keepdims", 1) else row.lay(ours.Flatten(), above)


def _resized(row: Graph, at: At, x: Activation, *given: Any) -> list[Layer]:
    """It reads (roi, scales, sizes); before version 11, and as Upsample, the scales alone."""
    old = row.model.opset < 11
    scales, sizes = (*given, None, None)[:2] if old else (*given, None, None, None)[1:3]
    turn, rounded = at.get("coordinate_transformation_mode", "half_pixel"), at.get("nearest_mode", "round_prefer_floor")
    turn, rounded = ("asymmetric", "floor") if old else (turn, rounded)
    mode = {"linear": "bilinear"}.get(at.get("mode", "nearest"), at.get("mode", "nearest"))
    halves, corners = turn in ("half_pixel", "pytorch_half_pixel", "half_pixel_symmetric"), turn == "align_corners"
    nearest = (halves and rounded.startswith("round")) or (turn, rounded) == ("asymmetric", "floor")
    size = Known([v[1:] for v in sizes.values]).one.tolist() if sizes and sizes.values[0].size else None
    factors: Any = None if size else option(at, "scales", scales, [])[1:]
    known = [length(x, 1), 1][factors is not None]
    if not (nearest if mode == "nearest" else halves or corners) or {"axes", "antialias"} & {n for n in at if at[n]}:
        raise Unsupported(f"mode={mode!r} with {turn!r} and {rounded!r} has no counterpart; those of PyTorch have")
    if x.axes != 4 or (size or factors)[0] != known:
        raise Unsupported("of other axes than rows and columns of (N, C, H, W) it has no counterpart")
    like = SimpleNamespace(
        size=size and size[1:], scale_factor=factors and factors[1:], mode=mode, align_corners=corners
    )
    return FROM_TORCH["Upsample"](like, x.shape, x.axes)


# ----------------------------------------------------------------------------------------- weights and arithmetic


def _gemm(row: Graph, at: At, x: Activation, B: Any, C: Any = None) -> list[Layer]:
    alpha, beta = (row.model.dtype.type(row.decimal(at.get(name, 1.0))) for name in ("alpha", "beta"))
    W = alpha * (B.one.T if at.get("transB", 0) else B.one)
    if x.axes != 2 or at.get("transA", 0) or W.ndim != 2 or (C and C.one.size not in (1, W.shape[1])):
        raise Unsupported("it has a counterpart where A is (N, J) and not transposed, B (J, K) and C (K,)")
    return [ours.Dense(W, None if C is None else np.broadcast_to(beta * C.one.ravel(), W.shape[1:]))]


def _batchnorm(row: Graph, at: At, x: Activation, *arrays: Any) -> list[Layer]:
    if at.get("training_mode", 0) or len([name for name in row.node.output if name]) > 1:
        raise Unsupported("it takes mean and variance of the batch, as in training; export the model after eval()")
    gamma, beta, mean, var = (each.one for each in arrays)
    return [ours.BatchNorm(gamma, beta, mean, var, row.decimal(at.get("epsilon", 1e-5)))]


def _normed(row: Graph, at: At, x: Activation, *arrays: Any) -> list[Layer]:
    gamma, beta, eps = *(each.one for each in arrays), row.decimal(at.get("epsilon", 1e-5))
    if "num_groups" not in at:
        return [ours.InstanceNorm(gamma, beta, eps)]
    each = length(x, 1) // max(1, gamma.size)  # before version 21 one number for each group
    return [ours.GroupNorm(at["num_groups"], np.repeat(gamma, each), np.repeat(beta, each), eps)]


def _joined(row: Graph, at: At, *values: Any, join: Layer) -> Activation:
    """A join; but numbers for each channel go into the layer below, where it takes them and nothing else reads it."""
    x = next(value for value in values if isinstance(value, Activation))
    given = [row.numbers(value, x) if isinstance(value, Known) else value for value in values]
    for numbers in (each for each in given if isinstance(each, np.ndarray) and len(given) == 2):
        layer: Any
        layer, below = row.below(x)
        shape = (1,) * ((x.axes or 0) - numbers.ndim) + numbers.shape
        axis = len(shape) - 1 if isinstance(layer, ours.Dense) else 1
        channel = len(shape) == x.axes and numbers.size in (1, length(x, axis)) and numbers.size == shape[axis]
        if channel and x.at in row.alone and not isinstance(join, ours.Concat) and isinstance(layer, TAKES):
            ones = np.ones(length(x, axis), layer.dtype)
            each = (numbers.ravel() * ones).astype(layer.dtype)
            gamma, beta = (ones, each) if isinstance(join, ours.Add) else (each, 0 * ones)
            if layer.weighted:
                return row.lay(ours.BatchNorm(gamma, beta, 0 * ones, ones, eps=0.0).merge(layer), below)
            return row.lay(replace(layer, gamma=layer.gamma * gamma, beta=layer.beta * gamma + beta), below)
    return row.join(join, given, whole=isinstance(join, ours.Add))


TAKES: Any = (ours.Dense, ours.Conv2d, ours.ConvTranspose2d, ours.BatchNorm, ours.GroupNorm, ours.InstanceNorm)
_sum, _product = partial(_joined, join=ours.Add()), partial(_joined, join=ours.Multiply())


def _negative(row: Graph, value: Any) -> Any:
    if isinstance(value, Known):
        return Known([-each for each in value.values])
    return _product(row, {}, value, Known([np.array(-1, row.model.dtype)]))


def _divided(row: Graph, at: At, x: Any, y: Any) -> Activation:
    if not isinstance(y, Known):
        raise Unsupported("to divide by activations has no counterpart; by a number it has")
    return _product(row, at, x, Known([1 / each for each in y.values]))


# --------------------------------------------------------------------------------------------- shapes and places


def _reshaped(row: Graph, at: At, x: Activation, *given: Any) -> Any:
    shape = row.shape_above([x, *given])
    return [ours.Flatten()] if len(shape) == 1 and x.axes != 2 else row.reshaped(x, shape)


def _concat(row: Graph, at: At, *values: Any) -> Activation:
    x = next(value for value in values if isinstance(value, Activation))
    return _joined(row, at, *values, join=ours.Concat(axis_of(x, at.get("axis", 1))))


def _permuted(row: Graph, at: At, x: Activation) -> list[Layer]:
    first, *axes = at.get("perm", range(x.axes or 0)[::-1])
    if first != 0:
        raise Unsupported(f"the axes {[first, *axes]} have no counterpart; 0, that of the samples, comes first")
    return [ours.Permute(tuple(axes))]


def _cut(row: Graph, at: At, x: Activation, *given: Any) -> list[Layer]:
    names = zip(("starts", "ends", "axes", "steps"), (*given, None, None, None, None), strict=False)
    starts, ends, axes, steps = (option(at, *each) for each in names)
    index = [slice(None)] * (x.axes or 0)
    for i, (start, end) in enumerate(zip(starts, ends, strict=True)):
        axis = (axes[i] if axes else i) % len(index)
        n = length(x, axis) if axis else 2**31 - 1
        cut = slice(*slice(start, end, steps[i] if steps else 1).indices(n))
        index[axis] = slice(None) if cut == slice(0, n, 1) else cut
    return indexed(x, index)


def _picked(row: Graph, at: At, x: Activation, indices: Any) -> list[Layer]:
    which, axis = indices.one, axis_of(x, at.get("axis", 0))
    if which.ndim and (which.ndim > 1 or not which.size or np.any(np.diff(which) != 1) or which[0] < 0):
        raise Unsupported("such indices have no counterpart; one of them, or neighbours, have")
    cut = slice(int(which[0]), int(which[-1]) + 1) if which.ndim else int(which)
    return indexed(x, [slice(None)] * axis + [cut])


def _split(row: Graph, at: At, x: Activation, sizes: Any = None) -> tuple[Activation, ...]:
    axis, parts = axis_of(x, at.get("axis", 0)), len(row.node.output)
    each = option(at, "split", sizes) or [-(-length(x, axis) // parts)] * parts
    return tuple(row.lay(ours.Slice(axis, sum(each[:i]), sum(each[: i + 1])), x) for i in range(parts))


def _padded(row: Graph, at: At, x: Activation, *given: Any) -> list[Layer]:
    pads, value, axes = (*given, None, None, None)[:3]
    mode, axes_, value_ = at.get("mode", "constant"), option(at, "axes", axes), option(at, "value", value, 0)
    widths = np.zeros((2, x.axes or 0), int)
    widths[:, axes_ or slice(None)] = np.reshape(option(at, "pads", pads), (2, -1))
    if mode not in PADS or np.any(value_) or widths[:, 0].any():
        raise Unsupported(
            f"mode={mode!r} with {value_} has no counterpart; zeros, reflect and edge within a sample have"
        )
    before, after = widths[:, 1:].tolist()
    return [ours.Pad(before, after, PADS[mode])]


# ------------------------------------------------------------------------------------------- element by element


def _clipped(row: Graph, at: At, x: Activation, *given: Any) -> list[Layer]:
    low, high = (*given, None, None)[:2]
    ends = option(at, "min", low, -np.inf), option(at, "max", high, np.inf)
    if ends not in ((0, 6), (0, np.inf)):
        raise Unsupported(f"to {ends} has no counterpart; to (0, 6), a ReLU6, and from 0 on, a ReLU, have")
    return [ours.ReLU6() if ends[1] == 6 else ours.ReLU()]


def _hard(row: Graph, at: At, x: Activation) -> list[Layer]:
    if not np.allclose((at.get("alpha", 0.2), at.get("beta", 0.5)), (1 / 6, 0.5), rtol=1e-6):
        raise Unsupported("it has a counterpart with alpha 1/6 and beta 1/2")
    return [ours.Hardsigmoid()]


def _prelu(row: Graph, at: At, x: Activation, slope: Any) -> list[Layer]:
    shape = (1,) * ((x.axes or 0) - slope.one.ndim) + slope.one.shape
    if slope.one.size not in (1, shape[1]):
        raise Unsupported(f"slopes of shape {slope.one.shape} have no counterpart; one for each channel has")
    return [ours.PReLU(slope.one.ravel())]


def _softmax(row: Graph, at: At, x: Activation, *, kind: type[ours.Softmax]) -> list[Layer]:
    if row.model.opset < 13 and x.axes != 2:
        raise Unsupported("before version 13 it goes over several axes; of (N, K) it has a counterpart")
    return softmax(kind, at.get("axis", -1 if row.model.opset >= 13 else 1), x.axes)


def _dropout(row: Graph, at: At, x: Activation, *given: Any) -> list[Layer]:
    ratio, training = (*given, None, None)[:2]
    if training is not None and training.one.any():
        raise Unsupported("it drops, as in training; export the model after eval()")
    return [ours.Dropout(row.decimal(option(at, "ratio", ratio, 0.5)))]


def _cast(row: Graph, at: At, x: Activation) -> list[Layer]:
    if at["to"] not in (1, 11):
        raise Unsupported("to other numbers than float32 and float64 it has no counterpart")
    return [ours.Identity()]


def _alike(row: Graph, at: At, x: Activation, *, kind: type[Layer], names: dict[str, str]) -> list[Layer]:
    given = {mine: at[theirs] for mine, theirs in names.items() if theirs in at}
    return [kind(**{name: row.decimal(value) if isinstance(value, float) else value for name, value in given.items()})]


ALIKE: dict[str, tuple[type[Layer], dict[str, str]]] = {
    "Relu": (ours.ReLU, {}), "LeakyRelu": (ours.LeakyReLU, {"slope": "alpha"}), "Elu": (ours.ELU, {"alpha": "alpha"}),
    "Sigmoid": (ours.Sigmoid, {}), "Tanh": (ours.Tanh, {}), "HardSwish": (ours.Hardswish, {}),
    "Softplus": (ours.Softplus, {}), "Gelu": (ours.GELU, {"approximate": "approximate"}),
    "Identity": (ours.Identity, {}),
}  # fmt: skip
"""The operators that are one layer without arrays, and its options by name: ours, and ONNX's. Both ways."""

OPERATORS: dict[str, Callable[..., Any]] = {
    "Conv": _convolution,
    "ConvTranspose": _transposed,
    "Gemm": _gemm,
    "MatMul": lambda row, at, x, W: [ours.Dense(W.one)],
    **dict.fromkeys(("Add", "Sum"), _sum),
    "Sub": lambda row, at, x, y: _sum(row, at, x, _negative(row, y)),
    "Mul": _product,
    "Div": _divided,
    "Neg": lambda row, at, x: _negative(row, x),
    "BatchNormalization": of_images(_batchnorm),
    **dict.fromkeys(("InstanceNormalization", "GroupNormalization"), _normed),
    **{name: partial(_alike, kind=kind, names=names) for name, (kind, names) in ALIKE.items()},
    "PRelu": _prelu,
    "Clip": _clipped,
    "HardSigmoid": _hard,
    "Softmax": partial(_softmax, kind=ours.Softmax),
    "LogSoftmax": partial(_softmax, kind=ours.LogSoftmax),
    **dict.fromkeys(("MaxPool", "AveragePool"), _pooled),
    "GlobalAveragePool": _mean_of_images,
    "ReduceMean": _mean,
    **dict.fromkeys(("Flatten", "Reshape", "Squeeze", "Unsqueeze"), _reshaped),
    "Transpose": _permuted,
    "Concat": _concat,
    "Split": _split,
    "Slice": _cut,
    "Gather": _picked,
    "Pad": _padded,
    **dict.fromkeys(("Resize", "Upsample"), _resized),
    "Dropout": _dropout,
    "Cast": _cast,
}
"""The operators that have a counterpart, by name."""
