"""The stepper: recording changes nothing, every formula gives the recorded number, and what is shown adds up."""

import inspect
import json
import re
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nnlite
from nnlite import Network, models
from nnlite.decision_based import deconvnet, deeplift, gradient, gradient_times_input, guided_backpropagation, lrp
from nnlite.decision_based.lrp import elementwise, elementwise_joins
from nnlite.decision_based.registry import METHODS
from nnlite.layers import (
    GELU,
    Add,
    AvgPool2d,
    BatchNorm,
    Branches,
    Concat,
    Constant,
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
    Multiply,
    Pad,
    Permute,
    PReLU,
    ReLU,
    Reshape,
    Residual,
    Sigmoid,
    Slice,
    Softmax,
    Softplus,
    Tanh,
)
from nnlite.layers.layer import Layer
from nnlite.stepper import WALKS, comparison, page, record, text
from nnlite.stepper.expressions import num, sym
from nnlite.stepper.geometry import geometry
from nnlite.stepper.printing import adding_up, bill, formula, numbers
from nnlite.stepper.terminal import choices

CLOSE = 1e-12


def draw(*shape, seed=0, scale=0.6):
    return scale * np.random.default_rng(seed + sum(shape)).standard_normal(shape)


def norm(channels, seed=0):
    rng = np.random.default_rng(seed)
    return BatchNorm(1 + rng.random(channels), draw(channels), draw(channels, seed=1), 0.5 + rng.random(channels))


NETWORKS = {
    "dense": ([Flatten(), Dense(draw(12, 7), draw(7)), ReLU(), Dense(draw(7, 4), draw(4))], (1, 3, 4)),
    "no biases": ([Dense(draw(6, 5)), ReLU(), Dense(draw(5, 3))], (6,)),
    "convolution": (
        [Conv2d(draw(4, 2, 3, 3), draw(4), stride=2, padding=1), ReLU(), MaxPool2d(2), Flatten(), Dense(draw(4, 3))],
        (2, 5, 5),
    ),
    "groups": (
        [Conv2d(draw(6, 2, 2, 3), draw(6), (1, 2), (1, 0), (2, 1), 3), ReLU(), GlobalAvgPool(), Flatten(),
         Dense(draw(6, 3), draw(3))],
        (6, 4, 7),
    ),
    "transposed": (
        [ConvTranspose2d(draw(2, 2, 3, 2), draw(4), 2, 1, 1, 2, output_padding=1), ReLU(), Flatten(),
         Dense(draw(100, 3, scale=0.2))],
        (2, 3, 3),
    ),
    "pooling": (
        [Conv2d(draw(3, 1, 2, 2), draw(3)), ReLU(), AvgPool2d(3, 2, 1, True, False), MaxPool2d(2, 1), Flatten(),
         Dense(draw(12, 3), draw(3))],
        (1, 6, 6),
    ),
    "averages": ([Conv2d(draw(3, 1, 2, 2)), ReLU(), AvgPool2d(2), AvgPool2d(2, 1, 1), Flatten(), Dense(draw(27, 3))],
                 (1, 5, 5)),
    "batch norm": (
        [Conv2d(draw(3, 1, 2, 2), draw(3)), norm(3), ReLU(), norm(3, 1), Flatten(), Dense(draw(48, 4, scale=0.3)),
         norm(4), ReLU(), Dense(draw(4, 3))],
        (1, 5, 5),
    ),
    "smooth": (
        [Dense(draw(5, 6), draw(6)), GELU(), Dense(draw(6, 6), draw(6)), PReLU(draw(6)), Softplus(2.0),
         Dense(draw(6, 4)), Hardswish(), Dense(draw(4, 3))],
        (5,),
    ),
    "nonlinearities": (
        [Dense(draw(5, 6), draw(6)), Tanh(), Dropout(0.5), Dense(draw(6, 6), draw(6)), Sigmoid(), Identity(),
         Mask(np.array([[2.0, 0, 2, 2, 0, 2]])), Dense(draw(6, 4)), LeakyReLU(0.1), Reshape((1, 2, 2)), Flatten(),
         Dense(draw(4, 3)), Softmax()],
        (5,),
    ),
    "skips": (
        [Residual([Dense(draw(5, 5), draw(5)), ReLU()]), ReLU(),
         Branches([[], [Constant(draw(1, 4) ** 2)], [Mask(2 * np.ones((1, 5)))]], Concat()),
         Residual([Dense(draw(14, 3), draw(3))], [Dense(draw(14, 3, seed=1))]), ReLU(), Dense(draw(3, 3), draw(3))],
        (5,),
    ),
    "maps": (
        [Conv2d(draw(2, 1, 2, 1), draw(2)), ReLU(),
         Residual([Conv2d(draw(2, 2, 3, 1), draw(2), padding=(1, 0)), ReLU(), Conv2d(draw(2, 2, 1, 1), draw(2))]),
         ReLU(),
         Branches([[], [GlobalAvgPool(), Conv2d(draw(2, 2, 1, 1)), Sigmoid()]], Multiply()),
         Branches([[], [MaxPool2d((2, 1), (1, 1))]], Concat(2)), Flatten(), Dense(draw(20, 3, scale=0.3))],
        (1, 4, 2),
    ),
}  # fmt: skip


