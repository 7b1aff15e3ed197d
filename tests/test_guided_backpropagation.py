"""Guided backpropagation: held to the Jacobians of the layers as measured from below, and the laws that it owes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based.deconvnet import deconvnet
from nnlite.decision_based.gradient import gradient
from nnlite.decision_based.guided_backpropagation import guided_backpropagation, guided_rule
from nnlite.decision_based.relu_rules import with_relu_rule
from nnlite.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Layer,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Softmax,
)

numbers = np.random.default_rng(37)


def w(*shape: int) -> np.ndarray:
    return numbers.normal(size=shape) * 0.6


NETWORKS: dict[str, Network] = {
    "stride, padding, groups, overlapping pools": Network(
        [Conv2d(w(4, 2, 3, 3), w(4), stride=2, padding=1), ReLU(), MaxPool2d(2, stride=1),
         Conv2d(w(6, 2, 2, 2), groups=2), ReLU(), MaxPool2d(2, stride=1, padding=1), Flatten(), Dense(w(54, 5), w(5)),
         ReLU(), Dense(w(5, 3), w(3))],
        input_shape=(2, 7, 7),
    ),
    "batchnorm, leaky, average": Network(
        [Conv2d(w(3, 2, 3, 3), dilation=2), BatchNorm(w(3), w(3), w(3), numbers.random(3) + 0.5), LeakyReLU(0.1),
         AvgPool2d(2, stride=1), BatchNorm(w(3), w(3), w(3), numbers.random(3) + 0.5), ReLU(), Dropout(0.5),
         Conv2d(w(4, 3, 1, 1), w(4)), ReLU(), GlobalAvgPool(), Flatten(), Dense(w(4, 3))],
        input_shape=(2, 7, 7),
    ),
    "no biases": Network(
        [Conv2d(w(3, 2, 3, 3)), ReLU(), MaxPool2d(2), Flatten(), Dense(w(12, 4)), ReLU(), Dense(w(4, 3))],
        input_shape=(2, 7, 7),
    ),
    "dense, through a single neuron": Network(
        [Dense(w(5, 4), w(4)), ReLU(), Dense(w(4, 1), w(1) + 1), ReLU(), Dense(w(1, 3), w(3))], input_shape=(5,)
    ),
    "one pixel": Network(
        [Conv2d(w(3, 1, 1, 1), w(3)), ReLU(), MaxPool2d(1), Flatten(), Dense(w(3, 3))], input_shape=(1, 1, 1)
    ),
}  # fmt: skip
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def inputs(network: Network, n: int = 3) -> np.ndarray:
    """Numbers of both signs on a coarse grid: pools meet ties, ReLUs zeros."""
    return np.random.default_rng(4).integers(-2, 3, size=(n, *(network.input_shape or ()))) / 2.0


def close(R: np.ndarray, expected: np.ndarray) -> None:
    assert R.shape == expected.shape
    assert np.abs(R - expected).max(initial=0) <= 1e-10 * max(np.abs(expected).sum(), 1e-300)


# ------------------------------------------------------------------- by what the layers do, not by their backward


def slow(network: Network, x: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Guided backpropagation one sample at a time, through Jacobians measured by `forward` alone."""
    maps = []
    for x_n, R in zip(x[:, None], start[:, None], strict=True):
        a = network.forward(x_n)
        for layer, a_j in zip(network.layers[::-1], a[-2::-1], strict=True):
            below = np.zeros(a_j.size)
            jacobian = measured(layer, a_j)
            for j in range(a_j.size):
                for k in range(R.size):
                    above = R.ravel()[k]
                    if isinstance(layer, ReLU):
                        above = max(0.0, above)  # the guidance
                    below[j] += jacobian[j, k] * above
            R = below.reshape(a_j.shape)
        maps.append(R[0])
    return np.array(maps)


def measured(layer: Layer, a: np.ndarray) -> np.ndarray:
    """∂z_k / ∂a_j (J, K), by pushing one input at a time."""
    z = layer.forward(a)
    jacobian = np.zeros((a.size, z.size))
    given = np.zeros(z.size, bool)
    for j in range(a.size):
        at = np.unravel_index(j, a.shape)
        if isinstance(layer, (ReLU, LeakyReLU)):  # the same place, on or off
            jacobian[j, j] = 1 if a[at] > 0 else getattr(layer, "slope", 0)
        elif isinstance(layer, MaxPool2d):  # of the windows that j can win, it has those whose maximum it is, if first
            pushed = a.copy()
            pushed[at] += 1e3
            won = ((layer.forward(pushed) != z) & (z == a[at])).ravel() & ~given
            jacobian[j, won] = 1
            given |= won
        else:  # affine: exact
            unit = np.zeros_like(a)
            unit[at] = 1
            jacobian[j] = (layer.forward(unit) - layer.forward(np.zeros_like(a))).ravel()
    return jacobian


@each_network
def test_it_is_the_slow_form(network: Network) -> None:
    x = inputs(network)
    for c in range(3):
        close(guided_backpropagation(network, x, c), slow(network, x, np.eye(3)[[c] * 3]))
    predicted = network.predict(x)
    assert np.array_equal(guided_backpropagation(network, x), guided_backpropagation(network, x, predicted))


