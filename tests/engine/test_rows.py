"""A row of layers gives what the layers give one after the other: up, down, by every rule that it knows."""

import os
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nnlite.rows import Start

from nnlite import Network, models
from nnlite.decision_based import lrp
from nnlite.decision_based.deconvnet import deconvnet_rule
from nnlite.decision_based.guided_backpropagation import guided_rule
from nnlite.decision_based.lrp.composites import rules_for as lrp_rules
from nnlite.decision_based.relu_rules import rules_for
from nnlite.decision_based.target import explained, explanation
from nnlite.engine import driver as engine
from nnlite.engine.driver import Part, Place, Program
from nnlite.layers import (
    AvgPool2d,
    Conv2d,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Identity,
    MaxPool2d,
    ReLU,
    Reshape,
    Tanh,
)
from nnlite.network import gradient_rule

pytestmark = pytest.mark.skipif(os.environ.get("NNLITE_BACKEND") == "numpy", reason="rows are of the Numba backend")

often = settings(max_examples=60, deadline=None, derandomize=True)

RULES = {
    "gradient": lambda net: [gradient_rule] * len(net),
    "deconvnet": lambda net: rules_for(net, deconvnet_rule),
    "guided": lambda net: rules_for(net, guided_rule),
    "lrp-zero": lambda net: lrp_rules(net, lrp.zero()),
    "lrp-epsilon": lambda net: lrp_rules(net, lrp.epsilon(0.25)),
    "lrp-alpha-beta": lambda net: lrp_rules(net, lrp.alpha_beta(2, 1)),
    "lrp-epsilon-plus": lambda net: lrp_rules(net, lrp.EpsilonPlus()),
    "lrp-flat": lambda net: lrp_rules(net, lrp.EpsilonAlpha2Beta1Flat()),
}


def layer_by_layer(compute):
    """What it gives where every layer runs for itself, in NumPy."""
    with mock.patch.dict(os.environ, NNLITE_BACKEND="numpy"), np.errstate(all="ignore"):
        return compute()


def close(ours, plain, dtype):
    """1e-11 of the largest in float64, 2e-4 in float32 (a quotient by a small z amplifies rounding)."""
    assert (ours.shape, ours.dtype) == (plain.shape, plain.dtype)
    finite = np.isfinite(plain)
    np.testing.assert_array_equal(np.where(finite, 0, plain), np.where(np.isfinite(ours), 0, ours))
    bound = (1e-11 if dtype == np.float64 else 2e-4) * np.abs(plain[finite]).max(initial=0)
    np.testing.assert_allclose(ours[finite], plain[finite], rtol=0, atol=bound)