def network(name):
    layers, shape = NETWORKS[name]
    return Network(layers, input_shape=shape)


def pixels(name):
    """An input in [0, 1] with zeros and ties."""
    x = np.random.default_rng(3).random((1, *NETWORKS[name][1])).round(1)
    x[x < 0.3] = 0
    return x


def fits(name, method):
    """Whether the method takes the activations of this network, which a few of its layers make negative."""
    try:
        METHODS[method].compute(network(name), pixels(name), 1)
    except ValueError:
        return False
    return True


with pytest.MonkeyPatch.context() as importing:  # every worker imports this file: in Numba, every one would compile
    importing.setenv("NNLITE_BACKEND", "numpy")
    CASES = [(name, method) for name in NETWORKS for method in WALKS if fits(name, method)]


# ----------------------------------------------------------------------------------------------------- recording


def test_most_methods_fit_most_networks():
    assert len(CASES) > 0.75 * len(NETWORKS) * len(WALKS)
    assert {method for _, method in CASES} == set(WALKS)


@pytest.mark.parametrize(("name", "method"), CASES)
def test_recording_changes_no_bit_and_every_formula_gives_the_recorded_number(name, method):
    trace = record(method, network(name), pixels(name), 1)
    assert np.array_equal(trace.R, METHODS[method].compute(network(name), pixels(name), 1))
    assert trace.error() <= CLOSE
    json.dumps([step.tree for frame in trace.frames for step in frame.steps])


@pytest.mark.parametrize("explain", [gradient, guided_backpropagation, deconvnet, deeplift, gradient_times_input])
@pytest.mark.parametrize("sign", [1, -1])
def test_walks_that_are_not_lrp_take_any_sign_and_any_neuron(explain, sign):
    name = {gradient_times_input: "gradient-times-input", guided_backpropagation: "guided-backpropagation"}
    x = sign * pixels("convolution") - 0.4
    for target in (2, ("conv1", 1), ("relu1", (2, 1, 0))):
        trace = record(name.get(explain, explain.__name__), network("convolution"), x, target)
        assert np.array_equal(trace.R, explain(network("convolution"), x, target))
        assert trace.error() <= CLOSE


