"""LRP on whole networks: the laws that hold, what may be asked for and how, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based import gradient_times_input, lrp
from nnlite.layers import (
    AdaptiveAvgPool2d,
    AvgPool2d,
    BatchNorm,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LogSoftmax,
    MaxPool2d,
    Pad,
    Permute,
    PReLU,
    ReLU,
    Slice,
    Softmax,
    Upsample,
)

numbers = np.random.default_rng(23)


def w(*shape: int) -> np.ndarray:
    return numbers.normal(size=shape) * 0.6


DENSE = Network([Dense(w(6, 5), w(5)), ReLU(), Dense(w(5, 4), w(4)), ReLU(), Dense(w(4, 3), w(3))], input_shape=(6,))
IMAGES = Network(
    [Conv2d(w(3, 2, 3, 3), w(3), padding=1), ReLU(), MaxPool2d(2), Conv2d(w(4, 3, 2, 2), w(4)), ReLU(), AvgPool2d(2),
     Flatten(), Dense(w(4, 5), w(5)), ReLU(), Dense(w(5, 3), w(3))],
    input_shape=(2, 6, 6),
)  # fmt: skip
NO_BIASES = Network(
    [Conv2d(w(3, 2, 3, 3), padding=1), ReLU(), MaxPool2d(2), Conv2d(w(4, 3, 2, 2)), ReLU(), AvgPool2d(2),
     Flatten(), Dense(w(4, 5)), ReLU(), Dense(w(5, 3))],
)  # fmt: skip
X = np.random.default_rng(1).random((4, 6))
PIXELS = np.random.default_rng(1).random((4, 2, 6, 6))
COMPOSITES = {
    "epsilon": lrp.epsilon(0.1),
    "relative epsilon": lrp.epsilon(lrp.relative(0.25)),
    "montavon2019": lrp.montavon2019(),
    "EpsilonPlus": lrp.EpsilonPlus(),
    "EpsilonPlusFlat": lrp.EpsilonPlusFlat(),
    "EpsilonGammaBox": lrp.EpsilonGammaBox(),
    "EpsilonAlpha2Beta1": lrp.EpsilonAlpha2Beta1(),
    "EpsilonAlpha2Beta1Flat": lrp.EpsilonAlpha2Beta1Flat(),
}


def slides_z_plus(layer: Any, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
    """The slides' lrp(layer, a, R), line for line."""
    plus = replace(layer, W=np.maximum(0, layer.W), b=np.zeros_like(layer.b))
    z = plus.forward(a)
    s = R / z
    c = plus.backward(a, s)
    return a * c


