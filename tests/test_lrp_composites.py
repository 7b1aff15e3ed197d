"""Composites: which rule each layer gets, by position and kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based import lrp
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
    LogSoftmax,
    MaxPool2d,
    ReLU,
    Reshape,
)


def conv(channels: int, filters: int) -> Conv2d:
    return Conv2d(np.ones((filters, channels, 1, 1)))


def dense_network(count: int) -> Network:
    """`count` dense layers with ReLU between them."""
    layers: list[Layer] = [ReLU()] * (2 * count - 1)
    layers[::2] = [Dense(np.eye(2)) for _ in range(count)]
    return Network(layers)


def image_network() -> Network:
    """Three convolutions and two dense layers, with everything between."""
    return Network(
        [conv(1, 2), ReLU(), MaxPool2d(2), conv(2, 2), ReLU(), AvgPool2d(2), ConvTranspose2d(np.ones((2, 2, 1, 1))),
         GlobalAvgPool(), Flatten(), Dense(np.eye(2)), ReLU(), Dropout(0.5), Dense(np.eye(2))]
    )  # fmt: skip


def chosen(network: Network, composite: lrp.Composite) -> dict[str, str]:
    """The rule of each layer, as text, where it is not one that only passes."""
    rules = zip(network.names, composite.rules_for(network), strict=True)
    named = {name: lrp.passing.name_of(rule) for name, rule in rules}
    return {name: rule for name, rule in named.items() if rule != "passes"}


BOX, GAMMA = "z_bounds(low=0.0, high=1.0)", "gamma(gamma=0.25)"
RELATIVE = str(lrp.epsilon(lrp.relative(0.25)))


class TestMontavon2019:
    @pytest.mark.parametrize(
        ("count", "expected"),
        [
            (1, ["zero()"]),
            (2, [BOX, "zero()"]),
            (3, [BOX, RELATIVE, "zero()"]),
            (4, [BOX, GAMMA, RELATIVE, "zero()"]),
            (5, [BOX, GAMMA, RELATIVE, RELATIVE, "zero()"]),
            (6, [BOX, GAMMA, GAMMA, RELATIVE, RELATIVE, "zero()"]),
        ],
    )
    def test_box_gamma_epsilon_zero_from_the_pixels_to_the_scores(self, count: int, expected: list[str]) -> None:
        assert list(chosen(dense_network(count), lrp.montavon2019()).values()) == expected

    def test_pooling_and_what_passes_do_not_count(self) -> None:
        assert chosen(image_network(), lrp.montavon2019()) == {
            "conv1": BOX,
            "pool1": "winner takes all",
            "conv2": GAMMA,
            "pool2": "zero()",
            "convtranspose1": RELATIVE,
            "globalavgpool1": "zero()",
            "dense1": RELATIVE,
            "dense2": "zero()",
        }

    def test_the_bounds_are_those_given(self) -> None:
        assert str(lrp.montavon2019(-1, 2).first) == "z_bounds(low=-1, high=2)"


class TestZennits:
    DENSE = "epsilon(epsilon=1e-06)"
    PLUS = "alpha_beta(alpha=1, beta=0, stabilizer=1e-06)"
    ALPHA2 = "alpha_beta(alpha=2, beta=1, stabilizer=1e-06)"
    FLAT = "flat(stabilizer=1e-06)"
    ZBOX = "z_bounds(low=0.0, high=1.0, stabilizer=1e-06)"
    GENERALIZED = "generalized_gamma(gamma=0.25, stabilizer=1e-06)"
    POOL = "zero(stabilizer=1e-06)"

    @pytest.mark.parametrize(
        ("composite", "first", "convolution"),
        [
            (lrp.EpsilonPlus(), PLUS, PLUS),
            (lrp.EpsilonPlusFlat(), FLAT, PLUS),
            (lrp.EpsilonGammaBox(), ZBOX, GENERALIZED),
            (lrp.EpsilonAlpha2Beta1(), ALPHA2, ALPHA2),
            (lrp.EpsilonAlpha2Beta1Flat(), FLAT, ALPHA2),
        ],
        ids=["EpsilonPlus", "EpsilonPlusFlat", "EpsilonGammaBox", "EpsilonAlpha2Beta1", "EpsilonAlpha2Beta1Flat"],
    )
    def test_by_kind_with_a_first_of_its_own(self, composite: lrp.Composite, first: str, convolution: str) -> None:
        assert chosen(image_network(), composite) == {
            "conv1": first,
            "pool1": "winner takes all",
            "conv2": convolution,
            "pool2": self.POOL,
            "convtranspose1": convolution,
            "globalavgpool1": self.POOL,
            "dense1": self.DENSE,
            "dense2": self.DENSE,
        }

    def test_the_box_is_for_convolutions_alone(self) -> None:
        assert list(chosen(dense_network(2), lrp.EpsilonGammaBox()).values()) == [self.DENSE, self.DENSE]
        behind_dense = Network([Dense(np.eye(4)), Reshape((1, 2, 2)), conv(1, 1), Flatten(), Dense(np.eye(4))])
        assert list(chosen(behind_dense, lrp.EpsilonGammaBox()).values()) == [self.DENSE, self.ZBOX, self.DENSE]

    @pytest.mark.parametrize("composite", [lrp.EpsilonPlusFlat(), lrp.EpsilonAlpha2Beta1Flat()])
    def test_flat_is_for_the_first_layer_of_any_kind(self, composite: lrp.Composite) -> None:
        assert list(chosen(dense_network(2), composite).values()) == [self.FLAT, self.DENSE]
        assert list(chosen(dense_network(1), composite).values()) == [self.FLAT]

    def test_a_batchnorm_on_its_own_passes_as_zennit_has_it(self) -> None:
        one = np.ones(2)
        network = Network([BatchNorm(one, one, one, one), Dense(np.eye(2))])
        assert list(chosen(network, lrp.EpsilonPlus())) == ["dense1"]
        assert list(chosen(network, lrp.montavon2019())) == ["batchnorm1", "dense1"]

    def test_options_reach_their_rules(self) -> None:
        composite = lrp.EpsilonGammaBox(-1.0, 2.0, epsilon=0.5, gamma=0.1, stabilizer=0.0)
        assert chosen(image_network(), composite) | {"pool1": ""} == {
            "conv1": "z_bounds(low=-1.0, high=2.0)",
            "pool1": "",
            "conv2": "generalized_gamma(gamma=0.1)",
            "pool2": "zero()",
            "convtranspose1": "generalized_gamma(gamma=0.1)",
            "globalavgpool1": "zero()",
            "dense1": "epsilon(epsilon=0.5)",
            "dense2": "epsilon(epsilon=0.5)",
        }


class TestPriorities:
    A, B, C, D, E = (lrp.epsilon(float(i)) for i in range(5))

    @pytest.mark.parametrize(
        ("fields", "expected"),
        [
            ({"dense": A}, [A, A, A, A]),
            ({"dense": A, "last": B}, [A, A, A, B]),
            ({"dense": A, "first": B}, [B, A, A, A]),
            ({"dense": A, "lower": B}, [A, B, A, A]),
            ({"dense": A, "upper": B}, [A, A, B, A]),
            ({"first": A, "last": B, "lower": C, "upper": D, "dense": E}, [A, C, D, B]),
            ({"first_convolution": A, "convolution": A, "dense": B}, [B, B, B, B]),
        ],
    )
    def test_position_goes_before_kind(self, fields: dict[str, Any], expected: list[Any]) -> None:
        rules = lrp.Composite(**fields).rules_for(dense_network(4))
        assert rules[::2] == expected

    def test_first_goes_before_first_convolution_and_that_before_last(self) -> None:
        network = Network([conv(1, 1), conv(1, 1)])
        both = lrp.Composite(first=self.A, first_convolution=self.B, convolution=self.C)
        assert both.rules_for(network) == [self.A, self.C]
        one = lrp.Composite(first_convolution=self.A, last=self.B)
        assert one.rules_for(Network([Dense(np.eye(1)), Reshape((1, 1, 1)), conv(1, 1)])[2:]) == [self.A]

    def test_the_only_linear_layer_is_the_last_where_that_is_given(self) -> None:
        assert lrp.Composite(first=self.A, last=self.B).rules_for(dense_network(1)) == [self.B]
        assert lrp.Composite(first=self.A).rules_for(dense_network(1)) == [self.A]


class TestEverywhere:
    def test_one_rule_on_every_layer_with_weights(self) -> None:
        assert chosen(image_network(), lrp.everywhere(lrp.gamma(0.5))) == {
            "conv1": "gamma(gamma=0.5)",
            "pool1": "winner takes all",
            "conv2": "gamma(gamma=0.5)",
            "pool2": "zero()",
            "convtranspose1": "gamma(gamma=0.5)",
            "globalavgpool1": "zero()",
            "dense1": "gamma(gamma=0.5)",
            "dense2": "gamma(gamma=0.5)",
        }

    def test_its_stabilizer_holds_for_average_pooling_too(self) -> None:
        assert chosen(image_network(), lrp.everywhere(lrp.flat(1e-3)))["pool2"] == "zero(stabilizer=0.001)"


class TestWhatACompositeCannotDo:
    def test_a_layer_that_no_field_fits(self) -> None:
        message = r"no rule for layer dense2 \(Dense\(W\[2, 2\]\)\); its fields are first, first_convolution, last"
        with pytest.raises(ValueError, match=message):
            lrp.Composite(first=lrp.zero(), last=lrp.zero()).rules_for(dense_network(3))

    def test_a_log_softmax_in_the_middle(self) -> None:
        network = Network([Dense(np.eye(2)), LogSoftmax(), Dense(np.eye(2))])
        with pytest.raises(ValueError, match=r"no rule for layer logsoftmax1 \(LogSoftmax\(\)\); give it one of your"):
            lrp.everywhere(lrp.zero()).rules_for(network)