RULES = [
    lrp.zero(), lrp.zero(0.1), lrp.epsilon(0.3), lrp.epsilon(lrp.relative(0.25)), lrp.gamma(0.4), lrp.gamma(0.4, 0.01),
    lrp.epsilon(lrp.relative(0.1), 0.01), lrp.generalized_gamma(0.3), lrp.generalized_gamma(0.3, 0.01), lrp.z_plus(),
    lrp.alpha_beta(2, 1), lrp.alpha_beta(1, 0), lrp.alpha_beta(3, 2, 1e-3), lrp.z_bounds(0, 1), lrp.w_squared(),
    lrp.z_bounds(-1.0, 2.0, 1e-6), lrp.flat(), lrp.flat(0.5),
]  # fmt: skip
LINEAR_LAYERS = [
    (Dense(draw(12, 7), draw(7)), (12,)),
    (Dense(draw(6, 5)), (6,)),
    (Conv2d(draw(4, 2, 3, 3), draw(4), stride=2, padding=1), (2, 5, 5)),
    (Conv2d(draw(6, 2, 2, 3), draw(6), (1, 2), (1, 0), (2, 1), 3), (6, 3, 4)),
    (ConvTranspose2d(draw(2, 2, 3, 2), draw(4), 2, 1, 1, 2, output_padding=1), (2, 2, 3)),
]


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize(("layer", "shape"), LINEAR_LAYERS, ids=lambda value: repr(value))
def test_the_formulas_by_themselves_give_what_the_plain_loops_give(rule, layer, shape):
    a = np.random.default_rng(5).random((1, *shape)).round(1)
    a[a < 0.2] = 0
    check_against_the_oracle(rule, layer, a)
    if rule.name in ("zero", "epsilon", "generalized_gamma", "alpha_beta", "w_squared", "flat"):
        check_against_the_oracle(rule, layer, a - 0.5)


@pytest.mark.parametrize("layer", [AvgPool2d(2), AvgPool2d(3, 2, 1, True, False), GlobalAvgPool()], ids=repr)
def test_average_pooling_gives_what_the_plain_loops_give(layer):
    check_against_the_oracle(lrp.zero(), layer, np.random.default_rng(0).random((1, 2, 5, 4)))
    check_against_the_oracle(lrp.zero(1e-3), layer, np.random.default_rng(0).random((1, 2, 5, 4)))


@pytest.mark.parametrize(
    "rule",
    [
        lrp.proportional(),
        lrp.proportional(lrp.relative(0.25)),
        lrp.positive(0.01),
        lrp.absolute(),
        lrp.equal(),
        lrp.only(2),
    ],
    ids=repr,
)
def test_an_add_gives_what_the_plain_loops_give(rule):
    x = np.random.default_rng(1).standard_normal((1, 2, 3, 2))
    net = Network([Branches([[], [ReLU()], [Tanh()]], Add())])
    R, frame = from_formulas(record(lrp.Composite(add=rule), net, x, ("branches1.add", 0)).frame("branches1.add"))
    expected = elementwise_joins.relevance(rule, (x, np.maximum(x, 0), np.tanh(x)), R[None])
    expected = np.concatenate([each.ravel() for each in expected])
    assert np.abs(frame.arrays["R_j"] - expected).max() <= CLOSE * np.abs(expected).sum()


@pytest.mark.parametrize(
    ("rule", "shares"), [(lrp.signal(), (1, 0)), (lrp.signal(1), (0, 1)), (lrp.uniform(), (0.5, 0.5)), (None, (1, 0))]
)
def test_a_multiply_gives_each_factor_its_part(rule, shares):
    x = np.random.default_rng(1).standard_normal((1, 2, 3, 2))
    net = Network([Branches([[], [GlobalAvgPool()]], Multiply())])
    composite = lrp.Composite(multiply=rule)
    R, frame = from_formulas(record(composite, net, x, ("branches1.multiply", 0)).frame("branches1.multiply"))
    expected = [share * part.ravel() for share, part in zip(shares, (R, R.sum(axis=(1, 2))), strict=True)]
    assert np.abs(frame.arrays["R_j"] - np.concatenate(expected)).max() <= CLOSE * np.abs(R).sum()


def check_against_the_oracle(rule, layer, a):
    composite = lrp.Composite(convolution=rule, dense=rule, pooling=rule)
    R, frame = from_formulas(record(composite, Network([layer], ["it"]), a, ("it", 0)).frame("it"))
    expected = elementwise.relevance(rule, layer, a, R[None])[0]
    assert np.abs(frame.arrays["R_j"] - expected).max() <= CLOSE * max(np.abs(expected).sum(), np.abs(R).sum())


