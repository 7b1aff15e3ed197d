"""The LRP rules, layer by layer: the one-neuron table, the plain-loop oracle, and the laws of a single step."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network
from nnlite.decision_based import lrp
from nnlite.decision_based.lrp import elementwise
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
    Hardsigmoid,
    Hardswish,
    Identity,
    Layer,
    LeakyReLU,
    Mask,
    MaxPool2d,
    Pad,
    Permute,
    PReLU,
    ReLU,
    ReLU6,
    Reshape,
    Sigmoid,
    SiLU,
    Slice,
    Softplus,
    Tanh,
    Upsample,
)


def step(rule: lrp.Rule, layer: Layer, a: np.ndarray, R: np.ndarray) -> lrp.Step:
    return rule.step(layer, a, layer.forward(a), R)


def channel_bounds(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Bounds that differ from channel to channel (or from input to input), around values in [-2, 2]."""
    offset = np.arange(shape[0]).reshape(-1, *(1,) * (len(shape) - 1)) / 4
    return -2 - offset, 2.5 + offset


# ------------------------------------------------------------------------------------------ one neuron by hand

# z = x1 - x2 + b at x = (1, 1): what each rule gives the two inputs, with b = -1, R = -1 and with b = +1, R = +1.
ONE_NEURON = {
    "zero":              (lrp.zero(),                  (1, -1),         (1, -1)),
    "epsilon near 0":    (lrp.epsilon(1e-15),          (1, -1),         (1, -1)),
    "epsilon 1":         (lrp.epsilon(1),              (1 / 2, -1 / 2), (1 / 2, -1 / 2)),
    "alpha 1, beta 0":   (lrp.alpha_beta(1, 0),        (-1, 0),         (1 / 2, 0)),
    "alpha 2, beta 1":   (lrp.alpha_beta(2, 1),        (-2, 1 / 2),     (1, -1)),
    "gamma":             (lrp.gamma(0.25),             (5 / 3, -4 / 3), (5 / 6, -4 / 6)),
    "generalized gamma": (lrp.generalized_gamma(0.25), (4 / 6, -5 / 6), (5 / 6, -4 / 6)),
    "z plus":            (lrp.z_plus(),                (-1, 0),         (1, 0)),
    "z bounds":          (lrp.z_bounds(-1, 1),         (-1, 0),         (1, 0)),
    "w squared":         (lrp.w_squared(),             (-1 / 2, -1 / 2), (1 / 2, 1 / 2)),
    "flat":              (lrp.flat(),                  (-1 / 2, -1 / 2), (1 / 2, 1 / 2)),
}  # fmt: skip


class TestOneNeuron:
    @pytest.mark.parametrize(("rule", "negative", "positive"), ONE_NEURON.values(), ids=ONE_NEURON)
    @pytest.mark.parametrize("sign", [-1, 1])
    def test_the_shares_are_those_of_the_table(self, rule: Any, negative: Any, positive: Any, sign: int) -> None:
        neuron = Dense(np.array([[1.0], [-1.0]]), np.array([float(sign)]))
        x, R = np.array([[1.0, 1.0]]), np.array([[float(sign)]])
        expected = [negative if sign < 0 else positive]
        np.testing.assert_allclose(step(rule, neuron, x, R).below, expected, atol=1e-14)
        np.testing.assert_allclose(elementwise.relevance(rule, neuron, x, R), expected, atol=1e-14)

    def test_where_the_bias_takes_its_share(self) -> None:
        neuron = Dense(np.array([[1.0], [-1.0]]), np.array([-1.0]))
        x, R = np.array([[1.0, 1.0]]), np.array([[-1.0]])
        to_bias = {name: step(rule, neuron, x, R).bias[0] for name, (rule, *_) in ONE_NEURON.items()}
        assert to_bias["zero"] == -1
        assert to_bias["alpha 2, beta 1"] == pytest.approx(1 / 2)
        assert to_bias["gamma"] == pytest.approx(-4 / 3)
        assert to_bias["generalized gamma"] == pytest.approx(-5 / 6)
        assert {to_bias[name] for name in ("z plus", "z bounds", "w squared", "flat")} == {0.0}

    def test_epsilon_carries_the_sign_of_z_unlike_the_slides(self) -> None:
        # z = -0.2 with epsilon 0.25 added unsigned would leave 0.05, and a share of -4.
        neuron, x = Dense(np.array([[-0.2]])), np.array([[1.0]])
        assert step(lrp.epsilon(0.25), neuron, x, np.array([[1.0]])).below == pytest.approx(0.2 / 0.45)

    def test_at_z_zero_the_stabilizer_counts_as_positive(self) -> None:
        neuron, x = Dense(np.array([[1.0], [-1.0]])), np.array([[1.0, 1.0]])
        result = step(lrp.epsilon(0.5), neuron, x, np.array([[3.0]]))
        assert result.below.tolist() == [[6.0, -6.0]]
        assert result.stabilizer.tolist() == [3.0]


# --------------------------------------------------------------------------------- the vector form and the loops

