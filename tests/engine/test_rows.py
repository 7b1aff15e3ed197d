"""A compiled network gives what its layers give one after the other: up, down, by every rule that a row knows."""

import os
import sys
from contextlib import contextmanager
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nnlite import Network, kernels, models
from nnlite.decision_based import gradient, lrp
from nnlite.decision_based.deconvnet import deconvnet_rule
from nnlite.decision_based.guided_backpropagation import guided_rule
from nnlite.decision_based.lrp.composites import rules_for as lrp_rules
from nnlite.decision_based.relu_rules import with_relu_rule
from nnlite.decision_based.target import AtClass
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
from nnlite.walk import activations_of, gradient_rule, walk

pytestmark = pytest.mark.skipif(os.environ.get("NNLITE_BACKEND") == "numpy", reason="rows are of the Numba backend")

often = settings(max_examples=60, deadline=None, derandomize=True)


def on(net, rules):
    """The rules of LRP ready for their layers."""
    chosen = zip(lrp_rules(net, rules), net, strict=True)
    return [rule.on(layer) if isinstance(rule, lrp.Rule) else rule for rule, layer in chosen]


RULES = {
    "gradient": lambda net: [gradient_rule] * len(net),
    "deconvnet": lambda net: with_relu_rule(net, deconvnet_rule),
    "guided": lambda net: with_relu_rule(net, guided_rule),
    "lrp-zero": lambda net: on(net, lrp.zero()),
    "lrp-epsilon": lambda net: on(net, lrp.epsilon(0.25)),
    "lrp-alpha-beta": lambda net: on(net, lrp.alpha_beta(2, 1)),
    "lrp-epsilon-plus": lambda net: on(net, lrp.EpsilonPlus()),
    "lrp-flat": lambda net: on(net, lrp.EpsilonAlpha2Beta1Flat()),
}


def in_numpy(compute):
    """What it gives in NumPy."""
    with kernels.use("numpy"), np.errstate(all="ignore"):
        return compute()


def close(ours, plain, dtype):
    """1e-11 of the largest in float64, 2e-4 in float32 (a quotient by a small z amplifies rounding)."""
    assert (ours.shape, ours.dtype) == (plain.shape, plain.dtype)
    finite = np.isfinite(plain)
    np.testing.assert_array_equal(np.where(finite, 0, plain), np.where(np.isfinite(ours), 0, ours))
    bound = (1e-11 if dtype == np.float64 else 2e-4) * np.abs(plain[finite]).max(initial=0)
    np.testing.assert_allclose(ours[finite], plain[finite], rtol=0, atol=bound)


def all_close(ours, plain, dtype):
    for one, other in zip(ours, plain, strict=True):
        close(one, other, dtype)


def of(R):
    """The signal R at the top, whatever the output."""
    return lambda z: R


def own_rules(compute):
    """The layers whose LRP rule runs by itself, in Python, while this is computed; and what is computed."""
    layers = []

    def profile(frame, event, _):
        if event == "call" and frame.f_code is lrp.form.Prepared.__call__.__code__:
            layers.append(frame.f_locals["layer"])

    sys.setprofile(profile)
    try:
        found = compute()
    finally:
        sys.setprofile(None)
    return layers, found


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
    rules, fast = RULES[method](network), network.compile()
    assert "row 1" in fast.plan(x.shape)
    plain = in_numpy(lambda: network.forward(x))
    all_close(activations_of(fast, x), plain, x.dtype)
    close(fast.output(x), plain[-1], x.dtype)
    all_close(activations_of(fast, x), network.forward(x), x.dtype)  # layer by layer in Numba
    if method.startswith("lrp") and x.dtype == np.float32:
        return  # a z near zero, which rounding moves, is held in float64
    top = of(plain[-1] if method.startswith("lrp") else np.ones_like(plain[-1]))
    a, signals = walk(fast, x, top, rules, keep=True)
    all_close(a, plain, x.dtype)
    all_close(signals, in_numpy(lambda: network.walk_back(a, top(None), rules)), x.dtype)
    all_close(signals, network.walk_back(a, top(None), rules), x.dtype)
    ends, below = walk(fast, x, top, rules)
    assert np.array_equal(below[0], signals[0], equal_nan=True)
    assert np.array_equal(ends[-1], a[-1], equal_nan=True)