@st.composite
def networks(draw):
    """Any layers that a row takes, on small images."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = (draw(st.integers(1, 3)), draw(st.integers(5, 9)), draw(st.integers(5, 9)))
    layers, below = [], shape
    pairs = st.tuples(st.integers(1, 3), st.integers(1, 3))
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(["conv", "max", "mean", "relu", "same"]))
        if kind == "conv":
            W = rng.normal(size=(draw(st.integers(1, 4)), below[0], *draw(pairs)))
            b = rng.normal(size=len(W)) if draw(st.booleans()) else None
            padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
            layer = Conv2d(W, b, stride=draw(pairs), padding=padding, dilation=draw(pairs))
        elif kind in ("max", "mean"):
            size = draw(pairs)
            padding = tuple(draw(st.integers(0, k // 2)) for k in size)
            options = {} if kind == "max" else {"count_include_pad": draw(st.booleans())}
            layer = (MaxPool2d if kind == "max" else AvgPool2d)(size, draw(st.none() | pairs), padding, **options)
        else:
            layer = ReLU() if kind == "relu" else draw(st.sampled_from([Identity(), Dropout(0.5)]))
        try:
            below = layer.output_shape((1, *below))[1:]
        except ValueError:  # the window no longer fits
            continue
        layers.append(layer)
    layers += [GlobalAvgPool()] if draw(st.booleans()) else []
    below = (below[0], 1, 1) if layers and isinstance(layers[-1], GlobalAvgPool) else below
    inner = draw(st.integers(1, 5))
    layers += [Flatten(), Dense(rng.normal(size=(int(np.prod(below)), inner)), rng.normal(size=inner)), ReLU()]
    layers += [Dense(rng.normal(size=(inner, 3)))]
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    lowest = draw(st.sampled_from([-0.5, 0.0]))
    x = np.maximum(rng.normal(size=(draw(st.integers(0, 3)), *shape)), lowest)  # ties
    return Network(layers).astype(dtype), x.astype(dtype)


@often
@given(networks(), st.sampled_from(sorted(RULES)))
def test_up_and_down_are_those_of_the_layers(drawn, method):
    network, x = drawn
    rules = RULES[method](network)
    a, plain = network.forward(x), layer_by_layer(lambda: network.forward(x))
    assert a.runs, network.plan(x.shape)
    for ours, theirs in zip(a, plain, strict=True):
        close(ours, theirs, x.dtype)
    close(network.output(x), plain[-1], x.dtype)
    if method.startswith("lrp") and x.dtype == np.float32:
        return  # a z near zero, which rounding moves, is held in float64
    R = a[-1] if method.startswith("lrp") else np.ones_like(a[-1])
    signals = network.walk_back(a, R, rules)
    expected = layer_by_layer(lambda: network.walk_back(list(a), R, rules))
    for ours, theirs in zip(signals, expected, strict=True):
        close(ours, theirs, x.dtype)
    assert np.array_equal(network.to_input(a, R, rules), signals[0], equal_nan=True)


@often
@given(networks(), st.sampled_from(sorted(RULES)), st.sampled_from(["one", "score"]), st.sampled_from([None, 1]))
def test_through_is_up_and_down_to_the_bit(drawn, method, start, target):
    network, x = drawn
    rules = RULES[method](network)
    found = network.in_one(x, rules)
    if found is None:  # a rule must see its input first, or has no place in a row
        assert method not in ("gradient", "deconvnet", "guided", "lrp-zero", "lrp-epsilon")
        return
    f = explained(network, x, target)
    two = network.to_input(f.a, f.ones * f.a[-1] if start == "score" else f.ones, rules)
    assert np.array_equal(explanation(network, x, target, lambda _: rules, start), two)
    classes = np.full(len(x), -1 if target is None else target)
    assert np.array_equal(found[0].through(x, classes, Start.ONE, found[1])[1], f.a[-1])


@often
@given(networks(), st.sampled_from([np.nan, np.inf, -np.inf]), st.integers(0, 2**32 - 1))
def test_nan_and_infinity_come_out_as_numpy_has_them(drawn, value, seed):
    network, x = drawn
    if not x.size:
        return
    x.reshape(-1)[seed % x.size] = value
    a = network.forward(x)
    for ours, theirs in zip(a, layer_by_layer(lambda: network.forward(x)), strict=True):
        close(ours, theirs, x.dtype)
    rules, R = [gradient_rule] * len(network), np.ones_like(a[-1])  # a NaN wins its pooling on the way back too
    expected = layer_by_layer(lambda: network.walk_back(list(a), R, rules))
    for ours, theirs in zip(network.walk_back(a, R, rules), expected, strict=True):
        close(ours, theirs, x.dtype)


def lenet():
    network = models.load("lenet").astype(np.float64)
    return network, np.random.default_rng(0).random((2, 1, 28, 28))


def test_a_zero_denominator_distributes_nothing_in_a_row_too():
    network = Network([Dense(np.array([[1.0], [-1.0]])), ReLU(), Dense(np.array([[2.0]]))])
    x = np.array([[1.0, 1.0]])
    a = network.forward(x)
    assert a.runs
    signals = network.walk_back(a, np.ones((1, 1)), lrp_rules(network, lrp.zero()))
    assert signals[0].tolist() == [[0.0, 0.0]]


def test_at_z_equal_to_zero_epsilon_counts_as_positive_in_a_row_too():
    network = Network([Dense(np.array([[1.0], [-1.0]])), ReLU()])
    a = network.forward(np.array([[1.0, 1.0]]))
    assert a.runs
    R = network.to_input(a, np.ones((1, 1)), lrp_rules(network, lrp.epsilon(0.5)))
    assert R.tolist() == [[2.0, -2.0]]  # s = 1 / (0 + 0.5)


# ------------------------------------------------------------------------------------- rules that change weights


def pieces(network, x, rules):
    """The pieces of lenet's one row, from the top down: first layer, last layer, whether they go as one."""
    (part,), a = network._plan(x).parts, network.forward(x)
    made = network._plan(x).pieces(part.row, lrp_rules(network, rules), a)
    return [(network.names[p.start], network.names[p.stop - 1], p.ways is not None) for p in made]