class TestLaws:
    def test_lrp_0_is_gradient_times_input_on_a_relu_network_without_biases(self) -> None:
        R = lrp.relevance(NO_BIASES, PIXELS, rules=lrp.zero())
        np.testing.assert_allclose(R, gradient_times_input(NO_BIASES, PIXELS), rtol=1e-9, atol=1e-12)

    def test_lrp_0_is_gradient_times_input_on_every_grid_and_along_the_last_axis(self) -> None:
        rng = np.random.default_rng(3)
        network = Network(
            [Slice(2, 1), Pad((1, 0, 2), mode="zero"), Conv2d(rng.normal(size=(4, 3, 2, 3))), ReLU(),
             Pad((0, 1, 1), (0, 2, 0), "reflect"), Upsample((1, 2), "bilinear"), AdaptiveAvgPool2d(3), ReLU(),
             Permute((2, 3, 1)), Dense(rng.normal(size=(4, 5))), PReLU(0.0), Flatten(), Dense(rng.normal(size=(45, 3)))]
        )  # fmt: skip
        x = rng.normal(size=(3, 1, 5, 4))
        R = lrp.relevance(network, x, rules=lrp.zero())
        np.testing.assert_allclose(R, gradient_times_input(network, x), rtol=1e-9, atol=1e-12)

    def test_without_biases_the_relevance_sums_to_the_score(self) -> None:
        score = NO_BIASES.scores(PIXELS).max(axis=1)
        for rules in (lrp.zero(), lrp.gamma(0.25), lrp.w_squared(), lrp.flat(), lrp.montavon2019()):
            R = lrp.relevance(NO_BIASES, PIXELS, rules=rules, all_layers=True)
            lost = lrp.ledger(NO_BIASES, PIXELS, rules=rules)
            kept = score - lost.total("dropped") - lost.total("stabilizer")
            np.testing.assert_allclose(R[0].sum(axis=(1, 2, 3)), kept, rtol=1e-9)

    @pytest.mark.parametrize("rules", COMPOSITES.values(), ids=COMPOSITES)
    def test_a_batch_is_its_samples_one_at_a_time(self, rules: Any) -> None:
        together = lrp.relevance(IMAGES, PIXELS, [0, 1, 2, 0], rules=rules)
        for n, target in enumerate([0, 1, 2, 0]):
            alone = lrp.relevance(IMAGES, PIXELS[n : n + 1], target, rules=rules)
            assert np.abs(together[n] - alone[0]).max() <= 1e-10 * np.abs(alone).sum()

    @pytest.mark.parametrize("rules", COMPOSITES.values(), ids=COMPOSITES)
    def test_twice_the_same_bits_and_an_unchanged_input(self, rules: Any) -> None:
        x = PIXELS.copy()
        assert np.array_equal(lrp.relevance(IMAGES, x, rules=rules), lrp.relevance(IMAGES, x, rules=rules))
        assert np.array_equal(x, PIXELS)

    @pytest.mark.parametrize("rules", COMPOSITES.values(), ids=COMPOSITES)
    def test_float32_gives_float32_near_the_float64_numbers(self, rules: Any) -> None:
        R = lrp.relevance(IMAGES.astype(np.float32), PIXELS.astype(np.float32), 1, rules=rules)
        exact = lrp.relevance(IMAGES, PIXELS, 1, rules=rules)
        assert R.dtype == np.float32
        assert np.abs(R - exact).max() < 1e-4 * np.abs(exact).sum()

    @pytest.mark.parametrize("rules", COMPOSITES.values(), ids=COMPOSITES)
    def test_a_softmax_or_a_dropout_changes_nothing(self, rules: Any) -> None:
        expected = lrp.relevance(IMAGES, PIXELS, rules=rules)
        assert np.array_equal(lrp.relevance(Network([*IMAGES, Softmax()]), PIXELS, rules=rules), expected)
        dropout = Network([*IMAGES.layers[:-1], Dropout(0.5), IMAGES[-1]])
        assert np.array_equal(lrp.relevance(dropout, PIXELS, rules=rules), expected)

    def test_batchnorm_behind_a_layer_is_that_layer_scaled_and_shifted(self) -> None:
        conv, dense = Conv2d(w(3, 2, 3, 3)), Dense(w(48, 3), w(3))
        one, two = (BatchNorm(w(3), w(3), w(3), np.full(3, 0.5), eps=0.1) for _ in range(2))
        network = Network([conv, one, ReLU(), Flatten(), dense, two])
        s, t = one.gamma / np.sqrt(0.6), two.gamma / np.sqrt(0.6)
        folded = Network([
            Conv2d(conv.W * s[:, None, None, None], one.beta - one.mean * s),
            ReLU(),
            Flatten(),
            Dense(dense.W * t, (dense.b - two.mean) * t + two.beta),
        ])  # fmt: skip
        for rules in (lrp.epsilon(0.1), lrp.EpsilonAlpha2Beta1(), lrp.montavon2019()):
            R = lrp.relevance(network, PIXELS, rules=rules)
            np.testing.assert_allclose(R, lrp.relevance(folded, PIXELS, rules=rules), rtol=1e-9, atol=1e-12)

    def test_a_network_in_a_network_is_its_layers(self) -> None:
        nested = Network([DENSE[:2], Network([DENSE[2:4], DENSE[4]])])
        assert np.array_equal(lrp.relevance(nested, X), lrp.relevance(DENSE, X))


