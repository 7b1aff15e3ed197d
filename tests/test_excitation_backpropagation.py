"""Excitation backpropagation: held to the walk of probabilities in plain loops; the contrastive form, the laws."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based import lrp
from nnlite.decision_based.excitation_backpropagation import excitation_backpropagation
from nnlite.decision_based.lrp.elementwise import connections
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
    Softmax,
    Upsample,
)

numbers = np.random.default_rng(41)


def w(*shape: int) -> np.ndarray:
    return numbers.normal(size=shape) * 0.6


NETWORKS: dict[str, Network] = {
    "stride, padding, groups, overlapping pools": Network(
        [Conv2d(w(4, 2, 3, 3), w(4), stride=2, padding=1), ReLU(), MaxPool2d(2, stride=1),
         Conv2d(w(6, 2, 2, 2), groups=2), ReLU(), MaxPool2d(2, stride=1, padding=1), Flatten(), Dense(w(54, 5), w(5)),
         ReLU(), Dense(w(5, 3), w(3))],
        input_shape=(2, 7, 7),
    ),
    "batchnorm, average, transposed": Network(
        [Conv2d(w(3, 2, 3, 3), dilation=2), BatchNorm(w(3), w(3), w(3), numbers.random(3) + 0.5), ReLU(),
         AvgPool2d(2, stride=1), Dropout(0.5), ConvTranspose2d(w(3, 4, 2, 2), w(4), stride=2),
         BatchNorm(w(4), w(4), w(4), numbers.random(4) + 0.5), ReLU(), GlobalAvgPool(), Flatten(), Dense(w(4, 3))],
        input_shape=(2, 7, 7),
    ),
    "no biases": Network(
        [Conv2d(w(3, 2, 3, 3)), ReLU(), MaxPool2d(2), Flatten(), Dense(w(12, 4)), ReLU(), Dense(w(4, 3))],
        input_shape=(2, 7, 7),
    ),
    "dense, through a single neuron": Network(
        [Dense(w(5, 4), w(4)), ReLU(), Dense(np.abs(w(4, 1)), w(1) + 1), ReLU(),
         Dense(np.array([[1.0, -2.0, 0.5]]), w(3))],
        input_shape=(5,),
    ),
    "one pixel": Network(
        [Conv2d(np.array([1.0, -1.0, 0.5]).reshape(3, 1, 1, 1), w(3)), ReLU(), MaxPool2d(1), Flatten(),
         Dense(w(3, 3))],
        input_shape=(1, 1, 1),
    ),
}  # fmt: skip
each_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


def inputs(network: Network, n: int = 3) -> np.ndarray:
    """Pixels on a coarse grid: zeros, and ties in the pools."""
    return np.random.default_rng(4).integers(0, 4, size=(n, *(network.input_shape or ()))) / 2.0


def close(P: np.ndarray, expected: np.ndarray) -> None:
    assert P.shape == expected.shape
    assert np.abs(P - expected).max(initial=0) <= 1e-10


def total(P: np.ndarray) -> np.ndarray:
    return P.reshape(len(P), -1).sum(axis=1)


# ------------------------------------------------------------------------------------------------ in plain loops


def slow(network: Network, x: np.ndarray, start: np.ndarray, dual: bool = False) -> np.ndarray:
    """P(a_j) = Σ_k P(a_j | a_k) P(a_k), one sample and one connection at a time; `dual`: −W in the top layer."""
    network = network.merged()
    maps = []
    weighted = (Dense, Conv2d, ConvTranspose2d, AvgPool2d, GlobalAvgPool)
    top = max(i for i, layer in enumerate(network) if isinstance(layer, weighted))
    for x_n, P in zip(x[:, None], start[:, None], strict=True):
        a = network.forward(x_n)
        for i in range(len(network) - 1, -1, -1):
            layer, a_j, above = network[i], a[i].ravel(), P.ravel()
            if isinstance(layer, weighted):
                W = connections(layer, a[i].shape)[0] * (-1 if dual and i == top else 1)
                P = walk(a_j, W, above)
            elif isinstance(layer, MaxPool2d):
                P = to_the_winner(layer, a[i], P)
            P = P.reshape(a[i].shape)
        maps.append(P[0])
    return np.array(maps)


def walk(a: np.ndarray, W: np.ndarray, above: np.ndarray) -> np.ndarray:
    J, K = W.shape
    P = np.zeros(J)
    for k in range(K):
        excitation = 0.0
        for j in range(J):
            if W[j, k] > 0:
                excitation += a[j] * W[j, k]
        for j in range(J):
            if W[j, k] > 0 and excitation > 0:
                P[j] += a[j] * W[j, k] / excitation * above[k]
    return P


def to_the_winner(layer: Any, a: np.ndarray, above: np.ndarray) -> np.ndarray:
    P = np.zeros(a.shape)
    for n, c, y, x in np.ndindex(*above.shape):
        top, left = (at * s - p for at, s, p in zip((y, x), layer.stride, layer.padding, strict=True))
        places = [
            (row, col)
            for row in range(top, top + layer.size[0])
            for col in range(left, left + layer.size[1])
            if 0 <= row < a.shape[2] and 0 <= col < a.shape[3]
        ]
        winner = max(places, key=lambda place: a[(n, c, *place)])  # the first of the largest
        P[(n, c, *winner)] += above[n, c, y, x]
    return P


@each_network
def test_it_is_the_walk_of_probabilities(network: Network) -> None:
    x = inputs(network)
    for c in range(3):
        close(excitation_backpropagation(network, x, c), slow(network, x, np.eye(3)[[c] * 3]))
    predicted = network.predict(x)
    assert np.array_equal(excitation_backpropagation(network, x), excitation_backpropagation(network, x, predicted))


@each_network
def test_contrastive_is_the_difference_from_the_map_of_the_negated_weights(network: Network) -> None:
    x = inputs(network)
    for c in range(3):
        start = np.eye(3)[[c] * 3]
        difference = slow(network, x, start) - slow(network, x, start, dual=True)
        close(excitation_backpropagation(network, x, c, contrastive=True), difference)
        dual = Network([*network.layers[:-1], replace(network[-1], W=-network[-1].W)])
        maps = excitation_backpropagation(network, x, c) - excitation_backpropagation(dual, x, c)
        close(excitation_backpropagation(network, x, c, contrastive=True), maps)


@pytest.mark.parametrize("contrastive", [False, True])
def test_toward_a_neuron_and_a_whole_map(contrastive: bool) -> None:
    network = NETWORKS["stride, padding, groups, overlapping pools"]
    x = inputs(network)
    for name, part in (("conv2", network[:4]), ("relu2", network[:5])):
        one, whole = np.zeros((2, 3, 6, 2, 2))
        one[:, 3, 0, 1] = 1
        whole[:, 3] = 1 / 4
        for start, index in ((one, (3, 0, 1)), (whole, 3)):
            expected = slow(part, x, start) - (slow(part, x, start, dual=True) if contrastive else 0)
            close(excitation_backpropagation(network, x, (name, index), contrastive=contrastive), expected)


def test_by_hand() -> None:
    # hidden (2, 1); class 0 is excited by both, 2·1 : 1·2, class 1 by the first alone, and inhibited by the second.
    network = Network([Dense(np.array([[2.0, 0.0], [0.0, 1.0]])), ReLU(), Dense(np.array([[1.0, 1.0], [2.0, -1.0]]))])
    x = np.ones((1, 2))
    assert excitation_backpropagation(network, x, 0).tolist() == [[0.5, 0.5]]
    assert excitation_backpropagation(network, x, 1).tolist() == [[1, 0]]
    assert excitation_backpropagation(network, x, 1, contrastive=True).tolist() == [[1, -1]]
    # Nothing speaks against class 0: its dual's walk ends at once.
    assert excitation_backpropagation(network, x, 0, contrastive=True).tolist() == [[0.5, 0.5]]


POSITIVE = Network(
    [Conv2d(np.abs(w(4, 2, 3, 3)) - 0.1, np.full(4, 0.5), stride=2, padding=1), ReLU(), MaxPool2d(2, stride=1),
     Conv2d(w(6, 4, 2, 2), np.full(6, 3.0)), ReLU(), AvgPool2d(2), Flatten(), Dense(w(6, 5), np.full(5, 3.0)), ReLU(),
     Dense(w(5, 3), w(3))],
    input_shape=(2, 7, 7),
)  # fmt: skip


class TestLaws:
    def test_it_sums_to_one_where_every_neuron_on_the_way_is_excited(self) -> None:
        x = inputs(POSITIVE) + 0.5
        for c in range(3):
            P = excitation_backpropagation(POSITIVE, x, c)
            np.testing.assert_allclose(total(P), 1, rtol=1e-12)
            assert (P >= 0).all()
        np.testing.assert_allclose(total(excitation_backpropagation(POSITIVE, x, ("conv2", 1))), 1, rtol=1e-12)

    def test_a_batchnorm_on_its_own_passes_and_keeps_the_sum(self) -> None:
        norm = BatchNorm(np.array([1.0, 2.0]), np.array([3.0, 1.0]), np.zeros(2), np.ones(2))
        network = Network([norm, Dense(np.abs(w(2, 3))), ReLU(), Dense(np.abs(w(3, 2)))])
        np.testing.assert_allclose(total(excitation_backpropagation(network, np.ones((2, 2)))), 1, rtol=1e-12)

    def test_contrastive_sums_to_zero_and_is_linear_in_the_top(self) -> None:
        x = inputs(POSITIVE) + 0.5
        for c in range(3):
            P = excitation_backpropagation(POSITIVE, x, c, contrastive=True)
            np.testing.assert_allclose(total(P), 0, atol=1e-12)
            assert (P > 0).any()
            dual = Network([*POSITIVE.layers[:-1], replace(POSITIVE[-1], W=-POSITIVE[-1].W)])
            close(excitation_backpropagation(dual, x, c, contrastive=True), -P)

    @each_network
    def test_it_is_lrp_with_z_plus_from_one(self, network: Network) -> None:
        plain = Network([y for y in network if not isinstance(y, BatchNorm)])
        x = inputs(network)
        R = lrp.relevance(plain, x, 1, rules=lrp.z_plus(), start="one")
        close(excitation_backpropagation(plain, x, 1), R)

    @each_network
    def test_it_never_exceeds_one_and_the_score_s_bias_does_not_matter(self, network: Network) -> None:
        x = inputs(network)
        P = excitation_backpropagation(network, x, 0)
        assert (P >= 0).all()
        assert (total(P) <= 1 + 1e-12).all()
        other = Network([*network.layers[:-1], replace(network[-1], b=w(3))])
        assert np.array_equal(excitation_backpropagation(other, x, 0), P)

    @each_network
    @pytest.mark.parametrize("contrastive", [False, True])
    def test_a_batch_is_its_samples_one_at_a_time(self, network: Network, contrastive: bool) -> None:
        x = inputs(network)
        kept = x.copy()
        together = excitation_backpropagation(network, x, [2, 0, 1], contrastive=contrastive)
        assert np.array_equal(together, excitation_backpropagation(network, x, [2, 0, 1], contrastive=contrastive))
        assert np.array_equal(x, kept)
        for n, c in enumerate([2, 0, 1]):
            one = slice(n, n + 1)
            close(together[one], excitation_backpropagation(network, x[one], c, contrastive=contrastive))

    @each_network
    @pytest.mark.parametrize("contrastive", [False, True])
    def test_dtype_softmax_and_a_batch_of_none(self, network: Network, contrastive: bool) -> None:
        x = inputs(network)
        exact = excitation_backpropagation(network, x, 0, contrastive=contrastive)
        single = excitation_backpropagation(
            network.astype(np.float32), x.astype(np.float32), 0, contrastive=contrastive
        )
        assert single.dtype == np.float32
        assert np.abs(single - exact).max() < 1e-4
        with_softmax = Network([*network, Softmax()])
        assert np.array_equal(excitation_backpropagation(with_softmax, x, 0, contrastive=contrastive), exact)
        assert excitation_backpropagation(network, x[:0], contrastive=contrastive).shape == x[:0].shape

    def test_the_map_of_a_hidden_layer_is_that_of_the_network_above(self) -> None:
        network = NETWORKS["stride, padding, groups, overlapping pools"]
        x = inputs(network) - 0.6  # negative pixels: only a hidden map can be had
        with pytest.raises(ValueError, match=r"activations ≥ 0, got -0\.6 at layer conv1"):
            excitation_backpropagation(network, x)
        a = network.forward(x)
        for contrastive in (False, True):
            P = excitation_backpropagation(network[3:], a[3], 0, contrastive=contrastive)
            start = np.eye(3)[[0] * 3]
            expected = slow(network[3:], a[3], start) - (
                slow(network[3:], a[3], start, dual=True) if contrastive else 0
            )
            close(P, expected)


GOOD = np.ones((2, 2, 7, 7))
IMAGES = NETWORKS["stride, padding, groups, overlapping pools"]
ON_TOP = Network([Conv2d(w(3, 2, 3, 3), np.full(3, 9.0)), ReLU(), MaxPool2d(5), Flatten()], input_shape=(2, 7, 7))
NO_WEIGHTS = Network([MaxPool2d(7), Flatten()])  # float32, as networks without weights are


@pytest.mark.parametrize(
    ("network", "x", "options", "kind", "message"),
    [
        (IMAGES, GOOD[0], {}, ValueError, r"takes the shape \(N, 2, 7, 7\), .* Add the batch axis"),
        (IMAGES, GOOD.astype(int), {}, ValueError, "x takes float64 values, got int64"),
        (IMAGES, GOOD * np.nan, {}, ValueError, "x must be finite"),
        (IMAGES, GOOD.tolist(), {}, TypeError, "NumPy array"),
        (IMAGES, GOOD, {"target": 3}, ValueError, "classes from 0 to 2, got 3"),
        (IMAGES, GOOD, {"target": ("conv9", 0)}, ValueError, "There is no layer 'conv9'"),
        (IMAGES, -GOOD, {}, ValueError, "≥ 0, got -1.0 at layer conv1. Use pixels ≥ 0 and ReLUs"),
        (IMAGES, -GOOD, {"contrastive": True}, ValueError, "≥ 0, got -1.0 at layer conv1"),
        (Network([Conv2d(-np.ones((2, 2, 7, 7))), LeakyReLU(0.1), Flatten(), Dense(w(2, 2))]), GOOD, {}, ValueError,
         r"≥ 0, got -9\.8 at layer dense1"),
        (Network([Conv2d(-np.ones((2, 2, 3, 3))), Upsample(2), Flatten()]), GOOD, {}, ValueError,
         "activations ≥ 0, got .* at layer upsample1"),
        (Network([Conv2d(-np.ones((2, 2, 3, 3))), AvgPool2d(5), Flatten()]), GOOD, {}, ValueError,
         "≥ 0, got -18.0 at layer pool1"),
        (ON_TOP, GOOD, {"contrastive": True}, ValueError, "negates the weights .* layer pool1 lies between"),
        (NO_WEIGHTS, GOOD.astype(np.float32), {"contrastive": True}, ValueError, "the weights .* there are none"),
        (Network([Flatten(), Softmax(), Dense(w(98, 2))]), GOOD, {}, ValueError, "no rule for layer softmax1"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(network: Network, x: Any, options: dict[str, Any], kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        excitation_backpropagation(network, x, **options)


def test_a_pool_on_top_is_fine_without_the_contrast() -> None:
    x = inputs(ON_TOP)
    P = excitation_backpropagation(ON_TOP, x, 1)
    close(P, slow(ON_TOP, x, np.eye(3)[[1, 1, 1]]))