def from_formulas(frame):
    """z, s, c and R each from the formulas alone: nothing that the method computed is read but a, w, b and R_k."""
    R = np.random.default_rng(9).standard_normal(frame.arrays["R_k"].shape)
    frame = replace(frame, arrays={**frame.arrays, "R_k": R})
    for step in frame.steps:
        shape = frame.arrays[step.name].shape
        values = [frame.value(step, n) for n in range(frame.arrays[step.name].size)]
        frame.arrays[step.name] = np.reshape(values, shape)
    return R, frame


def test_a_formula_that_says_something_else_is_found_out():
    frame = record("lrp-gamma", network("dense"), pixels("dense"), 1).frames[0]
    z, *others = frame.steps
    wrong = ["sum", "j", ["mul", sym("a", "j"), sym("w", "jk")]]  # without γ and the bias
    assert frame.error() <= CLOSE < replace(frame, steps=(replace(z, tree=wrong), *others)).error()
    changed = {**frame.arrays, "s_k": frame.arrays["s_k"] + 1e-9}
    assert replace(frame, arrays=changed).error() > CLOSE


def test_a_zero_denominator_distributes_nothing_and_a_tie_goes_to_the_first():
    layer = Dense(np.array([[1.0], [-1.0]]))
    frame = record("lrp-zero", Network([layer]), np.array([[1.0, 1.0]])).frames[0]
    assert frame.arrays["s_k"] == frame.value(frame.steps[1]) == 0
    pool = Network([Conv2d(np.ones((1, 1, 1, 1))), MaxPool2d(2), Flatten()])
    trace = record("gradient", pool, np.ones((1, 1, 2, 2)), 0)
    assert [trace.frame("pool1").value(trace.frame("pool1").steps[0], j) for j in range(4)] == [1, 0, 0, 0]


def test_the_books_are_those_of_the_ledger():
    net, x = models.load("lenet").astype(np.float64), pixels_of_lenet()
    trace = record("lrp-epsilon-alpha2-beta1", net, x)
    books = lrp.ledger(net, x, rules=METHODS["lrp-epsilon-alpha2-beta1"].rules)
    for frame, entry in zip(trace.frames, reversed(list(books)), strict=True):
        assert frame.layer == entry.layer
        expected = (entry.above[0], entry.below[0], entry.bias[0], entry.stabilizer[0], entry.dropped[0])
        assert frame.books == pytest.approx(expected, rel=1e-12, abs=1e-12)


def pixels_of_lenet():
    return nnlite.datasets.strokes(1, seed=models.HELD_OUT_SEED, start=4)[0].astype(np.float64)


# ------------------------------------------------------------------------------------------------------ geometry


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        *LINEAR_LAYERS,
        (AvgPool2d(3, 2, 1, True), (2, 6, 5)),
        (AvgPool2d(2, 1, 1), (1, 3, 3)),
        (GlobalAvgPool(), (2, 3, 2)),
    ],
    ids=repr,
)
def test_the_links_are_the_connections_in_both_directions(layer, shape):
    W, _, exists = elementwise.connections(layer, (1, *shape))
    links = geometry(layer, shape, layer.output_shape((1, *shape))[1:])
    down = {(j, k): w for k in range(exists.shape[1]) for j, w in links.window(k)}
    up = {(j, k): w for j in range(exists.shape[0]) for k, w in links.fed(j)}
    assert down == up
    assert set(down) == set(zip(*np.nonzero(exists), strict=True))
    if hasattr(layer, "W"):
        assert all(layer.W.flat[w] == W[place] for place, w in down.items())
    assert all(links.window(k) == sorted(links.window(k)) for k in range(exists.shape[1]))


JOINS = [
    (Add(), ((2, 2, 3), (2, 2, 3), (2, 2, 3))), (Concat(), ((2, 2, 3), (1, 2, 3))), (Concat(3), ((2, 2, 3), (2, 2, 1))),
    (Multiply(), ((2, 2, 3), (2, 1, 1))), (Multiply(), ((4,), (4,))),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "branches"), JOINS, ids=repr)
