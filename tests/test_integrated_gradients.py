"""Integrated gradients, against plain loops, the axioms of the paper, and networks whose integral is known."""

from __future__ import annotations

from dataclasses import dataclass
from math import tanh
from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based import copies, gradient, gradient_times_input, saliency
from nnlite.decision_based.integrated_gradients import completeness_gap, integrated_gradients, points
from nnlite.layers import BatchNorm, Conv2d, Dense, Dropout, Flatten, Identity, Layer, MaxPool2d, ReLU, Softmax, Tanh

draw = np.random.default_rng(4)
W1, b1, W2 = draw.normal(size=(5, 6)), draw.normal(size=6), draw.normal(size=(6, 3))
X = draw.normal(size=(3, 5))
b2 = -Network([Dense(W1, b1), Tanh(), Dense(W2)]).scores(X).mean(axis=0)  # so that the classes predicted differ
SMOOTH = Network([Dense(W1, b1), Tanh(), Dense(W2, b2)])
STARTS = draw.normal(size=(4, 5))
IMAGES = Network(
    [Conv2d(draw.normal(size=(4, 2, 3, 3)), draw.normal(size=4), padding=1), ReLU(), MaxPool2d(2), Flatten(),
     Dense(draw.normal(size=(36, 8)) / 3, draw.normal(size=8)), ReLU(), Dense(draw.normal(size=(8, 3)))]
)  # fmt: skip
PICTURES = draw.random((6, 2, 6, 7))
QUADRATURES = ("midpoint", "trapezoid", "gauss-legendre")


@dataclass(frozen=True, eq=False, repr=False)
class Square(Layer):
    """z = a²: with it a network is a polynomial."""

    def forward(self, a: np.ndarray) -> np.ndarray:
        return a**2

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        return 2 * a * dz


QUARTIC = Network([Dense(W1, b1), Square(), Dense(draw.normal(size=(6, 4))), Square(), Dense(draw.normal(size=(4, 1)))])


# ----------------------------------------------------------------------------------------------- the slow form


def slow_points(quadrature: str, n: int) -> list[tuple[float, float]]:
    if quadrature == "midpoint":
        return [((i + 0.5) / n, 1 / n) for i in range(n)]
    if quadrature == "trapezoid":
        return [(i / n, (0.5 if i in (0, n) else 1.0) / n) for i in range(n + 1)]
    roots, weights = np.polynomial.legendre.leggauss(n)
    return [(0.5 * (u + 1), 0.5 * w) for u, w in zip(roots.tolist(), weights.tolist(), strict=True)]


def slow_gradient(x: list[float], c: int) -> list[float]:
    """∂f_c/∂x_i = Σ_k W2_kc (1 − tanh² z_k) W1_ik of the network SMOOTH, every index written out."""
    z = [sum(x[i] * W1[i, k] for i in range(5)) + b1[k] for k in range(6)]
    return [sum(W2[k, c] * (1 - tanh(z[k]) ** 2) * W1[i, k] for k in range(6)) for i in range(5)]


def slow(x: list[float], start: list[float], c: int, quadrature: str, n: int) -> list[float]:
    total = [0.0] * 5
    for t, w in slow_points(quadrature, n):
        g = slow_gradient([s + t * (v - s) for v, s in zip(x, start, strict=True)], c)
        for i in range(5):
            total[i] += w * g[i]
    return [(x[i] - start[i]) * total[i] for i in range(5)]


@pytest.mark.parametrize("quadrature", QUADRATURES)
@pytest.mark.parametrize("steps", [1, 2, 7, 50])
class TestAgainstPlainLoops:
    def test_a_network_by_hand(self, quadrature: str, steps: int) -> None:
        start = STARTS[:3]
        for baseline, starts in (
            (None, 0 * X),
            (start, start),
            (start[0], start[:1].repeat(3, axis=0)),
            (0.5, 0 * X + 0.5),
        ):
            R = integrated_gradients(SMOOTH, X, [0, 2, 1], baseline=baseline, steps=steps, quadrature=quadrature)
            for n, c in enumerate([0, 2, 1]):
                expected = slow(X[n].tolist(), starts[n].tolist(), c, quadrature, steps)
                np.testing.assert_allclose(R[n], expected, rtol=1e-10, atol=1e-12)

    def test_images_one_point_at_a_time(self, quadrature: str, steps: int) -> None:
        R = integrated_gradients(IMAGES, PICTURES[:2], [0, 2], baseline=0.25, steps=steps, quadrature=quadrature)
        for n, c in enumerate([0, 2]):
            x = PICTURES[n : n + 1]
            g = sum(
                w * gradient(IMAGES, 0.25 + t * (x - 0.25), c)  #
                for t, w in slow_points(quadrature, steps)
            )
            np.testing.assert_allclose(R[n : n + 1], (x - 0.25) * g, rtol=1e-10, atol=1e-12)


