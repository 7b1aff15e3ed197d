"""What to say when training breaks down: where the first number stopped being finite."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..network import Network

ADVICE = "Lower the rate of the schedule, or bring the inputs to a scale of about 1."


def diverged_loss(network: Network, a: Sequence[np.ndarray], loss: float, where: str) -> FloatingPointError:
    """The error for a loss that is not finite, to be raised; `a` are the activations that led to it."""
    return FloatingPointError(f"Training diverged in {where}: the loss is {loss}, and {_culprit(network, a)}. {ADVICE}")


def check_update(parameters: Mapping[str, np.ndarray], where: str) -> None:
    """FloatingPointError if a parameter is not finite after a step whose loss still was."""
    for name, value in parameters.items():
        if not np.isfinite(value).all():
            raise FloatingPointError(f"Training diverged in {where}: its update of {name} is not finite. {ADVICE}")


def _culprit(network: Network, a: Sequence[np.ndarray]) -> str:
    """The first layer that is not finite, or whose output is not, in words."""
    for name, layer, output in zip(network.names, network, a[1:], strict=True):
        for key, value in layer.parameters.items():
            if not np.isfinite(value).all():
                return f"layer {name} is the first whose parameters are not finite ({name}.{key})"
        if not np.isfinite(output).all():
            return f"layer {name} is the first whose output is not finite"
    return "the output of every layer is finite, so that it comes from the loss function"
