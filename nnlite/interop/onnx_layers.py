"""Each layer as operators of ONNX: the way back from `onnx_operators.py`."""

from collections.abc import Callable
from typing import Any

import numpy as np

from .. import layers as ours
from ..layers import KINDS
from ..layers.arguments import Shape
from ..network import Network
from .onnx_file import FLOATS, import_onnx
from .onnx_operators import ALIKE, PADS

OPSET, IR = 22, 10


class Writer:
    """Collects nodes and numbers; called with an operator and what it reads, it gives the name of the result."""

    def __init__(self, dtype: np.dtype) -> None:
        self.dtype, self.name = dtype, ""
        self.below: tuple[Shape, ...] = ()
        self.nodes: list[Any] = []
        self.tensors: list[Any] = []

    def __call__(self, kind: str, *reads: str | np.ndarray, **attributes: Any) -> str:
        onnx = import_onnx()
        names = [each if isinstance(each, str) else self._stored(each) for each in reads]
        result = f"{self.name}/{kind}{len(self.nodes)}"
        self.nodes.append(onnx.helper.make_node(kind, names, [result], result, **attributes))
        return result

    def _stored(self, value: np.ndarray) -> str:
        name = f"{self.name}/{len(self.tensors)}"
        self.tensors.append(import_onnx(".numpy_helper").from_array(np.asarray(value, order="C"), name))
        return name

    def number(self, value: float) -> np.ndarray:
        """A number in the dtype of the network."""
        return np.array(value, self.dtype)


def model(network: Network, input_shape: Shape) -> Any:
    """The network as an ONNX model; ValueError where a layer has no operators."""
    helper, w = import_onnx(".helper"), Writer(network.dtype)
    shapes, names = network.shapes((network.batch, *input_shape)), ["input"]
    for name, layer, wires in zip(network.names, network, network.wires, strict=True):
        kind = type(layer).__name__
        if KINDS.get(kind) is not type(layer):
            raise ValueError(
                f"to_onnx: layer {name} ({layer!r}): a layer of another kind has no operator; leave it out."
            )
        w.name, w.below = name, tuple(shapes[i] for i in wires)
        names.append(TO_ONNX[kind](w, layer, *(names[i] for i in wires)))
        w.nodes[-1].name = name
    (elem,) = (number for number, dtype in FLOATS.items() if dtype == network.dtype)
    batch = network.batch if network.batch > 1 else "N"
    read = helper.np_dtype_to_tensor_dtype(np.dtype(np.int64)) if network.takes_tokens else elem
    ends = [
        helper.make_tensor_value_info(name, kind, [batch, *shape[1:]])
        for name, kind, shape in (("input", read, shapes[0]), (names[-1], elem, shapes[-1]))
    ]
    graph = helper.make_graph(w.nodes, "nnlite", ends[:1], ends[1:], w.tensors)
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="nnlite"
    )