def test_it_integrates_the_difference_quotients_of_the_score() -> None:
    h, n = 1e-5, 20
    R = integrated_gradients(SMOOTH, X, 1, steps=n)
    for i in range(5):
        step = np.eye(5)[i] * h
        t = (np.arange(n) + 0.5) / n
        quotients = [(SMOOTH.scores(s * X + step) - SMOOTH.scores(s * X - step))[:, 1] / (2 * h) for s in t]
        np.testing.assert_allclose(R[:, i], X[:, i] * np.mean(quotients, axis=0), rtol=1e-7, atol=1e-9)


class TestQuadrature:
    @pytest.mark.parametrize("n", [1, 2, 3, 8, 50])
    def test_points_and_weights(self, n: int) -> None:
        for quadrature in QUADRATURES:
            t, w = points(quadrature, n)
            np.testing.assert_allclose(np.stack([t, w], axis=1), slow_points(quadrature, n), rtol=1e-13)
            assert len(t) == len(w) == n + (quadrature == "trapezoid")
            assert abs(w.sum() - 1) < 1e-13
            np.testing.assert_allclose(t, 1 - t[::-1], atol=1e-13)

    @pytest.mark.parametrize("n", [1, 2, 3, 5])
    def test_gauss_legendre_is_exact_to_degree_2n_minus_1_and_no_further(self, n: int) -> None:
        t, w = points("gauss-legendre", n)
        for degree in range(2 * n):
            assert abs(w @ t**degree - 1 / (degree + 1)) < 1e-14
        assert abs(w @ t ** (2 * n) - 1 / (2 * n + 1)) > 1e-7

    @pytest.mark.parametrize("quadrature", ["midpoint", "trapezoid"])
    def test_the_others_are_exact_on_straight_lines(self, quadrature: str) -> None:
        t, w = points(quadrature, 3)
        assert abs(w @ t - 1 / 2) < 1e-15
        assert abs(w @ t**2 - 1 / 3) > 1e-3

    def test_two_points_are_enough_for_a_polynomial_of_degree_4(self) -> None:
        def gap(quadrature: str, steps: int) -> Any:
            R = integrated_gradients(QUARTIC, X, 0, steps=steps, quadrature=quadrature)
            return abs(completeness_gap(QUARTIC, X, R, 0) / QUARTIC.scores(X)[:, 0]).max()

        assert gap("gauss-legendre", 2) < 1e-13
        assert gap("gauss-legendre", 1) > 1e-2
        assert gap("midpoint", 2) > 1e-3
        assert gap("trapezoid", 2) > 1e-3

    def test_how_often_the_gradient_is_asked(self) -> None:
        for quadrature, asked in (("midpoint", 12), ("gauss-legendre", 12), ("trapezoid", 13)):
            seen = []

            def spy(network: Network, x: np.ndarray, target: Any, seen: list[int] = seen) -> np.ndarray:
                seen.append(len(x))
                return gradient(network, x, target)

            integrated_gradients(SMOOTH, X[:1], 0, steps=12, quadrature=quadrature, gradient=spy)
            assert sum(seen) == asked


