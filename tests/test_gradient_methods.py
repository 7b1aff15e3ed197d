"""Gradient, saliency, sensitivity and gradient × input."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based import gradient, gradient_times_input, saliency, sensitivity
from nnlite.decision_based.deconvnet import deconvnet
from nnlite.decision_based.guided_backpropagation import guided_backpropagation
from nnlite.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Reshape,
    Sigmoid,
    Softmax,
    Tanh,
)

numbers = np.random.default_rng(5)


def w(*shape: int) -> np.ndarray:
    return numbers.normal(size=shape) * 0.6


NETWORKS: dict[str, tuple[Network, tuple[int, ...]]] = {
    "dense": (Network([Dense(w(5, 4), w(4)), ReLU(), Dense(w(4, 3), w(3)), Tanh(), Dense(w(3, 2))]), (5,)),
    "images": (
        Network(
            [Conv2d(w(4, 2, 3, 3), w(4), padding=1), BatchNorm(w(4), w(4), w(4), numbers.random(4) + 0.5),
             LeakyReLU(0.1), MaxPool2d(2), Conv2d(w(4, 2, 2, 2), groups=2), Sigmoid(), AvgPool2d(2, stride=1),
             Dropout(0.5), Flatten(), Dense(w(4, 3), w(3))]
        ),
        (2, 6, 6),
    ),
    "up and the mean": (
        Network(
            [Reshape((1, 2, 2)), ConvTranspose2d(w(1, 3, 3, 3), w(3), stride=2), ReLU(), GlobalAvgPool(), Flatten(),
             Dense(w(3, 2))]
        ),
        (4,),
    ),
}  # fmt: skip

# f = (3 relu(x + 2y) - relu(x - y), y): at (2, 1) both units are on, at (1, 2) the second is off.
BY_HAND = Network(
    [
        Dense(np.array([[1.0, 1.0, 0.0], [2.0, -1.0, 1.0]])),
        ReLU(),
        Dense(np.array([[3.0, 0.0], [-1.0, 0.0], [0.0, 1.0]])),
    ]
)
POINTS = np.array([[2.0, 1.0], [1.0, 2.0]])


def inputs(shape: tuple[int, ...], n: int = 3) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(n, *shape))


@pytest.mark.parametrize(("network", "shape"), NETWORKS.values(), ids=NETWORKS)
class TestGradient:
    def test_it_is_the_difference_quotient_of_the_score(self, network: Network, shape: Any) -> None:
        x, h = inputs(shape), 1e-6
        for target in range(network.output_shape((1, *shape))[1]):
            g = gradient(network, x, target)
            for place in np.ndindex(*shape):
                up, down = x.copy(), x.copy()
                up[(slice(None), *place)] += h
                down[(slice(None), *place)] -= h
                quotient = (network.scores(up) - network.scores(down))[:, target] / (2 * h)
                np.testing.assert_allclose(g[(slice(None), *place)], quotient, rtol=1e-6, atol=1e-8)

    def test_shape_and_dtype_of_the_input_which_stays_as_it_was(self, network: Network, shape: Any) -> None:
        for dtype in (np.float32, np.float64):
            x = inputs(shape).astype(dtype)
            kept = x.copy()
            for method in (gradient, sensitivity, gradient_times_input):
                R = method(network.astype(dtype), x)
                assert (R.shape, R.dtype) == (x.shape, dtype)
            assert np.array_equal(x, kept)

    def test_the_others_are_made_of_it(self, network: Network, shape: Any) -> None:
        x = inputs(shape)
        g = gradient(network, x, 1)
        assert np.array_equal(sensitivity(network, x, 1), g**2)
        assert np.array_equal(gradient_times_input(network, x, 1), x * g)

    def test_a_softmax_at_the_end_is_left_out(self, network: Network, shape: Any) -> None:
        x = inputs(shape)
        assert np.array_equal(gradient(Network([*network, Softmax()]), x), gradient(network, x))

    def test_a_batch_is_its_samples_one_at_a_time(self, network: Network, shape: Any) -> None:
        x = inputs(shape)
        g = gradient(network, x, [1, 0, 1])
        for n, target in enumerate([1, 0, 1]):
            np.testing.assert_allclose(g[n : n + 1], gradient(network, x[n : n + 1], target), rtol=1e-12, atol=1e-15)

    def test_a_batch_of_none(self, network: Network, shape: Any) -> None:
        assert gradient(network, inputs(shape, n=0)).shape == (0, *shape)


class TestTwoInputsByHand:
    def test_gradient(self) -> None:
        assert gradient(BY_HAND, POINTS, 0).tolist() == [[3 - 1, 6 + 1], [3, 6]]
        assert gradient(BY_HAND, POINTS, 1).tolist() == [[0, 1], [0, 1]]

    def test_saliency_without_channels_is_the_absolute_gradient(self) -> None:
        assert saliency(BY_HAND, POINTS, 0).tolist() == [[2, 7], [3, 6]]
        assert saliency(Network([Dense(-np.eye(2))]), POINTS, 0).tolist() == [[1, 0], [1, 0]]

    def test_sensitivity(self) -> None:
        assert sensitivity(BY_HAND, POINTS, 0).tolist() == [[4, 49], [9, 36]]

    def test_gradient_times_input_sums_to_the_score_without_biases(self) -> None:
        R = gradient_times_input(BY_HAND, POINTS, 0)
        assert R.tolist() == [[4, 7], [3, 12]]
        assert R.sum(axis=1).tolist() == BY_HAND.scores(POINTS)[:, 0].tolist()

    def test_the_predicted_class_is_explained_unless_another_is_named(self) -> None:
        assert BY_HAND.predict(POINTS).tolist() == [0, 0]
        assert np.array_equal(gradient(BY_HAND, POINTS), gradient(BY_HAND, POINTS, 0))
        assert gradient(BY_HAND, POINTS, [0, 1]).tolist() == [[2, 7], [0, 1]]


def test_saliency_takes_the_strongest_channel() -> None:
    network, shape = NETWORKS["images"]
    x = inputs(shape)
    g = gradient(network, x)
    S = saliency(network, x)
    assert S.shape == (3, 6, 6)
    for n, row, col in np.ndindex(*S.shape):
        assert S[n, row, col] == max(abs(g[n, 0, row, col]), abs(g[n, 1, row, col]))


@pytest.mark.parametrize("method", [gradient, saliency, sensitivity, gradient_times_input])
@pytest.mark.parametrize(
    ("x", "target", "kind", "message"),
    [
        (POINTS[0], None, ValueError, r"takes \(N, 2\), got \(2,\)"),
        (np.ones((1, 3)), None, ValueError, r"takes \(N, 2\), got \(1, 3\)"),
        (np.array([[1, 2]]), None, ValueError, r"x takes float64 values, got int64"),
        (np.ones((1, 2), np.float32), None, ValueError, r"computes in float64, and x is float32"),
        (np.array([[np.nan, 1.0]]), None, ValueError, r"x must be finite, and x\[0, 0\] is nan"),
        ([[1.0, 2.0]], None, TypeError, r"NumPy array .* got list"),
        (POINTS, 2, ValueError, r"classes from 0 to 1, got 2"),
        (POINTS, -1, ValueError, r"classes from 0 to 1, got -1"),
        (POINTS, [0, -1], ValueError, r"classes from 0 to 1, got \[0, -1\]"),
        (POINTS, np.array([0, 2**64 - 1], np.uint64), ValueError, "classes from 0 to 1"),
        (np.ones((0, 2)), 2, ValueError, r"classes from 0 to 1, got 2"),
        (POINTS, 0.0, ValueError, r"target takes a class, .* got 0\.0"),
        (POINTS, [0], ValueError, r"target takes a class, 2 integers .* got \[0\]"),
    ],
)
def test_bad_input_is_refused(method: Callable, x: Any, target: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        method(BY_HAND, x, target)


@pytest.mark.parametrize("method", [gradient, guided_backpropagation, deconvnet])
def test_a_neuron_above_the_softmax_is_explained_by_the_rules_of_its_own_layers(method: Any) -> None:
    network = Network([Dense(np.eye(2)), ReLU(), Dense(np.eye(2)), Softmax()])
    p = np.exp([2.0, 1.0]) / np.exp([2.0, 1.0]).sum()
    slope = p[1] * np.array([-p[0], 1 - p[1]])  # ∂p_1/∂x
    expected = slope if method is gradient else np.maximum(0, slope)
    np.testing.assert_allclose(method(network, np.array([[2.0, 1.0]]), ("softmax1", 1)), [expected], rtol=1e-12)


@pytest.mark.parametrize("target", [None, 0])
def test_a_network_without_classes_is_an_error(target: Any) -> None:
    network = Network([Dense(np.ones((6, 5))), ReLU(), Dense(np.ones((5, 0)))])
    with pytest.raises(ValueError, match=r"scores \(N, K\), and this one gives \(2, 0\)"):
        gradient(network, np.ones((2, 6)), target)


def test_a_masked_array_is_refused() -> None:
    x = np.ma.masked_array([[1.0, 2.0]], [[True, False]])
    with pytest.raises(TypeError, match=r"expected a plain array, got a masked one"):
        gradient(Network([Dense(np.ones((2, 2)))]), x)
