"""The gradient check: is the backward pass the derivative of the forward pass?"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..layers import Layer
from ..layers.arguments import count, generator, number
from ..network import Network
from ..walk import gradient_rule
from .backpropagation import parameter_gradients


def gradient_check(
    layer_or_network: Layer | Network,
    a: np.ndarray,
    *,
    rng: np.random.Generator | int | None = None,
    step: float = 1e-6,
    tolerance: float = 1e-6,
    elements: int = 200,
) -> float:
    """∂f/∂u ≈ (f(u + h) − f(u − h)) / 2h with f = Σ_k v_k z_k for random v: both sides, compared.

    u is each element of the input and of every trained parameter, h is `step`, z the output. The left side comes from
    `backward` and `gradients`, the right one from `forward` alone. The error is |left − right| / max(1, |left|,
    |right|): relative for large gradients, absolute for those below 1.

    At a kink (a ReLU's 0, two equal elements of a max-pooling window) there is no derivative, and within h of one
    the right side means nothing: choose inputs away from kinks. A Dropout is checked as it runs, as the identity; check
    a draw of it with `network.sample`.

    layer_or_network, a: what is checked, and the input with its batch axis, both in float64.
    rng: chooses v and the elements; by default the same ones every time.
    step: h. Far smaller it drowns in rounding, far larger in curvature.
    tolerance: the largest error that passes; the largest that was found is returned.
    elements: at most so many elements of the input and of each parameter are compared, chosen at random.

    Raises ValueError: a gradient is wrong (the message says where, and shows both sides), missing, or of the wrong
    shape; or something is not in float64, or a number is out of its range.
    Source: Bishop 2006, "Pattern recognition and machine learning", eq. 5.69.

    >>> from nnlite.layers import Dense
    >>> rng = np.random.default_rng(0)
    >>> gradient_check(Dense(rng.normal(size=(3, 2)), np.zeros(2)), rng.normal(size=(4, 3))) < 1e-6
    True
    """
    layer = layer_or_network
    network = layer if isinstance(layer, Network) else Network([layer])
    _check_float64(network, a)
    step, elements = number("gradient_check", "step", step, above=0), count("gradient_check", "elements", elements)
    tolerance = number("gradient_check", "tolerance", tolerance, least=0)
    rng = generator("gradient_check", "rng", 0 if rng is None else rng)
    activations = network.forward(a)
    v = rng.standard_normal(activations[-1].shape)
    values = {"the input": a} | network.parameters
    analytic = {"the input": network.walk_back(activations, v, [gradient_rule] * len(network))[0]}
    analytic |= parameter_gradients(network, activations, v)
    _check_names_and_shapes(values, analytic)

    def output_with(name: str, value: np.ndarray) -> np.ndarray:
        if name == "the input":
            return network.forward(value)[-1]
        return network.with_parameters({name: value}).forward(a)[-1]

    worst = 0.0
    for name, value in values.items():
        for flat in rng.choice(value.size, min(elements, value.size), replace=False):
            index = tuple(int(i) for i in np.unravel_index(flat, value.shape))
            right = _central_difference(partial(output_with, name), value, index, v, step)
            left = float(analytic[name][index])
            error = abs(left - right) / max(1.0, abs(left), abs(right))
            if not error <= tolerance:  # so that NaN fails too
                raise ValueError(
                    f"The gradient in {name} is wrong at index {index}: the backward pass gives {left:.9g}, "
                    f"differences of the forward pass give {right:.9g} (error {error:.2g}, tolerance {tolerance:g})."
                )
            worst = max(worst, error)
    return worst


def _central_difference(
    output: Callable[[np.ndarray], np.ndarray], value: np.ndarray, index: tuple[int, ...], v: np.ndarray, h: float
) -> float:
    """Σ_k v_k (z_k(u + h) − z_k(u − h)) / 2h for the element u = value[index]."""
    up, down = value.copy(), value.copy()
    up[index] += h
    down[index] -= h
    # Rounding moves u ± h a little: the denominator is the distance that was really gone.
    return float((v * (output(up) - output(down))).sum() / (up[index] - down[index]))


def _check_float64(network: Network, a: np.ndarray) -> None:
    dtypes: dict[str, Any] = {name: layer.dtype for name, layer in zip(network.names, network, strict=True)}
    dtypes["the input"] = getattr(a, "dtype", type(a).__name__)
    for name, dtype in dtypes.items():
        if dtype not in (None, np.float64):
            raise ValueError(
                f"gradient_check takes float64, where differences are precise enough, and {name} is {dtype}; "
                "convert the input and the layers with astype(np.float64)."
            )


def _check_names_and_shapes(values: dict[str, np.ndarray], analytic: dict[str, np.ndarray]) -> None:
    for name, value in values.items():
        if name not in analytic:
            raise ValueError(f"`gradients` gives no gradient in {name}; it must give one for every trained parameter.")
        if analytic[name].shape != value.shape:
            raise ValueError(f"The gradient in {name} must have its shape {value.shape}, got {analytic[name].shape}.")