class TestCompleteness:
    def test_to_rounding_on_a_smooth_network(self) -> None:
        start = STARTS[0]
        R = integrated_gradients(SMOOTH, X, 2, baseline=start, quadrature="gauss-legendre")
        gain = SMOOTH.scores(X)[:, 2] - SMOOTH.scores(start[None])[:, 2]
        np.testing.assert_allclose(R.sum(axis=1), gain, rtol=1e-12, atol=1e-13)
        assert abs(completeness_gap(SMOOTH, X, R, 2, baseline=start)).max() < 1e-12

    @pytest.mark.parametrize("quadrature", QUADRATURES)
    @pytest.mark.parametrize("steps", [1, 3])
    def test_to_rounding_on_a_linear_network(self, quadrature: str, steps: int) -> None:
        linear = Network([Dense(W1, b1), Identity(), Dense(W2)])
        R = integrated_gradients(linear, X, 0, steps=steps, quadrature=quadrature)
        np.testing.assert_allclose(R, gradient_times_input(linear, X, 0), rtol=1e-12, atol=1e-13)
        assert abs(completeness_gap(linear, X, R, 0)).max() < 1e-13

    @pytest.mark.parametrize("quadrature", ["midpoint", "trapezoid"])
    def test_the_gap_falls_as_the_square_of_the_steps_where_f_is_smooth(self, quadrature: str) -> None:
        gaps = [
            abs(
                completeness_gap(SMOOTH, X, integrated_gradients(SMOOTH, X, 0, steps=n, quadrature=quadrature), 0)
            ).max()
            for n in (100, 200, 400)
        ]
        np.testing.assert_allclose(gaps[0] / gaps[1], 4, rtol=0.01)
        np.testing.assert_allclose(gaps[1] / gaps[2], 4, rtol=0.01)

    @pytest.mark.parametrize("quadrature", QUADRATURES)
    def test_the_gap_falls_about_as_the_steps_on_relu_and_max_pooling(self, quadrature: str) -> None:
        def gap(steps: int) -> Any:
            R = integrated_gradients(IMAGES, PICTURES, 0, steps=steps, quadrature=quadrature)
            return abs(completeness_gap(IMAGES, PICTURES, R, 0)).mean()

        steps = np.array([10, 20, 40, 80, 160, 320])
        gaps = [gap(n) for n in steps.tolist()]
        rate = -np.polyfit(np.log(steps), np.log(gaps), 1)[0]
        assert 0.8 < rate < 1.5  # 2 where f is smooth
        assert gaps[-1] < gaps[0] / 10

    def test_of_several_baselines_and_a_neuron(self) -> None:
        starts = list(STARTS)
        target = ("tanh1", 3)
        R = integrated_gradients(SMOOTH, X, target, baseline=starts, quadrature="gauss-legendre")
        gap = completeness_gap(SMOOTH, X, R, target, baseline=starts)
        assert (gap.shape, gap.dtype) == ((3,), X.dtype)
        assert abs(gap).max() < 1e-12
        h = SMOOTH[:2]
        gain = h.scores(X)[:, 3] - np.mean([h.scores(s[None])[:, 3] for s in starts], axis=0)
        np.testing.assert_allclose(R.sum(axis=1), gain, rtol=1e-10)

    def test_the_gap_is_what_is_missing(self) -> None:
        f = SMOOTH.scores(X)[:, 1] - SMOOTH.scores(0 * X)[:, 1]
        np.testing.assert_allclose(completeness_gap(SMOOTH, X, 0 * X, 1), f, rtol=1e-12)
        np.testing.assert_allclose(completeness_gap(SMOOTH, X, 0 * X + 0.2, 1), f - 1, rtol=1e-12)

    def test_the_class_predicted_on_x_is_followed_to_the_baseline(self) -> None:
        start = np.roll(X, 1, axis=0)
        assert (SMOOTH.predict(start) != SMOOTH.predict(X)).any()
        R = integrated_gradients(SMOOTH, X, baseline=start, quadrature="gauss-legendre")
        assert abs(completeness_gap(SMOOTH, X, R, baseline=start)).max() < 1e-12


