"""The ledger of LRP: Σ R + to the bias + to the stabilizer + dropped = f_c, on every kind of network and rule."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based import lrp
from nnlite.layers import (
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
    GroupNorm,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    MaxPool2d,
    Pad,
    Permute,
    PReLU,
    ReLU,
    ReLU6,
    Reshape,
    RMSNorm,
    Sigmoid,
    SiLU,
    Slice,
    Softmax,
    Softplus,
    Tanh,
    Upsample,
)

numbers = np.random.default_rng(11)


def w(*shape: int) -> np.ndarray:
    return numbers.normal(size=shape) * 0.6


def batchnorm(channels: int) -> BatchNorm:
    return BatchNorm(w(channels) + 1, w(channels), w(channels), numbers.random(channels) + 0.5)


# Networks whose linear layers above the first see activations ≥ 0, with images in [0, 1].
RECTIFIED: dict[str, tuple[Network, tuple[int, ...]]] = {
    "one neuron": (Network([Dense(w(3, 1), w(1))]), (3,)),
    "two dense layers": (Network([Dense(w(5, 4), w(4)), ReLU(), Dense(w(4, 3), w(3))]), (5,)),
    "dense, no biases": (Network([Dense(w(5, 6)), ReLU(), Dense(w(6, 4)), ReLU(), Dense(w(4, 3)), Softmax()]), (5,)),
    "convolutions and every pooling": (
        Network(
            [Conv2d(w(4, 2, 3, 3), w(4), padding=1), ReLU(), MaxPool2d(3, stride=2, padding=1),
             Conv2d(w(4, 2, 2, 2), w(4), groups=2), batchnorm(4), ReLU(), AvgPool2d(2, stride=1), Dropout(0.3),
             Conv2d(w(3, 4, 1, 1)), Sigmoid(), GlobalAvgPool(), Flatten(), Dense(w(3, 3), w(3))]
        ),
        (2, 8, 8),
    ),
    "up again": (
        Network(
            [Dense(w(6, 8), w(8)), batchnorm(8), ReLU(), Reshape((2, 2, 2)),
             ConvTranspose2d(w(2, 3, 3, 3), w(3), stride=2, padding=1, output_padding=1), ReLU(), Flatten(),
             Dense(w(48, 2))]
        ),
        (6,),
    ),
    "other grids": (
        Network(
            [Pad((1, 1, 2), (0, 1, 0)), Slice(1, 0, 2), Conv2d(w(3, 2, 2, 2), w(3)), ReLU6(),
             Pad((0, 1, 1), mode="replicate"), Upsample(2, "bilinear"), AdaptiveAvgPool2d(3), Permute((2, 3, 1)),
             Dense(w(3, 4), w(4)), Softplus(), Dense(w(4, 2)), Flatten(), Dense(w(18, 3), w(3))]
        ),
        (2, 4, 4),
    ),
    "one pixel": (
        Network([Conv2d(w(3, 1, 3, 3), w(3), padding=1), ReLU(), GlobalAvgPool(), Flatten(), Dense(w(3, 2))]),
        (1, 1, 1),
    ),
}  # fmt: skip

# Networks whose hidden activations have both signs.
SIGNED: dict[str, tuple[Network, tuple[int, ...]]] = {
    "leaky and tanh": (
        Network([Dense(w(5, 6), w(6)), LeakyReLU(0.2), Dense(w(6, 5), w(5)), Tanh(), Dense(w(5, 3), w(3))]),
        (5,),
    ),
    "smooth": (
        Network([Dense(w(5, 6), w(6)), GELU(), Dense(w(6, 5)), SiLU(), PReLU(w(5)), Dense(w(5, 3), w(3))]), (5,)
    ),
    "batchnorm on its own": (
        Network(
            [batchnorm(2), Conv2d(w(4, 2, 3, 3), w(4)), LeakyReLU(), batchnorm(4), AvgPool2d(2), Flatten(),
             Dense(w(16, 4), w(4)), batchnorm(4), batchnorm(4), Tanh(), Dense(w(4, 3), w(3))]
        ),
        (2, 6, 6),
    ),
    "norms of each sample": (
        Network(
            [GroupNorm(1, w(2), w(2)), Conv2d(w(4, 2, 3, 3), w(4)), InstanceNorm(w(4), w(4), 0.1), AvgPool2d(2),
             Permute((2, 3, 1)), LayerNorm(w(4), w(4)), Dense(w(4, 3), w(3)), RMSNorm(w(3), 0.1), Flatten(),
             Dense(w(12, 3), w(3))]
        ),
        (2, 6, 6),
    ),
}  # fmt: skip

RULES: dict[str, Any] = {
    "zero": lrp.zero(),
    "zero stabilized": lrp.zero(1e-3),
    "epsilon": lrp.epsilon(0.1),
    "epsilon relative": lrp.epsilon(lrp.relative(0.25), stabilizer=1e-6),
    "generalized gamma": lrp.generalized_gamma(0.25),
    "generalized gamma stabilized": lrp.generalized_gamma(0.25, 1e-2),
    "alpha 2 beta 1": lrp.alpha_beta(2, 1),
    "alpha 2 beta 1 stabilized": lrp.alpha_beta(2, 1, 1e-2),
    "alpha 1 beta 0": lrp.alpha_beta(1, 0),
    "alpha 1.5 beta 0.5": lrp.alpha_beta(1.5, 0.5),
    "z bounds": lrp.z_bounds(-1e3, 1e3),
    "w squared": lrp.w_squared(),
    "flat": lrp.flat(1e-6),
    "EpsilonPlus": lrp.EpsilonPlus(),
    "EpsilonPlusFlat": lrp.EpsilonPlusFlat(),
    "EpsilonAlpha2Beta1": lrp.EpsilonAlpha2Beta1(),
    "EpsilonAlpha2Beta1Flat": lrp.EpsilonAlpha2Beta1Flat(),
    "EpsilonGammaBox": lrp.EpsilonGammaBox(-9, 9),
}
RULES_FOR_RECTIFIED = RULES | {
    "gamma": lrp.gamma(0.25),
    "gamma stabilized": lrp.gamma(0.25, 1e-2),
    "z plus": lrp.z_plus(),
    "montavon2019": lrp.montavon2019(),
}
CASES = {
    f"{rule}, {name}": (*networks[name], rules[rule])
    for networks, rules in ((RECTIFIED, RULES_FOR_RECTIFIED), (SIGNED, RULES))
    for name in networks
    for rule in rules
}


def images(shape: tuple[int, ...], n: int = 3) -> np.ndarray:
    """Images in [0, 1] with some black pixels and some white ones."""
    x = np.random.default_rng(3).random((n, *shape))
    return np.where(x < 0.2, 0.0, np.where(x > 0.9, 1.0, x))


class TestTheLedgerCloses:
    @pytest.mark.parametrize(("network", "shape", "rules"), CASES.values(), ids=CASES)
    def test_every_layer_and_the_whole_score_are_accounted_for(self, network: Any, shape: Any, rules: Any) -> None:
        x = images(shape)
        books = lrp.ledger(network, x, rules=rules)
        assert books.error < 1e-9
        score = network.scores(x)[np.arange(len(x)), books.target]
        parts = [R.reshape(len(x), -1).sum(axis=1) for R in books.relevances[:1]]
        parts += [books.total(column) for column in ("bias", "stabilizer", "dropped")]
        most = max(np.abs(R).sum() for R in books.relevances)
        np.testing.assert_allclose(sum(parts), score, rtol=0, atol=1e-9 * most)

    @pytest.mark.parametrize(("network", "shape", "rules"), CASES.values(), ids=CASES)
    def test_its_relevances_are_those_of_relevance_bit_for_bit(self, network: Any, shape: Any, rules: Any) -> None:
        x = images(shape)
        books = lrp.ledger(network, x, rules=rules)
        signals = lrp.relevance(network, x, rules=rules, all_layers=True)
        assert len(books.relevances) == len(signals)
        for kept, signal in zip(books.relevances, signals, strict=True):
            assert np.array_equal(kept, signal)
        assert np.array_equal(books.relevances[0], lrp.relevance(network, x, rules=rules))

    def test_in_float32_to_its_rounding(self) -> None:
        network, shape = RECTIFIED["convolutions and every pooling"]
        books = lrp.ledger(network.astype(np.float32), images(shape).astype(np.float32), rules=lrp.EpsilonPlus())
        assert 0 < books.error < 1e-5

    def test_also_from_1(self) -> None:
        network, shape = RECTIFIED["two dense layers"]
        books = lrp.ledger(network, images(shape), 1, rules=lrp.zero(), start="one")
        assert books.entries[-1].above.tolist() == [1, 1, 1]
        assert books.error < 1e-12

    def test_a_batch_of_none(self) -> None:
        network, shape = RECTIFIED["convolutions and every pooling"]
        books = lrp.ledger(network, images(shape, n=0))
        assert books.error == 0
        assert books.relevances[0].shape == (0, *shape)


class TestWhatIsNotDistributed:
    def test_the_lines_by_hand(self) -> None:
        # z = (2 - 1 + 1, -2) = (2, -2), after ReLU (2, 0); f = 3 · 2 + 0.5 = 6.5; ε = 0.5 at both layers.
        network = Network(
            [Dense(np.array([[2.0, -2.0], [-1.0, 0.0]]), np.array([1.0, 0.0])), ReLU(),
             Dense(np.array([[3.0], [5.0]]), np.array([0.5]))]
        )  # fmt: skip
        books = lrp.ledger(network, np.array([[1.0, 1.0]]), rules=lrp.epsilon(0.5))
        below, relu, above = books.entries
        assert above.above == pytest.approx(6.5)
        assert above.below == pytest.approx(6 / 7 * 6.5)
        assert above.bias == pytest.approx(0.5 / 7 * 6.5)
        assert above.stabilizer == pytest.approx(0.5 / 7 * 6.5)
        assert relu.above == relu.below == above.below
        R = above.below[0]
        assert below.below == pytest.approx((2 - 1) / 2.5 * R)
        assert below.bias == pytest.approx(1 / 2.5 * R)
        assert below.stabilizer == pytest.approx(0.5 / 2.5 * R)
        assert above.dropped == below.dropped == 0

    @pytest.mark.parametrize(
        ("rule", "W", "dropped"),
        [
            (lrp.zero(), (1, -1), 1.0),
            (lrp.alpha_beta(2, 1), (1, 1), -1.0),
            (lrp.alpha_beta(2, 1), (-1, -1), 2.0),
            (lrp.generalized_gamma(0.25), (1, -1), 1.0),
            (lrp.generalized_gamma(0.25), (1, -0.5), 0.0),
        ],
        ids=str,
    )
    def test_what_is_dropped_by_hand(self, rule: lrp.Rule, W: Any, dropped: float) -> None:
        network = Network([Dense(np.array(W, dtype=float)[:, None])])
        books = lrp.ledger(network, np.ones((2, 2)), rules=rule, start="one")
        assert books.total("dropped").tolist() == [dropped, dropped]
        assert books.error < 1e-15


class TestTheTable:
    network = Network([Conv2d(np.ones((2, 2, 1, 1))), Flatten(), Dense(np.ones((8, 2)), np.array([1.0, 0.0]))])
    x = np.stack([np.ones((2, 2, 2)), np.zeros((2, 2, 2))])

    def test_a_line_for_each_layer_and_one_for_the_whole(self) -> None:
        books = lrp.ledger(self.network, self.x, 0, rules=lrp.zero())
        lines = str(books).splitlines()
        assert lines[0].split() == ["layer", "rule", "Σ", "R", "above", "Σ", "R", "below", "bias", "ε", "dropped"]
        assert [line.split()[0] for line in lines[1:]] == ["dense1", "flatten1", "conv1", "score"]
        assert lines[-1].split()[1:] == ["to", "pixels", "17.000000", "16.000000", "1.000000", "0.000000", "0.000000"]
        assert books.table(1).splitlines()[-1].split()[3:5] == ["1.000000", "0.000000"]

    def test_bounds_by_channel_take_one_line(self) -> None:
        rules = [lrp.z_bounds(np.zeros((2, 1, 1)), np.full((2, 1, 1), 2.0)), lrp.zero()]
        assert len({len(line) for line in str(lrp.ledger(self.network, self.x, rules=rules)).splitlines()}) == 1

    def test_iterating_gives_the_entries_bottom_to_top(self) -> None:
        books = lrp.ledger(self.network, self.x)
        assert [entry.layer for entry in books] == ["conv1", "flatten1", "dense1"]

    def test_a_nan_in_the_books_is_an_error_and_not_a_zero(self) -> None:
        books = lrp.ledger(self.network, self.x)
        broken = dataclasses.replace(books.entries[0], bias=np.array([0.0, np.nan]))
        assert np.isnan(dataclasses.replace(books, entries=(broken, *books.entries[1:])).error)

    def test_a_function_of_ones_own_keeps_no_books(self) -> None:
        with pytest.raises(TypeError, match=r"A ledger needs rules in the words of lrp\.Rule"):
            lrp.ledger(self.network, self.x, rules=lambda layer, a, z, R: layer.backward(a, R))


@pytest.mark.parametrize("scale", [1e-30, 1.0, 2e20, 5e37])
def test_the_relative_stabilizer_is_the_root_mean_square_at_every_size(scale: float) -> None:
    z = np.array([[3.0, -4.0], [1.0, 1.0], [0.0, 0.0]]) * scale
    for dtype in (np.float64, np.float32):
        size = lrp.relative(0.25)(z.astype(dtype))
        assert size.dtype == dtype
        np.testing.assert_allclose(size, 0.25 * scale * np.array([[12.5**0.5], [1], [0]]), rtol=1e-6)
    assert lrp.relative(0.25)(z[:0]).shape == (0, 1)


def test_ledgers_compare_by_identity() -> None:
    network, shape = RECTIFIED["two dense layers"]
    one, other = (lrp.ledger(network, images(shape)) for _ in range(2))
    assert one != other
    assert one.entries[0] != other.entries[0]
    assert len({one, other, *one.entries, *other.entries}) == 2 + 2 * 3


# ------------------------------------------------------------------------------------- never NaN, never a warning


def everything(dtype: Any, scale: float = 1.0) -> Network:
    """Convolution, both poolings, BatchNorm and dense layers."""
    network, _ = RECTIFIED["convolutions and every pooling"]
    scaled = {name: value * scale for name, value in network.parameters.items()}
    return network.with_parameters(scaled).astype(dtype)


def no_biases(dtype: Any) -> Network:
    W, V = np.random.default_rng(5).normal(size=(2, 8, 8)) * 3
    return Network([Dense(W), ReLU(), Dense(V), ReLU(), Dense(W)]).astype(dtype)


def huge_scores(dtype: Any) -> Network:
    """z² overflows in the last layer; z and W² do not."""
    network = no_biases(dtype)
    return Network([*network.layers[:-1], Dense(network[-1].W / 3 * np.sqrt(np.finfo(dtype).max / 1000))])


EXTREMES: dict[str, Callable[[Any], tuple[Network, np.ndarray]]] = {
    "black image": lambda dtype: (everything(dtype), np.zeros((1, 2, 8, 8), dtype)),
    "black image, no biases": lambda dtype: (no_biases(dtype), np.zeros((1, 8), dtype)),
    "white image": lambda dtype: (everything(dtype), np.ones((1, 2, 8, 8), dtype)),
    "all weights zero": lambda dtype: (everything(dtype, 0.0), images((2, 8, 8)).astype(dtype)),
    "one pixel": lambda dtype: (RECTIFIED["one pixel"][0].astype(dtype), np.ones((1, 1, 1, 1), dtype)),
    "subnormal": lambda dtype: (no_biases(dtype), np.full((1, 8), 5 * np.finfo(dtype).smallest_subnormal, dtype)),
    "nearly subnormal": lambda dtype: (no_biases(dtype), np.full((1, 8), np.finfo(dtype).tiny, dtype)),
    "a little above": lambda dtype: (no_biases(dtype), np.full((1, 8), 50 * np.finfo(dtype).tiny, dtype)),
    "tiny and ordinary": lambda dtype: (
        no_biases(dtype),
        np.array([[1, np.finfo(dtype).tiny] * 4], dtype),
    ),
    "squares that overflow": lambda dtype: (huge_scores(dtype), np.array([[1, 0.5] * 4, [0, 1] * 4, [0] * 8], dtype)),
}


@pytest.mark.parametrize("start", ["score", "one"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", EXTREMES.values(), ids=EXTREMES)
def test_every_number_is_finite_and_nothing_warns(case: Any, dtype: Any, start: str) -> None:
    network, x = case(dtype)
    for rules in RULES_FOR_RECTIFIED.values():
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            books = lrp.ledger(network, x, rules=rules, start=start)
        assert all(np.isfinite(R).all() for R in books.relevances)
        assert all(R.dtype == dtype for R in books.relevances)
        assert all(np.isfinite(books.total(column)).all() for column in ("bias", "stabilizer", "dropped"))


def test_a_network_of_zero_layers_has_a_ledger():
    book = lrp.ledger(Network([]), np.array([[2.0, 1.0]]), 0)
    assert (book.error, book.total("bias").tolist()) == (0.0, [0.0])
    assert str(book).split()[-5:] == ["2.000000", "2.000000", "0.000000", "0.000000", "0.000000"]