@pytest.mark.parametrize(
    "rules",
    [lrp.EpsilonPlus(), lrp.EpsilonAlpha2Beta1(), lrp.z_plus(), lrp.gamma(), lrp.alpha_beta(1, 0, 0.25)],
    ids=repr,
)
def test_a_rule_on_the_input_itself_runs_in_the_row(rules):
    network, x = lenet()
    assert pieces(network, x, rules) == [("conv1", "dense2", True)]
    given = lrp.relevance(network, x, rules=rules, all_layers=True)
    expected = layer_by_layer(lambda: lrp.relevance(network, x, rules=rules, all_layers=True))
    for ours, theirs in zip(given, expected, strict=True):
        close(ours, theirs, np.float64)
    assert np.array_equal(lrp.relevance(network, x, rules=rules), given[0])


@pytest.mark.parametrize("rules", [lrp.EpsilonPlusFlat(), lrp.EpsilonGammaBox(), lrp.montavon2019()], ids=repr)
def test_what_a_row_cannot_run_runs_for_itself_and_the_rest_in_the_row(rules):
    network, x = lenet()
    made = pieces(network, x, rules)
    assert made[-1] == ("conv1", "conv1", False)
    assert any(as_one for _, _, as_one in made)
    given = lrp.relevance(network, x, rules=rules, all_layers=True)
    expected = layer_by_layer(lambda: lrp.relevance(network, x, rules=rules, all_layers=True))
    for ours, theirs in zip(given, expected, strict=True):
        close(ours, theirs, np.float64)


def test_a_rule_that_reads_signs_is_told_before_the_way_up_where_no_input_can_be_negative():
    network, x = lenet()
    rules = RULES["lrp-alpha-beta"](network)
    assert network.in_one(x, rules) is not None
    assert network.in_one(x - 0.5, rules) is None  # at the pixels
    linear = Network([layer for layer in network if not isinstance(layer, ReLU)])
    assert linear.in_one(x, RULES["lrp-alpha-beta"](linear)) is None  # above the first layer
    for image in (x, x - 0.5):
        ours = lrp.relevance(network, image, rules=lrp.alpha_beta(2, 1))
        close(ours, layer_by_layer(lambda: lrp.relevance(network, image, rules=lrp.alpha_beta(2, 1))), x.dtype)  # noqa: B023


def test_one_negative_pixel_takes_its_layer_out_of_the_row():
    network, x = lenet()
    x[1, 0, 3, 3] = -0.5
    assert pieces(network, x, lrp.EpsilonPlus()) == [("relu1", "dense2", True), ("conv1", "conv1", False)]
    close(
        lrp.relevance(network, x, rules=lrp.EpsilonPlus()),
        layer_by_layer(lambda: lrp.relevance(network, x, rules=lrp.EpsilonPlus())),
        np.float64,
    )
    with pytest.raises(ValueError, match="z_plus needs inputs ≥ 0"):
        lrp.relevance(network, x, rules=lrp.z_plus())


def test_what_has_no_positive_weight_distributes_nothing_in_a_row_too():
    network = Network([Dense(np.array([[-1.0], [-2.0]])), ReLU()])
    a = network.forward(np.array([[1.0, 1.0]]))
    R = network.to_input(a, np.ones((1, 1)), lrp_rules(network, [lrp.z_plus()]))
    assert R.tolist() == [[0.0, 0.0]]
    R = network.to_input(a, np.ones((1, 1)), lrp_rules(network, [lrp.alpha_beta(2, 1, 3.0)]))
    np.testing.assert_allclose(R, [[-1 / 6, -2 / 6]])  # −β a w⁻ / (−3 − 3)


def test_changed_weights_that_are_not_finite_are_the_layers_own():
    largest = np.finfo(np.float64).max
    network = Network([Dense(np.array([[largest], [1.0]])), ReLU()])
    a, rules = network.forward(np.array([[0.0, 1.0]])), lrp_rules(network, [lrp.gamma(1.0)])
    with np.errstate(all="ignore"):
        given = network.to_input(a, np.ones((1, 1)), rules)
        expected = layer_by_layer(lambda: network.to_input(list(a), np.ones((1, 1)), rules))
    assert np.array_equal(given, expected, equal_nan=True)


