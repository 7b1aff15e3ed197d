"""The layers that LRP's rules make over: each once; and the terms that bring nothing are left out of the sums."""

import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest

from nnlite.decision_based import lrp
from nnlite.layers import Conv2d, Dense

rng = np.random.default_rng(5)
RULES = {
    "gamma": lrp.gamma(0.5),
    "generalized_gamma": lrp.generalized_gamma(0.5),
    "z_plus": lrp.z_plus(),
    "alpha_beta": lrp.alpha_beta(2, 1, 1e-6),
    "z_bounds": lrp.z_bounds(),
    "w_squared": lrp.w_squared(),
    "flat": lrp.flat(),
}


def conv():
    return Conv2d(rng.normal(size=(3, 2, 2, 2)), rng.normal(size=3))


def changed(rule, layer, a):
    return [term.layer for group in rule.groups(layer, a, layer.forward(a)) for term in group.terms]


@pytest.mark.parametrize("name", RULES)
def test_a_changed_layer_is_made_once(name):
    layer, other, a = conv(), conv(), rng.random((2, 2, 4, 4))
    first, again = (changed(RULES[name], layer, a) for _ in range(2))
    assert all(mine is theirs for mine, theirs in zip(first, again, strict=True))
    assert not any(mine is theirs for mine in first for theirs in changed(RULES[name], other, a))


def test_equal_gammas_share_a_layer_and_others_do_not():
    layer, a = conv(), rng.random((2, 2, 4, 4))
    assert changed(lrp.gamma(0.5), layer, a) == changed(lrp.gamma(0.5), layer, a)
    assert changed(lrp.gamma(0.5), layer, a) != changed(lrp.gamma(0.25), layer, a)


def test_a_layer_with_other_weights_remembers_nothing_of_the_first():
    layer, a = Dense(np.ones((2, 1))), np.ones((1, 2))
    changed(lrp.z_plus(), layer, a)
    assert changed(lrp.z_plus(), replace(layer, W=np.full((2, 1), 3.0)), a)[0].W.tolist() == [[3.0], [3.0]]


def test_the_changed_layers_go_with_their_layer():
    layer = conv()
    (plus,) = changed(lrp.z_plus(), layer, rng.random((2, 2, 4, 4)))
    seen = weakref.ref(plus)
    del plus, layer
    gc.collect()
    assert seen() is None


@pytest.mark.parametrize("name", ["alpha_beta", "generalized_gamma"])
def test_what_is_left_out_above_a_relu_would_have_brought_nothing(name):
    rule, layer = RULES[name], conv()
    a = np.maximum(rng.normal(size=(3, 2, 4, 4)), 0)
    a[a == 0] = -0.0  # it is not negative
    z, R = layer.forward(a), rng.normal(size=(3, 3, 3, 3))

    def whole(layer, a, z):
        return [group._replace(terms=[t._replace(vanishes=False) for t in group.terms]) for group in short(layer, a, z)]

    short = rule.groups
    assert [[t.vanishes for t in group.terms] for group in short(layer, a, z)] == [[False, True]] * 2
    ours, theirs = rule.step(layer, a, z, R), replace(rule, groups=whole).step(layer, a, z, R)
    np.testing.assert_array_equal(ours.below, theirs.below)
    for column in ("bias", "stabilizer", "dropped"):
        np.testing.assert_array_equal(getattr(ours, column), getattr(theirs, column))


@pytest.mark.parametrize("value", [-1e-300, np.nan])
def test_one_negative_input_or_a_nan_keeps_every_term(value):
    a = rng.random((2, 2, 4, 4))
    a[1, 0, 2, 2] = value
    layer = conv()
    terms = [t for group in RULES["alpha_beta"].groups(layer, a, layer.forward(a)) for t in group.terms]
    assert not any(t.vanishes for t in terms)
