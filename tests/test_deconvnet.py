"""DeConvNet: held to plain loops; its starts, its laws, all filters at once, and their grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based.deconvnet import all_filters, deconvnet, deconvnet_rule, filters_grid
from nnlite.decision_based.gradient import gradient
from nnlite.decision_based.lrp.elementwise import connections
from nnlite.decision_based.relu_rules import with_relu_rule
from nnlite.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
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

numbers = np.random.default_rng(31)


def w(*shape: int) -> np.ndarray:
    return numbers.normal(size=shape) * 0.6


IMAGES = Network(
    [Conv2d(w(4, 2, 3, 3), w(4), stride=2, padding=1), ReLU(), MaxPool2d(2, stride=1), Conv2d(w(6, 2, 2, 2), groups=2),
     ReLU(), MaxPool2d(2, stride=1, padding=1), Flatten(), Dense(w(54, 5), w(5)), ReLU(), Dense(w(5, 3), w(3))],
    input_shape=(2, 7, 7),
)  # fmt: skip
NETWORKS: dict[str, Network] = {
    "stride, padding, groups, overlapping pools": IMAGES,
    "batchnorm, leaky, average": Network(
        [Conv2d(w(3, 2, 3, 3), dilation=2), BatchNorm(w(3), w(3), w(3), numbers.random(3) + 0.5), LeakyReLU(0.1),
         AvgPool2d(2, stride=1), BatchNorm(w(3), w(3), w(3), numbers.random(3) + 0.5), ReLU(), Dropout(0.5),
         ConvTranspose2d(w(3, 4, 2, 2), w(4), stride=2), ReLU(), GlobalAvgPool(), Flatten(), Dense(w(4, 3))],
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


# ------------------------------------------------------------------------------------------------ in plain loops


def slow(network: Network, x: np.ndarray, start: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """DeConvNet one sample, one layer, one number at a time; start(a) is the signal at the top."""
    maps = []
    for x_n in x[:, None]:
        a = network.forward(x_n)
        R = start(a[-1])
        for layer, a_j in zip(network.layers[::-1], a[-2::-1], strict=True):
            R = slow_layer(layer, a_j, R)
        maps.append(R[0])
    return np.array(maps)


def slow_layer(layer: Layer, a: np.ndarray, R: np.ndarray) -> np.ndarray:
    below = np.zeros(a.shape)
    if isinstance(layer, (ReLU, LeakyReLU, BatchNorm, Dropout)):
        for i in np.ndindex(*a.shape):
            if isinstance(layer, ReLU):
                below[i] = R[i] if R[i] > 0 else 0
            elif isinstance(layer, LeakyReLU):
                below[i] = R[i] if a[i] > 0 else layer.slope * R[i]
            elif isinstance(layer, BatchNorm):
                below[i] = R[i] * layer.gamma[i[1]] / (layer.var[i[1]] + layer.eps) ** 0.5
            else:
                below[i] = R[i]
    elif isinstance(layer, Flatten):
        below = R.reshape(a.shape)
    elif isinstance(layer, MaxPool2d):
        (kh, kw), (sh, sw), (ph, pw) = layer.size, layer.stride, layer.padding  # type: ignore[misc]
        for n, c, y, x in np.ndindex(*R.shape):
            best = None
            for row in range(y * sh - ph, y * sh - ph + kh):
                for col in range(x * sw - pw, x * sw - pw + kw):
                    inside = 0 <= row < a.shape[2] and 0 <= col < a.shape[3]
                    if inside and (best is None or a[n, c, row, col] > a[n, c, best[0], best[1]]):
                        best = row, col
            assert best is not None
            below[n, c, best[0], best[1]] += R[n, c, y, x]
    else:
        W, _, _ = connections(layer, a.shape)
        J, K = W.shape
        flat, above = np.zeros(J), R.ravel()
        for j in range(J):
            for k in range(K):
                flat[j] += W[j, k] * above[k]
        below = flat.reshape(a.shape)
    return below


@each_network
def test_from_a_score(network: Network) -> None:
    x = inputs(network)
    for c in range(3):
        close(deconvnet(network, x, c), slow(network, x, lambda z, c=c: np.eye(3)[[c]]))
    predicted = network.predict(x)
    assert np.array_equal(deconvnet(network, x), deconvnet(network, x, predicted))


@each_network
def test_from_every_layer_with_all_filters_with_one_and_from_its_strongest_place(network: Network) -> None:
    x = inputs(network)
    for i, name in enumerate(network.names):
        part = network[: i + 1]
        close(deconvnet(network, x, layer=name), slow(part, x, lambda z: np.maximum(z, 0)))
        shape = part.output_shape(x.shape)
        k = shape[1] - 1

        def one_map(z: np.ndarray, k: int = k) -> np.ndarray:
            start = np.zeros(z.shape)
            start[0, k] = np.maximum(z[0, k], 0)
            return start

        close(deconvnet(network, x, layer=name, filter=k), slow(part, x, one_map))
        if len(shape) == 4:

            def one_place(z: np.ndarray, k: int = k) -> np.ndarray:
                start, best = np.zeros(z.shape), (0, 0)
                for place in np.ndindex(*z.shape[2:]):
                    if z[(0, k, *place)] > z[(0, k, *best)]:
                        best = place
                start[(0, k, *best)] = max(0, z[(0, k, *best)])
                return start

            close(deconvnet(network, x, layer=name, filter=k, position="strongest"), slow(part, x, one_place))


def test_the_first_of_several_strongest_places_in_row_major_order() -> None:
    network = Network([Conv2d(np.ones((1, 1, 1, 1)))])
    x = np.array([[[[1.0, 3.0], [3.0, 3.0]]]])
    assert deconvnet(network, x, layer="conv1", filter=0, position="strongest").tolist() == [[[[0, 3], [0, 0]]]]


def test_by_hand() -> None:
    # a = (1, 0): conv gives relu(1, -1) = (1, 0); back (1, 0) by the transposed weights (1, -1) is (1, -1).
    network = Network([Dense(np.array([[1.0, -1.0], [-1.0, 2.0]]), np.array([0.0, 5.0])), ReLU()])
    x = np.array([[1.0, 0.0]])
    assert network.forward(x)[-1].tolist() == [[1, 4]]
    assert deconvnet(network, x, layer="relu1", filter=0).tolist() == [[1, -1]]
    assert deconvnet(network, x, layer="relu1", filter=1).tolist() == [[-4, 8]]
    assert deconvnet(network, x, layer="relu1").tolist() == [[-3, 7]]


# ------------------------------------------------------------------------------------------------ laws


@each_network
class TestLaws:
    def test_twice_the_same_bits_and_an_unchanged_input(self, network: Network) -> None:
        x = inputs(network)
        kept = x.copy()
        for start in ({}, {"layer": network.names[-2]}, {"layer": network.names[0], "filter": 0}):
            assert np.array_equal(deconvnet(network, x, **start), deconvnet(network, x, **start))
        assert np.array_equal(all_filters(network, x, network.names[0]), all_filters(network, x, network.names[0]))
        assert np.array_equal(x, kept)

    def test_biases_do_not_matter_on_the_way_back(self, network: Network) -> None:
        x = inputs(network)
        bare = Network([replace(y, b=None) if getattr(y, "b", None) is not None else y for y in network.layers])
        for i, name in enumerate(network.names):
            a = network[: i + 1].forward(x)
            rules = with_relu_rule(bare[: i + 1], deconvnet_rule)
            back = bare[: i + 1].walk_back(a, np.maximum(a[-1], 0), rules)[0]
            close(deconvnet(network, x, layer=name), back)

    def test_before_or_after_the_relu_is_the_same(self, network: Network) -> None:
        x = inputs(network)
        for i, layer in enumerate(network):
            if isinstance(layer, ReLU):
                below, above = network.names[i - 1 : i + 1]
                close(deconvnet(network, x, layer=below), deconvnet(network, x, layer=above))

    def test_a_batch_is_its_samples_one_at_a_time(self, network: Network) -> None:
        x, name = inputs(network), network.names[0]
        classes = [2, 0, 1]
        starts: list[dict[str, Any]] = [{"layer": name}, {"layer": name, "filter": 0}]
        for n in range(3):
            one = slice(n, n + 1)
            close(deconvnet(network, x, classes)[one], deconvnet(network, x[one], classes[n]))
            close(all_filters(network, x, name)[one], all_filters(network, x[one], name))
            for start in starts:
                close(deconvnet(network, x, **start)[one], deconvnet(network, x[one], **start))

    def test_all_filters_are_the_single_filters(self, network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
        x = inputs(network)
        for block in (2**24, 1, 700):  # everything at once, pair by pair, and blocks that cut across samples
            monkeypatch.setitem(all_filters.__globals__, "BLOCK", block)
            for name in network.names:
                K = network[: network.index(name) + 1].output_shape(x.shape)[1]
                maps = all_filters(network, x, name)
                assert (maps.shape, maps.dtype) == ((3, K, *x.shape[1:]), x.dtype)
                for k in range(K):
                    close(maps[:, k], deconvnet(network, x, layer=name, filter=k))

    def test_dtype_kept(self, network: Network) -> None:
        x = inputs(network).astype(np.float32)
        single, name = network.astype(np.float32), network.names[0]
        for R in (deconvnet(single, x), deconvnet(single, x, layer=name), all_filters(single, x, name)):
            assert R.dtype == np.float32
        exact = deconvnet(network, x.astype(np.float64), 0)
        assert np.abs(deconvnet(single, x, 0) - exact).max() <= 1e-5 * np.abs(exact).sum()

    def test_a_softmax_is_left_out_and_a_batch_of_none_taken(self, network: Network) -> None:
        x = inputs(network)
        assert np.array_equal(deconvnet(Network([*network, Softmax()]), x), deconvnet(network, x))
        assert deconvnet(network, x[:0]).shape == x[:0].shape
        assert all_filters(network, x[:0], network.names[0]).shape[0] == 0


def sum_of_filters(network: Network, x: np.ndarray, name: str) -> np.ndarray:
    return all_filters(network, x, name).sum(axis=1)


def test_all_filters_are_the_sum_of_single_ones_where_no_relu_lies_below_the_layer() -> None:
    x = inputs(IMAGES)
    for name in ("conv1", "relu1", "pool1"):  # relu1 sees the start, which is not negative, and passes it as it is
        close(sum_of_filters(IMAGES, x, name), deconvnet(IMAGES, x, layer=name))
    # From conv2 the signals of several filters cancel before relu1 rectifies their sum, not each.
    both = deconvnet(IMAGES, x, layer="conv2")
    assert np.abs(sum_of_filters(IMAGES, x, "conv2") - both).max() > 0.01 * np.abs(both).max()


def test_and_anywhere_where_the_layers_above_the_lowest_relu_have_no_negative_weights() -> None:
    layers = [replace(y, W=np.abs(y.W)) if i > 0 and hasattr(y, "W") else y for i, y in enumerate(IMAGES)]
    network, x = Network(layers), inputs(IMAGES)
    for name in network.names:
        close(sum_of_filters(network, x, name), deconvnet(network, x, layer=name))


def test_without_relus_it_is_the_gradient() -> None:
    linear = Network([y for y in IMAGES if not isinstance(y, ReLU)])
    x = inputs(IMAGES)
    assert np.array_equal(deconvnet(linear, x, 1), gradient(linear, x, 1))


def test_without_max_pooling_the_way_from_a_score_does_not_depend_on_the_input() -> None:
    network = Network([Conv2d(w(3, 2, 3, 3), w(3)), ReLU(), Flatten(), Dense(w(75, 4), w(4)), ReLU(), Dense(w(4, 3))])
    x = np.random.default_rng(0).normal(size=(4, 2, 7, 7))
    R = deconvnet(network, x, 1)
    close(R, np.repeat(R[:1], 4, axis=0))
    assert np.abs(R).max() > 0


def test_a_neuron_starts_with_one_and_a_filter_with_its_activations() -> None:
    x = np.abs(inputs(IMAGES, 1))
    start = np.zeros((1, 4, 4, 4))
    start[:, 2] = 1
    part = IMAGES[:1]
    close(deconvnet(IMAGES, x, ("conv1", 2)), slow(part, x, lambda z: start))
    close(deconvnet(IMAGES, x, ("conv1", 2)), gradient(IMAGES, x, ("conv1", 2)))
    assert not np.allclose(deconvnet(IMAGES, x, ("conv1", 2)), deconvnet(IMAGES, x, layer="conv1", filter=2))


def test_a_draw_has_masks_of_its_own_for_every_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network([Conv2d(w(3, 2, 3, 3)), Dropout(0.5), ReLU(), Conv2d(w(4, 3, 2, 2)), Dropout(0.5), ReLU()])
    x = np.random.default_rng(0).normal(size=(3, 2, 6, 6))
    draw = network.sample(np.random.default_rng(1), x.shape)
    for block in (2**24, 1, 1000):
        monkeypatch.setitem(all_filters.__globals__, "BLOCK", block)
        maps = all_filters(draw, x, "relu2")
        for k in range(4):
            close(maps[:, k], deconvnet(draw, x, layer="relu2", filter=k))


# ------------------------------------------------------------------------------------------------ the grid


class TestGrid:
    def test_each_map_fills_the_range_by_itself_with_a_pixel_between(self) -> None:
        maps = np.random.default_rng(0).normal(size=(5, 3, 4)) * np.array([1, 10, 1e-3, 0, 5])[:, None, None]
        grid = filters_grid(maps, gap=7)
        assert grid.shape == (2 * 4 - 1, 3 * 5 - 1)
        for k in range(5):
            row, column = divmod(k, 3)
            cell = grid[row * 4 : row * 4 + 3, column * 5 : column * 5 + 4]
            np.testing.assert_allclose(cell, maps[k] / (np.abs(maps[k]).max() or 1), rtol=1e-15)
        assert (grid[3] == 7).all()
        assert (grid[:, [4, 9]] == 7).all()
        assert (grid[4:, 10:] == 7).all()  # the place of a sixth map

    def test_columns_channels_and_dtype(self) -> None:
        maps = np.random.default_rng(0).normal(size=(3, 2, 2, 2)).astype(np.float32)
        grid = filters_grid(maps, columns=3)
        assert (grid.shape, grid.dtype) == ((2, 8), np.float32)
        assert np.array_equal(grid, filters_grid(maps.sum(axis=1), columns=3))
        assert filters_grid(maps, columns=1).shape == (8, 2)

    def test_of_all_filters(self) -> None:
        x = inputs(IMAGES)
        assert filters_grid(all_filters(IMAGES, x, "conv2")[0]).shape == (2 * 8 - 1, 3 * 8 - 1)

    @pytest.mark.parametrize(
        ("maps", "columns", "message"),
        [
            (np.ones((2, 2)), None, r"takes floats \(K, H, W\) .* got \(2, 2\) float64"),
            (np.ones((1, 2, 1, 2, 2)), None, "the maps of one sample"),
            (np.ones((0, 2, 2)), None, r"got \(0, 2, 2\) float64"),
            (np.ones((2, 2, 2), int), None, " int64"),
            (np.ones((2, 2, 2)), 0, "columns takes a positive integer, got 0"),
            (np.ones((2, 2, 2)), 1.5, r"columns takes a positive integer, got 1\.5"),
        ],
    )
    def test_refused(self, maps: np.ndarray, columns: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            filters_grid(maps, columns)


# ------------------------------------------------------------------------------------------------ bad input

GOOD = np.ones((2, 2, 7, 7))


@pytest.mark.parametrize(
    ("x", "start", "kind", "message"),
    [
        (GOOD[0], {}, ValueError, r"takes the shape \(N, 2, 7, 7\), .* Add the batch axis"),
        (GOOD[0], {"layer": "conv1"}, ValueError, r"takes the shape \(N, 2, 7, 7\), .* Add the batch axis"),
        (GOOD[:, :, :3], {"layer": "conv1"}, ValueError, "takes the shape"),
        (GOOD.astype(int), {"layer": "conv1"}, ValueError, "x takes float64 values, got int64"),
        (GOOD.astype(np.float32), {}, ValueError, "computes in float64, and x is float32"),
        (GOOD * np.nan, {"layer": "conv1"}, ValueError, r"x must be finite, and x\[0, 0, 0, 0\] is nan"),
        (GOOD.tolist(), {"layer": "conv1"}, TypeError, "NumPy array"),
        (GOOD, {"target": 3}, ValueError, "classes from 0 to 2, got 3"),
        (GOOD, {"target": ("conv9", 0)}, ValueError, "There is no layer 'conv9'"),
        (GOOD, {"layer": "conv9"}, ValueError, "There is no layer 'conv9'; the layers are conv1, relu1"),
        (GOOD, {"layer": 0}, ValueError, "There is no layer 0"),
        (GOOD, {"layer": "conv1", "target": 1}, ValueError, "give one of them, not 1 too"),
        (GOOD, {"layer": "conv1", "filter": 4}, ValueError, "Layer conv1 has filters from 0 to 3, got 4"),
        (GOOD, {"layer": "conv1", "filter": -1}, ValueError, "filters from 0 to 3, got -1"),
        (GOOD, {"layer": "conv1", "filter": 1.0}, ValueError, r"filters from 0 to 3, got 1\.0"),
        (GOOD, {"layer": "conv1", "filter": True}, ValueError, "filters from 0 to 3, got True"),
        (GOOD, {"filter": 1}, ValueError, "choose within a layer; name it too"),
        (GOOD, {"position": "strongest"}, ValueError, "choose within a layer; name it too"),
        (GOOD, {"layer": "conv1", "position": "strongest"}, ValueError, "position chooses within one feature map"),
        (GOOD, {"layer": "conv1", "filter": 0, "position": "best"}, ValueError, "takes \"strongest\" .* got 'best'"),
        (GOOD, {"layer": "dense1", "filter": 0, "position": "strongest"}, ValueError, "layer dense1 has none"),
    ],
)  # fmt: skip
def test_bad_input_is_refused(x: Any, start: dict[str, Any], kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        deconvnet(IMAGES, x, **start)


def test_all_filters_refuses_the_same() -> None:
    with pytest.raises(ValueError, match="There is no layer 'conv9'"):
        all_filters(IMAGES, GOOD, "conv9")
    with pytest.raises(ValueError, match="layer dense1 has none"):
        all_filters(IMAGES, GOOD, "dense1", position="strongest")
    with pytest.raises(ValueError, match="takes the shape"):
        all_filters(IMAGES, GOOD[0], "conv1")


def test_all_filters_from_their_strongest_places() -> None:
    x = inputs(IMAGES)
    maps = all_filters(IMAGES, x, "relu2", position="strongest")
    for k in range(6):
        close(maps[:, k], deconvnet(IMAGES, x, layer="relu2", filter=k, position="strongest"))