@pytest.mark.parametrize("size", [2, 3])
def test_ties_go_to_the_first_in_a_row_too(size):
    network = Network([MaxPool2d(size, 2), ReLU(), MaxPool2d(2, 1)])
    x = np.ones((1, 1, 7, 7))
    a = network.forward(x)
    assert a.runs
    dz = np.arange(1.0, 1 + a[-1].size).reshape(a[-1].shape)
    expected = layer_by_layer(lambda: network.walk_back(list(a), dz, [gradient_rule] * 3))
    for ours, theirs in zip(network.walk_back(a, dz, [gradient_rule] * 3), expected, strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_nan_wins_two_by_two_windows_on_the_way_back(dtype):
    network = Network([MaxPool2d(2), Flatten(), Dense(np.ones((20, 2)))]).astype(dtype)
    x = np.random.default_rng(0).normal(size=(3, 1, 8, 10)).astype(dtype)
    x[0].reshape(-1)[[0, 3, 14, 17, 26, 27, 44, 45, 55]] = np.nan  # in each place of a window, and two in one
    a, R, rules = network.forward(x), np.ones((3, 2), dtype), [gradient_rule] * 3
    back = network.walk_back(a, R, rules)[0]
    assert np.array_equal(back, layer_by_layer(lambda: network.walk_back(list(a), R, rules)[0]))


def test_an_input_that_is_read_only_or_in_another_order_is_taken():
    network, x = lenet()
    expected = network.scores(x)
    x.flags.writeable = False
    assert network.scores(x).tobytes() == expected.tobytes()
    turned = np.asfortranarray(x)
    assert network.scores(turned).tobytes() == expected.tobytes()
    assert network.scores(np.stack([x, x], axis=-1)[..., 0]).tobytes() == expected.tobytes()


def test_a_list_that_was_changed_is_walked_as_it_is():
    network, x = lenet()
    rules, a = [gradient_rule] * len(network), network.forward(x)
    other = network.forward(1 - x)
    a[2] = other[2]
    plain = list(a)
    for ours, theirs in zip(
        network.walk_back(a, np.ones((2, 10)), rules), network.walk_back(plain, np.ones((2, 10)), rules), strict=True
    ):
        assert np.array_equal(ours, theirs)


def test_a_rule_that_a_row_does_not_know_is_called():
    network, x = lenet()
    asked = []

    def own(layer, a_j, a_k, R_k):
        asked.append(layer)
        return layer.backward(a_j, R_k)

    a = network.forward(x)
    R = network.to_input(a, np.ones((2, 10)), [own] * len(network))
    assert asked == list(network.layers)[::-1]
    close(R, network.to_input(a, np.ones((2, 10)), [gradient_rule] * len(network)), np.float64)


def test_guided_on_a_layer_that_is_no_relu_is_the_rule_itself():
    network, x = lenet()
    a, rules = network.forward(x), [guided_rule] * 3 + [gradient_rule] * 7
    R = np.ones((2, 10))
    with pytest.raises(ValueError, match="broadcast"):  # it has no way from 8 maps to one pixel
        network.to_input(a, R, rules)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([Tanh()], "a row knows no Tanh"),
        ([Conv2d(np.ones((2, 1, 1, 1)), groups=2)], "it has groups"),
        ([MaxPool2d(2, ceil_mode=True)], "its windows may stick out"),
        ([Conv2d(np.full((2, 2, 1, 1), np.inf))], "a weight is not finite"),
        ([ReLU()], "it stands alone"),
    ],
)
def test_the_plan_says_why_a_layer_stands_alone(layers, why):
    text = Network(layers).plan((1, 2, 6, 6))
    assert "alone" in text
    assert f"({why})" in text


def test_what_has_more_axes_than_an_image_stands_alone():
    network = Network([Reshape((2, 2, 2, 2)), ReLU(), Identity(), ReLU(), Flatten(), Dense(np.ones((16, 2))), ReLU()])
    x = np.random.default_rng(0).normal(size=(3, 16))
    assert "more axes than (C, H, W)" in network.plan((3, 16))
    close(network.output(x), layer_by_layer(lambda: network.output(x)), x.dtype)


