"""The chain of layers in a module's forward: torch.fx traces it, and what is no chain is refused by name.

One file, because what is traced and what is refused are two sides of one list.
"""

import operator
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from inspect import Parameter, signature
from typing import Any

from ..layers import (
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool,
    Identity,
    Layer,
    LogSoftmax,
    Permute,
    Reshape,
    Softmax,
)
from ..layers.arguments import Shape, sizes
from . import torch_layers
from .torch_layers import FROM_TORCH, Unsupported

REQUIRED = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)


def layers_of(module: Any, input_shape: Shape | None = None) -> tuple[list[Layer], list[str]]:
    """The layers that compute what the module computes in evaluation mode, and where in it each comes from."""
    graph, modules = _traced(module)
    chain = _Chain(modules, None if input_shape is None else sizes("from_torch", "input_shape", input_shape))
    for node in graph.nodes:
        chain.take(node)
    return chain.layers, chain.origins


def _traced(module: Any) -> tuple[Any, dict[str, Any]]:
    """The graph of the forward in evaluation mode, and the modules by name.

    It is called from a Sequential around it, so that whatever a call does is seen: hooks, a forward that was replaced,
    arguments left at their default.
    """
    torch = torch_layers.import_torch()
    inputs = [p for p in signature(module.forward).parameters.values() if p.default is p.empty and p.kind in REQUIRED]
    if len(inputs) > 1:
        raise ValueError(f"from_torch: the forward has a second input {inputs[1].name}; a network has one.")
    root = torch.nn.Sequential(module)
    with evaluating(root):
        try:
            graph = torch.fx.Tracer().trace(root)
        except Exception as error:  # whatever the forward does with a stand-in for its input
            said = " ".join(str(error).split())
            raise ValueError(
                f"from_torch: the forward of {type(module).__name__} cannot be traced ({said}); it must be a chain of "
                "layers, without decisions that depend on the input."
            ) from None
    return graph, dict(root.named_modules())


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """The module in evaluation mode and not compiled, and then as it was."""
    before = [(m, m.training, m._compiled_call_impl) for m in module.modules()]
    try:
        for m, _, _ in before:
            m.training, m._compiled_call_impl = False, None
        yield
    finally:
        for m, *were in before:
            m.training, m._compiled_call_impl = were


class _Batch:
    """Stands for x.size(0) while the arguments of a view are read."""