@each_network
def test_toward_a_neuron(network: Network) -> None:
    x = inputs(network)
    name = network.names[1]
    part = network[:2]
    shape = part.output_shape(x.shape)
    whole, one = np.zeros(shape), np.zeros(shape)
    whole[:, 0] = 1
    last = tuple(n - 1 for n in shape[1:])
    one[(slice(None), *last)] = 1
    close(guided_backpropagation(network, x, (name, 0)), slow(part, x, whole))
    close(guided_backpropagation(network, x, (name, last)), slow(part, x, one))


def test_by_hand() -> None:
    # z = (1, -1, 2): the second unit is off; of the others the third has a negative signal above it.
    network = Network([Dense(np.array([[1.0, -1.0, 2.0]])), ReLU(), Dense(np.array([[3.0], [5.0], [-4.0]]))])
    x = np.ones((1, 1))
    assert gradient(network, x).tolist() == [[1 * 3 - 2 * 4]]
    assert deconvnet(network, x).tolist() == [[1 * 3 - 1 * 5]]
    assert guided_backpropagation(network, x).tolist() == [[1 * 3]]


@each_network
class TestLaws:
    def test_it_is_the_gradient_where_nothing_is_negative(self, network: Network) -> None:
        positive = Network([
            replace(y, W=np.abs(y.W)) if hasattr(y, "W")
            else replace(y, gamma=np.abs(y.gamma)) if isinstance(y, BatchNorm) else y
            for y in network
        ])  # fmt: skip
        x = inputs(network)
        g = gradient(positive, x, 1)
        assert np.array_equal(guided_backpropagation(positive, x, 1), g)
        assert (g >= 0).all()
        assert g.any()

    def test_biases_do_not_matter_on_the_way_back(self, network: Network) -> None:
        x, start = inputs(network), np.eye(3)
        bare = Network([replace(y, b=None) if getattr(y, "b", None) is not None else y for y in network.layers])
        back = bare.walk_back(network.forward(x), start, with_relu_rule(bare, guided_rule))[0]
        ours = guided_backpropagation(network, x, [0, 1, 2])  # it may run as a row, and sum in another order
        assert np.abs(ours - back).max() <= 1e-14 * np.abs(back).max()

    def test_it_stops_where_deconvnet_or_the_gradient_stops(self, network: Network) -> None:
        a, R = np.array([[2.0, 2.0, -1.0, -1.0, 0.0]]), np.array([[3.0, -3.0, 3.0, -3.0, 3.0]])
        assert guided_rule(ReLU(), a, ReLU().forward(a), R).tolist() == [[3, 0, 0, 0, 0]]

    def test_a_batch_is_its_samples_one_at_a_time_and_twice_the_same_bits(self, network: Network) -> None:
        x = inputs(network)
        kept = x.copy()
        together = guided_backpropagation(network, x, [2, 0, 1])
        assert np.array_equal(together, guided_backpropagation(network, x, [2, 0, 1]))
        assert np.array_equal(x, kept)
        for n, c in enumerate([2, 0, 1]):
            close(together[n : n + 1], guided_backpropagation(network, x[n : n + 1], c))

    def test_dtype_softmax_and_a_batch_of_none(self, network: Network) -> None:
        x = inputs(network)
        single = guided_backpropagation(network.astype(np.float32), x.astype(np.float32), 0)
        exact = guided_backpropagation(network, x, 0)
        assert single.dtype == np.float32
        assert np.abs(single - exact).max() <= 1e-5 * np.abs(exact).sum()
        assert np.array_equal(guided_backpropagation(Network([*network, Softmax()]), x, 0), exact)
        assert guided_backpropagation(network, x[:0]).shape == x[:0].shape


GOOD = np.ones((2, 2, 7, 7))


@pytest.mark.parametrize(
    ("x", "target", "kind", "message"),
    [
        (GOOD[0], None, ValueError, r"takes the shape \(N, 2, 7, 7\), .* Add the batch axis"),
        (GOOD[:, :1], None, ValueError, "takes the shape"),
        (GOOD.astype(int), None, ValueError, "x takes float64 values, got int64"),
        (GOOD.astype(np.float32), None, ValueError, "computes in float64, and x is float32"),
        (GOOD * np.inf, None, ValueError, r"x must be finite, and x\[0, 0, 0, 0\] is inf"),
        (GOOD.tolist(), None, TypeError, "NumPy array"),
        (GOOD, 3, ValueError, "classes from 0 to 2, got 3"),
        (GOOD, [0], ValueError, r"target takes a class, 2 integers .* got \[0\]"),
        (GOOD, ("conv9", 0), ValueError, "There is no layer 'conv9'"),
        (GOOD, ("conv1", 4), ValueError, "an index below 4, .* got 4"),
    ],
)
def test_bad_input_is_refused(x: Any, target: Any, kind: Any, message: str) -> None:
    network = NETWORKS["stride, padding, groups, overlapping pools"]
    with pytest.raises(kind, match=message):
        guided_backpropagation(network, x, target)
