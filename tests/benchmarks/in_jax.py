"""jax's side: everything jitted; the compilation is over before the clock starts."""

from collections.abc import Callable
from typing import Any

import numpy as np

from nnlite.layers import Conv2d, Dense, Flatten, MaxPool2d, ReLU
from nnlite.network import Network
from nnlite.verify.libraries import load

from . import workloads as w
from .workloads import Work


def inference(batch: int) -> Work:
    case = w.lenet(batch)
    return _ready(_scores(case.network), _arrays(case.network), load("jax.numpy").asarray(case.x))


def saliency(batch: int) -> Work:
    jax, case = load("jax"), w.lenet(batch)
    scores, rows, labels = _scores(case.network), np.arange(batch), case.target
    gradient = jax.grad(lambda x, parameters: scores(parameters, x)[rows, labels].sum())
    x = load("jax.numpy").asarray(case.x)
    return _ready(lambda parameters, x: abs(gradient(x, parameters)).max(1), _arrays(case.network), x)


def activation_maximization(images: int, steps: int) -> Work:
    jax, jnp, network = load("jax"), load("jax.numpy"), w.lenet(1).network
    scores, rows = _scores(network), np.arange(images)
    parameters, start = _arrays(network), jnp.asarray(w.start_images(images))

    def objective(x: Any, parameters: Any) -> Any:
        log_p = jax.nn.log_softmax(scores(parameters, x))[rows, rows]
        return (log_p - w.WEIGHT * (x * x).sum((1, 2, 3))).sum()

    @jax.jit
    def step(x: Any, memory: Any, t: Any) -> Any:
        x, memory = _adam(x, -jax.grad(objective)(x, parameters), memory, w.RATE, t)
        return jnp.clip(x, 0, 1), memory

    def call(steps: int = steps) -> Any:
        x, memory = start, (jnp.zeros_like(start), jnp.zeros_like(start))
        for t in range(1, steps + 1):
            x, memory = step(x, memory, float(t))
        return x.block_until_ready()

    return Work(call, check=lambda: call(w.COMPARED_STEPS))


def training(batch: int, steps: int) -> Work:
    jax, jnp = load("jax"), load("jax.numpy")
    network, images, classes, order = w.training(batch, steps)
    scores, x, labels, begin = _scores(network), jnp.asarray(images), jnp.asarray(classes), _arrays(network)

    def loss(parameters: Any, rows: Any) -> Any:
        log_p = jax.nn.log_softmax(scores(parameters, x[rows]))
        return -log_p[jnp.arange(batch), labels[rows]].mean()

    @jax.jit
    def step(parameters: Any, memories: Any, rows: Any, t: Any) -> Any:
        gradients = jax.grad(loss)(parameters, rows)
        moved = [_adam(*each, w.TRAINING_RATE, t) for each in zip(parameters, gradients, memories, strict=True)]
        return [p for p, _ in moved], [memory for _, memory in moved]

    def call() -> tuple[Any, ...]:
        parameters, memories = begin, [(jnp.zeros_like(p), jnp.zeros_like(p)) for p in begin]
        for t, rows in enumerate(order, start=1):
            parameters, memories = step(parameters, memories, rows, float(t))
        return tuple(jax.block_until_ready(parameters))

    return Work(call, steps)


def convolution(channels: int, size: int) -> Work:
    jnp = load("jax.numpy")
    W, a = jnp.asarray(w.filters(channels)), jnp.asarray(w.feature_maps(channels, size))
    return _ready(lambda W, a: _convolved(a, W, 1), W, a)


def _ready(f: Callable[..., Any], *arguments: Any) -> Work:
    compiled = load("jax").jit(f)
    return Work(lambda: compiled(*arguments).block_until_ready())


def _arrays(network: Network) -> list[Any]:
    return [load("jax.numpy").asarray(value) for value in network.parameters.values()]


def _scores(network: Network) -> Callable[[Any, Any], Any]:
    """scores(parameters, x): the layers of lenet in jax."""
    jax, layers = load("jax"), network.layers

    def scores(parameters: Any, x: Any) -> Any:
        values = iter(parameters)
        for layer in layers:
            if isinstance(layer, Conv2d):
                x = _convolved(x, next(values), 0) + next(values)[:, None, None]
            elif isinstance(layer, Dense):
                x = x @ next(values) + next(values)
            elif isinstance(layer, ReLU):
                x = jax.nn.relu(x)
            elif isinstance(layer, MaxPool2d):
                x = jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
            elif isinstance(layer, Flatten):
                x = x.reshape(len(x), -1)
            else:
                raise ValueError(f"expected the layers of lenet, got {layer!r}.")
        return x

    return scores


def _convolved(a: Any, W: Any, padding: int) -> Any:
    return load("jax").lax.conv_general_dilated(a, W, (1, 1), [(padding, padding)] * 2)


def _adam(p: Any, g: Any, memory: Any, rate: float, t: Any) -> Any:
    """The parameter and the two moments after step t."""
    m, v = 0.9 * memory[0] + 0.1 * g, 0.999 * memory[1] + 0.001 * g * g
    return p - rate / (1 - 0.9**t) * m / ((v / (1 - 0.999**t)) ** 0.5 + 1e-8), (m, v)


SIDES: dict[str, dict[str, Callable[..., Work]]] = {
    "jax": {
        "inference": inference,
        "saliency": saliency,
        "activation-maximization": activation_maximization,
        "training": training,
        "convolution": convolution,
    }
}
"""By contestant and row."""