def test_the_links_of_a_join_are_its_connections_in_both_directions(layer, branches):
    a = tuple(1 + np.random.default_rng(b).random((1, *shape)) for b, shape in enumerate(branches))
    z = layer.forward(a)
    links = geometry(layer, branches, z.shape[1:])
    down = {(j, k) for k in range(links.count("k")) for j, _ in links.window(k)}
    up = {(j, k): weight for j in range(links.count("j")) for k, weight in links.fed(j)}
    slopes = [layer.backward(a, one.reshape(z.shape)) for one in np.eye(z.size)]
    real = np.array([np.concatenate([part.ravel() for part in each]) for each in slopes])
    assert {(j, k) for k, j in zip(*np.nonzero(real), strict=True)} == set(up) == down
    assert all(links.window(k) == sorted((j, w) for (j, to), w in up.items() if to == k) for k in range(z.size))


# --------------------------------------------------------------------------------------------- where branches meet


def test_signals_that_add_are_a_step_and_say_where_they_come_from():
    trace = record("lrp-zero", network("maps"), pixels("maps"), 1)
    frame = trace.frame("relu1")
    assert formula(frame.steps[0].tree) == "R(1)_k + R(2)_k"
    assert "R(1) from block1.add, R(2) from block1.conv1" in frame.steps[0].words
    from_skip = trace.frame("block1.add").arrays["R_j"][: frame.arrays["R_k"].size]
    from_path = trace.frame("block1.conv1").arrays["R_j"]
    np.testing.assert_array_equal(from_skip.reshape(from_path.shape) + from_path, frame.arrays["R_k"])
    net = Network([Residual([Dense(np.eye(2))]), Dense(np.ones((2, 1)))])
    at_x = record("gradient", net, np.array([[3.0, 1.0]]))
    assert (at_x.layers[-1], at_x.frames[-1].steps[0].name, at_x.R.tolist()) == ("input", "g_j", [[2, 2]])
    assert "Σ_j" not in text(at_x, layer="input")


def test_a_branch_is_said_by_the_layer_that_it_comes_from_and_what_it_was_given():
    trace = record("lrp-epsilon", network("maps"), pixels("maps"), 1)
    ledger = lrp.ledger(network("maps"), pixels("maps"), 1, rules=lrp.epsilon(1e-6))
    books = {entry.layer: entry.branches for entry in ledger}
    for frame in trace.frames:
        expected = [(each.layer, each.R[0]) for each in books[frame.layer]]
        assert [each.layer for each in frame.branches] == [name for name, _ in expected]
        np.testing.assert_allclose([each.signal for each in frame.branches], [R for _, R in expected], rtol=1e-12)
    shown = text(trace, layer="block1.add")
    assert re.search(r"from relu1: j = 0 to 11, Σ R_j = \S+, \|a_j / z_k\| up to", shown)
    assert "(block1.conv2, channel 1, row 2, column 0)" in text(trace, layer="block1.add", j=12 + 10)
    assert "k = 10 (channel 1, row 2" in text(trace, layer="block1.add", j=12 + 10)


def test_the_path_goes_on_in_each_branch_and_returns_where_the_signal_is_strongest():
    trace = record("lrp-epsilon", network("maps"), pixels("maps"), 1)
    path = choices(trace)
    add = trace.frame("block1.add")
    at = path["block1.add"]
    assert {at.k, at.k + 12} == {j for j, _ in add.geometry.window(at.k)}
    assert path["block1.conv2"].k == at.k
    ends = {"block1.add": (add, at.k), "block1.conv1": (trace.frame("block1.conv1"), path["block1.conv1"].j)}
    strengths = {name: (abs(frame.arrays["R_j"].flat[j]), j) for name, (frame, j) in ends.items()}
    assert path["relu1"].k == max(strengths.values())[1]