ANY_SIGN: dict[str, Callable[[tuple[int, ...]], lrp.Rule]] = {
    "zero": lambda shape: lrp.zero(),
    "epsilon": lambda shape: lrp.epsilon(0.3),
    "epsilon relative": lambda shape: lrp.epsilon(lrp.relative(0.25)),
    "epsilon relative stabilized": lambda shape: lrp.epsilon(lrp.relative(0.25), stabilizer=0.1),
    "generalized gamma": lambda shape: lrp.generalized_gamma(0.25),
    "generalized gamma 0": lambda shape: lrp.generalized_gamma(0),
    "alpha 2 beta 1": lambda shape: lrp.alpha_beta(2, 1),
    "alpha 1 beta 0": lambda shape: lrp.alpha_beta(1, 0),
    "alpha 1.5 beta 0.5": lambda shape: lrp.alpha_beta(1.5, 0.5),
    "z bounds": lambda shape: lrp.z_bounds(-2, 2.5),
    "z bounds by channel": lambda shape: lrp.z_bounds(*channel_bounds(shape)),
    "w squared": lambda shape: lrp.w_squared(),
    "flat": lambda shape: lrp.flat(),
    "zero stabilized": lambda shape: lrp.zero(0.1),
    "epsilon stabilized": lambda shape: lrp.epsilon(0.3, 0.1),
    "generalized gamma stabilized": lambda shape: lrp.generalized_gamma(0.25, 0.1),
    "alpha 2 beta 1 stabilized": lambda shape: lrp.alpha_beta(2, 1, 0.1),
    "z bounds stabilized": lambda shape: lrp.z_bounds(-2, 2.5, 0.1),
    "w squared stabilized": lambda shape: lrp.w_squared(0.1),
    "flat stabilized": lambda shape: lrp.flat(0.1),
}
NONNEGATIVE: dict[str, Callable[[tuple[int, ...]], lrp.Rule]] = {
    "gamma": lambda shape: lrp.gamma(0.25),
    "gamma 100": lambda shape: lrp.gamma(100),
    "gamma stabilized": lambda shape: lrp.gamma(0.25, 0.1),
    "z plus": lambda shape: lrp.z_plus(),
    "z plus stabilized": lambda shape: lrp.z_plus(0.1),
}
RULES = ANY_SIGN | NONNEGATIVE


def quarters(*shape: int) -> np.ndarray:
    """Multiples of 1/4 in [-1.5, 1.5]: exact in binary, with many ties, zeros and sums that cancel to zero."""
    return np.random.default_rng(shape).integers(-6, 7, shape) / 4


def reals(*shape: int) -> np.ndarray:
    """Real numbers in [-2, 2], a quarter of them zero."""
    numbers = np.random.default_rng(shape)
    return numbers.uniform(-2, 2, shape) * (numbers.random(shape) < 0.75)


def with_zeros(W: np.ndarray) -> np.ndarray:
    """The first neuron without any weight, the second without a positive one."""
    W = W.copy()
    W[..., 0] = 0
    W[..., 1] = -np.abs(W[..., 1])
    return W


LAYERS: dict[str, tuple[Layer, tuple[int, ...]]] = {
    "dense": (Dense(reals(7, 5), reals(5)), (7,)),
    "dense, quarters": (Dense(quarters(6, 5), quarters(5)), (6,)),
    "dense, no bias": (Dense(quarters(4, 6)), (4,)),
    "dense, empty neurons": (Dense(with_zeros(quarters(5, 4)), np.array([-1.0, 0.5, 0.25, 0])), (5,)),
    "dense, empty neurons, no bias": (Dense(with_zeros(reals(5, 4))), (5,)),
    "dense, all weights zero": (Dense(np.zeros((3, 2)), np.array([1.0, -1.0])), (3,)),
    "dense, one to one": (Dense(np.array([[-0.5]]), np.array([0.25])), (1,)),
    "dense, at three places": (Dense(reals(4, 5), reals(5)), (3, 4)),
    "dense, at the pixels of images": (Dense(with_zeros(quarters(3, 4)), quarters(4)), (2, 2, 3)),
    "conv, a window of one row on signals": (Conv2d(reals(3, 2, 1, 3), reals(3), stride=(1, 2)), (2, 1, 7)),
    "conv": (Conv2d(reals(3, 2, 3, 3), reals(3)), (2, 5, 4)),
    "conv, quarters, no bias": (Conv2d(quarters(2, 2, 2, 2)), (2, 4, 4)),
    "conv, padding": (Conv2d(quarters(2, 2, 3, 3), quarters(2), padding=(1, 2)), (2, 3, 3)),
    "conv, stride leaves pixels unread": (Conv2d(reals(2, 1, 2, 2), reals(2), stride=(2, 3)), (1, 5, 6)),
    "conv, dilation": (Conv2d(reals(2, 2, 2, 3), reals(2), dilation=(2, 1), padding=1), (2, 4, 4)),
    "conv, groups": (Conv2d(quarters(4, 2, 2, 2), quarters(4), groups=2), (4, 3, 3)),
    "conv, a filter a channel": (Conv2d(reals(3, 1, 3, 3), groups=3, padding=1, stride=2), (3, 4, 4)),
    "conv, one pixel": (Conv2d(reals(2, 3, 3, 3), quarters(2), padding=1), (3, 1, 1)),
    "conv, windows in the padding": (Conv2d(quarters(2, 1, 1, 1), quarters(2), padding=1), (1, 2, 2)),
    "transposed": (ConvTranspose2d(reals(2, 2, 3, 3), reals(2)), (2, 3, 3)),
    "transposed, stride": (ConvTranspose2d(quarters(2, 2, 2, 2), quarters(2), stride=(2, 1)), (2, 3, 3)),
    "transposed, gaps": (ConvTranspose2d(quarters(1, 2, 2, 2), stride=3), (1, 2, 2)),
    "transposed, padding": (ConvTranspose2d(reals(2, 1, 3, 3), reals(1), stride=2, padding=1), (2, 3, 3)),
    "transposed, output padding": (
        ConvTranspose2d(reals(2, 2, 3, 2), reals(2), stride=(3, 2), padding=(1, 0), output_padding=(2, 1)),
        (2, 2, 3),
    ),
    "transposed, groups": (ConvTranspose2d(quarters(4, 1, 2, 2), quarters(2), groups=2, dilation=2), (4, 3, 2)),
}