def test_rules_that_were_freed_are_not_taken_for_others():
    network, x = lenet()
    rules = RULES["gradient"](network)
    plan = network._plan(x)
    network.in_one(x, rules)
    kept = [kept for kept, _ in plan._made.values()]
    assert all(rule in kept[-1] for rule in rules)
    rules.clear()
    assert len(kept[-1]) == 10


def test_other_values_keep_the_plan_and_give_what_a_fresh_network_gives():
    network = models.load("lenet")
    x = np.random.default_rng(0).random((3, 1, 28, 28), np.float32)
    network.forward(x)
    changed = network.with_parameters({name: value * 0.5 for name, value in network.parameters.items()})
    fresh = Network(changed.layers, changed.names)
    ones, rules = np.ones((3, 10), np.float32), [gradient_rule] * len(network)
    for walk in (lambda n: n.forward(x), lambda n: n.walk_back(n.forward(x), ones, rules)):
        for known, new in zip(walk(changed), walk(fresh), strict=True):
            assert np.array_equal(known, new)
    assert network.scores(x).tobytes() == models.load("lenet").scores(x).tobytes()


def test_a_value_that_is_not_finite_takes_another_plan():
    network = models.load("lenet")
    x = np.zeros((2, 1, 28, 28), np.float32)
    network.forward(x)
    broken = network.with_parameters({"conv1.b": np.full(8, np.inf, np.float32)})
    assert not any(part.row is not None and part.start == 0 for part in broken._plan(x).parts)
    assert network.with_parameters({})._plan(x).parts[0].stop == len(network)


def test_parameters_of_another_dtype_are_refused_as_ever():
    network = models.load("lenet")
    with pytest.raises(ValueError, match="several dtypes"):
        network.with_parameters({"conv1.W": np.zeros((8, 1, 5, 5)), "conv1.b": np.zeros(8)})


def test_the_plan_of_lenet_is_one_row():
    lines = models.load("lenet").plan((1, 1, 28, 28)).splitlines()
    assert len(lines) == 10
    assert all("row 1" in line for line in lines)
    assert "strips, and a matrix product" in lines[0]
    assert "2 × 2 side by side" in lines[2]
    with mock.patch.dict(os.environ, NNLITE_BACKEND="numpy"):
        assert all(line.endswith("alone  NumPy") for line in models.load("lenet").plan((1, 1, 28, 28)).splitlines())


def test_layers_between_those_that_stand_alone_are_a_row():
    rng = np.random.default_rng(0)
    network = Network([Dense(rng.normal(size=(4, 4))), ReLU(), Tanh(), Dense(rng.normal(size=(4, 4))), ReLU(), Tanh()])
    x, rules = rng.normal(size=(3, 4)), [gradient_rule] * 6
    a = network.forward(x)
    assert sorted(a.runs) == [0, 3]
    expected = layer_by_layer(lambda: network.walk_back(list(a), np.ones((3, 4)), rules))
    for ours, theirs in zip(network.walk_back(a, np.ones((3, 4)), rules), expected, strict=True):
        close(ours, theirs, np.float64)


def test_the_same_network_and_input_give_the_same_bits_whatever_came_before():
    network, x = lenet()
    first = [v.tobytes() for v in network.forward(x)]
    network.scores(x[:1])
    network.forward(np.zeros((5, 1, 28, 28)))
    assert [v.tobytes() for v in network.forward(x)] == first
    assert network.output(x[:1]).tobytes() == network.forward(x)[-1][:1].tobytes()


def test_what_is_returned_is_never_written_again():
    network, x = lenet()
    a = network.forward(x)
    R = network.to_input(a, np.ones((2, 10)), [gradient_rule] * 10)
    kept = [v.copy() for v in [*a, R]]
    network.to_input(network.forward(1 - x), np.ones((2, 10)), [gradient_rule] * 10)
    network.output(1 - x)
    for now, before in zip([*a, R], kept, strict=True):
        assert np.array_equal(now, before)


@pytest.mark.parametrize("method", sorted(RULES))
def test_a_network_with_other_values_runs_its_own_values(method):
    network, x = lenet()
    rules = RULES[method](network)
    network.to_input(network.forward(x), np.ones((2, 10)), rules)  # plans and rows are made, and shared
    other = network.with_parameters({name: 0.5 * value for name, value in network.parameters.items()})
    a = other.forward(x)
    plain = layer_by_layer(lambda: other.forward(x))
    for ours, theirs in zip(a, plain, strict=True):
        close(ours, theirs, np.float64)
    R = other.to_input(a, np.ones((2, 10)), RULES[method](other))
    close(R, layer_by_layer(lambda: other.to_input(plain, np.ones((2, 10)), RULES[method](other))), np.float64)