def _integers(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def _given(*arrays: np.ndarray | None) -> list[np.ndarray]:
    return [each for each in arrays if each is not None]


def _dense(w: Writer, layer: Any, x: str) -> str:
    z = w("MatMul", x, layer.W)
    return z if layer.b is None else w("Add", z, layer.b)


def _convolution(w: Writer, layer: Any, x: str) -> str:
    at = dict(strides=layer.stride, pads=layer.padding * 2, dilations=layer.dilation, group=layer.groups)
    if isinstance(layer, ours.ConvTranspose2d):
        return w("ConvTranspose", x, *_given(layer.W, layer.b), output_padding=layer.output_padding, **at)
    return w("Conv", x, *_given(layer.W, layer.b), **at)


def _norm(w: Writer, layer: Any, x: str) -> str:
    precise = {"stash_type": 11 if w.dtype == np.float64 else 1}
    at = dict(num_groups=layer.in_groups, epsilon=layer.eps)
    return w("GroupNormalization", x, layer.gamma, layer.beta, **at, **precise)


def _pooling(w: Writer, layer: Any, x: str) -> str:
    at = dict(kernel_shape=layer.size, strides=layer.stride, pads=layer.padding * 2, ceil_mode=int(layer.ceil_mode))
    if isinstance(layer, ours.MaxPool2d):
        return w("MaxPool", x, **at)
    return w("AveragePool", x, count_include_pad=int(layer.count_include_pad), **at)


def _adaptive(w: Writer, layer: Any, x: str) -> str:
    """Along columns, then along rows: the means over bins as a matrix each."""
    for axis in (3, 2):
        n = w.below[0][axis]
        means = ours.AdaptiveAvgPool2d((n, layer.size[axis - 2])).forward(np.eye(n, dtype=w.dtype)[None, None])
        x = w("Transpose", w("MatMul", x, means[0, 0]), perm=[0, 1, 3, 2])
    return x


def _softplus(w: Writer, layer: Any, x: str) -> str:
    beta = w.number(layer.beta)
    return w("Softplus", x) if layer.beta == 1 else w("Div", w("Softplus", w("Mul", x, beta)), beta)


def _upsample(w: Writer, layer: Any, x: str) -> str:
    turn = "align_corners" if layer.align_corners else "half_pixel" if layer.mode == "bilinear" else "asymmetric"
    at = dict(mode="linear" if layer.mode == "bilinear" else "nearest", coordinate_transformation_mode=turn)
    return w("Resize", x, "", np.array([1, 1, *layer.factor], np.float32), nearest_mode="floor", **at)


def _constant(w: Writer, layer: Any) -> str:
    """The value for each sample; a join spreads it by itself, except a Concat."""
    samples = w("Gather", w("Shape", "input"), _integers(0))
    return w("Expand", layer.value, w("Concat", samples, _integers(*layer.value.shape[1:]), axis=0))


def _slice(w: Writer, layer: Any, x: str) -> str:
    stop = np.iinfo(np.int64).max if layer.stop is None else layer.stop
    return w("Slice", x, *map(_integers, (layer.start, stop, layer.axis, layer.step)))


def _pad(w: Writer, layer: Any, x: str) -> str:
    mode = next(theirs for theirs, mine in PADS.items() if mine == layer.mode)
    return w("Pad", x, _integers(0, *layer.before, 0, *layer.after), mode=mode)


def _layer_norm(w: Writer, layer: Any, x: str) -> str:
    precise = {"stash_type": 11 if w.dtype == np.float64 else 1}
    return w("LayerNormalization", x, layer.gamma, layer.beta, axis=-layer.gamma.ndim, epsilon=layer.eps, **precise)


def _rms_norm(w: Writer, layer: Any, x: str) -> str:
    mean = w("ReduceMean", w("Mul", x, x), _integers(*range(-layer.gamma.ndim, 0)))
    return w("Mul", w("Div", x, w("Sqrt", w("Add", mean, w.number(layer.eps)))), layer.gamma)


def _matmul(w: Writer, layer: Any, x: str, y: str) -> str:
    n = len(w.below[1])
    return w("MatMul", x, w("Transpose", y, perm=[*range(n - 2), n - 1, n - 2]) if layer.transposed else y)


def _mask(w: Writer, layer: Any, x: str) -> str:
    low = layer.forward(np.zeros(w.below[0], w.dtype))
    return w("Where", low == 0, x, w.number(low.min()))


def _rotary(w: Writer, layer: Any, x: str) -> str:
    """A product with the rotation of each token, (T, d, d)."""
    _, _, t, d = w.below[0]
    turned = layer.forward(np.broadcast_to(np.eye(d, dtype=w.dtype)[:, None, None], (d, 1, t, d)))
    return w("Squeeze", w("MatMul", w("Unsqueeze", x, _integers(3)), turned[:, 0].swapaxes(0, 1)), _integers(3))


def _alike(w: Writer, layer: Any, x: str) -> str:
    kind, names = next((kind, names) for kind, (mine, names) in ALIKE.items() if mine is type(layer))
    return w(kind, x, **{theirs: getattr(layer, mine) for mine, theirs in names.items()})


TO_ONNX: dict[str, Callable[..., str]] = {
    **{kind.__name__: _alike for kind, _ in ALIKE.values()},
    "Dense": _dense,
    **dict.fromkeys(("Conv2d", "ConvTranspose2d"), _convolution),
    # eps is an attribute, a float32: it is added here, so that float64 stays exact
    "BatchNorm": lambda w, l, x: w(
        "BatchNormalization", x, l.gamma, l.beta, l.mean, l.var + l.var.dtype.type(l.eps), epsilon=0.0
    ),
    **dict.fromkeys(("GroupNorm", "InstanceNorm"), _norm),
    **dict.fromkeys(("MaxPool2d", "AvgPool2d"), _pooling),
    "GlobalAvgPool": lambda w, l, x: w("GlobalAveragePool", x),
    "AdaptiveAvgPool2d": _adaptive,
    "Upsample": _upsample,
    "PReLU": lambda w, l, x: w("PRelu", x, l.slope.reshape(-1, *(1,) * (len(w.below[0]) - 2))),
    "ReLU6": lambda w, l, x: w("Clip", x, w.number(0), w.number(6)),
    "Hardsigmoid": lambda w, l, x: w("HardSigmoid", x, alpha=1 / 6, beta=0.5),
    "SiLU": lambda w, l, x: w("Mul", x, w("Sigmoid", x)),
    "Softplus": _softplus,
    "Softmax": lambda w, l, x: w("Softmax", x, axis=l.axis),
    "LogSoftmax": lambda w, l, x: w("LogSoftmax", x, axis=l.axis),
    "LayerNorm": _layer_norm,
    "RMSNorm": _rms_norm,
    "MatMul": _matmul,
    "Scale": lambda w, l, x: w("Mul", x, w.number(l.factor)),
    "AttentionMask": _mask,
    "SplitHeads": lambda w, l, x: w(
        "Transpose", w("Reshape", x, _integers(0, 0, l.heads, w.below[0][2] // l.heads)), perm=[0, 2, 1, 3]
    ),
    "MergeHeads": lambda w, l, x: w("Reshape", w("Transpose", x, perm=[0, 2, 1, 3]), _integers(0, 0, -1)),
    "RepeatHeads": lambda w, l, x: w("Gather", x, np.arange(w.below[0][1]).repeat(l.times), axis=1),
    "Rotary": _rotary,
    "Take": lambda w, l, x: w("Gather", x, np.array(l.position), axis=1),
    "Embedding": lambda w, l, x: w("Gather", l.E, x, axis=0),
    "Flatten": lambda w, l, x: w("Flatten", x),
    "Reshape": lambda w, l, x: w("Reshape", x, _integers(0, *l.shape)),
    "Permute": lambda w, l, x: w("Transpose", x, perm=(0, *l.axes)),
    "Slice": _slice,
    "Pad": _pad,
    **dict.fromkeys(("Dropout", "Dropout2d"), lambda w, l, x: w("Dropout", x, w.number(l.p))),
    "Mask": lambda w, l, x: w("Mul", x, l.m),
    "Add": lambda w, l, *x: w("Sum", *x),
    "Concat": lambda w, l, *x: w("Concat", *x, axis=l.axis),
    "Multiply": lambda w, l, *x: w("Mul", *x),
    "Constant": _constant,
}
"""How each kind of layer is written: with the writer, the layer, and the names of what it reads."""