@often
@given(networks(), st.sampled_from(sorted(RULES)), st.sampled_from(["one", "score"]), st.sampled_from([None, 1]))
def test_up_and_down_in_one_call_is_one_after_the_other_to_the_bit(drawn, method, start, target):
    network, x = drawn
    rules, fast, top = RULES[method](network), network.compile(), AtClass(target, start)
    a, signals = walk(fast, x, top, rules, keep=True)
    ends, below = walk(fast, x, top, rules)
    assert np.array_equal(below[0], signals[0])
    assert np.array_equal(ends[-1], a[-1])


@often
@given(networks(), st.sampled_from(sorted(set(RULES) - {"lrp-flat"})))  # flat runs by itself: a product for the batch
def test_the_bits_of_a_sample_are_the_same_alone_and_in_a_batch(drawn, method):
    network, x = drawn
    rules, fast, top = RULES[method](network), network.compile(), AtClass(1, "score")
    for keep in (False, True):
        a, R = walk(fast, x, top, rules, keep)
        for n in range(len(x)):
            a_n, R_n = walk(fast, x[n : n + 1], top, rules, keep)
            for whole, alone in zip([*a, *R], [*a_n, *R_n], strict=True):
                assert whole[n].tobytes() == alone[0].tobytes()


@often
@given(networks(), st.sampled_from([np.nan, np.inf, -np.inf]), st.integers(0, 2**32 - 1))
def test_nan_and_infinity_come_out_as_numpy_has_them(drawn, value, seed):
    network, x = drawn
    if not x.size:
        return
    x.reshape(-1)[seed % x.size] = value
    rules, top = [gradient_rule] * len(network), np.ones_like  # a NaN wins its pooling on the way back too
    a, R = walk(network.compile(), x, top, rules, keep=True)
    all_close(a, in_numpy(lambda: network.forward(x)), x.dtype)
    all_close(R, in_numpy(lambda: network.walk_back(a, top(a[-1]), rules)), x.dtype)


def lenet():
    network = models.load("lenet").astype(np.float64)
    return network, np.random.default_rng(0).random((2, 1, 28, 28))


def walked(network, x, R, rules):
    """The signal on x, of a network that runs in rows."""
    fast = network.compile()
    assert "alone" not in fast.plan(x.shape)
    return walk(fast, x, of(R), rules)[1][0]


def test_a_zero_denominator_distributes_nothing_in_a_row_too():
    network = Network([Dense(np.array([[1.0], [-1.0]])), ReLU(), Dense(np.array([[2.0]]))])
    R = walked(network, np.array([[1.0, 1.0]]), np.ones((1, 1)), on(network, lrp.zero()))
    assert R.tolist() == [[0.0, 0.0]]


def test_at_z_equal_to_zero_epsilon_counts_as_positive_in_a_row_too():
    network = Network([Dense(np.array([[1.0], [-1.0]])), ReLU()])
    R = walked(network, np.array([[1.0, 1.0]]), np.ones((1, 1)), on(network, lrp.epsilon(0.5)))
    assert R.tolist() == [[2.0, -2.0]]  # s = 1 / (0 + 0.5)


# ------------------------------------------------------------------------------------- rules that change weights


@pytest.mark.parametrize(
    "rules",
    [lrp.EpsilonPlus(), lrp.EpsilonAlpha2Beta1(), lrp.z_plus(), lrp.gamma(), lrp.alpha_beta(1, 0, 0.25)],
    ids=repr,
)
def test_a_rule_on_the_input_itself_runs_in_the_row(rules):
    network, x = lenet()
    layers, given = own_rules(lambda: lrp.relevance(network.compile(), x, rules=rules, all_layers=True))
    assert layers == []
    all_close(given, in_numpy(lambda: lrp.relevance(network, x, rules=rules, all_layers=True)), np.float64)
    layers, ends = own_rules(lambda: lrp.relevance(network.compile(), x, rules=rules))
    assert layers == []
    assert np.array_equal(ends, given[0])


