"""The layers that LRP's rules make over: each once; and the terms that bring nothing are left out of the sums."""

import numpy as np
import pytest

from nnlite import Network
from nnlite.decision_based import lrp
from nnlite.decision_based.lrp import form
from nnlite.layers import Conv2d, Dense, ReLU

rng = np.random.default_rng(5)
RULES = {
    "gamma": lrp.gamma(0.5),
    "generalized_gamma": lrp.generalized_gamma(0.5),
    "z_plus": lrp.z_plus(),
    "alpha_beta": lrp.alpha_beta(2, 1, 1e-6),
    "z_bounds": lrp.z_bounds(-9, 9),
    "w_squared": lrp.w_squared(),
    "flat": lrp.flat(),
}


def conv():
    return Conv2d(rng.normal(size=(3, 2, 2, 2)), rng.normal(size=3))


@pytest.mark.parametrize("name", RULES)
def test_a_prepared_walk_makes_its_changed_layers_once(name, monkeypatch):
    network = Network([conv(), ReLU(), conv2 := Conv2d(rng.normal(size=(2, 3, 2, 2)))])
    explain, x = lrp.LRP(network, RULES[name]), rng.random((2, 2, 4, 4))
    composite = lrp.Composite(convolution=RULES[name])
    expected = lrp.relevance(network, x, ("conv2", 0), rules=composite)
    monkeypatch.setattr(form, "changed", None)  # nothing is made any more
    assert np.array_equal(explain(x, ("conv2", 0)), expected)
    assert explain.network["conv2"] is conv2


def test_an_unchanged_layer_is_the_layer_itself():
    layer = conv()
    assert lrp.epsilon(0.1).on(layer).changed == [[layer]]
    assert lrp.zero().on(layer.astype(np.float32)).changed[0][0].dtype == np.float32


def test_equal_gammas_are_equal_rules_and_others_are_not():
    assert lrp.gamma(0.5) == lrp.gamma(0.5)
    assert hash(lrp.gamma(0.5)) == hash(lrp.gamma(0.5))
    assert lrp.gamma(0.5) != lrp.gamma(0.25)
    bounds = np.zeros((2, 1, 1))
    assert lrp.z_bounds(bounds, 1) == lrp.z_bounds(bounds.copy(), 1)
    assert lrp.z_bounds(bounds, 1) != lrp.z_bounds(bounds - 1, 1)


@pytest.mark.parametrize("name", ["alpha_beta", "generalized_gamma"])
def test_what_is_left_out_above_a_relu_would_have_brought_nothing(name):
    """The bits of a sample do not depend on whether a negative number beside it keeps the second term."""
    rule, layer = RULES[name], conv()
    a = np.maximum(rng.normal(size=(3, 2, 4, 4)), 0)
    a[a == 0] = -0.0  # it is not negative
    beside = np.concatenate([a, -np.ones((1, 2, 4, 4))])
    R = rng.normal(size=(4, 3, 3, 3))
    short = rule.step(layer, a, layer.forward(a), R[:3])
    whole = rule.step(layer, beside, layer.forward(beside), R)
    np.testing.assert_array_equal(short.below, whole.below[:3])
    for column in ("bias", "stabilizer", "dropped"):
        np.testing.assert_array_equal(getattr(short, column), getattr(whole, column)[:3])


@pytest.mark.parametrize("value", [-1e-300, np.nan])
def test_one_negative_input_or_a_nan_keeps_every_term(value):
    a = rng.random((2, 2, 4, 4))
    assert lrp.A_MINUS(a) is None
    assert lrp.A_PLUS(a) is a
    a[1, 0, 2, 2] = value
    assert lrp.A_MINUS(a) is not None
    assert lrp.A_PLUS(a) is not a


def test_a_rule_in_the_same_words_is_walked_booked_and_printed_like_the_others():
    halves = lrp.Rule(
        "halves",
        [lrp.Group([lrp.Term(lrp.A, lrp.POSITIVE, None)], 0.5), lrp.Group([lrp.Term(lrp.A, lrp.NEGATIVE, None)], 0.5)],
    )
    network = Network([Dense(np.array([[3.0], [-1.0]]))])
    x = np.array([[2.0, 1.0]])
    assert lrp.relevance(network, x, rules=halves).tolist() == [[2.5, 2.5]]
    assert "halves()" in str(lrp.ledger(network, x, rules=halves))