class Mean(Layer):
    """z = the mean of the branches: a join of one's own."""

    reads = None
    linear = True

    def forward(self, a):
        return sum(a) / len(a)

    def backward(self, a, dz):
        return tuple(dz / len(a) for _ in a)

    def output_shape(self, shape):
        return shape[0]


def test_a_join_of_ones_own_cannot_be_stepped_through():
    net = Network([Branches([[], [ReLU()]], Mean()), Dense(np.ones((2, 1)))])
    with pytest.raises(ValueError, match=r"layer branches1.mean: .* cannot be stepped through"):
        record("gradient", net, np.ones((1, 2)))


# ------------------------------------------------------------------------------------------------ what is printed


def frame_of(a, w):
    layer = Dense(np.array(w, float).reshape(-1, 1))
    return record("lrp-zero", Network([layer]), np.array([a], float)).frames[0]


FINITE = st.floats(-1e9, 1e9, allow_subnormal=False)


@settings(deadline=None)
@given(st.lists(st.tuples(FINITE, FINITE), min_size=1, max_size=9), st.integers(1, 5))
def test_what_is_shown_adds_up_digit_by_digit(pairs, top):
    frame = frame_of(*zip(*pairs, strict=True))
    *rows, total = bill(frame.steps[0].tree, frame, {"k": 0}, top)
    assert sum(Decimal(row.amount) for row in rows) == Decimal(total.amount)
    value = frame.arrays["z_k"][0]
    size = np.abs(frame.arrays["a_j"] * frame.arrays["w_jk"][:, 0]).max(initial=abs(value))
    assert abs(float(total.amount) - value) <= max(1e-5 * size, 1e-295)  # what is below 1e-295 is shown as 0
    assert len(rows) <= top + 2


@settings(deadline=None)
@given(st.lists(FINITE, max_size=6), st.booleans())
def test_any_numbers_add_up(values, rest):
    amounts, left, total = adding_up(values, sum(values), rest)
    assert sum(map(Decimal, amounts)) + Decimal(left or 0) == Decimal(total)
    assert left is not None or not rest


def test_the_largest_terms_come_first_and_the_others_are_summed():
    frame = frame_of([1, 2, 3, 4, 0], [1, 1, -1, 1, 1])
    rows = bill(frame.steps[0].tree, frame, {"k": 0}, top=2)
    assert [(row.label, row.text, float(row.amount)) for row in rows] == [
        ("j = 3", "4 · 1", 4), ("j = 2", "3 · -1", -3), ("3 more", "", 3), ("total", "", 4),
    ]  # fmt: skip
    half = ["div", frame.steps[0].tree, num(2)]
    assert numbers(half, frame, {"k": 0}) == "[4 · 1 + 3 · -1 + 2 · 1 + 1 · 1 + (1 more: 0.00000)] / 2"


def test_formulas_read_as_in_the_papers():
    def of(method, layer="conv1"):
        frame = record(method, net, pixels("convolution"), 1).frame(layer)
        return [f"{step.name} = {formula(step.tree)}" for step in frame.steps]

    net = network("convolution")
    assert of("lrp-gamma") == [
        "z_k = Σ_j a_j (w_jk + γ w⁺_jk) + b_k + γ b⁺_k", "s_k = R_k / z_k", "c_j = Σ_k (w_jk + γ w⁺_jk) s_k",
        "R_j = a_j c_j",
    ]  # fmt: skip
    assert of("lrp-epsilon")[1] == "s_k = R_k / (z_k + ε sgn z_k)"
    assert of("lrp-alpha2-beta1")[2:4] == ["s⁺_k = α R_k / z⁺_k", "s⁻_k = (−β) R_k / z⁻_k"]
    assert of("lrp-generalized-gamma")[3] == "s↑_k = [z_k > 0] R_k / z↑_k"
    assert of("lrp-epsilon-relative")[1] == "ε = 0.25 √((Σ_k z²_k) / 36)"
    assert of("deep-taylor")[0] == "z_k = Σ_j ((a_j - l) w⁺_jk + (a_j - h) w⁻_jk)"
    assert of("lrp-flat")[0] == "z_k = Σ_j 1"
    assert of("lrp-zero", "pool1") == ["R_j = Σ_k [j wins k] R_k"]
    assert of("guided-backpropagation", "relu1") == ["R_j = [a_j > 0] R⁺_k"]
    assert of("deeplift", "relu1")[2] == (
        "m_j = m_k Δ_k / Δ_j where |[a_j > 0] Δ_j - Δ_k| > 4ε (|z_k| + |z′_k|), else [a_j > 0] m_k"
    )
    assert of("deeplift", "pool1")[2].endswith("/ Δ_j where |Δ_j| > 0, else Σ_k [j wins k] m_k")