@pytest.mark.parametrize(
    ("rules", "alone"),
    [
        (lrp.EpsilonPlusFlat(), ["conv1"]),  # its inputs are 1
        (lrp.EpsilonGammaBox(), ["conv2", "conv1"]),  # κ is where z > 0; inputs a − l
        (lrp.montavon2019(), ["dense1", "conv1"]),  # ε is made of z; inputs a − l
    ],
    ids=["flat", "box", "montavon2019"],
)
def test_what_a_row_cannot_run_runs_by_itself_and_the_rest_in_the_row(rules, alone):
    network, x = lenet()
    layers, given = own_rules(lambda: lrp.relevance(network.compile(), x, rules=rules, all_layers=True))
    assert layers == [network[name] for name in alone]
    all_close(given, in_numpy(lambda: lrp.relevance(network, x, rules=rules, all_layers=True)), np.float64)


@pytest.mark.parametrize("rules", [lrp.alpha_beta(2, 1), lrp.EpsilonPlus(), lrp.EpsilonAlpha2Beta1()], ids=repr)
def test_negative_inputs_take_the_same_way(rules):
    network, x = lenet()
    mixed = x.copy()
    mixed[1, 0, 3, 3] = -0.5
    linear = Network([layer for layer in network if not isinstance(layer, ReLU)])
    for net in (network, linear):
        ways = []
        for image in (x, mixed, x - 0.5):
            layers, R = own_rules(lambda: lrp.relevance(net.compile(), image, rules=rules))  # noqa: B023
            ways.append(layers)
            close(R, in_numpy(lambda: lrp.relevance(net, image, rules=rules)), x.dtype)  # noqa: B023
        assert ways == [[], [], []]


def test_a_rule_that_needs_inputs_without_a_minus_says_so_in_a_row_too():
    network, x = lenet()
    x[1, 0, 3, 3] = -0.5
    for net in (network, network.compile()):
        for rule in (lrp.z_plus(), lrp.gamma()):
            with pytest.raises(ValueError, match=f"{rule.name} needs inputs ≥ 0"):
                lrp.relevance(net, x, rules=rule)


def test_what_has_no_positive_weight_distributes_nothing_in_a_row_too():
    network, x = Network([Dense(np.array([[-1.0], [-2.0]])), ReLU()]), np.array([[1.0, 1.0]])
    assert walked(network, x, np.ones((1, 1)), on(network, [lrp.z_plus()])).tolist() == [[0.0, 0.0]]
    R = walked(network, x, np.ones((1, 1)), on(network, [lrp.alpha_beta(2, 1, 3.0)]))
    np.testing.assert_allclose(R, [[-1 / 6, -2 / 6]])  # −β a w⁻ / (−3 − 3)


def test_changed_weights_that_are_not_finite_are_the_layers_own():
    largest = np.finfo(np.float64).max
    network, x = Network([Dense(np.array([[largest], [1.0]])), ReLU()]), np.array([[0.0, 1.0]])
    with np.errstate(all="ignore"):
        rules = on(network, [lrp.gamma(1.0)])
        given = walk(network.compile(), x, np.ones_like, rules)[1][0]
        expected = in_numpy(lambda: walk(network, x, np.ones_like, rules))[1][0]
    assert np.array_equal(given, expected, equal_nan=True)


@pytest.mark.parametrize("size", [2, 3])
def test_ties_go_to_the_first_in_a_row_too(size):
    network, x = Network([MaxPool2d(size, 2), ReLU(), MaxPool2d(2, 1)]), np.ones((1, 1, 7, 7))
    fast, rules = network.compile(), [gradient_rule] * 3
    assert "alone" not in fast.plan(x.shape)

    def top(z):
        return np.arange(1.0, 1 + z.size).reshape(z.shape)

    for ours, theirs in zip(
        walk(fast, x, top, rules, keep=True)[1], in_numpy(lambda: walk(network, x, top, rules))[1], strict=True
    ):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_nan_wins_two_by_two_windows_on_the_way_back(dtype):
    network = Network([MaxPool2d(2), Flatten(), Dense(np.ones((20, 2)))]).astype(dtype)
    x = np.random.default_rng(0).normal(size=(3, 1, 8, 10)).astype(dtype)
    x[0].reshape(-1)[[0, 3, 14, 17, 26, 27, 44, 45, 55]] = np.nan  # in each place of a window, and two in one
    rules = [gradient_rule] * 3
    back = walked(network, x, np.ones((3, 2), dtype), rules)
    assert np.array_equal(back, in_numpy(lambda: walk(network, x, np.ones_like, rules))[1][0])