def assert_equal_to_the_loops(rule: lrp.Rule, layer: Layer, a: np.ndarray, R: np.ndarray) -> None:
    fast, slow = step(rule, layer, a, R).below, elementwise.relevance(rule, layer, a, R)
    scale = max(np.abs(R).sum(), np.abs(slow).sum())
    assert np.abs(fast - slow).max(initial=0) <= 1e-10 * scale


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("layer", "shape"), LAYERS.values(), ids=LAYERS)
def test_the_vector_form_equals_the_plain_loops(name: str, layer: Layer, shape: tuple[int, ...]) -> None:
    numbers = np.random.default_rng(len(name))
    a = np.stack([
        numbers.integers(-6, 7, shape) / 4,
        numbers.uniform(-2, 2, shape) * (numbers.random(shape) < 0.7),
    ])  # fmt: skip
    a = np.abs(a) if name in NONNEGATIVE else a
    R = numbers.integers(-4, 5, layer.output_shape(a.shape)) / 2
    assert_equal_to_the_loops(RULES[name](shape), layer, a, R)


@st.composite
def convolutions(draw: Any) -> tuple[Layer, np.ndarray, np.ndarray]:
    """A convolution or its transpose with any geometry, an input for it, and a relevance above."""
    groups, inputs, outputs = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    size, stride, dilation = (draw(st.tuples(st.integers(1, n), st.integers(1, n))) for n in (3, 3, 2))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    image = tuple(draw(st.integers(1, 3)) + d * (k - 1) for k, d in zip(size, dilation, strict=True))
    numbers = np.random.default_rng(draw(st.integers(0, 1000)))
    fields = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
    if draw(st.booleans()):
        image = tuple(n + 2 * p for n, p in zip(image, padding, strict=True))  # so that something is left above
        W, filters = numbers.integers(-4, 5, (groups * inputs, outputs, *size)) / 4, groups * outputs
        most = (max(pair) - 1 for pair in zip(stride, dilation, strict=True))
        fields["output_padding"] = tuple(draw(st.integers(0, n)) for n in most)
        kind: Any = ConvTranspose2d
    else:
        W, filters = numbers.integers(-4, 5, (groups * outputs, inputs, *size)) / 4, groups * outputs
        kind = Conv2d
    layer = kind(W, numbers.integers(-4, 5, filters) / 4 if draw(st.booleans()) else None, **fields)
    a = numbers.integers(-8, 9, (1, groups * inputs, *image)) / 4
    return layer, a, numbers.integers(-4, 5, layer.output_shape(a.shape)) / 2


@settings(deadline=None, max_examples=60, derandomize=True)
@given(convolutions(), st.sampled_from(sorted(RULES)))
def test_the_vector_form_equals_the_plain_loops_for_any_geometry(case: Any, name: str) -> None:
    layer, a, R = case
    a = np.abs(a) if name in NONNEGATIVE else a
    assert_equal_to_the_loops(RULES[name](a.shape[1:]), layer, a, R)


class TestAConvolutionByThePapersFormulas:
    """Every index written out from the formulas alone: nothing of the library but the layer's arrays."""

    W, b = reals(3, 2, 3, 2), reals(3)
    a, R = np.abs(reals(2, 2, 5, 4)), reals(2, 3, 3, 4)
    layer = Conv2d(W, b, stride=(2, 1), padding=(1, 1), dilation=(1, 2))

    def divided(self, share: Callable[[float, float], float], with_bias: Callable[[float], float]) -> np.ndarray:
        """R[n,c,y,x] = Σ_k,oy,ox share(a, w) / (Σ_c,i,j share(a, w) + with_bias(b_k)) · R_k, absent pixels left out."""
        below = np.zeros(self.a.shape)
        for n, k, oy, ox in np.ndindex(*self.R.shape):
            z = with_bias(self.b[k])
            taken = []
            for c in range(2):
                for i in range(3):
                    for j in range(2):
                        y, x = 2 * oy - 1 + i, ox - 1 + 2 * j
                        if 0 <= y < 5 and 0 <= x < 4:
                            q = share(self.a[n, c, y, x], self.W[k, c, i, j])
                            taken.append((c, y, x, q))
                            z += q
            for c, y, x, q in taken:
                if z != 0:
                    below[n, c, y, x] += q / z * self.R[n, k, oy, ox]
        return below

    @pytest.mark.parametrize(
        ("rule", "share", "with_bias"),
        [
            (lrp.zero(), lambda a, w: a * w, lambda b: b),
            (lrp.gamma(0.5), lambda a, w: a * (w + 0.5 * max(w, 0)), lambda b: b + 0.5 * max(b, 0)),
            (lrp.z_plus(), lambda a, w: a * max(w, 0), lambda b: 0),
            (lrp.alpha_beta(1, 0), lambda a, w: max(a * w, 0), lambda b: max(b, 0)),
            (lrp.z_bounds(-1, 3), lambda a, w: a * w + max(w, 0) - 3 * min(w, 0), lambda b: 0),
            (lrp.w_squared(), lambda a, w: w**2, lambda b: 0),
            (lrp.flat(), lambda a, w: 1, lambda b: 0),
        ],
        ids=lambda value: str(value) if isinstance(value, lrp.Rule) else "",
    )
    def test_by_hand_written_loops(self, rule: lrp.Rule, share: Any, with_bias: Any) -> None:
        assert self.layer.output_shape(self.a.shape) == self.R.shape
        expected = self.divided(share, with_bias)
        np.testing.assert_allclose(step(rule, self.layer, self.a, self.R).below, expected, rtol=0, atol=1e-10)

    def test_alpha_beta_is_alpha_of_the_positive_less_beta_of_the_negative(self) -> None:
        positive = self.divided(lambda a, w: max(a * w, 0), lambda b: max(b, 0))
        negative = self.divided(lambda a, w: min(a * w, 0), lambda b: min(b, 0))
        below = step(lrp.alpha_beta(2, 1), self.layer, self.a, self.R).below
        np.testing.assert_allclose(below, 2 * positive - negative, rtol=0, atol=1e-10)