# --------------------------------------------------------------------------------- nothing checks a bound: guards do

GUARD = 64
"""Numbers before and behind each array. Those of floats are NaNs, so that one that is read shows in what comes out."""

UP = {engine.ABOVE, engine.ACTIVATIONS, engine.WORK}
DOWN = {engine.SIGNALS, engine.OUT, engine.WORK}
THROUGH = {*UP, *DOWN, engine.TOP, engine.CLASSES}


def between_guards(array):
    """A copy of it, and the room that it lies in."""
    kind, bits = {"f4": ("u4", 0x7FC12345), "f8": ("u8", 0x7FF8123456789ABC), "i8": ("i8", -12345)}[array.dtype.str[1:]]
    room = np.full(len(array) + 2 * GUARD, bits, kind).view(array.dtype)
    room[GUARD : GUARD + len(array)] = array
    return room[GUARD : GUARD + len(array)], room


def apart(arrays):
    """The arrays, each as far as the next one that begins inside it: what lies there is the other's."""
    begins = [array.__array_interface__["data"][0] for array in arrays]
    behind = [[at - own for at in begins if 0 < at - own < a.nbytes] for own, a in zip(begins, arrays, strict=True)]
    return [a[: min(inside, default=a.nbytes) // a.itemsize] for a, inside in zip(arrays, behind, strict=True)]


@contextmanager
def guards():
    """Every run of the driver is on arrays between guards; gives for each run which of them were written."""
    real, runs = engine._driver(), []

    def run(lines, fields, n, many, *arrays):
        arrays = apart(arrays)
        copies, rooms = zip(*map(between_guards, arrays), strict=True)
        before = [room.tobytes() for room in rooms]
        real(lines, fields, n, many, *copies)
        for base, (array, own, room, was) in enumerate(zip(arrays, copies, rooms, before, strict=True)):
            now, edge = room.tobytes(), GUARD * room.itemsize
            assert (now[:edge], now[-edge:]) == (was[:edge], was[-edge:]), f"beside array {base}"
            array[:] = own
        runs.append({base for base, room in enumerate(rooms) if room.tobytes() != before[base]})

    with mock.patch.object(engine, "_driver", return_value=run):
        yield runs


@pytest.mark.parametrize("place", [-1, 3])
def test_the_guards_see_a_number_beside_an_array(place):
    def beside(t, a, z, _, __):
        z[t[0]] = a[0]

    program = Program(np.dtype(np.float32))
    program.add(Part(beside), [place], Place(engine.INPUT, 0, 3), Place(engine.OUT, 0, 3))
    x, out = np.ones((1, 3), np.float32), np.zeros((1, 3), np.float32)
    with guards(), pytest.raises(AssertionError, match="beside array 5"):
        program.run(1, {engine.INPUT: x, engine.OUT: out}, {})


@settings(max_examples=25, deadline=None, derandomize=True)
@given(networks(), st.sampled_from([None, 1]))
@pytest.mark.parametrize("method", sorted(RULES))
def test_a_program_touches_its_own_arrays_alone(method, drawn, target):
    network, x = drawn
    rules = RULES[method](network)
    with guards() as runs:
        a = network.forward(x)
        out = network.output(x)
        assert all(written <= UP for written in runs)
        runs.clear()
        signals = network.walk_back(a, np.ones_like(a[-1]), rules)
        below = network.to_input(a, np.ones_like(a[-1]), rules)
        assert all(written <= DOWN for written in runs)
        runs.clear()
        through = explanation(network, x, target, lambda _: rules)
        assert all(written <= THROUGH for written in runs)
    assert runs
    unguarded = network.forward(x)
    assert np.array_equal(out, unguarded[-1], equal_nan=True)
    for ours, theirs in zip(
        [*a, *signals, below],
        [*unguarded, *network.walk_back(unguarded, np.ones_like(out), rules), signals[0]],
        strict=True,
    ):
        assert np.array_equal(ours, theirs, equal_nan=True)
    assert np.array_equal(through, explanation(network, x, target, lambda _: rules), equal_nan=True)