def test_an_input_that_is_read_only_or_in_another_order_is_taken():
    network, x = lenet()
    fast = network.compile()
    scores, map_ = fast.scores(x), gradient(fast, x)
    x.flags.writeable = False
    for same in (x, np.asfortranarray(x), np.stack([x, x], axis=-1)[..., 0]):
        assert fast.scores(same).tobytes() == scores.tobytes()
        assert gradient(fast, same).tobytes() == map_.tobytes()


def test_a_list_that_was_changed_is_walked_as_it_is():
    network, x = lenet()
    fast, rules, R = network.compile(), [gradient_rule] * len(network), np.ones((2, 10))
    a = activations_of(fast, x)
    a[2] = activations_of(fast, 1 - x)[2]
    for ours, theirs in zip(fast.walk_back(a, R, rules), network.walk_back(list(a), R, rules), strict=True):
        assert np.array_equal(ours, theirs)


def test_guided_on_a_layer_that_is_no_relu_is_the_rule_itself():
    network, x = lenet()
    rules = [guided_rule] * 3 + [gradient_rule] * 7
    with pytest.raises(ValueError, match="broadcast"):  # it has no way from 8 maps to one pixel
        walk(network.compile(), x, np.ones_like, rules)


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ([Tanh()], "a row knows no Tanh"),
        ([Dense(np.ones((6, 2)))], "it works on the last of several axes"),
        ([Conv2d(np.ones((2, 1, 1, 1)), groups=2)], "it has groups"),
        ([MaxPool2d(2, ceil_mode=True)], "its windows may stick out"),
        ([Conv2d(np.full((2, 2, 1, 1), np.inf))], "a weight is not finite"),
        ([ReLU()], "it stands alone"),
    ],
)
def test_the_plan_says_why_a_layer_stands_alone(layers, why):
    text = Network(layers).compile().plan((1, 2, 6, 6))
    assert "alone" in text
    assert f"({why})" in text


def test_what_has_more_axes_than_an_image_stands_alone():
    network = Network([Reshape((2, 2, 2, 2)), ReLU(), Identity(), ReLU(), Flatten(), Dense(np.ones((16, 2))), ReLU()])
    x, fast = np.random.default_rng(0).normal(size=(3, 16)), network.compile()
    assert "more axes than (C, H, W)" in fast.plan((3, 16))
    close(fast.output(x), in_numpy(lambda: network.output(x)), x.dtype)


def test_rules_that_were_freed_are_not_taken_for_others():
    network, x = lenet()
    fast = network.compile()
    for factor in range(200):  # a rule that is freed leaves its address to the next one
        R = walk(fast, x, np.ones_like, [lambda layer, a, z, R, factor=factor: factor * a] * len(fast))[1][0]
        assert np.array_equal(R, factor * x)
        assert (
            np.array_equal(
                lrp.relevance(fast, x, rules=lrp.epsilon(1.0 + factor)),
                lrp.relevance(network.compile(), x, rules=lrp.epsilon(1.0 + factor)),
            )
            or factor % 40
        )


def test_the_plan_of_lenet_is_one_row():
    fast = models.load("lenet").compile()
    lines = fast.plan((1, 1, 28, 28)).splitlines()
    assert len(lines) == 10
    assert all("row 1" in line for line in lines)
    assert "strips, and a matrix product" in lines[0]
    assert "2 × 2 side by side" in lines[2]
    with kernels.use("numpy"):
        assert all(line.endswith("alone  NumPy") for line in fast.plan((1, 1, 28, 28)).splitlines())