# --------------------------------------------------------------------------------------- layers without weights


def passed_down(layers: list[Layer], x: np.ndarray) -> list[np.ndarray]:
    """The relevance of every layer under zero(), from a dense layer of ones on top (as many scores as wanted)."""
    features = int(np.prod(Network(layers).output_shape(x.shape)[1:]))
    top = Dense(np.ones((features, 1)))
    return lrp.relevance(Network([*layers, Flatten(), top]), x, rules=lrp.zero(), all_layers=True)


class TestAveragePooling:
    POOLS: ClassVar = {
        "2 by 2": (AvgPool2d(2), (2, 4, 4)),
        "overlapping": (AvgPool2d((3, 2), stride=(1, 2)), (1, 4, 5)),
        "padding counts": (AvgPool2d(2, padding=1), (1, 3, 3)),
        "padding does not count": (AvgPool2d(3, stride=2, padding=1, count_include_pad=False), (1, 4, 4)),
        "ceil mode": (AvgPool2d(2, ceil_mode=True), (1, 3, 5)),
        "global": (GlobalAvgPool(), (3, 2, 4)),
    }

    @pytest.mark.parametrize(("pool", "shape"), POOLS.values(), ids=POOLS)
    @pytest.mark.parametrize("rule", [lrp.zero(), lrp.zero(0.1)], ids=str)
    def test_the_vector_form_equals_the_plain_loops(self, pool: Layer, shape: Any, rule: lrp.Rule) -> None:
        a = np.stack([quarters(*shape), np.abs(reals(*shape))])
        assert_equal_to_the_loops(rule, pool, a, quarters(*pool.output_shape(a.shape)))

    def test_each_input_gets_its_part_of_the_sum(self) -> None:
        a = np.array([[[[1.0, 3.0, 0.0, 0.0], [0.0, 4.0, 0.0, 0.0]]]])
        R = np.array([[[[16.0, 5.0]]]])
        for pool in (AvgPool2d(2), AvgPool2d(2, count_include_pad=False)):
            assert step(lrp.zero(), pool, a, R).below.tolist() == [[[[2, 6, 0, 0], [0, 8, 0, 0]]]]
        assert step(lrp.zero(), AvgPool2d(2), a, R).dropped.tolist() == [5]

    def test_the_whole_image_is_one_window_of_global_pooling(self) -> None:
        a = np.array([[[[1.0, 3.0]], [[2.0, 2.0]]]])
        R = np.array([[[[8.0]], [[-1.0]]]])
        assert step(lrp.zero(), GlobalAvgPool(), a, R).below.tolist() == [[[[2, 6]], [[-0.5, -0.5]]]]

    @pytest.mark.parametrize("name", RULES)
    def test_whatever_the_rule_of_the_weights_is(self, name: str) -> None:
        a = np.abs(reals(1, 1, 2, 4)) + 0.25
        net = Network([AvgPool2d(2), Flatten(), Dense(np.abs(reals(2, 2)))])
        rule = RULES[name]((2,))
        R = lrp.relevance(net, a, rules=rule, all_layers=True)
        shares = lrp.zero(rule.options.get("stabilizer", 0.0))
        assert np.array_equal(R[0], step(shares, net[0], a, R[1]).below)


class TestMaxPooling:
    def test_the_winner_takes_all(self) -> None:
        R = passed_down([MaxPool2d(2)], np.array([[[[1.0, 5.0, 2.0, 0.0], [3.0, 4.0, 7.0, 6.0]]]]))
        assert R[0].tolist() == [[[[0, 5, 0, 0], [0, 0, 7, 0]]]]

    def test_the_first_of_several_in_row_major_order(self) -> None:
        R = passed_down([MaxPool2d(2)], np.array([[[[1.0, 2.0, 3.0, 3.0], [2.0, 2.0, 3.0, 3.0]]]]))
        assert R[0].tolist() == [[[[0, 2, 3, 0], [0, 0, 0, 0]]]]

    def test_overlapping_windows_add(self) -> None:
        R = passed_down([MaxPool2d((1, 2), stride=1)], np.array([[[[1.0, 5.0, 2.0]]]]))
        assert R[0].tolist() == [[[[0, 10, 0]]]]

    def test_padding_never_wins(self) -> None:
        x = -np.array([[[[1.0, 2.0], [3.0, 4.0]]]])
        R = passed_down([MaxPool2d(2, stride=1, padding=1)], x)
        assert R[1].tolist() == [[[[-1, -1, -2], [-1, -1, -2], [-3, -3, -4]]]]
        assert R[0].tolist() == [[[[-4, -4], [-6, -4]]]]


