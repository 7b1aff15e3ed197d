"""A user's PyTorch module from FILE.py:factory."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from ..layers.arguments import Shape
from .libraries import load


def from_file(text: str) -> tuple[Any, np.ndarray | None]:
    """The module that the factory in a Python file makes, and the inputs, where it gives them too.

    The file is the user's own and is executed.

    text: FILE.py:factory. The factory takes nothing and gives an nn.Module, or an nn.Module and inputs (N, ...).

    Raises ValueError: there is no such file or factory, one of them raises an error, or what comes is no module.
    """
    name, colon, factory = text.rpartition(":")
    if not colon or not name.endswith(".py") or not factory.isidentifier():
        raise ValueError(f"--torch takes FILE.py:factory, such as network.py:build, got {text}.")
    if not Path(name).is_file():
        raise ValueError(f"--torch takes FILE.py:factory, and there is no file {name}.")
    spec = importlib.util.spec_from_file_location("nnlite_verify_user_module", name)
    if spec is None or spec.loader is None:
        raise ValueError(f"{name} cannot be imported.")
    content = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(content)
    except Exception as error:
        raise ValueError(f"{name} cannot be imported: {_line(error)}") from None
    make = getattr(content, factory, None)
    if not callable(make):
        own = [key for key, value in vars(content).items() if callable(value) and not key.startswith("_")]
        raise ValueError(f"{name} has no function {factory}; it has {', '.join(own) or 'none'}.")
    try:
        made = make()
    except Exception as error:
        raise ValueError(f"{text} failed: {_line(error)}") from None
    module, x = made if isinstance(made, tuple) and len(made) == 2 else (made, None)
    torch = load("torch")
    if not isinstance(module, torch.nn.Module):
        raise ValueError(f"{text} must give an nn.Module, or one and its inputs; got {type(module).__name__}.")
    return module, None if x is None else np.asarray(x.detach() if isinstance(x, torch.Tensor) else x)


def inputs(shape: Shape, samples: int, dtype: str, tokens: int = 0) -> np.ndarray:
    """Seeded inputs in [0, 1], a fifth of them 0; or tokens, of a vocabulary of so many."""
    rng = np.random.default_rng(0)
    if tokens:
        return rng.integers(0, tokens, (samples, *shape))
    x = rng.random((samples, *shape))
    return np.where(rng.random(x.shape) < 0.2, 0, x).astype(dtype)


def without_end(module: Any, kind: str) -> Any:
    """What the module computes below its last layer of this kind, such as a Softmax, a module or a function."""
    fx = load("torch.fx")
    traced = fx.symbolic_trace(load("torch").nn.Sequential(module))
    modules = dict(traced.named_modules())

    def is_end(node: Any) -> bool:
        target = type(modules[node.target]) if node.op == "call_module" else node.target
        name = getattr(target, "__name__", str(target))
        return name.replace("_", "").lower() == kind.lower()

    end = next(node for node in reversed(traced.graph.nodes) if is_end(node))
    end.replace_all_uses_with(end.all_input_nodes[0])
    traced.graph.erase_node(end)
    traced.recompile()
    return traced


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