class _Chain:
    """The layers found so far, and the node of the graph that they end at."""

    def __init__(self, modules: dict[str, Any], input_shape: Shape | None) -> None:
        self.modules = modules
        self.shape: Shape | None = None if input_shape is None else (1, *input_shape)
        self.axes: int | None = None if self.shape is None else len(self.shape)
        self.layers: list[Layer] = []
        self.origins: list[str] = []
        self.head: Any = None
        self.shapes: dict[Any, Any] = {}
        """Nodes that are not activations: x.shape (None) and x.size(0) (a _Batch)."""

    def take(self, node: Any) -> None:
        """One node further, in the order of the graph."""
        if node.op == "placeholder":
            self.head = node
        elif not self._is_of_shapes(node):
            self._check_place(node)
            if node.op == "output":
                return
            if not node.users:
                raise ValueError(
                    f"from_torch: the result of {self._what(node)} is not used; an operation in place must be written "
                    "x = operation(x)."
                )
            self._append(node)
            self.head = node

    def _is_of_shapes(self, node: Any) -> bool:
        """Whether the node asks for a shape, and not for activations."""
        if node.op == "call_method" and node.target == "size":
            self.shapes[node] = _Batch() if tuple(node.args[1:]) == (0,) else None
        elif node.op == "call_function" and node.target is getattr and node.args[1:] == ("shape",):
            self.shapes[node] = None
        elif node.op == "call_function" and node.target is len:
            self.shapes[node] = _Batch()
        elif node.op == "call_function" and node.target is operator.getitem and node.args[0] in self.shapes:
            self.shapes[node] = _Batch() if node.args[1] == 0 else None
        return node in self.shapes

    def _check_place(self, node: Any) -> None:
        """Refuse whatever does not take exactly the activations that the chain has come to."""
        if node.op == "output" and not hasattr(node.args[0], "op"):
            raise ValueError("from_torch: the forward must give one array of scores, and it gives several.")
        below = [n for n in node.all_input_nodes if n not in self.shapes]
        if node.op == "get_attr":
            raise unsupported_at(_within(node.target), "parameters used outside of a layer have no counterpart")
        if len(below) > 1:
            names = " and ".join(self._what(n) for n in below)
            if getattr(node.target, "__name__", node.target) in ("add", "add_", "iadd"):
                raise ValueError(
                    f"from_torch: a residual connection ({node.name} adds {names}) is no chain; nnlite has layers in "
                    "a row only."
                )
            raise ValueError(
                f"from_torch: a branch ({self._what(node)} takes {names}) is no chain; nnlite has layers in a row only."
            )
        if below != [self.head]:
            takes = self._what(below[0]) if below else "no activations"
            raise ValueError(
                f"from_torch: a branch ({self._what(node)} takes {takes}, and the chain has come to "
                f"{self._what(self.head)}) is no chain; nnlite has layers in a row only."
            )

    def _append(self, node: Any) -> None:
        where = self._what(node)
        try:
            if node.op == "call_module":
                module = self.modules[node.target]
                found = torch_layers.layer_of(module, self.shape, self.axes)
            else:
                found = self._function(node)
        except Unsupported as error:
            raise unsupported_at(where, str(error)) from None
        for layer in found:
            if self.shape is not None:
                try:
                    self.shape = layer.output_shape(self.shape)
                except ValueError as error:
                    raise ValueError(f"from_torch: {where}: {error}") from None
            self.axes = torch_layers.axes_above(layer, self.axes)
            self.layers.append(layer)
            self.origins.append(where)

    def _function(self, node: Any) -> list[Layer]:
        """The layers of a function such as F.relu(x), or of a method such as x.flatten(1)."""
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        if node.op == "call_function" and not _is_of_torch(node.target):
            name = ""
        name = ALIASES.get(name.removesuffix("_"), name.removesuffix("_"))
        if name not in FUNCTIONS:
            raise Unsupported("it has no counterpart")
        try:
            return FUNCTIONS[name](self, *node.args[1:], **{k: v for k, v in node.kwargs.items() if k != "input"})
        except TypeError as error:  # an argument that the function here does not take
            raise Unsupported(f"its arguments have no counterpart ({error})") from None

    def _what(self, node: Any) -> str:
        if node.op == "call_module":
            return f"{_within(node.target)} ({type(self.modules[node.target]).__name__})"
        if node.op == "placeholder":
            return "the input"
        if node.op == "call_method":
            return f"x.{node.target}()"
        if node.op == "output":
            return "the output"
        return str(getattr(node.target, "__name__", node.target))


def _within(path: str) -> str:
    """Where something stands in the module, from where it stands in the Sequential around it."""
    return path.removeprefix("0.")


def _is_of_torch(function: Any) -> bool:
    return str(getattr(function, "__module__", "")).partition(".")[0] == "torch"


def unsupported_at(where: str, why: str) -> ValueError:
    """The error for an operation without a counterpart: where it stands, and what is supported."""
    return ValueError(
        f"from_torch: {where}: {why}. Supported are the modules {', '.join(FROM_TORCH)}; and as functions or methods "
        f"{', '.join(FUNCTIONS)}."
    )


# ------------------------------------------------------------------------------------- functions and methods