class TestWhatPasses:
    @pytest.mark.parametrize(
        "layer",
        [
            ReLU(),
            LeakyReLU(0.1),
            Tanh(),
            Sigmoid(),
            Dropout(0.5),
            Identity(),
            Mask(np.array([[2.0, 0.0, 2.0, 0.0]])),
            PReLU(np.array([0.5, -0.5, 0.0, 2.0])),
            ReLU6(),
            Hardsigmoid(),
            Hardswish(),
            SiLU(),
            GELU(),
            ELU(),
            Softplus(),
        ],
        ids=lambda layer: type(layer).__name__,
    )
    def test_a_nonlinearity_hands_on_what_it_gets(self, layer: Layer) -> None:
        net = Network([layer, Dense(np.array([[1.0], [-2.0], [3.0], [0.5]]))])
        R = lrp.relevance(net, np.array([[1.0, -2.0, 0.5, 3.0]]), rules=lrp.flat(), all_layers=True)
        assert np.array_equal(R[0], R[1])
        assert np.any(R[0])

    @pytest.mark.parametrize("layer", [Flatten(), Reshape((4, 2, 1))])
    def test_reshaping_gives_the_old_shape_back(self, layer: Layer) -> None:
        R = passed_down([layer], np.arange(1.0, 9).reshape(1, 2, 2, 2))
        assert R[0].tolist() == np.arange(1.0, 9).reshape(1, 2, 2, 2).tolist()


class TestOtherGrids:
    """Where numbers are moved R goes back with them; where they are averaged it is divided in proportion."""

    def test_a_slice_leaves_nothing_elsewhere(self) -> None:
        R = passed_down([Slice(1, step=2)], np.array([[1.0, 2.0, 3.0]]))
        assert R[0].tolist() == [[1, 0, 3]]

    def test_permuted_axes_are_permuted_back(self) -> None:
        x = np.arange(1.0, 7).reshape(1, 1, 2, 3)
        assert np.array_equal(passed_down([Permute((3, 1, 2))], x)[0], x)

    @pytest.mark.parametrize(("mode", "expected"), [("reflect", [2, 6, 3]), ("replicate", [2, 2, 9])])
    def test_copies_of_a_pixel_give_it_all_of_theirs(self, mode: str, expected: list[float]) -> None:
        R = passed_down([Pad((0, 0, 1), (0, 0, 2), mode)], np.array([[[[1.0, 2.0, 3.0]]]]))
        assert R[0].tolist() == [[[expected]]]

    def test_what_falls_on_padding_is_dropped_and_booked_and_a_black_pixel_keeps_its_own(self) -> None:
        net = Network([Pad((1,)), Dense(np.array([[1.0], [2.0], [3.0], [4.0]]))])
        books = lrp.ledger(net, np.array([[0.0, 5.0]]), rules=lrp.flat())
        assert books.relevances[0].tolist() == [[3.75, 3.75]]  # f = 15, a quarter for each of four, two on padding
        assert books.entries[0].dropped.tolist() == [7.5]
        assert books.error == 0

    @pytest.mark.parametrize(
        ("layer", "expected"),
        [
            (Upsample((1, 2)), [2, 4, 6]),
            (Upsample((1, 2), "bilinear"), [2, 4, 6]),
            (AdaptiveAvgPool2d((1, 2)), [0.5, 2, 1.5]),
        ],
    )
    def test_a_mean_is_divided_in_proportion(self, layer: Layer, expected: list[float]) -> None:
        R = passed_down([layer], np.array([[[[1.0, 2.0, 3.0]]]]))  # LRP-0 from R = z: a times the sum of its weights
        np.testing.assert_allclose(R[0], [[[expected]]], atol=1e-14)


class TestBatchNormOnItsOwn:
    def test_it_is_a_diagonal_layer_under_epsilon_with_its_bias(self) -> None:
        layer = BatchNorm(gamma=[2.0, -1.0], beta=[1.0, 0.5], mean=[0.5, 1.0], var=[3.0, 0.0], eps=1.0)
        a, R = np.array([[2.0, 3.0]]), np.array([[8.0, 6.0]])
        # z = 1 · (2 - 0.5) + 1 = 2.5 and z = -1 · (3 - 1) + 0.5 = -1.5; the shares are a · scale / (z ± ε).
        below = step(lrp.epsilon(0.5), layer, a, R).below
        np.testing.assert_allclose(below, [[2 / 3 * 8, -3 / -2 * 6]])
        net = Network([layer, Dense(np.eye(2))])
        merged_nowhere = lrp.relevance(net, a, rules=lrp.zero(), all_layers=True)
        np.testing.assert_allclose(merged_nowhere[0], step(lrp.epsilon(1e-6), layer, a, merged_nowhere[1]).below)


# ------------------------------------------------------------------------------------------- the laws of a step

