"""Every LRP rule written out, one number after the other: slow, plain, and what the tests hold the fast form to.

Each rule takes one sample and one layer as lists of connections:

    a (J,)      the activations below          W (J, K)    w_jk, 0 where j does not feed k
    b (K,)      the biases                     R (K,)      the relevance above
    exists (J, K)  whether j feeds k at all

and returns R_j (J,). j runs over the inputs, k over the outputs. A zero denominator distributes nothing.
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ...layers import AvgPool2d, Conv2d, ConvTranspose2d, Dense, GlobalAvgPool, Layer
from ...layers.arguments import Shape
from .rule import Relative, Rule

Array = np.ndarray


def zero(a: Array, W: Array, b: Array, R: Array, exists: Array, stabilizer: float = 0.0) -> Array:
    """R_j = Σ_k a_j w_jk / (Σ_j a_j w_jk + b_k) · R_k."""
    return epsilon(a, W, b, R, exists, 0.0, stabilizer)


def epsilon(
    a: Array, W: Array, b: Array, R: Array, exists: Array, epsilon: float | Relative = 1e-6, stabilizer: float = 0.0
) -> Array:
    """R_j = Σ_k a_j w_jk / (z_k + ε sgn(z_k)) · R_k."""
    J, K = W.shape
    z = np.zeros(K)
    for k in range(K):
        z[k] = b[k]
        for j in range(J):
            z[k] += a[j] * W[j, k]
    if isinstance(epsilon, Relative):
        total = 0.0
        for k in range(K):
            total += z[k] * z[k]
        size = epsilon.factor * (total / K) ** 0.5
    else:
        size = epsilon
    below = np.zeros(J)
    for k in range(K):
        denominator = stabilized(z[k], size + stabilizer)
        for j in range(J):
            if denominator != 0:
                below[j] += a[j] * W[j, k] / denominator * R[k]
    return below


def gamma(a: Array, W: Array, b: Array, R: Array, exists: Array, gamma: float = 0.25, stabilizer: float = 0.0) -> Array:
    """R_j = Σ_k a_j (w_jk + γ w⁺_jk) / (Σ_j a_j (w_jk + γ w⁺_jk) + b_k + γ b⁺_k) · R_k."""
    J, K = W.shape
    below = np.zeros(J)
    for k in range(K):
        z = b[k] + gamma * max(b[k], 0)
        for j in range(J):
            z += a[j] * (W[j, k] + gamma * max(W[j, k], 0))
        denominator = stabilized(z, stabilizer)
        for j in range(J):
            if denominator != 0:
                below[j] += a[j] * (W[j, k] + gamma * max(W[j, k], 0)) / denominator * R[k]
    return below


def generalized_gamma(
    a: Array, W: Array, b: Array, R: Array, exists: Array, gamma: float = 0.25, stabilizer: float = 0.0
) -> Array:
    """R_j = Σ_k (p + γ p⁺) / Σ (p + γ p⁺) · R_k where z_k > 0, with p⁻ for p⁺ where z_k < 0; p = a_j w_jk or b_k."""
    J, K = W.shape
    below = np.zeros(J)
    for k in range(K):
        z = b[k]
        for j in range(J):
            z += a[j] * W[j, k]
        if z == 0:
            continue
        favoured = max if z > 0 else min
        total = b[k] + gamma * favoured(b[k], 0)
        for j in range(J):
            p = a[j] * W[j, k]
            total += p + gamma * favoured(p, 0)
        denominator = stabilized(total, stabilizer)
        for j in range(J):
            p = a[j] * W[j, k]
            if denominator != 0:
                below[j] += (p + gamma * favoured(p, 0)) / denominator * R[k]
    return below


def z_plus(a: Array, W: Array, b: Array, R: Array, exists: Array, stabilizer: float = 0.0) -> Array:
    """R_j = Σ_k a_j w⁺_jk / Σ_j a_j w⁺_jk · R_k."""
    J, K = W.shape
    below = np.zeros(J)
    for k in range(K):
        z = 0.0
        for j in range(J):
            z += a[j] * max(W[j, k], 0)
        denominator = stabilized(z, stabilizer)
        for j in range(J):
            if denominator != 0:
                below[j] += a[j] * max(W[j, k], 0) / denominator * R[k]
    return below


def alpha_beta(
    a: Array,
    W: Array,
    b: Array,
    R: Array,
    exists: Array,
    alpha: float = 2.0,
    beta: float = 1.0,
    stabilizer: float = 0.0,
) -> Array:
    """R_j = Σ_k (α (a_j w_jk)⁺ / Σ⁺_k − β (a_j w_jk)⁻ / Σ⁻_k) · R_k, Σ⁺_k with b⁺_k, Σ⁻_k with b⁻_k."""
    J, K = W.shape
    below = np.zeros(J)
    for k in range(K):
        plus, minus = max(b[k], 0), min(b[k], 0)
        for j in range(J):
            plus += max(a[j] * W[j, k], 0)
            minus += min(a[j] * W[j, k], 0)
        plus = stabilized(plus, stabilizer)
        minus = stabilized(minus, stabilizer)
        for j in range(J):
            if plus != 0:
                below[j] += alpha * max(a[j] * W[j, k], 0) / plus * R[k]
            if minus != 0:
                below[j] -= beta * min(a[j] * W[j, k], 0) / minus * R[k]
    return below


def z_bounds(
    a: Array, W: Array, b: Array, R: Array, exists: Array, low: Any = 0.0, high: Any = 1.0, stabilizer: float = 0.0
) -> Array:
    """R_j = Σ_k q_jk / Σ_j q_jk · R_k, q_jk = a_j w_jk − l_j w⁺_jk − h_j w⁻_jk (low and high: numbers or (J,))."""
    J, K = W.shape
    l, h = np.broadcast_to(low, (J,)), np.broadcast_to(high, (J,))
    below = np.zeros(J)
    for k in range(K):
        z = 0.0
        for j in range(J):
            z += a[j] * W[j, k] - l[j] * max(W[j, k], 0) - h[j] * min(W[j, k], 0)
        denominator = stabilized(z, stabilizer)
        for j in range(J):
            if denominator != 0:
                q = a[j] * W[j, k] - l[j] * max(W[j, k], 0) - h[j] * min(W[j, k], 0)
                below[j] += q / denominator * R[k]
    return below


def w_squared(a: Array, W: Array, b: Array, R: Array, exists: Array, stabilizer: float = 0.0) -> Array:
    """R_j = Σ_k w²_jk / Σ_j w²_jk · R_k."""
    J, K = W.shape
    below = np.zeros(J)
    for k in range(K):
        z = 0.0
        for j in range(J):
            z += W[j, k] ** 2
        denominator = stabilized(z, stabilizer)
        for j in range(J):
            if denominator != 0:
                below[j] += W[j, k] ** 2 / denominator * R[k]
    return below


def flat(a: Array, W: Array, b: Array, R: Array, exists: Array, stabilizer: float = 0.0) -> Array:
    """R_j = Σ_k 1 / (number of inputs that feed k) · R_k, over the inputs j that feed k."""
    J, K = W.shape
    below = np.zeros(J)
    for k in range(K):
        number = 0.0
        for j in range(J):
            if exists[j, k]:
                number += 1
        denominator = stabilized(number, stabilizer)
        for j in range(J):
            if exists[j, k] and denominator != 0:
                below[j] += 1 / denominator * R[k]
    return below


RULES: dict[str, Callable[..., np.ndarray]] = {
    rule.__name__: rule
    for rule in (zero, epsilon, gamma, generalized_gamma, z_plus, alpha_beta, z_bounds, w_squared, flat)
}
"""The rules of this file by the names of those in rules.py."""


def relevance(rule: Rule, layer: Layer, a: np.ndarray, R: np.ndarray) -> np.ndarray:
    """R_j for a batch of one layer: every sample by the plain loops of the rule's namesake.

    Parameters
    ----------
    rule
        A rule of rules.py: its name and options choose the loops.
    layer
        Any layer with weights, or an average pooling (for `zero`).
    a, R
        The activations below and the relevance above, batches of any shape that the layer takes.
    """
    W, b, exists = connections(layer, a.shape)
    options = {
        name: np.broadcast_to(value, a.shape[1:]).ravel() if name in ("low", "high") else value
        for name, value in rule.options.items()
    }
    rows = [
        RULES[rule.name](a_n.ravel(), W, b, R_n.ravel(), exists, **options)
        for a_n, R_n in zip(a.astype(np.float64), R.astype(np.float64), strict=True)
    ]
    return np.array(rows).reshape(a.shape)


def connections(layer: Layer, shape: Shape) -> tuple[Array, Array, Array]:
    """A layer as a list of its connections: W (J, K), b (K,) and whether each connection exists (J, K).

    >>> W, b, exists = connections(Conv2d(np.array([[[[1.0, 2.0]]]])), (1, 1, 1, 3))
    >>> W
    array([[1., 0.],
           [2., 1.],
           [0., 2.]])
    """
    above = layer.output_shape(shape)
    J, K = int(np.prod(shape[1:])), int(np.prod(above[1:]))
    W, exists, b = np.zeros((J, K)), np.zeros((J, K), bool), np.zeros(K)
    places_below = np.arange(J).reshape(shape[1:])
    places_above = np.arange(K).reshape(above[1:])
    for below, over, weight in _wires(layer, shape, above):
        j, k = places_below[below], places_above[over]
        W[j, k] += weight
        exists[j, k] = True
    bias: Any = getattr(layer, "b", None)
    if bias is not None:
        for k in range(K):
            b[k] = bias[np.unravel_index(k, above[1:])[-1 if isinstance(layer, Dense) else 0]]
    return W, b, exists


def _wires(layer: Layer, shape: Shape, above: Shape) -> Iterator[tuple[Shape, Shape, float]]:
    """(input, output, weight) of every connection."""
    if isinstance(layer, Dense):
        for place in np.ndindex(*shape[1:-1]):
            for j, k in np.ndindex(*layer.W.shape):
                yield (*place, j), (*place, k), float(layer.W[j, k])
    elif isinstance(layer, GlobalAvgPool):
        for c, y, x in np.ndindex(*shape[1:]):
            yield (c, y, x), (c, 0, 0), 1 / (shape[2] * shape[3])
    elif isinstance(layer, AvgPool2d):
        counts = layer.counts(layer.windows(shape), np.dtype(np.float64))
        for (c, y, x), (i, j) in _windows(above, layer.size):
            row, col = _reads(layer, (y, x), (i, j), (1, 1))
            if 0 <= row < shape[2] and 0 <= col < shape[3]:
                yield (c, row, col), (c, y, x), 1 / counts[y, x]
    elif isinstance(layer, (Conv2d, ConvTranspose2d)):
        # A transposed convolution has the connections of a convolution with below and above exchanged.
        transposed = isinstance(layer, ConvTranspose2d)
        image, windows = (above, shape) if transposed else (shape, above)
        per_group = layer.W.shape[1]
        for (k, y, x), (i, j) in _windows(windows, layer.W.shape[2:]):
            row, col = _reads(layer, (y, x), (i, j), layer.dilation)
            if 0 <= row < image[2] and 0 <= col < image[3]:
                group = k // (len(layer.W) // layer.groups)
                for c in range(per_group):
                    pixel, window = (group * per_group + c, row, col), (k, y, x)
                    ends = (window, pixel) if transposed else (pixel, window)
                    yield *ends, layer.W[k, c, i, j]
    else:
        raise TypeError(f"{layer!r} has no weights to write out.")


def _windows(shape: Shape, size: Any) -> Iterator[tuple[Shape, Shape]]:
    """Every (channel, row, column) of windows with every (row, column) inside it."""
    for place in np.ndindex(*shape[1:]):
        for element in np.ndindex(*size):
            yield place, element


def _reads(layer: Any, place: Any, element: Any, dilation: Any) -> list[int]:
    """The row and column that an element of the window at a place reads."""
    return [
        y * s - p + i * d for y, s, p, i, d in zip(place, layer.stride, layer.padding, element, dilation, strict=True)
    ]


def stabilized(z: float, stabilizer: float) -> float:
    """z + stabilizer · sgn(z), with sgn 0 = +1."""
    return z + stabilizer if z >= 0 else z - stabilizer