class _Like:
    """Arguments of a function, under the names that its module has them."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)


def _max_pool(
    chain: _Chain, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: Any = False,
    return_indices: Any = False,
) -> list[Layer]:  # fmt: skip
    like = _Like(
        kernel_size=kernel_size, stride=stride or None, padding=padding, dilation=dilation, ceil_mode=ceil_mode,
        return_indices=return_indices,
    )  # fmt: skip
    return FROM_TORCH["MaxPool2d"](like, chain.shape, chain.axes)


def _avg_pool(
    chain: _Chain, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: Any = False,
    count_include_pad: Any = True, divisor_override: Any = None,
) -> list[Layer]:  # fmt: skip
    like = _Like(
        kernel_size=kernel_size, stride=stride or None, padding=padding, ceil_mode=ceil_mode,
        count_include_pad=count_include_pad, divisor_override=divisor_override,
    )  # fmt: skip
    return FROM_TORCH["AvgPool2d"](like, chain.shape, chain.axes)


def _dropout(
    chain: _Chain, p: Any = 0.5, training: Any = True, inplace: Any = False, *, kind: type[Dropout]
) -> list[Layer]:
    if training:
        raise Unsupported("it drops in evaluation mode, too; give it training=self.training")
    return [kind(p)]


def _mean(chain: _Chain, dim: Any = None, keepdim: Any = False) -> list[Layer]:
    axes = chain.axes or 4
    given = dim if isinstance(dim, (tuple, list)) else (dim,)
    if any(not isinstance(d, int) for d in given) or sorted(d % axes for d in given) != [2, 3] or axes != 4:
        raise Unsupported(f"the mean over {dim} has no counterpart; over (2, 3) of (N, C, H, W) it has")
    return [GlobalAvgPool()] if keepdim else [GlobalAvgPool(), Flatten()]


def _view(chain: _Chain, *shape: Any) -> list[Layer]:
    if len(shape) == 1 and isinstance(shape[0], (tuple, list)):
        shape = tuple(shape[0])
    batch, *rest = (chain.shapes.get(n, n) if hasattr(n, "op") else n for n in shape)
    if isinstance(batch, _Batch) and rest == [-1]:
        return [Flatten()]
    if (isinstance(batch, _Batch) or batch == -1) and rest and all(isinstance(n, int) and n > 0 for n in rest):
        return [Reshape(tuple(rest))]
    raise Unsupported("only x.view(x.size(0), -1) and x.view(x.size(0), J, ...) with given numbers have a counterpart")


def _unflatten(chain: _Chain, dim: Any, unflattened_size: Any) -> list[Layer]:
    return FROM_TORCH["Unflatten"](_Like(dim=dim, unflattened_size=unflattened_size), chain.shape, chain.axes)


def _softmax(
    chain: _Chain, dim: Any = None, dtype: Any = None, _stacklevel: int = 3, *, kind: type[Softmax]
) -> list[Layer]:
    if dtype is not None:
        raise Unsupported(f"dtype={dtype} has no counterpart")
    return torch_layers.softmax(kind, dim, chain.axes)


def _as_module(chain: _Chain, *arguments: Any, kind: str, **options: Any) -> list[Layer]:
    """A function that takes what its module is made with, in the same order."""
    module = getattr(torch_layers.import_torch().nn, kind)(*arguments, **options)
    return FROM_TORCH[kind](module, chain.shape, chain.axes)


def _pad(chain: _Chain, pad: Any, mode: Any = "constant", value: Any = None) -> list[Layer]:
    if value:
        raise Unsupported(f"padding with {value} has no counterpart; with 0 it has")
    return torch_layers.pad(pad, mode, chain.axes)


def _interpolate(
    chain: _Chain, size: Any = None, scale_factor: Any = None, mode: Any = "nearest", align_corners: Any = None,
    recompute_scale_factor: Any = None, antialias: Any = False,
) -> list[Layer]:  # fmt: skip
    if antialias:
        raise Unsupported("antialias=True has no counterpart")
    like = _Like(size=size, scale_factor=scale_factor, mode=mode, align_corners=align_corners)
    return FROM_TORCH["Upsample"](like, chain.shape, chain.axes)


def _permute(chain: _Chain, *axes: Any) -> list[Layer]:
    first, *rest = axes[0] if len(axes) == 1 else axes
    if first != 0 or not all(isinstance(n, int) and n > 0 for n in rest):
        raise Unsupported(f"the axes {axes} have no counterpart; 0, which is the batch, comes first")
    return [Permute(tuple(rest))]


FUNCTIONS: dict[str, Callable[..., list[Layer]]] = {
    "leaky_relu": partial(_as_module, kind="LeakyReLU"),
    **{
        kind.lower(): partial(_as_module, kind=kind)
        for kind in ("ReLU", "ReLU6", "Tanh", "Sigmoid", "Hardsigmoid", "Hardswish", "SiLU", "GELU", "ELU", "Softplus")
    },
    "pad": _pad,
    "interpolate": _interpolate,
    "permute": _permute,
    "softmax": partial(_softmax, kind=Softmax),
    "log_softmax": partial(_softmax, kind=LogSoftmax),
    "max_pool2d": _max_pool,
    "avg_pool2d": _avg_pool,
    "adaptive_avg_pool2d": lambda chain, output_size: torch_layers.adaptive(output_size, chain.shape),
    "mean": _mean,
    "flatten": lambda chain, start_dim=0, end_dim=-1: torch_layers.flatten(start_dim, end_dim, chain.axes),
    "view": _view,
    "unflatten": _unflatten,
    "dropout": partial(_dropout, kind=Dropout),
    "dropout2d": partial(_dropout, kind=Dropout2d),
    "contiguous": lambda chain: [Identity()],
}
"""The functions and methods that have a counterpart, by name."""

ALIASES = {
    "reshape": "view",
}