@pytest.mark.parametrize("method", WALKS)
def test_the_source_is_the_code_that_runs(method):
    root = Path(nnlite.__file__).parents[1]
    for frame in record(method, models.load("lenet"), pixels_of_lenet()).frames:
        for step in frame.steps:
            for code in step.sources:
                lines = (root / code.file).read_text().splitlines()
                assert [line.strip() for line in code.code] == [
                    line.strip() for line in lines[code.first - 1 : code.first - 1 + len(code.code)]
                ]
                assert code.first <= code.line < code.first + len(code.code)


def test_the_marked_line_is_the_step_of_the_slides():
    frame = record("lrp-zero", network("dense"), pixels("dense")).frame("dense1")
    for number, step in enumerate(frame.steps, 1):
        code = step.sources[0]
        assert f"# step {number}" in code.code[code.line - code.first]
        assert str(code) == f"nnlite/decision_based/lrp/form.py:{code.line}"
    assert frame.steps[2].sources[1].code == tuple(
        line[4:].rstrip("\n") for line in inspect.getsourcelines(Dense.backward)[0]
    )


@pytest.mark.parametrize(("name", "method"), [case for case in CASES if case[0] in ("convolution", "nonlinearities")])
def test_the_text_is_no_wider_than_a_terminal(name, method):
    shown = text(record(method, network(name), pixels(name), 1))
    assert max(map(len, shown.splitlines())) <= 100
    assert "nan" not in shown


def test_the_path_follows_the_strongest_share():
    trace = record("lrp-gamma", network("dense"), pixels("dense"), 2)
    path = list(choices(trace).values())
    assert path[0].k == 2
    assert all(above.j == below.k for above, below in pairwise(path))
    top = trace.frames[0]
    assert path[0].j == np.abs(top.arrays["R_j"]).argmax()


def test_two_methods_stand_side_by_side():
    net, x = network("dense"), pixels("dense")
    shown = comparison(record("lrp-gamma", net, x, 1), record("lrp-epsilon", net, x, 1), layer="dense2", j=0, k=1)
    left, right = zip(*(re.split(" │ ?", line) for line in shown.splitlines() if "│" in line), strict=True)
    assert "gamma(gamma=0.25)" in left[1]
    assert "epsilon(epsilon=1e-06)" in right[1]
    assert "γ" in " ".join(left[2:])
    assert "γ" not in " ".join(right[2:])
    assert max(map(len, shown.splitlines())) <= 92


# ------------------------------------------------------------------------------------------------------ bad input


