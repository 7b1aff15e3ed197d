"""DeepLIFT against the paper written out in plain loops, and against what it promises: Σ R = f(x) − f(x′)."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network, models
from nnlite.decision_based import gradient
from nnlite.decision_based.deeplift import deeplift
from nnlite.decision_based.integrated_gradients import completeness_gap
from nnlite.layers import (
    ELU,
    GELU,
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Hardswish,
    Identity,
    LeakyReLU,
    Mask,
    MaxPool2d,
    Pad,
    Permute,
    PReLU,
    ReLU,
    Reshape,
    Sigmoid,
    SiLU,
    Slice,
    Softmax,
    Softplus,
    Tanh,
    Upsample,
)

BOTH = pytest.mark.parametrize("rule", ["rescale", "reveal-cancel"])
ONE_INPUT_EACH = (BatchNorm, Flatten, Reshape, Identity, Mask, Pad, Permute, Slice)


def networks(seed: int = 5) -> dict[str, tuple[Network, tuple[int, ...]]]:
    rng = np.random.default_rng(seed)

    def w(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) * 0.6

    def norm(channels: int) -> BatchNorm:
        gamma = w(channels)
        gamma[0] = -abs(gamma[0])  # one channel is turned round
        return BatchNorm(gamma, w(channels), w(channels), rng.random(channels) + 0.5)

    return {
        "dense": (Network([Dense(w(5, 4), w(4)), ReLU(), Dense(w(4, 3), w(3)), Tanh(), Dense(w(3, 3))]), (5,)),
        "overlapping pools": (
            Network(
                [Conv2d(w(4, 2, 3, 3), w(4), padding=1), norm(4), ReLU(), MaxPool2d(3, stride=2, padding=1),
                 Conv2d(w(4, 2, 2, 2), stride=1, groups=2), Dropout(0.5), Sigmoid(), AvgPool2d(2, stride=1),
                 Flatten(), Dense(w(4, 3), w(3))]
            ),
            (2, 6, 5),
        ),
        "ReLU behind the pool": (
            Network(
                [Conv2d(w(3, 1, 3, 3), w(3), stride=(1, 2), padding=1), MaxPool2d(2, stride=1), norm(3), ReLU(),
                 Conv2d(w(2, 3, 2, 2), dilation=(2, 1)), Flatten(), norm(4), ReLU(), Dense(w(4, 3))]
            ),
            (1, 5, 5),
        ),
        "up and the mean": (
            Network(
                [Reshape((1, 2, 2)), ConvTranspose2d(w(1, 3, 3, 3), w(3), stride=2), norm(3), LeakyReLU(0.1),
                 MaxPool2d((2, 3), stride=1), MaxPool2d(2, ceil_mode=True), GlobalAvgPool(), Flatten(), Dense(w(3, 3))]
            ),
            (4,),
        ),
        "nonlinearities in a row": (
            Network([ReLU(), Tanh(), Dense(w(5, 4), w(4)), LeakyReLU(0.2), ReLU(), Dense(w(4, 3), w(3)), Sigmoid()]),
            (5,),
        ),
        "other grids": (
            Network(
                [Slice(2, 1), Pad((1, 1, 0), (0, 2, 1)), Conv2d(w(4, 3, 2, 2), w(4)), Pad((0, 1, 2), mode="reflect"),
                 Permute((2, 3, 1)), GELU(), Permute((3, 1, 2)), Upsample(2, "bilinear"), Hardswish(),
                 AdaptiveAvgPool2d(3), Conv2d(w(2, 4, 2, 2)), Upsample((1, 2)), PReLU(w(1)), Flatten(), SiLU(),
                 Dense(w(16, 3), w(3))]
            ),
            (2, 5, 4),
        ),
        "along the last axis": (
            Network([Dense(w(4, 3), w(3)), Softplus(2.0), Dense(w(3, 2)), ELU(0.7), Flatten(), Dense(w(10, 3), w(3))]),
            (5, 4),
        ),
        "a draw": (Network([Dense(w(5, 4)), Mask(rng.random((1, 4)) - 0.3), ReLU(), Dense(w(4, 3))]), (5,)),
    }  # fmt: skip


NETWORKS = networks()
EACH = pytest.mark.parametrize("name", NETWORKS)


def pixels(shape: tuple[int, ...], seed: int, n: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and references: the first on a coarse grid, so that winners tie and pixels agree."""
    rng = np.random.default_rng(seed)
    x, r = rng.normal(size=(2, n, *shape))
    x[0], r[0] = np.round(x[0]), np.round(r[0])
    r[1] = 0
    return x, np.where(rng.random(r.shape) < 0.2, x, r)


