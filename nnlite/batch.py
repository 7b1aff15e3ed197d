"""What goes in: a Network, and a batch (N, ...) of the right type, dtype and shape for it."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .layers.arguments import DTYPES, conversion, unmasked

if TYPE_CHECKING:
    from .network import Network


def check_network(network: Any, name: str = "") -> None:
    """TypeError unless it is a Network; `name` is the function that takes it."""
    from .network import Network  # here: it is built on check_batch

    if not isinstance(network, Network):
        got = f"the class {network.__name__}" if isinstance(network, type) else f"a {type(network).__name__}"
        raise TypeError(
            f"{name + ': ' if name else ''}expected a Network, got {got}; build one with nnlite.Network(layers), or "
            "from a PyTorch module with nnlite.interop.torch.from_torch(module)."
        )


def check_batch(network: "Network", x: Any) -> None:
    """TypeError or ValueError unless the network can take `x` as a batch; its values play no part.

    Raises
    ------
    TypeError
        x is not a NumPy array, or a masked one.
    ValueError
        x is not floating-point, not in the dtype of the network, lacks the batch axis, or does not fit the layers; or
        an Embedding is first, and x holds no tokens of its vocabulary.
    """
    if type(x) is not np.ndarray and not isinstance(unmasked("x", x), np.ndarray):
        raise TypeError(f"x takes a NumPy array of shape (N, ...), got {type(x).__name__}; use np.asarray.")
    if network.takes_tokens:
        network[0].check(x)
    elif x.dtype not in DTYPES:
        raise ValueError(f"x takes {network.dtype} values, got {x.dtype}; {conversion(x.dtype, network.dtype)}.")
    elif x.dtype != network.dtype and any(layer.dtype for layer in network):  # without arrays it takes both
        raise ValueError(
            f"The network computes in {network.dtype}, and x is {x.dtype}; use x.astype(np.{network.dtype}) "
            f"or network.astype(np.{x.dtype})."
        )
    if network.input_shape is not None and x.shape[1:] != network.input_shape:
        advice = " Add the batch axis: x[None]." if x.shape == network.input_shape else ""
        expected = ", ".join(map(str, network.input_shape))
        raise ValueError(f"x takes the shape (N, {expected}), got {x.shape}.{advice}")
