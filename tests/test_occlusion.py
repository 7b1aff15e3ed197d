"""Occlusion, against plain loops over images, windows and pixels, and against what it must be on a linear network."""

from __future__ import annotations

from math import ceil, exp
from typing import Any

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from nnlite import Network, models
from nnlite.decision_based.occlusion import Occlusion, filling, occlusion
from nnlite.layers import Conv2d, Dense, Dropout, Flatten, MaxPool2d, ReLU, Softmax, Tanh

draw = np.random.default_rng(11)
C, H, W = 2, 7, 9
X = draw.random((3, C, H, W))
BELOW = [Conv2d(draw.normal(size=(4, C, 3, 3)), draw.normal(size=4)), Tanh(), MaxPool2d(2), Flatten()]
TOP = draw.normal(size=(4 * 2 * 3, 3))
with pytest.MonkeyPatch.context() as importing:  # every worker imports this file: in Numba, every one would compile
    importing.setenv("NNLITE_BACKEND", "numpy")
    MEAN = Network([*BELOW, Dense(TOP)]).scores(X).mean(axis=0)
NETWORK = Network([*BELOW, Dense(TOP, -MEAN)])  # no class always wins
WEIGHTS = draw.normal(size=(C * H * W, 2))
LINEAR = Network([Flatten(), Dense(WEIGHTS, draw.normal(size=2))])
WINDOWS = [((3, 3), (1, 1)), ((3, 2), (2, 1)), ((2, 4), (2, 3)), ((5, 5), (4, 5)), ((7, 9), (1, 1)), ((1, 1), (1, 1))]
ARRAY = draw.random((C, 1, W))
FILLS: list[Any] = [0.0, 0.5, "mean", "blur", "noise", "flip", ARRAY]


# ----------------------------------------------------------------------------------------------- the slow form


def slow_filling(image: np.ndarray, fill: Any, window: tuple[int, int], seed: int = 0) -> np.ndarray:
    """Each pixel of the cover of one image, alone."""
    cover = np.empty((C, H, W))
    pattern = np.random.default_rng(seed).random((C, H, W))
    for c, i, j in np.ndindex(C, H, W):
        if fill == "mean":
            cover[c, i, j] = sum(image[c].ravel().tolist()) / (H * W)
        elif fill == "flip":
            cover[c, i, j] = 1 - image[c, i, j]
        elif fill == "noise":
            cover[c, i, j] = image.min() + (image.max() - image.min()) * pattern[c, i, j]
        else:
            cover[c, i, j] = slow_blur(image[c], i, j, window)
    return cover


def slow_blur(plane: np.ndarray, i: int, j: int, window: tuple[int, int]) -> float:
    """A Gaussian of half the window, cut at four sigma, over the image and its mirror images."""
    total = 0.0
    weights = [
        {d: exp(-0.5 * (d / (k / 2)) ** 2) for d in range(-int(2 * k + 0.5), int(2 * k + 0.5) + 1)} for k in window
    ]
    for di, wi in weights[0].items():
        for dj, wj in weights[1].items():
            total += wi * wj * plane[mirrored(i + di, H), mirrored(j + dj, W)]
    return total / (sum(weights[0].values()) * sum(weights[1].values()))


def mirrored(i: int, n: int) -> int:
    i %= 2 * n
    return i if i < n else 2 * n - 1 - i


