"""The graph of a module's forward, traced by torch.fx, as a row of layers with wires: each call becomes a layer.

torch.fx gives the calls in topological order; what one call reads of another is a wire. What depends on no input,
parameters, buffers and what is computed of them, is computed once and becomes a Constant where a layer reads it.
"""

import operator
from dataclasses import replace
from functools import partial, reduce
from typing import Any

from ..layers import Identity, Layer, Permute, Slice, Take
from ..layers.arguments import Shape, sizes
from ..layers.blocks import SHORT, Block
from ..layers.blocks import Row as Laid
from . import row, torch_attention, torch_layers, torch_shapes
from .row import Activation, Unsupported
from .torch_functions import FUNCTIONS, Piece
from .torch_layers import FROM_TORCH
from .torch_shapes import BATCH
from .torch_trace import IN_PLACE, evaluating, traced


def row_of(module: Any, input_shape: Shape | None = None) -> "Row":
    """The row of layers that computes what the module computes in evaluation mode."""
    torch = torch_shapes.import_torch()
    root = torch.nn.Sequential(module)  # so that whatever a call does is seen: hooks, a replaced forward, defaults
    laid = Row(root, None if input_shape is None else sizes("from_torch", "input_shape", input_shape))
    with evaluating(root), torch.no_grad():
        for node in traced(module, root).nodes:
            laid.take(node)
    torch_attention.fuse(laid)
    return laid