# ------------------------------------------------------------------------------- the paper, one sample, plain loops


def stages(network: Network, shape: tuple[int, ...]) -> list[tuple[str, Any]]:
    """The network on flat vectors: ("linear", (W, b)), ("max", the windows) and ("each", a layer).

    A sum and the layers behind it that add nothing are one linear map, as if they had been merged.
    """
    found: list[tuple[str, Any]] = []
    for layer in network:
        size = int(np.prod(shape))
        above = layer.output_shape((1, *shape))[1:]
        if layer.pointwise and not layer.linear:
            found.append(("each", layer))
        elif isinstance(layer, MaxPool2d):
            found.append(("max", windows(layer, shape, above)))
        else:
            b = layer.forward(np.zeros((1, *shape))).reshape(-1)
            W = layer.forward(np.eye(size).reshape(size, *shape)).reshape(size, -1) - b
            if isinstance(layer, ONE_INPUT_EACH) and found and found[-1][0] == "linear":
                before, b_before = found.pop()[1]
                W, b = before @ W, b_before @ W + b
            found.append(("linear", (W, b)))
        shape = above
    return found


def windows(layer: MaxPool2d, shape: tuple[int, ...], above: tuple[int, ...]) -> list[list[int]]:
    (kh, kw), (sh, sw), (ph, pw) = layer.size, layer.stride, layer.padding
    _, H, W = shape
    return [
        [
            (c * H + y * sh - ph + i) * W + x * sw - pw + j
            for i, j in product(range(kh), range(kw))
            if 0 <= y * sh - ph + i < H and 0 <= x * sw - pw + j < W
        ]
        for c, y, x in product(*map(range, above))
    ]


def one(layer: Any, value: float) -> float:
    return layer.forward(np.array([[value]]))[0, 0]


def slope(layer: Any, value: float) -> float:
    return layer.backward(np.array([[value]]), np.ones((1, 1)))[0, 0]


def upward(kind: str, what: Any, a: list[float]) -> list[float]:
    if kind == "linear":
        W, b = what
        return [b[k] + sum(a[j] * W[j, k] for j in range(len(a))) for k in range(len(b))]
    if kind == "max":
        return [max(a[j] for j in window) for window in what]
    return [one(what, value) for value in a]


def plain_deeplift(network: Network, x: np.ndarray, r: np.ndarray, top: np.ndarray, rule: str) -> np.ndarray:
    steps = stages(network, x.shape)
    a, a0 = [list(x.reshape(-1))], [list(r.reshape(-1))]
    for kind, what in steps:
        a.append(upward(kind, what, a[-1]))
        a0.append(upward(kind, what, a0[-1]))
    m_plus, m_minus = list(top), list(top)
    for i in reversed(range(len(steps))):
        kind, what = steps[i]
        d = [u - v for u, v in zip(a[i], a0[i], strict=True)]
        d_out = [u - v for u, v in zip(a[i + 1], a0[i + 1], strict=True)]
        if kind == "linear":
            m_plus = linear(what[0], d, m_plus, m_minus)
            m_minus = m_plus
            continue
        m = [p if change >= 0 else q for p, q, change in zip(m_plus, m_minus, d_out, strict=True)]
        if kind == "max":
            m_plus = maximum(what, a[i], a0[i], m)
            m_minus = m_plus
        elif rule == "rescale":
            pairs = zip(d, d_out, m, a[i], strict=True)
            m_plus = [slope(what, z) * g if dz == 0 else dy / dz * g for dz, dy, g, z in pairs]
            m_minus = m_plus
        else:
            behind_sum = i > 0 and steps[i - 1][0] == "linear"
            m_plus, m_minus = [], []
            for k, g in enumerate(m):
                terms = (
                    [steps[i - 1][1][0][j, k] * (a[i - 1][j] - a0[i - 1][j]) for j in range(len(a[i - 1]))]
                    if behind_sum
                    else [d[k]]
                )
                both = reveal_cancel(
                    what, a0[i][k], a[i][k], sum(t for t in terms if t > 0), sum(t for t in terms if t < 0)
                )
                m_plus.append(both[0] * g)
                m_minus.append(both[1] * g)
    m = [p if change > 0 else q for p, q, change in zip(m_plus, m_minus, d, strict=True)]
    return np.array([g * change for g, change in zip(m, d, strict=True)]).reshape(x.shape)