def slow(image: np.ndarray, c: int, size: Any, stride: Any, cover: np.ndarray, probability: bool = False) -> Any:
    """drops, sums, counts and predicted classes of one image."""

    def f(z: np.ndarray) -> float:
        scores = NETWORK.scores(z[None])[0].tolist()
        return exp(scores[c]) / sum(exp(s) for s in scores) if probability else scores[c]

    rows, columns = (ceil((n - k) / s) + 1 for n, k, s in zip((H, W), size, stride, strict=True))
    drops, predicted = np.empty((rows, columns)), np.empty((rows, columns), int)
    sums, counts = np.zeros((H, W)), np.zeros((H, W))
    for r, q in np.ndindex(rows, columns):
        covered = image.copy()
        inside = [
            (i, j)
            for i, j in np.ndindex(H, W)
            if r * stride[0] <= i < r * stride[0] + size[0] and q * stride[1] <= j < q * stride[1] + size[1]
        ]
        for i, j in inside:
            for channel in range(C):
                covered[channel, i, j] = cover[channel, i, j]
        drops[r, q] = f(image) - f(covered)
        predicted[r, q] = NETWORK.predict(covered[None])[0]
        for i, j in inside:
            sums[i, j] += drops[r, q]
            counts[i, j] += 1
    return drops, sums, counts, predicted


