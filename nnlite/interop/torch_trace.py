"""What torch.fx sees of a module: the calls of its forward, and the state that it is looked at in."""

import operator
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import Parameter, signature
from typing import Any

from . import torch_layers, torch_shapes

REQUIRED = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY)

IN_PLACE = {name: f"i{name}" for name in ("add", "sub", "mul", "truediv")}
"""x += y and the like: how Python calls x + y, and x += y."""


def traced(module: Any, root: Any) -> Any:
    """The graph of the root around a module; ValueError where it cannot be traced."""
    torch = torch_shapes.import_torch()
    inputs = [p for p in signature(module.forward).parameters.values() if p.default is p.empty and p.kind in REQUIRED]
    if len(inputs) > 1:
        raise ValueError(f"from_torch: the forward has a second input {inputs[1].name}; a network has one.")

    class Proxy(torch.fx.Proxy):  # type: ignore[name-defined]
        """Keeps x += y apart from x + y, which torch.fx does not."""

    def in_place(name: str) -> Any:
        call = getattr(operator, name)
        return lambda self, other: self.tracer.create_proxy("call_function", call, (self, other), {})

    for name in IN_PLACE.values():
        setattr(Proxy, f"__{name}__", in_place(name))

    class Tracer(torch.fx.Tracer):  # type: ignore[name-defined]
        proxy_buffer_attributes = True

        def proxy(self, node: Any) -> Any:
            return Proxy(node, self)

        def is_leaf_module(self, module: Any, name: str) -> bool:
            return torch_layers.is_of_layer(module) or super().is_leaf_module(module, name)

    try:
        return Tracer().trace(root)
    except Exception as error:  # whatever the forward does with a stand-in for its input
        said = " ".join(str(error).split())
        raise ValueError(
            f"from_torch: the forward of {type(module).__name__} cannot be traced ({said}); it must be a graph of "
            "layers, without decisions that depend on the input."
        ) from None


@contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """The module in evaluation mode, not compiled and not by PyTorch's fused attention, and then as it was."""
    before = [(m, m.training, m._compiled_call_impl) for m in module.modules()]
    attention = torch_shapes.import_torch().backends.mha
    fused = attention.get_fastpath_enabled()
    try:
        attention.set_fastpath_enabled(False)  # what is masked it sets to 0 at the end
        for m, _, _ in before:
            m.training, m._compiled_call_impl = False, None
        yield
    finally:
        attention.set_fastpath_enabled(fused)
        for m, *were in before:
            m.training, m._compiled_call_impl = were