def linear(W: np.ndarray, d: list[float], m_plus: list[float], m_minus: list[float]) -> list[float]:
    """Shrikumar et al. 2017, sec. 3.5.1."""
    m = []
    for j in range(len(d)):
        total = 0.0
        for k in range(W.shape[1]):
            if d[j] == 0:
                total += 0.5 * W[j, k] * (m_plus[k] + m_minus[k])
            else:
                total += W[j, k] * (m_plus[k] if W[j, k] * d[j] > 0 else m_minus[k])
        m.append(total)
    return m


def reveal_cancel(phi: Any, z0: float, z: float, plus: float, minus: float) -> tuple[float, float]:
    """Shrikumar et al. 2017, sec. 3.5.3."""
    y0, y_plus, y_minus, y = (one(phi, v) for v in (z0, z0 + plus, z0 + minus, z0 + plus + minus))
    up = 0.5 * (y_plus - y0) + 0.5 * (y - y_minus)
    down = 0.5 * (y_minus - y0) + 0.5 * (y - y_plus)
    return (
        up / plus if plus else slope(phi, z),
        down / minus if minus else slope(phi, z),
    )


def maximum(places: list[list[int]], a: list[float], a0: list[float], m: list[float]) -> list[float]:
    share, derivative = [0.0] * len(a), [0.0] * len(a)
    for window, g in zip(places, m, strict=True):
        winner = max(window, key=lambda j: a[j])  # the first of several
        winner0 = max(window, key=lambda j: a0[j])
        change = a[winner] - a0[winner0]
        derivative[winner] += g
        share[winner if change > 0 else winner0] += g * change
    return [derivative[j] if a[j] == a0[j] else share[j] / (a[j] - a0[j]) for j in range(len(a))]


@EACH
@BOTH
class TestEveryNetwork:
    def test_the_plain_loops_give_the_same(self, name: str, rule: str) -> None:
        network, shape = NETWORKS[name]
        x, r = pixels(shape, seed=1)
        targets = [0, 1, 2, 1]
        R = deeplift(network, x, targets, reference=r, rule=rule)
        for n, target in enumerate(targets):
            expected = plain_deeplift(network, x[n], r[n], np.eye(3)[target], rule)
            assert np.abs(R[n] - expected).max() <= 1e-10 * np.abs(expected).sum()

    def test_the_difference_of_the_score_is_divided_completely(self, name: str, rule: str) -> None:
        network, shape = NETWORKS[name]
        for seed in range(20):
            x, r = pixels(shape, seed, n=8)
            for target in range(3):
                R = deeplift(network, x, target, reference=r, rule=rule)
                change = (network.scores(x) - network.scores(r))[:, target]
                sums = R.reshape(8, -1).sum(axis=1)
                scale = np.abs(R).reshape(8, -1).sum(axis=1)
                assert np.all(np.abs(sums - change) <= 1e-12 * (1 + scale))

    def test_float32_in_float32_out_and_complete_to_its_rounding(self, name: str, rule: str) -> None:
        network, shape = NETWORKS[name]
        x, r = (values.astype(np.float32) for values in pixels(shape, seed=2, n=8))
        single = network.astype(np.float32)
        R = deeplift(single, x, 1, reference=r, rule=rule)
        assert (R.dtype, R.shape) == (np.float32, x.shape)
        change = (single.scores(x) - single.scores(r))[:, 1]
        scale = 1 + np.abs(R).reshape(8, -1).sum(axis=1)
        assert np.all(np.abs(R.reshape(8, -1).sum(axis=1) - change) <= 1e-5 * scale)

    def test_a_batch_is_its_samples_one_at_a_time(self, name: str, rule: str) -> None:
        network, shape = NETWORKS[name]
        x, r = pixels(shape, seed=3)
        R = deeplift(network, x, reference=r, rule=rule)
        for n in range(len(x)):
            alone = deeplift(network, x[n : n + 1], reference=r[n], rule=rule)
            assert np.abs(R[n] - alone[0]).max() <= 1e-10 * np.abs(alone).sum()

    def test_two_equal_inputs_share_nothing(self, name: str, rule: str) -> None:
        network, shape = NETWORKS[name]
        x, _ = pixels(shape, seed=4)
        assert np.array_equal(deeplift(network, x, reference=x, rule=rule), np.zeros_like(x))

    def test_a_batch_of_none_and_an_unchanged_input(self, name: str, rule: str) -> None:
        network, shape = NETWORKS[name]
        x, _ = pixels(shape, seed=7)
        kept = x.copy()
        deeplift(network, x, rule=rule)
        assert np.array_equal(x, kept)
        assert deeplift(network, x[:0], rule=rule).shape == (0, *shape)