THREE_KINDS = {
    "dense": (Dense(reals(4, 3), reals(3)), (4,)),
    "conv": (Conv2d(reals(2, 2, 2, 2), reals(2), padding=1, stride=2), (2, 3, 3)),
    "transposed": (ConvTranspose2d(reals(2, 1, 2, 2), reals(1), stride=2), (2, 2, 2)),
}


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize(("layer", "shape"), THREE_KINDS.values(), ids=THREE_KINDS)
class TestTheLawsOfAStep:
    def test_step_3_is_the_gradient_of_z_times_a_constant_s(self, name: str, layer: Any, shape: Any) -> None:
        rule, a = RULES[name](shape), np.abs(quarters(2, *shape)) + 0.125
        z, R = layer.forward(a), quarters(*layer.output_shape((2, *shape)))
        total = np.zeros_like(a)
        for group, part in zip(rule.groups, rule.step(layer, a, z, R).parts, strict=True):
            for term, changed in zip(group.terms, part.layers, strict=True):
                given = term.input(a)
                if given is None:  # zeros everywhere
                    continue
                c = np.zeros_like(a)
                for place in np.ndindex(*a.shape):
                    up, down = given.copy(), given.copy()
                    up[place] += 0.5  # z is linear in a: a long step has no error but rounding
                    down[place] -= 0.5
                    c[place] = ((changed.forward(up) - changed.forward(down)) * part.s).sum()
                total += given * c
        np.testing.assert_allclose(rule(layer, a, z, R), total, rtol=1e-9, atol=1e-9)

    def test_a_step_is_linear_in_the_relevance(self, name: str, layer: Any, shape: Any) -> None:
        rule, a = RULES[name](shape), np.abs(quarters(2, *shape))
        z, above = layer.forward(a), layer.output_shape((2, *shape))
        R, S = quarters(*above), reals(*above)
        together = rule(layer, a, z, 3 * R - 0.5 * S)
        apart = 3 * rule(layer, a, z, R) - 0.5 * rule(layer, a, z, S)
        np.testing.assert_allclose(together, apart, rtol=0, atol=1e-12 * (1 + np.abs(apart).sum()))

    def test_what_goes_down_and_elsewhere_is_what_came(self, name: str, layer: Any, shape: Any) -> None:
        rule, a = RULES[name](shape), np.abs(quarters(2, *shape))
        R = quarters(*layer.output_shape((2, *shape)))
        result = step(rule, layer, a, R)
        parts = result.below.reshape(2, -1).sum(axis=1) + result.bias + result.stabilizer + result.dropped
        scale = np.abs(R).sum() + np.abs(result.below).sum()
        np.testing.assert_allclose(parts, R.reshape(2, -1).sum(axis=1), rtol=0, atol=1e-12 * scale)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_the_dtype_of_the_input_comes_back(self, name: str, layer: Any, shape: Any, dtype: Any) -> None:
        rule, a = RULES[name](shape), np.abs(quarters(2, *shape)).astype(dtype)
        R = quarters(*layer.output_shape((2, *shape))).astype(dtype)
        result = step(rule, layer.astype(dtype), a, R)
        assert result.below.dtype == dtype
        assert result.bias.dtype == result.stabilizer.dtype == result.dropped.dtype == np.float64


@pytest.mark.parametrize(
    "rule",
    [lrp.zero(), lrp.generalized_gamma(0.5), lrp.z_bounds(0, 2), lrp.w_squared(), lrp.flat(), lrp.alpha_beta(2, 1),
     lrp.alpha_beta(1, 0), lrp.gamma(0.5), lrp.z_plus()],
    ids=str,
)  # fmt: skip
def test_without_bias_and_zero_denominators_a_step_conserves_the_relevance(rule: lrp.Rule) -> None:
    layer, a = Dense(np.array([[1.0, -2.0], [-0.5, 1.0], [2.0, 0.25]])), np.array([[0.5, 1.0, 2.0], [1.0, 0.25, 1.5]])
    R = np.array([[3.0, -1.0], [0.5, 2.0]])
    below = step(rule, layer, a, R).below
    np.testing.assert_allclose(below.sum(axis=1), R.sum(axis=1), rtol=1e-13)