class TestAxioms:
    def test_implementation_invariance(self) -> None:
        """The same function built in other ways: relu(z) − relu(−z) = z; units split, reordered; BatchNorm merged."""
        z = Dense(np.hstack([W1, -W1]), np.hstack([b1, -b1]))
        linear, detour = Network([Dense(W1, b1)]), Network([z, ReLU(), Dense(np.vstack([np.eye(6), -np.eye(6)]))])
        order = [3, 0, 5, 1, 4, 2, 3, 0]
        share = np.array([0.3, 0.5, 1, 1, 1, 1, 0.7, 0.5])[:, None]
        split = Network([Dense(W1[:, order], b1[order]), Tanh(), Dense(W2[order] * share, SMOOTH["dense2"].b)])
        scaled = Network([Dense(W1, b1), BatchNorm(b1, b1**2 + 0.1, b1, b1**2), Tanh(), Dense(W2)])
        for one, other in ((linear, detour), (SMOOTH, split), (scaled, scaled.merged())):
            np.testing.assert_allclose(one.scores(X), other.scores(X), rtol=1e-9, atol=1e-12)
            for target in range(3):
                pair = [integrated_gradients(net, X, target, baseline=0.1, steps=9) for net in (one, other)]
                np.testing.assert_allclose(pair[0], pair[1], rtol=1e-9, atol=1e-12)

    def test_linearity(self) -> None:
        mixed = Network([Dense(W1, b1), Tanh(), Dense(2 * W2[:, :1] - 3 * W2[:, 1:2])])
        parts = [integrated_gradients(SMOOTH, X, c) for c in (0, 1)]
        np.testing.assert_allclose(
            integrated_gradients(mixed, X, 0), 2 * parts[0] - 3 * parts[1], rtol=1e-10, atol=1e-12
        )

    def test_symmetry(self) -> None:
        alike = W1.copy()
        alike[1] = alike[0]
        network = Network([Dense(alike, b1), Tanh(), Dense(W2)])
        x = X.copy()
        x[:, 1] = x[:, 0]
        R = integrated_gradients(network, x, 1, baseline=-0.3)
        np.testing.assert_allclose(R[:, 0], R[:, 1], rtol=1e-12)

    def test_sensitivity(self) -> None:
        """max(0, 1 − x) is flat at x = 2, where the gradient sees nothing; from 0 to 2 it falls by 1."""
        network = Network([Dense(np.array([[-1.0]]), np.array([1.0])), ReLU()])
        x = np.array([[2.0]])
        assert gradient(network, x).tolist() == [[0]]
        assert abs(integrated_gradients(network, x) + 1) < 1e-14

    def test_an_input_that_does_not_matter_gets_nothing(self) -> None:
        blind = W1.copy()
        blind[2] = 0
        R = integrated_gradients(Network([Dense(blind, b1), Tanh(), Dense(W2)]), X, 0, baseline=5.0)
        assert not R[:, 2].any()
        assert R[:, [0, 1, 3, 4]].all()

    def test_from_x_itself_there_is_nothing_to_explain(self) -> None:
        assert not integrated_gradients(SMOOTH, X, baseline=X).any()