@BOTH
@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, 10**6),
    size=st.integers(1, 3),
    stride=st.integers(1, 3),
    padded=st.booleans(),
    ceil_mode=st.booleans(),
    grid=st.sampled_from([1.0, 0.5, 1 / 64]),
)
def test_completeness_whatever_the_windows_and_the_ties(
    rule: str, seed: int, size: int, stride: int, padded: bool, ceil_mode: bool, grid: float
) -> None:
    rng = np.random.default_rng(seed)
    pool = MaxPool2d(size, stride, padding=size // 2 if padded else 0, ceil_mode=ceil_mode)
    conv = Conv2d(np.round(rng.normal(size=(2, 1, 3, 3)) * 2) / 2, padding=int(padded))
    norm = BatchNorm(*rng.normal(size=(3, 2)), rng.random(2) + 0.1)
    body = [conv, norm, ReLU(), pool, Flatten()]
    inputs = Network(body).output_shape((1, 1, 7, 7))[1]
    network = Network([*body, Dense(rng.normal(size=(inputs, 3))), Tanh(), Dense(rng.normal(size=(3, 2)))])
    x, r = np.round(rng.normal(size=(2, 3, 1, 7, 7)) / grid) * grid
    R = deeplift(network, x, 0, reference=r, rule=rule)
    change = (network.scores(x) - network.scores(r))[:, 0]
    assert np.all(np.abs(R.sum(axis=(1, 2, 3)) - change) <= 1e-12 * (1 + np.abs(R).sum(axis=(1, 2, 3))))


# -------------------------------------------------------------------------------------------------- cases by hand

MINIMUM = Network([Dense(np.array([[1.0, 1.0], [0.0, -1.0]])), ReLU(), Dense(np.array([[1.0], [-1.0]]))])


@pytest.mark.parametrize("point", [(5.0, 3.0), (3.0, 5.0), (4.0, 4.0), (0.0, 2.0), (7.0, 0.0)])
def test_the_minimum_of_two_is_halved_by_reveal_cancel(point: tuple[float, float]) -> None:
    """Shrikumar et al. 2017, sec. 3.5.3: min(i1, i2) = relu(i1) − relu(i1 − i2)."""
    R = deeplift(MINIMUM, np.array([point]), rule="reveal-cancel")
    np.testing.assert_allclose(R, [[min(point) / 2, min(point) / 2]], rtol=0, atol=1e-15)


@pytest.mark.parametrize(("point", "all_of_it"), [((5.0, 3.0), 1), ((3.0, 5.0), 0)])
def test_the_minimum_of_two_goes_to_the_smaller_one_by_rescale(point: tuple[float, float], all_of_it: int) -> None:
    assert deeplift(MINIMUM, np.array([point])).tolist() == [[min(point) * (i == all_of_it) for i in (0, 1)]]


class TestMaxPooling:
    POOL = Network([MaxPool2d((1, 2)), Flatten(), Dense(np.array([[3.0]]))])

    @pytest.mark.parametrize(
        ("x", "r", "expected"),
        [
            ([5.0, 1.0], [0.0, 2.0], [9.0, 0.0]),  # from 2 to 5: x's winner made it rise
            ([0.0, 2.0], [5.0, 1.0], [-9.0, 0.0]),  # from 5 to 2: the reference's winner made it fall
            ([4.0, 1.0], [2.0, 4.0], [0.0, 0.0]),  # the winner changed, the maximum did not
            ([4.0, 4.0], [1.0, 2.0], [6.0, 0.0]),  # a tie goes to the first
        ],
    )
    def test_who_made_the_maximum_rise_or_fall(self, x: Any, r: Any, expected: Any) -> None:
        x, r = (np.array(values).reshape(1, 1, 1, 2) for values in (x, r))
        assert deeplift(self.POOL, x, reference=r).reshape(-1).tolist() == expected

    def test_overlapping_windows_add(self) -> None:
        network = Network([MaxPool2d((1, 2), stride=1), Flatten(), Dense(np.array([[1.0], [10.0]]))])
        x, r = np.array([[[[1.0, 5.0, 2.0]]]]), np.array([[[[4.0, 1.0, 2.0]]]])
        # the windows (4, 1) -> (1, 5) and (1, 2) -> (5, 2) rise by 1 and 3, both through the middle pixel
        np.testing.assert_allclose(deeplift(network, x, reference=r), [[[[0, 1 + 30, 0]]]])

    @BOTH
    def test_directly_behind_a_pool_reveal_cancel_is_rescale(self, rule: str) -> None:
        rng = np.random.default_rng(8)
        network = Network(
            [Conv2d(rng.normal(size=(2, 1, 2, 2))), MaxPool2d(2), ReLU(), Flatten(), Dense(rng.normal(size=(8, 1)))]
        )
        x = rng.normal(size=(3, 1, 5, 5))
        np.testing.assert_allclose(deeplift(network, x, rule=rule), deeplift(network, x), rtol=1e-12, atol=1e-14)


def test_saturation_where_the_gradient_sees_nothing() -> None:
    """Shrikumar et al. 2017, fig. 1: y = 1 − relu(1 − i1 − i2), at (1, 1)."""
    network = Network([Dense(-np.ones((2, 1)), np.ones(1)), ReLU(), Dense(-np.ones((1, 1)), np.ones(1))])
    x = np.ones((1, 2))
    assert gradient(network, x).tolist() == [[0, 0]]
    assert deeplift(network, x).tolist() == [[0.5, 0.5]]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(["pools", "leaky", "dense"]),
    rule=st.sampled_from(["rescale", "reveal-cancel"]),
    k=st.integers(-140, 140),
    single=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_the_map_scales_with_the_input_bit_by_bit(name: str, rule: str, k: int, single: bool, seed: int) -> None:
    """Without biases f(2ᵏ x) = 2ᵏ f(x), and a power of two rounds nothing: whatever the unit, the map is the same."""
    dtype = np.float32 if single else np.float64
    network, shape = (WITHOUT_BIASES[name][0].astype(dtype), WITHOUT_BIASES[name][1])
    x, r = (values.astype(dtype) for values in pixels(shape, seed))
    r[2] = x[2] * dtype(1 - 1e-5)  # a reference close by
    factor = dtype(2.0 ** (k / 4 // 1 if single else k))
    R = deeplift(network, x, 0, reference=r, rule=rule)
    assert np.array_equal(deeplift(network, factor * x, 0, reference=factor * r, rule=rule), factor * R)
    change = (network.scores(x) - network.scores(r))[:, 0]
    size = (np.abs(x) + np.abs(r) + np.abs(R)).reshape(len(R), -1).sum(axis=1)  # the weights are of size 1
    assert np.all(np.abs(R.reshape(len(R), -1).sum(axis=1) - change) <= 100 * np.finfo(dtype).eps * size)


def _without_biases() -> dict[str, tuple[Network, tuple[int, ...]]]:
    rng = np.random.default_rng(23)

    def w(*shape: int) -> np.ndarray:
        return rng.normal(size=shape) * 0.6

    return {
        "pools": (
            Network(
                [Conv2d(w(3, 1, 3, 3), padding=1), ReLU(), MaxPool2d(3, stride=2), Conv2d(w(2, 3, 2, 2)), MaxPool2d(2),
                 ReLU(), Flatten(), Dense(w(2, 2))]
            ),
            (1, 7, 7),
        ),
        "leaky": (Network([Dense(w(5, 6)), LeakyReLU(0.2), Dense(w(6, 4)), LeakyReLU(0.2), Dense(w(4, 2))]), (5,)),
        "dense": (Network([Dense(w(5, 6)), ReLU(), Dense(w(6, 4)), ReLU(), Dense(w(4, 2))]), (5,)),
    }  # fmt: skip


WITHOUT_BIASES = _without_biases()


@BOTH
def test_a_kink_is_crossed_however_small_the_step(rule: str) -> None:
    """f(x) = 10⁸ max(0, 10⁻⁸ x − 0.5 · 10⁻⁸) rises from 0 to 0.5: Δa / Δz is ½, where the slope is 1."""
    network = Network([Dense(np.array([[1e-8]]), np.array([-0.5e-8])), ReLU(), Dense(np.array([[1e8]]))])
    np.testing.assert_allclose(deeplift(network, np.ones((1, 1)), 0, rule=rule), [[0.5]], rtol=1e-12)


@BOTH
@pytest.mark.parametrize("unit", [1, 1e-8, 1e-100, 1e100])
def test_winners_change_however_small_the_pixels(rule: str, unit: float) -> None:
    network = Network([MaxPool2d((1, 2)), Flatten(), Dense(np.ones((1, 1)))])
    x, r = unit * np.array([[[[4.0, 0.0]]]]), unit * np.array([[[[0.0, 3.0]]]])
    np.testing.assert_allclose(deeplift(network, x, 0, reference=r, rule=rule), [[[[unit, 0]]]], rtol=1e-12)


@BOTH
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("phi", [Tanh(), Sigmoid()])
def test_the_limit_of_small_steps_is_the_gradient(phi: Any, dtype: Any, rule: str) -> None:
    """The multiplier is never rounding divided by rounding: from step to step it comes nearer to the slope."""
    network, eps = Network([Dense(np.ones((1, 1), dtype)), phi]), np.finfo(dtype).eps
    for start in (0.0, 0.3, -1.5):
        r = np.full((1, 1), start, dtype)
        for step in 2.0 ** -np.arange(1, 30 if dtype == np.float32 else 60):
            x = r + dtype(step)
            if x == r:
                continue
            m = deeplift(network, x, 0, reference=r, rule=rule) / (x - r)
            exact = gradient(network, r, 0)
            assert abs(m - exact) <= 3 * step * abs(exact) + 20 * np.sqrt(eps) * abs(exact)


def test_what_lowers_a_neuron_by_less_than_its_rounding_has_no_huge_multiplier() -> None:
    """Three pixels of 1e-6 cancel to 3e-22, and lower neurons that the others bring to their kink, to 2e-16."""
    rng = np.random.default_rng(0)
    first, second = np.zeros((9, 7)), rng.random((7, 50))
    first[:3, 0], first[3:, 1:] = (0.1, 0.7, -0.8), np.eye(6)
    others = rng.random(6)
    second[0], second[1:] = -1, second[1:] / (others @ second[1:])
    network = Network([Dense(first), Dense(second, -np.ones(50)), ReLU(), Dense(np.ones((50, 1)))])
    x = np.array([[1e-6, 1e-6, 1e-6 * (1 - 3e-16), *others]])
    r = np.array([[0, 0, 0, *0.3 * others]])
    assert 0 < network.forward(x)[1][0, 0] < 1e-21
    R = deeplift(network, x, 0, reference=r, rule="reveal-cancel")
    assert np.abs(R[0, :3]).max() <= 4e-5  # 50 neurons, weights up to 0.8, pixels of 1e-6


# ---------------------------------------------------------------------------------------------------------- laws


@pytest.mark.parametrize("rule", ["linear", "rescale", "reveal-cancel"])
def test_on_a_linear_network_it_is_gradient_times_difference(rule: str) -> None:
    rng = np.random.default_rng(9)
    network = Network(
        [Conv2d(rng.normal(size=(2, 1, 3, 3)), rng.normal(size=2), padding=1), BatchNorm(*rng.random((4, 2))),
         AvgPool2d(2), Dropout(0.3), Flatten(), Dense(rng.normal(size=(18, 2)), rng.normal(size=2))]
    )  # fmt: skip
    x, r = rng.normal(size=(2, 3, 1, 6, 6))
    R = deeplift(network, x, 1, reference=r, rule=rule)
    np.testing.assert_allclose(R, (x - r) * gradient(network, x, 1), rtol=1e-12)


@EACH
def test_swapping_input_and_reference_changes_the_sign_of_rescale(name: str) -> None:
    network, shape = NETWORKS[name]
    x, r = np.random.default_rng(6).normal(size=(2, 4, *shape))  # no ties, no equal pixels
    there, back = deeplift(network, x, 1, reference=r), deeplift(network, r, 1, reference=x)
    assert np.abs(there + back).max() <= 1e-10 * np.abs(there).sum()


@BOTH
def test_a_batchnorm_may_be_merged_or_not(rule: str) -> None:
    rng = np.random.default_rng(10)
    norm, flat = (BatchNorm(*rng.normal(size=(3, n)), rng.random(n) + 0.5) for n in (4, 5))
    network = Network(
        [Conv2d(rng.normal(size=(4, 2, 3, 3))), norm, ReLU(), MaxPool2d(3, stride=1), Flatten(),
         Dense(rng.normal(size=(16, 5)), rng.normal(size=5)), flat, Tanh(), Dense(rng.normal(size=(5, 3)))]
    )  # fmt: skip
    assert norm.gamma.min() < 0 < norm.gamma.max()
    x, r = pixels((2, 6, 6), seed=11)
    R = deeplift(network, x, 2, reference=r, rule=rule)
    np.testing.assert_allclose(deeplift(network.merged(), x, 2, reference=r, rule=rule), R, rtol=1e-9, atol=1e-12)


@BOTH
def test_layers_that_compute_nothing_change_nothing(rule: str) -> None:
    network, shape = NETWORKS["overlapping pools"]
    x, r = pixels(shape, seed=12)
    expected = deeplift(network, x, reference=r, rule=rule)
    between = [item for layer in network for item in (layer, Identity(), Dropout(0.5))]
    assert np.array_equal(deeplift(Network(between), x, reference=r, rule=rule), expected)
    assert np.array_equal(deeplift(Network([*network, Softmax()]), x, reference=r, rule=rule), expected)


@BOTH
def test_a_pixel_that_nothing_depends_on_has_no_share(rule: str) -> None:
    W = np.random.default_rng(13).normal(size=(3, 4))
    W[1] = 0
    network = Network([Dense(W), ReLU(), Dense(np.ones((4, 1)))])
    assert deeplift(network, np.array([[1.0, 5.0, -2.0]]), rule=rule)[0, 1] == 0


class TestTheReference:
    NETWORK, SHAPE = NETWORKS["overlapping pools"]
    X, R = pixels(SHAPE, seed=14)

    def test_zero_unless_given(self) -> None:
        expected = deeplift(self.NETWORK, self.X, reference=np.zeros_like(self.X))
        for reference in (None, 0, 0.0, np.float32(0)):
            assert np.array_equal(deeplift(self.NETWORK, self.X, reference=reference), expected)

    def test_a_number_an_input_or_one_for_each_sample(self) -> None:
        expected = deeplift(self.NETWORK, self.X, reference=np.full_like(self.X, 0.5))
        for reference in (0.5, np.full(self.SHAPE, 0.5), np.full((1, *self.SHAPE), 0.5)):
            assert np.array_equal(deeplift(self.NETWORK, self.X, reference=reference), expected)

    @BOTH
    def test_several_are_averaged(self, rule: str) -> None:
        several = [0, 0.5, np.full(self.SHAPE, -1.0), self.R]
        each = [deeplift(self.NETWORK, self.X, reference=r, rule=rule) for r in several]
        R = deeplift(self.NETWORK, self.X, reference=several, rule=rule)
        np.testing.assert_allclose(R, np.mean(each, axis=0), rtol=1e-12, atol=1e-15)
        assert np.array_equal(deeplift(self.NETWORK, self.X, reference=(0.5,), rule=rule), each[1])
        gap = completeness_gap(self.NETWORK, self.X, R, baseline=several)
        np.testing.assert_allclose(gap, 0, atol=1e-12)

    def test_the_class_is_the_one_predicted_for_x_not_for_the_reference(self) -> None:
        network = Network([Dense(np.eye(2))])
        x, r = np.array([[3.0, 1.0]]), np.array([[0.0, 9.0]])
        assert deeplift(network, x, reference=r).tolist() == [[3, 0]]


@BOTH
@pytest.mark.parametrize("target", [("conv1", 2), ("relu1", (1, 2, 3)), ("pool1", 0), ("dense1", 1), ("batchnorm1", 0)])
def test_a_neuron_is_explained_completely(rule: str, target: Any) -> None:
    network, shape = NETWORKS["overlapping pools"]
    x, r = pixels(shape, seed=15)
    part = network[: network.index(target[0]) + 1]
    index = (slice(None), *target[1]) if isinstance(target[1], tuple) else (slice(None), target[1])
    change = (part.forward(x)[-1] - part.forward(r)[-1])[index].reshape(len(x), -1).sum(axis=1)
    R = deeplift(network, x, target, reference=r, rule=rule)
    np.testing.assert_allclose(R.sum(axis=(1, 2, 3)), change, rtol=1e-12, atol=1e-12)


@BOTH
@pytest.mark.parametrize("name", ["mlp", "lenet", "lenet_avg", "cam_net", "tiny"])
def test_the_shipped_networks(name: str, rule: str) -> None:
    network = models.load(name)
    x, r = np.random.default_rng(16).random((2, 4, *network.input_shape), dtype=np.float32)
    r[0] = 0
    for dtype, tolerance in ((np.float64, 1e-12), (np.float32, 1e-5)):
        net, x, r = network.astype(dtype), x.astype(dtype), r.astype(dtype)
        R = deeplift(net, x, 3, reference=r, rule=rule)
        change = (net.scores(x) - net.scores(r))[:, 3]
        sums = R.sum(axis=(1, 2, 3))
        assert np.all(np.abs(sums - change) <= tolerance * np.abs(R).sum(axis=(1, 2, 3)))


X = np.ones((2, 5))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "reveal cancel"}, r"rule takes 'linear', 'rescale', 'reveal-cancel', got 'reveal cancel'"),
        ({"rule": "linear"}, r"for networks of linear layers, and relu1 is a ReLU\(\)"),
        (
            {"reference": np.zeros(4)},
            r"a number, .* one input \(5,\), or one for each sample \(2, 5\), or a list .*; got \(4,\)",
        ),
        ({"reference": np.zeros((3, 5))}, r"or one for each sample \(2, 5\), or a list .*; got \(3, 5\)"),
        ({"reference": "black"}, r"reference takes a number, .* got 'black'"),
        ({"reference": [0.0, "black"]}, r"reference takes a number, .* or a list of these .* got 'black'"),
        ({"reference": []}, r"reference takes a list of one or more, got an empty one"),
        ({"reference": True}, r"reference takes a number, .* got True"),
        (
            {"reference": np.zeros(5, np.float32)},
            r"reference takes an array of float64, .* got float32; use reference.astype\(np.float64\)",
        ),
        ({"reference": np.zeros(5, int)}, r"reference takes an array of float64, as x is, got int64"),
        ({"reference": np.full(5, np.nan)}, r"reference must be finite"),
        ({"reference": np.inf}, r"reference must be finite"),
        ({"target": 3}, r"classes from 0 to 2, got 3"),
        ({"target": ("relu9", 0)}, r"There is no layer 'relu9'"),
        ({"x": np.ones((2, 4))}, r"takes \(N, 5\), got \(2, 4\)"),
        ({"x": np.full((2, 5), np.nan)}, r"x must be finite"),
        ({"x": np.ones((2, 5), np.float32)}, r"computes in float64, and x is float32"),
    ],
)
def test_bad_input_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        deeplift(NETWORKS["dense"][0], **{"x": X, **options})


def test_a_softmax_inside_the_network_is_refused() -> None:
    network = Network([Dense(np.eye(5)), Softmax(), Dense(np.eye(5))])
    with pytest.raises(ValueError, match=r"no rule for layer softmax1, a Softmax\(\)"):
        deeplift(network, X)