class Row(row.Row):
    """The layers laid so far with their wires; and what each node of the graph stands for.

    A node is an Activation, a Piece of one that nothing has read yet, or what does not depend on the input: a tensor, a
    number, a size.
    """

    def __init__(self, root: Any, input_shape: Shape | None) -> None:
        super().__init__(input_shape)
        self.root = root
        self._values: dict[Any, Any] = {}
        self._same = [0]
        """For each activation the first one that shares its memory."""
        self._overwritten: dict[int, str] = {}
        """The activations that something changed in place, and what did."""
        self._path = ""

    def take(self, node: Any) -> None:
        """One node further, in the order of the graph."""
        self._where, self._path = self._what(node), self._path_of(node)
        try:
            if node.op == "placeholder":
                self._values[node] = self._input
            elif node.op == "get_attr":
                self._values[node] = operator.attrgetter(node.target)(self.root)
            elif node.op == "output":
                self._finish(node)
            else:
                self._values[node] = self._call(node)
        except Unsupported as error:
            raise ValueError(
                f"from_torch: {self._where}: {error}. Supported are the modules "
                f"{', '.join((*FROM_TORCH, *torch_attention.BLOCKS))}; and as "
                f"functions or methods {', '.join(FUNCTIONS)}."
            ) from None
        except ValueError as error:
            said = str(error)
            raise ValueError(said if said.startswith("from_torch") else f"from_torch: {self._where}: {said}") from None

    def lay(self, layer: Layer, *below: Activation) -> Activation:
        """One layer more, which reads these activations; what it gives."""
        self._check_fresh(*below)
        above = super().lay(layer, *below)
        axes = torch_shapes.axes_above(layer, below[0].axes if below else None)
        views = layer.reshapes or isinstance(layer, (Identity, Permute, Slice, Take))
        self._same.append(self._same[below[0].at] if views else len(self.layers))
        return replace(above, known_axes=axes)

    def lay_block(self, block: Block, x: Activation, inside: str = "") -> Activation:
        """The layers of a block, under the path of the module that is called (and one inside it)."""
        expanded, found, path = Laid([block]), [x], self._path
        for layer, wires, name in zip(expanded.layers, expanded.wires, expanded.names, strict=True):
            self._path = ".".join(filter(None, (path, inside, name.partition(".")[2])))
            found.append(self.lay(layer, *(found[i] for i in wires)))
        self._path = path
        return found[-1]

    def fuse(self, below: int, l: int, layer: Layer) -> None:
        """One layer for layer l and the one below it, which nothing else reads."""
        reads = {below + 1: self.wires[below][0]}
        self.wires[l] = tuple(reads.get(i, i) for i in self.wires[l])
        inside, dot, _ = self.names[l].rpartition(".")
        self.layers[l], self.names[l], self._path = layer, "", inside + dot
        self.names[l] = self._name(layer)
        for each in (self.layers, self.wires, self.names, self.origins):
            del each[below]
        del self.shapes[below + 1]
        self.wires = [tuple(i - (i > below) for i in wires) for wires in self.wires]

    # ------------------------------------------------------------------------------------- one call of the graph

    def _call(self, node: Any) -> Any:
        name = self._function_name(node)
        given = node.args, node.kwargs
        args, options = torch_shapes.import_torch().fx.node.map_arg(given, self._values.__getitem__)
        if name == "getitem" and isinstance(args[0], tuple):
            return self._computed(node, args, options)
        if name == "unbind" and isinstance(args[0], tuple) and not any((*args[1:], *options.values())):
            return args[0]
        args, options = self._read(args), self._read(options)
        args = (options.pop("input"), *args) if "input" in options else args
        x: Any = args[0] if args else None
        in_place, found = self._is_in_place(node), None
        if in_place and not isinstance(x, Activation):
            raise Unsupported("it changes in place what is no activation")
        if not _reaches(args) and not _reaches(options):
            return self._computed(node, args, options)
        module = self.root.get_submodule(node.target) if node.op == "call_module" else None
        block = type(module).__name__ in torch_attention.BLOCKS and type(module).__module__.startswith("torch.")
        if module is not None and not block:
            found = self._called(module, args, options)
        elif not block and name not in FUNCTIONS:
            raise Unsupported("it has no counterpart")
        else:
            options.pop("inplace", None)
            call = partial(torch_attention.lay_module, self, module) if block else partial(FUNCTIONS[name], self)
            try:
                found = call(*args, **options)
            except TypeError as error:  # an argument that the function here does not take
                raise Unsupported(f"its arguments have no counterpart ({error})") from None
        if isinstance(found, list):
            found = reduce(lambda below, layer: self.lay(layer, below), found, x)
        if in_place:
            self._overwrite(x, found)
        return found

    def _called(self, module: Any, args: Any, options: Any) -> Any:
        several = torch_layers.is_of_layer(module)
        if options or (len(args) > 1 and not several) or not all(isinstance(each, Activation) for each in args):
            raise Unsupported("it is called with more than activations")
        found = torch_layers.layer_of(module, args[0].shape, args[0].axes)
        return self.lay(found[0], *(args if found[0].reads != 0 else ())) if several else found

    def _computed(self, node: Any, args: Any, options: Any) -> Any:
        """What a call gives that does not depend on the input."""
        try:
            if node.op == "call_function":
                return node.target(*args, **options)
            if node.op == "call_module":
                return self.root.get_submodule(node.target)(*args, **options)
            if node.target in ("expand", "repeat"):  # for every sample the same: a Constant does that itself
                args = tuple(1 if value is BATCH else value for value in args)
            return getattr(args[0], node.target)(*args[1:], **options)
        except Exception as error:  # sizes that are not known, and whatever the module does with numbers
            raise Unsupported(f"it cannot be computed here ({error}); give input_shape, or write it plainly") from None

    def _read(self, value: Any) -> Any:
        """A value with all its Pieces as activations: each is laid when something reads it."""
        if isinstance(value, Piece):
            value.laid = value.laid or reduce(lambda below, layer: self.lay(layer, below), value.layers, value.of)
            return value.laid
        if isinstance(value, dict):
            return {key: self._read(each) for key, each in value.items()}
        return tuple(map(self._read, value)) if isinstance(value, (tuple, list)) else value

    def _check_fresh(self, *read: Activation) -> None:
        by = next((self._overwritten[x.at] for x in read if x.at in self._overwritten), None)
        if by is not None:
            raise ValueError(
                f"from_torch: {self._where} reads what {by} has changed in place; write x = operation(x) there."
            )

    def _overwrite(self, x: Activation, by: Activation) -> None:
        """What holds x now holds `by`; what else shares its memory is no longer what it was."""
        root = self._same[x.at]
        self._overwritten |= {at: self._where for at, same in enumerate(self._same) if same == root and at != by.at}
        self._same[by.at] = root
        for node, value in self._values.items():
            if isinstance(value, Activation) and value.at == x.at:
                self._values[node] = by

    def _is_in_place(self, node: Any) -> bool:
        if node.op == "call_module":
            return getattr(self.root.get_submodule(node.target), "inplace", False)
        name = node.target if isinstance(node.target, str) else node.target.__name__
        return name in IN_PLACE.values() or name.endswith("_") or bool(node.kwargs.get("inplace"))

    def _finish(self, node: Any) -> None:
        (value,) = node.args
        value = self._read(self._values[value]) if hasattr(value, "op") else None
        if not isinstance(value, Activation):
            raise ValueError("from_torch: the forward must give one array of scores that depends on the input.")
        self._check_fresh(value)
        read = {value.at, *(i for each in self.wires for i in each)}
        unread = next((at for at in range(1, len(self._same)) if at not in read), None)
        if unread is not None:
            raise ValueError(
                f"from_torch: the result of {self.origins[unread - 1]} is not used; leave it out of the forward."
            )

    # ----------------------------------------------------------------------------------------------------- names

    def _what(self, node: Any) -> str:
        if node.op == "call_module":
            return f"{_within(node.target)} ({type(self.root.get_submodule(node.target)).__name__})"
        if node.op == "call_method":
            return f"x.{node.target}()"
        return "the output" if node.op == "output" else str(getattr(node.target, "__name__", _within(str(node.target))))

    def _path_of(self, node: Any) -> str:
        """The path of the module that is called, or of the one within which a function is, with its dot."""
        if node.op == "call_module":
            return _within(node.target)
        inside = [path for path, _ in node.meta.get("nn_module_stack", {}).values() if path != "0"]
        return f"{_within(inside[-1])}." if inside else ""

    def _name(self, layer: Layer) -> str:
        name = self._path
        if not name or name.endswith("."):
            name += SHORT.get(type(layer).__name__, type(layer).__name__.lower())
        first, number = name, 0
        while name in self.names:
            number += 1
            name = f"{first}_{number}"
        return name

    def _function_name(self, node: Any) -> str:
        """The name of a function or method, "" where it is not PyTorch's or Python's own."""
        name = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", str(node.target))
        home = str(getattr(node.target, "__module__", "")).partition(".")[0]
        if node.op == "call_function" and home not in ("torch", "_operator", "builtins"):
            return ""
        name = name.removesuffix("_")
        return ALIASES.get(name, name)


ALIASES = {
    "reshape": "view", "iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div", "truediv": "div",
    "subtract": "sub", "multiply": "mul", "divide": "div", "concat": "cat", "concatenate": "cat", "negative": "neg",
    "swapaxes": "transpose", "swapdims": "transpose",
}  # fmt: skip
"""Other names of the same function."""


def _within(path: str) -> str:
    """Where something stands in the module, from where it stands in the Sequential around it."""
    return path.removeprefix("0.")


def _reaches(value: Any) -> bool:
    """Whether the input is in it."""
    if isinstance(value, dict):
        value = tuple(value.values())
    return any(map(_reaches, value)) if isinstance(value, (tuple, list)) else isinstance(value, Activation)