class TestBaselines:
    def test_several_give_the_mean_of_single_ones(self) -> None:
        starts = [STARTS[0], STARTS[1:], 0.5, 0]
        several = integrated_gradients(SMOOTH, X, baseline=starts)
        single = [integrated_gradients(SMOOTH, X, baseline=start) for start in starts]
        np.testing.assert_allclose(several, np.mean(single, axis=0), rtol=1e-12, atol=1e-14)

    def test_zero_unless_given(self) -> None:
        zero = integrated_gradients(SMOOTH, X)
        for baseline in (0, 0.0, np.zeros(5), np.zeros((3, 5)), [0], (np.zeros(5),)):
            assert np.array_equal(integrated_gradients(SMOOTH, X, baseline=baseline), zero)

    def test_an_array_like_x_is_one_for_each_sample_and_a_list_of_it_is_a_stack(self) -> None:
        stack = STARTS[:3]
        each = integrated_gradients(SMOOTH, X, 0, baseline=stack)
        for n in range(3):
            one = integrated_gradients(SMOOTH, X[n : n + 1], 0, baseline=stack[n])
            np.testing.assert_allclose(each[n : n + 1], one, rtol=1e-10)
        averaged = integrated_gradients(SMOOTH, X, 0, baseline=list(stack))
        assert not np.allclose(each, averaged)

    @pytest.mark.parametrize(
        ("baseline", "message"),
        [
            (np.zeros((4, 5)), r"each sample \(3, 5\), or a list of these to average over \(list\(stack\)"),
            (np.zeros(4), r"got \(4,\)"),
            ([], "an empty one"),
            ("black", "got 'black'"),
            ([0, "black"], "got 'black'"),
            (np.zeros(5, np.float32), "baseline takes an array of float64"),
            (np.full(5, np.nan), "must be finite"),
            (float("inf"), "must be finite"),
        ],
        ids=str,
    )
    def test_what_is_none(self, baseline: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            integrated_gradients(SMOOTH, X, baseline=baseline)
        with pytest.raises(ValueError, match=message):
            completeness_gap(SMOOTH, X, X, baseline=baseline)


class TestOtherGradients:
    def test_any_signal_in_the_shape_of_x(self) -> None:
        R = integrated_gradients(SMOOTH, X, baseline=0.5, gradient=lambda network, x, target: np.ones_like(x))
        np.testing.assert_allclose(R, X - 0.5, rtol=1e-12)

    def test_it_is_asked_about_the_target_of_x(self) -> None:
        asked = []

        def spy(network: Network, x: np.ndarray, target: Any) -> np.ndarray:
            asked.append(np.asarray(target).reshape(-1, 3))
            return gradient(network, x, target)

        integrated_gradients(SMOOTH, X, gradient=spy)
        assert all((targets == SMOOTH.predict(X)).all() for targets in asked)

    def test_another_shape_is_refused(self) -> None:
        with pytest.raises(ValueError, match="gradient must give a signal in the shape of its input"):
            integrated_gradients(IMAGES, PICTURES, gradient=saliency)


class TestBatches:
    @pytest.mark.parametrize(("network", "x"), [(SMOOTH, X), (IMAGES, PICTURES[:3])], ids=["dense", "images"])
    @pytest.mark.parametrize("target", [None, [0, 1, 2], 1, ("dense1", 2)], ids=str)
    def test_a_batch_is_its_samples_one_at_a_time(self, network: Network, x: np.ndarray, target: Any) -> None:
        R = integrated_gradients(network, x, target, steps=10)
        for n in range(3):
            one = target[n] if isinstance(target, list) else target
            alone = integrated_gradients(network, x[n : n + 1], one, steps=10)
            np.testing.assert_allclose(R[n : n + 1], alone, rtol=1e-10, atol=1e-13)

    def test_a_batch_of_none(self) -> None:
        assert integrated_gradients(IMAGES, PICTURES[:0]).shape == (0, 2, 6, 7)
        assert completeness_gap(IMAGES, PICTURES[:0], PICTURES[:0]).shape == (0,)

    @pytest.mark.parametrize("block", [1, 3000, 10**9])
    def test_the_size_of_a_block_does_not_matter(self, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
        usual = integrated_gradients(IMAGES, PICTURES)
        monkeypatch.setattr(copies, "BLOCK", block)
        np.testing.assert_allclose(integrated_gradients(IMAGES, PICTURES), usual, rtol=1e-10, atol=1e-13)

    @pytest.mark.parametrize("quadrature", QUADRATURES)
    def test_float32_in_float32_out_and_x_stays_as_it_was(self, quadrature: str) -> None:
        x = X.astype(np.float32)
        kept = x.copy()
        network = SMOOTH.astype(np.float32)
        R = integrated_gradients(network, x, 0, quadrature=quadrature, baseline=[0, np.ones(5, np.float32)])
        exact = integrated_gradients(SMOOTH, X, 0, quadrature=quadrature, baseline=[0, np.ones(5)])
        assert R.dtype == completeness_gap(network, x, R, 0, baseline=[0, 1]).dtype == np.float32
        np.testing.assert_allclose(R, exact, atol=1e-5)
        assert np.array_equal(x, kept)

    def test_a_softmax_at_the_end_is_left_out(self) -> None:
        assert np.array_equal(
            integrated_gradients(Network([*SMOOTH, Softmax()]), X),  #
            integrated_gradients(SMOOTH, X),
        )

    def test_a_draw_with_a_mask_for_each_sample(self) -> None:
        network = Network([Dense(W1, b1), Dropout(0.5), Tanh(), Dense(W2)])
        drawn = network.sample(np.random.default_rng(0), X.shape)
        R = integrated_gradients(drawn, X, 0, quadrature="gauss-legendre")
        np.testing.assert_allclose(R.sum(axis=1), (drawn.scores(X) - drawn.scores(0 * X))[:, 0], rtol=1e-10)


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"steps": 0}, "steps takes a positive integer"),
            ({"steps": 2.0}, "steps takes a positive integer"),
            ({"steps": True}, "steps takes a positive integer"),
            ({"quadrature": "simpson"}, "quadrature takes"),
            ({"target": 3}, "target takes classes from 0 to 2"),
            ({"target": [0, 1]}, "target takes a class, 3 integers"),
            ({"target": ("nowhere", 1)}, "There is no layer 'nowhere'"),
        ],
        ids=str,
    )
    def test_options(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            integrated_gradients(SMOOTH, X, **options)

    @pytest.mark.parametrize(
        ("x", "message"),
        [
            (X.astype(np.float32), "computes in float64"),
            (np.ones((3, 5), int), " int64"),
            (np.where(X > 0, np.nan, X), "x must be finite"),
            (np.ones((3, 4)), "takes"),
        ],
    )
    def test_inputs(self, x: np.ndarray, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            integrated_gradients(SMOOTH, x)

    def test_an_explanation_of_another_shape(self) -> None:
        with pytest.raises(ValueError, match="R takes the shape of x"):
            completeness_gap(SMOOTH, X, X[:, :4])