class TestWhatMayBeAsked:
    def test_the_target_in_every_form(self) -> None:
        predicted = DENSE.predict(X)
        assert np.array_equal(lrp.relevance(DENSE, X), lrp.relevance(DENSE, X, predicted))
        expected = lrp.relevance(DENSE, X, 2)
        for target in (np.int64(2), np.uint8(2), np.array(2), [2] * 4, (2, 2, 2, 2), np.full(4, 2, np.int8)):
            assert np.array_equal(lrp.relevance(DENSE, X, target), expected)

    def test_a_class_for_each_sample(self) -> None:
        together = lrp.relevance(DENSE, X, [2, 0, 1, 2])
        for n, target in enumerate([2, 0, 1, 2]):
            assert np.array_equal(together[n], lrp.relevance(DENSE, X, target)[n])

    def test_the_ledger_knows_the_classes(self) -> None:
        assert lrp.ledger(DENSE, X).target.tolist() == DENSE.predict(X).tolist()
        assert lrp.ledger(DENSE, X, [2, 0, 1, 2]).target.tolist() == [2, 0, 1, 2]

    @pytest.mark.parametrize("rules", COMPOSITES.values(), ids=COMPOSITES)
    def test_from_1_is_from_the_score_divided_by_the_score(self, rules: Any) -> None:
        score = IMAGES.scores(PIXELS)[:, 1]
        one = lrp.relevance(IMAGES, PIXELS, 1, rules=rules, start="one")
        whole = lrp.relevance(IMAGES, PIXELS, 1, rules=rules)
        np.testing.assert_allclose(one, whole / score[:, None, None, None], rtol=1e-9, atol=1e-15)

    def test_all_layers_in_the_shapes_of_the_activations(self) -> None:
        R = lrp.relevance(Network([*IMAGES, Softmax()]), PIXELS, 2, all_layers=True)
        a = IMAGES.forward(PIXELS)
        assert [r.shape for r in R] == [a_l.shape for a_l in a]
        assert np.array_equal(R[0], lrp.relevance(IMAGES, PIXELS, 2))
        assert np.array_equal(R[-1], a[-1] * [0, 0, 1])

    def test_a_rule_for_each_layer_with_weights(self) -> None:
        rules = [lrp.z_bounds(0, 1), lrp.gamma(0.25), lrp.epsilon(lrp.relative(0.25)), lrp.zero()]
        expected = lrp.relevance(IMAGES, PIXELS, rules=lrp.montavon2019())
        assert np.array_equal(lrp.relevance(IMAGES, PIXELS, rules=rules), expected)
        assert np.array_equal(lrp.relevance(IMAGES, PIXELS, rules=tuple(rules)), expected)

    def test_a_rule_for_each_layer_with_none_where_the_usual_one_will_do(self) -> None:
        box, gamma, relative, zero = [lrp.z_bounds(0, 1), lrp.gamma(0.25), lrp.epsilon(lrp.relative(0.25)), lrp.zero()]
        rules = [box, None, None, gamma, None, None, None, relative, None, zero]
        expected = lrp.relevance(IMAGES, PIXELS, rules=lrp.montavon2019())
        assert np.array_equal(lrp.relevance(IMAGES, PIXELS, rules=rules), expected)

    def test_a_list_may_give_a_pooling_a_rule_of_its_own(self) -> None:
        rules: list[Any] = [lrp.flat(), None, None, lrp.flat(), None, lrp.zero(0.5), None, lrp.flat(), None, lrp.flat()]
        assert lrp.ledger(IMAGES, PIXELS, rules=rules).entries[5].rule == "zero(stabilizer=0.5)"

    def test_a_plain_function_is_a_rule(self) -> None:
        for network, x in ((DENSE, X), (IMAGES, PIXELS)):
            # It does not guard its denominators: every neuron needs a positive weight somewhere.
            network = network.with_parameters({name: value + 0.4 for name, value in network.parameters.items()})
            R = lrp.relevance(network, x, rules=slides_z_plus)
            np.testing.assert_allclose(R, lrp.relevance(network, x, rules=lrp.z_plus()), rtol=1e-12)
            several = [slides_z_plus] * (3 if x is X else 4)
            assert np.array_equal(lrp.relevance(network, x, rules=several), R)

    def test_the_lessons_network_of_the_slides_by_hand(self) -> None:
        # a = (2, 1), z = (5, 3), f = 8 under z⁺: 3 goes by (1, 2) / 3, 5 by the only positive weight.
        network = Network([Dense(np.array([[3.0, 0.5], [-1.0, 2.0]])), ReLU(), Dense(np.array([[1.0], [1.0]]))])
        R = lrp.relevance(network, np.array([[2.0, 1.0]]), rules=lrp.z_plus(), all_layers=True)
        assert R[1].tolist() == [[5.0, 3.0]]
        np.testing.assert_allclose(R[0], [[5 + 3 * 1 / 3, 3 * 2 / 3]])


class Double(Layer):
    """A layer of somebody's own: z = 2 a."""

    def forward(self, a: np.ndarray) -> np.ndarray:
        return 2 * a

    def backward(self, a: np.ndarray, dz: np.ndarray) -> np.ndarray:
        return 2 * dz


WITH_A_DOUBLE = Network([DENSE["dense1"], Double(), DENSE["dense2"]], ["dense1", "double1", "dense2"])


