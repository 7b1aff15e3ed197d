"""A compiled network computes again only what a window can reach: equal to running every covered copy."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network, kernels, models
from nnlite.decision_based.occlusion import filling, occlusion
from nnlite.engine import patch_steps
from nnlite.kernels import patches
from nnlite.layers import (
    GELU,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool,
    Hardswish,
    Identity,
    Layer,
    LeakyReLU,
    LogSoftmax,
    MaxPool2d,
    PReLU,
    ReLU,
    ReLU6,
    Reshape,
    Sigmoid,
    Softmax,
    Softplus,
    Tanh,
)
from nnlite.walk import scores_of_covered

BACKENDS = ("numpy", "numba")
SIMPLE = [
    ReLU(), Tanh(), LeakyReLU(0.1), Sigmoid(), Softmax(), LogSoftmax(), Identity(), Dropout(0.5), Dropout2d(0.5),
    PReLU(0.25), GELU(), Hardswish(), ReLU6(), Softplus(),
]  # fmt: skip
FILLS: list[Any] = [0.0, 0.5, "mean", "blur", "noise", "flip", "array"]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    if request.param == "numba":
        pytest.importorskip("numba")
    kernels.use(request.param)
    return request.param


# ------------------------------------------------------------------------------------------------ the plain form


def covered(x: np.ndarray, filled: np.ndarray, size: tuple[int, int], stride: tuple[int, int]) -> np.ndarray:
    """(rows, columns, N, C, H, W): the batch with a window at each position."""
    counts = [-(-(n - k) // s) + 1 for n, k, s in zip(x.shape[2:], size, stride, strict=True)]
    copies = np.broadcast_to(x, (*counts, *x.shape)).copy()
    for r, q in np.ndindex(*counts):
        top, left = r * stride[0], q * stride[1]
        window = (..., slice(top, top + size[0]), slice(left, left + size[1]))
        copies[r, q][window] = filled[window]
    return copies


def plainly(network: Network, copies: np.ndarray) -> np.ndarray:
    """The output for each copy: (rows, columns, N, ...)."""
    z = network.forward(copies.reshape(-1, *copies.shape[3:]))[-1]
    return z.reshape(*copies.shape[:3], *z.shape[1:])


def check(
    network: Network, x: np.ndarray, fill: Any, size: tuple[int, int], stride: tuple[int, int], **more: Any
) -> None:
    """Drops and classes of a compiled network agree with those of every copy run plainly, in both dtypes."""
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        net, image = network.astype(dtype), x.astype(dtype)
        cover = fill.astype(dtype) if isinstance(fill, np.ndarray) else fill
        copies = covered(image, filling(image, cover, window=size), size, stride)
        scores, clean = plainly(net.to_scores(), copies), net.scores(image)
        target = clean.argmax(axis=1)
        n = np.arange(len(x))
        got = occlusion(net.compile(), image, target, fill=cover, size=size, stride=stride, **more)
        largest = max(abs(scores).max(), abs(clean).max())
        drops = (clean[n, target] - scores[:, :, n, target]).transpose(2, 0, 1)
        np.testing.assert_allclose(got.drops, drops, rtol=0, atol=2 * tolerance * largest)
        assert got.predicted is not None
        best = scores.max(axis=-1) - np.take_along_axis(scores, got.predicted.transpose(1, 2, 0)[..., None], -1)[..., 0]
        assert best.max() <= 2 * tolerance * largest  # the class predicted is one of the best, up to rounding
        assert got.drops.dtype == dtype


# ----------------------------------------------------------------------------------------------- random networks


@st.composite
def layers(draw: st.DrawFn) -> tuple[list[Layer], tuple[int, int, int]]:
    """A few local layers that fit an image of this shape, and then perhaps one that is not local."""
    shape = draw(st.integers(1, 3)), draw(st.integers(5, 13)), draw(st.integers(5, 13))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    row: list[Layer] = []

    def pair(low: int, high: int) -> tuple[int, int]:
        return draw(st.integers(low, high)), draw(st.integers(low, high))

    for _ in range(draw(st.integers(1, 4))):
        channels = Network(row).output_shape((1, *shape))[1]
        kind = draw(st.sampled_from(["conv", "plain", "max", "mean", "back", "element", "norm"]))
        layer: Layer
        if kind == "plain":
            size = pair(1, 5)
            padding = draw(st.integers(0, 4)), draw(st.integers(0, 4))
            filters = draw(st.integers(1, 5))
            b = rng.normal(size=filters) if draw(st.booleans()) else None
            layer = Conv2d(rng.normal(size=(filters, channels, *size)), b, padding=padding)
        elif kind in ("conv", "back"):
            groups = draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
            filters = groups * draw(st.integers(1, 2))
            options: dict[str, Any] = {
                "b": rng.normal(size=filters), "stride": pair(1, 3), "padding": pair(0, 2), "dilation": pair(1, 2),
                "groups": groups,
            }  # fmt: skip
            size = pair(1, 3)
            if kind == "conv":
                layer = Conv2d(rng.normal(size=(filters, channels // groups, *size)), **options)
            else:
                most = [max(s, d) - 1 for s, d in zip(options["stride"], options["dilation"], strict=True)]
                extra = tuple(draw(st.integers(0, m)) for m in most)
                W = rng.normal(size=(channels, filters // groups, *size))
                layer = ConvTranspose2d(W, **options, output_padding=extra)
        elif kind in ("max", "mean"):
            size = pair(1, 3)
            options = {
                "stride": pair(1, 3), "padding": tuple(draw(st.integers(0, k // 2)) for k in size),
                "ceil_mode": draw(st.booleans()),
            }  # fmt: skip
            layer = (
                MaxPool2d(size, **options)
                if kind == "max"
                else AvgPool2d(size, **options, count_include_pad=draw(st.booleans()))
            )
        elif kind == "norm":
            layer = BatchNorm(*rng.normal(size=(3, channels)), rng.random(channels) + 0.5)
        else:
            layer = draw(
                st.sampled_from(
                    [
                        ReLU(),
                        Tanh(),
                        LeakyReLU(0.1),
                        Sigmoid(),
                        Softmax(),
                        LogSoftmax(),
                        Identity(),
                        Dropout(0.5),
                        Dropout2d(0.5),
                    ]
                )
            )
        try:
            out = Network([*row, layer]).output_shape((1, *shape))
        except ValueError:  # too small for another one
            continue
        if max(out[2:]) < 30:
            row.append(layer)
    features = Network(row).output_shape((1, *shape))
    if draw(st.booleans()):
        row.append(GlobalAvgPool())
        features = (1, features[1])
    row += [Flatten(), Dense(rng.normal(size=(int(np.prod(features)), 3)), rng.normal(size=3))]
    return row, shape


@st.composite
def cases(draw: st.DrawFn) -> dict[str, Any]:
    row, shape = draw(layers())
    size = draw(st.integers(1, shape[1])), draw(st.integers(1, shape[2]))
    stride = draw(st.integers(1, size[0])), draw(st.integers(1, size[1]))
    x = np.random.default_rng(draw(st.integers(0, 10**6))).random((draw(st.integers(1, 3)), *shape))
    x *= x > draw(st.sampled_from([0.0, 0.6, 0.95]))  # black ground
    fill = draw(st.sampled_from(FILLS))
    fill = np.linspace(-1, 1, x[0].size).reshape(shape) if isinstance(fill, str) and fill == "array" else fill
    memory = draw(st.sampled_from([1, 20_000, 2**24]))
    return {"network": Network(row), "x": x, "fill": fill, "size": size, "stride": stride, "memory": memory}


@pytest.fixture(autouse=True, scope="module")
def patch_by_patch() -> Iterator[None]:
    """Whether it pays or not."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patch_steps, "PAYS", -np.inf)
        yield


