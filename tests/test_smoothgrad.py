"""SmoothGrad, SmoothGrad² and VarGrad, against plain loops and against expectations that are known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt, tanh
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from nnlite import Network
from nnlite.decision_based import copies, gradient, saliency
from nnlite.decision_based.integrated_gradients import integrated_gradients
from nnlite.decision_based.smoothgrad import smoothgrad, smoothgrad_squared, vargrad
from nnlite.layers import Conv2d, Dense, Dropout, Flatten, Layer, MaxPool2d, ReLU, Softmax, Tanh

draw = np.random.default_rng(8)
W1, b1, W2 = draw.normal(size=(5, 6)), draw.normal(size=6), draw.normal(size=(6, 3))
SMOOTH = Network([Dense(W1, b1), Tanh(), Dense(W2, draw.normal(size=3))])
X = draw.normal(size=(3, 5))
NOISE = draw.normal(size=(6, 3, 5))
IMAGES = Network(
    [Conv2d(draw.normal(size=(4, 2, 3, 3)), draw.normal(size=4), padding=1), ReLU(), MaxPool2d(2), Flatten(),
     Dense(draw.normal(size=(36, 3)))]
)  # fmt: skip
PICTURES = draw.random((3, 2, 6, 7))
ALL: tuple[Callable[..., np.ndarray], ...] = (smoothgrad, smoothgrad_squared, vargrad)


@dataclass(frozen=True, eq=False, repr=False)
class Square(Layer):
    """z = a²."""

    def forward(self, a: np.ndarray) -> np.ndarray:
        return a**2

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        return 2 * a * dz


# ----------------------------------------------------------------------------------------------- the slow form


def slow_gradient(x: list[float], c: int) -> list[float]:
    """∂f_c/∂x_i = Σ_k W2_kc (1 − tanh² z_k) W1_ik of the network SMOOTH, every index written out."""
    z = [sum(x[i] * W1[i, k] for i in range(5)) + b1[k] for k in range(6)]
    return [sum(W2[k, c] * (1 - tanh(z[k]) ** 2) * W1[i, k] for k in range(6)) for i in range(5)]


def slow(x: list[float], c: int, patterns: list[list[float]], sigma: float) -> tuple[list[float], ...]:
    """The mean, the mean square and the variance of the gradients at x + σ · pattern."""
    g = [slow_gradient([x[i] + sigma * p[i] for i in range(5)], c) for p in patterns]
    mean = [sum(one[i] for one in g) / len(g) for i in range(5)]
    square = [sum(one[i] ** 2 for one in g) / len(g) for i in range(5)]
    variance = [sum((one[i] - mean[i]) ** 2 for one in g) / len(g) for i in range(5)]
    return mean, square, variance


class TestAgainstPlainLoops:
    @pytest.mark.parametrize(("n", "level", "seed"), [(50, 0.15, 0), (1, 0.3, 5), (7, 2.0, 1)])
    def test_all_three(self, n: int, level: float, seed: int) -> None:
        patterns = np.random.default_rng(seed).standard_normal((n, 5)).tolist()
        got = [method(SMOOTH, X, [2, 0, 1], n=n, level=level, rng=seed) for method in ALL]
        for s, c in enumerate([2, 0, 1]):
            x = X[s].tolist()
            expected = slow(x, c, patterns, level * (max(x) - min(x)))
            for R, one in zip(got, expected, strict=True):
                np.testing.assert_allclose(R[s], one, rtol=1e-10, atol=1e-13)

    def test_by_default_50_draws_of_level_015_from_seed_0(self) -> None:
        for method in ALL:
            assert np.array_equal(method(SMOOTH, X), method(SMOOTH, X, n=50, level=0.15, rng=0))

    def test_images_one_draw_at_a_time(self) -> None:
        patterns = np.random.default_rng(0).standard_normal((9, 2, 6, 7))
        sigma = np.array([0.2 * (image.max() - image.min()) for image in PICTURES]).reshape(3, 1, 1, 1)
        g = np.array([gradient(IMAGES, PICTURES + sigma * p, 1) for p in patterns])
        got = [method(IMAGES, PICTURES, 1, n=9, level=0.2) for method in ALL]
        for R, expected in zip(got, (g.mean(axis=0), (g**2).mean(axis=0), g.var(axis=0)), strict=True):
            np.testing.assert_allclose(R, expected, rtol=1e-10, atol=1e-12)


class TestLaws:
    def test_without_noise_it_is_the_gradient(self) -> None:
        g = gradient(IMAGES, PICTURES)
        np.testing.assert_allclose(smoothgrad(IMAGES, PICTURES, level=0), g, rtol=1e-13, atol=1e-15)
        np.testing.assert_allclose(smoothgrad_squared(IMAGES, PICTURES, level=0), g**2, rtol=1e-13, atol=1e-15)
        assert vargrad(IMAGES, PICTURES, level=0).max() < 1e-25

    def test_a_uniform_image_has_no_range_and_gets_no_noise(self) -> None:
        flat = np.full_like(PICTURES, 0.5)
        np.testing.assert_allclose(smoothgrad(IMAGES, flat), gradient(IMAGES, flat), rtol=1e-13, atol=1e-15)

    def test_vargrad_is_the_mean_of_squares_less_the_square_of_the_mean(self) -> None:
        mean, square, variance = (method(IMAGES, PICTURES) for method in ALL)
        np.testing.assert_allclose(variance, square - mean**2, rtol=1e-10, atol=1e-10)
        assert variance.min() >= 0
        assert variance.max() > 0.1

    def test_a_linear_network_has_the_same_gradient_everywhere(self) -> None:
        linear = Network([Dense(W1)])
        np.testing.assert_allclose(smoothgrad(linear, X, 2), np.tile(W1[:, 2], (3, 1)), rtol=1e-13)
        assert vargrad(linear, X, 2).max() < 1e-28

    def test_one_draw_has_no_variance(self) -> None:
        assert not vargrad(SMOOTH, X, n=1).any()

    def test_the_variance_keeps_its_digits_far_from_zero_in_float32(self) -> None:
        """Squares of 10⁴ leave float32 nothing below 1: the mean of squares less the square of the mean would fail."""
        noise = np.random.default_rng(0).standard_normal((200, *X.shape)).astype(np.float32)
        network = SMOOTH.astype(np.float32)
        R = vargrad(network, 0 * X.astype(np.float32), method=lambda network, x, target: x + 10000, noise=noise)
        np.testing.assert_allclose(R, noise.astype(np.float64).var(axis=0), rtol=2e-3)


class TestExpectations:
    N = 20000

    def test_the_step_of_a_relu_becomes_a_normal_distribution(self) -> None:
        """∂ max(0, x) is 0 or 1; under noise it is on with probability Φ(x / σ)."""
        network = Network([Dense(np.array([[1.0], [0.0]])), ReLU()])
        x = np.array([[-0.5, 1.5], [0.1, -1.9], [2.0, 0.0]])  # each of range 2
        on = norm.cdf(x[:, 0] / (0.2 * 2))
        mean, square, variance = (method(network, x, 0, n=self.N, level=0.2) for method in ALL)
        np.testing.assert_allclose(mean[:, 0], on, atol=4 * 0.5 / sqrt(self.N))
        np.testing.assert_allclose(square[:, 0], on, atol=4 * 0.5 / sqrt(self.N))
        np.testing.assert_allclose(variance[:, 0], on * (1 - on), atol=4 * 0.5 / sqrt(self.N))

    def test_polynomials(self) -> None:
        """f = Σ x⁴: E 4 (x + ε)³ = 4 x³ + 12 x σ²; f = Σ x²: the gradient 2 x, its variance 4 σ²."""
        x = np.array([[0.0, 1.0, 0.5], [1.0, 3.0, 2.0]])
        sigma = 0.15 * np.array([[1.0], [2.0]])
        quartic = Network([Square(), Square(), Dense(np.ones((3, 1)))])
        np.testing.assert_allclose(smoothgrad(quartic, x, n=self.N), 4 * x**3 + 12 * x * sigma**2, rtol=0.02, atol=0.01)
        square = Network([Square(), Dense(np.ones((3, 1)))])
        np.testing.assert_allclose(smoothgrad(square, x, n=self.N), 2 * x, atol=4 * 0.6 / sqrt(self.N))
        np.testing.assert_allclose(vargrad(square, x, n=self.N), 4 * sigma**2 + 0 * x, rtol=0.05)


class TestNoise:
    @staticmethod
    def seen(x: np.ndarray, **options: Any) -> np.ndarray:
        """The inputs that the method is asked about: (n, N, ...)."""
        inputs = []

        def spy(network: Network, x: np.ndarray, target: Any) -> np.ndarray:
            inputs.append(x.copy())
            return x

        smoothgrad(IMAGES, x, method=spy, **options)
        return np.concatenate(inputs).reshape(-1, *x.shape)

    def test_its_width_is_a_part_of_the_range_of_each_image(self) -> None:
        x = PICTURES * np.array([1.0, 5.0, 0.01]).reshape(3, 1, 1, 1) + 7
        noise = self.seen(x, n=500, level=0.3) - x
        ranges = x.reshape(3, -1).max(axis=1) - x.reshape(3, -1).min(axis=1)
        np.testing.assert_allclose(noise.std(axis=(0, 2, 3, 4)), 0.3 * ranges, rtol=0.03)
        np.testing.assert_allclose(noise.mean(axis=(0, 2, 3, 4)) / ranges, 0, atol=0.3 * 4 / sqrt(500 * 84))

    def test_every_sample_gets_the_same_pattern_and_every_copy_its_own(self) -> None:
        noise = self.seen(PICTURES, n=4) - PICTURES
        ranges = np.ptp(PICTURES.reshape(3, -1), axis=1).reshape(3, 1, 1, 1)
        patterns = noise / ranges
        np.testing.assert_allclose(patterns, patterns[:, :1].repeat(3, axis=1), atol=1e-12)
        assert abs(patterns[0] - patterns[1]).max() > 0.1

    def test_seeds_and_generators(self) -> None:
        first, again, other = (smoothgrad(SMOOTH, X, rng=seed) for seed in (3, 3, 4))
        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)
        generator = np.random.default_rng(3)
        assert np.array_equal(smoothgrad(SMOOTH, X, rng=generator), first)
        assert not np.array_equal(smoothgrad(SMOOTH, X, rng=generator), first)  # it has moved on

    def test_noise_that_is_given_is_added_as_it_is(self) -> None:
        g = np.array([gradient(SMOOTH, X + e, 0) for e in NOISE])
        for method, expected in zip(ALL, (g.mean(axis=0), (g**2).mean(axis=0), g.var(axis=0)), strict=True):
            got = method(SMOOTH, X, 0, noise=NOISE, n=99, level=7, rng=5)
            np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-13)


class TestTargetAndMethod:
    def test_the_predicted_class_is_fixed_on_the_clean_input(self) -> None:
        for method in ALL:
            expected = method(SMOOTH, X, SMOOTH.predict(X), level=2)
            assert np.array_equal(method(SMOOTH, X, level=2), expected)
        moved = [SMOOTH.predict(X + e) for e in np.random.default_rng(0).standard_normal((9, 5))]
        assert (np.array(moved) != SMOOTH.predict(X)).any()  # and the case is one where it matters

    def test_a_map_without_channels(self) -> None:
        patterns = np.random.default_rng(0).standard_normal((5, 2, 6, 7))
        sigma = 0.15 * np.ptp(PICTURES.reshape(3, -1), axis=1).reshape(3, 1, 1, 1)
        expected = np.mean([saliency(IMAGES, PICTURES + sigma * p, 0) for p in patterns], axis=0)
        R = smoothgrad(IMAGES, PICTURES, 0, method=saliency, n=5)
        assert R.shape == (3, 6, 7)
        np.testing.assert_allclose(R, expected, rtol=1e-10)

    def test_around_integrated_gradients(self) -> None:
        R = smoothgrad(SMOOTH, X, 0, method=integrated_gradients, n=3, level=0)
        np.testing.assert_allclose(R, integrated_gradients(SMOOTH, X, 0), rtol=1e-10)

    def test_a_method_that_gives_no_map_a_sample(self) -> None:
        with pytest.raises(ValueError, match="method must give a map for each of"):
            smoothgrad(SMOOTH, X, method=lambda network, x, target: x.sum())  # type: ignore[arg-type, return-value]

    def test_a_method_may_keep_what_it_gave(self) -> None:
        kept = np.ones((150, 5))
        for smooth in ALL:
            smooth(SMOOTH, X, method=lambda network, x, target: kept)
        assert (kept == 1).all()


class TestBatches:
    @pytest.mark.parametrize("method", ALL)
    @pytest.mark.parametrize(("network", "x"), [(SMOOTH, X), (IMAGES, PICTURES)], ids=["dense", "images"])
    @pytest.mark.parametrize("target", [None, [0, 1, 2], 1, ("dense1", 2)], ids=str)
    def test_a_batch_is_its_samples_one_at_a_time(self, method: Any, network: Network, x: Any, target: Any) -> None:
        R = method(network, x, target, n=10)
        for s in range(3):
            one = target[s] if isinstance(target, list) else target
            np.testing.assert_allclose(R[s : s + 1], method(network, x[s : s + 1], one, n=10), rtol=1e-10, atol=1e-12)

    @pytest.mark.parametrize("method", ALL)
    def test_a_batch_of_none(self, method: Any) -> None:
        assert method(IMAGES, PICTURES[:0]).shape == (0, 2, 6, 7)

    @pytest.mark.parametrize("method", ALL)
    @pytest.mark.parametrize("block", [1, 3000, 10**9])
    def test_the_size_of_a_block_does_not_matter(
        self, method: Any, block: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usual = method(IMAGES, PICTURES)
        monkeypatch.setattr(copies, "BLOCK", block)
        np.testing.assert_allclose(method(IMAGES, PICTURES), usual, rtol=1e-10, atol=1e-12)

    @pytest.mark.parametrize("method", ALL)
    def test_float32_in_float32_out_and_x_stays_as_it_was(self, method: Any) -> None:
        x = X.astype(np.float32)
        kept = x.copy()
        R = method(SMOOTH.astype(np.float32), x, 0)
        assert (R.dtype, R.shape) == (np.float32, x.shape)
        np.testing.assert_allclose(R, method(SMOOTH, X, 0), atol=1e-4)
        assert np.array_equal(x, kept)

    @pytest.mark.parametrize("method", ALL)
    def test_a_softmax_at_the_end_is_left_out(self, method: Any) -> None:
        assert np.array_equal(method(Network([*SMOOTH, Softmax()]), X), method(SMOOTH, X))

    def test_a_draw_with_a_mask_for_each_sample(self) -> None:
        network = Network([Dense(W1, b1), Dropout(0.5), Tanh(), Dense(W2)])
        drawn = network.sample(np.random.default_rng(0), X.shape)
        expected = np.mean([gradient(drawn, X + e, 0) for e in NOISE], axis=0)
        np.testing.assert_allclose(smoothgrad(drawn, X, 0, noise=NOISE), expected, rtol=1e-10)


@pytest.mark.parametrize("method", ALL)
class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"n": 0}, "n takes a positive integer"),
            ({"n": 2.0}, "n takes a positive integer"),
            ({"level": -0.1}, "level must be at least 0"),
            ({"level": float("nan")}, "level must be a finite number"),
            ({"noise": np.zeros((3, 5))}, r"noise takes an array \(n, 3, 5\)"),
            ({"noise": np.zeros((4, 1, 5))}, r"noise takes an array \(n, 3, 5\) of float64, as x is; got \(4, 1, 5\)"),
            ({"noise": np.zeros((0, 3, 5))}, "noise takes an array"),
            ({"noise": [0.0]}, "got list"),
            ({"noise": np.zeros((2, 3, 5), np.float32)}, "noise takes .* of float64, as x is; got .* float32"),
            ({"target": 3}, "target takes classes from 0 to 2"),
            ({"target": ("nowhere", 1)}, "There is no layer 'nowhere'"),
        ],
        ids=str,
    )
    def test_options(self, method: Any, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            method(SMOOTH, X, **options)

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            (X.astype(np.float32), "computes in float64"),
            (np.ones((3, 5), int), " int64"),
            (np.where(X > 0, np.nan, X), "x must be finite"),
            (np.ones((3, 4)), "takes"),
        ],
    )
    def test_inputs(self, method: Any, x: np.ndarray, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            method(SMOOTH, x)