class TestALayerOfOnesOwn:
    def test_its_rule_in_a_list_is_used(self) -> None:
        seen = []

        def f(layer: Any, a: np.ndarray, z: np.ndarray, R: np.ndarray) -> np.ndarray:
            seen.append(layer)
            return 3 * R

        rules = [lrp.epsilon(), f, lrp.epsilon()]
        plain = lrp.relevance(WITH_A_DOUBLE, X, rules=[lrp.epsilon(), lambda layer, a, z, R: R, lrp.epsilon()])
        np.testing.assert_allclose(lrp.relevance(WITH_A_DOUBLE, X, rules=rules), 3 * plain)
        assert seen == [WITH_A_DOUBLE[1]]

    def test_where_it_has_none_the_message_says_how_to_give_it_one(self) -> None:
        message = r"LRP has no rule for layer double1 .*; give it one of your own, in a list with a rule for each layer"
        for rules in (
            lrp.epsilon(),
            lrp.Composite(dense=lrp.zero()),
            [lrp.zero(), lrp.zero()],
            [lrp.zero(), None, lrp.zero()],
        ):
            with pytest.raises(ValueError, match=message):
                lrp.relevance(WITH_A_DOUBLE, X, rules=rules)


IN_THE_MIDDLE = Network([Dense(np.eye(6)), LogSoftmax(), Dense(np.eye(6))])
NAN_WEIGHTS = DENSE.with_parameters({"dense2.b": np.array([0, np.nan, 0, 0])})
BAD: dict[str, tuple[Callable[[], Any], type[Exception], str]] = {
    "wrong shape": (
        lambda: lrp.relevance(DENSE, X[:, :5]),
        ValueError,
        r"x takes the shape \(N, 6\), got \(4, 5\)",
    ),
    "no batch axis": (
        lambda: lrp.relevance(IMAGES, PIXELS[0]),
        ValueError,
        r"takes the shape \(N, 2, 6, 6\), got \(2, 6, 6\)\. Add the batch axis: x\[None\]",
    ),
    "no batch axis, no shape": (
        lambda: lrp.relevance(NO_BIASES, PIXELS[0]),
        ValueError,
        r"layer conv1: .*takes \(N, 2, H, W\), got \(2, 6, 6\)\. Add the batch axis",
    ),
    "NaN": (
        lambda: lrp.relevance(DENSE, np.where(X[1, 2] == X, np.nan, X)),
        ValueError,
        r"x must be finite, and x\[1, 2\] is nan",
    ),
    "infinity": (
        lambda: lrp.relevance(DENSE, np.where(X[3, 0] == X, -np.inf, X)),
        ValueError,
        r"x must be finite, and x\[3, 0\] is -inf",
    ),
    "NaN in the weights": (
        lambda: lrp.relevance(NAN_WEIGHTS, X),
        ValueError,
        r"relevance: the activations of layer dense2 hold a NaN or an infinity; check the network's weights",
    ),
    "integers": (
        lambda: lrp.relevance(DENSE, (X * 255).astype(np.uint8)),
        ValueError,
        r"x takes float64 values, got uint8; bring pixels to \[0, 1\]",
    ),
    "float16": (lambda: lrp.relevance(DENSE, X.astype(np.float16)), ValueError, r"takes float64 .* got float16"),
    "not the network's dtype": (
        lambda: lrp.relevance(DENSE, X.astype(np.float32)),
        ValueError,
        r"computes in float64, and x is float32; use x\.astype\(np\.float64\) or network\.astype\(np\.float32\)",
    ),
    "a list": (
        lambda: lrp.relevance(DENSE, X.tolist()),
        TypeError,
        r"takes a NumPy array .* got list; use np\.asarray",
    ),
    "target too large": (lambda: lrp.relevance(DENSE, X, 3), ValueError, r"classes from 0 to 2, got 3"),
    "target negative": (
        lambda: lrp.relevance(DENSE, X, [0, 0, -1, 0]),
        ValueError,
        r"from 0 to 2, got \[0, 0, -1, 0\]",
    ),
    "target a float": (lambda: lrp.relevance(DENSE, X, 1.0), ValueError, r"target takes a class, .* got 1\.0"),
    "target too short": (lambda: lrp.relevance(DENSE, X, [0, 1]), ValueError, r"4 integers .* got \[0, 1\]"),
    "target of two axes": (
        lambda: lrp.relevance(DENSE, X, [[0]]),
        ValueError,
        r"target takes a class, .*got \[\[0\]\]",
    ),
    "target True": (lambda: lrp.relevance(DENSE, X, True), ValueError, r"target takes a class, .* got True"),
    "target a name": (lambda: lrp.relevance(DENSE, X, "4"), ValueError, r"target takes a class, .* got '4'"),
    "start": (lambda: lrp.relevance(DENSE, X, start="x"), ValueError, r"start: expected one of .*, got \'x\'"),
    "no scores": (
        lambda: lrp.relevance(IMAGES[:2], PIXELS),
        ValueError,
        r"explained by its scores \(N, K\), and this one gives \(4, 3, 6, 6\)",
    ),
    "two rules for three": (
        lambda: lrp.relevance(DENSE, X, rules=[lrp.zero()] * 2),
        ValueError,
        r"takes 3 rules \(one for each layer with weights\) or 5 \(one for each layer\), got 2",
    ),
    "no rules": (lambda: lrp.relevance(DENSE, X, rules=[]), ValueError, r"takes 3 rules .* got 0"),
    "None for weights": (
        lambda: lrp.relevance(DENSE, X, rules=[lrp.zero(), None, None, None, lrp.zero()]),
        ValueError,
        r"layers dense2 have weights and need a rule",
    ),
    "rules by name": (
        lambda: lrp.relevance(DENSE, X, rules="zero"),
        TypeError,
        r"a rule, a Composite or a list .*'zero'",
    ),
    "rules None": (lambda: lrp.relevance(DENSE, X, rules=None), TypeError, r"a Composite or a list of rules, got None"),
    "a name among the rules": (
        lambda: lrp.relevance(DENSE, X, rules=[lrp.zero(), "zero", lrp.zero()]),
        TypeError,
        r"A rule is one of nnlite\.decision_based\.lrp or a function, got 'zero'",
    ),
    "a composite among the rules": (
        lambda: lrp.relevance(DENSE, X, rules=[lrp.montavon2019(), lrp.zero(), lrp.zero()]),
        TypeError,
        r"A rule is one of nnlite\.decision_based\.lrp or a function, got Composite",
    ),
    "no parentheses": (lambda: lrp.relevance(DENSE, X, rules=lrp.gamma), TypeError, r"call it: lrp\.gamma\(\)"),
    "no parentheses on a composite": (
        lambda: lrp.ledger(DENSE, X, rules=lrp.EpsilonPlus),
        TypeError,
        r"lrp\.EpsilonPlus makes a rule and is not one itself; call it: lrp\.EpsilonPlus\(\)",
    ),
    "no parentheses in a composite": (
        lambda: lrp.relevance(DENSE, X, rules=lrp.Composite(dense=lrp.zero)),
        TypeError,
        r"call it: lrp\.zero\(\)",
    ),
    "a function that gives another shape": (
        lambda: lrp.relevance(DENSE[:1], X, rules=lambda layer, a, z, R: R),
        ValueError,
        r"rule of layer dense1 must give R_j as \(4, 6\) float64, got \(4, 5\) float64",
    ),
    "a function that gives nothing": (
        lambda: lrp.relevance(DENSE[:1], X, rules=lambda layer, a, z, R: None),
        ValueError,
        r"must give R_j as \(4, 6\) float64, got None",
    ),
    "a function that gives nothing to the layer below": (
        lambda: lrp.relevance(IMAGES, PIXELS, rules=lambda layer, a, z, R: None),
        ValueError,
        r"The rule of layer dense\d must give R_j as .*, got None",
    ),
    "everywhere without a rule": (lambda: lrp.everywhere("epsilon"), TypeError, r"everywhere takes a rule such as"),
    "negative inputs to gamma": (
        lambda: lrp.relevance(DENSE, -X, rules=lrp.gamma()),
        ValueError,
        r"gamma needs inputs ≥ 0, .* use generalized_gamma",
    ),
    "negative inputs to z_plus": (
        lambda: lrp.relevance(DENSE, -X, rules=lrp.z_plus()),
        ValueError,
        r"z_plus needs inputs ≥ 0, .* use alpha_beta\(1, 0\)",
    ),
    "pixels outside the bounds": (
        lambda: lrp.relevance(IMAGES, 2 * PIXELS, rules=lrp.montavon2019()),
        ValueError,
        r"z_bounds takes inputs in \[0\.0, 1\.0\], .* give the bounds of your pixels",
    ),
    "a LogSoftmax in the middle": (
        lambda: lrp.relevance(IN_THE_MIDDLE, X),
        ValueError,
        r"LRP has no rule for layer logsoftmax1 .* give it one of your own",
    ),
}


@pytest.mark.parametrize(("call", "kind", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_clear_sentence(call: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        call()