def test_layers_between_those_that_stand_alone_are_a_row():
    rng = np.random.default_rng(0)
    network = Network([Dense(rng.normal(size=(4, 4))), ReLU(), Tanh(), Dense(rng.normal(size=(4, 4))), ReLU(), Tanh()])
    x, rules, fast = rng.normal(size=(3, 4)), [gradient_rule] * 6, network.compile()
    rows = ["row 1", "row 1", "alone", "row 2", "row 2", "alone"]
    assert [row in line for row, line in zip(rows, fast.plan(x.shape).splitlines(), strict=True)] == [True] * 6
    a, R = walk(fast, x, np.ones_like, rules, keep=True)
    plain_a, plain_R = in_numpy(lambda: walk(network, x, np.ones_like, rules))
    all_close([*a, *R], [*plain_a, *plain_R], np.float64)


def test_the_same_network_and_input_give_the_same_bits_whatever_came_before():
    network, x = lenet()
    fast = network.compile()
    first = [v.tobytes() for v in activations_of(fast, x)]
    fast.scores(x[:1])
    activations_of(fast, np.zeros((5, 1, 28, 28)))
    assert [v.tobytes() for v in activations_of(fast, x)] == first
    assert fast.output(x[:1]).tobytes() == activations_of(fast, x)[-1][:1].tobytes()


def test_what_is_returned_is_never_written_again():
    network, x = lenet()
    fast, rules = network.compile(), [gradient_rule] * 10
    given = [array for keep in (True, False) for side in walk(fast, x, np.ones_like, rules, keep) for array in side]
    kept = [v.copy() for v in given]
    for keep in (True, False):
        walk(fast, 1 - x, np.ones_like, rules, keep)
    fast.output(1 - x)
    for now, before in zip(given, kept, strict=True):
        assert np.array_equal(now, before)


# ------------------------------------------------------------------------------------------------- other weights


@pytest.mark.parametrize("method", sorted(RULES))
def test_a_network_with_other_values_runs_its_own_values(method):
    network, x = lenet()
    fast = network.compile()
    walk(fast, x, np.ones_like, RULES[method](fast))  # its rows are written, and shared
    before = fast.scores(x)
    values = {name: 0.5 * value for name, value in network.parameters.items()}
    other, plain = fast.with_parameters(values), network.with_parameters(values)
    a, R = walk(other, x, np.ones_like, RULES[method](other), keep=True)
    plain_a, plain_R = in_numpy(lambda: walk(plain, x, np.ones_like, RULES[method](plain)))
    all_close([*a, *R], [*plain_a, *plain_R], np.float64)
    fresh = Network(other.layers, other.names).compile()
    for known, new in zip([*a, *R], sum(map(list, walk(fresh, x, np.ones_like, RULES[method](fresh), True)), [])):  # noqa: B905, RUF017
        assert np.array_equal(known, new)
    assert fast.scores(x).tobytes() == before.tobytes()


def test_a_value_that_is_not_finite_takes_another_plan():
    fast = models.load("lenet").compile()
    x = np.zeros((2, 1, 28, 28), np.float32)
    fast.scores(x)
    broken = fast.with_parameters({"conv1.b": np.full(8, np.inf, np.float32)})
    assert "(a weight is not finite)" in broken.plan(x.shape).splitlines()[0]
    with np.errstate(all="ignore"):
        close(broken.output(x), in_numpy(lambda: Network(broken.layers).output(x)), np.float32)
    assert "alone" not in fast.with_parameters({}).plan(x.shape)


def test_parameters_of_another_dtype_are_refused_as_ever():
    fast = models.load("lenet").compile()
    with pytest.raises(ValueError, match="layers of one dtype"):
        fast.with_parameters({"conv1.W": np.zeros((8, 1, 5, 5)), "conv1.b": np.zeros(8)})


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
    rules, fast = RULES[method](network), network.compile()

    def up():
        return [*activations_of(fast, x), fast.output(x)]

    def down():
        tops = [np.ones_like(up()[-1])]
        return [*walk(fast, x, of(tops[0]), rules, keep=True)[1], *walk(fast, x, of(tops[0]), rules)[1]]

    def through():
        return walk(fast, x, AtClass(target), rules)[1]

    for compute, may in ((up, UP), (down, UP | DOWN), (through, THROUGH)):
        with guards() as runs:
            guarded = compute()
        assert runs
        assert all(written <= may for written in runs)
        for ours, theirs in zip(guarded, compute(), strict=True):
            assert np.array_equal(ours, theirs, equal_nan=True)