class TestAgainstPlainLoops:
    @pytest.mark.parametrize(("size", "stride"), WINDOWS)
    @pytest.mark.parametrize("score", ["score", "probability"])
    def test_drops_maps_and_classes(self, size: Any, stride: Any, score: str) -> None:
        got = occlusion(NETWORK, X, [0, 1, 2], size=size, stride=stride, score=score)
        summed = occlusion(NETWORK, X, [0, 1, 2], size=size, stride=stride, score=score, overlap="sum")
        for n in range(3):
            drops, sums, counts, predicted = slow(X[n], n, size, stride, np.zeros((C, H, W)), score == "probability")
            np.testing.assert_allclose(got.drops[n], drops, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(got.map[n], sums / counts, rtol=1e-10, atol=1e-12)
            np.testing.assert_allclose(summed.map[n], sums, rtol=1e-10, atol=1e-12)
            assert got.predicted is not None
            assert np.array_equal(got.predicted[n], predicted)

    @pytest.mark.parametrize("fill", FILLS, ids=str)
    def test_what_a_window_is_filled_with(self, fill: Any) -> None:
        got = occlusion(NETWORK, X, 1, size=(3, 4), stride=2, fill=fill)
        for n in range(3):
            given = not isinstance(fill, str)
            cover = np.broadcast_to(fill, (C, H, W)) if given else slow_filling(X[n], fill, (3, 4))
            np.testing.assert_allclose(got.drops[n], slow(X[n], 1, (3, 4), (2, 2), cover)[0], rtol=1e-10, atol=1e-11)

    def test_the_width_of_the_blur(self) -> None:
        spot = np.zeros((1, 1, 41, 41))
        spot[0, 0, 20, 20] = 1
        got = filling(spot, "blur", sigma=3.0, window=(5, 5))[0, 0]
        offsets = np.stack(np.mgrid[-20:21, -20:21], axis=-1)
        np.testing.assert_allclose(got, multivariate_normal(cov=9 * np.eye(2)).pdf(offsets), atol=2e-6)
        assert not np.array_equal(got, filling(spot, "blur", window=(5, 5))[0, 0])


class TestOnALinearNetwork:
    """f = w · x + b: the drop is exactly the sum of w (x − fill) over the window."""

    @pytest.mark.parametrize(("size", "stride"), WINDOWS)
    @pytest.mark.parametrize("fill", FILLS, ids=str)
    def test_the_drop_is_the_sum_over_the_window(self, size: Any, stride: Any, fill: Any) -> None:
        cover = filling(X, fill, window=size)
        shares = (WEIGHTS[:, 1].reshape(C, H, W) * (X - cover)).sum(axis=1)
        got = occlusion(LINEAR, X, 1, size=size, stride=stride, fill=fill)
        for r, q in np.ndindex(*got.drops.shape[1:]):
            top, left = r * stride[0], q * stride[1]
            expected = shares[:, top : top + size[0], left : left + size[1]].sum(axis=(1, 2))
            np.testing.assert_allclose(got.drops[:, r, q], expected, rtol=1e-10, atol=1e-12)

    def test_one_pixel_at_a_time_it_is_gradient_times_input(self) -> None:
        got = occlusion(LINEAR, X, 0, size=1)
        assert np.allclose(got.map, (WEIGHTS[:, 0].reshape(C, H, W) * X).sum(axis=1), rtol=1e-10, atol=1e-12)
        assert np.array_equal(got.map, got.drops)

    def test_windows_side_by_side_share_out_the_score(self) -> None:
        image = X[:, :, :6, :9]
        network = Network([Flatten(), Dense(WEIGHTS[: C * 54])])
        got = occlusion(network, image, 0, size=3, stride=3)
        np.testing.assert_allclose(got.drops.sum(axis=(1, 2)), network.scores(image)[:, 0], rtol=1e-12)

    def test_only_flip_sees_a_stroke_that_is_absent(self) -> None:
        against = Network([Flatten(), Dense(-np.ones((16, 1)))])  # ink anywhere lowers the score
        empty = np.zeros((1, 1, 4, 4))
        for fill in (0.0, "mean", "blur", "noise"):
            assert not occlusion(against, empty, 0, size=2, fill=fill).drops.any()
        assert (occlusion(against, empty, 0, size=2, fill="flip").drops == 4).all()


class TestWindows:
    @pytest.mark.parametrize(
        ("shape", "size", "stride", "positions"),
        [
            ((28, 28), 5, 1, (24, 24)),
            ((28, 28), 5, 3, (9, 9)),  # ⌈23 / 3⌉ + 1, the last one clipped to 4 pixels
            ((28, 28), 5, 5, (6, 6)),
            ((7, 9), 3, 3, (3, 3)),
            ((7, 9), (7, 9), (7, 9), (1, 1)),
            ((1, 1), 1, 1, (1, 1)),
            ((6, 5), (4, 2), (3, 2), (2, 3)),
        ],
    )
    def test_how_many(self, shape: Any, size: Any, stride: Any, positions: Any) -> None:
        network = Network([Flatten(), Dense(np.ones((shape[0] * shape[1], 1)))])
        got = occlusion(network, np.ones((2, 1, *shape)), size=size, stride=stride)
        assert got.drops.shape == (2, *positions)
        assert got.map.shape == (2, *shape)

    @pytest.mark.parametrize(
        ("shape", "size"),
        [((28, 28), (5, 5)), ((8, 8), (1, 1)), ((14, 56), (3, 10)), ((1, 224), (1, 40)), ((27, 31), (5, 6))],
    )
    def test_by_default_5_of_28_pixels_halves_rounded_up(self, shape: Any, size: Any) -> None:
        network = Network([Flatten(), Dense(np.ones((shape[0] * shape[1], 1)))])
        got = occlusion(network, np.ones((1, 1, *shape)))
        assert (got.size, got.stride) == (size, (1, 1))

    def test_the_last_window_is_clipped(self) -> None:
        network = Network([Flatten(), Dense(np.ones((5, 1)))])
        got = occlusion(network, np.ones((1, 1, 1, 5)), size=(1, 3), stride=(1, 3))
        np.testing.assert_allclose(got.drops, [[[3, 2]]])
        np.testing.assert_allclose(got.map, [[[3, 3, 3, 2, 2]]])

    def test_mean_and_sum_over_the_windows_on_a_pixel(self) -> None:
        mean, total = (occlusion(NETWORK, X, 0, size=3, stride=2, overlap=how).map for how in ("mean", "sum"))
        covers = occlusion(Network([Flatten(), Dense(np.ones((C * H * W, 1)))]), np.ones_like(X), size=3, stride=2)
        counts = np.outer([1, 1, 2, 1, 2, 1, 1], [1, 1, 2, 1, 2, 1, 2, 1, 1])
        np.testing.assert_allclose(total, mean * counts, rtol=1e-12)
        assert (total != mean).any()
        np.testing.assert_allclose(covers.map, 9 * C)
        area = 9  # no window is clipped here
        drops = occlusion(NETWORK, X, 0, size=3, stride=2).drops
        np.testing.assert_allclose(total.sum(axis=(1, 2)), area * drops.sum(axis=(1, 2)), rtol=1e-10)


class TestFills:
    def test_flip_twice_is_the_original(self) -> None:
        x = np.round(X * 256) / 256  # so that 1 − x is exact
        assert np.array_equal(filling(filling(x, "flip", window=(1, 1)), "flip", window=(1, 1)), x)
        once = occlusion(LINEAR, x, 0, size=(H, W), fill="flip")
        twice = occlusion(LINEAR, 1 - x, 0, size=(H, W), fill="flip")
        np.testing.assert_allclose(once.drops, -twice.drops, rtol=1e-12)

    @pytest.mark.parametrize("value", [-0.25, 1.5])
    def test_flip_takes_pixels_from_0_to_1(self, value: float) -> None:
        x = X.copy()
        x[1, 0, 2, 3] = value
        least, most = min(value, X.min()), max(value, X.max())
        with pytest.raises(ValueError, match=r'fill="flip" takes pixels in \[0, 1\], got .* to .*') as error:
            occlusion(NETWORK, x, fill="flip")
        assert f"{least} to {most}" in str(error.value)

    def test_covering_an_image_with_itself_changes_nothing(self) -> None:
        got = occlusion(NETWORK, X, size=3, fill=X)
        assert abs(got.drops).max() < 1e-12
        assert got.predicted is not None
        assert (got.predicted == NETWORK.predict(X)[:, None, None]).all()

    def test_noise_is_in_the_range_of_each_image_and_drawn_by_the_seed(self) -> None:
        x = X * np.array([1.0, 10.0, 0.0]).reshape(3, 1, 1, 1) - 2
        noise = filling(x, "noise", window=(1, 1), rng=3)
        for image, cover in zip(x, noise, strict=True):
            assert image.min() <= cover.min() <= cover.max() <= image.max()
        assert np.ptp(noise[1]) > 8
        results = [occlusion(NETWORK, X, size=3, fill="noise", rng=rng).drops for rng in (3, 3, 4)]
        assert np.array_equal(results[0], results[1])
        assert not np.array_equal(results[0], results[2])
        again = occlusion(NETWORK, X, size=3, fill="noise", rng=np.random.default_rng(3)).drops
        assert np.array_equal(results[0], again)

    def test_the_mean_is_each_channels_own(self) -> None:
        x = np.stack([np.full((H, W), 0.25), np.full((H, W), 0.75)])[None]
        assert np.array_equal(filling(x, "mean", window=(1, 1)), x)


class TestTarget:
    def test_the_predicted_class_is_fixed_on_the_clean_image(self) -> None:
        got = occlusion(NETWORK, X, size=5)
        classes = NETWORK.predict(X)
        assert np.array_equal(got.target, classes)
        assert np.array_equal(got.drops, occlusion(NETWORK, X, classes, size=5).drops)
        assert got.predicted is not None
        assert (got.predicted != classes[:, None, None]).any()  # and the case is one where it matters
        np.testing.assert_allclose(got.score, NETWORK.scores(X).max(axis=1), rtol=1e-12)

    def test_a_neuron_and_a_feature_map(self) -> None:
        got = occlusion(NETWORK, X, ("conv1", (2, 0, 1)), size=2)
        assert got.predicted is None
        assert got.target == ("conv1", (2, 0, 1))
        assert got.drops[:, :3, 1:4].any()
        assert abs(got.drops[:, 3:]).max() < 1e-12  # outside of what the neuron sees
        whole = occlusion(NETWORK, X, ("conv1", 2), size=(H, W))
        z = NETWORK[:1].scores(X)[:, 2].sum(axis=(1, 2))
        blank = NETWORK[:1].scores(0 * X)[:, 2].sum(axis=(1, 2))
        np.testing.assert_allclose(whole.drops[:, 0, 0], z - blank, rtol=1e-10)

    def test_the_drops_in_probability_cancel_over_the_classes(self) -> None:
        drops = [occlusion(NETWORK, X, c, size=3, score="probability").drops for c in range(3)]
        np.testing.assert_allclose(np.sum(drops, axis=0), 0, atol=1e-14)
        assert abs(drops[0]).max() > 1e-3

    def test_a_softmax_at_the_end_makes_no_difference(self) -> None:
        ended = Network([*NETWORK, Softmax()])
        for score in ("score", "probability"):
            pair = [occlusion(network, X, size=3, score=score) for network in (NETWORK, ended)]
            assert np.array_equal(pair[0].drops, pair[1].drops)

    def test_in_probability_the_score_is_one(self) -> None:
        got = occlusion(NETWORK, X, size=5, score="probability")
        np.testing.assert_allclose(got.score, Network([*NETWORK, Softmax()]).forward(X)[-1].max(axis=1), rtol=1e-12)


class TestBatches:
    @pytest.mark.parametrize("fill", FILLS, ids=str)
    def test_a_batch_is_its_samples_one_at_a_time(self, fill: Any) -> None:
        whole = occlusion(NETWORK, X, [0, 1, 2], size=3, stride=2, fill=fill)
        for n in range(3):
            one = occlusion(NETWORK, X[n : n + 1], n, size=3, stride=2, fill=fill)
            np.testing.assert_allclose(whole.drops[n], one.drops[0], rtol=1e-10, atol=1e-13)
            np.testing.assert_allclose(whole.map[n], one.map[0], rtol=1e-10, atol=1e-13)

    @pytest.mark.parametrize("fill", FILLS, ids=str)
    def test_a_batch_of_none(self, fill: Any) -> None:
        got = occlusion(NETWORK, X[:0], size=3, fill=fill)
        assert (got.drops.shape, got.map.shape) == ((0, 5, 7), (0, H, W))

    @pytest.mark.parametrize("memory", [1, 16_000, 10**9])
    def test_the_size_of_a_block_does_not_matter(self, memory: int) -> None:
        usual = occlusion(NETWORK, X, size=3, fill="noise")
        other = occlusion(NETWORK, X, size=3, fill="noise", memory=memory)
        np.testing.assert_allclose(other.drops, usual.drops, rtol=1e-12, atol=1e-13)
        assert np.array_equal(other.predicted, usual.predicted)

    @pytest.mark.parametrize("fill", FILLS[:-1], ids=str)
    def test_float32_in_float32_out_and_x_stays_as_it_was(self, fill: Any) -> None:
        x = X.astype(np.float32)
        kept = x.copy()
        got = occlusion(NETWORK.astype(np.float32), x, 0, size=3, fill=fill)
        exact = occlusion(NETWORK, X, 0, size=3, fill=fill)
        assert {a.dtype for a in (got.drops, got.map, got.score)} == {np.dtype(np.float32)}
        np.testing.assert_allclose(got.drops, exact.drops, atol=3e-5)
        assert np.array_equal(x, kept)

    def test_a_draw_with_a_mask_for_each_sample(self) -> None:
        network = Network([Flatten(), Dropout(0.5), Dense(WEIGHTS)])
        masks = network.sample(np.random.default_rng(0), X.shape)
        got = occlusion(masks, X, 0, size=3)
        f = masks.scores(X) - masks.scores(np.where(np.arange(H)[:, None] + 0 * np.arange(W) < 3, 0, X))
        whole_rows = occlusion(masks, X, 0, size=(3, W))
        np.testing.assert_allclose(whole_rows.drops[:, 0, 0], f[:, 0], rtol=1e-10)
        assert got.drops.shape == (3, 5, 7)

    def test_on_a_shipped_network_the_drop_is_where_the_ink_is(self) -> None:
        x = np.zeros((1, 1, 28, 28), np.float32)
        x[0, 0, 5:23, 12:16] = 1  # a one
        got = occlusion(models.load("lenet"), x, 1, stride=4)
        assert got.drops.shape == (1, 7, 7)
        assert abs(got.map[0, :, :4]).max() < 1e-4 < 1 < got.map.max()


class TestProgress:
    def test_shown_when_asked_for_and_never_when_not(self, capsys: pytest.CaptureFixture[str]) -> None:
        for progress, shown in ((True, True), (False, False), (None, False)):
            occlusion(NETWORK, X, size=3, progress=progress)
            out, err = capsys.readouterr()
            assert (not out, f"{35 * len(X)}/{35 * len(X)}" in err) == (True, shown)  # windows of all samples


class TestBadInput:
    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"size": 8}, r"window of \(8, 8\) does not fit into an image of \(7, 9\)"),
            ({"size": (3, 10)}, "does not fit"),
            ({"size": 3, "stride": 4}, "leaves pixels out"),
            ({"size": (3, 2), "stride": (3, 3)}, "leaves pixels out"),
            ({"size": 0}, "size must be at least 1"),
            ({"size": 2.5}, "size takes an integer or a pair"),
            ({"size": (1, 2, 3)}, "size takes an integer or a pair"),
            ({"stride": 0}, "stride must be at least 1"),
            ({"fill": "black"}, 'fill takes one of mean, blur, noise, flip, got \'black\''),
            ({"fill": float("nan")}, "fill must be finite in float64, got nan"),
            ({"fill": None}, 'fill takes a number, .* "mean", "blur", "noise" or "flip"; got None'),
            ({"fill": np.zeros((3, 1, 1, 1), np.float32)}, "fill takes an array of float64"),
            ({"fill": np.zeros((3, H, W))}, r"one input \(2, 7, 9\), .* got \(3, 7, 9\)"),
            ({"fill": np.zeros((2, 3, C, H, W))}, r"got \(2, 3, 2, 7, 9\)"),
            ({"fill": "blur", "sigma": 0}, "sigma must be more than 0"),
            ({"fill": "blur", "sigma": "wide"}, "sigma must be a finite number"),
            ({"score": "logit"}, "score takes one of score, probability"),
            ({"overlap": "max"}, "overlap takes one of mean, sum"),
            ({"memory": 0}, "memory takes a positive integer, got 0"),
            ({"memory": 1e6}, "memory takes a positive integer"),
            ({"target": 3}, "target takes classes from 0 to 2"),
            ({"target": ("conv9", 1)}, "There is no layer 'conv9'"),
            ({"target": ("conv1", 1), "score": "probability"}, "A neuron has no probability"),
        ],
        ids=str,
    )  # fmt: skip
    def test_options(self, options: dict[str, Any], message: str) -> None:
        with pytest.raises(ValueError, match=message):
            occlusion(NETWORK, X, **options)

    @pytest.mark.parametrize(
        ("network", "x", "message"),
        [
            (Network([Dense(np.ones((4, 2))), ReLU()]), np.ones((3, 4)), r"occlusion takes images \(N, C, H, W\)"),
            (NETWORK, X.astype(np.float32), "computes in float64"),
            (NETWORK, (X * 255).astype(np.uint8), " uint8"),
            (NETWORK, np.full_like(X, np.nan), "x must be finite"),
            (NETWORK, X[0], "takes"),
        ],
    )
    def test_inputs(self, network: Network, x: np.ndarray, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            occlusion(network, x)

    def test_no_array(self) -> None:
        with pytest.raises(TypeError, match="takes a NumPy array"):
            occlusion(NETWORK, X.tolist())  # type: ignore[arg-type]


def test_the_result_is_frozen() -> None:
    got = occlusion(NETWORK, X[:1], size=5)
    assert isinstance(got, Occlusion)
    with pytest.raises(AttributeError):
        got.map = got.drops  # type: ignore[misc]
