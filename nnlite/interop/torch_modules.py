"""A network as a module of PyTorch: an nn.Sequential, and where it branches, its layers with their wires."""

from typing import Any

from ..network import Network
from .row import Unsupported
from .torch_layers import module_of
from .torch_shapes import axes_above, import_torch


def module(network: Network) -> Any:
    """The network as a module in evaluation mode."""
    in_a_row = all(wires == (l,) for l, wires in enumerate(network.wires))
    return _filled(import_torch().nn.Sequential(), network) if in_a_row else wired(network)


def wired(network: Network) -> Any:
    """The network as a module that knows which activations each layer reads.

    Its `read` is what becomes of an activation before a layer gets it: nothing, unless it is replaced.
    """
    row = list(zip(keys(network), network.wires, strict=True))

    class Wired(import_torch().nn.Module):  # type: ignore[misc]
        read = staticmethod(lambda a: a)

        def forward(self, x: Any) -> Any:
            a = [x]
            for key, wires in row:
                a.append(getattr(self, key)(*(self.read(a[i]) for i in wires or (0,))))
            return a[-1]

    return _filled(Wired(), network)


def keys(network: Network) -> list[str]:
    """The layers' names as those of submodules: a dot becomes _, and one that nn.Module needs itself gets a _."""
    own = {*dir(import_torch().nn.Sequential()), "read"}
    found = [key + "_" * (key in own) for key in (name.replace(".", "_") for name in network.names)]
    if len(set(found)) < len(found):
        raise ValueError(f"to_torch: two names are the same once they are PyTorch's (a dot is _): {network.names}.")
    return found


def _filled(empty: Any, network: Network) -> Any:
    """The module with a submodule for each layer, in evaluation mode."""
    axes = [None if network.input_shape is None else 1 + len(network.input_shape)]
    for key, name, layer, wires in zip(keys(network), network.names, network, network.wires, strict=True):
        below = axes[wires[0]] if wires else None
        try:
            empty.add_module(key, module_of(layer, below))
        except Unsupported as error:
            raise ValueError(f"to_torch: layer {name} ({layer!r}): {error}.") from None
        axes.append(axes_above(layer, below))
    return empty.eval()