def test_bad_input_is_said():
    net, x = network("dense"), pixels("dense")
    with pytest.raises(ValueError, match=r"no method 'lrp'; those that are one walk are gradient, .*lrp-gamma"):
        record("lrp", net, x)
    with pytest.raises(ValueError, match=r"occlusion is not one walk .* those that are: gradient, "):
        record("occlusion", net, x)
    with pytest.raises(TypeError, match=r"method takes a name, .* got"):
        record(print, net, x)
    with pytest.raises(ValueError, match="one input"):
        record("gradient", net, np.concatenate([x, x]))
    with pytest.raises(TypeError, match="NumPy array"):
        record("gradient", net, x.tolist())
    with pytest.raises(ValueError, match="classes from 0 to 3"):
        record("gradient", net, x, 4)
    softmax = Network([Dense(draw(4, 3)), Softmax(), Dense(draw(3, 2))])
    with pytest.raises(ValueError, match=r"layer softmax1: .* cannot be stepped through"):
        record("gradient", softmax, np.ones((1, 4)))
    for layer in (Permute((2, 1)), Pad((1, 0)), Slice(1, 1), Dense(draw(3, 3))):
        moved = Network([Reshape((2, 3)), layer, Flatten()])
        for method in ("gradient", "lrp-epsilon", "deeplift"):
            with pytest.raises(ValueError, match=r"layer \w+1: .* cannot be stepped through"):
                record(method, moved, np.ones((1, 6)))
    stranger = [lambda layer, a, z, R: layer.backward(a, R)] * 2
    with pytest.raises(ValueError, match=r"layer dense2: .* cannot be stepped through"):
        record(stranger, net, x)


def test_a_place_that_does_not_exist_is_said():
    trace = record("lrp-gamma", network("dense"), pixels("dense"), 1)
    for show in (text, page):
        with pytest.raises(ValueError, match=r"no layer 'conv9' .* dense2, relu1, dense1, flatten1"):
            show(trace, layer="conv9")
        with pytest.raises(ValueError, match=r"Layer dense2 has j from 0 to 6, got 7"):
            show(trace, layer="dense2", j=7)
        with pytest.raises(ValueError, match=r"Layer dense2 has k from 0 to 3, got -1"):
            show(trace, k=-1)
    other = record("lrp-gamma", network("dense"), pixels("dense"), 2)
    for compare in (comparison, page):
        with pytest.raises(ValueError, match="the same input and the same target"):
            compare(trace, other)


# ------------------------------------------------------------------------------------------------------- the page


@pytest.mark.parametrize("methods", [["lrp-gamma"], ["lrp-alpha2-beta1", "lrp-epsilon"], ["deeplift"]])
@pytest.mark.parametrize("model", ["tiny", "lenet"])
def test_the_page_holds_all_it_needs_in_two_megabytes(model, methods):
    x = pixels_of_lenet() if model == "lenet" else models.digits("uci", "test")[0][17:18]
    content = page(*(record(method, models.load(model), x) for method in methods), title="a <b> & c")
    assert len(content.encode()) < 2e6
    assert not re.search(r"<link(?![^>]*data:)|src=|@import|url\(|https?:", content)
    assert "default-src 'none'" in content
    assert "<!-- " not in content
    assert "a &lt;b&gt; &amp; c" in content
    data = json.loads(re.search(r'id="data">(.*?)</script>', content, re.S)[1])
    assert len({text for _, text in data["pool"]}) == len(data["pool"])  # each array once
    assert [one["method"] for one in data["traces"]] == methods


def test_the_page_opens_where_it_is_told_to():
    def start(**at):
        content = page(record("lrp-gamma", network("dense"), pixels("dense"), 1), **at)
        return json.loads(re.search(r'id="data">(.*?)</script>', content, re.S)[1])["start"]

    assert start(layer="dense1", j=3, k=2) == {"l": 2, "s": 0, "j": 3, "k": 2, "m": 0}
    assert start()["k"] == 1
    assert start(layer="flatten1", j=5)["k"] == 5


def test_a_place_or_a_number_of_terms_that_is_none():
    trace = record("lrp-epsilon", models.load("tiny"), np.full((1, 1, 8, 8), 0.5))
    for j in (1.5, True, "3"):
        with pytest.raises(ValueError, match="Layer dense1 has j from 0 to 63"):
            page(trace, layer="dense1", j=j)
    with pytest.raises(ValueError, match="top takes a positive integer, got 0"):
        text(trace, top=0)
    with pytest.raises(ValueError, match="at least 60 characters, got 59"):
        text(trace, width=59)
    with pytest.raises(TypeError, match="A trace is what record gives; got str and str"):
        text("a trace")
    with pytest.raises(TypeError, match="A trace is what record gives; got Trace and str"):
        comparison(trace, "lrp-gamma")
