"""CAM, Grad-CAM and Guided Grad-CAM against loops and difference quotients."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import zoom

from nnlite import Network, models
from nnlite.decision_based.cam import cam, grad_cam, guided_grad_cam, upsampled
from nnlite.decision_based.guided_backpropagation import guided_backpropagation
from nnlite.decision_based.registry import METHODS
from nnlite.layers import (
    GELU,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Identity,
    MaxPool2d,
    ReLU,
    Reshape,
    Sigmoid,
    Softmax,
    Tanh,
    Upsample,
)

rng = np.random.default_rng(3)


def w(*shape: int) -> np.ndarray:
    return rng.normal(size=shape) * 0.6


CAM_NET = Network(
    [Conv2d(w(4, 2, 3, 3), w(4), padding=1), ReLU(), MaxPool2d(2), Conv2d(w(5, 4, 2, 2), w(5)), ReLU(),
     GlobalAvgPool(), Flatten(), Dense(w(5, 3), w(3))]
)  # fmt: skip
LENET = Network(
    [Conv2d(w(4, 2, 3, 3), w(4)), BatchNorm(w(4), w(4), w(4), rng.random(4) + 0.5), Sigmoid(), AvgPool2d(2, stride=1),
     Conv2d(w(3, 4, 2, 2), w(3)), Dropout(0.5), Tanh(), Flatten(), Dense(w(18, 6), w(6)), Tanh(), Dense(w(6, 3))]
)  # fmt: skip
X = rng.normal(size=(4, 2, 7, 6))
TARGETS = [0, 2, 1, 1]


def near(values: np.ndarray, expected: np.ndarray) -> bool:
    return np.abs(values - expected).max() <= 1e-10 * max(1, np.abs(expected).max())


class TestCam:
    def test_every_index_written_out(self) -> None:
        A, W = CAM_NET.forward(X)[5], CAM_NET["dense1"].W
        L = cam(CAM_NET, X, TARGETS)
        assert L.shape == (4, 2, 2)
        for n, y, x in np.ndindex(*L.shape):
            expected = sum(W[k, TARGETS[n]] * A[n, k, y, x] for k in range(5))
            assert L[n, y, x] == pytest.approx(expected, rel=1e-12)

    def test_the_mean_of_the_map_is_the_score_without_its_bias(self) -> None:
        for c in range(3):
            expected = CAM_NET.scores(X)[:, c] - CAM_NET["dense1"].b[c]
            assert near(cam(CAM_NET, X, c).mean(axis=(1, 2)), expected)

    def test_it_is_grad_cam_up_to_the_number_of_positions(self) -> None:
        assert near(cam(CAM_NET, X, TARGETS), 4 * grad_cam(CAM_NET, X, TARGETS, relu=False))

    def test_it_is_grad_cam_on_the_shipped_network(self) -> None:
        network = models.load("cam_net").astype(np.float64)
        x = np.random.default_rng(1).random((3, 1, 28, 28))
        for c in (None, 7):
            L = cam(network, x, c)
            assert L.shape == (3, 7, 7)
            assert near(L, 49 * grad_cam(network, x, c, relu=False))

    def test_layers_that_compute_nothing_may_stand_anywhere(self) -> None:
        *body, pool, flatten, dense = CAM_NET
        network = Network([*body, pool, Identity(), flatten, Dropout(0.5), dense, Dropout(0.1), Softmax()])
        assert near(cam(network, X), cam(CAM_NET, X))

    def test_a_draw_of_a_dropout_weights_its_maps(self) -> None:
        *body, dense = CAM_NET
        draw = Network([*body, Dropout(0.5), dense]).sample(np.random.default_rng(0), X.shape)
        A, m = CAM_NET.forward(X)[5], draw.layers[-2].m
        expected = np.einsum("nk,nkyx->nyx", m * dense.W[:, 1], A)
        assert near(cam(draw, X, 1), expected)

    def test_a_neuron_of_the_last_layer_is_a_class(self) -> None:
        assert np.array_equal(cam(CAM_NET, X, ("dense1", 2)), cam(CAM_NET, X, 2))

    @pytest.mark.parametrize(
        ("network", "x", "target", "came"),
        [
            (Network([Dense(w(5, 4)), ReLU(), Dense(w(4, 3))]), np.ones((1, 5)), None, "Dense, ReLU, Dense"),
            (LENET, X, None, "Dense, Tanh, Dense"),
            (Network(CAM_NET.layers[:-1]), X, None, "ReLU, GlobalAvgPool, Flatten"),
            (Network([*CAM_NET, ReLU(), Dense(w(3, 2))]), X, None, "Dense, ReLU, Dense"),
            (Network([*CAM_NET.layers[:-1], Tanh(), CAM_NET[-1]]), X, None, "Flatten, Tanh, Dense"),
            (CAM_NET, X, ("conv2", 1), "ReLU, MaxPool2d, Conv2d"),
        ],
    )
    def test_another_network_is_refused(self, network: Network, x: np.ndarray, target: Any, came: str) -> None:
        with pytest.raises(
            ValueError, match=rf"ends GlobalAvgPool, Flatten, Dense, and this one ends {came}; "
        ) as error:
            cam(network, x, target)
        if "take grad_cam" in str(error.value):  # then it must be possible
            grad_cam(network, x, target)
        else:
            assert "no convolution" in str(error.value)
            with pytest.raises(ValueError, match="convolution"):
                grad_cam(network, x, target)


class TestGradCam:
    @pytest.mark.parametrize(("network", "layer"), [(CAM_NET, 4), (LENET, 6), (LENET, 2), (LENET, 0), (LENET, 3)])
    def test_weights_by_difference_quotients(self, network: Network, layer: int) -> None:
        A, above, h = network.forward(X)[layer + 1], network[layer + 1 :], 1e-5
        gradient = np.zeros_like(A)
        for place in np.ndindex(*A.shape[1:]):
            up, down = A.copy(), A.copy()
            up[(slice(None), *place)] += h
            down[(slice(None), *place)] -= h
            change = (above.scores(up) - above.scores(down))[range(4), TARGETS]
            gradient[(slice(None), *place)] = change / (2 * h)
        L = grad_cam(network, X, TARGETS, layer=network.names[layer], relu=False)
        N, K, height, width = A.shape
        for n in range(N):
            expected = np.zeros((height, width))
            for k in range(K):
                expected += gradient[n, k].sum() / (height * width) * A[n, k]
            np.testing.assert_allclose(L[n], expected, rtol=0, atol=1e-8)

    def test_what_speaks_against_the_class_is_cut_off(self) -> None:
        L = [grad_cam(LENET, X, c, relu=False) for c in range(3)]
        assert np.min(L) < 0 < np.max(L)
        for c in range(3):
            assert np.array_equal(grad_cam(LENET, X, c), np.maximum(L[c], 0))

    @pytest.mark.parametrize(
        ("layers", "name"),
        [
            ([MaxPool2d(2), Flatten(), Dense(w(18, 2))], "conv1"),
            ([ReLU(), MaxPool2d(2), Flatten(), Dense(w(18, 2))], "relu1"),
            ([BatchNorm(*np.ones((4, 2))), Dropout(), ReLU(), GlobalAvgPool(), Flatten()], "relu1"),
            ([ReLU(), ConvTranspose2d(w(2, 2, 2, 2)), Tanh(), GlobalAvgPool(), Flatten()], "tanh1"),
            ([GroupNorm(1, np.ones(2), np.ones(2)), GELU(), GlobalAvgPool(), Flatten()], "gelu1"),
            ([ReLU(), Upsample(2), GELU(), GlobalAvgPool(), Flatten()], "relu1"),
            ([Sigmoid(), MaxPool2d(2), ReLU(), GlobalAvgPool(), Flatten()], "sigmoid1"),
        ],
    )
    def test_the_usual_layer_is_behind_the_last_convolution(self, layers: Any, name: str) -> None:
        network = Network([Conv2d(w(2, 2, 1, 1)), *layers])
        assert np.array_equal(grad_cam(network, X), grad_cam(network, X, layer=name))

    @pytest.mark.parametrize("name", ["grad-cam", "guided-grad-cam"])
    def test_a_map_that_is_zero_says_so_and_where_there_is_one(self, name: str) -> None:
        turned = [Conv2d(np.ones((1, 1, 1, 1))), ReLU(), Conv2d(-np.ones((1, 1, 1, 1)), np.ones(1)), MaxPool2d(2)]
        network = Network([*turned, GlobalAvgPool(), Flatten(), Dense(np.array([[1.0, -1.0]]))])
        x = np.stack([np.full((1, 4, 4), 0.5), np.full((1, 4, 4), 5.0)])  # above conv2 they are 0.5 and −4
        zero = "0 everywhere: nothing at conv2 speaks for it; "
        for target, expected in (
            (0, ["", zero + "nor at any other layer"]),
            (1, [zero + "layer='relu1' gives a map", ""]),
        ):
            assert METHODS[name].note(network, x, target) == expected
            for note, L in zip(expected, grad_cam(network, x, target), strict=True):
                assert L.any() == (note == "")
        assert grad_cam(network, x, 1, layer="relu1")[0].any()

    def test_a_neuron_is_explained_by_the_layers_below_it(self) -> None:
        part = LENET[:9]
        for target, c in ((("dense1", 4), 4), (("dense1", (4,)), 4)):
            assert np.array_equal(grad_cam(LENET, X, target), grad_cam(part, X, c))
        L = grad_cam(LENET, X, ("conv2", 1), relu=False)  # A is the layer itself: the gradient is 1 on map 1
        assert near(L, LENET.forward(X)[5][:, 1])
        assert grad_cam(LENET, X, ("conv2", (1, 0, 0)), layer="sigmoid1").shape == (4, 5, 4)

    def test_vectors_that_become_images(self) -> None:
        network = Network([Reshape((2, 7, 6)), *LENET])
        assert np.array_equal(grad_cam(network, X.reshape(4, -1)), grad_cam(LENET, X))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"layer": "conv9"}, r"There is no layer 'conv9'; the layers are conv1, "),
            ({"layer": 3}, r"There is no layer 3"),
            ({"layer": "flatten1"}, r"feature maps \(N, K, h, w\), and flatten1 gives \(4, 18\)"),
            ({"layer": "dense1"}, r"and dense1 gives \(4, 6\)"),
            ({"layer": "conv2", "target": ("conv1", 0)}, r"There is no layer 'conv2'; the layers are conv1"),
            ({"target": 3}, r"classes from 0 to 2, got 3"),
            ({"x": X[0]}, r"takes \(N, 2, H, W\), got \(2, 7, 6\)"),
            ({"x": X * np.nan}, r"x must be finite"),
        ],
    )
    @pytest.mark.parametrize("method", [grad_cam, guided_grad_cam])
    def test_bad_input_is_refused(self, method: Callable, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            method(LENET, **{"x": X, **options})

    def test_a_network_without_convolutions_is_refused(self) -> None:
        network = Network([Dense(w(5, 4)), ReLU(), Dense(w(4, 3))])
        with pytest.raises(ValueError, match=r"Grad-CAM needs a convolution, and the layers are dense1, relu1, dense2"):
            grad_cam(network, np.ones((1, 5)))


class TestUpsampled:
    SIZES = pytest.mark.parametrize(
        ("size", "to"),
        [((2, 3), (6, 6)), ((7, 7), (28, 28)), ((4, 4), (28, 28)), ((3, 5), (10, 7)), ((1, 1), (5, 4)),
         ((1, 4), (3, 9)), ((3, 3), (3, 3)), ((5, 4), (2, 2)), ((2, 2), (1, 1))],
    )  # fmt: skip

    @SIZES
    def test_bilinear_pixel_by_pixel(self, size: tuple[int, int], to: tuple[int, int]) -> None:
        L = np.random.default_rng(4).normal(size=(2, *size))
        up = upsampled(L, to)
        assert up.shape == (2, *to)
        for n, i, j in np.ndindex(*up.shape):
            y = min(max((i + 0.5) * size[0] / to[0] - 0.5, 0), size[0] - 1)
            x = min(max((j + 0.5) * size[1] / to[1] - 0.5, 0), size[1] - 1)
            y0, x0 = int(y), int(x)
            y1, x1 = min(y0 + 1, size[0] - 1), min(x0 + 1, size[1] - 1)
            p, q = y - y0, x - x0
            expected = (
                (1 - p) * (1 - q) * L[n, y0, x0]
                + (1 - p) * q * L[n, y0, x1]
                + p * (1 - q) * L[n, y1, x0]
                + p * q * L[n, y1, x1]
            )
            assert up[n, i, j] == pytest.approx(expected, rel=1e-12, abs=1e-14)

    @SIZES
    def test_nearest_pixel_by_pixel(self, size: tuple[int, int], to: tuple[int, int]) -> None:
        L = np.random.default_rng(4).normal(size=(2, *size))
        up = upsampled(L, to, "nearest")
        for n, i, j in np.ndindex(2, *to):
            assert up[n, i, j] == L[n, int(i * size[0] / to[0]), int(j * size[1] / to[1])]

    @pytest.mark.parametrize(("size", "to"), [((2, 3), (6, 6)), ((7, 7), (28, 28)), ((3, 5), (12, 20))])
    def test_scipy_gives_the_same(self, size: tuple[int, int], to: tuple[int, int]) -> None:
        L = np.random.default_rng(4).normal(size=size)
        factors = to[0] / size[0], to[1] / size[1]
        expected = zoom(L, factors, order=1, grid_mode=True, mode="nearest")
        np.testing.assert_allclose(upsampled(L[None], to)[0], expected, rtol=1e-12, atol=1e-14)

    def test_one_number_for_both_and_no_maps_at_all(self) -> None:
        assert upsampled(np.ones((2, 3, 3), np.float32), 6).dtype == np.float32
        assert np.array_equal(upsampled(np.full((1, 1, 1), 2.5), 3), np.full((1, 3, 3), 2.5))
        assert upsampled(np.ones((0, 3, 3)), (6, 5)).shape == (0, 6, 5)

    @pytest.mark.parametrize(
        ("L", "size", "interpolation", "message"),
        [
            (np.ones((3, 3)), 6, "bilinear", r"takes maps \(N, h, w\) of at least one pixel, got \(3, 3\)"),
            (np.ones((1, 0, 3)), 6, "bilinear", r"at least one pixel, got \(1, 0, 3\)"),
            (np.ones((1, 3, 3)), (6, 0), "bilinear", r"size must be at least 1, got \(6, 0\)"),
            (np.ones((1, 3, 3)), 6.0, "bilinear", r"size takes an integer or a pair of integers, got 6.0"),
            (np.ones((1, 3, 3), int), 6, "bilinear", r"takes float32 or float64 maps, got int64"),
            (np.ones((1, 3, 3), bool), 6, "nearest", r"takes float32 or float64 maps, got bool"),
            (np.ones((1, 3, 3), np.float16), 6, "nearest", r"takes float32 or float64 maps, got float16"),
            (np.ones((1, 3, 3)), 6, "cubic", r"interpolation takes 'bilinear' or 'nearest', got 'cubic'"),
        ],
    )
    def test_bad_input_is_refused(self, L: Any, size: Any, interpolation: str, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            upsampled(L, size, interpolation)

    def test_a_list_is_refused(self) -> None:
        with pytest.raises(TypeError, match=r"upsampled takes a NumPy array of maps \(N, h, w\), got list"):
            upsampled([[[1.0, 2.0]]], 6)  # type: ignore[arg-type]


class TestGuidedGradCam:
    @pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
    @pytest.mark.parametrize("layer", [None, "conv1"])
    def test_it_is_the_product_channel_by_channel(self, interpolation: str, layer: str | None) -> None:
        R = guided_grad_cam(CAM_NET, X, TARGETS, layer=layer, interpolation=interpolation)
        guided = guided_backpropagation(CAM_NET, X, TARGETS)
        L = upsampled(grad_cam(CAM_NET, X, TARGETS, layer=layer), (7, 6), interpolation)
        for n, c, y, x in np.ndindex(*X.shape):
            assert R[n, c, y, x] == guided[n, c, y, x] * L[n, y, x]
        assert np.abs(R).max() > 0

    def test_the_predicted_class_and_a_neuron(self) -> None:
        assert np.array_equal(guided_grad_cam(LENET, X), guided_grad_cam(LENET, X, LENET.predict(X)))
        assert guided_grad_cam(LENET, X, ("dense1", 2)).shape == X.shape

    def test_vectors_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"takes images \(N, C, H, W\), got \(4, 84\)"):
            guided_grad_cam(Network([Reshape((2, 7, 6)), *LENET]), X.reshape(4, -1))

    def test_an_unknown_interpolation_is_refused(self) -> None:
        with pytest.raises(ValueError, match=r"interpolation takes 'bilinear' or 'nearest', got 'linear'"):
            guided_grad_cam(LENET, X, interpolation="linear")


@pytest.mark.parametrize("method", [cam, grad_cam, guided_grad_cam])
class TestEach:
    def test_a_batch_is_its_samples_one_at_a_time(self, method: Callable) -> None:
        together = method(CAM_NET, X, TARGETS)
        for n, c in enumerate(TARGETS):
            assert near(together[n : n + 1], method(CAM_NET, X[n : n + 1], c))

    def test_float32_in_float32_out(self, method: Callable) -> None:
        L, exact = method(CAM_NET.astype(np.float32), X.astype(np.float32), 1), method(CAM_NET, X, 1)
        assert (L.dtype, exact.dtype) == (np.float32, np.float64)
        assert np.abs(L - exact).max() < 1e-5 * np.abs(exact).max()

    def test_a_batch_of_none_and_an_unchanged_input(self, method: Callable) -> None:
        x = X.copy()
        method(CAM_NET, x)
        assert np.array_equal(x, X)
        assert len(method(CAM_NET, X[:0])) == 0