class TestRulesThatMeet:
    layer, a = Dense(reals(6, 5), reals(5)), np.abs(reals(3, 6))
    R = reals(3, 5)

    def test_epsilon_0_is_zero(self) -> None:
        assert np.array_equal(
            step(lrp.epsilon(0), self.layer, self.a, self.R).below, step(lrp.zero(), self.layer, self.a, self.R).below
        )

    def test_epsilon_and_stabilizer_are_one_sum(self) -> None:
        np.testing.assert_allclose(
            step(lrp.epsilon(0.2, 0.1), self.layer, self.a, self.R).below,
            step(lrp.epsilon(0.3), self.layer, self.a, self.R).below,
        )

    def test_relative_epsilon_is_a_part_of_the_rms_of_z_sample_by_sample(self) -> None:
        whole = step(lrp.epsilon(lrp.relative(0.25)), self.layer, self.a, self.R).below
        for n in range(3):
            a, R = self.a[n : n + 1], self.R[n : n + 1]
            rms = float(np.sqrt(np.mean(self.layer.forward(a) ** 2)))
            np.testing.assert_allclose(whole[n : n + 1], step(lrp.epsilon(0.25 * rms), self.layer, a, R).below)

    def test_alpha_1_beta_0_is_z_plus_without_bias_and_for_inputs_not_negative(self) -> None:
        layer = Dense(self.layer.W)
        np.testing.assert_allclose(
            step(lrp.alpha_beta(1, 0), layer, self.a, self.R).below, step(lrp.z_plus(), layer, self.a, self.R).below
        )

    def test_generalized_gamma_is_gamma_for_inputs_not_negative_and_z_positive(self) -> None:
        layer = Dense(self.layer.W, np.array([20.0, 20.0, 20.0, 20.0, 20.0]))
        assert layer.forward(self.a).min() > 0
        np.testing.assert_allclose(
            step(lrp.generalized_gamma(0.5), layer, self.a, self.R).below,
            step(lrp.gamma(0.5), layer, self.a, self.R).below,
        )

    def test_gamma_0_is_zero(self) -> None:
        np.testing.assert_allclose(
            step(lrp.gamma(0), self.layer, self.a, self.R).below, step(lrp.zero(), self.layer, self.a, self.R).below
        )

    def test_z_bounds_of_0_and_infinitely_far_is_nearly_the_negative_weights(self) -> None:
        # From black to far beyond white, the distance to white alone decides: w⁻ in the place of q.
        far = step(lrp.z_bounds(0, 1e9), self.layer, self.a, self.R).below
        W = np.minimum(self.layer.W, 0)
        np.testing.assert_allclose(far, self.R @ (W / W.sum(axis=0)).T, rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------------------------- denominators of zero and near


class TestZeroDenominators:
    x, R = np.array([[1.0, 1.0]]), np.array([[3.0]])

    def parts(self, rule: lrp.Rule, W: Any, b: Any = None, x: Any = None) -> tuple[list[float], float]:
        layer = Dense(np.array(W, dtype=float).reshape(-1, 1), None if b is None else np.array([float(b)]))
        result = step(rule, layer, self.x if x is None else np.array([x], dtype=float), self.R)
        return result.below[0].tolist(), float(result.dropped[0])

    @pytest.mark.parametrize(
        ("rule", "W", "dropped"),
        [
            (lrp.zero(), (1, -1), 3),
            (lrp.epsilon(0), (1, -1), 3),
            (lrp.epsilon(lrp.relative(0.25)), (1, -1), 3),
            (lrp.gamma(1), (1, -2), 3),
            (lrp.generalized_gamma(0.25), (1, -1), 3),
            (lrp.z_plus(), (-1, -2), 3),
            (lrp.z_bounds(0, 1), (-1, -2), 3),
            (lrp.w_squared(), (0, 0), 3),
            (lrp.alpha_beta(1, 0), (-1, -2), 3),
        ],
        ids=str,
    )
    def test_nothing_is_distributed_and_all_is_dropped(self, rule: lrp.Rule, W: Any, dropped: float) -> None:
        assert self.parts(rule, W) == ([0.0, 0.0], dropped)

    def test_alpha_2_without_a_negative_contribution_gives_out_twice_and_drops_minus_once(self) -> None:
        assert self.parts(lrp.alpha_beta(2, 1), (1, 2)) == ([2.0, 4.0], -3.0)

    def test_alpha_2_without_a_positive_contribution_takes_once_and_drops_twice(self) -> None:
        assert self.parts(lrp.alpha_beta(2, 1), (-1, -2)) == ([-1.0, -2.0], 6.0)

    def test_generalized_gamma_drops_everything_at_z_zero_with_a_stabilizer_too(self) -> None:
        assert self.parts(lrp.generalized_gamma(0.25, stabilizer=1.0), (1, -1)) == ([0.0, 0.0], 3.0)

    def test_flat_never_meets_one_but_at_windows_in_the_padding(self) -> None:
        layer, a = Conv2d(np.ones((1, 1, 1, 1)), padding=1), np.ones((1, 1, 1, 1))
        result = step(lrp.flat(), layer, a, np.ones((1, 1, 3, 3)))
        assert result.below.tolist() == [[[[1.0]]]]
        assert result.dropped.tolist() == [8.0]

    def test_z_bounds_drop_where_every_pixel_lies_at_the_bound_that_brings_least(self) -> None:
        # By the paper's three terms z would be a rounding error here, and its share of 1/z noise.
        numbers = np.random.default_rng(0)
        W = numbers.normal(size=(9, 2))
        low, high = -0.1 - numbers.random(9), 0.1 + numbers.random(9)
        a = np.where(W[:, 0] > 0, low, high)[None]
        result = step(lrp.z_bounds(low, high), Dense(W), a, np.array([[5.0, 0.0]]))
        assert not result.below.any()
        assert result.dropped.tolist() == [5.0]

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("name", RULES)
    def test_a_denominator_too_small_to_divide_by_counts_as_zero(self, name: str, dtype: Any) -> None:
        # 8 / z alone may still be finite where the sum over 40 neurons in step 3 is not.
        layer = Dense(np.full((4, 40), 8, dtype), np.zeros(40, dtype))
        smallest = float(np.finfo(dtype).smallest_subnormal)
        for size in smallest * 2.0 ** np.arange(0, 60):
            a, R = np.full((1, 4), size, dtype), np.ones((1, 40), dtype)
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                result = step(RULES[name]((4,)), layer, a, R)
            assert np.isfinite(result.below).all()
            assert result.below.sum() + result.bias + result.stabilizer + result.dropped == pytest.approx(40, rel=1e-5)


# ------------------------------------------------------------------------------------------------- bad options

BAD_OPTIONS: dict[str, tuple[Callable[[], Any], str]] = {
    "alpha - beta is not 1": (lambda: lrp.alpha_beta(2, 2), r"α − β = 1, got α = 2, β = 2"),
    "alpha below 1": (lambda: lrp.alpha_beta(0.5, -0.5), r"alpha: expected a finite number from 1, got 0\.5"),
    "beta as text": (lambda: lrp.alpha_beta(2, "1"), r"beta: expected a finite number from 0, got '1'"),
    "negative gamma": (lambda: lrp.gamma(-0.25), r"gamma: expected a finite number from 0, got -0\.25"),
    "negative generalized gamma": (lambda: lrp.generalized_gamma(-1), r"gamma: expected a finite number from 0"),
    "gamma NaN": (lambda: lrp.gamma(np.nan), r"gamma: expected a finite number from 0, got nan"),
    "gamma None": (lambda: lrp.gamma(None), r"gamma: expected a finite number from 0, got None"),
    "infinite gamma": (lambda: lrp.gamma(np.inf), r"gamma: expected a finite number from 0, got inf"),
    "negative epsilon": (lambda: lrp.epsilon(-1e-6), r"epsilon: expected a finite number from 0, got -1e-06"),
    "epsilon True": (lambda: lrp.epsilon(True), r"epsilon: expected a finite number from 0, got True"),
    "epsilon a function": (lambda: lrp.epsilon(abs), r"epsilon: expected a finite number from 0, got <built-in"),
    "negative relative epsilon": (lambda: lrp.relative(-0.25), r"factor: expected a finite number from 0"),
    "complex stabilizer": (lambda: lrp.zero(np.complex128(1)), r"stabilizer: expected a finite number from 0"),
    "low above high": (lambda: lrp.z_bounds(1, 0), r"low < high, got low = 1, high = 0"),
    "low equals high in a channel": (lambda: lrp.z_bounds(np.zeros(2), np.array([1.0, 0.0])), r"low < high"),
    "infinite bounds": (lambda: lrp.z_bounds(-np.inf, np.inf), r"finite bounds, got low = -inf, high = inf"),
    "bounds of text": (lambda: lrp.z_bounds("a", "b"), r"finite bounds, got low = 'a', high = 'b'"),
} | {
    f"negative stabilizer in {rule.__name__}": (
        lambda rule=rule: rule(stabilizer=-1e-6),
        r"stabilizer: expected a finite number from 0, got -1e-06",
    )
    for rule in (
        lrp.zero, lrp.epsilon, lrp.gamma, lrp.generalized_gamma, lrp.z_plus, lrp.alpha_beta, lrp.z_bounds,
        lrp.w_squared, lrp.flat,
    )
}  # fmt: skip


@pytest.mark.parametrize(("make", "message"), BAD_OPTIONS.values(), ids=BAD_OPTIONS)
def test_a_bad_option_is_refused_when_the_rule_is_made(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


class TestInputsThatARuleCannotTake:
    layer, R = Dense(np.ones((2, 1))), np.ones((1, 1))

    @pytest.mark.parametrize(
        ("rule", "a", "message"),
        [
            (lrp.gamma(), (-1, 1), r"gamma needs inputs ≥ 0, got -1\.0 at Dense.*use generalized_gamma"),
            (lrp.z_plus(), (1, -0.5), r"z_plus needs inputs ≥ 0, got -0\.5 at Dense.*use alpha_beta\(1, 0\)"),
            (lrp.z_bounds(0, 1), (0, 1.5), r"inputs in \[0, 1\], got 0\.0 to 1\.5 at Dense.*or use w_squared"),
            (lrp.z_bounds(0, 1), (-0.5, 1), r"inputs in \[0, 1\], got -0\.5 to 1\.0"),
            (lrp.z_bounds([0, 0], [1, 2]), (2, 1), r"inputs in \[0, 2\], got 1\.0 to 2\.0"),
            (
                lrp.z_bounds(np.zeros(3), 1),
                (0, 1),
                r"low: expected a number or an array that broadcasts over one input",
            ),
            (lrp.z_bounds(0, np.ones((2, 2))), (0, 1), r"high: .* one input \(2,\), got the shape \(2, 2\)"),
        ],
        ids=lambda value: str(value) if isinstance(value, lrp.Rule) else None,
    )
    def test_the_message_names_what_to_use(self, rule: lrp.Rule, a: Any, message: str) -> None:
        with pytest.raises(ValueError, match=message):
            step(rule, self.layer, np.array([a], dtype=float), self.R)

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize(("low", "high"), [(0, 1), (-2.1179, 2.64), (-3e-9, -1e-9)])
    def test_pixels_beyond_the_bounds_by_rounding_are_taken(self, low: float, high: float, dtype: Any) -> None:
        rule, layer, R = lrp.z_bounds(low, high), self.layer.astype(dtype), self.R.astype(dtype)
        inside = np.array([[(low + high) / 2, high]], dtype)
        one_ulp, far = inside.copy(), inside.copy()
        one_ulp[0, 1] = np.nextafter(inside[0, 1], dtype(np.inf))
        expected = step(rule, layer, inside, R).below
        np.testing.assert_allclose(step(rule, layer, one_ulp, R).below, expected, rtol=20 * np.finfo(dtype).eps)
        far[0, 1] += abs(inside[0, 1]) * dtype(100 * np.finfo(dtype).eps)
        with pytest.raises(ValueError, match="z_bounds takes inputs in") as error:
            step(rule, layer, far, R)
        assert f" to {far[0, 1]} at" in str(error.value)
        assert float(str(far[0, 1])) != high  # to the digit that matters

    def test_pixels_at_the_bounds_are_inside_in_float32_too(self) -> None:
        layer = self.layer.astype(np.float32)
        for low, high in ((0.1, 0.7), (-2.1179, 2.64)):
            a = np.array([[low, high]], np.float32)
            assert np.isfinite(step(lrp.z_bounds(low, high), layer, a, self.R.astype(np.float32)).below).all()


@pytest.mark.parametrize(
    "rule",
    [
        lrp.zero(np.float64(0.1)),
        lrp.epsilon(np.float64(0.1), np.float64(0.1)),
        lrp.epsilon(lrp.relative(np.float64(0.1)), np.float64(0.1)),
        lrp.gamma(np.float64(0.25)),
        lrp.generalized_gamma(np.float32(0.25)),
        lrp.alpha_beta(np.float64(2), np.int64(1)),
        lrp.z_bounds(np.float64(0), np.array(3.0)),
        lrp.z_bounds(np.zeros(3), [3, 3, 3]),
    ],
    ids=str,
)
def test_options_from_numpy_do_not_turn_float32_into_float64(rule: lrp.Rule) -> None:
    layer, a = Dense(np.ones((3, 2), np.float32), np.ones(2, np.float32)), np.array([[1, 0, 2]], np.float32)
    assert step(rule, layer, a, np.ones((1, 2), np.float32)).below.dtype == np.float32


def test_a_rule_shows_its_options_on_one_line() -> None:
    assert repr(lrp.z_bounds(np.zeros((3, 1, 1)), 1.0)) == "z_bounds(low=array[3, 1, 1], high=1.0)"
    assert repr(lrp.alpha_beta(2, 1, 1e-6)) == "alpha_beta(alpha=2, beta=1, stabilizer=1e-06)"