@pytest.mark.parametrize("few", [0, 64], ids=["again", "changes"])
@settings(deadline=None, derandomize=True, max_examples=150)
@given(case=cases())
def test_equal_to_the_plain_form(few: int, case: dict[str, Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(patch_steps, "FEW_FILTERS", few)
        check(**case)


@st.composite
def pooled_cases(draw: st.DrawFn) -> dict[str, Any]:
    """Convolutions, each with a pooling by windows side by side, and perhaps ReLUs between: they go as one step."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    row, channels = list[Layer](), draw(st.integers(1, 2))
    shape = (channels, draw(st.integers(10, 16)), draw(st.integers(10, 16)))
    for _ in range(2):
        W = rng.normal(size=(draw(st.integers(1, 4)), channels, draw(st.integers(1, 3)), draw(st.integers(1, 3))))
        bias = rng.normal(size=len(W)) if draw(st.booleans()) else None
        padding = draw(st.integers(0, 1)), draw(st.integers(0, 1))
        row += [
            Conv2d(W, bias, padding=padding),
            *[ReLU()] * draw(st.integers(0, 2)),
            MaxPool2d(draw(st.integers(1, 2))),
        ]
        channels = len(W)
    features = int(np.prod(Network(row).output_shape((1, *shape))))
    size = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    x = rng.random((draw(st.integers(1, 2)), *shape)) - draw(st.sampled_from([0.0, 0.5]))
    network = Network([*row, Flatten(), Dense(rng.normal(size=(features, 3)))])
    return {"network": network, "x": x, "fill": draw(st.sampled_from([0.0, 0.7])), "size": size, "stride": (1, 1)}


@settings(deadline=None, derandomize=True, max_examples=100)
@given(case=pooled_cases())
def test_pooled_before_it_is_written(case: dict[str, Any]) -> None:
    check(**case)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(case=cases())
def test_equal_to_the_plain_form_on_the_numpy_backend(case: dict[str, Any]) -> None:
    with kernels.use("numpy"):
        check(**case)


# ------------------------------------------------------------------------------------------------ cases by hand

rng = np.random.default_rng(4)
X = np.where(rng.random((2, 2, 12, 11)) > 0.5, rng.random((2, 2, 12, 11)), 0)
LOCAL = [
    Conv2d(rng.normal(size=(4, 2, 3, 3)), rng.normal(size=4), padding=1), ReLU(), MaxPool2d(2, padding=1),
    Conv2d(rng.normal(size=(6, 4, 3, 3)), rng.normal(size=6)), BatchNorm(*rng.normal(size=(3, 6)), np.ones(6)), Tanh(),
    AvgPool2d(2, ceil_mode=True, count_include_pad=False),
]  # fmt: skip
FEATURES = int(np.prod(Network(LOCAL).output_shape(X.shape)[1:]))
END = [Flatten(), Dense(rng.normal(size=(FEATURES, 3)), rng.normal(size=3))]
NETWORK = Network([*LOCAL, *END])


@pytest.mark.usefixtures("backend")
@pytest.mark.parametrize("fill", FILLS, ids=str)
@pytest.mark.parametrize(("size", "stride"), [((3, 3), (1, 1)), ((5, 4), (2, 3)), ((1, 1), (1, 1)), ((12, 11), (1, 1))])
def test_every_fill_on_both_backends(fill: Any, size: Any, stride: Any) -> None:
    fill = rng.random((2, 1, 11)) if fill == "array" else fill
    check(NETWORK, X, fill, size, stride)
    got = occlusion(NETWORK.compile(), X, 1, fill=fill, size=size, stride=stride, score="probability")
    p = plainly(Network([*NETWORK, Softmax()]), covered(X, filling(X, fill, window=size), size, stride))
    clean = Network([*NETWORK, Softmax()]).forward(X)[-1]
    np.testing.assert_allclose(got.drops, (clean[:, 1] - p[..., 1]).transpose(2, 0, 1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("target", [("conv1", 2), ("relu1", (1, 3, 4)), ("pool2", 5), ("flatten1", 7), ("dense1", 0)])
def test_the_walk_ends_at_the_neuron(target: Any) -> None:
    part = NETWORK[: NETWORK.index(target[0]) + 1]
    place = target[1] if isinstance(target[1], tuple) else (target[1],)

    copies = covered(X, 0 * X, (3, 3), (2, 2))
    z, clean = plainly(part, copies), part.forward(X)[-1]
    f, of_x = (
        a.reshape(-1, *clean.shape[1:])[(slice(None), *place)].reshape(a.size // clean[0].size, -1).sum(axis=1)
        for a in (z, clean)
    )
    got = occlusion(NETWORK.compile(), X, target, size=3, stride=2)
    np.testing.assert_allclose(got.drops, (of_x - f.reshape(z.shape[:3])).transpose(2, 0, 1), rtol=0, atol=1e-11)


class Centred(Conv2d):
    """A convolution of what differs from the mean of the image: not local, though it is a Conv2d."""

    def forward(self, a: np.ndarray) -> np.ndarray:
        return super().forward(a - a.mean(axis=(2, 3), keepdims=True))


class CentredElements(ReLU):
    def forward(self, a: np.ndarray) -> np.ndarray:
        return super().forward(a - a.mean(axis=(2, 3), keepdims=True))


class TestWhereALayerIsNotLocal:
    @pytest.mark.parametrize("odd", ["subclass", "elements", "mask", "reshape", "mean", "dense"])
    def test_whole_copies_go_on(self, odd: str) -> None:
        row: list[Layer] = list(LOCAL[:2])
        if odd == "subclass":
            row += [Centred(rng.normal(size=(4, 4, 3, 3)), padding=1), *LOCAL[2:], *END]
        elif odd == "elements":
            row += [CentredElements(), *LOCAL[2:], *END]
        elif odd == "mask":
            row += [Dropout(0.5).draw(rng, (1, 4, 12, 11)), *LOCAL[2:], *END]
        elif odd == "reshape":
            row += [Reshape((2, 24, 11)), MaxPool2d(2), Flatten(), Dense(rng.normal(size=(2 * 12 * 5, 3)))]
        elif odd == "mean":
            row += [GlobalAvgPool(), Flatten(), Dense(rng.normal(size=(4, 3)))]
        else:
            row = [Flatten(), Dense(rng.normal(size=(X[0].size, 3)))]
        check(Network(row), X, 0.0, (4, 3), (1, 2))

    def test_a_mask_for_each_sample_takes_its_own_batch(self) -> None:
        masks = Network([*LOCAL[:2], Dropout(0.5), *LOCAL[2:], *END]).sample(rng, X.shape)
        x = X.copy()
        x[0, :, :6] = 0  # so that some windows change the second sample only
        got = occlusion(masks.compile(), x, 1, size=3)
        copies = covered(x, 0 * x, (3, 3), (1, 1))
        for r, q in np.ndindex(*copies.shape[:2]):
            expected = masks.scores(x)[:, 1] - masks.scores(copies[r, q])[:, 1]
            np.testing.assert_allclose(got.drops[:, r, q], expected, rtol=0, atol=1e-11)

    def test_a_forward_that_was_replaced_is_called_on_whole_copies(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for kind in (Conv2d, ReLU, MaxPool2d):
            with monkeypatch.context() as patch:
                plain = kind.forward

                def centred(self: Layer, a: np.ndarray, plain: Any = plain) -> np.ndarray:
                    return plain(self, a - a.mean(axis=(2, 3), keepdims=True))

                patch.setattr(kind, "forward", centred)
                check(NETWORK, X, 0.0, (4, 3), (1, 2))


class TestEachSampleByItself:
    """What one sample holds plays no part in the bits of another."""

    @pytest.mark.parametrize("value", [-0.5, 1e8, 0.0])
    @pytest.mark.parametrize("how", ["plain", "compiled"])
    def test_another_value_in_one_leaves_the_bits_of_the_other(self, how: str, value: float) -> None:
        row = [
            Conv2d(rng.normal(size=(4, 2, 3, 3))),
            Tanh(),
            MaxPool2d(2),
            Conv2d(rng.normal(size=(6, 4, 2, 2))),
            Tanh(),
        ]
        features = int(np.prod(Network(row).output_shape(X.shape)[1:]))
        network = Network([*row, Flatten(), Dense(rng.normal(size=(features, 3)))]).astype(np.float32)
        network = network.compile() if how == "compiled" else network
        x = X.astype(np.float32)
        other = x.copy()
        other[1, :, 5, 5:9] = value
        before, after = (occlusion(network, image, 1, size=3) for image in (x, other))
        assert before.drops[0].tobytes() == after.drops[0].tobytes()

    @pytest.mark.parametrize("how", ["plain", "compiled"])
    def test_how_many_windows_change_another_sample_plays_no_part(self, how: str) -> None:
        """One row through BLAS is another sum than one of two."""
        dense = [Dense(rng.normal(size=(784, 64))), ReLU(), Dense(rng.normal(size=(64, 3)))]
        network = Network([Flatten(), *dense]).astype(np.float32)
        network = network.compile() if how == "compiled" else network
        x = np.zeros((2, 1, 28, 28), np.float32)
        x[0, 0, 7:21, 7:21] = rng.random((14, 14))
        bright = x.copy()
        bright[1, 0, ::3] = 0.5
        options = {"size": 28, "fill": rng.random((1, 28, 28)).astype(np.float32)}
        same = np.stack([x[0], options["fill"]])  # the second sample is as it is covered: no copy of it runs
        before, after = (occlusion(network, image, 1, **options) for image in (same, bright))
        at_x = [network.scores(image)[0, 1] for image in (same, bright)]
        assert at_x[0] == at_x[1]
        assert before.drops[0].tobytes() == after.drops[0].tobytes()


class TestWhatIsSaved:
    def test_a_window_that_changes_no_pixel_needs_no_work(self) -> None:
        x = np.zeros((1, 2, 12, 11))
        x[:, :, 2, 3] = 1
        got, seen = forwards(Dense, lambda: occlusion(NETWORK.compile(), x, 0, size=2))
        assert [len(a) for a, _ in seen if len(a) > 1] == [4]  # the four windows with the one bright pixel
        assert np.count_nonzero(got.drops) == 4
        assert got.predicted is not None
        assert (got.predicted[got.drops == 0] == NETWORK.predict(x)[0]).all()

    def test_layers_see_only_what_the_window_can_reach(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(patch_steps, "FEW_FILTERS", 0)
        network = Network([*LOCAL[:2], Flatten(), Dense(np.ones((4 * 12 * 11, 2)))]).compile()
        _, seen = forwards(Conv2d, lambda: occlusion(network, X, 0, size=(2, 1)))
        shapes = {a.shape[1:] for a, _ in seen} - {X.shape[1:]}  # x itself may run in a row
        assert shapes == {(2, 6, 5)}  # 3 × 3 around 2 × 1 is 4 × 3, and sees 6 × 5

    @pytest.mark.parametrize(("size", "layers"), [(5, 6), (8, 0), (28, 0)])
    def test_a_window_too_large_to_pay_runs_whole_copies(
        self, size: int, layers: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(patch_steps, "PAYS", 1 / 3)
        network = models.load("lenet")
        x = np.random.default_rng(0).random((1, 1, 28, 28)).astype(np.float32)
        at = patch_steps.Patches(np.zeros(1, int), np.full((2, 1), (28 - size) // 2), (size, size))
        assert len(patch_steps.plan(network, network.forward(x), at)[0]) == layers
        check(network, x, 0.0, (size, size), (4, 4))

    @pytest.mark.parametrize("few", [0, 64])
    @pytest.mark.parametrize("memory", [1, 50_000, 400_000])
    def test_the_memory_is_bounded(self, few: int, memory: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(patch_steps, "FEW_FILTERS", few)
        windows = [[slice(i, i + 3) for i in range(n - 2)] for n in X.shape[2:]]
        covered = partial(scores_of_covered, NETWORK.compile(), X, 0 * X, *windows, memory)
        held, calls = forwards((Conv2d, ReLU, MaxPool2d, AvgPool2d, Dense), lambda: [z for _, z in covered()])
        calls = [(a, z) for a, z in calls if a.shape[1:] != X.shape[1:]]
        assert sum(map(len, held)) == 2 * 10 * 9
        if memory == 1:
            assert {len(a) for a, _ in calls} == {1}
        else:
            assert memory / 4 < max(a.nbytes + z.nbytes for a, z in calls) <= memory


def forwards(kinds: Any, compute: Callable[[], Any]) -> tuple[Any, list[tuple[np.ndarray, np.ndarray]]]:
    """What is computed, and what went into the layers of these kinds and came out: watched, for nothing is replaced."""
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    codes = {kind.forward.__code__ for kind in (kinds if isinstance(kinds, tuple) else (kinds,))}

    def profile(frame: FrameType, event: str, given: Any) -> None:
        if event == "return" and frame.f_code in codes and isinstance(frame.f_locals["self"], kinds):
            seen.append((frame.f_locals["a"], given))

    sys.setprofile(profile)
    try:
        return compute(), seen
    finally:
        sys.setprofile(None)


class TestExtremes:
    @pytest.mark.parametrize("few", [0, 64])
    def test_a_bright_pixel_leaves_no_rounding_behind(self, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """z = 10⁸ w, minus 10⁸ w: nothing would be left of what the other pixels give."""
        monkeypatch.setattr(patch_steps, "FEW_FILTERS", few)
        network = Network([*LOCAL[:1], Tanh(), *LOCAL[2:], *END])
        x = X.copy()
        x[:, :, 5, 5] = 1e8
        check(network, x, 0.0, (3, 3), (1, 1))

    def test_infinities_on_the_way(self) -> None:
        W = rng.normal(size=(4, 2, 3, 3))
        W[0, 0] = 1.7e308
        network = Network([Conv2d(W, padding=1), Tanh(), *LOCAL[2:], *END])
        x = X * 3
        with np.errstate(all="ignore"):
            assert np.isinf(network.forward(x)[1]).any()
            copies = covered(x, 0 * x, (3, 3), (1, 1))
            drops = network.scores(x)[:, 1] - plainly(network, copies)[..., 1]
            got = occlusion(network.compile(), x, 1, size=3)
        np.testing.assert_allclose(got.drops, drops.transpose(2, 0, 1), rtol=0, atol=1e-11)

    def test_a_cover_that_gives_no_number_is_an_error(self) -> None:
        fast = Network([*LOCAL[:2], Flatten(), Dense(np.ones((4 * 12 * 11, 2)))]).compile()
        with np.errstate(all="ignore"), pytest.raises(ValueError, match="layer dense1 hold a NaN or an infinity"):
            occlusion(fast, X, 0, fill=1.7e308)

    def test_on_a_shipped_network_in_float32(self) -> None:
        network = models.load("lenet")
        x = np.zeros((1, 1, 28, 28), np.float32)
        x[0, 0, 5:23, 12:16] = 1  # a one
        for fill in (0.0, "noise", "flip"):
            check(network, x, fill, (5, 5), (1, 1))


# --------------------------------------------------------------------------------------------------- the kernels


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    seed=st.integers(0, 10**6), dtype=st.sampled_from([np.float32, np.float64]), special=st.booleans(),
    maps=st.tuples(*[st.integers(1, 3)] * 2, *[st.integers(3, 8)] * 2), patch=st.tuples(*[st.integers(1, 3)] * 2),
    filters=st.integers(1, 4), kernel=st.tuples(*[st.integers(1, 3)] * 2), padding=st.tuples(*[st.integers(0, 3)] * 2),
    size=st.tuples(*[st.integers(1, 9)] * 2), count=st.integers(0, 5), pool=st.tuples(*[st.integers(1, 3)] * 2),
    least=st.sampled_from([-np.inf, 0.0]),
)  # fmt: skip
def test_the_two_forms_of_each_kernel(
    seed: int, dtype: Any, special: bool, maps: Any, patch: Any, filters: int, kernel: Any, padding: Any, size: Any,
    count: int, pool: Any, least: float,
) -> None:  # fmt: skip
    draw = np.random.default_rng(seed)
    a = draw.normal(size=maps).astype(dtype)
    corner, outside = draw.integers(-3, 6, (2, 2, count))
    sample = draw.integers(0, len(a), count)
    parts = [form(a, sample, outside, size, -np.inf) for form in (patches.crop_numpy, patches.crop_numba)]
    assert np.array_equal(*parts)
    changed = draw.normal(size=(count, maps[1], *patch)).astype(dtype)
    if special:
        changed[draw.random(changed.shape) < 0.2] = np.nan
    pasted = [form(part, changed, corner) for form, part in zip((patches.paste_numpy, patches.paste_numba), parts)]  # noqa: B905
    assert np.array_equal(*pasted, equal_nan=True)

    layer = Conv2d(draw.normal(size=(filters, maps[1], *kernel)).astype(dtype), padding=padding)
    inside = np.array([draw.integers(0, n - k + 1, count) for n, k in zip(maps[2:], patch, strict=True)])
    z = layer.forward(a)
    size = tuple(min(k, n) for k, n in zip(size, z.shape[2:], strict=True))
    above = np.array([draw.integers(0, n - k + 1, count) for n, k in zip(z.shape[2:], size, strict=True)])
    pool = tuple(map(min, pool, size))  # what is left of the windows is whole
    size = tuple(k // p * p for k, p in zip(size, pool, strict=True))
    given = (a, z, layer.W, padding, changed, sample, inside, above, size, pool, least)
    with np.errstate(invalid="ignore"):
        one, other = patches.changed_convolution_numpy(*given), patches.changed_convolution_numba(*given)
        whole = a[sample]
        patches.paste_numpy(whole, changed, inside)
        reached = patches.crop_numpy(layer.forward(whole), np.arange(count), above, size, 0.0) if count else one
        expected = np.maximum(MaxPool2d(pool).forward(reached), dtype(least)) if count else one
    tolerance = {"rtol": 0, "atol": 1e-12 if dtype == np.float64 else 1e-4}
    np.testing.assert_allclose(one, expected, **tolerance)
    np.testing.assert_allclose(other, expected, **tolerance)
